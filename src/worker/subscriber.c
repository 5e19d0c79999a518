/*-------------------------------------------------------------------------
 *
 * subscriber.c
 *	  The worker that hears from Redis what other servers invalidated.
 *
 * It reads the stream of messages and applies each at once (l2/apply.c).  For
 * each origin it knows the number of the last message.  If one is missing, if the
 * origin began a new life, or if it is heard of for the first time, whatever it
 * may have invalidated before is unknown: all that is kept here is dropped.
 *
 * The home is told from the others: its values are taken from Redis.  They are
 * taken only while nothing of it is missing.
 *
 *	 unknown    nothing, or a gap: waits for a beat, which says up to which
 *				number of the clock everything has been sent; values older
 *				than that are refused from then on, and it is current
 *	 current	until a gap, a new life, or a silence of cachepg.bus_silence
 *	 silent		messages go on where they stopped: current again with the next beat
 *
 * If the whole stream falls silent, of which the own server's beats are a part,
 * it is read from its beginning: it may have been lost, and its identifiers,
 * which come from Redis' clock, may have gone back.  What is read then may be
 * old: nothing in it begins a life or proves that somebody is alive.  The number
 * of the clock in each beat is a new one, so that an old beat is known.
 *
 * Messages may also come late because Redis or this process stood still.  Beside
 * each is the time of Redis' clock before which nothing is missing from it, and
 * Redis is asked what time it is now; so the home counts as heard of when it
 * spoke, not when it was listened to.  If Redis' clock jumps ahead within a second,
 * a silence may be noticed that much later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus.h"
#include "bus/mirror.h"
#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "guc.h"
#include "l2/l2.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "redis/redis.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"
#include "worker/databases.h"
#include "worker/register.h"
#include "worker/worker.h"

#define RESTART_SECONDS 1
#define ORIGINS_MAX		64
#define READ_COUNT		100		/* messages at once */
#define BLOCK_TIME		500		/* ms that Redis waits for a message */
#define ANSWER_TIME		1000	/* ms beyond that */
#define RETRY_TIME		200		/* ms */
#define CLOCK_TIME		1000	/* ms after which Redis is asked for the time
								 * again */
#define REPORT_TIME		(3600 * 1000)	/* ms between two warnings of one kind */
#define ID_SIZE			48

typedef enum OriginState
{
	ORIGIN_UNKNOWN,				/* waits for a beat */
	ORIGIN_CURRENT
} OriginState;

typedef struct Origin
{
	char		name[CPG_MESSAGE_NAME_SIZE];
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];
	uint8		before[CPG_MESSAGE_EPOCH_LEN];	/* the epoch before that */
	uint64		last;			/* number of its last message */
	uint64		seq;			/* of its clock, in its last beat */
	OriginState state;
	int64		heard;
} Origin;

static Origin origins[ORIGINS_MAX];
static int	norigins = 0;
static char last_id[ID_SIZE] = "$";
static bool catching_up = false;	/* reading what may be old */
static int	read_count = READ_COUNT;	/* messages to ask for at once */
static int64 stream_heard = 0;

/* Redis' clock, ms, and when it was read, at the earliest. */
static int64 redis_clock = 0;
static int64 redis_clock_at = 0;

static bool
is_home(const char *name)
{
	return cpg_mirror_exists() && strcmp(name, cpg_l2_home) == 0;
}

/* What is known of an origin, if anything is. */
static Origin *
find_origin(const char *name, bool *found)
{
	*found = true;
	for (int i = 0; i < norigins; i++)
	{
		if (strcmp(origins[i].name, name) == 0)
			return &origins[i];
	}
	*found = false;
	return NULL;
}

/* Room for one more origin; the one not heard of for longest makes it. */
static Origin *
add_origin(void)
{
	Origin	   *oldest = &origins[0];

	for (int i = 1; i < norigins; i++)
	{
		if (origins[i].heard < oldest->heard)
			oldest = &origins[i];
	}
	if (norigins < ORIGINS_MAX)
		oldest = &origins[norigins++];
	memset(oldest, 0, sizeof(*oldest));
	return oldest;
}

static void
begin_apply(CpgApply *apply, const CpgMessageHeader *header)
{
	memset(apply, 0, sizeof(*apply));
	apply->from_home = is_home(header->origin);
	apply->retell = !cpg_mirror_exists() && cpg_bus_active();
	apply->number = header->seq;
	if (header->database[0] != '\0')
		apply->database = cpg_database_of_name(header->database);
}

