/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  The figures for other programs.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "output/output.h"

static double
ms_after_zero(const Run *run, int64_t at)
{
	return (double) (at - run->zero) / (double) MS;
}

static const char *
breaker_name(char state)
{
	return state == 'o' ? "open" : state == 'h' ? "half-open" : "closed";
}

/* One line per mode; what a mode does not have is -1. */
void
csv_summary(FILE *file, const Run *runs, int nruns)
{
	fputs("mode,clients,source_ms,ttl_ms,executions,executions_before_expiry,peak_executions,requests,waited,"
		  "p50_ms,p99_ms,max_ms,steady_p99_ms,errors,loads_until_open,loads_while_open,probes_allowed,"
		  "opened_after_ms,worst_second_p99_ms,fresh_after_ms\n", file);
	for (int i = 0; i < nruns; i++)
	{
		const Summary *s = &runs[i].summary;
		bool		breaker = runs[i].mode->play == play_breaker;

		fprintf(file, "%s,%d,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%d,%d,"
				"%.3f,%.3f,%.3f,%.3f,%d,",
				runs[i].mode->name, run_clients, options.source_ms,
				breaker ? breaker_plan.ttl_ms : options.ttl_ms, s->executions, s->before_expiry,
				s->peak, s->requests, s->waited, s->p50, s->p99, s->max, s->steady_p99, s->errors);
		if (breaker)
			fprintf(file, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%.3f,%.3f,%.3f\n", s->loads_until_open,
					s->loads_while_open, s->probes_allowed, s->opened_ms, s->worst_p99, s->fresh_ms);
		else
			fputs("-1,-1,-1,-1,-1,-1\n", file);
	}
}

/* Steps in which nothing happened have no latencies. */
void
csv_timeline(FILE *file, const Run *runs, int nruns)
{
	fputs("mode,ms,begun,finished,p50_ms,p99_ms,max_ms,running,breaker\n", file);
	for (int i = 0; i < nruns; i++)
	{
		Timeline	timeline;

		timeline_make(&runs[i], &timeline);
		for (int j = 0; j < timeline.nbins; j++)
		{
			const Bin  *bin = &timeline.bins[j];

			fprintf(file, "%s,%.0f,%d,%d,", runs[i].mode->name, timeline_second(&timeline, j) * 1000,
					bin->begun, bin->finished);
			if (bin->finished > 0)
				fprintf(file, "%.3f,%.3f,%.3f,", bin->p50, bin->p99, bin->max);
			else
				fputs(",,,", file);
			fprintf(file, "%" PRId64 ",%s\n", bin->running, breaker_name(bin->breaker));
		}
		timeline_free(&timeline);
	}
}

/* Instants are milliseconds after the run's zero, made_at the server's clock. */
void
csv_requests(FILE *file, const Run *runs, int nruns)
{
	const char *const phases[NPHASES] = {"warm", "fresh", "traffic", "burst"};

	fputs("mode,phase,client,due_ms,sent_ms,finished_ms,failed,made_at\n", file);
	for (int i = 0; i < nruns; i++)
	{
		const Run  *run = &runs[i];

		for (int j = 0; j < run->nrequests; j++)
		{
			const Request *request = &run->requests[j];

			fprintf(file, "%s,%s,%d,%.3f,%.3f,%.3f,%d,%.6f\n", run->mode->name,
					phases[request->phase], request->client, ms_after_zero(run, request->due),
					ms_after_zero(run, request->sent), ms_after_zero(run, request->finished),
					request->failed, request->made_at);
		}
	}
}

/* Nothing but the head without --expect. */
void
csv_checks(FILE *file, const Run *runs, int nruns)
{
	fputs("what,operator,bar,measured,unit,met\n", file);
	for (int i = 0; i < nchecks; i++)
	{
		const Check *check = &checks[i];
		char		bar[FIGURE_SIZE];
		char		measured[FIGURE_SIZE];

		check_figure(check, check->bar, bar);
		check_figure(check, check->measured, measured);
		fprintf(file, "\"%s\",%s,%s,%s,%s,%d\n", check->what, check->operator, bar, measured,
				check->unit, check->met);
	}
}
