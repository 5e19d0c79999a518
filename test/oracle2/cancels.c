/*-------------------------------------------------------------------------
 *
 * cancels.c
 *	  Cancels at random moments of statements that read from Redis.
 *
 *	  cancels -a CONNECTION -b CONNECTION [-n CANCELS] [-c CLIENTS] [-k KEYS]
 *			  [-s SEED]
 *
 * Each value carries its key, so that a reply that is taken for that of another
 * command is known.  The namespace keeps one entry in memory: nearly all reads
 * go to Redis.  Cancels come from pg_cancel_backend and statement_timeout; those
 * count that ended a statement.
 *
 * Exit status: 0 nothing was mixed up, 1 something was, or errors other than
 * cancellations, 2 it could not be run.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle.h"

#define THREADS_MAX		32
#define KEYS_AT_ONCE	20
#define FILL_STEP		100
#define VALUE "'k' || i || ':' || repeat(md5(i::text), mod(i, 150)) || ':k' || i"

Options		options = {.where = "",.seed = 1};
_Atomic bool stopping;

static const char *servers[2];
static int64_t wanted = 3000;
static int	nclients = 4;
static int	nkeys = 1000;
static Client clients[THREADS_MAX];
static pthread_t threads[THREADS_MAX];

static _Atomic int64_t cancels;
static _Atomic int64_t statements;	/* that succeeded */
static _Atomic int64_t values;
static _Atomic int64_t absent;
static _Atomic int64_t mixed_up;

static const Option known[] = {
	{'a', OPTION_TEXT, &servers[0]},
	{'b', OPTION_TEXT, &servers[1]},
	{'n', OPTION_NUMBER, &wanted},
	{'c', OPTION_COUNT, &nclients},
	{'k', OPTION_COUNT, &nkeys},
	{'s', OPTION_NUMBER, &options.seed},
	{0}
};

static void
check_options(void)
{
	if (servers[0] == NULL || servers[1] == NULL || nclients < 1 || nclients + 2 > THREADS_MAX)
		fail("bad options");
}

/* Whether a value is that of a key: see VALUE. */
static bool
belongs_to(const char *value, int key)
{
	char		tag[20];
	int			len = snprintf(tag, sizeof(tag), "k%d", key);
	size_t		size = 2 * (size_t) len + 2 + 32 * (size_t) (key % 150);

	return strlen(value) == size && strncmp(value, tag, (size_t) len) == 0 && value[len] == ':' &&
		strcmp(value + size - len, tag) == 0 && value[size - len - 1] == ':';
}

static void
check(const PGresult *result)
{
	atomic_fetch_add(&statements, 1);
	for (int row = 0; row < PQntuples(result); row++)
	{
		int			key = atoi(PQgetvalue(result, row, 0));

		atomic_fetch_add(PQgetisnull(result, row, 1) ? &absent : &values, 1);
		if (PQgetisnull(result, row, 1) || belongs_to(PQgetvalue(result, row, 1), key))
			continue;
		atomic_fetch_add(&mixed_up, 1);
		printf("violation: key %d has the value \"%.40s\"\n", key, PQgetvalue(result, row, 1));
	}
}

static void
count_cancel(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (state != NULL && strcmp(state, "57014") == 0 && atomic_fetch_add(&cancels, 1) + 1 >= wanted)
		atomic_store(&stopping, true);
}

/* Read some keys; now and then with another time limit for the next statements. */
static void
read_some(Client *client)
{
	int			n = 1 + (int) client_random(client, KEYS_AT_ONCE);
	char		sql[400];
	int			len;
	PGresult   *result;

	if (client_random(client, 30) == 0)
	{
		snprintf(sql, sizeof(sql), "SET statement_timeout = %d", (int) client_random(client, 8));
		PQclear(PQexec(client->conn, sql));
	}
	len = snprintf(sql, sizeof(sql), "SELECT i, cache_get('c:' || i, NULL::text) FROM unnest('{");
	for (int i = 0; i < n; i++)
		len += snprintf(sql + len, sizeof(sql) - (size_t) len, "%s%d", i > 0 ? "," : "",
						1 + (int) client_random(client, (uint64_t) nkeys));
	snprintf(sql + len, sizeof(sql) - (size_t) len, "}'::int[]) i");
	result = PQexec(client->conn, sql);
	count_cancel(result);
	if (!client_is_good(result))
	{
		client_recover(client);
		return;
	}
	check(result);
	PQclear(result);
}

