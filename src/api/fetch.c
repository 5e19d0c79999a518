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
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(cachepg_cache_fetch_record);
PG_FUNCTION_INFO_V1(cachepg_cache_fetch_text);

static void
parse_consistency(const char *value, CpgFetch *fetch)
{
	fetch->has_consistency = true;
	fetch->ttl_only = strcmp(value, "ttl") == 0;
	if (!fetch->ttl_only && strcmp(value, "commit") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid consistency \"%s\"", value),
				 errhint("It is either commit or ttl.")));
}

/* The arguments that both forms share: key, query, ttl, tags, consistency. */
static void
fill_fetch(FunctionCallInfo fcinfo, CpgFetch *fetch, CpgTags *tags)
{
	memset(fetch, 0, sizeof(*fetch));
	fetch->key = cpg_key_argument(fcinfo, 0);
	if (PG_ARGISNULL(1))
		cpg_error_null_argument("query");
	fetch->query = PG_GETARG_TEXT_PP(1);
	fetch->ttl = cpg_optional_ttl(fcinfo, 3);
	cpg_tags_argument(fcinfo, 4, tags);
	fetch->tags = tags->cells;
	fetch->ntags = tags->count;
	fetch->notes = tags->notes.data;
	fetch->notes_len = (uint32) tags->notes.len;
	if (!PG_ARGISNULL(5))
		parse_consistency(text_to_cstring(PG_GETARG_TEXT_PP(5)), fetch);
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
	CpgTags		tags;

	fill_fetch(fcinfo, &fetch, &tags);
	if (!PG_ARGISNULL(2))
		cpg_args_from_record(PG_GETARG_DATUM(2), &fetch.args);
	return run(fcinfo, &fetch);
}

Datum
cachepg_cache_fetch_text(PG_FUNCTION_ARGS)
{
	CpgFetch	fetch;
	CpgTags		tags;

	fill_fetch(fcinfo, &fetch, &tags);
	if (!PG_ARGISNULL(2))
		cpg_args_from_array(PG_GETARG_ARRAYTYPE_P(2), &fetch.args);
	return run(fcinfo, &fetch);
}
