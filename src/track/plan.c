/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  What a plan of a load sees of the session without calling a function
 *	  that is reported: current_user, session_user, the time, settings that
 *	  are named in the query, texts read as times.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "inval/deps.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "track/track.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

static void walk_plan(Plan *plan);

static void
note_value_function(const SQLValueFunction *value)
{
	switch (value->op)
	{
		case SVFOP_CURRENT_ROLE:
		case SVFOP_CURRENT_USER:
		case SVFOP_USER:
			cpg_deps_input_role();
			break;
		case SVFOP_SESSION_USER:
			cpg_deps_input_login();
			break;
		case SVFOP_CURRENT_CATALOG:
		case SVFOP_CURRENT_SCHEMA:
			/* the cache belongs to the database, the path to the identity */
			break;
		default:
			cpg_deps_untracked(CPG_UNTRACKED_TIME);
			break;
	}
}

/* A setting that is named by a constant; of others nothing is known. */
static void
note_setting(const FuncExpr *call)
{
	const Const *name = linitial(call->args);

	if (IsA(name, Const) && !name->constisnull)
		cpg_deps_input_setting(TextDatumGetCString(name->constvalue));
}

static bool
is_time(Oid type)
{
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID ||
		type == TIMETZOID || type == TIMEOID;
}

static bool
walk_expression(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SQLValueFunction))
		note_value_function((SQLValueFunction *) node);
	else if (IsA(node, FuncExpr) &&
			 (((FuncExpr *) node)->funcid == F_CURRENT_SETTING_TEXT ||
			  ((FuncExpr *) node)->funcid == F_CURRENT_SETTING_TEXT_BOOL))
		note_setting((FuncExpr *) node);
	else if (IsA(node, CoerceViaIO) && is_time(((CoerceViaIO *) node)->resulttype))
		cpg_deps_untracked(CPG_UNTRACKED_TIME);
	return expression_tree_walker(node, walk_expression, context);
}

static void
walk(void *expression)
{
	(void) walk_expression(expression, NULL);
}

static void
walk_scan(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SampleScan:
			walk(((SampleScan *) plan)->tablesample);
			break;
		case T_IndexScan:
			walk(((IndexScan *) plan)->indexqualorig);
			walk(((IndexScan *) plan)->indexorderbyorig);
			break;
		case T_IndexOnlyScan:
			walk(((IndexOnlyScan *) plan)->indexqual);
			walk(((IndexOnlyScan *) plan)->indexorderby);
			break;
		case T_BitmapIndexScan:
			walk(((BitmapIndexScan *) plan)->indexqualorig);
			break;
		case T_BitmapHeapScan:
			walk(((BitmapHeapScan *) plan)->bitmapqualorig);
			break;
		case T_TidScan:
			walk(((TidScan *) plan)->tidquals);
			break;
		case T_TidRangeScan:
			walk(((TidRangeScan *) plan)->tidrangequals);
			break;
		case T_FunctionScan:
			walk(((FunctionScan *) plan)->functions);
			break;
		case T_TableFuncScan:
			walk(((TableFuncScan *) plan)->tablefunc);
			break;
		case T_ValuesScan:
			walk(((ValuesScan *) plan)->values_lists);
			break;
		case T_ForeignScan:
			walk(((ForeignScan *) plan)->fdw_exprs);
			break;
		case T_CustomScan:
			walk(((CustomScan *) plan)->custom_exprs);
			break;
		default:
			break;
	}
}

static void
walk_other(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			walk(((Result *) plan)->resconstantqual);
			break;
		case T_NestLoop:
			walk(((Join *) plan)->joinqual);
			break;
		case T_MergeJoin:
			walk(((Join *) plan)->joinqual);
			walk(((MergeJoin *) plan)->mergeclauses);
			break;
		case T_HashJoin:
			walk(((Join *) plan)->joinqual);
			walk(((HashJoin *) plan)->hashclauses);
			break;
		case T_Limit:
			walk(((Limit *) plan)->limitOffset);
			walk(((Limit *) plan)->limitCount);
			break;
		case T_WindowAgg:
			walk(((WindowAgg *) plan)->startOffset);
			walk(((WindowAgg *) plan)->endOffset);
			break;
		default:
			break;
	}
}

static void
walk_plans(List *plans)
{
	ListCell   *lc;

	foreach(lc, plans)
		walk_plan(lfirst(lc));
}

static void
walk_children(Plan *plan)
{
	walk_plan(plan->lefttree);
	walk_plan(plan->righttree);
	switch (nodeTag(plan))
	{
		case T_Append:
			walk_plans(((Append *) plan)->appendplans);
			break;
		case T_MergeAppend:
			walk_plans(((MergeAppend *) plan)->mergeplans);
			break;
		case T_BitmapAnd:
			walk_plans(((BitmapAnd *) plan)->bitmapplans);
			break;
		case T_BitmapOr:
			walk_plans(((BitmapOr *) plan)->bitmapplans);
			break;
		case T_SubqueryScan:
			walk_plan(((SubqueryScan *) plan)->subplan);
			break;
		case T_CustomScan:
			walk_plans(((CustomScan *) plan)->custom_plans);
			break;
		default:
			break;
	}
}

static void
walk_plan(Plan *plan)
{
	if (plan == NULL)
		return;
	walk(plan->targetlist);
	walk(plan->qual);
	walk(plan->initPlan);
	walk_scan(plan);
	walk_other(plan);
	walk_children(plan);
}

/* Note what the load under way sees of the session through a plan. */
void
cpg_track_plan(const PlannedStmt *statement)
{
	walk_plan(statement->planTree);
	walk_plans(statement->subplans);
}
