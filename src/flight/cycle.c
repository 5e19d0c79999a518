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
#include "miscadmin.h"
#include "shmem.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

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
	bool		found;			/* this process */
	MemoryContext context;		/* of one step */
} Search;

static void
add(Search *search, int proc)
{
	if (proc == CPG_MY_PROC_NUMBER)
		search->found = true;
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
	MemoryContext old = MemoryContextSwitchTo(search->context);
	ArrayType  *blockers = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid)));
	const int32 *pids = (const int32 *) ARR_DATA_PTR(blockers);

	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(blockers), ARR_DIMS(blockers)); i++)
	{
		/* 0 is a prepared transaction */
		PGPROC	   *proc = pids[i] == 0 ? NULL : BackendPidGetProc(pids[i]);

		if (proc != NULL)
			add(search, CPG_PROC_NUMBER(proc));
	}
	MemoryContextSwitchTo(old);
	/* it leaves arrays with room for all processes */
	MemoryContextReset(search->context);
}

/* Add those for which a process waits. */
static void
add_awaited(Search *search, int proc)
{
	uint64		tag = pg_atomic_read_u64(cpg_flight_waiting(proc));
	int			pid = GetPGProcByNumber(proc)->pid;

	if (tag != 0 && tag != CPG_WAITS_FOR_PERMIT)
		add(search, leader_of(tag));
	/* 0: it ended meanwhile */
	if (pid != 0)
		add_blockers(search, pid);
}

/* Whether a process waits, over any number of flights and locks, for this one. */
static bool
waits_for_me(int proc)
{
	Search		search = {.count = 0};

	search.context = AllocSetContextCreate(CurrentMemoryContext, "cachepg search", ALLOCSET_DEFAULT_SIZES);
	add(&search, proc);
	for (int i = 0; i < search.count && !search.found; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_awaited(&search, search.proc[i]);
	}
	MemoryContextDelete(search.context);
	return search.found;
}

/* Whether the leader of a tag's flight waits for this process. */
bool
cpg_cycle_through_locks(uint64 tag)
{
	int			leader = leader_of(tag);

	return leader >= 0 && waits_for_me(leader);
}

static bool
contains(const int *procs, int count, int proc)
{
	for (int i = 0; i < count; i++)
	{
		if (procs[i] == proc)
			return true;
	}
	return false;
}

/*
 * Add to "loading" who else leads a flight of a stripe in a namespace and has a
 * permit; returns how many there are then.
 */
static int
add_loading(CpgFlightStripe *stripe, int number, int *loading, int count)
{
	SpinLockAcquire(&stripe->lock);
	for (int i = 0; i < CPG_FLIGHT_SLOTS; i++)
	{
		const CpgFlightSlot *slot = &stripe->slot[i];

		if (slot->state == CPG_FLIGHT_LOADING && slot->space == number && slot->leader != CPG_MY_PROC_NUMBER &&
			pg_atomic_read_u64(cpg_flight_waiting(slot->leader)) != CPG_WAITS_FOR_PERMIT)
			loading[count++] = slot->leader;
	}
	SpinLockRelease(&stripe->lock);
	return count;
}

/*
 * Whether at least so many loads of a namespace wait for this process.  Lone
 * loads are not seen, and those of one process count as one: a batch of keys has
 * one permit.
 */
bool
cpg_cycle_of_permits(int number, uint32 max_loads)
{
	int		   *loading = palloc(CPG_FLIGHT_STRIPES * CPG_FLIGHT_SLOTS * sizeof(int));
	int			count = 0;
	uint32		waiting = 0;

	for (int i = 0; i < CPG_FLIGHT_STRIPES; i++)
		count = add_loading(cpg_flight_stripe((uint64) i), number, loading, count);
	/* no more than are left could still be found */
	for (int i = 0; i < count && waiting < max_loads && waiting + (uint32) (count - i) >= max_loads; i++)
		waiting += !contains(loading, i, loading[i]) && waits_for_me(loading[i]);
	pfree(loading);
	return waiting >= max_loads;
}
