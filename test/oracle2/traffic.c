/*-------------------------------------------------------------------------
 *
 * traffic.c
 *	  What is written on a, and read on a and b.
 *
 * A thing is written a few times in quick succession, so that its values and
 * invalidations overtake each other, and then rests for seconds, so that what
 * is wrong stays wrong and is seen.
 *
 * The tables of b have version -1 in all rows, which is NO_VALUE: what b loads
 * itself is not looked at.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle2.h"

#define BURST_MAX	4
#define NUMBERS(n)	" FROM generate_series(1, " #n ") i"

Kind		kinds[] = {
	{
		.name = "set, kept",.count = 16,
		.write = "SELECT cache_set('k:%1$d', %2$lld::bigint)",
		.read = "SELECT i, cache_get('k:' || i, -1::bigint)" NUMBERS(16)
	},
	{
		.name = "set, evicted",.count = 16,
		.write = "SELECT cache_set('e:%1$d', %2$lld::bigint)",
		.read = "SELECT i, cache_get('e:' || i, -1::bigint)" NUMBERS(16)
	},
	{
		.name = "row",.count = 16,
		.write = "UPDATE item SET version = %2$lld WHERE id = %1$d; SELECT cache_invalidate('r:%1$d')",
		.read = "SELECT i, (cache_fetch('r:' || i, 'SELECT version FROM item WHERE id = $1', ROW(i)))::bigint"
		NUMBERS(16)
	},
	{
		.name = "table",.count = 4,
		.write = "UPDATE part%1$d SET version = %2$lld",
		.read = "SELECT i, (cache_fetch('t:' || i, 'SELECT version FROM part' || i))::bigint" NUMBERS(4)
	}
};
const int	nkinds = sizeof(kinds) / sizeof(kinds[0]);

static void
write_once(Client *client, Kind *kind, int number)
{
	int64_t		version = truth_next();
	bool		rolls_back = client_random(client, 10) == 0;
	char		statement[200];
	char		sql[300];

	snprintf(statement, sizeof(statement), kind->write, number,
			 (long long) (rolls_back ? POISON + version : version));
	snprintf(sql, sizeof(sql), "BEGIN; %s; %s", statement, rolls_back ? "ROLLBACK" : "COMMIT");
	if (!client_run(client, sql))
		client_recover(client);
	else if (rolls_back)
		atomic_fetch_add(&counts.rollbacks, 1);
	else
	{
		truth_acknowledge(&kind->thing[number], version);
		atomic_fetch_add(&counts.commits, 1);
	}
}

void *
writer2_main(void *arg)
{
	Client	   *client = arg;

	client_connect(client);
	while (!atomic_load(&stopping))
	{
		Kind	   *kind = &kinds[client_random(client, (uint64_t) nkinds)];
		int			number = 1 + (int) client_random(client, (uint64_t) kind->count);
		Thing	   *thing = &kind->thing[number];

		if (pthread_mutex_trylock(&thing->writing) == 0)
		{
			bool		rested = client_now() >= thing->rests_until;
			int			n = rested ? 1 + (int) client_random(client, BURST_MAX) : 0;

			while (n-- > 0)
			{
				write_once(client, kind, number);
				client_pause((double) client_random(client, 4000) / 1e6);
			}
			if (rested)
				thing->rests_until = client_now() + (double) client_random(client, 4000) / 1e3;
			pthread_mutex_unlock(&thing->writing);
		}
		client_pause(0.005);
	}
	client_close(client);
	return NULL;
}

static void
read_forever(Client *client, void (*check) (Kind *, int, const Expected *, int64_t))
{
	client_connect(client);
	while (!atomic_load(&stopping))
	{
		Kind	   *kind = &kinds[client_random(client, (uint64_t) nkinds)];
		Expected	expected;
		PGresult   *result;

		truth_expect(kind, &expected);
		result = client_query(client, kind->read);
		if (result == NULL)
			client_recover(client);
		for (int row = 0; result != NULL && row < PQntuples(result); row++)
			check(kind, atoi(PQgetvalue(result, row, 0)), &expected,
				  PQgetisnull(result, row, 1) ? NO_VALUE : strtoll(PQgetvalue(result, row, 1), NULL, 10));
		PQclear(result);
		client_pause(0.002);
	}
	client_close(client);
}

void *
reader_a_main(void *arg)
{
	read_forever(arg, truth_check_a);
	return NULL;
}

void *
reader_b_main(void *arg)
{
	read_forever(arg, truth_check_b);
	return NULL;
}
