/*-------------------------------------------------------------------------
 *
 * run.c
 *	  What was seen in the run of a mode, and its figures.
 *
 * Percentiles are taken over latencies from the release of a burst, or from its
 * turn for a request of the traffic, to the answer.  Who waited for the source
 * is judged from the sending: a client may have stood in line behind others.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/numbers.h"
#include "stampede.h"

int			run_clients = 0;

void
run_begin(Run *run, const Mode *mode)
{
	memset(run, 0, sizeof(*run));
	run->mode = mode;
}

/* Room for one more element; returns the array. */
static void *
room_for(void *array, int count, int *size, size_t element)
{
	if (count < *size)
		return array;
	*size = *size == 0 ? 4096 : 2 * *size;
	array = realloc(array, (size_t) *size * element);
	if (array == NULL)
		fail("out of memory");
	return array;
}

/* Returns its index: the array may move. */
int
run_add_request(Run *run, const Request *request)
{
	run->requests = room_for(run->requests, run->nrequests, &run->requests_size, sizeof(Request));
	run->requests[run->nrequests] = *request;
	return run->nrequests++;
}

void
run_add_sample(Run *run, const Sample *sample)
{
	run->samples = room_for(run->samples, run->nsamples, &run->samples_size, sizeof(Sample));
	run->samples[run->nsamples++] = *sample;
}

/* Name an instant for the pictures. */
void
run_mark(Run *run, int64_t at, const char *label)
{
	if (run->nmarks < MARKS_MAX)
		run->marks[run->nmarks++] = (Mark)
	{
		at, label
	};
}

/* The last reading of the meters up to an instant, else the first one. */
const Sample *
run_sample_at(const Run *run, int64_t at)
{
	static const Sample none = {.breaker = 'c'};
	int			low = 0;
	int			high = run->nsamples;

	if (run->nsamples == 0)
		return &none;
	while (low + 1 < high)
	{
		int			middle = (low + high) / 2;

		if (run->samples[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return &run->samples[low];
}

static double
in_ms(int64_t ns)
{
	return (double) ns / (double) MS;
}

int64_t
sample_running(const Sample *sample)
{
	return sample->started - sample->finished - sample->cancelled;
}

/*
 * A percentile of the latencies of requests of these phases that were due from
 * one instant to before another; -1 if there are none.
 */
double
run_percentile(const Run *run, unsigned phases, int64_t from, int64_t to, double share)
{
	double	   *latencies = malloc(((size_t) run->nrequests + 1) * sizeof(double));
	size_t		n = 0;
	double		result;

	if (latencies == NULL)
		fail("out of memory");
	for (int i = 0; i < run->nrequests; i++)
	{
		const Request *request = &run->requests[i];

		if ((phases & PHASE_BIT(request->phase)) != 0 && request->due >= from && request->due < to &&
			!request->failed && request->finished != 0)
			latencies[n++] = in_ms(request->finished - request->due);
	}
	result = n == 0 ? -1 : percentile(latencies, n, share);
	free(latencies);
	return result;
}

static void
count_requests(const Run *run, Summary *summary)
{
	for (int i = 0; i < run->nrequests; i++)
	{
		const Request *request = &run->requests[i];

		summary->errors += request->failed;
		if (request->phase == PHASE_WARM)
			continue;
		summary->requests++;
		if (in_ms(request->finished - request->sent) > (double) options.source_ms / 2)
			summary->waited++;
	}
}

static void
count_executions(const Run *run, Summary *summary)
{
	int64_t		base = run_sample_at(run, run->counted_from)->started;

	summary->executions = run_sample_at(run, run->counted_to)->started - base;
	summary->before_expiry = run_sample_at(run, run->zero)->started - base;
	for (int i = 0; i < run->nsamples; i++)
	{
		const Sample *sample = &run->samples[i];

		if (sample->at > run->counted_from && sample->at <= run->counted_to &&
			sample_running(sample) > summary->peak)
			summary->peak = sample_running(sample);
	}
}

/* When the breaker was first seen open; NEVER if it was not. */
static int64_t
opened_at(const Run *run)
{
	for (int i = 0; i < run->nsamples; i++)
	{
		if (run->samples[i].at > run->zero && run->samples[i].breaker == 'o')
			return run->samples[i].at;
	}
	return NEVER;
}

/* The first answer with a value that the source began to make after recovery. */
static double
first_fresh(const Run *run)
{
	double		since = server_time(run->recovered);
	int64_t		first = NEVER;

	for (int i = 0; i < run->nrequests; i++)
	{
		const Request *request = &run->requests[i];

		if (request->made_at >= since && request->finished < first)
			first = request->finished;
	}
	return first == NEVER ? -1 : in_ms(first - run->recovered);
}

static double
worst_second(const Run *run)
{
	double		worst = -1;

	for (int64_t from = run->zero; from + SECOND <= run->counted_to; from += SECOND)
	{
		double		p99 = run_percentile(run, PHASE_BIT(PHASE_TRAFFIC), from, from + SECOND, 0.99);

		worst = fmax(worst, p99);
	}
	return worst;
}

static void
summarize_breaker(const Run *run, Summary *summary)
{
	int64_t		opened = opened_at(run);
	int64_t		until = opened < run->recovered ? opened : run->recovered;
	int64_t		at_opening = run_sample_at(run, until)->started;

	summary->loads_until_open = at_opening - run_sample_at(run, run->zero)->started;
	summary->loads_while_open = run_sample_at(run, run->recovered)->started - at_opening;
	summary->probes_allowed = (run->recovered - until) / (breaker_plan.open_ms * MS);
	summary->opened_ms = opened == NEVER ? -1 : in_ms(opened - run->zero);
	summary->worst_p99 = worst_second(run);
	summary->fresh_ms = first_fresh(run);
}

/* Fill in the figures of a run that is over. */
void
run_summarize(Run *run)
{
	Summary    *summary = &run->summary;
	bool		breaker = run->mode->play == play_breaker;
	unsigned	measured = PHASE_BIT(breaker ? PHASE_TRAFFIC : PHASE_BURST);

	memset(summary, 0, sizeof(*summary));
	count_requests(run, summary);
	count_executions(run, summary);
	summary->p50 = run_percentile(run, measured, 0, NEVER, 0.5);
	summary->p99 = run_percentile(run, measured, 0, NEVER, 0.99);
	summary->max = run_percentile(run, measured, 0, NEVER, 1);
	summary->steady_p99 = breaker ? run_percentile(run, measured, 0, run->zero, 0.99) :
		run_percentile(run, PHASE_BIT(PHASE_FRESH), 0, NEVER, 0.99);
	if (breaker)
		summarize_breaker(run, summary);
}
