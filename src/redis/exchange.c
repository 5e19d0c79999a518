/*-------------------------------------------------------------------------
 *
 * exchange.c
 *	  Commands out, replies in, over a connection that is there.
 *
 * The socket never blocks.  What can be read is read before anything sleeps;
 * then a set of events waits for socket, latch and the death of the postmaster.
 * Every byte passes the limiter before hiredis' parser sees it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "clock.h"
#include "compat.h"
#include "miscadmin.h"
#include "redis/redis_internal.h"
#include "utils/wait_event.h"

#define CHUNK	16384

static char chunk[CHUNK];
static uint32 connect_event = 0;
static uint32 reply_event = 0;
static bool latch_was_set = false;

/* The events to show; named only from 17 on. */
static uint32
event_of(bool connecting)
{
	if (reply_event == 0)
	{
		connect_event = CPG_WAIT_EVENT_NEW("CachePgRedisConnect");
		reply_event = CPG_WAIT_EVENT_NEW("CachePgRedisReply");
	}
	return connecting ? connect_event : reply_event;
}

/*
 * Wait for the socket.  With look_up the latch ends the wait and stays set;
 * else it is reset, and interrupts are seen to.
 */
CpgWaitResult
cpg_redis_wait(CpgConnection *conn, uint32 events, int64 deadline, bool connecting, bool look_up)
{
	if (conn->events != events)
	{
		ModifyWaitEvent(conn->set, conn->position, events, NULL);
		conn->events = events;
	}
	for (;;)
	{
		WaitEvent	event;
		int64		left;

		CHECK_FOR_INTERRUPTS();
		left = deadline - cpg_clock_now();
		if (left <= 0)
			return CPG_WAIT_TIMEOUT;
		if (WaitEventSetWait(conn->set, (long) Min(left, INT_MAX), &event, 1, event_of(connecting)) == 0)
			continue;
		if ((event.events & WL_LATCH_SET) == 0)
			return CPG_WAIT_READY;
		if (look_up)
			return CPG_WAIT_LATCH;
		ResetLatch(MyLatch);
		latch_was_set = true;
	}
}

/* Wait for a time to come. */
void
cpg_redis_pause(int64 until)
{
	int64		left;

	while ((left = until - cpg_clock_now()) > 0)
	{
		if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, (long) left,
					  event_of(true)) & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			latch_was_set = true;
		}
		CHECK_FOR_INTERRUPTS();
	}
}

/* Give the latch back as it would be had nobody waited here. */
void
cpg_exchange_restore_latch(void)
{
	if (latch_was_set)
		SetLatch(MyLatch);
	latch_was_set = false;
}

/* As recv(2); at EAGAIN wait for what conn->wants says. */
static ssize_t
receive_bytes(CpgConnection *conn, char *data, size_t size)
{
	conn->wants = WL_SOCKET_READABLE;
	return conn->tls ? cpg_tls_receive(conn, data, size) : recv(conn->fd, data, size, 0);
}

/* As send(2), in the same way. */
static ssize_t
send_bytes(CpgConnection *conn, const char *data, size_t size)
{
	conn->wants = WL_SOCKET_WRITEABLE;
	return conn->tls ? cpg_tls_send(conn, data, size) : send(conn->fd, data, size, MSG_NOSIGNAL);
}

/* Add a command to what is to be sent. */
void
cpg_exchange_append(CpgConnection *conn, const CpgRedisCommand *command)
{
	StringInfo	out = &conn->out;

	appendStringInfo(out, "*%d\r\n", command->argc);
	for (int i = 0; i < command->argc; i++)
	{
		appendStringInfo(out, "$%zu\r\n", command->lens[i]);
		appendBinaryStringInfo(out, command->argv[i], (int) command->lens[i]);
		appendBinaryStringInfo(out, "\r\n", 2);
	}
	conn->expected++;
}

