/*-------------------------------------------------------------------------
 *
 * broadcaster.c
 *	  The worker that sends to Redis: what commits invalidated, as messages,
 *	  and values (values.c).
 *
 * Messages are numbered.  One that Redis has not acknowledged is sent again as
 * it was, so that its number means the same thing to whoever got it already;
 * until then nothing after it is sent, and the ring (bus/ring.c) fills.
 * Values are sent once: what Redis does not take is gone, and will be loaded
 * again.
 *
 * A message may reach the stream long after it was sent: Redis may have stood
 * still.  So beside it there is the time of Redis' clock at which it was made, as
 * far as that is known here; from that followers see how late it is.
 *
 * Starts after recovery: a standby commits nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus.h"
#include "clock.h"
#include "common/pg_prng.h"
#include "compat.h"
#include "fault.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "policy/registry.h"
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
#include "worker/values.h"
#include "worker/register.h"
#include "worker/sending.h"
#include "worker/worker.h"

#define RESTART_SECONDS 1
#define BACKOFF_MIN		100		/* ms */
#define BACKOFF_MAX		5000
#define SEEN_MAX		64		/* cells of a message that are not repeated */
#define MESSAGES_AT_ONCE 16
#define GATHER			1000	/* microseconds between two batches, at least */
#define BEATS_APART 5			/* ms between two heartbeats, at least */

/* Messages of one batch, made before the first of them is sent. */
typedef struct Outbox
{
	CpgBusBatch batch;
	MemoryContext context;
	char	   *draft;			/* of a message, CPG_MESSAGE_SIZE_MAX bytes */
	StringInfo *message;
	int			count;
	int			sent;
	int			room;
	uint64		last;			/* number of the last of them */
	int64		made;			/* ms of Redis' clock, at most; 0: unknown */
} Outbox;

static Outbox outbox;
static int	failures = 0;		/* in succession */
static int64 retry_at = 0;
static int64 beat_at = 0;		/* when the next heartbeat is due */
static int64 last_beat = 0;

/* Redis' clock, ms, and when it was read, at the latest. */
static int64 redis_clock = 0;
static int64 redis_clock_at = 0;

/* ---------------------------------------------------------------------
 * Messages
 * ---------------------------------------------------------------------
 */

static void
set_header(CpgMessageHeader *header, CpgMessageKind kind, uint64 n, uint64 seq, XLogRecPtr lsn)
{
	memset(header, 0, sizeof(*header));
	header->kind = kind;
	strlcpy(header->origin, cpg_bus_origin(), sizeof(header->origin));
	cpg_bus_epoch(header->epoch);
	header->n = n;
	header->seq = seq;
	header->system = GetSystemIdentifier();
	header->timeline = GetWALInsertionTimeLine();
	header->lsn = lsn;
}

/* Begin one more message of the batch. */
static void
begin_message(CpgMessageWriter *writer, const CpgMessageHeader *header)
{
	if (!cpg_message_begin(writer, outbox.draft, CPG_MESSAGE_SIZE_MAX, header))
		elog(ERROR, "could not begin a message");
}

/* Put it into the outbox. */
static void
end_message(const CpgMessageWriter *writer)
{
	StringInfo	message = palloc(sizeof(StringInfoData));

	message->len = (int) writer->len;
	message->maxlen = message->len + 1;
	message->cursor = 0;
	message->data = palloc(message->maxlen);
	memcpy(message->data, outbox.draft, message->len);
	message->data[message->len] = '\0';
	if (outbox.count == outbox.room)
	{
		outbox.room = Max(2 * outbox.room, 16);
		outbox.message = outbox.message == NULL ? palloc(outbox.room * sizeof(StringInfo))
			: repalloc(outbox.message, outbox.room * sizeof(StringInfo));
	}
	outbox.message[outbox.count++] = message;
}

/* Everything in a database, or in all of them. */
static void
write_lost(const CpgBusLost *lost)
{
	const char *name = OidIsValid(lost->database) ? cpg_database_name(lost->database) : NULL;
	int			number = OidIsValid(lost->database) ? cpg_registry_find_database(lost->database) : -1;
	CpgMessageItem item = {.what = CPG_MESSAGE_DATABASE};
	CpgMessageHeader header;
	CpgMessageWriter writer;

	set_header(&header, CPG_MESSAGE_INVAL, ++outbox.last, lost->number, lost->lsn);
	if (name != NULL && number >= 0)
	{
		strlcpy(header.database, name, sizeof(header.database));
		item.cell = cpg_cell_database(cpg_guard, (uint16) number);
	}
	begin_message(&writer, &header);
	(void) cpg_message_append(&writer, &item);
	end_message(&writer);
}

