/*-------------------------------------------------------------------------
 *
 * writer.c
 *	  Writers: transactions of all kinds that raise versions.
 *
 * A version counts as acknowledged when COMMIT has returned.  If it failed, or
 * the connection was lost, nobody knows; then it does not count.  What will be
 * rolled back has versions from POISON on.
 *
 * Inside its transaction a writer must see its own write through the cache, a
 * poisonous one too; that is the moment at which it could leak.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define WRITES_MAX 2			/* of one transaction */

typedef struct Written
{
	Way		   *way;
	int			key;
	int64_t		version;
} Written;

typedef struct Writer
{
	Client	   *client;
	Client		other;			/* ends what is prepared */
	int			serial;			/* of prepared transactions */
	int			count;
	Written		written[WRITES_MAX];
} Writer;

static Way *
choose_way(Client *client)
{
	int			sum = 0;
	int			at;

	for (int i = 0; i < nways; i++)
		sum += ways[i].weight;
	at = (int) client_random(client, (uint64_t) sum);
	for (int i = 0; i < nways; i++)
	{
		at -= ways[i].weight;
		if (at < 0)
			return &ways[i];
	}
	return &ways[0];
}

/* Choose what to write, in one order for all, so that few deadlock. */
static void
choose_writes(Writer *writer)
{
	writer->count = client_random(writer->client, 8) == 0 ? 2 : 1;
	for (int i = 0; i < writer->count; i++)
	{
		writer->written[i].way = choose_way(writer->client);
		writer->written[i].key = 1 + (int) client_random(writer->client,
														 (uint64_t) writer->written[i].way->keys);
	}
	if (writer->count == 2 && writer->written[1].way < writer->written[0].way)
	{
		Written		first = writer->written[1];

		writer->written[1] = writer->written[0];
		writer->written[0] = first;
	}
}

/* Write one key; false after an error, or if the row was gone. */
static bool
write_key(Client *client, Written *written, int64_t step)
{
	char		sql[200];
	PGresult   *result;

	snprintf(sql, sizeof(sql), "SELECT write_%s(%d, %" PRId64 ")", written->way->name,
			 written->key, step);
	result = client_query(client, sql);
	if (result == NULL)
		return false;
	written->version = PQgetisnull(result, 0, 0) ? NO_VALUE : strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return written->version != NO_VALUE;
}

static bool
write_keys(Writer *writer, int64_t step)
{
	for (int i = 0; i < writer->count; i++)
	{
		if (!write_key(writer->client, &writer->written[i], step))
			return false;
	}
	return true;
}

/* Read a key within the own transaction. */
static bool
read_own(Client *client, const Written *written, int64_t *value, const char **by)
{
	int			n = 0;
	char		sql[1024];
	PGresult   *result;

	while (n < READS_MAX && written->way->read[n] != NULL)
		n++;
	*by = written->way->read[client_random(client, (uint64_t) n)];
	snprintf(sql, sizeof(sql), "SELECT %s FROM (VALUES (%d)) v(i)", *by, written->key);
	result = client_query(client, sql);
	if (result == NULL)
		return false;
	*value = PQgetisnull(result, 0, 0) ? NO_VALUE : strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return true;
}

/* Now and then: the own transaction sees its last write through the cache. */
static bool
check_own(Writer *writer)
{
	const Written *last = &writer->written[writer->count - 1];
	const char *by;
	int64_t		value;

	if (client_random(writer->client, 3) != 0)
		return true;
	if (!read_own(writer->client, last, &value, &by))
		return false;
	atomic_fetch_add(&tally.reads, 1);
	if (value != last->version)
		check_violation(VIOLATION_OWN, last->way, last->key, by, last->version, value);
	return true;
}

static void
acknowledge(Writer *writer)
{
	for (int i = 0; i < writer->count; i++)
		check_raise(writer->written[i].way, writer->written[i].key, writer->written[i].version);
	atomic_fetch_add(&tally.commits, 1);
}

static bool
commit_simply(Writer *writer)
{
	writer->count = 1;
	if (!write_keys(writer, 1))
		return false;
	acknowledge(writer);
	return true;
}

static bool
commit(Writer *writer)
{
	/* a COMMIT that is answered by ROLLBACK would have failed before */
	if (!client_run(writer->client, "COMMIT"))
		return false;
	acknowledge(writer);
	return true;
}

static bool
commit_block(Writer *writer)
{
	return client_run(writer->client, "BEGIN") && write_keys(writer, 1) &&
		check_own(writer) && commit(writer);
}

static bool
roll_back(Writer *writer)
{
	if (!client_run(writer->client, "BEGIN") || !write_keys(writer, POISON) ||
		!check_own(writer) || !client_run(writer->client, "ROLLBACK"))
		return false;
	atomic_fetch_add(&tally.rollbacks, 1);
	return true;
}

/*
 * A transaction without a transaction id, which could publish what it loads:
 * poison, or an absence, that is in the cache only, and not for long.
 */
