/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  cache_fetch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "error.h"
#include "fetch/fetch.h"

PG_FUNCTION_INFO_V1(cachepg_cache_fetch_record);
PG_FUNCTION_INFO_V1(cachepg_cache_fetch_text);

/* The arguments that both forms share: key, query, ttl. */
static void
fill_fetch(FunctionCallInfo fcinfo, CpgFetch *fetch)
{
	memset(fetch, 0, sizeof(*fetch));
	fetch->key = cpg_key_argument(fcinfo, 0);
	if (PG_ARGISNULL(1))
		cpg_error_null_argument("query");
	fetch->query = PG_GETARG_TEXT_PP(1);
	fetch->ttl = cpg_optional_ttl(fcinfo, 3);
}

static Datum
run(FunctionCallInfo fcinfo, CpgFetch *fetch)
{
	bool		isnull;
	Datum		value = cpg_fetch(fetch, &isnull);

	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(value);
}

Datum
cachepg_cache_fetch_record(PG_FUNCTION_ARGS)
{
	CpgFetch	fetch;

	fill_fetch(fcinfo, &fetch);
	if (!PG_ARGISNULL(2))
		cpg_args_from_record(PG_GETARG_DATUM(2), &fetch.args);
	return run(fcinfo, &fetch);
}

Datum
cachepg_cache_fetch_text(PG_FUNCTION_ARGS)
{
	CpgFetch	fetch;

	fill_fetch(fcinfo, &fetch);
	if (!PG_ARGISNULL(2))
		cpg_args_from_array(PG_GETARG_ARRAYTYPE_P(2), &fetch.args);
	return run(fcinfo, &fetch);
}
