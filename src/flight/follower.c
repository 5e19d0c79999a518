/*-------------------------------------------------------------------------
 *
 * follower.c
 *	  Waiting for what somebody else loads.
 *
 * Followers never queue on the leader's lock, so the cache causes no deadlock
 * that PostgreSQL would have to resolve.  They sleep on the stripe's condition
 * variable and look again now and then in any case, less and less often: a
 * thousand of them that looked every 50 ms would keep two cores busy.
 *
 * Two sessions, each loading what the other one's loader wants, would wait for
 * each other.  Whoever waits says for what, and looks along that chain: if it
 * comes back to itself it loads alone.  See cycle.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "common/pg_prng.h"
#include "compat.h"
#include "fault.h"
#include "flight/flight_internal.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/wait_event.h"

#define NAP_FIRST	50			/* ms */
#define NAP_MAX		400

static CpgFollower *following = NULL;

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = CPG_WAIT_EVENT_NEW("CachePgFlightWait");
	return event;
}

static void
leave(const CpgFollower *follower)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(follower->tag);
	CpgFlightSlot *slot;

	pg_atomic_write_u64(cpg_flight_waiting(CPG_MY_PROC_NUMBER), 0);
	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_locked(stripe, follower->tag);
	if (slot != NULL && follower->counted)
		slot->waiters--;
	SpinLockRelease(&stripe->lock);
}

static void
leave_at_exit(int code, Datum arg)
{
	if (following != NULL)
		leave(following);
	following = NULL;
}

/*
 * Begin to wait for flights of a tag.  cpg_follow_end must be called, also
 * after an error.
 */
void
cpg_follow_begin(CpgFollower *follower, uint64 tag)
{
	static bool watching = false;
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);
	CpgFlightSlot *slot;

	if (!watching)
		before_shmem_exit(leave_at_exit, (Datum) 0);
	watching = true;
	memset(follower, 0, sizeof(*follower));
	follower->tag = tag;
	follower->search_at = cpg_clock_now() + DeadlockTimeout;
	ConditionVariablePrepareToSleep(&stripe->changed);
	pg_atomic_write_u64(cpg_flight_waiting(CPG_MY_PROC_NUMBER), tag);
	SpinLockAcquire(&stripe->lock);
	follower->joined = stripe->flights;
	slot = cpg_flight_slot_for_locked(stripe, tag);
	if (slot != NULL)
	{
		slot->waiters++;
		follower->counted = true;
		follower->joined = slot->number;
		follower->failures = slot->failures;
	}
	SpinLockRelease(&stripe->lock);
	following = follower;
}

/* Sleep until something changed, or a while, at most so many milliseconds. */
void
cpg_follow_nap(CpgFollower *follower, int64 longest)
{
	int64		nap = Min(NAP_FIRST << Min(follower->naps, 3), NAP_MAX);

	/* not all of them at once */
	nap += (int64) ((double) nap / 4 * pg_prng_double(&pg_global_prng_state));
	follower->naps++;
	(void) ConditionVariableTimedSleep(&cpg_flight_stripe(follower->tag)->changed,
									   (long) Min(Max(longest, 1), nap), wait_event());
}

/* Wait no longer. */
void
cpg_follow_end(CpgFollower *follower)
{
	ConditionVariableCancelSleep();
	leave(follower);
	following = NULL;
}

/*
 * Whether the load waits, over any number of steps, for this process.  Locks are
 * looked at now and then only.
 */
bool
cpg_follow_deadlocks(CpgFollower *follower)
{
	int64		now;

	if (cpg_flight_nested() && cpg_cycle_of_flights(follower->tag))
		return true;
	now = cpg_clock_now();
	if (now < follower->search_at || CPG_SKIP("lock-cycle"))
		return false;
	follower->search_at = now + DeadlockTimeout;
	return cpg_cycle_through_locks(follower->tag);
}
