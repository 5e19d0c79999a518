/*-------------------------------------------------------------------------
 *
 * slots.c
 *	  What is known of flights, in shared memory.  See flight.h.
 *
 * A stripe has a spinlock that is held for a few comparisons.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "core/hash.h"
#include "flight/flight_internal.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/proc.h"

static uint32
processes(void)
{
	return (uint32) (MaxBackends + NUM_AUXILIARY_PROCS + max_prepared_xacts);
}

Size
cpg_flights_size(uint32 max_namespaces)
{
	return sizeof(CpgSharedFlights) + max_namespaces * sizeof(CpgSharedLane) +
		processes() * sizeof(pg_atomic_uint64);
}

static void
init_stripe(CpgFlightStripe *stripe)
{
	SpinLockInit(&stripe->lock);
	stripe->flights = 0;
	ConditionVariableInit(&stripe->changed);
	memset(stripe->slot, 0, sizeof(stripe->slot));
}

static void
init_lane(CpgSharedLane *lane)
{
	memset(lane, 0, sizeof(*lane));
	pg_atomic_init_u32(&lane->loads, 0);
	pg_atomic_init_u32(&lane->waiters, 0);
	SpinLockInit(&lane->lock);
	cpg_breaker_init(&lane->breaker);
}

void
cpg_flights_init(CpgSharedFlights *flights, uint32 max_namespaces)
{
	flights->nprocs = processes();
	flights->lanes_offset = sizeof(CpgSharedFlights);
	flights->waiting_offset = flights->lanes_offset + max_namespaces * sizeof(CpgSharedLane);
	for (int i = 0; i < CPG_FLIGHT_STRIPES; i++)
		init_stripe(&flights->stripe[i]);
	for (uint32 i = 0; i < max_namespaces; i++)
		init_lane(cpg_flight_lane((int) i));
	for (uint32 i = 0; i < flights->nprocs; i++)
		pg_atomic_init_u64(cpg_flight_waiting((int) i), 0);
}

CpgSharedLane *
cpg_flight_lane(int number)
{
	return (CpgSharedLane *) ((char *) cpg_flights + cpg_flights->lanes_offset) + number;
}

pg_atomic_uint64 *
cpg_flight_waiting(int proc)
{
	return (pg_atomic_uint64 *) ((char *) cpg_flights + cpg_flights->waiting_offset) + proc;
}

CpgFlightStripe *
cpg_flight_stripe(uint64 tag)
{
	return &cpg_flights->stripe[tag % CPG_FLIGHT_STRIPES];
}

/* The tag of the variant that a key names, by its hash, never 0. */
uint64
cpg_flight_tag(const CpgKey *key)
{
	uint64		hash = cpg_hash_combine(key->hash, MyDatabaseId);

	hash = cpg_hash_combine(hash, key->role);
	hash = cpg_hash_combine(hash, key->fingerprint);
	return hash == 0 ? 1 : hash;
}

/* The slot of a tag, NULL if it has none. */
CpgFlightSlot *
cpg_flight_slot_locked(CpgFlightStripe *stripe, uint64 tag)
{
	for (int i = 0; i < CPG_FLIGHT_SLOTS; i++)
	{
		if (stripe->slot[i].tag == tag)
			return &stripe->slot[i];
	}
	return NULL;
}

/* What may be displaced, the less useful the higher; 0 for what may not. */
static int
uselessness(const CpgFlightSlot *slot)
{
	if (slot->tag == 0)
		return 3;
	if (slot->waiters > 0 || slot->state == CPG_FLIGHT_LOADING)
		return 0;
	return slot->state == CPG_FLIGHT_IDLE ? 2 : 1;
}

/*
 * The slot of a tag, made if need be; NULL if all are in use by others.
 */
CpgFlightSlot *
cpg_flight_slot_for_locked(CpgFlightStripe *stripe, uint64 tag)
{
	CpgFlightSlot *slot = cpg_flight_slot_locked(stripe, tag);
	int			best = 0;

	if (slot != NULL)
		return slot;
	for (int i = 0; i < CPG_FLIGHT_SLOTS; i++)
	{
		int			useless = uselessness(&stripe->slot[i]);

		if (useless > best ||
			(useless == best && useless > 0 && stripe->slot[i].until < slot->until))
		{
			best = useless;
			slot = &stripe->slot[i];
		}
	}
	if (slot != NULL)
	{
		memset(slot, 0, sizeof(*slot));
		slot->tag = tag;
		slot->number = stripe->flights;
	}
	return slot;
}

