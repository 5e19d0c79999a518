/*-------------------------------------------------------------------------
 *
 * whole.c
 *	  Changes of watched tables that are no changes of rows.
 *
 * All of it is called by hooks, also in databases without the extension and in
 * the middle of DROP EXTENSION.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "shmem.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "watch/watch_internal.h"

/* Invalidate all that the watches of a relation can name. */
static void
clear_watches_of(Oid relid)
{
	ListCell   *lc;

	foreach(lc, cpg_watch_triggers(relid))
	{
		CpgWatchTrigger *trigger = lfirst(lc);
		CpgWatchRow row;

		if (cpg_watch_find(trigger->id, &row) && cpg_watch_covers(&row, relid))
			cpg_watch_clear(&row);
	}
}

/* All rows of a relation go, those of its partitions are reported themselves. */
void
cpg_watch_truncated(Oid relid)
{
	if (cpg_shmem_ready())
		clear_watches_of(relid);
}

/* A partition that was made a moment ago, without rows, changes nothing. */
static bool
is_empty(Oid relid)
{
	Relation	rel;
	bool		empty;

	if (get_rel_relkind(relid) != RELKIND_RELATION)
		return false;
	rel = table_open(relid, AccessShareLock);
	empty = RelationGetNumberOfBlocks(rel) == 0;
	table_close(rel, AccessShareLock);
	return empty;
}

/* A relation becomes a child of another one, or no longer is. */
void
cpg_watch_attached(Oid child, Oid parent)
{
	if (!cpg_shmem_ready() || get_rel_relkind(parent) != RELKIND_PARTITIONED_TABLE)
		return;
	if (!is_empty(child))
		clear_watches_of(parent);
}

/* Whether a trigger is the only one that refers to its row. */
static bool
is_only_one(const CpgWatchTrigger *trigger)
{
	ListCell   *lc;

	foreach(lc, cpg_watch_triggers(trigger->relation))
	{
		const CpgWatchTrigger *other = lfirst(lc);

		if (other->oid != trigger->oid && strcmp(other->id, trigger->id) == 0)
			return false;
	}
	return true;
}

/*
 * A trigger is about to be dropped.  With a watch its row goes; if the table or
 * partition goes with it, or a partition leaves its table, rows are gone too.
 */
void
cpg_watch_trigger_dropped(Oid oid)
{
	CpgWatchTrigger trigger;
	CpgWatchRow row;

	if (!cpg_shmem_ready() || !cpg_watch_trigger(oid, &trigger))
		return;
	if (!cpg_watch_find(trigger.id, &row) || !cpg_watch_covers(&row, trigger.relation) ||
		!is_only_one(&trigger))
		return;
	if (row.relation == trigger.relation)
		cpg_watch_delete(&row.id);
	cpg_watch_clear(&row);
}