/* Send what has been appended. */
CpgRedisStatus
cpg_exchange_send(CpgConnection *conn, int64 deadline)
{
	int			sent = 0;

	while (sent < conn->out.len)
	{
		ssize_t		n;

		conn->dirty = true;
		n = send_bytes(conn, conn->out.data + sent, conn->out.len - sent);
		if (n >= 0)
			sent += n;
		else if (errno == EAGAIN)
		{
			if (cpg_redis_wait(conn, conn->wants, deadline, false, false) == CPG_WAIT_TIMEOUT)
				return CPG_REDIS_TIMEOUT;
		}
		else if (errno != EINTR)
			return CPG_REDIS_LOST;
	}
	return CPG_REDIS_OK;
}

/* Pass received bytes on to the parser, as far as the limiter lets them. */
static CpgRedisStatus
feed(CpgConnection *conn, const char *data, size_t len)
{
	while (len > 0)
	{
		size_t		consumed;
		CpgRespResult result = cpg_resp_feed(&conn->limiter, data, len, &consumed);

		if (result == CPG_RESP_VIOLATION)
			return CPG_REDIS_VIOLATION;
		if (redisReaderFeed(conn->reader, data, consumed) != REDIS_OK)
			return CPG_REDIS_VIOLATION;
		if (result == CPG_RESP_REPLY)
			conn->complete++;
		data += consumed;
		len -= consumed;
	}
	/* nobody may answer what was not asked */
	if (conn->lane != CPG_REDIS_LANE_STREAM &&
		(conn->complete > conn->expected ||
		 (conn->complete == conn->expected && !cpg_resp_is_idle(&conn->limiter))))
		return CPG_REDIS_VIOLATION;
	return CPG_REDIS_OK;
}

/* Take a complete reply out of the parser. */
static CpgRedisStatus
take_reply(CpgConnection *conn, CpgRedisReply *reply)
{
	if (redisReaderGetReply(conn->reader, &conn->raw) != REDIS_OK || conn->raw == NULL)
		return CPG_REDIS_VIOLATION;
	cpg_reply_copy(conn->raw, reply);
	freeReplyObject(conn->raw);
	conn->raw = NULL;
	conn->complete--;
	conn->expected--;
	if (conn->expected <= 0 && conn->complete == 0)
		conn->dirty = false;
	return CPG_REDIS_OK;
}

/* Read the next reply.  With look_up it may also be NOT_YET. */
CpgRedisStatus
cpg_exchange_receive(CpgConnection *conn, int64 deadline, bool look_up, CpgRedisReply *reply)
{
	while (conn->complete == 0)
	{
		ssize_t		n = receive_bytes(conn, chunk, CHUNK);

		if (n > 0)
		{
			CpgRedisStatus status = feed(conn, chunk, n);

			if (status != CPG_REDIS_OK)
				return status;
			/* a server that never pauses is not waited for either */
			CHECK_FOR_INTERRUPTS();
			if (conn->complete == 0 && !look_up && cpg_clock_now() >= deadline)
				return CPG_REDIS_TIMEOUT;
		}
		else if (n == 0)
			return CPG_REDIS_LOST;
		else if (errno == EAGAIN)
		{
			CpgWaitResult result = cpg_redis_wait(conn, conn->wants, deadline, false, look_up);

			if (result != CPG_WAIT_READY && look_up)
				return CPG_REDIS_NOT_YET;
			if (result == CPG_WAIT_TIMEOUT)
				return CPG_REDIS_TIMEOUT;
		}
		else if (errno != EINTR)
			return CPG_REDIS_LOST;
	}
	return take_reply(conn, reply);
}

/*
 * Whether nothing has come since the last reply: no end of the connection, and
 * no bytes that would be taken for an answer.
 */
bool
cpg_exchange_is_quiet(CpgConnection *conn)
{
	char		byte;

	if (conn->tls != NULL)
		return cpg_tls_is_quiet(conn);
	return recv(conn->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}
