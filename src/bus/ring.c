/*-------------------------------------------------------------------------
 *
 * ring.c
 *	  The ring of records of commits that the broadcaster has not sent yet.
 *
 * Under the lock: copies, and setting a latch.  Nothing in cpg_bus_draw can
 * fail, as it runs where a transaction is committed already.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus_internal.h"
#include "bus/frames.h"
#include "clock.h"
#include "fault.h"
#include "guc.h"
#include "miscadmin.h"
#include "shmem.h"

#define RING_SHARE	64			/* of the memory */
#define RING_MIN	((Size) 128 * 1024)
#define RING_MAX	((Size) 4 * 1024 * 1024)

/* In the ring, before the items. */
typedef struct Head
{
	uint64		number;
	XLogRecPtr	lsn;
	Oid			database;
	uint32		nitems;
	uint32		len;			/* of the items */
	uint32		pad;
} Head;

static Size
ring_size(Size memory, bool wanted)
{
	if (!wanted)
		return 0;
	return MAXALIGN(Min(Max(memory / RING_SHARE, RING_MIN), RING_MAX));
}

/* Bytes of shared memory; not "wanted" without Redis. */
Size
cpg_bus_size(Size memory, bool wanted, uint32 mirrors)
{
	return CACHELINEALIGN(sizeof(CpgSharedBus)) + ring_size(memory, wanted) +
		mirrors * sizeof(pg_atomic_uint64);
}

/* Make the bus empty and inactive, in a new epoch. */
void
cpg_bus_init(CpgSharedBus *bus, Size memory, bool wanted, uint32 mirrors, int tranche)
{
	memset(bus, 0, sizeof(*bus));
	LWLockInitialize(&bus->lock.lock, tranche);
	bus->ring_size = ring_size(memory, wanted);
	bus->ring_offset = CACHELINEALIGN(sizeof(CpgSharedBus));
	bus->mirrors = mirrors;
	bus->mirror_offset = bus->ring_offset + bus->ring_size;
	while (!pg_strong_random(bus->epoch, sizeof(bus->epoch)))
		;
	pg_atomic_init_u32(&bus->active, 0);
	pg_atomic_init_u64(&bus->lsn, 0);
	pg_atomic_init_u64(&bus->told, 0);
	cpg_mirror_init(bus);
}

/* Whether there is memory for it: Redis was configured at start. */
bool		pg_attribute_hot
cpg_bus_usable(void)
{
	return cpg_bus != NULL && cpg_bus->ring_size > 0;
}

/* Whether commits have to describe what they invalidate. */
bool		pg_attribute_hot
cpg_bus_active(void)
{
	return cpg_bus != NULL && pg_atomic_read_u32(&cpg_bus->active) != 0;
}

/*
 * Whether what is left to the broadcaster will be sent soon, as far as one can
 * tell: there is one, and Redis has taken a message of it lately.
 */
bool
cpg_bus_sending(int64 now)
{
	return cpg_bus_active() && now - (int64) pg_atomic_read_u64(&cpg_bus->told) <= cpg_bus_silence;
}

/* Redis has taken a message. */
void
cpg_bus_note_sending(int64 now)
{
	pg_atomic_write_u64(&cpg_bus->told, (uint64) now);
}

/* Wake the broadcaster, if there is one. */
void
cpg_bus_wake(void)
{
	Latch	   *latch;

	LWLockAcquire(&cpg_bus->lock.lock, LW_SHARED);
	latch = cpg_bus->broadcaster;
	LWLockRelease(&cpg_bus->lock.lock);
	if (latch != NULL)
		SetLatch(latch);
}

/* The 128 bits that tell this life of the server from all others. */
void
cpg_bus_epoch(uint8 *epoch)
{
	memcpy(epoch, cpg_bus->epoch, sizeof(cpg_bus->epoch));
}

/*
 * Called by the broadcaster when it begins and ends.  What happened meanwhile
 * may concern what others know: they are told to forget everything.
 */
void
cpg_bus_activate(bool active)
{
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	cpg_bus->broadcaster = active ? MyLatch : NULL;
	if (active && pg_atomic_read_u32(&cpg_bus->active) == 0)
	{
		/* before the number is drawn: see draw_untold */
		pg_atomic_write_u32(&cpg_bus->active, 1);
		pg_memory_barrier();
		cpg_bus->head = cpg_bus->sent;
		cpg_bus->nlost = 1;
		cpg_bus->lost[0].database = InvalidOid;
		cpg_bus->lost[0].number = cpg_guard_draw(cpg_guard);
		cpg_bus->lost[0].lsn = GetXLogInsertRecPtr();
	}
	LWLockRelease(&cpg_bus->lock.lock);
}

