/*-------------------------------------------------------------------------
 *
 * key.h
 *	  From a key as users write it to the key of the store.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_POLICY_KEY_H
#define CPG_POLICY_KEY_H

#include "policy/namespace.h"
#include "store/store.h"

extern CpgNamespace *cpg_key_resolve(const text *key, uint8 privileges, CpgKey *out);
extern CpgNamespace *cpg_key_resolve_always(const text *key, uint8 privileges, CpgKey *out);
extern int64 cpg_namespace_expiry(const CpgNamespace *ns, int64 ttl, int64 now);

#endif							/* CPG_POLICY_KEY_H */
