/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Any value as jsonb, by PostgreSQL's own to_jsonb.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/fmgroids.h"
#include "value/value.h"

/* to_jsonb of a value that is not NULL, in the current memory context. */
Datum
cpg_value_to_jsonb(Oid typid, Datum datum)
{
	FmgrInfo	flinfo;
	Const	   *arg;
	FuncExpr   *call;

	if (typid == JSONBOID)
		return datum;

	/* to_jsonb learns the type of its argument from the expression */
	arg = makeConst(typid, -1, InvalidOid, -1, (Datum) 0, true, false);
	call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(arg), InvalidOid, InvalidOid,
						COERCE_EXPLICIT_CALL);
	fmgr_info(F_TO_JSONB, &flinfo);
	fmgr_info_set_expr((Node *) call, &flinfo);
	return FunctionCall1(&flinfo, datum);
}
