/*-------------------------------------------------------------------------
 *
 * timeline.c
 *	  A run in steps of 10 ms.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "output/numbers.h"
#include "output/output.h"

/* The latency of a request and the bin in which it finished. */
typedef struct Finish
{
	int			bin;
	double		latency;
} Finish;

static int
compare_finishes(const void *a, const void *b)
{
	const Finish *x = a;
	const Finish *y = b;

	if (x->bin != y->bin)
		return x->bin < y->bin ? -1 : 1;
	return (x->latency > y->latency) - (x->latency < y->latency);
}

static void *
allocate(size_t count, size_t size)
{
	void	   *memory = calloc(count + 1, size);

	if (memory == NULL)
		fail("out of memory");
	return memory;
}

/* Bins from the load, or a little before the release, to the last answer. */
static void
set_range(const Run *run, Timeline *timeline)
{
	int64_t		to = run->counted_to;

	for (int i = 0; i < run->nrequests; i++)
	{
		if (run->requests[i].finished > to)
			to = run->requests[i].finished;
	}
	timeline->from = run->zero - ((run->zero - run->counted_from) / STEP + 1) * STEP;
	timeline->nbins = (int) ((to - timeline->from) / STEP) + 1;
}

static int
bin_of(const Timeline *timeline, int64_t at)
{
	return at < timeline->from ? -1 : (int) ((at - timeline->from) / STEP);
}

/* Latencies of the requests that finished in one bin, in order. */
static void
fill_bin(Bin *bin, const Finish *finishes, size_t n)
{
	double	   *latencies = allocate(n, sizeof(double));

	for (size_t i = 0; i < n; i++)
		latencies[i] = finishes[i].latency;
	bin->finished = (int) n;
	bin->p50 = percentile_sorted(latencies, n, 0.5);
	bin->p99 = percentile_sorted(latencies, n, 0.99);
	bin->max = latencies[n - 1];
	free(latencies);
}

static void
fill_latencies(Timeline *timeline, Finish *finishes, size_t n)
{
	size_t		end;

	qsort(finishes, n, sizeof(Finish), compare_finishes);
	for (size_t begin = 0; begin < n; begin = end)
	{
		for (end = begin; end < n && finishes[end].bin == finishes[begin].bin;)
			end++;
		fill_bin(&timeline->bins[finishes[begin].bin], &finishes[begin], end - begin);
	}
}

static void
fill_samples(Timeline *timeline)
{
	for (int i = 0; i < timeline->nbins; i++)
	{
		const Sample *sample = run_sample_at(timeline->run, timeline->from + (i + 1) * STEP);

		timeline->bins[i].running = sample_running(sample);
		timeline->bins[i].breaker = sample->breaker;
	}
}

void
timeline_make(const Run *run, Timeline *timeline)
{
	Finish	   *finishes = allocate((size_t) run->nrequests, sizeof(Finish));
	size_t		n = 0;

	timeline->run = run;
	set_range(run, timeline);
	timeline->bins = allocate((size_t) timeline->nbins, sizeof(Bin));
	for (int i = 0; i < run->nrequests; i++)
	{
		const Request *request = &run->requests[i];
		int			begin = bin_of(timeline, request->due);
		int			end = bin_of(timeline, request->finished);

		if (request->phase == PHASE_WARM || begin < 0)
			continue;
		timeline->bins[begin].begun++;
		if (request->finished != 0)
			finishes[n++] = (Finish)
		{
			end, (double) (request->finished - request->due) / (double) MS
		};
	}
	fill_latencies(timeline, finishes, n);
	fill_samples(timeline);
	free(finishes);
}

void
timeline_free(Timeline *timeline)
{
	free(timeline->bins);
	timeline->bins = NULL;
}

/* The begin of a bin, in seconds after the run's zero. */
double
timeline_second(const Timeline *timeline, int bin)
{
	return (double) (timeline->from - timeline->run->zero + bin * STEP) / (double) SECOND;
}
