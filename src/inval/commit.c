/*-------------------------------------------------------------------------
 *
 * commit.c
 *	  What happens to pending operations at the end of a transaction.
 *
 * PRE_COMMIT raises a fence on the cell of each table, tag, namespace and key:
 * readers of what depends on it go to the source from now on, and nothing that
 * depends on it can be published.  This is the last place where an error may
 * occur, so all memory is taken before the first fence goes up.
 *
 * COMMIT, when the transaction is visible: marks the entries of invalidated
 * keys dead, draws a number, lowers all fences with it, publishes the sets.
 * Nothing in it allocates or throws: an error there would stop the server.
 *
 * What concerns names and privileges waits longer: other processes learn of it
 * by invalidation messages, which PostgreSQL sends after COMMIT and before it
 * releases the locks.  Its fences come down after that:
 *
 *	 loader                          writer of a function
 *	                                 visible, draws 8, lowers
 *	 stamp = 8
 *	 has the old function in its
 *	 cache, stores its value with 8
 *	                                 tells all to forget the old function
 *
 * ABORT, and the exit of a process with fences up, only lowers.  That is right
 * even if nobody knows what became of the transaction: it costs misses.
 *
 * Two writers of one key.  A set is published only if, since our PRE_COMMIT,
 * no other transaction held or bumped the key's cell:
 *
 *	 A                                 B
 *	 raises k (was 0 pending)
 *	                                   raises k (was 1 pending: contended)
 *	 visible, lowers k: 2 pending,
 *	 contended: k is left invalid
 *	                                   visible, lowers k: left invalid
 *
 * Which of them committed last is not known here, so neither is published.
 * The same holds for the other cells that the value depends on, its tags, its
 * namespace and its database: one that was bumped since our PRE_COMMIT may have
 * been so by a transaction that became visible after this one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "bus/bus.h"
#include "clock.h"
#include "fault.h"
#include "guard/guard.h"
#include "inval/inval_internal.h"
#include "inval/places.h"
#include "inval/twophase.h"
#include "inval/usage.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

typedef struct Fence
{
	CpgCell		cell;
	bool		contended;		/* another transaction held or bumped it */
	uint64		before;			/* the cell before it was raised */
} Fence;

static Fence *fences = NULL;
static int	nfences = 0;
static uint64 fenced_at = 0;	/* stamp when they were up */
static bool fenced = false;		/* between PRE_COMMIT and the end */
static bool finishing = false;	/* committed, to be finished when all were
								 * told */
static bool preparing = false;	/* between PRE_PREPARE and the end */
static bool release_watched = false;	/* at_resource_release is called */

static CpgPlaces fence_of;		/* of a cell, in fences[] */

/*
 * Whether the end of the transaction has anything to do.  An operation that was
 * added late and undone is none, but has a fence.
 */
static bool
has_work(void)
{
	return cpg_pending.count > 0 || nfences > 0;
}

/* Whether fences are up, so that a new operation has to raise its own. */
bool
cpg_commit_fenced(void)
{
	return fenced;
}

static bool
is_of_cell(const CpgPending *op)
{
	return op->kind == CPG_PENDING_CELL;
}


static CpgCell
cell_of(const CpgPending *op)
{
	return is_of_cell(op) ? op->cell : cpg_cell_key(cpg_guard, op->key.hash);
}

/* Give each operation that needs one a fence, cells only once; not yet raised. */
static int	pg_attribute_hot
assign_fences(void)
{
	int			count = 0;

	cpg_places_reset(&fence_of);
	fences = MemoryContextAllocHuge(cpg_pending_context(), cpg_pending.count * sizeof(Fence));
	for (int i = 0; i < cpg_pending.count; i++)
	{
		CpgPending *op = &cpg_pending.op[i];
		CpgPlace   *place;
		bool		found;

		if (!is_of_cell(op) && !cpg_pending_is_of_key(op))
			continue;
		place = cpg_places_add(&fence_of, cell_of(op), cpg_pending_context(), &found);
		if (!found)
		{
			place->at = count;
			fences[count++].cell = cell_of(op);
		}
		op->fence = place->at;
	}
	return count;
}

static void
raise_fence(Fence *fence)
{
	if (CPG_SKIP("precommit-fence"))
		fence->before = cpg_guard_read(cpg_guard, fence->cell);
	else
		fence->before = cpg_guard_raise(cpg_guard, fence->cell);
}

/* With the fences up: fail if they come too late for a shutdown's dump. */
static void
refuse_if_sealed(void)
{
	for (int i = 0; i < nfences && unlikely(cpg_guard_sealed(cpg_guard)); i++)
		cpg_inval_refuse_sealed(fences[i].cell);
}

