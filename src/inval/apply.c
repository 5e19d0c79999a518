/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  What a commit does to the store, beside lowering its fences.
 *
 * Nothing here allocates or throws; see commit.c, which also says when a set of
 * two writers of one key is published.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "bus/bus.h"
#include "fault.h"
#include "inval/inval_internal.h"
#include "inval/twophase.h"
#include "miscadmin.h"
#include "policy/namespace.h"
#include "shmem.h"

/*
 * Whether an operation is not for where it would go, since numbers of namespaces
 * have been given away: its key is kept under another number, or its number has
 * another meaning.
 */
static bool
is_astray(const CpgPending *op, int *number)
{
	uint32		generation = 0;

	if (cpg_pending_is_of_cell(op))
	{
		if (op->cell >= cpg_guard->first[CPG_CELL_DATABASE])
			return false;
		*number = (int) (op->cell - cpg_cell_namespace(0));
		return cpg_registry->space[*number].generation != op->generation;
	}
	*number = cpg_registry_find_key(MyDatabaseId, op->key.data, op->key.len, &generation);
	return *number != op->key.ns || generation != op->key.generation;
}

/*
 * A namespace may have been made, dropped or limited between a change and its
 * commit.  Then the value set is not published, and what is invalidated goes with
 * all of the namespace that its key belongs to now; or with all of the database,
 * if a whole namespace was invalidated.
 */
void
cpg_commit_find_astray(void)
{
	int			database;

	if (likely(cpg_pending.assignments == cpg_registry->assignments) || CPG_SKIP("astray"))
		return;
	database = cpg_registry_database();
	for (int i = 0; i < cpg_pending.count; i++)
	{
		CpgPending *op = &cpg_pending.op[i];
		int			number;

		op->astray = is_astray(op, &number);
		if (!op->astray)
			continue;
		if (cpg_pending_is_of_cell(op) && database >= 0)
			cpg_guard_bump(cpg_guard, cpg_cell_database(cpg_guard, (uint16) database));
		else if (number >= 0)
			cpg_guard_bump(cpg_guard, cpg_cell_namespace((uint16) number));
	}
	cpg_namespace_reread();
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

/*
 * Mark dead what is invalidated by key or about to be replaced: by a set also
 * what queries have loaded for its role.  A set may not be published, or leave
 * early, and nothing older may be read in its place.
 */
void
cpg_commit_mark_dead(int64 now)
{
	for (int i = 0; i < cpg_pending.count; i++)
	{
		CpgPending *op = &cpg_pending.op[i];

		if (!cpg_pending_is_of_key(op) || CPG_SKIP("mark-dead"))
			continue;
		if (op->kind == CPG_PENDING_PUT)
		{
			settle_mode(op, now);
			if (op->refused)
				continue;
		}
		(void) cpg_store_mark(cpg_store, &op->key, CPG_MARK_DEAD, op->kind == CPG_PENDING_KILL);
	}
}

/* Whether a set is the last word of its transaction on its key. */
static bool
is_final(const CpgPending *op, int index)
{
	CpgOverlay	own = cpg_overlay_find(&op->key);

	return own.state == CPG_OVERLAY_VALUE && own.op == &cpg_pending.op[index];
}

/* Whether nobody else had a part in what a set depends on. */
static bool
is_undisputed(const CpgPending *op, uint64 number)
{
	uint16		ns = op->key.ns;

	if (!cpg_commit_is_ours(cpg_cell_key(cpg_guard, op->key.hash), number) || !cpg_commit_is_ours(cpg_cell_namespace(ns), number) ||
		!cpg_commit_is_ours(cpg_cell_database(cpg_guard, *cpg_guard_database(cpg_guard, ns)), number))
		return false;
	for (int i = 0; i < op->item->ncells; i++)
	{
		if (!cpg_commit_is_ours(op->item->cells[i], number))
			return false;
	}
	return true;
}

static void
send_to_redis(CpgPending *op, uint64 number)
{
	op->frame.stamp = number;
	cpg_stats_add(op->key.ns, cpg_frames_put(&op->frame) ? CPG_COUNT_L2_WRITES :
				  CPG_COUNT_L2_DROPPED, 1);
}

/*
 * Publish a set with the number of this commit, unless others dispute it, or a
 * prepared transaction that has no fence could invalidate it later.
 */
static void
publish(CpgPending *op, int index, uint64 number, int64 now)
{
	CpgPutResult result = CPG_PUT_OUTDATED;

	if (op->refused || op->astray || !is_final(op, index))
		return;
	if (is_undisputed(op, number) && (max_prepared_xacts == 0 || cpg_twophase_settled))
	{
		op->item->stamp = number;
		result = cpg_store_put(cpg_store, &op->key, op->item, op->mode, now);
		if (result == CPG_PUT_STORED && op->frame.bytes != NULL)
			send_to_redis(op, number);
	}
	cpg_stats_put(op->key.ns, result);
}

/* Everything that is not an invalidation. */
void
cpg_commit_apply(uint64 number, int64 now)
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
				/* the one in Redis has the old expiry */
				if (cpg_bus_active())
					cpg_guard_bump_quietly(cpg_guard, cpg_cell_key(cpg_guard, op->key.hash));
				break;
			case CPG_PENDING_STALE:
				/* first for what is on its way, then for what is there */
				cpg_guard_soften_key(cpg_guard, op->key.hash);
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

	/*
	 * what counts at the end of a transaction has had its turn; this may be
	 * the last one
	 */
	cpg_stats_flush();
}