/* On a standby: what was heard of the primary will be seen when that is replayed. */
static void
note_position(const CpgMessageHeader *header)
{
	if (header->system == GetSystemIdentifier())
		cpg_bus_note_lsn(header->lsn);
}

/*
 * Something of an origin is not known: forget what it could have invalidated.  All
 * of that was committed before the position of this message.
 */
static void
lose_track(Origin *origin, const CpgMessageHeader *header)
{
	CpgApply	apply;

	note_position(header);
	if (memcmp(origin->epoch, header->epoch, sizeof(origin->epoch)) != 0)
	{
		memcpy(origin->before, origin->epoch, sizeof(origin->epoch));
		memcpy(origin->epoch, header->epoch, sizeof(origin->epoch));
		origin->seq = 0;
	}
	origin->state = ORIGIN_UNKNOWN;
	origin->last = header->n;
	begin_apply(&apply, header);
	if (apply.from_home)
		cpg_mirror_suspend();
	cpg_apply_everything(&apply);
}

/*
 * Only homes tell of cells.  Two of them overwrite each other's values in Redis,
 * which both then refuse: say so, now and then.
 */
static void
watch_homes(const CpgMessageHeader *header)
{
	static int64 reported_at = 0;
	int64		now = cpg_clock_now();

	if (is_home(header->origin) || (reported_at != 0 && now - reported_at < REPORT_TIME))
		return;
	reported_at = now;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("server \"%s\" of the cachepg cluster writes to Redis as another home", header->origin),
			 errdetail("What one home writes the other refuses."),
			 errhint("Set \"cachepg.l2_home\" on all servers but one.")));
}

/* Apply the items of a message. */
static void
apply_items(CpgMessageReader *reader, const CpgMessageHeader *header)
{
	char		name[CPG_MESSAGE_SIZE_MAX];
	CpgMessageItem item;
	CpgApply	apply;

	begin_apply(&apply, header);
	if (apply.from_home)
		cpg_mirror_note_change(header->seq);
	note_position(header);
	while (cpg_message_next(reader, &item, name, sizeof(name)))
	{
		if (item.what == CPG_MESSAGE_CELL)
			watch_homes(header);
		if (item.what == CPG_MESSAGE_DATABASE && header->database[0] == '\0')
			cpg_apply_everything(&apply);
		else
			cpg_apply_item(&apply, &item);
	}
	/* what cannot be read may be about anything */
	if (reader->fault != CPG_MESSAGE_FAULT_NONE)
		cpg_apply_everything(&apply);
}

/* Whether what was said at a time tells that somebody is alive now. */
static bool
is_fresh(int64 said)
{
	return cpg_clock_now() - said <= cpg_bus_silence || CPG_SKIP("bus-late");
}

/*
 * The home has sent everything up to a number.  Only a beat says so: any other
 * message may be the first of many, the rest of which was committed before it and
 * is not known here yet.
 */
static void
take_beat(Origin *origin, const CpgMessageHeader *header, int64 said)
{
	bool		began = origin->state == ORIGIN_UNKNOWN;

	if (header->seq <= origin->seq)
		return;
	origin->seq = header->seq;
	if (!began && is_home(origin->name))
		cpg_mirror_reach(header->seq);
	if (catching_up || !is_fresh(said))
		return;
	origin->state = ORIGIN_CURRENT;
	if (!is_home(origin->name))
		return;
	if (began)
		cpg_mirror_begin(origin->epoch, header->seq);
	cpg_mirror_heard(said);
	cpg_mirror_resume();
}

/*
 * A message of another server, made at a time of the cache's clock.  One that has
 * come before is of no interest; a beat has the number of the message before it.
 */
static void
take_message(CpgMessageReader *reader, const CpgMessageHeader *header, int64 said)
{
	bool		found;
	Origin	   *origin = find_origin(header->origin, &found);
	bool		same = found && memcmp(origin->epoch, header->epoch, sizeof(origin->epoch)) == 0;
	bool		beat = header->kind == CPG_MESSAGE_BEAT;
	uint64		expected;

	if (!same && (catching_up || !is_fresh(said) || (found && memcmp(origin->before, header->epoch,
																	 sizeof(origin->before)) == 0)))
		return;
	if (!found)
	{
		origin = add_origin();
		strlcpy(origin->name, header->origin, sizeof(origin->name));
	}
	origin->heard = cpg_clock_now();
	expected = origin->last + (beat ? 0 : 1);
	if (!same)
		lose_track(origin, header);
	else if (header->n < expected)
		return;
	else if (header->n > expected && !CPG_SKIP("bus-gaps"))
		lose_track(origin, header);
	origin->last = header->n;
	if (!beat)
		apply_items(reader, header);
	if (beat || CPG_SKIP("bus-beats"))
		take_beat(origin, header, said);
}

