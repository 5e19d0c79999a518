/*-------------------------------------------------------------------------
 *
 * modify.c
 *	  cache_delete, cache_touch, cache_incr, cache_clear.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "error.h"
#include "inval/inval.h"
#include "miscadmin.h"
#include "shmem.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(cachepg_cache_delete);
PG_FUNCTION_INFO_V1(cachepg_cache_touch);
PG_FUNCTION_INFO_V1(cachepg_cache_incr);
PG_FUNCTION_INFO_V1(cachepg_cache_clear);

Datum
cachepg_cache_delete(PG_FUNCTION_ARGS)
{
	text	   *key = cpg_key_argument(fcinfo, 0);
	CpgWrite	record;

	record.op = CPG_WRITE_DELETE;
	record.ns = cpg_key_resolve_always(key, CPG_PRIVILEGE_INVALIDATE | CPG_PRIVILEGE_WRITE, &record.key);
	if (record.ns->number < 0)
		PG_RETURN_BOOL(false);
	record.now = cpg_clock_now();
	PG_RETURN_BOOL(cpg_inval_write(&record).found);
}

Datum
cachepg_cache_touch(PG_FUNCTION_ARGS)
{
	text	   *key = cpg_key_argument(fcinfo, 0);
	int64		ttl;
	CpgWrite	record;

	if (PG_ARGISNULL(1))
		cpg_error_null_argument("ttl");
	ttl = cpg_optional_ttl(fcinfo, 1);
	record.op = CPG_WRITE_TOUCH;
	record.ns = cpg_key_resolve(key, CPG_PRIVILEGE_WRITE, &record.key);
	if (record.ns->number < 0)
		PG_RETURN_BOOL(false);
	record.now = cpg_clock_now();
	record.expiry = cpg_namespace_expiry(record.ns, ttl, record.now);
	PG_RETURN_BOOL(cpg_inval_write(&record).found);
}

/* Store the first value of a counter, unless another session just did. */
static CpgPutResult
start_counter(CpgNamespace *ns, const CpgKey *key, int64 delta, int64 ttl, int64 now)
{
	CpgTypeInfo type;
	CpgWrite	record;

	record.op = CPG_WRITE_PUT;
	record.mode = CPG_PUT_ADD;
	record.ns = ns;
	record.key = *key;
	record.now = now;
	memset(&record.item, 0, sizeof(record.item));
	cpg_type_info(INT8OID, &type);
	cpg_value_encode(&type, Int64GetDatum(delta), false, &record.item);
	record.item.stamp = cpg_guard_stamp(cpg_guard);
	record.item.created = now;
	record.item.expiry = cpg_namespace_expiry(ns, ttl, now);
	record.item.max_entries = ns->max_entries;
	record.item.max_bytes = ns->max_bytes;
	return cpg_inval_write(&record).put;
}

Datum
cachepg_cache_incr(PG_FUNCTION_ARGS)
{
	text	   *text_key = cpg_key_argument(fcinfo, 0);
	int64		ttl = cpg_optional_ttl(fcinfo, 2);
	int64		now = cpg_clock_now();
	int64		delta;
	int64		sum;
	CpgKey		key;
	CpgNamespace *ns;

	if (PG_ARGISNULL(1))
		cpg_error_null_argument("delta");
	delta = PG_GETARG_INT64(1);
	ns = cpg_key_resolve(text_key, CPG_PRIVILEGE_WRITE, &key);
	if (ns->number < 0)
		PG_RETURN_INT64(delta);

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		switch (cpg_store_add_integer(cpg_store, &key, delta, now, &sum))
		{
			case CPG_ADD_DONE:
				PG_RETURN_INT64(sum);
			case CPG_ADD_ABSENT:
				if (start_counter(ns, &key, delta, ttl, now) != CPG_PUT_REFUSED)
					PG_RETURN_INT64(delta);
				break;
			case CPG_ADD_NOT_INTEGER:
				ereport(ERROR,
						(errcode(ERRCODE_DATATYPE_MISMATCH),
						 errmsg("cached value is not an integer"),
						 errhint("cache_incr works on smallint, integer and bigint.")));
				break;
			case CPG_ADD_OVERFLOW:
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("cached integer out of range")));
				break;
		}
	}
}

Datum
cachepg_cache_clear(PG_FUNCTION_ARGS)
{
	CpgWrite	record;

	cpg_require_preload();
	if (PG_ARGISNULL(0))
	{
		if (!superuser())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to clear the cache of the whole database"),
					 errhint("Name a namespace: SELECT cache_clear('...');")));
		record.op = CPG_WRITE_CLEAR_DATABASE;
		cpg_inval_write(&record);
		PG_RETURN_VOID();
	}
	record.op = CPG_WRITE_CLEAR_NAMESPACE;
	record.ns = cpg_namespace_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	cpg_namespace_require(record.ns, CPG_PRIVILEGE_INVALIDATE);
	if (cpg_namespace_attach(record.ns))
		cpg_inval_write(&record);
	PG_RETURN_VOID();
}
