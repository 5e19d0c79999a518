/*-------------------------------------------------------------------------
 *
 * monitor.c
 *	  The connection that reads the source's meters every 10 ms, and on which
 *	  the source is killed and revived while requests are under way.
 *
 * On a machine that is busy with waking a thousand sessions an answer may take
 * longer than 10 ms; the timeline then has a step without a reading.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "stampede.h"

#define METERS \
	"cache_get('" METER ":started', 0::bigint), cache_get('" METER ":finished', 0::bigint), " \
	"cache_get('" METER ":cancelled', 0::bigint)"

Client		monitor;

static Run *run = NULL;
static int64_t next_sample = NEVER;
static const char *command = NULL;	/* to be sent, or under way */
static bool command_sent = false;
static const char *statement = NULL;	/* reads the meters */

/* Wait for a statement, while no requests are under way. */
static void
exec(const char *sql)
{
	PGresult   *result = PQexec(monitor.conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail("%s", PQerrorMessage(monitor.conn));
	PQclear(result);
}

void
monitor_open(bool with_breaker)
{
	monitor.conn = server_connect_now();
	if (PQstatus(monitor.conn) != CONNECTION_OK)
		fail("%s", PQerrorMessage(monitor.conn));
	exec("PREPARE meters AS SELECT " METERS ", 'closed'");
	exec("EXECUTE meters");
	if (with_breaker)
		exec("PREPARE meters_breaker AS SELECT " METERS ", "
			 "(SELECT state FROM cache_breakers WHERE namespace = '" NAMESPACE "breaker')");
	monitor.state = CLIENT_IDLE;
	loop_watch(PQsocket(monitor.conn), EPOLLIN, &monitor);
}

void
monitor_close(void)
{
	PQfinish(monitor.conn);
	monitor.conn = NULL;
}

/* Take samples for a run from now on, or for none. */
void
monitor_begin(Run *next_run)
{
	run = next_run;
	if (run == NULL)
		next_sample = NEVER;
	else
	{
		statement = run->mode->play == play_breaker ? "meters_breaker" : "meters";
		next_sample = now_ns();
	}
}

/* When the monitor wants its next turn. */
int64_t
monitor_next(void)
{
	return monitor.state == CLIENT_IDLE ? next_sample : NEVER;
}

void
monitor_turn(int64_t now)
{
	int			sent;

	if (monitor.state != CLIENT_IDLE)
		return;
	if (command != NULL)
		sent = PQsendQuery(monitor.conn, command);
	else if (next_sample <= now)
		sent = PQsendQueryPrepared(monitor.conn, statement, 0, NULL, NULL, NULL, 0);
	else
		return;
	if (!sent)
		fail("%s", PQerrorMessage(monitor.conn));
	command_sent = command != NULL;
	if (!command_sent)
		next_sample = now + STEP;
	monitor.state = CLIENT_BUSY;
}

static int64_t
meter(const PGresult *result, int column)
{
	return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

static void
take_sample(const PGresult *result)
{
	Sample		sample = {
		.at = now_ns(),.started = meter(result, 0),.finished = meter(result, 1),
		.cancelled = meter(result, 2),.breaker = PQgetvalue(result, 0, 3)[0]
	};

	if (run == NULL)
		return;
	if (run->nsamples > 0 && sample.started < run->samples[run->nsamples - 1].started)
		fail("the meters were evicted from the cache: it is too small for what else is in it");
	if (sample.breaker == '\0')
		sample.breaker = 'c';
	run_add_sample(run, &sample);
}

void
monitor_receive(void)
{
	PGresult   *result;

	if (!PQconsumeInput(monitor.conn))
		fail("%s", PQerrorMessage(monitor.conn));
	while (!PQisBusy(monitor.conn))
	{
		result = PQgetResult(monitor.conn);
		if (result == NULL)
		{
			monitor.state = CLIENT_IDLE;
			if (command_sent)
				command = NULL;
			return;
		}
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fail("%s", PQerrorMessage(monitor.conn));
		if (!command_sent)
			take_sample(result);
		PQclear(result);
	}
}

/* Run a statement while the loop goes on; returns the instant of its answer. */
int64_t
monitor_command(const char *sql)
{
	command = sql;
	while (command != NULL)
		loop_until(now_ns() + MS);
	return now_ns();
}