/* Servers of the same name would not hear of each other: say so, once. */
static void
watch_namesakes(const CpgMessageHeader *header)
{
	static bool reported = false;
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];

	cpg_bus_epoch(epoch);
	if (reported || catching_up || memcmp(epoch, header->epoch, sizeof(epoch)) == 0)
		return;
	reported = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("another server of the cachepg cluster has the name \"%s\"", header->origin),
			 errdetail("Neither hears what the other one invalidates."),
			 errhint("Give each server a \"cachepg.server_name\" of its own.")));
}

static void
take_bytes(const char *data, Size len, int64 said)
{
	CpgMessageReader reader;
	CpgMessageHeader header;

	/* what is not of this version is of a server that will be missed */
	if (cpg_message_open(&reader, data, len, &header) != CPG_MESSAGE_FAULT_NONE)
		return;
	stream_heard = cpg_clock_now();
	if (strcmp(header.origin, cpg_bus_origin()) == 0)
		watch_namesakes(&header);
	else
		take_message(&reader, &header, said);
}

/*
 * A time of Redis' clock on the cache's, or an earlier one.  Zero, which is long
 * ago, for one that is not given.
 */
static int64
local_time_of(const CpgRedisReply *fields)
{
	int64		now = cpg_clock_now();

	if (CPG_SKIP("bus-late"))
		return now;
	if (redis_clock == 0 || fields->count < 4 || fields->items[3].type != CPG_REDIS_STRING)
		return 0;
	return Min(redis_clock_at + (int64) strtoll(fields->items[3].data, NULL, 10) - redis_clock, now);
}

/* One entry of the stream: its identifier, and fields with values. */
static void
take_entry(const CpgRedisReply *entry)
{
	const CpgRedisReply *fields;

	if (entry->type != CPG_REDIS_ARRAY || entry->count != 2 ||
		entry->items[0].type != CPG_REDIS_STRING || entry->items[0].len >= ID_SIZE)
		return;
	memcpy(last_id, entry->items[0].data, entry->items[0].len);
	last_id[entry->items[0].len] = '\0';
	fields = &entry->items[1];
	if (fields->type == CPG_REDIS_ARRAY && fields->count >= 2 &&
		fields->items[1].type == CPG_REDIS_STRING)
		take_bytes(fields->items[1].data, fields->items[1].len, local_time_of(fields));
}

/* There are no more messages for now. */
static void
caught_up(void)
{
	catching_up = false;
	read_count = READ_COUNT;
}

/* What XREAD answered: for each stream its name and entries. */
static void
take_reply(const CpgRedisReply *reply)
{
	const CpgRedisReply *entries;

	if (reply->type == CPG_REDIS_NIL)
		caught_up();
	if (reply->type != CPG_REDIS_ARRAY || reply->count != 1 ||
		reply->items[0].type != CPG_REDIS_ARRAY || reply->items[0].count != 2)
		return;
	entries = &reply->items[0].items[1];
	for (int i = 0; entries->type == CPG_REDIS_ARRAY && i < entries->count; i++)
		take_entry(&entries->items[i]);
	if (entries->count < read_count)
		caught_up();
}

/* Who has been silent for too long is not current any more. */
static void
watch_silence(void)
{
	int64		now = cpg_clock_now();

	if (now - stream_heard > cpg_bus_silence && last_id[0] != '$')
	{
		strlcpy(last_id, "0-0", sizeof(last_id));
		catching_up = true;
		stream_heard = now;
	}
	if (cpg_mirror_exists() && !cpg_mirror_current(now))
		cpg_mirror_suspend();
}

/* ---------------------------------------------------------------------
 * The worker
 * ---------------------------------------------------------------------
 */

/* Register the subscriber; called once, by _PG_init in the postmaster. */
void
cpg_subscriber_register(void)
{
	cpg_worker_add("subscriber", BgWorkerStart_ConsistentState, RESTART_SECONDS);
}

