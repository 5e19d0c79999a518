/*-------------------------------------------------------------------------
 *
 * key.c
 *	  Keys: limits, namespace, privilege, identity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cachepg.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "compat.h"
#include "error.h"
#include "guc.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"

static void
check_length(Size len)
{
	if (len == 0)
		cpg_error_bad_argument("cache key must not be empty");
	if (len > CPG_KEY_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cache key is too long"),
				 errdetail("It has %zu bytes; the limit is %d.", len, CPG_KEY_MAX),
				 errhint("Use a hash of the long part, such as md5(...).")));
}

/* The key of a text (not copied) in an attached namespace, for any reader. */
void		pg_attribute_hot
cpg_key_of(const CpgNamespace *ns, const char *data, Size len, CpgKey *out)
{
	cpg_key_init(out, cpg_store, (uint16) ns->number, data, len);
	out->generation = ns->generation;
	out->bounded = cpg_namespace_bounded(ns);
}

static inline CpgNamespace *
resolve(const text *key, uint8 privileges, bool enabled, bool exact, CpgKey *out)
{
	const char *data = VARDATA_ANY(key);
	Size		len = VARSIZE_ANY_EXHDR(key);
	CpgNamespace *ns;

	if (unlikely(!cpg_shmem_ready()))
		cpg_require_preload();
	if (unlikely(len == 0 || len > CPG_KEY_MAX))
		check_length(len);

	ns = cpg_namespace_resolve(data, len);
	if (unlikely((cpg_namespace_privileges(ns) & privileges) == 0))
		cpg_namespace_deny(ns, privileges, cpg_namespace_missing(ns, data, len));
	if (unlikely(!enabled || !cpg_namespace_attach(ns)))
	{
		memset(out, 0, sizeof(*out));
		out->hash = hash_bytes_extended((const unsigned char *) data, (int) len, 0);
		ns->number = -1;
		return ns;
	}
	cpg_key_of(ns, data, len, out);
	out->role = ns->shared ? InvalidOid : GetUserId();
	cpg_store_prefetch(cpg_store, out);
	if (!exact)
		cpg_identity_of_read(ns, out);
	return ns;
}

/*
 * Fill *out for a key (detoasted, packed, not copied) of the current role and
 * return its namespace, after checking that the role has one of privileges.
 * out->ns is meaningful only if the namespace is attached; *out matches the
 * newest variant.
 *
 * Errors: object_not_in_prerequisite_state, invalid_parameter_value,
 * program_limit_exceeded, insufficient_privilege.
 */
CpgNamespace *pg_attribute_hot
cpg_key_resolve(const text *key, uint8 privileges, CpgKey *out)
{
	return resolve(key, privileges, cpg_enabled, false, out);
}

/*
 * As cpg_key_resolve, for a caller that will name role and fingerprint: whom
 * other variants are for is left out.
 */
CpgNamespace *pg_attribute_hot
cpg_key_resolve_exact(const text *key, uint8 privileges, CpgKey *out)
{
	return resolve(key, privileges, cpg_enabled, true, out);
}

/*
 * As cpg_key_resolve, also while cachepg.enabled is off: for deletions.  Were
 * one dropped, the deleted value would be there for sessions with the setting
 * on.
 */
CpgNamespace *
cpg_key_resolve_always(const text *key, uint8 privileges, CpgKey *out)
{
	return resolve(key, privileges, true, false, out);
}

/*
 * When a value written now with a lifetime in milliseconds (0: the
 * namespace's) expires; the jitter shortens it at random.
 */
int64
cpg_namespace_expiry(const CpgNamespace *ns, int64 ttl, int64 now)
{
	if (ttl == 0)
		ttl = ns->ttl;
	if (ns->jitter > 0)
		ttl -= (int64) (ttl * ns->jitter * pg_prng_double(&pg_global_prng_state));
	return now + Max(ttl, 1);
}
