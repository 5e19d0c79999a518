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

extern void cpg_key_of(const CpgNamespace *ns, const char *data, Size len, CpgKey *out);
extern CpgNamespace *cpg_key_resolve(const text *key, uint8 privileges, CpgKey *out);
extern CpgNamespace *cpg_key_resolve_exact(const text *key, uint8 privileges, CpgKey *out);
extern CpgNamespace *cpg_key_resolve_always(const text *key, uint8 privileges, CpgKey *out);
extern int64 cpg_namespace_expiry(const CpgNamespace *ns, int64 ttl, int64 now);

/* identity.c */
extern uint32 cpg_identity_half(uint64 identity);
extern bool cpg_identity_has_login(const CpgNamespace *ns);
extern uint64 cpg_identity_of_query(const CpgNamespace *ns);
extern uint64 cpg_identity_of_session(const CpgNamespace *ns, bool login);
extern uint64 cpg_identity_of_loader(const CpgNamespace *ns);
extern void cpg_identity_of_read(const CpgNamespace *ns, CpgKey *key);
extern Oid	cpg_identity_role(const CpgNamespace *ns);

#endif							/* CPG_POLICY_KEY_H */
