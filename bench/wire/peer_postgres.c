/*-------------------------------------------------------------------------
 *
 * peer_postgres.c
 *	  PostgreSQL through libpq: a prepared statement with the key as $1.
 *
 *-------------------------------------------------------------------------
 */
#include <libpq-fe.h>
#include <string.h>

#include "peer.h"

static void *
open_connection(const char *where, const char *what, int *fd)
{
	PGconn	   *conn = PQconnectdb(where);
	PGresult   *result;

	if (PQstatus(conn) != CONNECTION_OK)
		fail("could not connect: %s", PQerrorMessage(conn));
	result = PQprepare(conn, "get", what, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail("could not prepare: %s", PQerrorMessage(conn));
	PQclear(result);
	*fd = PQsocket(conn);
	return conn;
}

static void
send_request(void *connection, const char *key, size_t key_len)
{
	const char *values[1] = {key};

	(void) key_len;
	if (!PQsendQueryPrepared(connection, "get", 1, values, NULL, NULL, 0))
		fail("could not send: %s", PQerrorMessage(connection));
}

static Reply
receive_reply(void *connection, size_t value_len)
{
	PGresult   *result;
	Reply		reply = REPLY_OTHER;

	if (!PQconsumeInput(connection))
		fail("could not receive: %s", PQerrorMessage(connection));
	if (PQisBusy(connection))
		return REPLY_INCOMPLETE;
	while ((result = PQgetResult(connection)) != NULL)
	{
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fail("query failed: %s", PQresultErrorMessage(result));
		if (PQntuples(result) == 1 && (size_t) PQgetlength(result, 0, 0) == value_len)
			reply = REPLY_HIT;
		PQclear(result);
	}
	return reply;
}

static void
close_connection(void *connection)
{
	PQfinish(connection);
}

const Peer	postgres_peer = {"postgres", open_connection, send_request, receive_reply, close_connection};
