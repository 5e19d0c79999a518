/*-------------------------------------------------------------------------
 *
 * panel.c
 *	  The panel of a mode: latencies above, the source's load below, over one
 *	  axis of time.
 *
 * Latencies have the same logarithmic scale in all panels, so that a wait for
 * the source and an answer from the cache can be compared at a glance; the
 * load's scale is the panel's own.  Where nothing happens between the load of
 * the value and the burst, the axis of time begins a little before the burst.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <math.h>

#include "output/numbers.h"
#include "output/output.h"

#define LEFT			64
#define RIGHT			(PICTURE_WIDTH - 16)
#define LATENCY_TOP		34
#define LATENCY_BOTTOM	174
#define LOAD_TOP		190
#define LOAD_BOTTOM		260
#define LEAST_MS		0.1
#define LABEL_WIDTH		60

static void
draw_time_axis(FILE *file, const Scale *time)
{
	double		step = tick_step(time->high - time->low, 10);

	for (int i = (int) ceil(time->low / step); i * step <= time->high; i++)
	{
		double		x = scale_position(time, i * step);

		fprintf(file, "<path class=\"st-grid\" d=\"M%.1f %dV%d\"/>"
				"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
				x, LATENCY_TOP, LOAD_BOTTOM, x, LOAD_BOTTOM + 16, i * step);
	}
	fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">seconds</text>\n", RIGHT,
			LOAD_BOTTOM + 32);
}

static void
draw_latency_axis(FILE *file, const Scale *latency)
{
	double		source = scale_position(latency, (double) options.source_ms);
	int			first = (int) lround(log10(latency->low));
	int			last = (int) lround(log10(latency->high));

	for (int power = first; power <= last; power++)
	{
		double		y = scale_position(latency, pow(10, power));

		fprintf(file, "<path class=\"st-grid\" d=\"M%d %.1fH%d\"/>"
				"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
				LEFT, y, RIGHT, LEFT - 6, y + 4, pow(10, power));
	}
	fprintf(file, "<path class=\"st-source\" d=\"M%d %.1fH%d\"/>\n", LEFT, source, RIGHT);
	fprintf(file, "<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">"
			"latency, ms</text>\n", (LATENCY_TOP + LATENCY_BOTTOM) / 2);
}

static void
draw_load_axis(FILE *file, const Scale *load)
{
	fprintf(file, "<path class=\"st-grid\" d=\"M%d %dH%dM%d %dH%d\"/>\n", LEFT, LOAD_TOP, RIGHT, LEFT,
			LOAD_BOTTOM, RIGHT);
	fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%g</text>"
			"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
			LEFT - 6, LOAD_TOP + 4, load->high, LEFT - 6, LOAD_BOTTOM + 4);
	fprintf(file, "<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">"
			"executions</text>\n", (LOAD_TOP + LOAD_BOTTOM) / 2);
}

/* The three paths of the latencies: from median to largest, largest, median. */
static void
draw_latencies(FILE *file, const Timeline *timeline, const Scale *time, const Scale *latency)
{
	const char *const classes[] = {"st-range", "st-max", "st-mid"};

	for (int kind = 0; kind < 3; kind++)
	{
		fprintf(file, "<path class=\"%s\" d=\"", classes[kind]);
		for (int i = 0; i < timeline->nbins; i++)
		{
			const Bin  *bin = &timeline->bins[i];
			double		x = scale_position(time, timeline_second(timeline, i) + 0.005);
			double		max = scale_position(latency, bin->max);
			double		mid = scale_position(latency, bin->p50);

			if (bin->finished == 0 || timeline_second(timeline, i) < time->low || (kind < 2 && mid - max < 0.5))
				continue;
			if (kind == 0)
				fprintf(file, "M%.1f %.1fV%.1f", x, mid, max);
			else
				fprintf(file, "M%.1f %.1fh.01", x, kind == 1 ? max : mid);
		}
		fputs("\"/>\n", file);
	}
}

/* The load as an area of steps. */
static void
draw_load(FILE *file, const Timeline *timeline, const Scale *time, const Scale *load)
{
	int64_t		last = 0;

	fprintf(file, "<path class=\"st-load\" d=\"M%.1f %d", time->from, LOAD_BOTTOM);
	for (int i = 0; i < timeline->nbins; i++)
	{
		int64_t		running = timeline->bins[i].running;

		if (running == last)
			continue;
		fprintf(file, "H%.1fV%.1f", scale_position(time, timeline_second(timeline, i)),
				scale_position(load, (double) running));
		last = running;
	}
	fprintf(file, "H%.1fV%d\"/>\n", time->to, LOAD_BOTTOM);
}

/* Where the breaker was not closed. */
static void
draw_breaker(FILE *file, const Timeline *timeline, const Scale *time)
{
	int			end;

	for (int i = 0; i < timeline->nbins; i = end)
	{
		char		state = timeline->bins[i].breaker;
		double		x = scale_position(time, timeline_second(timeline, i));

		for (end = i; end < timeline->nbins && timeline->bins[end].breaker == state;)
			end++;
		if (state == 'o' || state == 'h')
			fprintf(file, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
					state == 'o' ? "st-open" : "st-half", x, LOAD_TOP,
					scale_position(time, timeline_second(timeline, end)) - x, LOAD_BOTTOM - LOAD_TOP);
	}
}

static void
draw_marks(FILE *file, const Run *run, const Scale *time)
{
	for (int i = 0; i < run->nmarks; i++)
	{
		double		second = (double) (run->marks[i].at - run->zero) / (double) SECOND;
		double		x = scale_position(time, second);
		bool		left = x > RIGHT - LABEL_WIDTH;

		if (second < time->low)
			continue;
		fprintf(file, "<path class=\"st-mark\" d=\"M%.1f %dV%d\"/>"
				"<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
				x, LATENCY_TOP - 8, LOAD_BOTTOM, left ? x - 3 : x + 3, LATENCY_TOP - 2,
				left ? "end" : "start", run->marks[i].label);
	}
}

static int
first_bin(const Timeline *timeline)
{
	const Run  *run = timeline->run;
	int64_t		begin = run->zero - options.source_ms * MS / 4;

	if (run->mode->traffic || begin <= timeline->from)
		return 0;
	return (int) ((begin - timeline->from) / STEP);
}

/* most_ms is the upper end of the scale of latencies. */
void
panel_draw(FILE *file, const Timeline *timeline, double top, double most_ms)
{
	const Run  *run = timeline->run;
	int			first = first_bin(timeline);
	Scale		time = {timeline_second(timeline, first), timeline_second(timeline, timeline->nbins), LEFT,
	RIGHT, false};
	Scale		latency = {LEAST_MS, most_ms, LATENCY_BOTTOM, LATENCY_TOP, true};
	Scale		load = {0, 1, LOAD_BOTTOM, LOAD_TOP, false};

	for (int i = 0; i < timeline->nbins; i++)
		load.high = fmax(load.high, (double) timeline->bins[i].running);
	load.high = round_up(load.high);
	fprintf(file, "<g transform=\"translate(0 %.0f)\">\n<text class=\"st-title\" x=\"%d\" y=\"14\">%s: %s"
			"</text>\n", top, LEFT, run->mode->name, run->mode->title);
	draw_time_axis(file, &time);
	draw_latency_axis(file, &latency);
	draw_load_axis(file, &load);
	draw_breaker(file, timeline, &time);
	draw_load(file, timeline, &time, &load);
	draw_latencies(file, timeline, &time, &latency);
	draw_marks(file, run, &time);
	fputs("</g>\n", file);
}
