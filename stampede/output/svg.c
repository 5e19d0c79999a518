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

/* Plain colours, since many renderers know no variables. */
static const char style[] =
"<style>\n"
".st-all text { font: 12px system-ui, sans-serif; fill: #59636e; }\n"
".st-all .st-title { font-size: 14px; font-weight: 600; fill: #1f2328; }\n"
".st-back { fill: #ffffff; }\n"
".st-grid { stroke: #d8dee4; fill: none; }\n"
".st-mark { stroke: #59636e; stroke-dasharray: 2 3; fill: none; }\n"
".st-source { stroke: #bf8700; stroke-dasharray: 6 4; fill: none; }\n"
".st-range { stroke: #cf222e; stroke-opacity: .25; fill: none; }\n"
".st-max, .st-mid { fill: none; stroke-width: 3; stroke-linecap: round; }\n"
".st-max { stroke: #cf222e; }\n"
".st-mid { stroke: #0969da; }\n"
".st-load { fill: #bf8700; fill-opacity: .35; stroke: #bf8700; }\n"
".st-open { fill: #8250df; fill-opacity: .2; }\n"
".st-half { fill: #8250df; fill-opacity: .5; }\n"
"@media (prefers-color-scheme: dark) {\n"
".st-all text { fill: #9198a1; }\n"
".st-all .st-title { fill: #e6edf3; }\n"
".st-back { fill: #0d1117; }\n"
".st-grid { stroke: #30363d; }\n"
".st-mark { stroke: #9198a1; }\n"
".st-source { stroke: #d29922; }\n"
".st-range { stroke: #ff7b72; }\n"
".st-max { stroke: #ff7b72; }\n"
".st-mid { stroke: #58a6ff; }\n"
".st-load { fill: #d29922; stroke: #d29922; }\n"
".st-open { fill: #bc8cff; }\n"
".st-half { fill: #bc8cff; }\n"
"}\n"
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
