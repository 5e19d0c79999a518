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

/*
 * Try to be the one who loads a value, for so many milliseconds at most.  Raises
 * no errors but those of a cancellation and of memory.
 */
CpgL2Turn
cpg_l2_lock(const CpgL2Name *name, int64 life, CpgL2Lock *lock)
{
	char		px[24];
	const char *argv[] = {"SET", NULL, NULL, "NX", "PX", px};
	size_t		lens[] = {3, 0, 0, 2, 2, 0};
	CpgRedisReply reply;
	CpgRedisStatus status;

	lock->key = cpg_l2_sibling_key(name, 'l');
	lock->key_len = name->key_len;
	lock->token = psprintf("%s-%d-%016llx", cpg_bus_origin(), MyProcPid,
						   (unsigned long long) pg_prng_uint64(&pg_global_prng_state));
	lock->token_len = strlen(lock->token);
	lock->held = false;
	argv[1] = lock->key;
	lens[1] = lock->key_len;
	argv[2] = lock->token;
	lens[2] = lock->token_len;
	lens[5] = (size_t) snprintf(px, sizeof(px), INT64_FORMAT, life);
	status = cpg_redis_call(cpg_redis_node_for(lock->key, lock->key_len), 6, argv, lens, 0,
							cpg_redis_timeout, &reply);
	if (status != CPG_REDIS_OK || reply.type == CPG_REDIS_ERROR)
		return CPG_L2_TURN_FREE;
	lock->held = reply.type == CPG_REDIS_STATUS;
	return lock->held ? CPG_L2_TURN_HELD : CPG_L2_TURN_BUSY;
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
