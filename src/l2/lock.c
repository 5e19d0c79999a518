/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  One load of a value in all servers.
 *
 * SET NX PX with a token that nobody else has.  Whoever finds the lock taken
 * waits for the value, not for the lock.  It is given up by the broadcaster,
 * after it has written the value: WATCH, GET, and if the token is still there
 * MULTI, DEL, EXEC, so that a lock which expired and belongs to somebody else
 * stays.  No script is needed.
 *
 * It saves loads and protects nothing: that an older result does not outlive a
 * newer invalidation is seen to by the stamp in the frame, which grows with each
 * commit and so is the fencing token.  Without Redis everybody loads.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "bus/frames.h"
#include "common/pg_prng.h"
#include "fault.h"
#include "guc.h"
#include "l2/lock.h"
#include "miscadmin.h"
#include "redis/redis.h"

/* The key of what belongs to a value: 'l' its lock, 'h' what is handed over. */
char *
cpg_l2_sibling_key(const CpgL2Name *name, char kind)
{
	Size		head = strlen("cachepg:") + strlen(cpg_cluster) + 1;
	char	   *key = pnstrdup(name->key, name->key_len);

	Assert(key[head] == 'v' && key[head + 1] == ':');
	key[head] = kind;
	return key;
}

/* SET of a lock that nobody has, to a token of its own. */
typedef struct Setting
{
	const char *argv[6];
	size_t		lens[6];
} Setting;

/* The lock of a value, not held yet. */
static void
make_lock(const CpgL2Name *name, CpgL2Lock *lock)
{
	lock->key = cpg_l2_sibling_key(name, 'l');
	lock->key_len = name->key_len;
	lock->token = psprintf("%s-%d-%016llx", cpg_bus_origin(), MyProcPid,
						   (unsigned long long) pg_prng_uint64(&pg_global_prng_state));
	lock->token_len = strlen(lock->token);
	lock->held = false;
}

static void
prepare(const CpgL2Lock *lock, const char *life, Setting *setting, CpgRedisCommand *command)
{
	*setting = (Setting)
	{
		{
			"SET", lock->key, lock->token, "NX", "PX", life
		},
		{
			3, lock->key_len, lock->token_len, 2, 2, strlen(life)
		}
	};
	*command = (CpgRedisCommand)
	{
		6, setting->argv, setting->lens
	};
}

static void
lock_some(CpgL2Claim **claims, int count, int node, const char *life)
{
	Setting		setting[CPG_L2_CHUNK];
	CpgRedisCommand command[CPG_L2_CHUNK] = {0};
	CpgRedisReply reply[CPG_L2_CHUNK];
	CpgRedisStatus status;

	for (int i = 0; i < count; i++)
		prepare(claims[i]->lock, life, &setting[i], &command[i]);
	status = cpg_redis_pipeline(node, command, count, 0, cpg_redis_timeout, reply);
	for (int i = 0; i < count; i++)
	{
		if (status != CPG_REDIS_OK || reply[i].type == CPG_REDIS_ERROR)
			claims[i]->turn = CPG_L2_TURN_FREE;
		else
		{
			claims[i]->lock->held = reply[i].type == CPG_REDIS_STATUS;
			claims[i]->turn = claims[i]->lock->held ? CPG_L2_TURN_HELD : CPG_L2_TURN_BUSY;
		}
	}
}

/*
 * Try to be the one who loads, of each of some values, for so many milliseconds
 * at most.  Raises no errors but those of a cancellation and of memory.
 */
void
cpg_l2_lock(CpgL2Claim *claims, int count, int64 life)
{
	char		px[24];
	int		   *nodes = palloc(count * sizeof(int));
	int			chunk[CPG_L2_CHUNK];
	int			node;
	int			n;

	CPG_FAULT("l2-claiming");
	snprintf(px, sizeof(px), INT64_FORMAT, life);
	for (int i = 0; i < count; i++)
	{
		make_lock(claims[i].name, claims[i].lock);
		nodes[i] = cpg_redis_node_for(claims[i].lock->key, claims[i].lock->key_len);
		claims[i].turn = CPG_L2_TURN_FREE;
	}
	while ((n = cpg_l2_next_chunk(nodes, count, chunk, &node)) > 0)
	{
		CpgL2Claim *some[CPG_L2_CHUNK];

		for (int i = 0; i < n; i++)
			some[i] = &claims[chunk[i]];
		lock_some(some, n, node, px);
	}
	pfree(nodes);
}

/* Have a lock given up, if it is held.  It expires if that cannot be sent. */
void
cpg_l2_unlock(CpgL2Lock *lock)
{
	CpgFrameJob job = {.kind = CPG_FRAME_JOB_UNLOCK};
	char		bytes[1024];

	if (!lock->held || lock->key_len + lock->token_len > sizeof(bytes))
		return;
	lock->held = false;
	job.key_len = (uint32) lock->key_len;
	job.frame_len = (uint32) lock->token_len;
	job.bytes = bytes;
	memcpy(bytes, lock->key, lock->key_len);
	memcpy(bytes + lock->key_len, lock->token, lock->token_len);
	(void) cpg_frames_put(&job);
}