/* Raise the first so many fences.  Nothing in here fails. */
static void pg_attribute_hot
raise_fences(int count)
{
	for (nfences = 0; nfences < count; nfences++)
		raise_fence(&fences[nfences]);
	fenced_at = cpg_guard_stamp(cpg_guard);
}

/* The cells that this transaction has to fence, in memory of its own. */
CpgCell *
cpg_commit_cells(int *count)
{
	CpgCell    *cells;

	*count = assign_fences();
	cells = MemoryContextAllocHuge(cpg_pending_context(), Max(*count, 1) * sizeof(CpgCell));
	for (int i = 0; i < *count; i++)
		cells[i] = fences[i].cell;
	return cells;
}

/* Raise fences on these cells, and on all role cells, instead of the own ones. */
void
cpg_commit_raise_cells(const CpgCell *cells, int count, bool roles)
{
	int			total = count + (roles ? CPG_ROLE_CELLS : 0);

	fences = MemoryContextAllocHuge(cpg_pending_context(), Max(total, 1) * sizeof(Fence));
	for (int i = 0; i < total; i++)
		fences[i].cell = i < count ? cells[i]
			: cpg_guard->first[CPG_CELL_ROLE] + (CpgCell) (i - count);
	raise_fences(total);
}

/* Whether others will learn of the changes by invalidation messages. */
static bool
is_told_by_messages(int count)
{
	for (int i = 0; i < count; i++)
	{
		if (cpg_cell_is_of_catalog(cpg_guard, fences[i].cell))
			return true;
	}
	return false;
}

static void finish(void);

/* Called several times at the end of a transaction, of which "finishing" is true for one. */
static void
at_resource_release(ResourceReleasePhase phase, bool isCommit, bool isTopLevel, void *arg)
{
	if (likely(!finishing) || phase != RESOURCE_RELEASE_LOCKS || !isTopLevel)
		return;
	finishing = false;
	finish();
}

/*
 * Have the time after the messages watched, from now on in this session: it would
 * cost each statement of those that change no names or privileges.  May run out
 * of memory.
 */
static void
watch_release(void)
{
	if (release_watched)
		return;
	RegisterResourceReleaseCallback(at_resource_release, NULL);
	release_watched = true;
}

/*
 * A prepared transaction has no COMMIT callback in which to make something
 * stale or give it a new expiry: it invalidates instead.
 */
static void
harden(CpgPending *op)
{
	if (op->kind == CPG_PENDING_SOFT)
		op->kind = CPG_PENDING_CELL;
	else if (op->kind == CPG_PENDING_STALE || op->kind == CPG_PENDING_TOUCH)
		op->kind = CPG_PENDING_KILL;
}

/*
 * Raise a fence for an operation that another extension's callback adds after
 * our PRE_COMMIT or PRE_PREPARE.  May fail, before the fence is up.
 */
void
cpg_commit_fence_late(CpgPending *op)
{
	CpgPlace   *place;
	bool		found;

	if (preparing)
		harden(op);
	else
		cpg_broadcast_late(op);
	if (!is_of_cell(op) && !cpg_pending_is_of_key(op))
		return;
	if (preparing)
	{
		fences = repalloc_huge(fences, (nfences + 1) * sizeof(Fence));
		fences[nfences].cell = cell_of(op);
		if (cpg_twophase_add(cell_of(op)))
			raise_fence(&fences[nfences++]);
		refuse_if_sealed();
		return;
	}
	if (fences == NULL)
	{
		fences = MemoryContextAlloc(cpg_pending_context(), sizeof(Fence));
		fenced_at = cpg_guard_stamp(cpg_guard);
	}
	fences = repalloc_huge(fences, (nfences + 1) * sizeof(Fence));
	if (cpg_cell_is_of_catalog(cpg_guard, cell_of(op)))
		watch_release();
	place = cpg_places_add(&fence_of, cell_of(op), cpg_pending_context(), &found);
	if (!found)
	{
		place->at = nfences;
		fences[nfences].cell = cell_of(op);
		raise_fence(&fences[nfences++]);
	}
	op->fence = place->at;
	refuse_if_sealed();
}

/* Whether the cell of a lowered fence was somebody else's too since it went up. */
static bool
was_contended(const Fence *fence, uint64 at_end)
{
	if (CPG_SKIP("contention-check"))
		return false;
	return cpg_guard_contended(fence->before, at_end);
}

static void pg_attribute_hot
lower_fences(uint64 number)
{
	while (nfences > 0)
	{
		Fence	   *fence = &fences[nfences - 1];
		uint64		at_end;

		if (CPG_SKIP("precommit-fence"))
			(void) cpg_guard_raise(cpg_guard, fence->cell);
		at_end = cpg_guard_lower(cpg_guard, fence->cell, number);
		fence->contended = was_contended(fence, at_end);
		nfences--;
		CPG_FAULT_WAIT("fence-lowered");
	}
}

