/*-------------------------------------------------------------------------
 *
 * cycle.c
 *	  Whether those that this process waits for wait for this process.
 *
 * PostgreSQL's deadlock detection follows locks and knows nothing of flights.
 * A session keeps the lock of a table that it has read until its transaction
 * ends.  If it then follows a flight whose load queues for that table behind an
 * ALTER TABLE, which waits for the session, all three wait for each other, and
 * nobody but the cache can see it.  So who waits for a load looks along both,
 * flights and locks, as often as PostgreSQL would: every deadlock_timeout.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "flight/flight_internal.h"
#include "shmem.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

#define CHAIN_MAX	32			/* flights, one waiting for the next */
#define SEARCH_MAX	128			/* processes of a search */

/* The process that leads a tag's flight, -1 for none. */
static int
leader_of(uint64 tag)
{
	CpgFlightStripe *stripe = cpg_flight_stripe(tag);
	CpgFlightSlot *slot;
	int			leader = -1;

	SpinLockAcquire(&stripe->lock);
	slot = cpg_flight_slot_locked(stripe, tag);
	if (slot != NULL && slot->state == CPG_FLIGHT_LOADING)
		leader = slot->leader;
	SpinLockRelease(&stripe->lock);
	return leader;
}

/*
 * Whether the leader of a flight waits, over any number of flights, for this
 * process, which leads one, too.  Cheap.
 */
bool
cpg_cycle_of_flights(uint64 tag)
{
	for (int i = 0; i < CHAIN_MAX && tag != 0; i++)
	{
		int			leader = leader_of(tag);

		if (leader < 0)
			return false;
		if (leader == CPG_MY_PROC_NUMBER)
			return true;
		tag = pg_atomic_read_u64(cpg_flight_waiting(leader));
		/* for a permit, which this process may hold */
		if (tag == CPG_WAITS_FOR_PERMIT)
			return true;
	}
	return false;
}

typedef struct Search
{
	int			proc[SEARCH_MAX];
	int			count;
} Search;

static void
add(Search *search, int proc)
{
	if (proc < 0 || search->count == SEARCH_MAX)
		return;
	for (int i = 0; i < search->count; i++)
	{
		if (search->proc[i] == proc)
			return;
	}
	search->proc[search->count++] = proc;
}

/* Add those that hold a lock which a process wants, or asked for it earlier. */
static void
add_blockers(Search *search, int pid)
{
	ArrayType  *blockers;
	const int32 *pids;

	if (pid == 0)
		return;					/* it ended meanwhile */
	blockers = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid)));
	pids = (const int32 *) ARR_DATA_PTR(blockers);
	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(blockers), ARR_DIMS(blockers)); i++)
	{
		/* 0 is a prepared transaction */
		PGPROC	   *proc = pids[i] == 0 ? NULL : BackendPidGetProc(pids[i]);

		if (proc != NULL)
			add(search, CPG_PROC_NUMBER(proc));
	}
	pfree(blockers);
}

/* Whether a process waits, over any number of flights and locks, for this one. */
static bool
waits_for_me(int proc)
{
	Search		search = {.count = 0};

	add(&search, proc);
	for (int i = 0; i < search.count; i++)
	{
		uint64		tag;

		if (search.proc[i] == CPG_MY_PROC_NUMBER)
			return true;
		tag = pg_atomic_read_u64(cpg_flight_waiting(search.proc[i]));
		if (tag != 0 && tag != CPG_WAITS_FOR_PERMIT)
			add(&search, leader_of(tag));
		add_blockers(&search, GetPGProcByNumber(search.proc[i])->pid);
	}
	return false;
}

/* Whether the leader of a tag's flight waits for this process. */
bool
cpg_cycle_through_locks(uint64 tag)
{
	int			leader = leader_of(tag);

	return leader >= 0 && waits_for_me(leader);
}

/*
 * Add who else leads a flight of a stripe in a namespace to "leaders"; returns
 * how many there are then.
 */
static int
add_leaders(CpgFlightStripe *stripe, int number, int *leaders, int count)
{
	SpinLockAcquire(&stripe->lock);
	for (int i = 0; i < CPG_FLIGHT_SLOTS; i++)
	{
		const CpgFlightSlot *slot = &stripe->slot[i];

		if (slot->state == CPG_FLIGHT_LOADING && slot->space == number && slot->leader != CPG_MY_PROC_NUMBER)
			leaders[count++] = slot->leader;
	}
	SpinLockRelease(&stripe->lock);
	return count;
}

/*
 * Whether at least so many loads of a namespace wait for this process.  Lone
 * loads are not seen.
 */
bool
cpg_cycle_of_permits(int number, uint32 max_loads)
{
	int		   *leaders = palloc(CPG_FLIGHT_STRIPES * CPG_FLIGHT_SLOTS * sizeof(int));
	int			count = 0;
	uint32		waiting = 0;

	for (int i = 0; i < CPG_FLIGHT_STRIPES; i++)
		count = add_leaders(cpg_flight_stripe((uint64) i), number, leaders, count);
	for (int i = 0; i < count && waiting < max_loads; i++)
		waiting += waits_for_me(leaders[i]);
	pfree(leaders);
	return waiting >= max_loads;
}
