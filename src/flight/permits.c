/*-------------------------------------------------------------------------
 *
 * permits.c
 *	  How many loads of a namespace may be in progress at once.
 *
 * A load inside of another one counts but does not wait: loads that hold what
 * others wait for, and wait for what those hold, would never end.  For the same
 * reason one begins beyond the limit if all the others wait for locks that its
 * session holds (cycle.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "flight/flight_internal.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/wait_event.h"

#define NAP_FIRST	50			/* ms */
#define NAP_MAX		400

static bool
try_take(CpgSharedLane *lane, uint32 max_loads)
{
	uint32		loads = pg_atomic_read_u32(&lane->loads);

	while (loads < max_loads)
	{
		if (pg_atomic_compare_exchange_u32(&lane->loads, &loads, loads + 1))
			return true;
	}
	return false;
}

static CpgSharedLane *waits_at = NULL;

static void
stop_waiting(void)
{
	if (waits_at == NULL)
		return;
	pg_atomic_write_u64(cpg_flight_waiting(CPG_MY_PROC_NUMBER), 0);
	pg_atomic_fetch_sub_u32(&waits_at->waiters, 1);
	waits_at = NULL;
}

static void
stop_at_exit(int code, Datum arg)
{
	stop_waiting();
}

static void
start_waiting(CpgSharedLane *lane)
{
	static bool watching = false;

	if (!watching)
		before_shmem_exit(stop_at_exit, (Datum) 0);
	watching = true;
	waits_at = lane;
	pg_atomic_fetch_add_u32(&lane->waiters, 1);
	pg_atomic_write_u64(cpg_flight_waiting(CPG_MY_PROC_NUMBER), CPG_WAITS_FOR_PERMIT);
}

static bool
wait_and_take(int number, CpgSharedLane *lane, uint32 max_loads, int64 wait)
{
	static uint32 event = 0;
	ConditionVariable *changed = &cpg_flight_stripe((uint64) number)->changed;
	int64		end = cpg_clock_now() + Min(wait, PG_INT32_MAX);
	int64		search_at = cpg_clock_now() + DeadlockTimeout;
	int64		nap = NAP_FIRST;
	bool		taken;

	if (event == 0)
		event = CPG_WAIT_EVENT_NEW("CachePgLoadPermit");
	ConditionVariablePrepareToSleep(changed);
	while (!(taken = try_take(lane, max_loads)) && cpg_clock_now() < end)
	{
		(void) ConditionVariableTimedSleep(changed, (long) Max(Min(nap, end - cpg_clock_now()), 1), event);
		nap = Min(nap * 2, NAP_MAX);
		if (cpg_clock_now() < search_at || CPG_SKIP("lock-cycle"))
			continue;
		search_at = cpg_clock_now() + DeadlockTimeout;
		if (cpg_cycle_of_permits(number, max_loads))
		{
			/* none of them would end */
			pg_atomic_fetch_add_u32(&lane->loads, 1);
			taken = true;
			break;
		}
	}
	ConditionVariableCancelSleep();
	return taken;
}

/*
 * Have a load counted, once others have ended if there are max_loads; false if
 * that took longer than "wait" milliseconds.
 */
bool
cpg_permit_take(CpgFlight *flight, int number, int max_loads, int64 wait)
{
	CpgSharedLane *lane = cpg_flight_lane(number);
	bool		taken = true;

	if (flight->outer != NULL)
		pg_atomic_fetch_add_u32(&lane->loads, 1);
	else if (!try_take(lane, (uint32) max_loads))
	{
		if (wait <= 0)
			return false;
		start_waiting(lane);
		PG_TRY();
		{
			taken = wait_and_take(number, lane, (uint32) max_loads, wait);
		}
		PG_FINALLY();
		{
			stop_waiting();
		}
		PG_END_TRY();
	}
	if (taken)
		flight->permit = number;
	return taken;
}

void
cpg_permit_give_back(CpgFlight *flight)
{
	CpgSharedLane *lane;

	if (flight->permit < 0)
		return;
	lane = cpg_flight_lane(flight->permit);
	pg_atomic_fetch_sub_u32(&lane->loads, 1);
	if (pg_atomic_read_u32(&lane->waiters) > 0)
		ConditionVariableBroadcast(&cpg_flight_stripe((uint64) flight->permit)->changed);
	flight->permit = -1;
}
