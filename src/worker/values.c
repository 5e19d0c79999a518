/*-------------------------------------------------------------------------
 *
 * values.c
 *	  The broadcaster's other work: values and locks, from the ring in which
 *	  sessions left them (bus/frames.h), to Redis.
 *
 * Values are sent once: what Redis does not take is gone, and will be loaded
 * again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/frames.h"
#include "clock.h"
#include "fault.h"
#include "l2/seal.h"
#include "miscadmin.h"
#include "redis/redis.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "wire/frame.h"
#include "worker/values.h"

#define FRAMES_AT_ONCE	64
#define PLACES_OF_LOCK	3		/* where it is sought: MOVED and ASK may
								 * follow each other */

/* A SET that waits to be sent with others to the same node. */
typedef struct Set
{
	const char *argv[5];
	size_t		lens[5];
	char		life[24];
} Set;

/* Sets that go to one node together. */
typedef struct Sets
{
	int			node;
	int			count;
	Size		used;			/* of bytes */
	Set			set[FRAMES_AT_ONCE];
	char	   *bytes;			/* keys and frames */
} Sets;

static Sets sets;

/* Send the sets that have been gathered; false if Redis did not answer. */
static bool
send_sets(void)
{
	CpgRedisCommand command[FRAMES_AT_ONCE];
	CpgRedisReply reply[FRAMES_AT_ONCE];
	int			count = sets.count;

	for (int i = 0; i < count; i++)
	{
		command[i].argc = 5;
		command[i].argv = sets.set[i].argv;
		command[i].lens = sets.set[i].lens;
	}
	sets.count = 0;
	sets.used = 0;
	return count == 0 ||
		cpg_redis_pipeline(sets.node, command, count, 0, CPG_SEND_TIMEOUT, reply) == CPG_REDIS_OK;
}

/* Give a frame its stamp, and its HMAC if it is to have one; false if it cannot. */
static bool
finish_frame(uint8 *frame, const CpgFrameJob *job)
{
	size_t		covered = cpg_frame_stamp(frame, job->frame_len, job->stamp);

	return covered == 0 || cpg_seal_compute(frame, covered, frame + covered);
}

/* Finish a frame, and gather it with what is left of its life. */
static void
gather(const CpgFrameJob *job, int node)
{
	int64		left = job->expiry - cpg_clock_now();
	Set		   *set = &sets.set[sets.count];

	if (left <= 0 || !finish_frame((uint8 *) job->bytes + job->key_len, job))
		return;
	sets.node = node;
	sets.count++;
	sets.used += job->key_len + job->frame_len;
	set->argv[0] = "SET";
	set->lens[0] = 3;
	set->argv[1] = job->bytes;
	set->lens[1] = job->key_len;
	set->argv[2] = job->bytes + job->key_len;
	set->lens[2] = job->frame_len;
	set->argv[3] = "PX";
	set->lens[3] = 2;
	set->argv[4] = set->life;
	set->lens[4] = (size_t) snprintf(set->life, sizeof(set->life), INT64_FORMAT, left);
}

static bool
say(int node, const CpgRedisCommand *command)
{
	return cpg_redis_send(node, command->argc, command->argv, command->lens) == CPG_REDIS_OK;
}

static bool
hear(int node, CpgRedisReply *reply)
{
	int64		end = cpg_clock_now() + CPG_SEND_TIMEOUT;
	CpgRedisStatus status;

	while ((status = cpg_redis_receive(node, 100, reply)) == CPG_REDIS_NOT_YET &&
		   cpg_clock_now() < end)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return status == CPG_REDIS_OK;
}

/*
 * Send commands through the stream's connection, with asking each behind ASKING,
 * which in MULTI does no harm; *reply is what the last of them got.  False if not
 * all were answered, or one with an error: then *reply is the first error.
 */
