/*-------------------------------------------------------------------------
 *
 * set.c
 *	  cache_set, cache_add, cache_replace, cache_set_many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "error.h"
#include "inval/inval.h"
#include "miscadmin.h"
#include "l2/l2.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(cachepg_cache_set);
PG_FUNCTION_INFO_V1(cachepg_cache_set_text);
PG_FUNCTION_INFO_V1(cachepg_cache_add);
PG_FUNCTION_INFO_V1(cachepg_cache_add_text);
PG_FUNCTION_INFO_V1(cachepg_cache_replace);
PG_FUNCTION_INFO_V1(cachepg_cache_replace_text);
PG_FUNCTION_INFO_V1(cachepg_cache_set_many);

/*
 * Whether what the key holds is of a type that has changed since, which is a
 * miss to readers.
 */
static bool
holds_changed_type(const CpgWrite *record)
{
	CpgValue	value;

	memset(&value, 0, sizeof(value));
	return cpg_inval_peek(record->ns, &record->key, record->now, &value).hit &&
		!cpg_value_current(&value);
}

/* Make what goes to Redis when the write is committed; false if nothing does. */
static bool
make_frame(const CpgWrite *record, Oid typid, Datum datum, bool isnull, CpgFrameJob *frame)
{
	CpgL2Value	value = {typid, datum, isnull, &record->item};
	CpgL2Name	name;

	if (likely(!cpg_l2_writable(record->ns)))
		return false;
	cpg_l2_name_of_key(record->ns, &record->key, &name);
	return cpg_l2_make(record->ns, &record->key, &name, &value, frame);
}

/* Write one value; false if the mode refused it or it could not be kept. */
static bool
put(const text *key, CpgTypeInfo *type, Datum value, bool isnull, int64 ttl, const CpgTags *tags,
	CpgPutMode mode)
{
	CpgFrameJob frame;
	CpgWrite	record;

	record.op = CPG_WRITE_PUT;
	record.mode = mode;
	record.immediate = false;
	record.ns = cpg_key_resolve_always(key, CPG_PRIVILEGE_WRITE, &record.key);
	memset(&record.item, 0, sizeof(record.item));
	cpg_value_encode(type, value, isnull, &record.item);
	if (record.ns->number < 0)
		return false;

	record.now = cpg_clock_now();
	if (mode != CPG_PUT_SET && holds_changed_type(&record))
	{
		if (mode == CPG_PUT_REPLACE)
			return false;
		record.mode = CPG_PUT_SET;
	}
	record.item.stamp = cpg_guard_stamp(cpg_guard);
	record.item.created = record.now;
	record.item.expiry = cpg_namespace_expiry(record.ns, ttl, record.now);
	record.item.max_entries = record.ns->max_entries;
	record.item.max_bytes = record.ns->max_bytes;
	record.item.cells = tags->cells;
	record.item.ncells = tags->count;
	record.item.notes = tags->notes.data;
	record.item.notes_len = (uint32) tags->notes.len;
	record.frame = make_frame(&record, type->typid, value, isnull, &frame) ? &frame : NULL;
	return cpg_inval_write(&record).put == CPG_PUT_STORED;
}

/* The arguments key, value, ttl, tags of most functions here. */
static bool
put_arguments(FunctionCallInfo fcinfo, Oid typid, CpgPutMode mode)
{
	text	   *key = cpg_key_argument(fcinfo, 0);
	int64		ttl = cpg_optional_ttl(fcinfo, 2);
	bool		isnull = PG_ARGISNULL(1);
	CpgTags		tags;

	cpg_tags_argument(fcinfo, 3, &tags);
	return put(key, cpg_call_site_type(fcinfo, typid), isnull ? (Datum) 0 : PG_GETARG_DATUM(1),
			   isnull, ttl, &tags, mode);
}

Datum
cachepg_cache_set(PG_FUNCTION_ARGS)
{
	put_arguments(fcinfo, cpg_argument_type(fcinfo, 1), CPG_PUT_SET);
	PG_RETURN_VOID();
}

Datum
cachepg_cache_set_text(PG_FUNCTION_ARGS)
{
	put_arguments(fcinfo, TEXTOID, CPG_PUT_SET);
	PG_RETURN_VOID();
}

Datum
cachepg_cache_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(put_arguments(fcinfo, cpg_argument_type(fcinfo, 1), CPG_PUT_ADD));
}

Datum
cachepg_cache_add_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(put_arguments(fcinfo, TEXTOID, CPG_PUT_ADD));
}

Datum
cachepg_cache_replace(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(put_arguments(fcinfo, cpg_argument_type(fcinfo, 1), CPG_PUT_REPLACE));
}

Datum
cachepg_cache_replace_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(put_arguments(fcinfo, TEXTOID, CPG_PUT_REPLACE));
}

Datum
cachepg_cache_set_many(PG_FUNCTION_ARGS)
{
	Datum	   *keys;
	Datum	   *values;
	bool	   *null_keys;
	bool	   *null_values;
	int64		ttl;
	int64		stored = 0;
	CpgTypeInfo *type;
	CpgTags		no_tags = {.count = 0};
	int			count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		cpg_error_null_argument("array of keys or values");
	ttl = cpg_optional_ttl(fcinfo, 2);
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(0), "keys", &keys, &null_keys);
	if (cpg_array_elements(PG_GETARG_ARRAYTYPE_P(1), "vals", &values, &null_values) != count)
		cpg_error_bad_argument("cache_set_many needs as many values as keys");

	type = cpg_call_site_type(fcinfo, ARR_ELEMTYPE(PG_GETARG_ARRAYTYPE_P(1)));
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (null_keys[i])
			cpg_error_null_argument("cache key");
		stored += put(DatumGetTextPP(keys[i]), type, values[i], null_values[i],
					  ttl, &no_tags, CPG_PUT_SET);
	}
	PG_RETURN_INT64(stored);
}
