/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Read-through: what a call of cache_fetch looks up, and the hit.
 *
 * All else is in pipeline.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "fetch/fetch_internal.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"
#include "stats/stats.h"
#include "track/track.h"
#include "value/value.h"

/* The role of the key of what a query, or the registered loader, loads. */
Oid
cpg_call_role(const CpgCall *call, const CpgNamespace *ns)
{
	if (call->fetch->query == NULL)
		return ns->shared ? InvalidOid : GetUserId();
	return cpg_identity_role(ns);
}

/*
 * The key of a fetch: that of the plain value, narrowed to what the same loader
 * made with the same consistency for the same readers: those of an identity, 0 for
 * this session's.
 */
void		pg_attribute_hot
cpg_call_find_key(CpgCall *call, uint64 identity)
{
	const CpgFetch *fetch = call->fetch;
	CpgKey	   *key = &call->key;
	CpgNamespace *ns = cpg_key_resolve_exact(fetch->key, CPG_PRIVILEGE_READ, key);
	uint64		version;

	call->ns = ns;
	call->ttl_only = fetch->has_consistency ? fetch->ttl_only : ns->ttl_only;
	call->function = InvalidOid;
	if (fetch->query == NULL)
	{
		call->function = cpg_registered_find(ns, fetch->key, &version);
		call->identity = cpg_identity_of_loader(ns);
		key->fingerprint = cpg_fingerprint_of_loader(call->function, version, call->ttl_only,
													 call->identity);
	}
	else
	{
		call->identity = identity != 0 ? identity : cpg_identity_of_query(ns);
		key->fingerprint = cpg_fingerprint_of_query(fetch, call->ttl_only, call->identity);
	}
	key->role = call->role = cpg_call_role(call, ns);
	key->any_fingerprint = false;
}

/* Whether rows are still of the type they were kept as; jsonb always is. */
static inline bool
is_current(const CpgCall *call, const CpgValue *value)
{
	return likely(!OidIsValid(call->fetch->rowtype)) || cpg_value_current(value);
}

/*
 * Read a call's key again, also what expired at most so many milliseconds ago.
 * The namespace may have been dropped since, and its number given away.
 */
bool		pg_attribute_hot
cpg_call_read(CpgCall *call, int64 grace, CpgValue *value, CpgRead *read)
{
	CpgNamespace *ns = call->ns;

	if (ns->number < 0 || cpg_registry->space[ns->number].generation != ns->generation)
		return false;
	call->key.grace = (uint32) Min(grace, PG_UINT32_MAX);
	*read = cpg_inval_get(ns, &call->key, cpg_clock_read(), value);
	return read->hit && is_current(call, value);
}

/* Look up the value of a call; true if it is there and not expired. */
static bool pg_attribute_hot
look_up(CpgCall *call)
{
	CpgNamespace *ns = call->ns;
	int64		now = cpg_clock_read();
	CpgRead		read;

	call->old.buffer = call->old.notes = NULL;
	call->old.cells = NULL;
	call->key.grace = (uint32) Min(cpg_namespace_grace(ns), PG_UINT32_MAX);
	read = cpg_inval_get(ns, &call->key, now, &call->old);
	call->has_old = read.hit && is_current(call, &call->old);
	if (unlikely(read.hit && !call->has_old))
	{
		cpg_stats_add(ns->number, CPG_COUNT_TYPE_CHANGED, 1);
		return false;
	}
	if (likely(read.hit && call->old.expiry > now))
	{
		cpg_stats_add(ns->number, CPG_COUNT_HITS, 1);
		call->value = call->old.datum;
		call->isnull = call->old.isnull;
		if (unlikely(cpg_refresh_is_due(call, now)))
			(void) cpg_refresh_early(call);
		return true;
	}
	cpg_stats_add(ns->number, read.hit ? CPG_COUNT_EXPIRED : read.why, 1);
	return false;
}

/* What a call is before anything is known of it. */
void
cpg_call_clear(CpgCall *call, const CpgFetch *fetch)
{
	call->fetch = fetch;
	call->has_old = false;
	call->many = NULL;
	call->for_session = false;
	call->all_or_nothing = false;
	call->handable = false;
	call->context.hidden = NULL;
	call->behind = false;
	call->named = false;
	call->asked = 0;
	call->lock.held = false;
	call->position = 0;
	call->awaited = false;
	call->handed = false;
}

/* Begin a call: find out what it is about. */
void		pg_attribute_hot
cpg_call_begin(CpgCall *call, const CpgFetch *fetch)
{
	cpg_call_clear(call, fetch);
	cpg_call_find_key(call, 0);
}

/* Look for the value of a call that has begun; true if call->value is there. */
bool		pg_attribute_hot
cpg_call_hit(CpgCall *call)
{
	if (unlikely(call->ns->number < 0))
		return false;
	if (likely(!cpg_track_hidden_names() || call->fetch->query == NULL))
		return look_up(call);
	cpg_stats_add(call->ns->number, CPG_COUNT_HIDDEN_NAMES, 1);
	return false;
}

/*
 * The value of a fetch in the current memory context: jsonb, or an array of its
 * row type.  Needs read on the key's namespace.
 */
Datum		pg_attribute_hot
cpg_fetch(CpgFetch *fetch, bool *isnull)
{
	CpgCall		call;

	cpg_call_begin(&call, fetch);
	if (unlikely(!cpg_call_hit(&call)))
		cpg_call_miss(&call);
	*isnull = call.isnull;
	return call.value;
}
