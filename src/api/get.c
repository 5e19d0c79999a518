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
#include "bus/bus.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "core/frequency.h"
#include "error.h"
#include "inval/deps.h"
#include "l2/l2.h"
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

#define MANY_AT_ONCE 32			/* keys of which values are in memory
								 * together, with Redis */

/*
 * What to look for in Redis after a miss of this server; false if nothing.  The
 * value is for what is found.
 */
static bool
make_request(const CpgNamespace *ns, const CpgKey *key, CpgCounter why, CpgL2As as, Oid wanted,
			 CpgValue *value, CpgL2Request *request)
{
	/*
	 * what is read inside of a load becomes a part of it, with all it is made
	 * of
	 */
	if (!cpg_l2_worth_asking(why) || !cpg_l2_readable(ns) || cpg_deps_active())
		return false;
	request->ns = *ns;
	request->key = *key;
	request->key.any_fingerprint = false;
	request->key.fingerprint = 0;
	request->as = as;
	request->wanted = wanted;
	request->value = value;
	request->found = false;
	cpg_l2_name_of_key(ns, &request->key, &request->name);
	return true;
}

/* Look in Redis for what was set under a key that this server does not have. */
static bool
read_from_redis(CpgNamespace *ns, const CpgKey *key, CpgCounter why, CpgL2As as, Oid wanted,
				CpgValue *value)
{
	CpgL2Request request;

	if (!make_request(ns, key, why, as, wanted, value, &request))
		return false;
	cpg_l2_fill_many(&request, 1);
	return request.found;
}

/* A key that this server does not have. */
typedef struct Miss
{
	CpgNamespace *ns;			/* NULL: Redis cannot have it either */
	CpgKey		key;
	CpgCounter	why;
} Miss;

/* Read a key from this server's memory and count; false on a miss. */
static inline bool
read_here(const text *text_key, CpgValue *value, Miss *miss)
{
	CpgNamespace *ns = cpg_key_resolve(text_key, CPG_PRIVILEGE_READ, &miss->key);
	CpgRead		read;

	value->buffer = NULL;
	value->cells = NULL;
	value->notes = NULL;
	miss->ns = NULL;
	if (unlikely(ns->number < 0))
		return false;
	read = cpg_inval_get(ns, &miss->key, cpg_clock_read(), value);
	if (likely(read.hit))
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
	cpg_stats_add(ns->number, read.why, 1);
	miss->ns = ns;
	miss->why = read.why;
	return false;
}

