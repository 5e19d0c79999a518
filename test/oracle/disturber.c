/*-------------------------------------------------------------------------
 *
 * disturber.c
 *	  What disturbs readers and writers: cancels, terminations, DDL, clearing,
 *	  namespaces that come and go, and too little memory.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define COLUMNS_MAX 700			/* dropped columns stay in a table's count of
								 * 1600 */

static Client *victims = NULL;
static int	nvictims = 0;

void
disturber_set_victims(Client *clients, int count)
{
	victims = clients;
	nvictims = count;
}

static Client *
choose_victim(Client *client)
{
	return &victims[client_random(client, (uint64_t) nvictims)];
}

static void
cancel_one(Client *client)
{
	Client	   *victim = choose_victim(client);
	char		message[256];

	pthread_mutex_lock(&victim->lock);
	if (victim->cancel != NULL)
		(void) PQcancel(victim->cancel, message, sizeof(message));
	pthread_mutex_unlock(&victim->lock);
}

static void
terminate_one(Client *client)
{
	Client	   *victim = choose_victim(client);
	char		sql[100];
	int			pid;

	pthread_mutex_lock(&victim->lock);
	pid = victim->pid;
	pthread_mutex_unlock(&victim->lock);
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)", pid);
	if (pid != 0)
		(void) client_run(client, sql);
}

/* Run a function that writes many rows and returns their keys and versions. */
static void
write_many(Client *client, const char *name, const char *sql)
{
	Way		   *way = way_named(name);
	PGresult   *result;

	atomic_fetch_add(&way->begun, 1);
	result = client_query(client, sql);
	for (int i = 0; result != NULL && i < PQntuples(result); i++)
		check_raise(way, atoi(PQgetvalue(result, i, 0)), strtoll(PQgetvalue(result, i, 1), NULL, 10));
	atomic_fetch_add(&way->ended, 1);
	atomic_fetch_add(&tally.commits, result != NULL);
	PQclear(result);
}

static void
reload(Client *client)
{
	write_many(client, "plain", "SELECT * FROM reload_plain()");
}

static void
reattach(Client *client)
{
	write_many(client, "parts", "SELECT * FROM reattach_parts()");
}

/* Replace a function, or all but do so. */
static void
replace_function(Client *client)
{
	Way		   *way = way_named("replaced");
	int			key = 1 + (int) client_random(client, 2);
	char		sql[100];
	PGresult   *result;

	if (client_random(client, 4) == 0)
	{
		snprintf(sql, sizeof(sql), "BEGIN; SELECT write_replaced(%d, %" PRId64 "); ROLLBACK", key, POISON);
		(void) client_run(client, sql);
		return;
	}
	snprintf(sql, sizeof(sql), "SELECT write_replaced(%d, 1)", key);
	result = client_query(client, sql);
	if (result == NULL)
		return;
	check_raise(way, key, strtoll(PQgetvalue(result, 0, 0), NULL, 10));
	atomic_fetch_add(&tally.commits, 1);
	PQclear(result);
}

static void
alter_table(Client *client)
{
	static int	columns = 0;

	if (columns++ < COLUMNS_MAX)
		(void) client_run(client, "ALTER TABLE plain ADD COLUMN more int; ALTER TABLE plain DROP COLUMN more");
	else
		(void) client_run(client, "ALTER TABLE plain SET (fillfactor = 90)");
}

static void
alter_others(Client *client)
{
	switch (client_random(client, 4))
	{
		case 0:
			(void) client_run(client, "CREATE OR REPLACE VIEW shown AS SELECT id, version FROM viewed");
			break;
		case 1:
			(void) client_run(client, "CREATE OR REPLACE FUNCTION version_shown(i int) RETURNS bigint LANGUAGE sql STABLE AS "
							  "'SELECT version FROM shown WHERE id = i'");
			break;
		case 2:
			(void) client_run(client, "CREATE OR REPLACE FUNCTION version_shown(i int) RETURNS bigint LANGUAGE plpgsql STABLE AS "
							  "'BEGIN RETURN (SELECT version FROM viewed WHERE id = i); END'");
			break;
		default:
			(void) client_run(client, "BEGIN; CREATE TABLE passing (i int); DROP TABLE passing; COMMIT");
			break;
	}
}

static void
clear(Client *client)
{
	(void) client_run(client, client_random(client, 4) == 0 ? "SELECT cache_clear()"
					  : "SELECT cache_clear('o')");
}

static void
renew_namespace(Client *client)
{
	(void) client_run(client, "SELECT cache_namespace_drop('x')");
	client_pause((double) client_random(client, 50) / 1e3);
	(void) client_run(client, "SELECT cache_namespace_create('x', ttl => '1 hour')");
}

/* Each with its share of what happens. */
static const struct
{
	int			weight;
	void		(*act) (Client *client);
}			acts[] = {
	{40, cancel_one},
	{6, terminate_one},
	{4, reload},
	{4, reattach},
	{6, replace_function},
	{3, alter_table},
	{3, alter_others},
	{3, clear},
	{3, renew_namespace}
};

static void
disturb(Client *client)
{
	const int	n = sizeof(acts) / sizeof(acts[0]);
	int			sum = 0;
	int			at;

	for (int i = 0; i < n; i++)
		sum += acts[i].weight;
	at = (int) client_random(client, (uint64_t) sum);
	for (int i = 0; i < n; i++)
	{
		at -= acts[i].weight;
		if (at >= 0)
			continue;
		acts[i].act(client);
		atomic_fetch_add(&tally.disturbances, 1);
		return;
	}
}

/* Some ten disturbances per second. */
void *
disturber_main(void *arg)
{
	Client	   *client = arg;

	client_connect(client);
	while (!atomic_load(&stopping))
	{
		disturb(client);
		if (PQstatus(client->conn) != CONNECTION_OK || PQtransactionStatus(client->conn) != PQTRANS_IDLE)
			client_recover(client);
		client_pause((double) client_random(client, 200) / 1e3);
	}
	client_close(client);
	return NULL;
}

/* Values that nobody reads press the others out of memory. */
void *
filler_main(void *arg)
{
	Client	   *client = arg;

	client_connect(client);
	while (!atomic_load(&stopping))
	{
		if (!client_run(client, "SELECT count(cache_set('junk:' || (random() * 1000000)::int, repeat('x', 4000))) "
						"FROM generate_series(1, 50)"))
			client_recover(client);
		client_pause(0.05);
	}
	client_close(client);
	return NULL;
}