static void
copy_in(uint64 position, const void *data, Size len)
{
	Size		at = position % cpg_bus->ring_size;
	Size		first = Min(len, cpg_bus->ring_size - at);

	memcpy(cpg_bus_ring(cpg_bus) + at, data, first);
	memcpy(cpg_bus_ring(cpg_bus), (const char *) data + first, len - first);
}

static void
copy_out(uint64 position, void *data, Size len)
{
	Size		at = position % cpg_bus->ring_size;
	Size		first = Min(len, cpg_bus->ring_size - at);

	memcpy(data, cpg_bus_ring(cpg_bus) + at, first);
	memcpy((char *) data + first, cpg_bus_ring(cpg_bus), len - first);
}

/* Let a number stand for everything in a database. */
static void
lose_locked(Oid database, uint64 number, XLogRecPtr lsn)
{
	CpgBusLost *lost = cpg_bus->lost;
	int			i = 0;

	while (i < cpg_bus->nlost && lost[i].database != database && lost[i].database != InvalidOid)
		i++;
	if (i == CPG_BUS_LOST_MAX)
	{
		/* all of them, then */
		cpg_bus->nlost = 0;
		database = InvalidOid;
		i = 0;
	}
	if (i == cpg_bus->nlost)
	{
		lost[i].database = database;
		lost[i].lsn = InvalidXLogRecPtr;
		cpg_bus->nlost++;
	}
	lost[i].number = number;
	lost[i].lsn = Max(lsn, lost[i].lsn);
}

/* Put a record into the ring; false if it has no room. */
static bool
append_locked(const CpgBusRecord *record, const Head *head)
{
	Size		bytes = MAXALIGN(sizeof(Head) + record->len);

	if (bytes > cpg_bus->ring_size - (cpg_bus->head - cpg_bus->sent))
		return false;
	copy_in(cpg_bus->head, head, sizeof(Head));
	copy_in(cpg_bus->head + sizeof(Head), record->data, record->len);
	cpg_bus->head += bytes;
	return true;
}

/*
 * Draw a number before there is a broadcaster.  The first one begins by saying
 * that everything up to a number of its own may be invalid; if it began before
 * this number was drawn it may be the smaller one:
 *
 *	 session							broadcaster
 *	 not active
 *										active, draws 7 for everything
 *	 draws 8
 *	 active now: 8 is to be told, too
 */
static uint64
draw_untold(XLogRecPtr lsn)
{
	uint64		number = cpg_guard_draw(cpg_guard);

	pg_memory_barrier();
	if (cpg_bus_active())
	{
		LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
		lose_locked(InvalidOid, number, lsn);
		LWLockRelease(&cpg_bus->lock.lock);
	}
	return number;
}

/*
 * Draw the number of a commit and have others told what it invalidates.  Without a
 * record that is everything in the database; InvalidOid: in all.  Never fails.
 */
uint64		pg_attribute_hot
cpg_bus_draw(const CpgBusRecord *record, Oid database, XLogRecPtr lsn)
{
	Head		head = {.database = database};
	Latch	   *latch;

	if (CPG_SKIP("bus-records"))
		return cpg_guard_draw(cpg_guard);
	if (!cpg_bus_active())
		return cpg_bus_usable() ? draw_untold(lsn) : cpg_guard_draw(cpg_guard);
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	head.number = cpg_guard_draw(cpg_guard);
	/* who has missed a record knows by the next one how far to replay */
	cpg_bus->newest = Max(cpg_bus->newest, lsn);
	head.lsn = cpg_bus->newest;
	if (record != NULL && !record->too_long)
	{
		head.nitems = record->nitems;
		head.len = (uint32) record->len;
	}
	if (head.nitems == 0 || !append_locked(record, &head))
		lose_locked(record != NULL && record->global ? InvalidOid : database, head.number, head.lsn);
	latch = cpg_bus->broadcaster;
	LWLockRelease(&cpg_bus->lock.lock);
	if (latch != NULL)
		SetLatch(latch);
	return head.number;
}

/* The number of the last message. */
uint64
cpg_bus_last_number(void)
{
	uint64		last;

	LWLockAcquire(&cpg_bus->lock.lock, LW_SHARED);
	last = cpg_bus->last_number;
	LWLockRelease(&cpg_bus->lock.lock);
	return last;
}

/*
 * Messages up to a number are about to be sent.  Whoever becomes broadcaster
 * next does not know which of them were, and must not give a number twice: who
 * has heard the first would take the second for a repetition.
 */
