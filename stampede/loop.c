/*-------------------------------------------------------------------------
 *
 * loop.c
 *	  The event loop: sends bursts and steady traffic, takes the answers, and
 *	  gives the monitor its turns.
 *
 * A client has at most one request under way.  A request of the traffic is due
 * at its turn, whether a client is idle or not: what it waits for one counts,
 * else a stampede would slow down the very traffic that is to show it.  A burst
 * is due for all clients at one instant; who is busy then sends as soon as he
 * has his answer, and his latency counts from the instant, too.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "stampede.h"

#define EVENTS_MAX		256
#define NO_ANSWER		(120 * SECOND)

int			poll_fd = -1;

static int	timer_fd = -1;
static int64_t timer_at = NEVER;

static Run *run = NULL;
static bool traffic = false;
static int64_t next_request = NEVER;	/* of the traffic */
static int64_t first_request;
static int64_t nrequested;
static int	next_client = 0;
static int	under_way = 0;
static int	bursts_under_way = 0;	/* requests of bursts, waiting ones too */
static int	idle = 0;			/* clients */
static char argument[32];		/* of a first statement that takes one */

/* End the program if a signal has asked for it. */
void
loop_check_signals(void)
{
	if (interrupted == 0)
		return;
	fprintf(stderr, "cachepg-stampede: stopped by a signal, cleaning up\n");
	exit(128 + interrupted);
}

void
loop_open(void)
{
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (poll_fd < 0 || timer_fd < 0)
		fail("could not create an event queue: %s", strerror(errno));
	loop_watch(timer_fd, EPOLLIN, NULL);
}

/* Wait for these events of a socket, and no others, from now on. */
void
loop_watch(int fd, uint32_t events, void *owner)
{
	struct epoll_event event = {.events = events,.data.ptr = owner};

	if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return;
	/* a new one, or libpq tries another address with a new socket */
	if (errno != ENOENT || epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("could not watch a connection: %s", strerror(errno));
}

/* What statements with a parameter get in a first step. */
void
loop_argument(double value)
{
	snprintf(argument, sizeof(argument), "%.6f", value);
}

/* ---------------------------------------------------------------------
 * Requests
 * ---------------------------------------------------------------------
 */

static void begin_request(Client *client, int64_t due, Phase phase);

static void
finish_request(Client *client, bool failed)
{
	Request    *request = &run->requests[client->request];

	request->finished = now_ns();
	request->failed = failed;
	if (failed && run->first_error[0] == '\0')
		snprintf(run->first_error, sizeof(run->first_error), "%.*s",
				 (int) strcspn(PQerrorMessage(client->conn), "\n"), PQerrorMessage(client->conn));
	PQclear(client->found);
	client->found = NULL;
	under_way--;
	if (request->phase != PHASE_TRAFFIC)
		bursts_under_way--;
	if (PQstatus(client->conn) != CONNECTION_OK)
	{
		client->state = CLIENT_LOST;
		return;
	}
	client->state = CLIENT_IDLE;
	idle++;
	if (client->waiting_due != 0)
	{
		int64_t		due = client->waiting_due;

		client->waiting_due = 0;
		bursts_under_way--;
		begin_request(client, due, client->waiting_phase);
	}
}

static void
send_step(Client *client)
{
	const Step *step = &run->mode->steps[client->step];
	const char *values[1];
	int			sent;

	values[0] = client->found != NULL ? PQgetvalue(client->found, 0, 0) : argument;
	sent = PQsendQueryPrepared(client->conn, step->statement, step->parameter ? 1 : 0, values,
							   NULL, NULL, 0);
	if (!sent)
		finish_request(client, true);
}

static void
begin_request(Client *client, int64_t due, Phase phase)
{
	Request		request = {.due = due,.sent = now_ns(),.phase = phase};

	request.client = (int) (client - clients);
	client->request = run_add_request(run, &request);
	client->step = 0;
	client->state = CLIENT_BUSY;
	idle--;
	under_way++;
	if (phase != PHASE_TRAFFIC)
		bursts_under_way++;
	send_step(client);
}

/* When the source began to make the value that a statement gave, 0 if unknown. */
static double
made_at(const PGresult *result)
{
	const char *at;

	if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0))
		return 0;
	at = strstr(PQgetvalue(result, 0, 0), "\"at\": ");
	return at == NULL ? 0 : strtod(at + strlen("\"at\": "), NULL);
}

