/*-------------------------------------------------------------------------
 *
 * client.c
 *	  Connections that may be cancelled and terminated at any moment.
 *
 * Errors are expected; they are counted by SQLSTATE.  A failed statement says
 * nothing: its results are not checked, its commit counts as unknown.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oracle.h"

#define STATES_MAX	64
#define CONNECT_TRIES 200

/*
 * What is to be expected under disturbances: cancelled, terminated, connection
 * lost, server crashed, deadlock, row moved to another partition.
 */
static const char *const expected_states[] = {"57014", "57P01", "08006", "57P02", "40P01", "40001"};

/* Errors by SQLSTATE. */
static pthread_mutex_t errors_lock = PTHREAD_MUTEX_INITIALIZER;
static struct
{
	char		state[6];
	int64_t		count;
	char		message[120];
}			errors[STATES_MAX];
static int	nerrors = 0;

void
fail(const char *format,...)
{
	va_list		args;

	fputs("oracle: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

double
client_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

void
client_pause(double seconds)
{
	struct timespec pause;

	if (seconds <= 0)
		return;
	pause.tv_sec = (time_t) seconds;
	pause.tv_nsec = (long) ((seconds - (double) pause.tv_sec) * 1e9);
	nanosleep(&pause, NULL);
}

/* G. Marsaglia, "Xorshift RNGs", 2003. */
uint64_t
client_random(Client *client, uint64_t below)
{
	client->random ^= client->random << 13;
	client->random ^= client->random >> 7;
	client->random ^= client->random << 17;
	return (client->random >> 11) % below;
}

static void
count_error(const char *state, const char *message)
{
	int			i = 0;

	pthread_mutex_lock(&errors_lock);
	while (i < nerrors && strcmp(errors[i].state, state) != 0)
		i++;
	if (i == nerrors && nerrors < STATES_MAX)
	{
		snprintf(errors[i].state, sizeof(errors[i].state), "%s", state);
		snprintf(errors[i].message, sizeof(errors[i].message), "%.*s",
				 (int) strcspn(message, "\n"), message);
		nerrors++;
	}
	if (i < STATES_MAX)
		errors[i].count++;
	pthread_mutex_unlock(&errors_lock);
}

static bool
is_expected(const char *state)
{
	const int	n = sizeof(expected_states) / sizeof(expected_states[0]);

	for (int i = 0; i < n; i++)
	{
		if (strcmp(state, expected_states[i]) == 0)
			return true;
	}
	return false;
}

/* Number of errors with a SQLSTATE that is not expected. */
int64_t
errors_unexpected(void)
{
	int64_t		total = 0;

	pthread_mutex_lock(&errors_lock);
	for (int i = 0; i < nerrors; i++)
		total += is_expected(errors[i].state) ? 0 : errors[i].count;
	pthread_mutex_unlock(&errors_lock);
	return total;
}

/* Show the errors, each SQLSTATE with the first message. */
void
errors_print(void)
{
	pthread_mutex_lock(&errors_lock);
	for (int i = 0; i < nerrors; i++)
		printf("errors %s%s: %" PRId64 " (first: %s)\n", errors[i].state,
			   is_expected(errors[i].state) ? "" : ", unexpected", errors[i].count, errors[i].message);
	pthread_mutex_unlock(&errors_lock);
}

int64_t
errors_total(void)
{
	int64_t		total = 0;

	pthread_mutex_lock(&errors_lock);
	for (int i = 0; i < nerrors; i++)
		total += errors[i].count;
	pthread_mutex_unlock(&errors_lock);
	return total;
}

void
client_init(Client *client, uint64_t number)
{
	memset(client, 0, sizeof(*client));
	pthread_mutex_init(&client->lock, NULL);
	client->random = (options.seed + number) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

void
client_close(Client *client)
{
	pthread_mutex_lock(&client->lock);
	PQfreeCancel(client->cancel);
	client->cancel = NULL;
	client->pid = 0;
	pthread_mutex_unlock(&client->lock);
	PQfinish(client->conn);
	client->conn = NULL;
}

/* Connect anew, however often it takes. */
void
client_connect(Client *client)
{
	for (int i = 0; i < CONNECT_TRIES; i++)
	{
		PGresult   *result;

		if (client->conn != NULL)
			client_close(client);
		client->conn = PQconnectdb(client->where != NULL ? client->where : options.where);
		if (PQstatus(client->conn) == CONNECTION_OK)
		{
			result = PQexec(client->conn, "SET client_min_messages = error");
			PQclear(result);
			pthread_mutex_lock(&client->lock);
			client->cancel = PQgetCancel(client->conn);
			client->pid = PQbackendPID(client->conn);
			pthread_mutex_unlock(&client->lock);
			return;
		}
		client_pause(0.1);
	}
	fail("could not connect: %s", PQerrorMessage(client->conn));
}

/* After an error: no transaction is open and the connection works. */
void
client_recover(Client *client)
{
	if (PQstatus(client->conn) != CONNECTION_OK)
	{
		client_connect(client);
		return;
	}
	while (PQtransactionStatus(client->conn) != PQTRANS_IDLE)
	{
		/* may be cancelled, too */
		PQclear(PQexec(client->conn, "ROLLBACK"));
		if (PQstatus(client->conn) != CONNECTION_OK)
		{
			client_connect(client);
			return;
		}
	}
}

/* Whether a statement succeeded; if not, its error is counted and freed. */
bool
client_is_good(PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	const char *state;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return true;
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	count_error(state == NULL ? "08006" : state, PQresultErrorMessage(result));
	PQclear(result);
	return false;
}

/* The result of a query in text form, NULL after an error. */
PGresult *
client_query(Client *client, const char *sql)
{
	PGresult   *result = PQexec(client->conn, sql);

	return client_is_good(result) ? result : NULL;
}

/* Run a statement; false after an error. */
bool
client_run(Client *client, const char *sql)
{
	PGresult   *result = client_query(client, sql);

	PQclear(result);
	return result != NULL;
}
