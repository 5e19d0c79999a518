/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Read-through: look up, else load, publish if allowed, return.
 *
 * What may be published.  The stamp is taken before the loader's snapshot.  A
 * value is kept only if it was loaded in READ COMMITTED, outside of parallel
 * workers, in a transaction that has not written (no transaction id before or
 * after the load) and has not touched temporary tables.  Others would not, or
 * not yet, see what this one sees.
 *
 * Entries expire by TTL alone; changes of the tables are not noticed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "inval/inval.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"
#include "stats/stats.h"
#include "value/value.h"

#define MAY_PUBLISH CPG_NCOUNTERS

/*
 * The key of a fetch.  Its query ran, or would run, as the current role: what
 * it sees is not for others, whatever the scope of the namespace.
 */
static CpgNamespace *
fetch_key(const CpgFetch *fetch, uint64 fingerprint, CpgKey *key)
{
	CpgNamespace *ns = cpg_key_resolve(fetch->key, CPG_PRIVILEGE_READ, key);

	key->role = GetUserId();
	key->fingerprint = fingerprint;
	key->any_fingerprint = false;
	return ns;
}

/* Why what this transaction loads must not be kept, or MAY_PUBLISH. */
static CpgCounter
reason_not_to_publish(CpgNamespace *ns)
{
	if (IsolationUsesXactSnapshot())
		return CPG_COUNT_ISOLATION;
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return CPG_COUNT_WROTE;
	if (IsInParallelMode())
		return CPG_COUNT_PARALLEL;
	if (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE)
		return CPG_COUNT_TEMP_TABLE;
	if ((cpg_namespace_privileges(ns) & CPG_PRIVILEGE_WRITE) == 0)
		return CPG_COUNT_FORBIDDEN;
	return MAY_PUBLISH;
}

/* The item of a loaded value. */
static void
fill_item(const CpgFetch *fetch, const CpgLoaded *loaded, const CpgNamespace *ns,
		  CpgTypeInfo *info, uint64 stamp, int64 now, CpgItem *item)
{
	int64		ttl = fetch->ttl;

	if (loaded->isnull && ttl == 0)
		ttl = ns->negative_ttl;
	memset(item, 0, sizeof(*item));
	cpg_type_info(JSONBOID, info);
	cpg_value_encode(info, loaded->value, loaded->isnull, item);
	item->stamp = stamp;
	item->created = now;
	item->expiry = cpg_namespace_expiry(ns, ttl, now);
	item->load_time = (uint32) Min(Max(loaded->microseconds, 1), PG_UINT32_MAX);
	item->max_entries = ns->max_entries;
	item->max_bytes = ns->max_bytes;
}

/*
 * Keep a loaded value.  The loader may have changed or dropped namespaces, so
 * that the key is resolved again.
 */
static void
publish(const CpgFetch *fetch, const CpgLoaded *loaded, uint64 fingerprint, uint64 stamp)
{
	CpgTypeInfo info;
	CpgWrite	record;

	record.op = CPG_WRITE_PUT;
	record.mode = CPG_PUT_FILL;
	record.ns = fetch_key(fetch, fingerprint, &record.key);
	if (record.ns->number < 0)
		return;
	record.now = cpg_clock_now();
	fill_item(fetch, loaded, record.ns, &info, stamp, record.now, &record.item);
	(void) cpg_inval_write(&record);
}

/* Load, keep if allowed, return. */
static Datum
load(CpgFetch *fetch, CpgNamespace *ns, uint64 fingerprint, bool *isnull)
{
	CpgCounter	reason = reason_not_to_publish(ns);
	int			number = ns->number;
	uint64		stamp = cpg_guard_stamp(cpg_guard);
	CpgLoaded	loaded;

	cpg_loader_run(fetch, &loaded);

	cpg_stats_add(number, CPG_COUNT_LOADS, 1);
	cpg_stats_add(number, CPG_COUNT_LOAD_TIME, loaded.microseconds);
	if (reason == MAY_PUBLISH)
		reason = reason_not_to_publish(cpg_namespace_resolve(VARDATA_ANY(fetch->key),
															 VARSIZE_ANY_EXHDR(fetch->key)));
	if (reason == MAY_PUBLISH)
		publish(fetch, &loaded, fingerprint, stamp);
	else
		cpg_stats_add(number, reason, 1);

	*isnull = loaded.isnull;
	return loaded.value;
}

/*
 * The value of a fetch, jsonb, in the current memory context.  Needs read on
 * the key's namespace.
 */
Datum
cpg_fetch(CpgFetch *fetch, bool *isnull)
{
	CpgValue	value = {.buffer = NULL};
	CpgKey		key;
	uint64		fingerprint = cpg_fetch_fingerprint(fetch);
	CpgNamespace *ns = fetch_key(fetch, fingerprint, &key);
	CpgResult	result;

	if (ns->number < 0)
		return load(fetch, ns, 0, isnull);

	result = cpg_store_get(cpg_store, &key, cpg_clock_now(), &value);
	if (result == CPG_HIT)
	{
		cpg_stats_add(ns->number, CPG_COUNT_HITS, 1);
		*isnull = value.isnull;
		return value.datum;
	}
	cpg_stats_add(ns->number, cpg_stats_miss(result), 1);
	return load(fetch, ns, fingerprint, isnull);
}
