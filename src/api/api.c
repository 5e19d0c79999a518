/*-------------------------------------------------------------------------
 *
 * api.c
 *	  Helpers of the SQL-callable functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "error.h"
#include "utils/lsyscache.h"

/* The type that a polymorphic argument has in this call. */
Oid
cpg_argument_type(FunctionCallInfo fcinfo, int argument)
{
	Oid			typid = get_fn_expr_argtype(fcinfo->flinfo, argument);

	if (!OidIsValid(typid))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of the value"),
				 errhint("Cast it to its type.")));
	return typid;
}

/* How a type is stored, remembered at the call site. */
CpgTypeInfo *
cpg_call_site_type(FunctionCallInfo fcinfo, Oid typid)
{
	CpgTypeInfo *type = fcinfo->flinfo->fn_extra;

	if (type == NULL)
	{
		type = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CpgTypeInfo));
		fcinfo->flinfo->fn_extra = type;
	}
	if (type->typid != typid)
	{
		/* raises for types that cannot be cached; then nothing is remembered */
		type->typid = InvalidOid;
		cpg_type_info(typid, type);
	}
	return type;
}

/* A ttl argument in milliseconds, 0 if it is NULL. */
int64
cpg_optional_ttl(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return 0;
	return cpg_ttl_from_interval(PG_GETARG_INTERVAL_P(argument), "ttl");
}

/*
 * The elements of an array argument and their number; of more than one
 * dimension it is refused under the name what.
 */
int
cpg_array_elements(ArrayType *array, const char *what, Datum **elements, bool **nulls)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	int			count;

	if (ARR_NDIM(array) > 1)
		cpg_error_bad_argument("%s must be a one-dimensional array", what);
	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, type, typlen, typbyval, typalign, elements, nulls, &count);
	return count;
}

/* A key argument of a function that writes: not NULL. */
text *
cpg_key_argument(FunctionCallInfo fcinfo, int argument)
{
	cpg_require_preload();
	if (PG_ARGISNULL(argument))
		cpg_error_null_argument("cache key");
	return PG_GETARG_TEXT_PP(argument);
}