static bool
talk(int node, bool asking, const CpgRedisCommand *commands, int count, CpgRedisReply *reply)
{
	static const char *const word[] = {"ASKING"};
	static const size_t len[] = {6};
	const CpgRedisCommand before = {1, (const char **) word, len};
	CpgRedisReply error = {0};

	asking = asking && !CPG_SKIP("cluster-asking");
	for (int i = 0; i < count; i++)
	{
		if ((asking && !say(node, &before)) || !say(node, &commands[i]))
			return false;
	}
	for (int i = 0; i < count; i++)
	{
		if ((asking && !hear(node, reply)) || !hear(node, reply))
			return false;
		if (reply->type == CPG_REDIS_ERROR && error.type != CPG_REDIS_ERROR)
			error = *reply;
	}
	if (error.type == CPG_REDIS_ERROR)
		*reply = error;
	return error.type != CPG_REDIS_ERROR;
}

/*
 * Delete a lock if it still has our token.  All of it goes through one
 * connection: in another one nothing would be watched.  False if that has not
 * been done; *reply may be an error that says why.
 */
static bool
delete_lock(int node, bool asking, const CpgFrameJob *job, CpgRedisReply *reply)
{
	const char *key = pnstrdup(job->bytes, job->key_len);
	const char *watch[] = {"WATCH", key};
	const char *get[] = {"GET", key};
	const char *multi[] = {"MULTI"};
	const char *del[] = {"DEL", key};
	const char *exec[] = {"EXEC"};
	const size_t watch_lens[] = {5, job->key_len};
	const size_t get_lens[] = {3, job->key_len};
	const size_t multi_lens[] = {5};
	const size_t exec_lens[] = {4};
	const CpgRedisCommand look[] = {{2, watch, watch_lens}, {2, get, get_lens}};
	const CpgRedisCommand delete[] = {{1, multi, multi_lens}, {2, del, get_lens}, {1, exec, exec_lens}};

	if (!talk(node, asking, look, lengthof(look), reply))
		return false;
	if (reply->type != CPG_REDIS_STRING || reply->len != job->frame_len ||
		memcmp(reply->data, job->bytes + job->key_len, reply->len) != 0)
		return false;
	CPG_FAULT("lock-watched");
	return cpg_redis_connected(node) && talk(node, asking, delete, lengthof(delete), reply);
}

/*
 * The same, wherever Redis Cluster has moved it to.  What is watched is forgotten
 * with the connection.
 */
static void
give_up_lock(const CpgFrameJob *job)
{
	int			node = cpg_redis_node_for(job->bytes, job->key_len);
	bool		asking = false;

	for (int i = 0; i < PLACES_OF_LOCK && node >= 0; i++)
	{
		CpgRedisReply reply = {0};

		if (delete_lock(node, asking, job, &reply))
			return;
		cpg_redis_hang_up(node);
		node = cpg_redis_redirection(node, &reply, &asking);
	}
}

/*
 * Send values, those of one node in a row together; true if there may be more.
 * Each of them is at most a quarter of the memory for them.
 */
bool
cpg_values_send(void)
{
	Size		most = cpg_frames_max();

	for (int i = 0; i < FRAMES_AT_ONCE; i++)
	{
		CpgFrameJob job = {.bytes = sets.bytes + sets.used};
		int			node;

		if (!cpg_frames_take(&job, most))
			return send_sets() && false;
		if (job.kind == CPG_FRAME_JOB_UNLOCK)
		{
			/* behind the value that was loaded under it, or without it */
			bool		sent = send_sets();

			give_up_lock(&job);
			if (!sent)
				return false;
			continue;
		}
		node = cpg_redis_node_for(job.bytes, job.key_len);
		if (sets.count > 0 && node != sets.node)
		{
			Size		used = sets.used;

			if (!send_sets())
				return false;
			/* what was taken last lies behind what has been sent */
			memmove(sets.bytes, sets.bytes + used, job.key_len + job.frame_len);
			job.bytes = sets.bytes;
		}
		gather(&job, node);
		if (sets.used > most && !send_sets())
			return false;
	}
	return send_sets();
}

/* Get the memory for all that; called once. */
void
cpg_values_prepare(void)
{
	sets.bytes = MemoryContextAlloc(TopMemoryContext, 2 * cpg_frames_max());
}
