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
 * had the old one in its copy may have used it after the drop.  So it may have a
 * number although it is gone; when there is no other one left, a session of its
 * database takes that back.  Databases have
 * numbers of their own, as many as namespaces, since each needs one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_POLICY_REGISTRY_H
#define CPG_POLICY_REGISTRY_H

#include "storage/lwlock.h"

#define CPG_NAMESPACE_NAME_SIZE 64
#define CPG_DEFAULT_NAMESPACE	"default"

/* What the server knows of a namespace. */
typedef struct CpgRegistration
{
	Oid			database;		/* InvalidOid: number is free */
	bool		warm_after_crash;
	uint64		identity;		/* of the catalog row, see policy/catalog.c */
	uint64		max_entries;	/* limits, 0 for none */
	uint64		max_bytes;
	char		name[CPG_NAMESPACE_NAME_SIZE];
} CpgRegistration;

/* All fields are written under the registry's lock. */
typedef struct CpgSharedNamespace
{
	CpgRegistration is;
	volatile uint32 generation; /* moves when the number gets another meaning;
								 * 0: it never had one */
} CpgSharedNamespace;

/* What the server knows of a database; written under the lock. */
typedef struct CpgSharedDatabase
{
	volatile Oid oid;			/* InvalidOid: number is free */
	volatile bool in_use;		/* it has, or had, a namespace with a number */
	volatile bool settled;		/* see inval/usage.c */
} CpgSharedDatabase;

typedef struct CpgSharedRegistry
{
	LWLockPadded lock;
	uint32		size;
	volatile uint32 changes;	/* moves when a database gets in use */
	volatile uint32 assignments;	/* moves when a number gets, or loses, a
									 * meaning */
	Size		databases_offset;	/* CpgSharedDatabase[size] */
	CpgSharedNamespace space[FLEXIBLE_ARRAY_MEMBER];
} CpgSharedRegistry;

extern Size cpg_registry_size(uint32 max_namespaces);
extern void cpg_registry_init(CpgSharedRegistry *registry, uint32 max_namespaces, int tranche);
extern int	cpg_registry_attach(const CpgRegistration *wanted, uint32 *generation);
extern int	cpg_registry_restore(const CpgRegistration *wanted);
extern uint32 cpg_registry_read(int number, CpgRegistration *is);
extern void cpg_registry_release(const char *name);
extern int	cpg_registry_find(Oid database, const char *name, CpgRegistration *is);
extern bool cpg_registry_has_room(void);
extern int	cpg_registry_find_key(Oid database, const char *key, Size len, uint32 *generation);
extern int	cpg_registry_database(void);
extern int	cpg_registry_find_database(Oid database);
extern uint32 cpg_registry_changes(void);
extern bool cpg_registry_in_use(void);
extern bool cpg_registry_settled(void);
extern void cpg_registry_settle(void);

static inline bool
cpg_registration_bounded(const CpgRegistration *is)
{
	return is->max_entries > 0 || is->max_bytes > 0;
}

#endif							/* CPG_POLICY_REGISTRY_H */
