/*-------------------------------------------------------------------------
 *
 * clients.c
 *	  Opens and closes the clients' connections.
 *
 * Many at a time, but not all: a server that is to fork a thousand processes at
 * once keeps some of them waiting longer than its authentication_timeout.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "stampede.h"

#define OPENING_MAX		50
#define STATEMENTS_SIZE 4000
#define EVENTS_MAX		64
#define REPORT_EVERY	SECOND

Client	   *clients = NULL;
int			nclients = 0;

/* The statements of all modes: one round trip per client. */
static char statements[STATEMENTS_SIZE];

static void
collect_statements(const Mode *const *wanted, int nwanted)
{
	size_t		len = 0;

	len += (size_t) snprintf(statements, sizeof(statements),
							 "SET client_min_messages = error;"
							 "PREPARE stampede_source AS SELECT " SOURCE ";");
	for (int i = 0; i < nwanted && len < sizeof(statements); i++)
	{
		mode_prepare_sql(wanted[i], statements + len, sizeof(statements) - len);
		len += strlen(statements + len);
	}
}

static void
start_client(Client *client)
{
	client->conn = server_start_connection();
	client->state = CLIENT_CONNECTING;
	if (PQstatus(client->conn) == CONNECTION_BAD)
		fail("%s", PQerrorMessage(client->conn));
	loop_watch(PQsocket(client->conn), EPOLLOUT, client);
}

/* A step of establishing a connection. */
static void
go_on_connecting(Client *client)
{
	switch (PQconnectPoll(client->conn))
	{
		case PGRES_POLLING_READING:
			loop_watch(PQsocket(client->conn), EPOLLIN, client);
			break;
		case PGRES_POLLING_WRITING:
			loop_watch(PQsocket(client->conn), EPOLLOUT, client);
			break;
		case PGRES_POLLING_OK:
			loop_watch(PQsocket(client->conn), EPOLLIN, client);
			if (!PQsendQuery(client->conn, statements))
				fail("%s", PQerrorMessage(client->conn));
			client->state = CLIENT_PREPARING;
			break;
		default:
			fail("%s", PQerrorMessage(client->conn));
	}
}

/* Take the answers to the PREPAREs; true if they are all there. */
static bool
go_on_preparing(Client *client)
{
	if (!PQconsumeInput(client->conn))
		fail("%s", PQerrorMessage(client->conn));
	while (!PQisBusy(client->conn))
	{
		PGresult   *result = PQgetResult(client->conn);

		if (result == NULL)
		{
			client->state = CLIENT_IDLE;
			return true;
		}
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			fail("%s", PQerrorMessage(client->conn));
		PQclear(result);
	}
	return false;
}

/* Take what came of the connections being opened; returns how many are ready. */
static int
handle_events(void)
{
	struct epoll_event events[EVENTS_MAX];
	int			ready = 0;
	int			n = epoll_wait(poll_fd, events, EVENTS_MAX, 1000);

	loop_check_signals();
	if (n < 0 && errno != EINTR)
		fail("could not wait for events: %s", strerror(errno));
	for (int i = 0; i < n; i++)
	{
		Client	   *client = events[i].data.ptr;

		if (client == NULL)
			continue;
		if (client->state == CLIENT_CONNECTING)
			go_on_connecting(client);
		else if (client->state == CLIENT_PREPARING && go_on_preparing(client))
			ready++;
	}
	return ready;
}

/* Open the connections, with the statements of these modes prepared. */
void
clients_open(int count, const Mode *const *wanted, int nwanted)
{
	int			ready = 0;
	int64_t		report = now_ns() + REPORT_EVERY;

	collect_statements(wanted, nwanted);
	clients = calloc((size_t) count, sizeof(Client));
	if (clients == NULL)
		fail("out of memory");
	while (ready < count)
	{
		while (nclients < count && nclients - ready < OPENING_MAX)
			start_client(&clients[nclients++]);
		ready += handle_events();
		if (now_ns() > report)
		{
			progress("%d of %d clients are connected", ready, count);
			report += REPORT_EVERY;
		}
	}
	progress("%d clients are connected", count);
}

void
clients_close(void)
{
	for (int i = 0; i < nclients; i++)
	{
		PQclear(clients[i].found);
		PQfinish(clients[i].conn);
	}
	free(clients);
	clients = NULL;
	nclients = 0;
}
