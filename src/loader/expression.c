/*-------------------------------------------------------------------------
 *
 * expression.c
 *	  Queries that are one expression, such as the call of a loader's function.
 *
 * To start and end the executor takes longer than most such expressions.  As
 * PL/pgSQL does with its own, they are evaluated without it, with a snapshot of
 * their own all the same.  What they depend on is found as ever: functions tell
 * of themselves when an expression is prepared, which happens in each load, and
 * the statements that functions run have executors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "loader/loader.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "track/track.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

/* The expression that is all there is of a plan, else NULL. */
static Expr *
only_expression(const CachedPlan *cached)
{
	PlannedStmt *statement = linitial_node(PlannedStmt, cached->stmt_list);
	Plan	   *plan = statement->planTree;
	TargetEntry *target;

	if (list_length(cached->stmt_list) != 1 || statement->commandType != CMD_SELECT ||
		statement->relationOids != NIL || statement->subplans != NIL ||
		statement->hasModifyingCTE || statement->parallelModeNeeded)
		return NULL;
	if (!IsA(plan, Result) || plan->lefttree != NULL || plan->qual != NIL ||
		plan->initPlan != NIL || ((Result *) plan)->resconstantqual != NULL ||
		list_length(plan->targetlist) != 1)
		return NULL;
	target = linitial_node(TargetEntry, plan->targetlist);
	return target->resjunk ? NULL : target->expr;
}

/* Whether a plan can be evaluated by cpg_expression_evaluate. */
bool
cpg_expression_is_all(const CachedPlan *cached)
{
	return only_expression(cached) != NULL;
}

static ParamListInfo
parameters(const CpgArgs *args)
{
	ParamListInfo list;

	if (args->count == 0)
		return NULL;
	list = makeParamList(args->count);
	for (int i = 0; i < args->count; i++)
	{
		list->params[i].value = args->values[i];
		list->params[i].isnull = args->nulls[i];
		list->params[i].pflags = PARAM_FLAG_CONST;
		list->params[i].ptype = args->types[i];
	}
	return list;
}

static void
evaluate(Expr *expression, const CpgArgs *args, CpgLoaded *loaded)
{
	MemoryContext caller = CurrentMemoryContext;
	ExprContext *context = CreateStandaloneExprContext();
	ExprState  *state;
	Datum		value;
	bool		isnull;

	context->ecxt_param_list_info = parameters(args);
	state = ExecInitExprWithParams(expression, context->ecxt_param_list_info);
	CHECK_FOR_INTERRUPTS();
	MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	value = ExecEvalExpr(state, context, &isnull);
	cpg_loaded_take(loaded, exprType((Node *) expression), value, isnull, caller);
	MemoryContextSwitchTo(caller);
	FreeExprContext(context, true);
}

/*
 * Evaluate what a plan was kept for, with arguments of its types, as the value
 * of a load; false if it has become more than an expression.
 */
bool
cpg_expression_evaluate(CachedPlanSource *source, const CpgArgs *args, CpgLoaded *loaded)
{
	ResourceOwner owner = CurrentResourceOwner;
	CachedPlan *cached = GetCachedPlan(source, NULL, owner, NULL);
	Expr	   *expression = only_expression(cached);

	if (expression != NULL)
	{
		cpg_track_plan(linitial_node(PlannedStmt, cached->stmt_list));
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		evaluate(expression, args, loaded);
		PopActiveSnapshot();
		CommandCounterIncrement();
	}
	ReleaseCachedPlan(cached, owner);
	return expression != NULL;
}
