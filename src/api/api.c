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

/* What this call site remembers about a type. */
CpgCallSite *
cpg_call_site(FunctionCallInfo fcinfo, Oid typid)
{
	CpgCallSite *site = fcinfo->flinfo->fn_extra;

	if (likely(site != NULL && site->type.typid == typid))
		return site;
	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CpgCallSite));
		site->domain.context = fcinfo->flinfo->fn_mcxt;
	}
	/* raises for types that cannot be cached: remember it only afterwards */
	cpg_type_info(typid, &site->type);
	fcinfo->flinfo->fn_extra = site;
	return site;
}

/* The same, of the type that a polymorphic argument has in this call. */
CpgCallSite *
cpg_call_site_of_argument(FunctionCallInfo fcinfo, int argument)
{
	CpgCallSite *site = fcinfo->flinfo->fn_extra;
	Oid			typid;

	if (likely(site != NULL && OidIsValid(site->type.typid)))
		return site;
	typid = get_fn_expr_argtype(fcinfo->flinfo, argument);
	if (!OidIsValid(typid))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of the value"),
				 errhint("Cast it to its type.")));
	return cpg_call_site(fcinfo, typid);
}

/* A ttl argument in milliseconds, 0 if it is NULL. */
int64
cpg_optional_ttl(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return 0;
	return cpg_ttl_from_interval(PG_GETARG_INTERVAL_P(argument), "ttl");
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
