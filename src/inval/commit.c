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
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "clock.h"
#include "guard/guard.h"
#include "inval/inval_internal.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

typedef struct Fence
{
	CpgCell		cell;
	bool		contended;		/* another transaction held or bumped it */
	uint64		before;			/* the cell before it was raised */
} Fence;

static Fence *fences = NULL;
static int	nfences = 0;
static bool fenced = false;		/* between PRE_COMMIT and the end */

/* From a cell to its fence. */
typedef struct FencedCell
{
	CpgCell		cell;
	int			fence;
	char		status;
} FencedCell;

#define SH_PREFIX fenced_cells
#define SH_ELEMENT_TYPE FencedCell
#define SH_KEY_TYPE CpgCell
#define SH_KEY cell
#define SH_HASH_KEY(table, key) ((key) * 0x9e3779b1u)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

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

static bool
is_of_key(const CpgPending *op)
{
	return op->kind == CPG_PENDING_PUT || op->kind == CPG_PENDING_KILL;
}

static CpgCell
cell_of(const CpgPending *op)
{
	return is_of_cell(op) ? op->cell : cpg_cell_key(cpg_guard, op->key.hash);
}

/* Give each operation that needs one a fence, cells only once; not yet raised. */
static int
assign_fences(void)
{
	MemoryContext old = MemoryContextSwitchTo(cpg_pending_context());
	fenced_cells_hash *table = fenced_cells_create(CurrentMemoryContext, cpg_pending.count, NULL);
	int			count = 0;

	fences = MemoryContextAllocHuge(CurrentMemoryContext, cpg_pending.count * sizeof(Fence));
	for (int i = 0; i < cpg_pending.count; i++)
	{
		CpgPending *op = &cpg_pending.op[i];
		FencedCell *at;
		bool		found;

		if (!is_of_cell(op) && !is_of_key(op))
			continue;
		at = fenced_cells_insert(table, cell_of(op), &found);
		if (!found)
		{
			at->fence = count;
			fences[count++].cell = at->cell;
		}
		op->fence = at->fence;
	}
	fenced_cells_destroy(table);
	MemoryContextSwitchTo(old);
	return count;
}

/* Raise the first so many fences.  Nothing in here fails. */
static void
raise_fences(int count)
{
	fenced = true;
	for (nfences = 0; nfences < count; nfences++)
		fences[nfences].before = cpg_guard_raise(cpg_guard, fences[nfences].cell);
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

/*
 * Raise a fence for an operation that another extension's callback adds after
 * our PRE_COMMIT.
 */
void
cpg_commit_fence_late(CpgPending *op)
{
	if (!is_of_cell(op) && !is_of_key(op))
		return;
	if (fences == NULL)
		fences = MemoryContextAlloc(cpg_pending_context(), sizeof(Fence));
	else
		fences = repalloc_huge(fences, (nfences + 1) * sizeof(Fence));
	fences[nfences].cell = cell_of(op);
	fences[nfences].before = cpg_guard_raise(cpg_guard, fences[nfences].cell);
	op->fence = nfences++;
}

/* Whether the cell of a lowered fence was somebody else's too since it went up. */
static bool
was_contended(const Fence *fence, uint64 at_end)
{
	return fence->before >= CPG_GUARD_PENDING || at_end != fence->before + CPG_GUARD_PENDING;
}

static void
lower_fences(uint64 number)
{
	while (nfences > 0)
	{
		Fence	   *fence = &fences[nfences - 1];
		uint64		at_end = cpg_guard_lower(cpg_guard, fence->cell, number);

		fence->contended = was_contended(fence, at_end);
		nfences--;
	}
}

/*
 * Decide whether an addition or replacement takes place: the fence keeps
 * others from changing that afterwards without our noticing.
 */
static void
settle_mode(CpgPending *op, int64 now)
{
	bool		present;

	if (op->mode == CPG_PUT_SET)
		return;
	present = cpg_store_holds(cpg_store, &op->key, now);
	op->refused = (op->mode == CPG_PUT_ADD) == present;
	op->mode = CPG_PUT_SET;
}

/* Mark dead what is invalidated by key or about to be replaced. */
static void
mark_dead(int64 now)
{
	for (int i = 0; i < cpg_pending.count; i++)
	{
		CpgPending *op = &cpg_pending.op[i];
		CpgKey		key = op->key;

		if (!is_of_key(op))
			continue;
		if (op->kind == CPG_PENDING_PUT)
		{
			settle_mode(op, now);
			if (op->refused)
				continue;
			key.any_fingerprint = false;
		}
		(void) cpg_store_mark(cpg_store, &key, CPG_MARK_DEAD, op->kind == CPG_PENDING_KILL);
	}
}

/* Whether a set is the last word of its transaction on its key. */
static bool
is_final(const CpgPending *op, int index)
{
	CpgOverlay	own = cpg_overlay_find(&op->key);

	return own.state == CPG_OVERLAY_VALUE && own.op == &cpg_pending.op[index];
}

/* Publish a set with the number of this commit, unless its key is contended. */
static void
publish(CpgPending *op, int index, uint64 number, int64 now)
{
	CpgPutResult result = CPG_PUT_OUTDATED;

	if (op->refused || !is_final(op, index))
		return;
	if (!fences[op->fence].contended)
	{
		op->item->stamp = number;
		result = cpg_store_put(cpg_store, &op->key, op->item, op->mode, now);
	}
	cpg_stats_put(op->key.ns, result);
}

/* Everything that is not an invalidation. */
static void
apply(uint64 number, int64 now)
{
	for (int i = 0; i < cpg_pending.count; i++)
	{
		CpgPending *op = &cpg_pending.op[i];

		switch (op->kind)
		{
			case CPG_PENDING_PUT:
				publish(op, i, number, now);
				break;
			case CPG_PENDING_TOUCH:
				(void) cpg_store_touch(cpg_store, &op->key, op->expiry, now);
				break;
			case CPG_PENDING_STALE:
				(void) cpg_store_mark(cpg_store, &op->key, CPG_MARK_STALE, true);
				break;
			case CPG_PENDING_SOFT:
				cpg_guard_soften(cpg_guard, op->cell);
				break;
			case CPG_PENDING_KILL:
			case CPG_PENDING_CELL:
				break;
		}
	}
}

static void
forget(void)
{
	fences = NULL;
	nfences = 0;
	fenced = false;
	cpg_pending_reset();
}

static void
finish(void)
{
	int64		now = cpg_clock_now();
	uint64		number;

	mark_dead(now);
	number = cpg_guard_draw(cpg_guard);
	lower_fences(number);
	apply(number, now);
	forget();
}

static void
give_up(void)
{
	if (nfences > 0)
		lower_fences(cpg_guard_draw(cpg_guard));
	cpg_twophase_release();
	forget();
}

/* The fences stay up for the prepared transaction. */
static void
finish_prepare(void)
{
	mark_dead(cpg_clock_now());
	cpg_twophase_hand_over();
	forget();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (cpg_pending.count == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			raise_fences(assign_fences());
			break;
		case XACT_EVENT_COMMIT:
			finish();
			break;
		case XACT_EVENT_ABORT:
			give_up();
			break;
		case XACT_EVENT_PRE_PREPARE:
			cpg_twophase_prepare();
			break;
		case XACT_EVENT_PREPARE:
			finish_prepare();
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (cpg_pending.count == 0)
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