static bool
is_of_key(CpgMessageWhat what)
{
	return what == CPG_MESSAGE_KEY || what == CPG_MESSAGE_EXPIRE_KEY;
}

/* Whether the message has said that already; remembers the last few cells. */
static bool
is_repeated(CpgMessageItem *seen, int *nseen, const CpgMessageItem *item)
{
	if (is_of_key(item->what))
		return false;
	for (int i = 0; i < Min(*nseen, SEEN_MAX); i++)
	{
		if (seen[i].cell == item->cell && seen[i].what == item->what &&
			cpg_span_equal(seen[i].name, item->name))
			return true;
	}
	seen[(*nseen)++ % SEEN_MAX] = *item;
	return false;
}

static void
read_item(const CpgBusItem *from, CpgMessageItem *to)
{
	memset(to, 0, sizeof(*to));
	to->what = from->what;
	to->cell = from->cell;
	to->name = cpg_span(from->name, from->len);
	if (from->what == CPG_MESSAGE_TABLE)
	{
		Size		schema = strnlen(from->name, from->len);

		to->schema = cpg_span(from->name, schema);
		to->name = cpg_span(from->name + schema + 1, from->len - schema - 1);
	}
}

static void
begin_message_of(CpgMessageWriter *writer, const CpgBusTaken *record, XLogRecPtr lsn)
{
	const char *database = cpg_database_name(record->database);
	CpgMessageHeader header;

	set_header(&header, CPG_MESSAGE_INVAL, ++outbox.last, record->number, lsn);
	strlcpy(header.database, database != NULL ? database : "", sizeof(header.database));
	begin_message(writer, &header);
}

/*
 * Records that share a message, or several if they are long: all have the number
 * of the last one.
 */
static void
write_together(const CpgBusTaken *records, int count)
{
	CpgMessageItem seen[SEEN_MAX];
	int			nseen = 0;
	XLogRecPtr	lsn = InvalidXLogRecPtr;
	CpgMessageWriter writer;
	bool		begun = false;

	for (int i = 0; i < count; i++)
		lsn = Max(lsn, records[i].lsn);
	for (int i = 0; i < count; i++)
	{
		CpgBusItem	item;
		Size		at = 0;

		while (cpg_bus_next_item(&records[i], &at, &item))
		{
			CpgMessageItem line;

			read_item(&item, &line);
			if (is_repeated(seen, &nseen, &line))
				continue;
			if (begun && cpg_message_append(&writer, &line))
				continue;
			if (begun)
				end_message(&writer);
			begin_message_of(&writer, &records[count - 1], lsn);
			(void) cpg_message_append(&writer, &line);
			begun = true;
		}
	}
	if (begun)
		end_message(&writer);
}

static bool
has_keys(const CpgBusTaken *record)
{
	CpgBusItem	item;
	Size		at = 0;

	while (cpg_bus_next_item(record, &at, &item))
	{
		if (is_of_key(item.what) && !CPG_SKIP("bus-keys-alone"))
			return true;
	}
	return false;
}

/*
 * How many records, from the first on, can share a message.  With the number of
 * a later one what a commit has set would seem to be invalidated by it, so those
 * with keys stand alone; of the others what was loaded between the first and the
 * last seems invalid: in about GATHER of time, or while Redis was away.
 */
static int
count_together(const CpgBusTaken *records, int count)
{
	int			n = 1;

	if (has_keys(&records[0]) || CPG_SKIP("bus-together"))
		return 1;
	while (n < count && records[n].database == records[0].database && !has_keys(&records[n]))
		n++;
	return n;
}

static void
write_records(void)
{
	int			room = 64;
	int			count = 0;
	CpgBusTaken *records = palloc(room * sizeof(CpgBusTaken));
	Size		at = 0;

	while (cpg_bus_next(&outbox.batch, &at, &records[count]))
	{
		if (++count == room)
		{
			room *= 2;
			records = repalloc(records, room * sizeof(CpgBusTaken));
		}
	}
	for (int i = 0; i < count;)
	{
		int			n = count_together(&records[i], count - i);

		write_together(&records[i], n);
		i += n;
	}
}

