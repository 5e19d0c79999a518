/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  For whom a loaded value is: role and settings.
 *
 * What a query returns may depend on the role that runs it, on who logged in,
 * and on settings of the application (row security often reads them).  Values
 * loaded by a query therefore carry all of these: the role in the key, the
 * others as a hash in the upper half of the fingerprint.  A registered loader
 * runs as the namespace's owner and sees only the settings named in vary_by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/hash.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"

/* The upper half of the fingerprints of an identity. */
uint32
cpg_identity_half(uint64 identity)
{
	return identity == 0 ? CPG_SETTINGS_ANY
		: Max((uint32) (cpg_hash_mix(identity) >> 32), CPG_SETTINGS_ANY + 1);
}

/*
 * Whether values that queries load for the current role depend on who logged
 * in.  Under a registered loader they must not: its own value does not.
 */
bool
cpg_identity_has_login(const CpgNamespace *ns)
{
	return !(ns->shared && ns->adhoc_shared) && !InSecurityRestrictedOperation();
}

/* The identity, a hash, of what queries load for the current role. */
uint64
cpg_identity_of_query(const CpgNamespace *ns)
{
	return cpg_identity_of_session(ns, cpg_identity_has_login(ns));
}

/* The same, whether or not who logged in counts. */
uint64
cpg_identity_of_session(const CpgNamespace *ns, bool login)
{
	uint64		hash = cpg_guard->config.seed;
	bool		any = false;

	if (login)
		hash = cpg_hash_combine(hash, GetSessionUserId());
	hash = cpg_settings_hash(&ns->vary, hash, &any);
	return hash == 0 ? 1 : hash;
}

/* The same of what the registered loader loads; 0 if it sees no settings. */
uint64
cpg_identity_of_loader(const CpgNamespace *ns)
{
	uint64		hash;
	bool		any = false;

	if (ns->vary.all || ns->vary.count == 0)
		return 0;
	hash = cpg_settings_hash(&ns->vary, ~cpg_guard->config.seed, &any);
	return hash == 0 ? 1 : hash;
}

/* The variants of a key that a read without a loader may get. */
void		pg_attribute_hot
cpg_identity_of_read(const CpgNamespace *ns, CpgKey *key)
{
	key->settings[0] = cpg_identity_half(cpg_identity_of_query(ns));
	key->settings[1] = ns->loader == NULL ? key->settings[0]
		: cpg_identity_half(cpg_identity_of_loader(ns));
}

/* The role of what a query loads; 0 for everyone. */
Oid
cpg_identity_role(const CpgNamespace *ns)
{
	return ns->shared && ns->adhoc_shared ? InvalidOid : GetUserId();
}
