/*-------------------------------------------------------------------------
 *
 * svg.c
 *	  The picture: a legend, and a panel per mode.
 *
 * Colours are chosen by the style sheet inside, for light and dark; all classes
 * begin with "st-", as the picture also stands inside of a page.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "output/output.h"

#define LEGEND_HEIGHT	34

static const char style[] =
"<style>\n"
".st-all { --ink: #1f2328; --soft: #59636e; --grid: #d8dee4; --back: #ffffff; --max: #cf222e;"
" --mid: #0969da; --load: #bf8700; --open: #8250df; }\n"
"@media (prefers-color-scheme: dark) { .st-all { --ink: #e6edf3; --soft: #9198a1;"
" --grid: #30363d; --back: #0d1117; --max: #ff7b72; --mid: #58a6ff; --load: #d29922;"
" --open: #bc8cff; } }\n"
".st-all text { font: 12px system-ui, sans-serif; fill: var(--soft); }\n"
".st-all .st-title { font-size: 14px; font-weight: 600; fill: var(--ink); }\n"
".st-back { fill: var(--back); }\n"
".st-grid { stroke: var(--grid); fill: none; }\n"
".st-mark { stroke: var(--soft); stroke-dasharray: 2 3; fill: none; }\n"
".st-source { stroke: var(--load); stroke-dasharray: 6 4; fill: none; }\n"
".st-range { stroke: var(--max); stroke-opacity: .25; fill: none; }\n"
".st-max, .st-mid { fill: none; stroke-width: 3; stroke-linecap: round; }\n"
".st-max { stroke: var(--max); }\n"
".st-mid { stroke: var(--mid); }\n"
".st-load { fill: var(--load); fill-opacity: .35; stroke: var(--load); }\n"
".st-open { fill: var(--open); fill-opacity: .2; }\n"
".st-half { fill: var(--open); fill-opacity: .5; }\n"
"</style>\n";

static void
draw_legend(FILE *file)
{
	fputs("<g transform=\"translate(64 20)\">\n"
		  "<path class=\"st-mid\" d=\"M0 -4h.01\"/><text x=\"8\">latency, median of 10 ms</text>\n"
		  "<path class=\"st-max\" d=\"M180 -4h.01\"/><text x=\"188\">latency, largest of 10 ms</text>\n"
		  "<path class=\"st-source\" d=\"M360 -4h24\"/><text x=\"390\">the source's time</text>\n"
		  "<rect class=\"st-load\" x=\"520\" y=\"-10\" width=\"20\" height=\"10\"/>"
		  "<text x=\"546\">executions of the source at a time</text>\n"
		  "<rect class=\"st-open\" x=\"760\" y=\"-10\" width=\"20\" height=\"10\"/>"
		  "<text x=\"786\">breaker open</text>\n"
		  "</g>\n", file);
}

void
svg_picture(FILE *file, const Run *runs, int nruns)
{
	double		most = 1000;

	for (int i = 0; i < nruns; i++)
		most = fmax(most, run_percentile(&runs[i], PHASES_MEASURED, INT64_MIN, NEVER, 1));
	fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"st-all\" role=\"img\" "
			"viewBox=\"0 0 %d %d\">\n<title>Latency of the clients and load of the source, by mode"
			"</title>\n", PICTURE_WIDTH, LEGEND_HEIGHT + nruns * PANEL_HEIGHT);
	fputs(style, file);
	fputs("<rect class=\"st-back\" width=\"100%\" height=\"100%\"/>\n", file);
	draw_legend(file);
	for (int i = 0; i < nruns; i++)
	{
		Timeline	timeline;

		timeline_make(&runs[i], &timeline);
		panel_draw(file, &timeline, LEGEND_HEIGHT + i * PANEL_HEIGHT, pow(10, ceil(log10(most))));
		timeline_free(&timeline);
	}
	fputs("</svg>\n", file);
}