static void *
reader_main2(void *arg)
{
	Client	   *client = arg;

	client_connect(client);
	while (!atomic_load(&stopping))
		read_some(client);
	client_close(client);
	return NULL;
}

/* Cancels sessions of one server, at random moments. */
static void *
canceller_main(void *arg)
{
	Client	   *client = arg;
	char		sql[80];

	client_connect(client);
	while (!atomic_load(&stopping))
	{
		Client	   *victim = &clients[client_random(client, (uint64_t) nclients)];
		int			pid;

		pthread_mutex_lock(&victim->lock);
		pid = victim->where == client->where ? victim->pid : 0;
		pthread_mutex_unlock(&victim->lock);
		snprintf(sql, sizeof(sql), "SELECT pg_cancel_backend(%d)", pid);
		if (pid != 0 && !client_run(client, sql))
			client_recover(client);
		client_pause((double) client_random(client, 4000) / 1e6);
	}
	client_close(client);
	return NULL;
}

/* Until the second server gets all values from Redis. */
static void
fill(Client *a, Client *b)
{
	char		set[300];
	char		get[200];

	for (int from = 1; from <= nkeys; from += FILL_STEP)
	{
		int			to = from + FILL_STEP - 1 < nkeys ? from + FILL_STEP - 1 : nkeys;
		bool		there = false;

		snprintf(set, sizeof(set), "SELECT count(cache_set('c:' || i, " VALUE ")) FROM generate_series(%d, %d) i",
				 from, to);
		snprintf(get, sizeof(get), "SELECT bool_and(cache_get('c:' || i, NULL::text) IS NOT NULL) "
				 "FROM generate_series(%d, %d) i", from, to);
		for (int try = 0; try < 200 && !there; try++)
		{
			PGresult   *result;

			if (try % 40 == 0 && !client_run(a, set))
				fail("could not set: %s", PQerrorMessage(a->conn));
			client_pause(0.05);
			result = client_query(b, get);
			there = result != NULL && PQgetvalue(result, 0, 0)[0] == 't';
			PQclear(result);
		}
		if (!there)
			fail("values do not arrive");
	}
}

static void
start(int i, void *(*body) (void *), const char *where)
{
	client_init(&clients[i], (uint64_t) i);
	clients[i].where = where;
	if (pthread_create(&threads[i], NULL, body, &clients[i]) != 0)
		fail("could not start a thread");
}

/* A line now and then, until it is over. */
static void
watch(void)
{
	double		began = client_now();
	double		next = began + 10;

	while (!atomic_load(&stopping))
	{
		client_pause(0.05);
		if (client_now() < next)
			continue;
		next += 10;
		printf("%4.0f s: cancels %" PRId64 ", values %" PRId64 ", absent %" PRId64 ", mix-ups %" PRId64 "\n",
			   client_now() - began, atomic_load(&cancels), atomic_load(&values), atomic_load(&absent),
			   atomic_load(&mixed_up));
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	Client		a;
	Client		b;

	options_read(argc, argv, known);
	check_options();
	client_init(&a, 100);
	client_init(&b, 101);
	a.where = servers[0];
	b.where = servers[1];
	client_connect(&a);
	client_connect(&b);
	fill(&a, &b);
	for (int i = 0; i < nclients; i++)
		start(i, reader_main2, servers[i % 2]);
	for (int i = 0; i < 2; i++)
		start(nclients + i, canceller_main, servers[i]);
	watch();
	for (int i = 0; i < nclients + 2; i++)
		pthread_join(threads[i], NULL);
	client_close(&a);
	client_close(&b);
	printf("cancels %" PRId64 "\n", atomic_load(&cancels));
	printf("statements that succeeded %" PRId64 "\n", atomic_load(&statements));
	printf("values %" PRId64 "\n", atomic_load(&values));
	printf("absent %" PRId64 "\n", atomic_load(&absent));
	printf("mix-ups %" PRId64 "\n", atomic_load(&mixed_up));
	printf("unexpected errors %" PRId64 "\n", errors_unexpected());
	errors_print();
	return atomic_load(&mixed_up) + errors_unexpected() == 0 ? 0 : 1;
}