/*
 * Whether nobody but this transaction held or bumped a cell since our fences
 * went up.  Who does so from now on draws a number above ours.
 */
bool
cpg_commit_is_ours(CpgCell cell, uint64 number)
{
	const CpgPlace *place = cpg_places_find(&fence_of, cell);

	if (CPG_SKIP("contention-check"))
		return true;
	if (place != NULL)
		return !fences[place->at].contended && cpg_guard_valid(cpg_guard, cell, number);
	return cpg_guard_valid(cpg_guard, cell, fenced_at);
}

static void pg_attribute_hot
forget(void)
{
	fences = NULL;
	cpg_places_reset(&fence_of);
	nfences = 0;
	fenced = preparing = false;
	cpg_broadcast_forget();
	cpg_pending_reset();
}

static void pg_attribute_hot
finish(void)
{
	bool		keys = cpg_pending.count > cpg_pending.cells;
	int64		now = keys ? cpg_clock_now() : 0;
	uint64		number;

	CPG_FAULT_WAIT("commit-visible");
	cpg_commit_find_astray();
	if (keys)
		cpg_commit_mark_dead(now);
	CPG_FAULT_WAIT("commit-marked");
	number = cpg_broadcast_commit();
	CPG_FAULT_WAIT("commit-drawn");
	lower_fences(number);
	CPG_FAULT_WAIT("commit-lowered");
	if (keys)
		cpg_commit_apply(number, now);
	CPG_FAULT_WAIT("commit-applied");
	forget();
}

static void
give_up(void)
{
	CPG_FAULT_WAIT("abort-begun");
	finishing = false;
	if (nfences > 0)
		lower_fences(cpg_guard_draw(cpg_guard));
	cpg_twophase_release();
	forget();
}

/* The fences stay up for the prepared transaction. */
static void
finish_prepare(void)
{
	cpg_commit_find_astray();
	cpg_commit_mark_dead(cpg_clock_now());
	CPG_FAULT_WAIT("prepare-marked");
	cpg_twophase_hand_over();
	CPG_FAULT_WAIT("prepare-handed-over");
	forget();
}

static void pg_attribute_hot
start_commit(void)
{
	CPG_FAULT("precommit-begun");
	if (unlikely(cpg_usage_unnoted))
		cpg_usage_before_commit();
	fenced = true;
	if (cpg_pending.count > 0)
	{
		int			count = assign_fences();

		cpg_broadcast_prepare();
		if (is_told_by_messages(count))
			watch_release();
		CPG_FAULT("precommit-assigned");
		raise_fences(count);
		refuse_if_sealed();
	}
	CPG_FAULT("precommit-fenced");
}

/*
 * Every transaction that is prepared has a slot, also one without operations:
 * so it is told from one of before a restart.
 */
static void
start_prepare(void)
{
	CPG_FAULT("preprepare-begun");
	if (CPG_SKIP("twophase-slots"))
	{
		start_commit();
		return;
	}
	/* PREPARE will say so itself */
	if (max_prepared_xacts == 0)
		return;
	cpg_commit_watch();
	fenced = preparing = true;
	for (int i = 0; i < cpg_pending.count; i++)
		harden(&cpg_pending.op[i]);
	cpg_twophase_prepare();
	refuse_if_sealed();
	CPG_FAULT("preprepare-fenced");
}

static void pg_attribute_hot
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			start_commit();
			break;
		case XACT_EVENT_COMMIT:
			finishing = has_work() && release_watched && is_told_by_messages(nfences) &&
				!CPG_SKIP("late-lowering");
			if (has_work() && !finishing)
				finish();
			CPG_FAULT_WAIT("commit-untold");
			fenced = false;
			break;
		case XACT_EVENT_ABORT:
			if (has_work() || preparing)
				give_up();
			fenced = preparing = false;
			break;
		case XACT_EVENT_PRE_PREPARE:
			start_prepare();
			break;
		case XACT_EVENT_PREPARE:
			if (preparing)
				finish_prepare();
			else if (has_work())
				finish();
			fenced = false;
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
	if (unlikely(cpg_usage_unnoted) && (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT))
		cpg_usage_after_end();
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	/* not the count: an error may have left a mark without an operation */
	if (cpg_pending.op == NULL)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		cpg_pending_commit_sub(GetCurrentTransactionNestLevel());
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		cpg_pending_abort_sub(GetCurrentTransactionNestLevel());
}

/* A process that leaves must not leave a fence up. */
static void
at_exit(int code, Datum arg)
{
	give_up();
}

/* Have the exit of this process watched. */
void
cpg_commit_watch(void)
{
	static bool watching = false;

	if (watching)
		return;
	cpg_stats_prepare();
	before_shmem_exit(at_exit, (Datum) 0);
	watching = true;
}

/* Have the end of transactions watched; called once, in the postmaster. */
void
cpg_inval_install(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
