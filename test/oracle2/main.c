/*-------------------------------------------------------------------------
 *
 * main.c
 *	  An oracle for two servers that share values through Redis.
 *
 *	  oracle2 -a CONNECTION -b CONNECTION [-l LAG] [-r READERS] [-u WRITERS]
 *			  [-s SEED] [-1]
 *
 * Server a is the home: things get new versions there, by values that are set
 * and by rows that change.  They are read through the cache on both; truth.c
 * says what must not be read.  The databases were prepared by schema.sql.
 *
 * Each line on standard input names a disturbance that is over: the answer is a
 * line that says how long it took until b was known to have heard of everything.
 * A line "end", or the end of the input, ends the run.  LAG is in seconds; READERS is a number for
 * each server.
 *
 *	-1  end at the first violation
 *
 * Exit status: 0 nothing was found, 1 violations, 2 it could not be run.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle2.h"

#define THREADS_MAX 32

Options		options = {.where = "",.readers = 2,.writers = 2,.seed = 1};
Setup		setup = {.lag = 2};
Counts		counts;
_Atomic bool stopping;

static Client clients[THREADS_MAX];
static pthread_t threads[THREADS_MAX];
static int	nthreads = 0;

static const Option known[] = {
	{'a', OPTION_TEXT, &setup.a},
	{'b', OPTION_TEXT, &setup.b},
	{'l', OPTION_SECONDS, &setup.lag},
	{'r', OPTION_COUNT, &options.readers},
	{'u', OPTION_COUNT, &options.writers},
	{'s', OPTION_NUMBER, &options.seed},
	{'1', OPTION_FLAG, &setup.first},
	{0}
};

static void
check_options(void)
{
	if (setup.a == NULL || setup.b == NULL || 2 * options.readers + options.writers > THREADS_MAX)
		fail("bad options");
}

static void
start(void *(*body) (void *), const char *where)
{
	client_init(&clients[nthreads], (uint64_t) nthreads);
	clients[nthreads].where = where;
	if (pthread_create(&threads[nthreads], NULL, body, &clients[nthreads]) != 0)
		fail("could not start a thread");
	nthreads++;
}

/* A line of standard input; false at its end, or when the run ends by itself. */
static bool
next_line(char *line, size_t size)
{
	struct pollfd in = {.fd = STDIN_FILENO,.events = POLLIN};
	size_t		len = 0;

	while (len + 1 < size && !atomic_load(&stopping))
	{
		if (poll(&in, 1, 50) <= 0)
			continue;
		if (read(STDIN_FILENO, line + len, 1) != 1)
			return false;
		if (line[len] == '\n')
		{
			line[len] = '\0';
			return true;
		}
		len++;
	}
	return false;
}

/* True if b recovered from all. */
static bool
follow_input(Client *a, Client *b)
{
	char		line[200];
	bool		good = true;
	int			cycle = 0;
	double		seconds;

	while (next_line(line, sizeof(line)) && strcmp(line, "end") != 0)
	{
		bool		recovered = recovery_check(a, b, &seconds);

		good &= recovered || atomic_load(&stopping);
		printf("%4d %-40s ", ++cycle, line);
		if (recovered)
			printf("recovered in %5.2f s", seconds);
		else
			printf("not recovered");
		printf(", commits %" PRId64 ", reads on a %" PRId64 ", on b %" PRId64 ", stale: %" PRId64 "\n",
			   atomic_load(&counts.commits), atomic_load(&counts.reads_a), atomic_load(&counts.reads_b),
			   truth_faults());
		fflush(stdout);
	}
	printf("cycles %d%s\n", cycle, good ? "" : ", not all recovered");
	return good;
}

static void
report(void)
{
	printf("commits %" PRId64 "\n", atomic_load(&counts.commits));
	printf("rollbacks %" PRId64 "\n", atomic_load(&counts.rollbacks));
	printf("reads on a %" PRId64 ", absent %" PRId64 "\n", atomic_load(&counts.reads_a),
		   atomic_load(&counts.absent_a));
	printf("reads on b %" PRId64 ", absent or its own %" PRId64 "\n", atomic_load(&counts.reads_b),
		   atomic_load(&counts.absent_b));
	printf("stale on a %" PRId64 "\n", atomic_load(&counts.faults[FAULT_STALE_A]));
	printf("late on b %" PRId64 "\n", atomic_load(&counts.faults[FAULT_LATE_B]));
	printf("stale on b %" PRId64 "\n", atomic_load(&counts.faults[FAULT_STALE_B]));
	printf("poison %" PRId64 "\n", atomic_load(&counts.faults[FAULT_POISON]));
	printf("unexpected errors %" PRId64 "\n", errors_unexpected());
	errors_print();
	printf("stale: %" PRId64 "\n", truth_faults());
}

static int64_t
next_base(Client *a)
{
	PGresult   *result = client_query(a, "SELECT nextval('base') * 100000");
	int64_t		base;

	if (result == NULL)
		fail("the database has not been prepared");
	base = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return base;
}

int
main(int argc, char **argv)
{
	Client		a;
	Client		b;
	bool		good;

	options_read(argc, argv, known);
	check_options();
	client_init(&a, 100);
	client_init(&b, 101);
	a.where = setup.a;
	b.where = setup.b;
	client_connect(&a);
	client_connect(&b);
	truth_init(next_base(&a));
	for (int i = 0; i < options.writers; i++)
		start(writer2_main, setup.a);
	for (int i = 0; i < options.readers; i++)
	{
		start(reader_a_main, setup.a);
		start(reader_b_main, setup.b);
	}
	good = follow_input(&a, &b);
	atomic_store(&stopping, true);
	for (int i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	report();
	client_close(&a);
	client_close(&b);
	return good && truth_faults() + errors_unexpected() == 0 ? 0 : 1;
}
