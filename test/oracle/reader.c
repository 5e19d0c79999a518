/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  Readers: each statement reads all keys of a way.
 *
 * A plain read is compared with the floors that were known before it was sent.
 * A comparing read also gets each version from the table, and then from the
 * cache: the statement's snapshot was taken before the cache was asked, so what
 * it shows was visible then.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define STATEMENTS_MAX 128

/* Prepared statements of one connection. */
typedef struct Reader
{
	Client	   *client;
	int			pid;			/* to which "prepared" applies */
	bool		prepared[STATEMENTS_MAX];
} Reader;

typedef struct Choice
{
	Way		   *way;
	int			read;
	bool		compares;
} Choice;

static int
reads_of(const Way *way)
{
	int			n = 0;

	while (n < READS_MAX && way->read[n] != NULL)
		n++;
	return n;
}

static Choice
choose(Client *client)
{
	Choice		choice;

	choice.way = &ways[client_random(client, (uint64_t) nways)];
	choice.read = (int) client_random(client, (uint64_t) reads_of(choice.way));
	choice.compares = choice.way->table != NULL && client_random(client, 4) == 0;
	return choice;
}

static void
write_statement(const Choice *choice, char *sql, size_t size)
{
	const Way  *way = choice->way;

	if (choice->compares)
		snprintf(sql, size,
				 "SELECT i, v, %s FROM (SELECT id AS i, version AS v FROM %s OFFSET 0) d",
				 way->read[choice->read], way->table);
	else
		snprintf(sql, size, "SELECT i, NULL::bigint, %s FROM generate_series(1, %d) i",
				 way->read[choice->read], way->keys);
}

/* The result, in binary form: key, version in the table, version read. */
static PGresult *
run_choice(Reader *reader, const Choice *choice)
{
	int			number = ((int) (choice->way - ways) * READS_MAX + choice->read) * 2 + choice->compares;
	char		name[32];
	char		sql[1024];
	PGconn	   *conn = reader->client->conn;
	PGresult   *result;

	if (number >= STATEMENTS_MAX)
		fail("too many statements");
	snprintf(name, sizeof(name), "read_%d", number);
	if (reader->pid != reader->client->pid)
	{
		memset(reader->prepared, 0, sizeof(reader->prepared));
		reader->pid = reader->client->pid;
	}
	if (!reader->prepared[number])
	{
		write_statement(choice, sql, sizeof(sql));
		result = PQprepare(conn, name, sql, 0, NULL);
		if (!client_is_good(result))
			return NULL;
		PQclear(result);
		reader->prepared[number] = true;
	}
	result = PQexecPrepared(conn, name, 0, NULL, NULL, NULL, 1);
	return client_is_good(result) ? result : NULL;
}

static int
key_of(const PGresult *result, int row)
{
	const unsigned char *at = (const unsigned char *) PQgetvalue(result, row, 0);

	return at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

/* Read all keys of a way once and check them; false after an error. */
static bool
read_way(Reader *reader, const Choice *choice)
{
	Way		   *way = choice->way;
	int64_t		floors[KEYS_MAX + 1];
	int64_t		ended = atomic_load(&way->ended);
	int64_t		begun = atomic_load(&way->begun);
	PGresult   *result;
	bool		excused;

	check_floors(way, floors);
	result = run_choice(reader, choice);
	if (result == NULL)
		return false;
	excused = begun != ended || begun != atomic_load(&way->begun);
	for (int row = 0; row < PQntuples(result); row++)
	{
		int			key = key_of(result, row);
		int64_t		direct = result_int8(result, row, 1);
		int64_t		floor = floors[key];

		if (direct != NO_VALUE)
		{
			check_value(way, key, "table", floor, direct, false);
			floor = direct > floor ? direct : floor;
		}
		check_value(way, key, way->read[choice->read], floor, result_int8(result, row, 2), excused);
	}
	PQclear(result);
	return true;
}

/* A few reads in one transaction, perhaps with a snapshot for all of them. */
static bool
read_in_transaction(Reader *reader)
{
	bool		snapshot = client_random(reader->client, 4) == 0;
	Choice		choice = choose(reader->client);

	if (!client_run(reader->client, snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN"))
		return false;
	for (int i = snapshot ? 3 : 0; i < 4; i++)
	{
		if (!read_way(reader, &choice))
			return false;
		choice = choose(reader->client);
	}
	return client_run(reader->client, "COMMIT");
}

void *
reader_main(void *arg)
{
	Reader		reader = {.client = arg};

	client_connect(reader.client);
	while (!atomic_load(&stopping))
	{
		Choice		choice = choose(reader.client);
		bool		done;

		if (client_random(reader.client, 20) == 0)
			done = read_in_transaction(&reader);
		else
			done = read_way(&reader, &choice);
		if (!done)
			client_recover(reader.client);
	}
	client_close(reader.client);
	return NULL;
}

/*
 * At rest: what a read of all keys returns is what the table says.  Returns how
 * many keys were not in the cache and cannot be: nobody loads them.
 */
static int
final_read(Reader *reader, Way *way, int read)
{
	Choice		choice = {way, read, way->table != NULL};
	PGresult   *result = run_choice(reader, &choice);
	int			absent = 0;

	if (result == NULL)
		fail("could not read at the end: %s", PQerrorMessage(reader->client->conn));
	if (PQntuples(result) != way->keys)
		check_violation(VIOLATION_FINAL, way, 0, "number of rows", way->keys, PQntuples(result));
	for (int row = 0; row < PQntuples(result); row++)
	{
		int			key = key_of(result, row);
		int64_t		floor = atomic_load(&way->floor[key]);
		int64_t		direct = choice.compares ? result_int8(result, row, 1) : floor;
		int64_t		value = result_int8(result, row, 2);

		if (direct < floor || direct >= POISON)
			check_violation(VIOLATION_FINAL, way, key, "table", floor, direct);
		if (value != direct && !(way->may_be_absent && value == NO_VALUE))
			check_violation(VIOLATION_FINAL, way, key, way->read[read], direct, value);
		if (value == NO_VALUE)
			absent++;
		else
			atomic_fetch_add(&tally.reads, 1);
	}
	PQclear(result);
	return strstr(way->read[read], "cache_fetch") == NULL ? absent : 0;
}

/* Compare all keys in all ways of reading with the tables, nothing else running.  Returns as above. */
int
reader_final(Client *client)
{
	Reader		reader = {.client = client};
	int			absent = 0;

	(void) client_run(client, "DEALLOCATE ALL");
	for (int i = 0; i < nways; i++)
	{
		for (int read = 0; read < reads_of(&ways[i]); read++)
			absent += final_read(&reader, &ways[i], read);
	}
	return absent;
}