/* Nothing was left to say, up to this number. */
static void
write_beat(void)
{
	CpgMessageHeader header;
	CpgMessageWriter writer;

	set_header(&header, CPG_MESSAGE_BEAT, outbox.last, outbox.batch.settled, GetXLogInsertRecPtr());
	begin_message(&writer, &header);
	end_message(&writer);
	last_beat = cpg_clock_now();
	beat_at = last_beat + cpg_bus_heartbeat;
}

/*
 * A heartbeat follows what was told, so that others know that this was all; if
 * there is much to tell, not each time.
 */
static void
write_beat_if_due(void)
{
	int64		now = cpg_clock_now();

	if (outbox.count > 0)
		beat_at = Min(beat_at, last_beat + BEATS_APART);
	if (outbox.batch.drained && now >= beat_at)
		write_beat();
}

/* Make the messages of what there is, if all of the last batch is sent. */
static void
fill_outbox(void)
{
	MemoryContext old;

	if (outbox.sent < outbox.count)
		return;
	MemoryContextReset(outbox.context);
	outbox.message = NULL;
	outbox.count = outbox.sent = outbox.room = 0;
	old = MemoryContextSwitchTo(outbox.context);
	outbox.last = cpg_bus_last_number();
	/* before it is seen what there is to tell */
	outbox.made = redis_clock > 0 ? redis_clock + cpg_clock_now() - redis_clock_at : 0;
	cpg_bus_collect(&outbox.batch);
	for (int i = 0; i < outbox.batch.nlost; i++)
		write_lost(&outbox.batch.lost[i]);
	write_records();
	if (outbox.count > 0)
		cpg_bus_note_number(outbox.last);
	write_beat_if_due();
	MemoryContextSwitchTo(old);
}

/* ---------------------------------------------------------------------
 * Sending
 * ---------------------------------------------------------------------
 */

/* Say when it goes wrong and when it is well again; how long to wait is drawn. */
static void
note_failure(const char *why)
{
	int64		most = Min((int64) BACKOFF_MIN << Min(failures, 10), BACKOFF_MAX);
	int64		wait = (int64) (pg_prng_double(&pg_global_prng_state) * (double) most);

	failures++;
	retry_at = cpg_clock_now() + wait;
	/* the first few, then every doubling */
	if (failures <= 5 || (failures & (failures - 1)) == 0)
		ereport(LOG,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("cachepg could not tell other servers of invalidations: %s",
						why),
				 errdetail("Attempt %d, retrying in " INT64_FORMAT " ms.", failures, wait)));
}

static void
note_success(void)
{
	if (failures > 0)
		ereport(LOG, (errmsg("cachepg tells other servers of invalidations again"),
					  errdetail("Recovered after %d attempts.", failures)));
	failures = 0;
	retry_at = 0;
	cpg_bus_note_sending(cpg_clock_now());
}

/* The answer to TIME: seconds and microseconds. */
static void
note_redis_clock(const CpgRedisReply *reply)
{
	redis_clock_at = cpg_clock_now();
	redis_clock = cpg_redis_reply_time(reply);
}

/*
 * Send the next messages together; *taken is how many of them Redis has, from
 * the first on, and *refusal the server's code if it does not take the next.
 * What follows a refused one may have been taken: whoever hears it misses one,
 * and forgets what he has.
 */
static CpgRedisStatus
send_some(int *taken, const char **refusal)
{
	static const char *clock[] = {"TIME"};
	static const size_t clock_lens[] = {4};
	static char code[CPG_REDIS_CODE_SIZE];
	int			count = Min(outbox.count - outbox.sent, MESSAGES_AT_ONCE);
	CpgSending	sending[MESSAGES_AT_ONCE];
	CpgRedisCommand command[2 * MESSAGES_AT_ONCE + 1];
	CpgRedisReply reply[2 * MESSAGES_AT_ONCE + 1];
	char		length[16];
	char		made[24];
	CpgRedisStatus status;

	(void) snprintf(length, sizeof(length), "%d", cpg_bus_stream_length);
	(void) snprintf(made, sizeof(made), INT64_FORMAT, outbox.made);
	for (int i = 0; i < count; i++)
		cpg_sending_prepare(&sending[i], &command[2 * i], outbox.message[outbox.sent + i], length, made);
	command[2 * count].argc = 1;
	command[2 * count].argv = clock;
	command[2 * count].lens = clock_lens;
	status = cpg_redis_pipeline(cpg_redis_node_for(cpg_bus_key(), strlen(cpg_bus_key())),
								command, 2 * count + 1, 0, CPG_SEND_TIMEOUT, reply);
	if (status == CPG_REDIS_OK)
		note_redis_clock(&reply[2 * count]);
	*taken = 0;
	*refusal = NULL;
	while (status == CPG_REDIS_OK && *taken < count && *refusal == NULL)
	{
		if (reply[2 * *taken].type == CPG_REDIS_ERROR)
		{
			cpg_reply_code(&reply[2 * *taken], code, sizeof(code));
			*refusal = code[0] != '\0' ? code : "ERR";
		}
		else
			(*taken)++;
	}
	return status;
}

