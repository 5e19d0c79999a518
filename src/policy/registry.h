/*-------------------------------------------------------------------------
 *
 * registry.h
 *	  Numbers of namespaces and databases in use, for the whole server.
 *
 * The store knows a namespace by a small number, which is also the number of
 * its cell in the guard.  A number is given to (database, name) at the first
 * use and taken back when the namespace or the database is gone.  A namespace
 * dropped and made again has another identity, with which the number gets a
 * new generation, so that nothing of the old one is seen: a session that still
 * had the old one in its copy may have used it after the drop.  Databases have
 * numbers of their own, as many as namespaces, since each needs one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_POLICY_REGISTRY_H
#define CPG_POLICY_REGISTRY_H

#include "storage/lwlock.h"

#define CPG_NAMESPACE_NAME_SIZE 64

/* All fields are written under the registry's lock. */
typedef struct CpgSharedNamespace
{
	Oid			database;		/* InvalidOid: number is free */
	volatile uint32 generation; /* moves when the number gets another meaning */
	bool		bounded;
	uint64		identity;		/* of the catalog row, see policy/catalog.c */
	char		name[CPG_NAMESPACE_NAME_SIZE];
} CpgSharedNamespace;

typedef struct CpgSharedRegistry
{
	LWLockPadded lock;
	uint32		size;
	Size		databases_offset;	/* volatile Oid[size], InvalidOid: free */
	CpgSharedNamespace space[FLEXIBLE_ARRAY_MEMBER];
} CpgSharedRegistry;

extern Size cpg_registry_size(uint32 max_namespaces);
extern void cpg_registry_init(CpgSharedRegistry *registry, uint32 max_namespaces, int tranche);
extern int	cpg_registry_attach(const char *name, uint64 identity, bool bounded,
								uint32 *generation);
extern void cpg_registry_release(const char *name);
extern int	cpg_registry_database(void);
extern int	cpg_registry_find_database(Oid database);

#endif							/* CPG_POLICY_REGISTRY_H */
