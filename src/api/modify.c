/*-------------------------------------------------------------------------
 *
 * modify.c
 *	  cache_delete, cache_invalidate, cache_expire, cache_touch, cache_incr,
 *	  cache_clear.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "compat.h"
#include "error.h"
#include "fault.h"
#include "guc.h"
#include "inval/inval.h"
#include "inval/twophase.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"

/* How long a counter waits for commits that concern its key, or its cell (ms). */
#define COUNTER_PATIENCE	1000
#define COUNTER_NAP_MAX		50

PG_FUNCTION_INFO_V1(cachepg_cache_delete);
PG_FUNCTION_INFO_V1(cachepg_cache_expire);
PG_FUNCTION_INFO_V1(cachepg_cache_invalidate);
PG_FUNCTION_INFO_V1(cachepg_cache_touch);
PG_FUNCTION_INFO_V1(cachepg_cache_incr);
PG_FUNCTION_INFO_V1(cachepg_cache_clear);

/*
 * End what argument 0 names.  Whether there was a value is for those to know
 * who may read it.
 */
static Datum
end_key(FunctionCallInfo fcinfo, CpgWriteOp op, uint8 privileges)
{
	text	   *key = cpg_key_argument(fcinfo, 0);
	CpgWrite	record;
	bool		found;

	record.op = op;
	record.ns = cpg_key_resolve_always(key, privileges, &record.key);
	if (record.ns->number < 0)
		PG_RETURN_BOOL(false);
	record.now = cpg_clock_now();
	found = cpg_inval_write(&record).found;
	PG_RETURN_BOOL(found && (cpg_namespace_privileges(record.ns) & CPG_PRIVILEGE_READ));
}

Datum
cachepg_cache_delete(PG_FUNCTION_ARGS)
{
	return end_key(fcinfo, CPG_WRITE_INVALIDATE, CPG_PRIVILEGE_INVALIDATE | CPG_PRIVILEGE_WRITE);
}

Datum
cachepg_cache_invalidate(PG_FUNCTION_ARGS)
{
	return end_key(fcinfo, CPG_WRITE_INVALIDATE, CPG_PRIVILEGE_INVALIDATE);
}