/* Send what is in the outbox; false if Redis does not take it. */
static bool
send_messages(void)
{
	while (outbox.sent < outbox.count)
	{
		const char *refusal;
		int			taken;
		CpgRedisStatus status = send_some(&taken, &refusal);

		if (outbox.sent + 1 < outbox.count)
			CPG_FAULT("bus-half-sent");
		CHECK_FOR_INTERRUPTS();
		outbox.sent += taken;
		if (status != CPG_REDIS_OK || refusal != NULL)
		{
			note_failure(refusal != NULL ? refusal : cpg_redis_status_text(status));
			return false;
		}
		note_success();
		if (outbox.sent == outbox.count)
			cpg_bus_acknowledge(&outbox.batch, outbox.last);
	}
	return true;
}

/* ---------------------------------------------------------------------
 * The worker
 * ---------------------------------------------------------------------
 */

/* Register the broadcaster; called once, by _PG_init in the postmaster. */
void
cpg_broadcaster_register(void)
{
	cpg_worker_add("broadcaster", BgWorkerStart_RecoveryFinished, RESTART_SECONDS);
}

static void
stand_down(int code, Datum arg)
{
	cpg_bus_activate(false);
}

/* How long to sleep: until a message or a heartbeat is due. */
static long
pause_length(bool more)
{
	int64		now = cpg_clock_now();

	if (more)
		return 0;
	return (long) Max(Min((retry_at > now ? retry_at : beat_at) - now, 1000), 1);
}

/*
 * Who sends often lets some records come together: a wakeup, a round trip and a
 * message for each commit would cost a busy server dearly.  Meanwhile nobody has
 * to wake this process.
 */
static void
gather(void)
{
	static instr_time last;
	instr_time	now;
	int64		passed;

	INSTR_TIME_SET_CURRENT(now);
	passed = (int64) ((INSTR_TIME_GET_DOUBLE(now) - INSTR_TIME_GET_DOUBLE(last)) * 1e6);
	if (passed < GATHER)
		pg_usleep(GATHER - Max(passed, 0));
	INSTR_TIME_SET_CURRENT(last);
}

/* One round; true if there may be more to do at once. */
static bool
work(void)
{
	bool		more = false;

	if (!cpg_redis_configured())
		return false;
	if (cpg_clock_now() >= retry_at)
	{
		fill_outbox();
		if (outbox.count > outbox.sent)
			more = send_messages() && !outbox.batch.drained;
	}

	/*
	 * values and locks may be on other servers than the bus; else they wait
	 * for it
	 */
	if (failures == 0 || cpg_redis_count() > 1)
		more |= cpg_values_send();
	return more;
}

/* Main loop.  SIGUSR1 keeps its standard handler, so barriers are answered. */
void
cachepg_broadcaster_main(Datum arg)
{
	uint32		wait_event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wait_event = CPG_WAIT_EVENT_NEW("CachePgBroadcaster");
	before_shmem_exit(stand_down, (Datum) 0);
	outbox.context = AllocSetContextCreate(TopMemoryContext, "cachepg outbox",
										   ALLOCSET_DEFAULT_SIZES);
	outbox.draft = MemoryContextAlloc(TopMemoryContext, CPG_MESSAGE_SIZE_MAX);
	outbox.batch.data = MemoryContextAlloc(TopMemoryContext, CPG_BUS_BATCH_BYTES);
	cpg_values_prepare();
	CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "cachepg broadcaster",
												 ALLOCSET_DEFAULT_SIZES);
	cpg_bus_activate(true);

	for (;;)
	{
		bool		more;

		gather();
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		more = work();
		MemoryContextReset(CurrentMemoryContext);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause_length(more), wait_event);
	}
}