/* A statement gave client->found: the next one, or the request is done. */
static void
advance(Client *client)
{
	const Mode *mode = run->mode;
	PGresult   *found = client->found;
	bool		nothing;

	if (PQresultStatus(found) != PGRES_TUPLES_OK || PQntuples(found) != 1)
	{
		finish_request(client, true);
		return;
	}
	if (made_at(found) != 0)
		run->requests[client->request].made_at = made_at(found);
	nothing = PQgetisnull(found, 0, 0);
	if (client->step + 1 < STEPS_MAX && mode->steps[client->step + 1].statement != NULL &&
		(client->step > 0 || nothing))
	{
		client->step++;
		send_step(client);
	}
	else
		finish_request(client, false);
}

/* Take what a busy client's connection has. */
static void
receive(Client *client)
{
	if (!PQconsumeInput(client->conn))
	{
		finish_request(client, true);
		return;
	}
	while (!PQisBusy(client->conn))
	{
		PGresult   *result = PQgetResult(client->conn);

		if (result == NULL)
		{
			advance(client);
			return;
		}
		PQclear(client->found);
		client->found = result;
	}
}

/* ---------------------------------------------------------------------
 * The loop
 * ---------------------------------------------------------------------
 */

static Client *
pick_client(void)
{
	for (int i = 0; idle > 0 && i < nclients; i++)
	{
		Client	   *client = &clients[next_client];

		next_client = (next_client + 1) % nclients;
		if (client->state == CLIENT_IDLE)
			return client;
	}
	return NULL;
}

static void
send_traffic(int64_t now)
{
	Client	   *client;

	while (traffic && next_request <= now && (client = pick_client()) != NULL)
	{
		begin_request(client, next_request, PHASE_TRAFFIC);
		nrequested++;
		next_request = first_request + nrequested * SECOND / options.rate;
	}
}

static void
set_timer(int64_t at)
{
	struct itimerspec when = {.it_value.tv_sec = at / SECOND,.it_value.tv_nsec = at % SECOND};

	if (at == timer_at)
		return;
	timer_at = at;
	timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
dispatch(const struct epoll_event *event)
{
	Client	   *client = event->data.ptr;

	if (client == NULL)
		timer_at = NEVER;		/* it stays readable until it is set again */
	else if (client == &monitor)
		monitor_receive();
	else if (client->state == CLIENT_BUSY)
		receive(client);
	else if (!PQconsumeInput(client->conn))
	{
		if (client->state == CLIENT_IDLE)
			idle--;
		client->state = CLIENT_LOST;
		epoll_ctl(poll_fd, EPOLL_CTL_DEL, PQsocket(client->conn), NULL);
	}
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Do what is due, then wait for events, until the instant at most. */
static void
turn(int64_t until)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t		now = now_ns();
	int			n;

	loop_check_signals();
	monitor_turn(now);
	send_traffic(now);
	set_timer(earlier(earlier(until, monitor_next()), idle > 0 ? next_request : NEVER));
	n = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
	if (n < 0 && errno != EINTR)
		fail("could not wait for events: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		dispatch(&events[i]);
}

void
loop_until(int64_t instant)
{
	while (now_ns() < instant)
		turn(instant);
}

/* Until nothing that counts is under way. */
static void
wait_for(const int *count)
{
	int64_t		limit = now_ns() + NO_ANSWER + 10 * options.source_ms * MS;

	while (*count > 0)
	{
		turn(limit);
		if (now_ns() >= limit)
			fail("%d requests had no answer for two minutes", *count);
	}
}

void
loop_drain(void)
{
	wait_for(&under_way);
}

void
loop_drain_bursts(void)
{
	wait_for(&bursts_under_way);
}

/* Begin or end the steady traffic. */
void
loop_traffic(bool on)
{
	traffic = on;
	first_request = now_ns();
	nrequested = 0;
	next_request = on ? first_request : NEVER;
}

/* Release all clients; returns the instant. */
int64_t
loop_burst(Phase phase)
{
	int64_t		due = now_ns();

	for (int i = 0; i < nclients; i++)
	{
		Client	   *client = &clients[i];

		if (client->state == CLIENT_IDLE)
			begin_request(client, due, phase);
		else if (client->state == CLIENT_BUSY)
		{
			client->waiting_due = due;
			client->waiting_phase = phase;
			bursts_under_way++;
		}
	}
	return due;
}

/* One client's request, to its end. */
void
loop_one(Phase phase)
{
	Client	   *client = pick_client();

	if (client == NULL)
		fail("all connections were lost");
	begin_request(client, now_ns(), phase);
	loop_drain_bursts();
}

/* All clients are idle before and after a run. */
void
loop_begin(Run *next_run)
{
	run = next_run;
	idle = 0;
	for (int i = 0; i < nclients; i++)
		idle += clients[i].state == CLIENT_IDLE;
	if (idle == 0)
		fail("all connections were lost");
	monitor_begin(run);
}

void
loop_end(void)
{
	loop_traffic(false);
	loop_drain();
	monitor_begin(NULL);
	run = NULL;
}