void
cpg_bus_note_number(uint64 number)
{
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	cpg_bus->last_number = number;
	LWLockRelease(&cpg_bus->lock.lock);
}

/*
 * On a standby: what the primary invalidated by a commit will be seen here only
 * when that has been replayed.  Noted before the cells are bumped.
 */
void
cpg_bus_note_lsn(XLogRecPtr lsn)
{
	if (lsn > pg_atomic_read_u64(&cpg_bus->lsn))
		pg_atomic_write_u64(&cpg_bus->lsn, lsn);
}

/* What has to be replayed before a load sees all that was invalidated. */
XLogRecPtr
cpg_bus_lsn(void)
{
	return pg_atomic_read_u64(&cpg_bus->lsn);
}

/* Copy as many whole records as a batch holds. */
static void
collect_records_locked(CpgBusBatch *batch)
{
	while (batch->position < cpg_bus->head)
	{
		Head		head;
		Size		bytes;

		copy_out(batch->position, &head, sizeof(head));
		bytes = MAXALIGN(sizeof(Head) + head.len);
		if (batch->len + bytes > CPG_BUS_BATCH_BYTES)
			break;
		copy_out(batch->position, batch->data + batch->len, bytes);
		batch->len += bytes;
		batch->position += bytes;
	}
}

/*
 * Numbers that were drawn and bumped with no record, as when a namespace's
 * number gets another meaning: everything, to be on the safe side.
 */
static void
collect_bumps_locked(CpgBusBatch *batch)
{
	uint64		bumped = pg_atomic_read_u64(&cpg_guard->bumped);

	if (bumped > cpg_bus->bumped_told)
		lose_locked(InvalidOid, bumped, GetXLogInsertRecPtr());
	batch->bumped = bumped;
}

/* Look at what is to be sent; it stays where it is. */
void
cpg_bus_collect(CpgBusBatch *batch)
{
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	collect_bumps_locked(batch);
	batch->len = 0;
	batch->position = cpg_bus->sent;
	batch->nlost = cpg_bus->nlost;
	memcpy(batch->lost, cpg_bus->lost, sizeof(CpgBusLost) * cpg_bus->nlost);
	collect_records_locked(batch);
	batch->drained = batch->position == cpg_bus->head;
	/* drawn, so that a later beat is told from a repeated one */
	batch->settled = cpg_guard_draw(cpg_guard);
	LWLockRelease(&cpg_bus->lock.lock);
}

/* The record at *at of a batch, which moves on; false behind the last. */
bool
cpg_bus_next(const CpgBusBatch *batch, Size *at, CpgBusTaken *taken)
{
	Head		head;

	if (*at >= batch->len)
		return false;
	memcpy(&head, batch->data + *at, sizeof(head));
	taken->database = head.database;
	taken->number = head.number;
	taken->lsn = head.lsn;
	taken->nitems = head.nitems;
	taken->items = batch->data + *at + sizeof(head);
	taken->len = head.len;
	*at += MAXALIGN(sizeof(Head) + head.len);
	return true;
}

/* Take off what has been sent, unless it has grown since. */
void
cpg_bus_acknowledge(const CpgBusBatch *batch, uint64 last_message)
{
	int			kept = 0;

	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	cpg_bus->sent = batch->position;
	cpg_bus->bumped_told = batch->bumped;
	cpg_bus->last_message = last_message;
	cpg_bus->last_number = last_message;
	for (int i = 0; i < cpg_bus->nlost; i++)
	{
		bool		told = false;

		for (int k = 0; k < batch->nlost && !told; k++)
			told = batch->lost[k].database == cpg_bus->lost[i].database &&
				batch->lost[k].number >= cpg_bus->lost[i].number;
		if (!told)
			cpg_bus->lost[kept++] = cpg_bus->lost[i];
	}
	cpg_bus->nlost = kept;
	LWLockRelease(&cpg_bus->lock.lock);
}

/* See how the bus is doing. */
void
cpg_bus_view(CpgBusView *view)
{
	view->active = cpg_bus_active();
	LWLockAcquire(&cpg_bus->lock.lock, LW_SHARED);
	view->messages = cpg_bus->last_message;
	view->unsent = cpg_bus->head - cpg_bus->sent;
	view->lost = cpg_bus->nlost;
	LWLockRelease(&cpg_bus->lock.lock);
	cpg_frames_counts(&view->values, &view->dropped);
	view->follows = cpg_mirror_exists();
	view->current = view->follows && cpg_mirror_current(cpg_clock_now());
	view->heard = (int64) pg_atomic_read_u64(&cpg_bus->heard);
}
