/*-------------------------------------------------------------------------
 *
 * release.c
 *	  How long it takes until all of many waiting sessions have their answer.
 *
 * usage: release CONNINFO SESSIONS BEFORE FIRST WAITING READY RELEASE
 *
 * Opens so many connections and one more, which sends BEFORE.  The first session sends FIRST, and
 * once READY gives 1 in the additional one, the others send WAITING; once READY
 * gives their number and the first, the additional one sends RELEASE.  Prints the
 * milliseconds from then until half of, and all, have answered.  Any error ends
 * it with status 1.
 *
 *-------------------------------------------------------------------------
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_US 20000

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}

static void
fail(const PGconn *conn)
{
	fprintf(stderr, "release: %s\n", PQerrorMessage(conn));
	exit(1);
}

static PGconn *
connect_to(const char *conninfo)
{
	PGconn	   *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		fail(conn);
	return conn;
}

static void
send_query(PGconn *conn, const char *query)
{
	if (!PQsendQuery(conn, query))
		fail(conn);
}

static void
run(PGconn *conn, const char *query)
{
	PGresult   *result = PQexec(conn, query);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail(conn);
	PQclear(result);
}

/* Wait until a query gives a number. */
static void
wait_for(PGconn *conn, const char *query, int wanted)
{
	for (;;)
	{
		PGresult   *result = PQexec(conn, query);
		int			got;

		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fail(conn);
		got = atoi(PQgetvalue(result, 0, 0));
		PQclear(result);
		if (got == wanted)
			return;
		usleep(POLL_US);
	}
}

/* Take what has arrived; whether the answer is complete. */
static int
take(PGconn *conn)
{
	PGresult   *result;

	if (!PQconsumeInput(conn))
		fail(conn);
	while (!PQisBusy(conn))
	{
		result = PQgetResult(conn);
		if (result == NULL)
			return 1;
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fail(conn);
		PQclear(result);
	}
	return 0;
}

/* Wait for all answers; prints when half and all were there. */
static void
collect(PGconn **conns, int count, double began)
{
	struct pollfd *fds = calloc((size_t) count, sizeof(*fds));
	int			left = count;
	double		half = 0;

	for (int i = 0; i < count; i++)
	{
		fds[i].fd = PQsocket(conns[i]);
		fds[i].events = POLLIN;
	}
	while (left > 0)
	{
		if (poll(fds, (nfds_t) count, -1) < 0)
			exit(1);
		for (int i = 0; i < count; i++)
		{
			if (fds[i].revents == 0 || !take(conns[i]))
				continue;
			fds[i].fd = -1;
			left--;
			if (left == count / 2)
				half = now() - began;
		}
	}
	printf("%.2f %.2f\n", half, now() - began);
	free(fds);
}

int
main(int argc, char **argv)
{
	int			count;
	PGconn	  **conns;
	PGconn	   *control;
	double		began;

	if (argc != 8 || (count = atoi(argv[2])) < 2)
	{
		fprintf(stderr, "usage: release CONNINFO SESSIONS BEFORE FIRST WAITING READY RELEASE\n");
		return 2;
	}
	control = connect_to(argv[1]);
	conns = calloc((size_t) count, sizeof(PGconn *));
	for (int i = 0; i < count; i++)
		conns[i] = connect_to(argv[1]);
	run(control, argv[3]);
	send_query(conns[0], argv[4]);
	wait_for(control, argv[6], 1);
	for (int i = 1; i < count; i++)
		send_query(conns[i], argv[5]);
	wait_for(control, argv[6], count);
	began = now();
	send_query(control, argv[7]);
	collect(conns, count, began);
	/* connections stay open until all have answered */
	for (int i = 0; i < count; i++)
		PQfinish(conns[i]);
	PQfinish(control);
	free(conns);
	return 0;
}
