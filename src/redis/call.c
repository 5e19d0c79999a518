/*-------------------------------------------------------------------------
 *
 * call.c
 *	  Calls: leave of the breaker, a connection, commands, replies, and again.
 *
 * What is tried again, after a pause of random length that doubles on average:
 * commands that may be repeated, when the connection could not be made or was
 * lost, or the server is not ready.  Not what timed out: a server that hangs
 * would hang again.  All that is one call to the breaker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "common/pg_prng.h"
#include "fault.h"
#include "guc.h"
#include "miscadmin.h"
#include "redis/redis_internal.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#define PAUSE_FIRST		10		/* ms */
#define PAUSE_DOUBLINGS 8
#define OUT_KEPT		65536	/* bytes of the buffer of commands */
#define OUT_MAX			((Size) MaxAllocSize / 2)

typedef struct Call
{
	int			node;
	CpgRedisLane lane;
	const CpgRedisCommand *commands;
	int			count;
	CpgRedisReply *replies;
	int64		deadline;
} Call;

/* A status as text that follows a colon; nothing of a command is in it. */
const char *
cpg_redis_status_text(CpgRedisStatus status)
{
	switch (status)
	{
		case CPG_REDIS_OK:
			return "an error of the server";
		case CPG_REDIS_NOT_YET:
			return "no reply yet";
		case CPG_REDIS_UNAVAILABLE:
			return "could not connect";
		case CPG_REDIS_LOST:
			return "the connection was lost";
		case CPG_REDIS_TIMEOUT:
			return "no reply in time";
		case CPG_REDIS_BREAKER_OPEN:
			return "it failed lately and is left alone";
		case CPG_REDIS_NO_SLOT:
			return "too many connections";
		case CPG_REDIS_VIOLATION:
			return "the reply was not understood or too large";
		case CPG_REDIS_CONFIGURATION:
			return "could not log in";
	}
	pg_unreachable();
}

static bool
fits(const CpgRedisCommand *commands, int count)
{
	Size		size = 0;

	for (int i = 0; i < count; i++)
	{
		for (int j = 0; j < commands[i].argc; j++)
		{
			size += 32;
			if (commands[i].lens[j] > OUT_MAX - Min(size, OUT_MAX))
				return false;
			size += commands[i].lens[j];
		}
	}
	return true;
}

/* A large command shall not be remembered by the memory it took. */
static void
empty_out(CpgConnection *conn)
{
	resetStringInfo(&conn->out);
	if (conn->out.maxlen > OUT_KEPT)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
		StringInfoData small;

		/* the large one stays, should there be no memory */
		initStringInfo(&small);
		pfree(conn->out.data);
		conn->out = small;
		MemoryContextSwitchTo(old);
	}
}

/* Send the commands and read the replies. */
static CpgRedisStatus
exchange(const Call *call, CpgConnection *conn)
{
	CpgRedisStatus status;

	resetStringInfo(&conn->out);
	for (int i = 0; i < call->count; i++)
		cpg_exchange_append(conn, &call->commands[i]);
	status = cpg_exchange_send(conn, call->deadline);
	for (int i = 0; i < call->count && status == CPG_REDIS_OK; i++)
		status = cpg_exchange_receive(conn, call->deadline, false, &call->replies[i]);
	conn->used = cpg_clock_now();
	return status;
}

static CpgRedisStatus
try_once(const Call *call)
{
	CpgConnection *conn;
	CpgRedisStatus status = cpg_connection_get(call->node, call->lane, call->deadline, &conn);

	if (status != CPG_REDIS_OK)
		return status;
	status = exchange(call, conn);
	if (status != CPG_REDIS_OK || conn->dirty || call->lane == CPG_REDIS_LANE_OWN || cpg_node_is_crowded())
		cpg_connection_close(conn);
	else
		empty_out(conn);
	return status;
}

/* The first reply that is an error of one of two classes, which concern the node. */
static const CpgRedisReply *
find_error(const Call *call)
{
	for (int i = 0; i < call->count; i++)
	{
		const CpgRedisReply *reply = &call->replies[i];

		if (reply->type == CPG_REDIS_ERROR && reply->class != CPG_REDIS_CLASS_OTHER)
			return reply;
	}
	return NULL;
}

static bool
is_not_ready(const Call *call, CpgRedisStatus status)
{
	const CpgRedisReply *error = status == CPG_REDIS_OK ? find_error(call) : NULL;

	return error != NULL && error->class == CPG_REDIS_CLASS_RETRY;
}

/* Pause before another attempt; false if there is no time for one. */
bool
cpg_call_pause(int attempt, int64 deadline)
{
	double		longest = PAUSE_FIRST << Min(attempt, PAUSE_DOUBLINGS);
	int64		until = cpg_clock_now() + 1 + (int64) (pg_prng_double(&pg_global_prng_state) * longest);

	if (until >= deadline)
		return false;
	cpg_redis_pause(until);
	return true;
}