Datum
cachepg_cache_expire(PG_FUNCTION_ARGS)
{
	return end_key(fcinfo, CPG_WRITE_EXPIRE, CPG_PRIVILEGE_INVALIDATE);
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

/* A counter to be changed. */
typedef struct Counter
{
	CpgNamespace *ns;
	CpgKey		key;
	int64		delta;
	int64		ttl;			/* of a new one */
	int64		now;
} Counter;

/* Write a value of a counter. */
static CpgPutResult
write_counter(const Counter *counter, Oid typid, Datum value, int64 expiry, CpgPutMode mode,
			  bool immediate)
{
	CpgNamespace *ns = counter->ns;
	CpgTypeInfo type;
	CpgWrite	record;

	record.op = CPG_WRITE_PUT;
	record.mode = mode;
	record.immediate = immediate;
	record.ns = ns;
	record.key = counter->key;
	record.now = counter->now;
	memset(&record.item, 0, sizeof(record.item));
	cpg_type_info(typid, &type);
	cpg_value_encode(&type, value, false, &record.item);
	record.item.stamp = cpg_guard_stamp(cpg_guard);
	record.item.created = counter->now;
	record.item.expiry = expiry;
	record.item.max_entries = ns->max_entries;
	record.item.max_bytes = ns->max_bytes;
	record.frame = NULL;
	return cpg_inval_write(&record).put;
}

/* Begin a counter; refused if another session just did. */
static CpgPutResult
start_counter(const Counter *counter, bool immediate)
{
	return write_counter(counter, INT8OID, Int64GetDatum(counter->delta),
						 cpg_namespace_expiry(counter->ns, counter->ttl, counter->now),
						 CPG_PUT_ADD, immediate);
}

/* Add to what the own transaction set, with the transaction. */
static CpgAddResult
add_to_own(const Counter *counter, CpgValue *value, int64 *sum)
{
	CpgAddResult result = value->isnull ? CPG_ADD_NOT_INTEGER
	: cpg_integer_add(value->typid, &value->datum, counter->delta, sum);

	if (result == CPG_ADD_DONE)
		write_counter(counter, value->typid, value->datum, value->expiry, CPG_PUT_SET, false);
	return result;
}

/* What another session's interference with an attempt to count means. */
typedef enum Again
{
	AGAIN_NOT,
	AGAIN_AT_ONCE,				/* it began the counter */
	AGAIN_LATER					/* it is committing what may be another value */
} Again;

/* One attempt to change a counter. */
static CpgAddResult
add_once(const Counter *counter, int64 *sum, Again *again)
{
	CpgValue	value = {.buffer = NULL};
	CpgOwn		own = cpg_inval_own(&counter->key, counter->now, &value);
	CpgAddResult result;
	CpgPutResult put;

	*again = AGAIN_NOT;
	if (own == CPG_OWN_VALUE)
		return add_to_own(counter, &value, sum);
	result = own == CPG_OWN_GONE ? CPG_ADD_ABSENT
		: cpg_store_add_integer(cpg_store, &counter->key, counter->delta, counter->now, sum);
	if (result == CPG_ADD_DONE)
		cpg_inval_elsewhere(&counter->key);
	if (result != CPG_ADD_ABSENT)
		return result;
	*sum = counter->delta;
	put = start_counter(counter, own == CPG_OWN_NONE);
	if (put == CPG_PUT_REFUSED)
		*again = AGAIN_AT_ONCE;
	else if (put == CPG_PUT_OUTDATED && own == CPG_OWN_NONE && !CPG_SKIP("counter-wait"))
		*again = AGAIN_LATER;
	return CPG_ADD_DONE;
}

/*
 * Wait until nothing is pending on a counter's cell, where others are about to
 * commit something: what its value is then is known only afterwards.  Beyond a
 * time lock_not_available: there is no right sum to return.
 */
static void
wait_for_commits(const Counter *counter, int64 end)
{
	static uint32 wait_event = 0;
	CpgCell		cell = cpg_cell_key(cpg_guard, counter->key.hash);
	long		length = 1;

	if (wait_event == 0)
		wait_event = CPG_WAIT_EVENT_NEW("CachePgCounterWait");
	do
	{
		if (cpg_clock_now() >= end && !CPG_SKIP("counter-patience"))
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("could not change a cached counter while others commit"),
					 errdetail("A prepared transaction, or one that is committing, sets or invalidates its key or one that shares its cell."),
					 errhint("Try again. A transaction holds counters up while it is prepared, or its commit waits for a standby.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, length, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		/* perhaps of a prepared transaction that has ended meanwhile */
		cpg_twophase_resolve();
		length = Min(2 * length, COUNTER_NAP_MAX);
	} while (cpg_guard_pending(cpg_guard, cell));
}

/* Change a counter, in as many attempts as it takes. */
static CpgAddResult
add(Counter *counter, int64 *sum)
{
	int64		end = counter->now + COUNTER_PATIENCE;
	CpgAddResult result;
	Again		again;

	do
	{
		CHECK_FOR_INTERRUPTS();
		result = add_once(counter, sum, &again);
		if (again == AGAIN_LATER)
		{
			wait_for_commits(counter, end);
			counter->now = cpg_clock_now();
		}
	} while (again != AGAIN_NOT);
	return result;
}

Datum
cachepg_cache_incr(PG_FUNCTION_ARGS)
{
	text	   *text_key = cpg_key_argument(fcinfo, 0);
	Counter		counter;
	CpgAddResult result;
	int64		sum;

	if (PG_ARGISNULL(1))
		cpg_error_null_argument("delta");
	counter.delta = PG_GETARG_INT64(1);
	counter.ttl = cpg_optional_ttl(fcinfo, 2);
	counter.now = cpg_clock_now();
	counter.ns = cpg_key_resolve_always(text_key, CPG_PRIVILEGE_WRITE, &counter.key);
	if (counter.ns->number < 0)
		PG_RETURN_INT64(counter.delta);
	if (!cpg_enabled)
	{
		start_counter(&counter, false);
		PG_RETURN_INT64(counter.delta);
	}

	result = add(&counter, &sum);
	if (result == CPG_ADD_NOT_INTEGER)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cached value is not an integer"),
				 errhint("cache_incr works on smallint, integer and bigint.")));
	if (result == CPG_ADD_OVERFLOW)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cached integer out of range")));
	PG_RETURN_INT64(sum);
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