static bool
roll_back_cache_only(Writer *writer)
{
	Written    *only = &writer->written[0];
	bool		poison = client_random(writer->client, 2) == 0;
	const char *by;
	int64_t		value;
	char		sql[200];

	only->way = way_named("stamped");
	only->key = 1 + (int) client_random(writer->client, (uint64_t) only->way->keys);
	only->version = poison ? POISON : NO_VALUE;
	if (poison)
		snprintf(sql, sizeof(sql), "BEGIN; SELECT cache_set('o:stamped:%d', %" PRId64 "::bigint)",
				 only->key, POISON);
	else
		snprintf(sql, sizeof(sql), "BEGIN; SELECT cache_invalidate('o:stamped:%d')", only->key);
	if (!client_run(writer->client, sql) || !read_own(writer->client, only, &value, &by))
		return false;
	if (value != only->version)
		check_violation(VIOLATION_OWN, only->way, only->key, by, only->version, value);
	if (!client_run(writer->client, "ROLLBACK"))
		return false;
	atomic_fetch_add(&tally.rollbacks, 1);
	return true;
}

/* Poison that is rolled back to a savepoint, then a write that stays. */
static bool
use_savepoints(Writer *writer)
{
	const Written *last = &writer->written[writer->count - 1];
	int64_t		floor = atomic_load(&last->way->floor[last->key]);
	const char *by;
	int64_t		value;

	if (!client_run(writer->client, "BEGIN; SAVEPOINT a") || !write_keys(writer, POISON) ||
		!check_own(writer) || !client_run(writer->client, "ROLLBACK TO a"))
		return false;
	if (!read_own(writer->client, last, &value, &by))
		return false;

	/*
	 * no row for a moment means that another reloads the table: not now, we
	 * hold a lock
	 */
	check_value(last->way, last->key, by, floor, value, false);
	if (!client_run(writer->client, "SAVEPOINT b") || !write_keys(writer, 1) ||
		!check_own(writer) || !client_run(writer->client, "RELEASE b") || !check_own(writer))
		return false;
	atomic_fetch_add(&tally.savepoints, 1);
	return commit(writer);
}

/* End a prepared transaction from the other connection; false if unknown. */
static bool
end_prepared(Writer *writer, const char *verb, const char *gid)
{
	char		sql[100];
	PGresult   *result;
	bool		done;

	snprintf(sql, sizeof(sql), "%s PREPARED '%s'", verb, gid);
	if (writer->other.conn == NULL)
		client_connect(&writer->other);
	result = PQexec(writer->other.conn, sql);
	done = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return done;
}

static bool
prepare(Writer *writer)
{
	bool		commits = client_random(writer->client, 3) != 0;
	char		gid[40];
	char		sql[100];

	snprintf(gid, sizeof(gid), "oracle_%d_%d", writer->client->pid, writer->serial++);
	snprintf(sql, sizeof(sql), "PREPARE TRANSACTION '%s'", gid);
	if (!client_run(writer->client, "BEGIN") || !write_keys(writer, commits ? 1 : POISON) ||
		!check_own(writer))
		return false;
	if (!client_run(writer->client, sql))
	{
		/* it may be prepared nevertheless */
		(void) end_prepared(writer, "ROLLBACK", gid);
		return false;
	}
	client_pause((double) client_random(writer->client, 3000) / 1e6);
	if (!end_prepared(writer, commits ? "COMMIT" : "ROLLBACK", gid))
		fail("could not end a prepared transaction: %s", PQerrorMessage(writer->other.conn));
	atomic_fetch_add(&tally.prepared, 1);
	if (commits)
		acknowledge(writer);
	return true;
}

static bool
write_something(Writer *writer)
{
	uint64_t	kind = client_random(writer->client, 100);

	choose_writes(writer);
	if (kind < 15)
		return commit_simply(writer);
	if (kind < 18)
		return roll_back_cache_only(writer);
	if (kind < 23)
		return roll_back(writer);
	if (kind < 31)
		return use_savepoints(writer);
	if (kind < 34)
		return prepare(writer);
	return commit_block(writer);
}

void *
writer_main(void *arg)
{
	Writer		writer = {.client = arg};
	double		next = client_now();

	client_init(&writer.other, 1000 + client_random(writer.client, 1000));
	client_connect(writer.client);
	while (!atomic_load(&stopping))
	{
		if (!write_something(&writer))
			client_recover(writer.client);
		next += (double) options.writers / options.rate;
		if (next < client_now() - 1)
			next = client_now() - 1;	/* do not catch up with more */
		client_pause(next - client_now());
	}
	client_close(writer.client);
	if (writer.other.conn != NULL)
		client_close(&writer.other);
	return NULL;
}

/* Roll back what a lost connection left prepared. */
void
writer_finish_prepared(Client *client)
{
	PGresult   *result = client_query(client, "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts "
									  "WHERE gid LIKE 'oracle%'");

	for (int i = 0; result != NULL && i < PQntuples(result); i++)
		(void) client_run(client, PQgetvalue(result, i, 0));
	PQclear(result);
}