static CpgRedisStatus
try_again_and_again(const Call *call, unsigned flags)
{
	for (int attempt = 0;; attempt++)
	{
		CpgRedisStatus status = try_once(call);
		bool		repeat;

		/* what was not sent can always be sent again */
		repeat = status == CPG_REDIS_UNAVAILABLE ||
			((flags & CPG_REDIS_IDEMPOTENT) && (status == CPG_REDIS_LOST || is_not_ready(call, status)));
		if (!repeat || attempt >= cpg_redis_retries || !cpg_call_pause(attempt, call->deadline))
			return status;
	}
}

/* Whether an error says that the node itself is of no use at present. */
static bool
is_failing(const CpgRedisReply *error, const char *code)
{
	/* these are about a slot, or about other nodes */
	if (strcmp(code, "CLUSTERDOWN") == 0 || strcmp(code, "TRYAGAIN") == 0)
		return cpg_redis_sharding != CPG_SHARD_CLUSTER;
	return error->class == CPG_REDIS_CLASS_RETRY;
}

static void
tell(const Call *call, CpgRedisTicket *ticket, CpgRedisStatus status)
{
	const CpgRedisReply *error;
	char		code[CPG_REDIS_CODE_SIZE];

	if (status == CPG_REDIS_NO_SLOT)
		cpg_node_forget(ticket);
	else if (status != CPG_REDIS_OK)
		cpg_node_tell(ticket, true, status == CPG_REDIS_TIMEOUT, cpg_redis_status_text(status));
	else if ((error = find_error(call)) != NULL)
	{
		cpg_reply_code(error, code, sizeof(code));
		cpg_node_tell(ticket, is_failing(error, code), false, code);
	}
	else
		cpg_node_tell(ticket, false, false, NULL);
}

/* Close what an error has left in the middle of something. */
static void
clean_up(int node, CpgRedisLane lane)
{
	CpgConnection *conn = cpg_connection_find(node, lane);

	if (conn != NULL && !CPG_SKIP("redis-dirty"))
		cpg_connection_close(conn);
}

/* When a call that begins now has to end; longer if it has to connect first. */
static int64
deadline_of(int node, unsigned flags, int timeout_ms)
{
	CpgRedisLane lane = flags & CPG_REDIS_OWN ? CPG_REDIS_LANE_OWN : CPG_REDIS_LANE_CALL;
	int64		deadline = cpg_clock_now() + (timeout_ms < 0 ? cpg_redis_timeout : timeout_ms);

	return deadline + (cpg_connection_find(node, lane) == NULL ? cpg_redis_connect_timeout : 0);
}

/* As cpg_redis_pipeline, but redirections are replies like others. */
CpgRedisStatus
cpg_call_node(int node, const CpgRedisCommand *commands, int count,
			  unsigned flags, int64 deadline, CpgRedisReply *replies)
{
	CpgRedisTicket ticket;
	CpgRedisStatus status = CPG_REDIS_OK;
	Call		call = {node, CPG_REDIS_LANE_CALL, commands, count, replies, deadline};

	if (!cpg_node_admit(node, &ticket) && (flags & CPG_REDIS_OWN) == 0)
		return CPG_REDIS_BREAKER_OPEN;
	if (flags & CPG_REDIS_OWN)
		call.lane = CPG_REDIS_LANE_OWN;
	memset(replies, 0, sizeof(*replies) * count);
	PG_TRY();
	{
		status = try_again_and_again(&call, flags);
	}
	PG_CATCH();
	{
		clean_up(node, call.lane);
		cpg_node_forget(&ticket);
		cpg_exchange_restore_latch();
		PG_RE_THROW();
	}
	PG_END_TRY();
	cpg_exchange_restore_latch();
	tell(&call, &ticket, status);
	return status;
}

/*
 * Send commands to a node and wait for all replies.  timeout_ms is for this
 * call, negative for cachepg.redis_timeout; if a connection has to be made,
 * cachepg.redis_connect_timeout is added.  The replies are filled if the status
 * is OK.  Of Redis Cluster other nodes are asked if this one says so; commands
 * have one key each.
 */
CpgRedisStatus
cpg_redis_pipeline(int node, const CpgRedisCommand *commands, int count,
				   unsigned flags, int timeout_ms, CpgRedisReply *replies)
{
	CpgRedisStatus status;
	int64		deadline;

	cpg_node_forget_problem();
	if (!cpg_redis_exists(node))
		return CPG_REDIS_UNAVAILABLE;
	if (!fits(commands, count))
		return CPG_REDIS_VIOLATION;
	deadline = deadline_of(node, flags, timeout_ms);
	status = cpg_call_node(node, commands, count, flags, deadline, replies);
	for (int i = 0; i < count && status == CPG_REDIS_OK && cpg_redis_sharding == CPG_SHARD_CLUSTER; i++)
		status = cpg_cluster_follow(node, &commands[i], flags, deadline, &replies[i]);
	return status;
}

/* As cpg_redis_pipeline, for one command. */
CpgRedisStatus
cpg_redis_call(int node, int argc, const char **argv, const size_t *lens,
			   unsigned flags, int timeout_ms, CpgRedisReply *reply)
{
	CpgRedisCommand command = {argc, argv, lens};

	return cpg_redis_pipeline(node, &command, 1, flags, timeout_ms, reply);
}
