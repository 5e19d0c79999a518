/*-------------------------------------------------------------------------
 *
 * stream.c
 *	  Sending and receiving by itself, for workers that wait for a long time or
 *	  for what nobody asked (XREAD BLOCK, SUBSCRIBE).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "guc.h"
#include "redis/redis_internal.h"

/* The leave with which the latest command to a node was sent. */
static CpgRedisTicket tickets[CPG_REDIS_NODES_MAX];
static bool pending[CPG_REDIS_NODES_MAX];

/* The nodes have changed. */
void
cpg_stream_forget_all(void)
{
	memset(pending, 0, sizeof(pending));
}

/* A node is another one. */
void
cpg_stream_forget(int node)
{
	pending[node] = false;
}

/* A node has failed or answered; only the first of it counts. */
static void
settle(int node, CpgRedisStatus status)
{
	CpgConnection *conn = cpg_connection_find(node, CPG_REDIS_LANE_STREAM);
	bool		failed = status != CPG_REDIS_OK;

	if (failed && conn != NULL)
		cpg_connection_close(conn);
	if (!pending[node])
		return;
	pending[node] = false;
	if (status == CPG_REDIS_NO_SLOT)
		cpg_node_forget(&tickets[node]);
	else
		cpg_node_tell(&tickets[node], failed, status == CPG_REDIS_TIMEOUT,
					  failed ? cpg_redis_status_text(status) : NULL);
}

static void
clean_up(int node)
{
	CpgConnection *conn = cpg_connection_find(node, CPG_REDIS_LANE_STREAM);

	if (conn != NULL)
		cpg_connection_close(conn);
	if (pending[node])
		cpg_node_forget(&tickets[node]);
	pending[node] = false;
	cpg_exchange_restore_latch();
}

static CpgRedisStatus
send_command(int node, const CpgRedisCommand *command)
{
	int64		deadline = cpg_clock_now() + cpg_redis_timeout;
	CpgConnection *conn = cpg_connection_find(node, CPG_REDIS_LANE_STREAM);
	CpgRedisStatus status = CPG_REDIS_OK;

	if (conn == NULL)
		status = cpg_connection_get(node, CPG_REDIS_LANE_STREAM, deadline + cpg_redis_connect_timeout, &conn);
	if (status != CPG_REDIS_OK)
		return status;
	resetStringInfo(&conn->out);
	cpg_exchange_append(conn, command);
	return cpg_exchange_send(conn, deadline + cpg_redis_connect_timeout);
}

/*
 * Send a command through the stream's connection to a node, which is made if
 * there is none.  Replies come in the order of the commands.
 */
CpgRedisStatus
cpg_redis_send(int node, int argc, const char **argv, const size_t *lens)
{
	CpgRedisCommand command = {argc, argv, lens};
	CpgRedisStatus status = CPG_REDIS_OK;

	if (!cpg_redis_exists(node))
		return CPG_REDIS_UNAVAILABLE;
	if (pending[node])
		cpg_node_forget(&tickets[node]);
	pending[node] = cpg_node_admit(node, &tickets[node]);
	if (!pending[node])
		return CPG_REDIS_BREAKER_OPEN;
	tickets[node].began = -1;
	PG_TRY();
	{
		status = send_command(node, &command);
	}
	PG_CATCH();
	{
		clean_up(node);
		PG_RE_THROW();
	}
	PG_END_TRY();
	cpg_exchange_restore_latch();
	if (status != CPG_REDIS_OK)
		settle(node, status);
	return status;
}

/*
 * Wait for the next reply through the stream's connection.  NOT_YET after
 * timeout_ms, or when the latch is set, which the caller resets: call again.
 * UNAVAILABLE if there is no connection, because it was closed by a failure or
 * a reload: send again.
 */
CpgRedisStatus
cpg_redis_receive(int node, int timeout_ms, CpgRedisReply *reply)
{
	CpgConnection *conn;
	CpgRedisStatus status = CPG_REDIS_OK;

	/* other nodes may have been called since the command was sent */
	cpg_node_forget_problem();
	if (!cpg_redis_exists(node) ||
		(conn = cpg_connection_find(node, CPG_REDIS_LANE_STREAM)) == NULL)
		return CPG_REDIS_UNAVAILABLE;
	PG_TRY();
	{
		status = cpg_exchange_receive(conn, cpg_clock_now() + timeout_ms, true, reply);
	}
	PG_CATCH();
	{
		clean_up(node);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (status != CPG_REDIS_NOT_YET)
		settle(node, status);
	return status;
}

/* Close the stream's connection to a node, whatever is under way in it. */
void
cpg_redis_hang_up(int node)
{
	if (cpg_redis_exists(node))
		clean_up(node);
}

/* Whether there is a stream's connection to a node, the one of before. */
bool
cpg_redis_connected(int node)
{
	return cpg_connection_find(node, CPG_REDIS_LANE_STREAM) != NULL;
}