/* Read a key and count; false on a miss. */
static bool pg_attribute_hot
read_key(const text *text_key, CpgL2As as, Oid wanted, CpgValue *value)
{
	Miss		miss;

	if (likely(read_here(text_key, value, &miss)))
		return true;
	return unlikely(cpg_bus_usable()) && miss.ns != NULL &&
		read_from_redis(miss.ns, &miss.key, miss.why, as, wanted, value);
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

	if (PG_ARGISNULL(0) || !read_key(PG_GETARG_TEXT_PP(0), CPG_L2_AS_CONVERTED, asked, &value))
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

Datum		pg_attribute_hot
cachepg_cache_get(PG_FUNCTION_ARGS)
{
	return get_typed(fcinfo, cpg_argument_type(fcinfo, 1));
}

Datum		pg_attribute_hot
cachepg_cache_get_text(PG_FUNCTION_ARGS)
{
	return get_typed(fcinfo, TEXTOID);
}

Datum		pg_attribute_hot
cachepg_cache_get_jsonb(PG_FUNCTION_ARGS)
{
	CpgValue	value;

	cpg_require_preload();
	if (PG_ARGISNULL(0) || !read_key(PG_GETARG_TEXT_PP(0), CPG_L2_AS_JSONB, InvalidOid, &value) || value.isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(cpg_value_show(value.typid, value.datum));
}

/* A row of cache_get_many. */
static void
emit(ReturnSetInfo *rsinfo, Datum key, const CpgValue *value)
{
	Datum		row[2] = {key, (Datum) 0};
	bool		nulls[2] = {false, value->isnull};

	if (!value->isnull)
		row[1] = cpg_value_show(value->typid, value->datum);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, nulls);
}

/* The rows for some keys; those that this server lacks are asked of Redis together. */
static void
emit_some(ReturnSetInfo *rsinfo, const Datum *keys, const bool *nulls, int count)
{
	CpgValue	value[MANY_AT_ONCE];
	bool		hit[MANY_AT_ONCE] = {false};
	CpgL2Request *requests = NULL;
	int			request_of[MANY_AT_ONCE];
	int			nrequests = 0;

	for (int i = 0; i < count; i++)
	{
		Miss		miss = {.ns = NULL};

		hit[i] = !nulls[i] && read_here(DatumGetTextPP(keys[i]), &value[i], &miss);
		request_of[i] = -1;
		if (miss.ns == NULL || !cpg_bus_usable())
			continue;
		if (requests == NULL)
			requests = palloc(count * sizeof(CpgL2Request));
		if (make_request(miss.ns, &miss.key, miss.why, CPG_L2_AS_JSONB, InvalidOid, &value[i],
						 &requests[nrequests]))
			request_of[i] = nrequests++;
	}
	if (nrequests > 0)
		cpg_l2_fill_many(requests, nrequests);
	for (int i = 0; i < count; i++)
	{
		if (hit[i] || (request_of[i] >= 0 && requests[request_of[i]].found))
			emit(rsinfo, keys[i], &value[i]);
	}
}

Datum
cachepg_cache_get_many(PG_FUNCTION_ARGS)
{
	MemoryContext for_some;
	MemoryContext old;
	Datum	   *keys;
	bool	   *nulls;
	int			count;
	int			step = cpg_bus_usable() ? MANY_AT_ONCE : 1;

	cpg_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(0), "keys", &keys, &nulls);
	for_some = AllocSetContextCreate(CurrentMemoryContext, "cache_get_many",
									 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(for_some);
	for (int i = 0; i < count; i += step)
	{
		CHECK_FOR_INTERRUPTS();
		emit_some((ReturnSetInfo *) fcinfo->resultinfo, keys + i, nulls + i,
				  Min(step, count - i));
		MemoryContextReset(for_some);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(for_some);
	return (Datum) 0;
}

/*
 * Look at a key without using it; *value has room for what it is to show.  That
 * another role has a value there is for administrators to know; to others the
 * key is absent.
 */
CpgRead
cpg_peek_key(const text *text_key, int64 now, CpgValue *value)
{
	CpgKey		key;
	CpgNamespace *ns = cpg_key_resolve(text_key, CPG_PRIVILEGE_READ, &key);
	CpgRead		disabled = {false, CPG_COUNT_DISABLED};
	CpgRead		read;

	if (ns->number < 0)
		return disabled;
	read = cpg_inval_peek(ns, &key, now, value);
	if (read.hit && !cpg_value_current(value))
	{
		read.hit = false;
		read.why = CPG_COUNT_TYPE_CHANGED;
	}
	if (read.why == CPG_COUNT_OTHER_ROLE && !(cpg_namespace_privileges(ns) & CPG_PRIVILEGE_ADMIN))
		read.why = CPG_COUNT_ABSENT;
	return read;
}

/* Whether cache_get would find a key; what is found in Redis is kept here. */
static bool
is_there(const text *text_key, int64 now, CpgValue *value)
{
	CpgRead		read = cpg_peek_key(text_key, now, value);
	CpgNamespace *ns;
	CpgKey		key;

	if (likely(read.hit || !cpg_bus_usable()))
		return read.hit;
	ns = cpg_key_resolve(text_key, CPG_PRIVILEGE_READ, &key);
	return ns->number >= 0 && read_from_redis(ns, &key, read.why, CPG_L2_AS_IT_IS, InvalidOid, value);
}

Datum
cachepg_cache_exists(PG_FUNCTION_ARGS)
{
	CpgValue	value = {.buffer = NULL};

	cpg_require_preload();
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(is_there(PG_GETARG_TEXT_PP(0), cpg_clock_now(), &value));
}

Datum
cachepg_cache_ttl(PG_FUNCTION_ARGS)
{
	int64		now = cpg_clock_now();
	CpgValue	value = {.buffer = NULL};

	cpg_require_preload();
	if (PG_ARGISNULL(0) || !is_there(PG_GETARG_TEXT_PP(0), now, &value))
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(cpg_ttl_to_interval(value.expiry - now));
}
