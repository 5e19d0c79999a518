/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  cache_fetch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "error.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define BETA_MAX 100

PG_FUNCTION_INFO_V1(cachepg_cache_fetch_record);
PG_FUNCTION_INFO_V1(cachepg_cache_fetch_text);
PG_FUNCTION_INFO_V1(cachepg_cache_fetch_loader);
PG_FUNCTION_INFO_V1(cachepg_cache_fetch_many);

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

static void
parse_beta(float8 value, CpgFetch *fetch)
{
	if (!(value >= 0 && value <= BETA_MAX))
		cpg_error_bad_argument("beta must be between 0 and %d", BETA_MAX);
	fetch->has_beta = true;
	fetch->beta = value;
}

/*
 * The arguments that all forms share, from key on: key, query, args, ttl,
 * soft_ttl, beta, tags, consistency.
 */
void
cpg_fetch_arguments(FunctionCallInfo fcinfo, int first, CpgArgsForm form, CpgFetch *fetch,
					CpgTags *tags)
{
	int			n = first;

	memset(fetch, 0, sizeof(*fetch));
	fetch->key = cpg_key_argument(fcinfo, n++);
	if (PG_ARGISNULL(n))
		cpg_error_null_argument("query");
	fetch->query = PG_GETARG_TEXT_PP(n);
	n++;
	fetch->form = PG_ARGISNULL(n) ? CPG_ARGS_NONE : form;
	fetch->args = PG_GETARG_DATUM(n++);
	fetch->ttl = cpg_optional_ttl(fcinfo, n++);
	if (!PG_ARGISNULL(n))
		fetch->soft_ttl = cpg_ttl_from_interval(PG_GETARG_INTERVAL_P(n), "soft_ttl");
	if (!PG_ARGISNULL(++n))
		parse_beta(PG_GETARG_FLOAT8(n), fetch);
	cpg_tags_argument(fcinfo, ++n, tags);
	fetch->tags = tags->cells;
	fetch->ntags = tags->count;
	fetch->notes = tags->notes.data;
	fetch->notes_len = (uint32) tags->notes.len;
	if (!PG_ARGISNULL(++n))
		parse_consistency(text_to_cstring(PG_GETARG_TEXT_PP(n)), fetch);
}

/* The same for functions that remember the query at their call site. */
static void
fill_fetch(FunctionCallInfo fcinfo, CpgArgsForm form, CpgFetch *fetch, CpgTags *tags)
{
	cpg_fetch_arguments(fcinfo, 0, form, fetch, tags);
	fetch->memo = (CpgQueryMemo **) &fcinfo->flinfo->fn_extra;
	fetch->memo_context = fcinfo->flinfo->fn_mcxt;
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

Datum		pg_attribute_hot
cachepg_cache_fetch_record(PG_FUNCTION_ARGS)
{
	CpgFetch	fetch;
	CpgTags		tags;

	fill_fetch(fcinfo, CPG_ARGS_RECORD, &fetch, &tags);
	return run(fcinfo, &fetch);
}

Datum		pg_attribute_hot
cachepg_cache_fetch_text(PG_FUNCTION_ARGS)
{
	CpgFetch	fetch;
	CpgTags		tags;

	fill_fetch(fcinfo, CPG_ARGS_ARRAY, &fetch, &tags);
	return run(fcinfo, &fetch);
}

/* With the namespace's own loader. */
Datum		pg_attribute_hot
cachepg_cache_fetch_loader(PG_FUNCTION_ARGS)
{
	CpgFetch	fetch;

	memset(&fetch, 0, sizeof(fetch));
	fetch.key = cpg_key_argument(fcinfo, 0);
	return run(fcinfo, &fetch);
}

#define MANY_MAX 1000			/* keys looked after together */

/* Fetch a few keys and emit a row for each. */
static void
emit_many(ReturnSetInfo *rsinfo, text **keys, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));
	bool	   *nulls = palloc(count * sizeof(bool));

	cpg_fetch_many(keys, count, values, nulls);
	for (int i = 0; i < count; i++)
	{
		Datum		row[2] = {PointerGetDatum(keys[i]), values[i]};
		bool		null[2] = {false, nulls[i]};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, null);
	}
}

/* Many keys, each by the loader of its namespace; NULL keys give no row. */
Datum
cachepg_cache_fetch_many(PG_FUNCTION_ARGS)
{
	MemoryContext chunk;
	MemoryContext old;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	text	   *keys[MANY_MAX];
	int			n = 0;

	cpg_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(0), "keys", &elements, &nulls);
	chunk = AllocSetContextCreate(CurrentMemoryContext, "cache_fetch_many", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(chunk);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			keys[n++] = DatumGetTextPP(elements[i]);
		if (n < MANY_MAX && i < count - 1)
			continue;
		emit_many((ReturnSetInfo *) fcinfo->resultinfo, keys, n);
		MemoryContextReset(chunk);
		n = 0;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(chunk);
	return (Datum) 0;
}
