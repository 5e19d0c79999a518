/*-------------------------------------------------------------------------
 *
 * main.c
 *	  An oracle for the cache under load.
 *
 *	  oracle [-w CONNECTION] [-t SECONDS] [-r READERS] [-u WRITERS] [-c RATE]
 *			 [-i INTERVAL] [-s SEED] [-d] [-x MECHANISM] [-q] [-1]
 *
 * Writers raise versions of rows, in all ways of which the cache learns;
 * readers read them through the cache and know what they must not get: see
 * check.c.  The database was prepared by schema.sql.
 *
 *	-c  commits per second, all writers together (300)
 *	-i  seconds between lines of output (1)
 *	-d  random delays between the steps of fills and commits
 *	-x  switch a mechanism off (a name of CPG_SKIP), for a negative control
 *	-q  quietly: no cancels, terminations, DDL, clearing
 *	-1  end at the first stale read
 *
 * -d and -x need a build with faults and the functions of test/faults.
 *
 * Exit status: 0 nothing was found, 1 violations, 2 it could not be run.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle.h"

#define THREADS_MAX 64

Options		options = {
	.where = "",.seconds = 60,.readers = 3,.writers = 3,.rate = 300,.interval = 1,.seed = 1
};
Tally		tally;
_Atomic bool stopping;

static Client clients[THREADS_MAX];
static pthread_t threads[THREADS_MAX];
static int	nthreads = 0;

/* Hits and misses of the namespace of most reads. */
typedef struct Counters
{
	int64_t		hits;
	int64_t		misses;
} Counters;

static const Option known[] = {
	{'w', OPTION_TEXT, &options.where},
	{'t', OPTION_SECONDS, &options.seconds},
	{'r', OPTION_COUNT, &options.readers},
	{'u', OPTION_COUNT, &options.writers},
	{'c', OPTION_COUNT, &options.rate},
	{'i', OPTION_COUNT, &options.interval},
	{'s', OPTION_NUMBER, &options.seed},
	{'d', OPTION_FLAG, &options.delays},
	{'x', OPTION_TEXT, &options.skip},
	{'q', OPTION_FLAG, &options.calm},
	{'1', OPTION_FLAG, &options.first},
	{0}
};

static void
check_options(void)
{
	if (options.readers + options.writers + 2 > THREADS_MAX || options.writers < 1 ||
		options.rate < 1 || options.interval < 1)
		fail("bad options");
}

static void
start(void *(*body) (void *))
{
	client_init(&clients[nthreads], (uint64_t) nthreads);
	if (pthread_create(&threads[nthreads], NULL, body, &clients[nthreads]) != 0)
		fail("could not start a thread");
	nthreads++;
}

static void
arm(Client *control, const char *point, const char *action)
{
	char		sql[200];

	snprintf(sql, sizeof(sql), "SELECT cachepg_fault_arm('%s', '%s')", point, action);
	if (!client_run(control, sql))
		fail("could not arm %s: %s", point, PQerrorMessage(control->conn));
}

/* Widen the windows in which something could go wrong, and let it. */
static void
arm_faults(Client *control)
{
	static const char *const points[] = {
		"fetch-loaded", "fetch-checked", "precommit-fenced", "commit-visible", "commit-marked",
		"commit-drawn", "fence-lowered", "commit-lowered", "commit-applied", "prepare-handed-over",
		"resolve-found"
	};

	for (size_t i = 0; options.delays && i < sizeof(points) / sizeof(points[0]); i++)
		arm(control, points[i], "delay");
	if (options.skip != NULL)
		arm(control, options.skip, "skip");
}

static void
start_threads(void)
{
	disturber_set_victims(clients, options.readers + options.writers);
	for (int i = 0; i < options.writers; i++)
		start(writer_main);
	for (int i = 0; i < options.readers; i++)
		start(reader_main);
	if (options.calm)
		return;
	start(filler_main);
	start(disturber_main);
}

static Counters
read_counters(Client *control)
{
	Counters	counters = {0, 0};
	PGresult   *result = client_query(control, "SELECT hits, misses FROM cache_namespaces WHERE name = 'o'");

	if (result != NULL && PQntuples(result) == 1)
	{
		counters.hits = atoll(PQgetvalue(result, 0, 0));
		counters.misses = atoll(PQgetvalue(result, 0, 1));
	}
	PQclear(result);
	return counters;
}

static double
hit_ratio(Counters from, Counters to)
{
	int64_t		hits = to.hits - from.hits;
	int64_t		misses = to.misses - from.misses;

	return hits + misses > 0 ? 100.0 * (double) hits / (double) (hits + misses) : 0;
}

static int64_t
violations(void)
{
	int64_t		sum = 0;

	for (int i = 0; i < NVIOLATIONS; i++)
		sum += atomic_load(&tally.violations[i]);
	return sum;
}

