/*-------------------------------------------------------------------------
 *
 * html.c
 *	  The report: one page without anything from elsewhere.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <time.h>

#include "output/output.h"

static const char head[] =
"<!DOCTYPE html>\n"
"<html lang=\"en\">\n"
"<head>\n"
"<meta charset=\"utf-8\">\n"
"<meta name=\"viewport\" content=\"width=device-width\">\n"
"<meta name=\"color-scheme\" content=\"light dark\">\n"
"<title>cachepg-stampede</title>\n"
"<style>\n"
"body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;"
" color: #1f2328; background: #ffffff; }\n"
"table { border-collapse: collapse; }\n"
"th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #d8dee4; }\n"
"th:first-child, td:first-child { text-align: left; }\n"
"dt { font-weight: 600; }\n"
".missed { color: #cf222e; font-weight: 600; }\n"
"@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117; }"
" th, td { border-color: #30363d; } .missed { color: #ff7b72; } }\n"
"</style>\n"
"</head>\n"
"<body>\n"
"<h1>A stampede on PostgreSQL</h1>\n";

/* Text that may have characters of HTML. */
static void
put_text(FILE *file, const char *line)
{
	for (; *line != '\0'; line++)
	{
		switch (*line)
		{
			case '&':
				fputs("&amp;", file);
				break;
			case '<':
				fputs("&lt;", file);
				break;
			case '>':
				fputs("&gt;", file);
				break;
			default:
				fputc(*line, file);
		}
	}
}

static void
put_parameters(FILE *file)
{
	time_t		now = time(NULL);
	struct tm	utc;
	char		date[40];

	gmtime_r(&now, &utc);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
	fprintf(file, "<p>%d clients with a connection each and one hot key, whose source takes %" PRId64
			" ms. The value lives %.3g s. Steady traffic, in the modes that have it, is %d requests per "
			"second.</p>\n<p>PostgreSQL ", run_clients, options.source_ms,
			(double) options.ttl_ms / 1000, options.rate);
	put_text(file, server.version);
	fputs(", cachepg ", file);
	put_text(file, server.extension);
	fprintf(file, ", max_connections = %d; %s.</p>\n", server.max_connections, date);
}

static void
put_table(FILE *file, const Run *runs, int nruns)
{
	fputs("<table>\n<thead><tr>", file);
	for (int i = 0; i < table_ncolumns; i++)
		fprintf(file, "<th title=\"%s\">%s</th>", table_columns[i].explanation, table_columns[i].head);
	fputs("</tr></thead>\n<tbody>\n", file);
	for (int i = 0; i < nruns; i++)
	{
		fputs("<tr>", file);
		for (int j = 0; j < table_ncolumns; j++)
		{
			char		line[CELL_SIZE];

			table_columns[j].cell(&runs[i], line);
			fprintf(file, "<td>%s</td>", line);
		}
		fputs("</tr>\n", file);
	}
	fputs("</tbody>\n</table>\n<ul>\n", file);
	for (int i = 1; i < table_ncolumns; i++)
		fprintf(file, "<li>%s: %s</li>\n", table_columns[i].head, table_columns[i].explanation);
	fputs("</ul>\n", file);
}

static void
put_checks(FILE *file)
{
	if (nchecks == 0)
		return;
	fputs("<h2>Expectations</h2>\n<ul>\n", file);
	for (int i = 0; i < nchecks; i++)
	{
		char		line[300];

		check_text(&checks[i], line, sizeof(line));
		fprintf(file, "<li%s>%s: ", checks[i].met ? "" : " class=\"missed\"",
				checks[i].met ? "met" : "missed");
		put_text(file, line);
		fputs("</li>\n", file);
	}
	fputs("</ul>\n", file);
}

static void
put_breaker(FILE *file, const Summary *s)
{
	const BreakerPlan *plan = &breaker_plan;

	fprintf(file, "<p>Its policy: ttl %" PRId64 " ms, stale_for %" PRId64 " s, soft_timeout %" PRId64
			" ms, load_timeout %" PRId64 " ms, retry_after %" PRId64 " ms, breaker_window %d, "
			"breaker_min_calls %d, breaker_ratio %g, breaker_open %" PRId64 " ms. The source works for %"
			PRId64 " ms, %s for %" PRId64 " ms, works again for %" PRId64 " ms.</p>\n",
			plan->ttl_ms, plan->stale_for_ms / 1000, plan->soft_timeout_ms, plan->load_timeout_ms,
			plan->retry_after_ms, plan->window, plan->min_calls, plan->ratio, plan->open_ms,
			plan->normal_ms, options.death_by_error ? "fails" : "hangs", plan->dead_ms, plan->after_ms);
	fprintf(file, "<p>Loads until the breaker opened: %" PRId64 ", %.0f ms after the death. Loads while "
			"open: %" PRId64 " (probes). 99th percentile of the worst second: %.1f ms. First fresh value: "
			"%.0f ms after the recovery.</p>\n", s->loads_until_open, s->opened_ms, s->loads_while_open,
			s->worst_p99, s->fresh_ms);
}

static void
put_modes(FILE *file, const Run *runs, int nruns)
{
	fputs("<h2>The modes</h2>\n<dl>\n", file);
	for (int i = 0; i < nruns; i++)
	{
		const Run  *run = &runs[i];

		fprintf(file, "<dt>%s: %s</dt>\n<dd><p>%s</p>\n", run->mode->name, run->mode->title,
				run->mode->about);
		if (run->mode->play == play_breaker)
			put_breaker(file, &run->summary);
		if (run->first_error[0] != '\0')
		{
			fprintf(file, "<p class=\"missed\">%d requests failed, the first with: ", run->summary.errors);
			put_text(file, run->first_error);
			fputs("</p>\n", file);
		}
		fputs("</dd>\n", file);
	}
	fputs("</dl>\n", file);
}

void
html_report(FILE *file, const Run *runs, int nruns)
{
	fputs(head, file);
	put_parameters(file);
	put_table(file, runs, nruns);
	fputs("<h2>Over time</h2>\n", file);
	svg_picture(file, runs, nruns);
	put_checks(file);
	put_modes(file, runs, nruns);
	fputs("</body>\n</html>\n", file);
}
