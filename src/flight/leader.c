/*-------------------------------------------------------------------------
 *
 * leader.c
 *	  Loads in progress in this process, and the lock of their leaders.
 *
 * However a load ends, by a result, an error or the end of the process, what it
 * holds is given back: the lock, the slot, the permit, the breaker's probe.  On
 * an error the owner of a CpgFlight does that; at exit a callback does, before
 * the one with which PostgreSQL itself releases locks: followers that it wakes
 * find the lock free.
 *
 * A loader can release the lock behind our back, with pg_advisory_unlock_all()
 * or DISCARD ALL.  At worst there is a second load then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "flight/flight_internal.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/proc.h"

CpgFlight  *cpg_flight = NULL;

static void
lock_tag(uint64 tag, LOCKTAG *lock)
{
	SET_LOCKTAG_ADVISORY(*lock, MyDatabaseId, (uint32) (tag >> 32), (uint32) tag,
						 CPG_FLIGHT_LOCK_CLASS);
}

static void
unlock(uint64 tag)
{
	LOCKTAG		lock;

	lock_tag(tag, &lock);
	if (CPG_LOCK_HELD(&lock, ExclusiveLock))
		LockRelease(&lock, ExclusiveLock, true);
}

static void
end_all(int code, Datum arg)
{
	while (cpg_flight != NULL)
		cpg_flight_end(cpg_flight);
}

static void
watch_exit(void)
{
	static bool watching = false;

	if (watching)
		return;
	before_shmem_exit(end_all, (Datum) 0);
	watching = true;
}

/*
 * Begin a load of this process.  *flight must live until cpg_flight_end, which
 * has to be called also after an error.
 */
void
cpg_flight_begin(CpgFlight *flight, uint64 tag)
{
	watch_exit();
	memset(flight, 0, sizeof(*flight));
	flight->tag = tag;
	flight->permit = -1;
	flight->breaker = -1;
	flight->outer = cpg_flight;
	cpg_flight = flight;
}

/*
 * Begin a load of this process as the leader of a tag, for the namespace of a
 * number.  False, and nothing has begun, if another process is, or if the lock
 * table is full.
 */
bool
cpg_flight_lead(CpgFlight *flight, uint64 tag, int number)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);
	CpgFlightSlot *slot;
	LOCKTAG		lock;

	lock_tag(tag, &lock);
	if (CPG_LOCK_TRY(&lock, ExclusiveLock) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	cpg_flight_begin(flight, tag);
	flight->leading = true;
	SpinLockAcquire(&stripe->lock);
	flight->number = ++stripe->flights;
	slot = cpg_flight_slot_for_locked(stripe, flight->tag);
	if (slot != NULL)
	{
		slot->state = CPG_FLIGHT_LOADING;
		slot->number = flight->number;
		slot->leader = CPG_MY_PROC_NUMBER;
		slot->space = (uint16) number;
	}
	SpinLockRelease(&stripe->lock);
	return true;
}

/*
 * The flight that this process leads has ended: say how, and wake who follows.
 * State is idle or a mark until a time; handed says whether the result was left
 * for the followers.
 */
void
cpg_flight_land(CpgFlight *flight, CpgFlightState state, int sqlerrcode, int64 until, bool handed)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(flight->tag);
	CpgFlightSlot *slot;
	bool		awaited = true;

	if (!flight->leading)
		return;
	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_locked(stripe, flight->tag);
	if (slot != NULL && slot->number == flight->number)
	{
		slot->state = (uint8) state;
		slot->sqlerrcode = sqlerrcode;
		slot->until = until;
		if (state == CPG_FLIGHT_FAILED || state == CPG_FLIGHT_ERROR)
		{
			slot->failures++;
			slot->in_a_row = Min(slot->in_a_row + 1, PG_UINT8_MAX);
		}
		else if (flight->loaded)
		{
			slot->in_a_row = 0;
			slot->resting = 0;
		}
		if (handed)
			slot->handed = flight->number;
		awaited = slot->waiters > 0;
	}
	SpinLockRelease(&stripe->lock);

	flight->leading = false;
	unlock(flight->tag);
	if (awaited)
		ConditionVariableBroadcast(&stripe->changed);
}

/*
 * End a load, and those inside of it that an error has left.  What it still
 * holds goes back, as after a load that never was.
 */
void
cpg_flight_end(CpgFlight *flight)
{
	CpgFlight  *inner;

	do
	{
		inner = cpg_flight;
		cpg_breaker_forget(inner);
		cpg_permit_give_back(inner);
		cpg_flight_land(inner, CPG_FLIGHT_IDLE, 0, 0, false);
		cpg_flight = inner->outer;
	} while (inner != flight);
}

/* Whether this process is loading something. */
bool
cpg_flight_nested(void)
{
	return cpg_flight != NULL;
}

/* Whether a load has begun and not ended. */
bool
cpg_flight_in_progress(const CpgFlight *flight)
{
	for (CpgFlight *f = cpg_flight; f != NULL; f = f->outer)
	{
		if (f == flight)
			return true;
	}
	return false;
}