static void
end_service(int code, Datum arg)
{
	cpg_mirror_suspend();
}

static void
see_to_settings(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	watch_silence();
}

static bool
ask_clock(int node)
{
	const char *argv[] = {"TIME"};
	size_t		lens[] = {4};

	return cpg_redis_send(node, 1, argv, lens) == CPG_REDIS_OK;
}

static bool
ask(int node)
{
	static const char *block = CppAsString2(BLOCK_TIME);
	const char *key = cpg_bus_key();
	char		count[12];
	const char *argv[] = {"XREAD", "COUNT", count, "BLOCK", block, "STREAMS", key, last_id};
	size_t		lens[] = {5, 5, 0, 5, strlen(block), 7, strlen(key), strlen(last_id)};

	lens[2] = (size_t) snprintf(count, sizeof(count), "%d", read_count);
	return cpg_redis_send(node, 8, argv, lens) == CPG_REDIS_OK;
}

/* Have a node of Redis Cluster take the next command, though it should not. */
static bool
say_asking(int node)
{
	const char *argv[] = {"ASKING"};
	size_t		lens[] = {6};

	return cpg_redis_send(node, 1, argv, lens) == CPG_REDIS_OK;
}

/* Wait for an answer, perhaps an error; false if none comes. */
static bool
wait_for(int node, CpgRedisReply *reply)
{
	int64		end = cpg_clock_now() + BLOCK_TIME + ANSWER_TIME;
	CpgRedisStatus status;

	while ((status = cpg_redis_receive(node, 100, reply)) == CPG_REDIS_NOT_YET)
	{
		ResetLatch(MyLatch);
		see_to_settings();
		if (cpg_clock_now() > end)
		{
			cpg_redis_hang_up(node);
			return false;
		}
	}
	/* messages can be longer together than a reply may be */
	if (status == CPG_REDIS_VIOLATION)
		read_count = Max(read_count / 2, 1);
	return status == CPG_REDIS_OK;
}

/* Know what time it is for Redis, about. */
static bool
read_clock(int node)
{
	int64		now = cpg_clock_now();
	CpgRedisReply reply;

	if (redis_clock != 0 && now - redis_clock_at < CLOCK_TIME)
		return true;
	redis_clock = 0;
	if (!ask_clock(node) || !wait_for(node, &reply) || reply.type == CPG_REDIS_ERROR)
		return false;
	redis_clock_at = now;
	redis_clock = cpg_redis_reply_time(&reply);
	return true;
}

/*
 * Ask a node and take what comes; false if that failed.  *node becomes the node
 * that it redirects to, negative without a redirection.
 */
static bool
hear_from(int *node, bool *asking)
{
	int			asked = *node;
	bool		detour = *asking;
	CpgRedisReply reply;

	*node = -1;
	if (!read_clock(asked) || (detour && !say_asking(asked)))
		return false;
	if (!ask(asked) || (detour && !wait_for(asked, &reply)) || !wait_for(asked, &reply))
		return false;
	if (reply.type == CPG_REDIS_ERROR)
	{
		*node = cpg_redis_redirection(asked, &reply, asking);
		return false;
	}
	take_reply(&reply);
	return true;
}

/* The same, and once more where it redirects to. */
static bool
hear(void)
{
	int			node = cpg_redis_node_for(cpg_bus_key(), strlen(cpg_bus_key()));
	bool		asking = false;

	if (hear_from(&node, &asking))
		return true;
	/* another node has a clock of its own */
	redis_clock = 0;
	if (node >= 0 && hear_from(&node, &asking))
		return true;
	redis_clock = 0;
	return false;
}

/* Main loop.  SIGUSR1 keeps its standard handler, so barriers are answered. */
void
cachepg_subscriber_main(Datum arg)
{
	uint32		wait_event;
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wait_event = CPG_WAIT_EVENT_NEW("CachePgSubscriber");
	before_shmem_exit(end_service, (Datum) 0);
	context = AllocSetContextCreate(TopMemoryContext, "cachepg subscriber", ALLOCSET_DEFAULT_SIZES);
	stream_heard = cpg_clock_now();

	for (;;)
	{
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		ResetLatch(MyLatch);
		see_to_settings();
		if (cpg_redis_configured() && hear())
			continue;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, RETRY_TIME,
						 wait_event);
	}
}