static bool
is_mark(CpgFlightState state)
{
	return state != CPG_FLIGHT_IDLE && state != CPG_FLIGHT_LOADING;
}

static void
view_locked(const CpgFlightStripe *stripe, const CpgFlightSlot *slot, int64 now,
			CpgFlightView *view)
{
	memset(view, 0, sizeof(*view));
	view->number = stripe->flights;
	if (slot == NULL)
		return;
	view->state = (CpgFlightState) slot->state;
	view->number = slot->number;
	view->handed = slot->handed;
	view->failures = slot->failures;
	view->in_a_row = slot->in_a_row;
	view->sqlerrcode = slot->sqlerrcode;
	view->until = slot->until;
	view->foreground = slot->foreground > now;
	view->private = slot->private > now;
	view->resting = slot->resting > now;
	if (is_mark(view->state) && view->until <= now)
	{
		view->forsaken = view->state == CPG_FLIGHT_QUEUED;
		view->state = CPG_FLIGHT_IDLE;
	}
}

/* What is known of a tag. */
void
cpg_flight_look(uint64 tag, int64 now, CpgFlightView *view)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);

	SpinLockAcquire(&stripe->lock);
	view_locked(stripe, cpg_flight_slot_locked(stripe, tag), now, view);
	SpinLockRelease(&stripe->lock);
}

/* Note a time in a field of a tag's slot. */
static void
note_until(uint64 tag, Size field, int64 until)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);
	CpgFlightSlot *slot;

	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_for_locked(stripe, tag);
	if (slot != NULL)
		*(int64 *) ((char *) slot + field) = until;
	SpinLockRelease(&stripe->lock);
}

/* Note that a value is not to be renewed before it is gone, until a time. */
void
cpg_flight_rest(uint64 tag, int64 until)
{
	note_until(tag, offsetof(CpgFlightSlot, resting), until);
}

/* Note that workers cannot load a tag, until a time. */
void
cpg_flight_foreground(uint64 tag, int64 until)
{
	note_until(tag, offsetof(CpgFlightSlot, foreground), until);
}

/* Note that a transaction cannot keep what it loads if it has made changes, until a time. */
void
cpg_flight_private(uint64 tag, int64 until)
{
	note_until(tag, offsetof(CpgFlightSlot, private), until);
}

/*
 * Whether the caller is to have a worker load the tag: true for exactly one
 * until the load has ended or the time has passed.
 */
bool
cpg_flight_claim(uint64 tag, int64 now, int64 until)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);
	CpgFlightSlot *slot;
	CpgFlightView view;
	bool		claimed = false;

	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_for_locked(stripe, tag);
	view_locked(stripe, slot, now, &view);
	if (slot != NULL && view.state == CPG_FLIGHT_IDLE)
	{
		slot->state = CPG_FLIGHT_QUEUED;
		slot->until = until;
		claimed = true;
	}
	SpinLockRelease(&stripe->lock);
	return claimed;
}

/* Take a claim back; nothing happens if a load has begun or a mark was left. */
void
cpg_flight_unclaim(uint64 tag)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);
	CpgFlightSlot *slot;

	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_locked(stripe, tag);
	if (slot != NULL && slot->state == CPG_FLIGHT_QUEUED)
		slot->state = CPG_FLIGHT_IDLE;
	SpinLockRelease(&stripe->lock);
	ConditionVariableBroadcast(&stripe->changed);
}

/* Whether somebody waits for a flight that this process leads. */
bool
cpg_flight_awaited(const CpgFlight *flight)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(flight->tag);
	CpgFlightSlot *slot;
	bool		awaited;

	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_locked(stripe, flight->tag);
	awaited = slot != NULL && slot->waiters > 0;
	SpinLockRelease(&stripe->lock);
	return awaited;
}
