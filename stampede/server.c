/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The connection for statements that are waited for, and what the program
 *	  makes in the database and removes from it.
 *
 * The source is a PL/pgSQL function that counts itself in the cache: a loader
 * that wrote to a table would make its result unfit for keeping, cache_incr
 * takes effect at once and needs no transaction id.  Whether it is dead is such
 * a counter, too, and read by adding 0: a cache_get would make the loaded value
 * depend on the flag.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stampede.h"

#define APPLICATION "cachepg-stampede"
#define CLOCK_TRIES 7

Server		server;

static PGconn *conn = NULL;

/* Run a statement; fails unless it gives what is expected of it. */
static PGresult *
query(const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail("%s", PQerrorMessage(conn));
	return result;
}

void
server_run(const char *sql)
{
	PQclear(query(sql));
}

static int
query_int(const char *sql)
{
	PGresult   *result = query(sql);
	int			value = (int) strtol(PQgetvalue(result, 0, 0), NULL, 10);

	PQclear(result);
	return value;
}

/* Begin to connect, as all of ours do; the caller waits for it. */
PGconn *
server_start_connection(void)
{
	const char *const names[] = {"dbname", "application_name", NULL};
	const char *const values[] = {options.conninfo, APPLICATION, NULL};
	PGconn	   *started = PQconnectStartParams(names, values, 1);

	if (started == NULL)
		fail("out of memory");
	return started;
}

PGconn *
server_connect_now(void)
{
	const char *const names[] = {"dbname", "application_name", NULL};
	const char *const values[] = {options.conninfo, APPLICATION, NULL};

	return PQconnectdbParams(names, values, 1);
}

/* The smallest of some round trips tells best how far the clocks are apart. */
static void
compare_clocks(void)
{
	int64_t		best = NEVER;

	for (int i = 0; i < CLOCK_TRIES; i++)
	{
		int64_t		before = now_ns();
		PGresult   *result = query("SELECT extract(epoch FROM clock_timestamp())::float8");
		int64_t		after = now_ns();

		if (after - before < best)
		{
			best = after - before;
			server.clock_offset = strtod(PQgetvalue(result, 0, 0), NULL) -
				((double) before + 0.5 * (double) best) / (double) SECOND;
		}
		PQclear(result);
	}
}

/* An instant of ours in the server's clock, in seconds. */
double
server_time(int64_t instant)
{
	return (double) instant / (double) SECOND + server.clock_offset;
}

static void
read_extension(void)
{
	PGresult   *result = query("SELECT extversion FROM pg_extension WHERE extname = 'cachepg'");

	if (PQntuples(result) == 0)
		fail("database \"%s\" lacks the extension: CREATE EXTENSION cachepg", PQdb(conn));
	snprintf(server.extension, sizeof(server.extension), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	server.guards = query_int("SELECT count(*) FROM pg_proc "
							  "WHERE proname = 'cache_fetch' AND 'beta' = ANY (proargnames)") > 0;
}

/* Connect and look around. */
void
server_connect(void)
{
	conn = server_connect_now();
	if (PQstatus(conn) != CONNECTION_OK)
		fail("%s", PQerrorMessage(conn));
	server_run("SET client_min_messages = error");
	snprintf(server.version, sizeof(server.version), "%s", PQparameterStatus(conn, "server_version"));
	read_extension();
	server.max_connections = query_int("SELECT current_setting('max_connections')");
	/* others' sessions have no backend_type for who may not see it */
	server.free_connections = query_int(
										"SELECT current_setting('max_connections')::int"
										" - current_setting('superuser_reserved_connections')::int"
										" - coalesce(current_setting('reserved_connections', true)::int, 0)"
										" - count(*) FROM pg_stat_activity"
										" WHERE coalesce(backend_type, 'client backend') = 'client backend'");
	compare_clocks();
}

static void
create_source(void)
{
	char		sql[2000];

	snprintf(sql, sizeof(sql),
			 "CREATE FUNCTION " SOURCE " RETURNS jsonb LANGUAGE plpgsql AS $$\n"
			 "DECLARE\n"
			 "	began timestamptz := clock_timestamp();\n"
			 "	number bigint := cache_incr('" METER ":started');\n"
			 "BEGIN\n"
			 "	WHILE cache_incr('" METER ":dead', 0) > 0 LOOP\n"
			 "		%s\n"
			 "	END LOOP;\n"
			 "	PERFORM pg_sleep(%" PRId64 " / 1000.0);\n"
			 "	PERFORM cache_incr('" METER ":finished');\n"
			 "	RETURN jsonb_build_object('number', number, 'at', extract(epoch FROM clock_timestamp()));\n"
			 "EXCEPTION WHEN query_canceled THEN\n"
			 "	PERFORM cache_incr('" METER ":cancelled');\n"
			 "	RAISE;\n"
			 "END $$",
			 options.death_by_error ?
			 "PERFORM cache_incr('" METER ":finished');\n"
			 "		RAISE EXCEPTION USING ERRCODE = '08006', MESSAGE = 'the source is dead';" :
			 "PERFORM pg_sleep(0.01);",
			 options.source_ms);
	server_run(sql);
}

/* The meters are there before they are needed: to make one takes longer. */
static void
create_meters(void)
{
	server_run("SELECT cache_namespace_create('" METER "', ttl => '1 day', consistency => 'ttl')");
	server_run("SELECT cache_incr('" METER ":' || name, 0) "
			   "FROM unnest('{started,finished,cancelled,dead}'::text[]) name");
}

/* Make the source and its meters; from here on there is something to remove. */
void
server_prepare_source(void)
{
	if (query_int("SELECT count(*) FROM pg_namespace WHERE nspname = '" SCHEMA "'") > 0)
		fail("schema " SCHEMA " is there already: of another run, or of one that was killed (then "
			 "use --cleanup)");
	server_run("CREATE SCHEMA " SCHEMA);
	atexit(server_remove_all);
	create_meters();
	create_source();
}

void
server_create_namespace(const Mode *mode)
{
	char		sql[1000];

	if (!mode->cached)
		return;
	mode_namespace_sql(mode, sql, sizeof(sql));
	server_run(sql);
}

/* Run a statement of the removal; the others follow whatever comes of it. */
static void
try_run(const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fprintf(stderr, "cachepg-stampede: could not clean up: %s", PQerrorMessage(conn));
	PQclear(result);
}

/*
 * Remove what was made.  Sessions first: those in a dead source would sleep on,
 * though their client is gone.
 */
void
server_remove_all(void)
{
	if (PQstatus(conn) != CONNECTION_OK)
		PQreset(conn);
	try_run("SET client_min_messages = error");
	try_run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
			"WHERE application_name = '" APPLICATION "' AND datname = current_database() "
			"AND usename = current_user AND pid <> pg_backend_pid()");
	try_run("DROP SCHEMA IF EXISTS " SCHEMA " CASCADE");
	try_run("SELECT count(cache_namespace_drop(name)) FROM "
			"(SELECT name FROM cache_namespaces WHERE starts_with(name, '" NAMESPACE "') OFFSET 0) n");
	PQfinish(conn);
	conn = NULL;
}
