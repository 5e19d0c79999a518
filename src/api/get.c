/*-------------------------------------------------------------------------
 *
 * get.c
 *	  cache_get and the other reading functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "core/frequency.h"
#include "error.h"
#include "miscadmin.h"
#include "shmem.h"
#include "stats/stats.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(cachepg_cache_get);
PG_FUNCTION_INFO_V1(cachepg_cache_get_text);
PG_FUNCTION_INFO_V1(cachepg_cache_get_jsonb);
PG_FUNCTION_INFO_V1(cachepg_cache_get_many);
PG_FUNCTION_INFO_V1(cachepg_cache_exists);
PG_FUNCTION_INFO_V1(cachepg_cache_ttl);
PG_FUNCTION_INFO_V1(cachepg_cache_entry);

/* Read a key and count; false on a miss. */
static bool
read_key(const text *text_key, CpgValue *value)
{
	CpgKey		key;
	CpgNamespace *ns = cpg_key_resolve(text_key, CPG_PRIVILEGE_READ, &key);
	CpgResult	result;

	value->buffer = NULL;
	if (unlikely(ns->number < 0))
		return false;
	result = cpg_store_get(cpg_store, &key, cpg_clock_now(), value);
	if (likely(result == CPG_HIT))
	{
		/* a type without user-defined parts cannot have changed */
		if (unlikely(value->typid >= FirstNormalObjectId || value->shape != 0) &&
			!cpg_value_current(value))
		{
			cpg_stats_add(ns->number, CPG_COUNT_TYPE_CHANGED, 1);
			return false;
		}
		cpg_stats_add(ns->number, CPG_COUNT_HITS, 1);
		return true;
	}
	cpg_stats_add(ns->number, cpg_stats_miss(result), 1);
	return false;
}

/* Convert a value to the asked type; what that compiles is kept in fn_extra. */
static void
convert(FunctionCallInfo fcinfo, CpgValue *value, Oid asked)
{
	CpgDomainState *state = fcinfo->flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CpgDomainState));
		state->context = fcinfo->flinfo->fn_mcxt;
		fcinfo->flinfo->fn_extra = state;
	}
	cpg_value_convert(value, asked, state);
}

/* The value in the asked type; on a miss, the second argument. */
static inline Datum
get_typed(FunctionCallInfo fcinfo, Oid asked)
{
	CpgValue	value;

	if (PG_ARGISNULL(0) || !read_key(PG_GETARG_TEXT_PP(0), &value))
	{
		cpg_require_preload();
		if (PG_ARGISNULL(1))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	}
	if (value.isnull)
		PG_RETURN_NULL();
	if (value.typid != asked || asked >= FirstNormalObjectId)
		convert(fcinfo, &value, asked);
	PG_RETURN_DATUM(value.datum);
}

Datum
cachepg_cache_get(PG_FUNCTION_ARGS)
{
	return get_typed(fcinfo, cpg_argument_type(fcinfo, 1));
}

Datum
cachepg_cache_get_text(PG_FUNCTION_ARGS)
{
	return get_typed(fcinfo, TEXTOID);
}

Datum
cachepg_cache_get_jsonb(PG_FUNCTION_ARGS)
{
	CpgValue	value;

	cpg_require_preload();
	if (PG_ARGISNULL(0) || !read_key(PG_GETARG_TEXT_PP(0), &value) || value.isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(cpg_value_to_jsonb(value.typid, value.datum));
}

/* A row of cache_get_many for a key that hits. */
static void
emit_if_hit(ReturnSetInfo *rsinfo, Datum key)
{
	CpgValue	value;
	Datum		row[2];
	bool		nulls[2] = {false, false};

	if (!read_key(DatumGetTextPP(key), &value))
		return;
	row[0] = key;
	nulls[1] = value.isnull;
	row[1] = value.isnull ? (Datum) 0 : cpg_value_to_jsonb(value.typid, value.datum);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, nulls);
}

Datum
cachepg_cache_get_many(PG_FUNCTION_ARGS)
{
	MemoryContext per_key;
	MemoryContext old;
	Datum	   *keys;
	bool	   *nulls;
	int			count;

	cpg_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(0), "keys", &keys, &nulls);
	per_key = AllocSetContextCreate(CurrentMemoryContext, "cache_get_many",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(per_key);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			emit_if_hit((ReturnSetInfo *) fcinfo->resultinfo, keys[i]);
		MemoryContextReset(per_key);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(per_key);
	return (Datum) 0;
}

/*
 * Look at a key without using it.  That another role has a value there is for
 * administrators to know; to others the key is absent.
 */