/* Print a line per interval until the time is up. */
static void
watch(Client *control, double began)
{
	Counters	last = read_counters(control);
	int64_t		reads = 0;
	int64_t		commits = 0;

	while (!atomic_load(&stopping) && client_now() - began < options.seconds)
	{
		double		next = client_now() + options.interval;
		Counters	now;

		while (!atomic_load(&stopping) && client_now() < next)
			client_pause(0.05);
		now = read_counters(control);
		printf("%4.0f s: reads %" PRId64 ", hits %.1f %%, commits %" PRId64 ", stale %" PRId64
			   ", poison %" PRId64 ", other %" PRId64 ", errors %" PRId64 "\n",
			   client_now() - began, atomic_load(&tally.reads) - reads, hit_ratio(last, now),
			   atomic_load(&tally.commits) - commits, atomic_load(&tally.violations[VIOLATION_STALE]),
			   atomic_load(&tally.violations[VIOLATION_POISON]),
			   violations() - atomic_load(&tally.violations[VIOLATION_STALE]) -
			   atomic_load(&tally.violations[VIOLATION_POISON]), errors_total());
		fflush(stdout);
		reads = atomic_load(&tally.reads);
		commits = atomic_load(&tally.commits);
		last = now;
	}
	atomic_store(&stopping, true);
}

/*
 * At rest the cache agrees with the tables, no fence is left over (all reads
 * of a second round are hits) and the store is sound.
 */
static void
check_at_rest(Client *control)
{
	Counters	before;
	Counters	after;
	PGresult   *result;
	int			absent;

	writer_finish_prepared(control);
	(void) reader_final(control);
	before = read_counters(control);
	absent = reader_final(control);
	after = read_counters(control);
	printf("at rest: second round %" PRId64 " hits, %" PRId64 " misses\n",
		   after.hits - before.hits, after.misses - before.misses);
	if (after.misses - before.misses != absent)
	{
		printf("violation: %d misses were to be expected: a fence is left over\n", absent);
		atomic_fetch_add(&tally.violations[VIOLATION_FINAL], 1);
	}
	result = client_query(control, "SELECT * FROM cachepg_check()");
	if (result == NULL || PQntuples(result) > 0)
	{
		printf("violation: cachepg_check() found %d problems\n", result == NULL ? -1 : PQntuples(result));
		atomic_fetch_add(&tally.violations[VIOLATION_FINAL], 1);
	}
	PQclear(result);
}

static void
report(double seconds, Counters from, Counters to)
{
	printf("seconds %.0f\n", seconds);
	printf("oracle reads %" PRId64 "\n", atomic_load(&tally.reads));
	printf("hits %.1f %% (%" PRId64 " hits, %" PRId64 " misses of namespace o)\n", hit_ratio(from, to),
		   to.hits - from.hits, to.misses - from.misses);
	printf("commits on the keys that are read %" PRId64 "\n", atomic_load(&tally.commits));
	printf("of them with savepoints %" PRId64 ", prepared %" PRId64 " (or rolled back when prepared)\n",
		   atomic_load(&tally.savepoints), atomic_load(&tally.prepared));
	printf("rollbacks %" PRId64 "\n", atomic_load(&tally.rollbacks));
	printf("disturbances %" PRId64 "\n", atomic_load(&tally.disturbances));
	printf("keys found absent %" PRId64 ", rows absent during a reload %" PRId64 "\n",
		   atomic_load(&tally.absent), atomic_load(&tally.excused));
	printf("stale reads %" PRId64 "\n", atomic_load(&tally.violations[VIOLATION_STALE]));
	printf("poison reads %" PRId64 "\n", atomic_load(&tally.violations[VIOLATION_POISON]));
	printf("torn pairs %" PRId64 "\n", atomic_load(&tally.violations[VIOLATION_TORN]));
	printf("rows vanished %" PRId64 "\n", atomic_load(&tally.violations[VIOLATION_VANISHED]));
	printf("own writes not seen %" PRId64 "\n", atomic_load(&tally.violations[VIOLATION_OWN]));
	printf("final differences %" PRId64 "\n", atomic_load(&tally.violations[VIOLATION_FINAL]));
	printf("unexpected errors %" PRId64 "\n", errors_unexpected());
	errors_print();
}

int
main(int argc, char **argv)
{
	Client		control;
	Counters	before;
	Counters	after;
	double		began;

	options_read(argc, argv, known);
	check_options();
	client_init(&control, 100);
	client_connect(&control);
	before = read_counters(&control);
	arm_faults(&control);
	began = client_now();
	start_threads();
	watch(&control, began);
	for (int i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	after = read_counters(&control);
	began = client_now() - began;
	check_at_rest(&control);
	report(began, before, after);
	client_close(&control);
	return violations() + errors_unexpected() > 0 ? 1 : 0;
}
