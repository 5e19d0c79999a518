/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Any value as jsonb, by PostgreSQL's own to_jsonb.
 *
 * It asks the catalogs for how to write a type, and writes and reads numbers as
 * text.  For the common scalars there is a shorter way to the same bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "value/value.h"

static void
string_scalar(Datum datum, JsonbValue *scalar)
{
	struct varlena *flat = PG_DETOAST_DATUM_PACKED(datum);

	scalar->type = jbvString;
	scalar->val.string.val = VARDATA_ANY(flat);
	scalar->val.string.len = (int) VARSIZE_ANY_EXHDR(flat);
}

static void
integer_scalar(int64 number, JsonbValue *scalar)
{
	scalar->type = jbvNumeric;
	scalar->val.numeric = int64_to_numeric(number);
}

/* The scalar that a value is in jsonb; false for what only to_jsonb knows. */
static bool
to_scalar(Oid typid, Datum datum, JsonbValue *scalar)
{
	switch (typid)
	{
		case BOOLOID:
			scalar->type = jbvBool;
			scalar->val.boolean = DatumGetBool(datum);
			return true;
		case INT2OID:
			integer_scalar(DatumGetInt16(datum), scalar);
			return true;
		case INT4OID:
			integer_scalar(DatumGetInt32(datum), scalar);
			return true;
		case INT8OID:
			integer_scalar(DatumGetInt64(datum), scalar);
			return true;
		case TEXTOID:
		case VARCHAROID:
			string_scalar(datum, scalar);
			/* to_jsonb has the error for longer ones */
			return scalar->val.string.len <= JENTRY_OFFLENMASK;
		default:
			return false;
	}
}

/* Whether a type is one of those whose values, as long as can be kept, become jsonb without an error. */
bool
cpg_value_is_simple(Oid typid)
{
	switch (typid)
	{
		case JSONBOID:
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case BYTEAOID:
			return true;
		default:
			return false;
	}
}

/* to_jsonb of a value that is not NULL, in the current memory context. */
Datum
cpg_value_to_jsonb(Oid typid, Datum datum)
{
	FmgrInfo	flinfo;
	Const	   *arg;
	FuncExpr   *call;
	JsonbValue	scalar;

	if (typid == JSONBOID)
		return datum;
	if (to_scalar(typid, datum, &scalar))
		return JsonbPGetDatum(JsonbValueToJsonb(&scalar));

	/* to_jsonb learns the type of its argument from the expression */
	arg = makeConst(typid, -1, InvalidOid, -1, (Datum) 0, true, false);
	call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(arg), InvalidOid, InvalidOid,
						COERCE_EXPLICIT_CALL);
	fmgr_info(F_TO_JSONB, &flinfo);
	fmgr_info_set_expr((Node *) call, &flinfo);
	return FunctionCall1(&flinfo, datum);
}
