/*-------------------------------------------------------------------------
 *
 * executor.c
 *	  What plans read and write.
 *
 * Written relations are noted when the executor starts, before the first row
 * changes.  A plan names them in three places: its result relations, the roots
 * of partitioned targets, and the relations for which it asks permission to
 * write.  Rows that foreign keys or triggers change are changed by plans of
 * their own.
 *
 * COPY has no plan, but asks the same permissions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "executor/executor.h"
#include "inval/deps.h"
#include "inval/usage.h"
#include "parser/parsetree.h"
#include "track/track.h"
#include "utils/memutils.h"

#define WRITE_PERMISSIONS (ACL_INSERT | ACL_UPDATE | ACL_DELETE)

static ExecutorStart_hook_type prev_start = NULL;
static ExecutorRun_hook_type prev_run = NULL;
static ExecutorCheckPerms_hook_type prev_perms = NULL;

/* Whether a plan of a load that uses parallel workers is being started. */
bool		cpg_track_parallel = false;

/* Whether permission checks are those of a COPY. */
static bool collect_written = false;

/*
 * Plans started by the loads under way, and which load was the last to begin
 * before.  A plan older than a load reads by an older snapshot than the load's
 * stamp promises.
 */
typedef struct StartedPlan
{
	const QueryDesc *query;
	uint64		load;
} StartedPlan;

static StartedPlan *started = NULL;
static int	nstarted = 0;
static int	started_room = 0;

/* Note what permission checks ask to write, from now on or no more. */
void
cpg_track_collect_written(bool on)
{
	collect_written = on;
}

static void
write_root_of(Plan *plan, List *rtable)
{
	ModifyTable *modify = (ModifyTable *) plan;

	if (plan != NULL && IsA(plan, ModifyTable) && modify->rootRelation > 0)
		cpg_track_write(rt_fetch(modify->rootRelation, rtable)->relid);
}

/* Relations that a plan may change. */
static pg_noinline void pg_attribute_hot
note_writes(PlannedStmt *plan)
{
	Oid			written = InvalidOid;
	ListCell   *lc;

	foreach(lc, plan->resultRelations)
	{
		written = rt_fetch(lfirst_int(lc), plan->rtable)->relid;
		cpg_track_write(written);
	}
	write_root_of(plan->planTree, plan->rtable);
	foreach(lc, plan->subplans)
		write_root_of(lfirst(lc), plan->rtable);
	foreach(lc, CPG_PLAN_PERMISSIONS(plan))
	{
		CpgPermission *permission = lfirst(lc);

		/* mostly that of the only result relation */
		if ((permission->requiredPerms & WRITE_PERMISSIONS) && OidIsValid(permission->relid) &&
			permission->relid != written)
			cpg_track_write(permission->relid);
	}
}

static void
note_start(const QueryDesc *query)
{
	if (started == NULL)
	{
		started_room = 16;
		started = MemoryContextAlloc(TopTransactionContext, started_room * sizeof(StartedPlan));
	}
	else if (nstarted == started_room)
	{
		started = repalloc_huge(started, 2 * started_room * sizeof(StartedPlan));
		started_room *= 2;
	}
	started[nstarted].query = query;
	started[nstarted++].load = cpg_deps_last_load();
}

/* Whether a plan was started since the innermost load began. */
static bool
is_of_load(const QueryDesc *query)
{
	/* the newest first: an address may be that of a plan that ended before */
	for (int i = nstarted - 1; i >= 0 && started[i].load >= cpg_load->number; i--)
	{
		if (started[i].query == query)
			return true;
	}
	return false;
}

/* Relations that a plan of a load reads, those it turned out not to need too. */
static void
note_reads(QueryDesc *query)
{
	ListCell   *lc;

	note_start(query);
	cpg_track_plan(query->plannedstmt);
	foreach(lc, query->plannedstmt->relationOids)
		cpg_track_read(lfirst_oid(lc));
}

static bool
writes(const PlannedStmt *plan)
{
	return plan->resultRelations != NIL || plan->hasModifyingCTE;
}

/* Start a plan of a load; functions in one with workers are executed out of our sight. */
static pg_noinline void
start_in_load(QueryDesc *query, int eflags)
{
	bool		outer = cpg_track_parallel;

	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		note_reads(query);
	cpg_track_parallel = query->plannedstmt->parallelModeNeeded;
	PG_TRY();
	{
		if (prev_start)
			prev_start(query, eflags);
		else
			standard_ExecutorStart(query, eflags);
	}
	PG_FINALLY();
	{
		cpg_track_parallel = outer;
	}
	PG_END_TRY();
}

static void pg_attribute_hot
executor_start(QueryDesc *query, int eflags)
{
	if (writes(query->plannedstmt) && !(eflags & EXEC_FLAG_EXPLAIN_ONLY) && !cpg_usage_passes())
		note_writes(query->plannedstmt);
	if (unlikely(cpg_deps_active()))
		start_in_load(query, eflags);
	else if (prev_start)
		prev_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

/* A load runs a plan. */
static pg_noinline void
note_run(const QueryDesc *query)
{
	if (!is_of_load(query))
		cpg_deps_unpublishable(CPG_COUNT_OLD_PORTAL);
}

static void pg_attribute_hot
executor_run(CPG_EXECUTOR_RUN_PARAMETERS)
{
	if (unlikely(cpg_deps_active()))
		note_run(queryDesc);
	if (prev_run)
		prev_run(CPG_EXECUTOR_RUN_ARGUMENTS);
	else
		standard_ExecutorRun(CPG_EXECUTOR_RUN_ARGUMENTS);
}

/* Relations that a COPY may change. */
static pg_noinline void
note_permissions(const List *permissions)
{
	ListCell   *lc;

	foreach(lc, permissions)
	{
		CpgPermission *permission = lfirst(lc);

		if ((permission->requiredPerms & WRITE_PERMISSIONS) && OidIsValid(permission->relid))
			cpg_track_write(permission->relid);
	}
}

static bool pg_attribute_hot
check_permissions(CPG_CHECK_PERMS_PARAMETERS)
{
	if (unlikely(collect_written))
		note_permissions(CPG_CHECK_PERMS_LIST);
	return prev_perms == NULL || prev_perms(CPG_CHECK_PERMS_ARGUMENTS);
}

/* If the outermost load is over, what it started is of no interest any more. */
void
cpg_track_loads_over(void)
{
	if (cpg_deps_active() || started == NULL)
		return;
	pfree(started);
	started = NULL;
	nstarted = 0;
}

void
cpg_track_executor_install(void)
{
	prev_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	prev_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	prev_perms = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check_permissions;
}