static CpgResult
peek(const text *text_key, int64 now, CpgValue *value, bool *cached)
{
	CpgKey		key;
	CpgNamespace *ns = cpg_key_resolve(text_key, CPG_PRIVILEGE_READ, &key);
	CpgResult	result;

	memset(value, 0, sizeof(*value));
	*cached = ns->number >= 0;
	if (!*cached)
		return CPG_MISS_ABSENT;
	result = cpg_store_peek(cpg_store, &key, now, value);
	if (result == CPG_MISS_OTHER_ROLE && !(cpg_namespace_privileges(ns) & CPG_PRIVILEGE_ADMIN))
		return CPG_MISS_ABSENT;
	return result;
}

Datum
cachepg_cache_exists(PG_FUNCTION_ARGS)
{
	CpgValue	value;
	bool		cached;

	cpg_require_preload();
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(peek(PG_GETARG_TEXT_PP(0), cpg_clock_now(), &value, &cached) == CPG_HIT &&
				   cpg_value_current(&value));
}

Datum
cachepg_cache_ttl(PG_FUNCTION_ARGS)
{
	int64		now = cpg_clock_now();
	CpgValue	value;
	bool		cached;

	cpg_require_preload();
	if (PG_ARGISNULL(0) || peek(PG_GETARG_TEXT_PP(0), now, &value, &cached) != CPG_HIT ||
		!cpg_value_current(&value))
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(cpg_ttl_to_interval(value.expiry - now));
}

/* Columns of cache_entry. */
enum
{
	ENTRY_STATE, ENTRY_TYPE, ENTRY_BYTES, ENTRY_AGE, ENTRY_TTL_LEFT, ENTRY_SOFT_LEFT,
	ENTRY_DELTA, ENTRY_HITS, ENTRY_WHY, ENTRY_COLUMNS
};

static void
describe_entry(const CpgValue *value, int64 now, Datum *row, bool *nulls)
{
	row[ENTRY_TYPE] = ObjectIdGetDatum(value->typid);
	row[ENTRY_BYTES] = Int64GetDatum((int64) value->len);
	row[ENTRY_AGE] = IntervalPGetDatum(cpg_ttl_to_interval(Max(now - value->created, 0)));
	row[ENTRY_TTL_LEFT] = IntervalPGetDatum(cpg_ttl_to_interval(Max(value->expiry - now, 0)));
	row[ENTRY_HITS] = Int64GetDatum(cpg_frequency_hits(value->frequency));
	nulls[ENTRY_TYPE] = nulls[ENTRY_BYTES] = nulls[ENTRY_AGE] = false;
	nulls[ENTRY_TTL_LEFT] = nulls[ENTRY_HITS] = false;
	if (value->load_time > 0)
	{
		Interval   *delta = palloc0(sizeof(Interval));

		delta->time = value->load_time;
		row[ENTRY_DELTA] = IntervalPGetDatum(delta);
		nulls[ENTRY_DELTA] = false;
	}
	if (value->soft_ttl > 0)
	{
		row[ENTRY_SOFT_LEFT] = IntervalPGetDatum(cpg_ttl_to_interval(
																	 Max(value->created + value->soft_ttl - now, 0)));
		nulls[ENTRY_SOFT_LEFT] = false;
	}
}

/* Name of the state of an entry that is there, or "absent". */
static const char *
state_name(CpgResult result)
{
	switch (result)
	{
		case CPG_HIT:
			return "fresh";
		case CPG_MISS_EXPIRED:
			return "expired";
		case CPG_MISS_INVALIDATED:
		case CPG_MISS_INVALIDATED_NAMESPACE:
			return "invalidated";
		default:
			return "absent";
	}
}

Datum
cachepg_cache_entry(PG_FUNCTION_ARGS)
{
	int64		now = cpg_clock_now();
	Datum		row[ENTRY_COLUMNS];
	bool		nulls[ENTRY_COLUMNS];
	CpgCounter	why = CPG_COUNT_DISABLED;
	TupleDesc	desc;
	CpgValue	value;
	CpgResult	result;
	bool		cached;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	cpg_require_preload();
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	result = peek(PG_GETARG_TEXT_PP(0), now, &value, &cached);
	memset(nulls, true, sizeof(nulls));
	nulls[ENTRY_STATE] = false;
	row[ENTRY_STATE] = CStringGetTextDatum(state_name(result));
	if (value.expiry != 0)
		describe_entry(&value, now, row, nulls);
	if (cached)
		why = cpg_stats_miss(result);
	if (result == CPG_HIT && !cpg_value_current(&value))
		why = CPG_COUNT_TYPE_CHANGED;
	if (result != CPG_HIT || why == CPG_COUNT_TYPE_CHANGED)
	{
		nulls[ENTRY_WHY] = false;
		row[ENTRY_WHY] = CStringGetTextDatum(cpg_stats_reason(why));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls)));
}
