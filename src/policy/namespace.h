/*-------------------------------------------------------------------------
 *
 * namespace.h
 *	  Namespaces as a session sees them: policy and privileges.
 *
 * A copy of the catalog tables cachepg_namespace and cachepg_namespace_acl,
 * read at the first use and again after they changed.  A pointer to a
 * CpgNamespace holds until the next cpg_namespace_resolve, _find or _list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_POLICY_NAMESPACE_H
#define CPG_POLICY_NAMESPACE_H

#include "policy/registry.h"
#include "session/settings.h"

#define CPG_DEFAULT_NAMESPACE		"default"
#define CPG_DEFAULT_TTL				INT64CONST(300000)	/* ms */
#define CPG_DEFAULT_NEGATIVE_TTL	INT64CONST(10000)

typedef enum CpgPrivilege
{
	CPG_PRIVILEGE_READ = 1,
	CPG_PRIVILEGE_WRITE = 2,
	CPG_PRIVILEGE_INVALIDATE = 4,
	CPG_PRIVILEGE_ADMIN = 8,
	CPG_PRIVILEGE_OWNER = 16
} CpgPrivilege;

#define CPG_PRIVILEGES_GRANTABLE 15

typedef struct CpgGrant
{
	Oid			grantee;		/* 0: PUBLIC */
	uint8		privileges;
} CpgGrant;

typedef struct CpgNamespace
{
	char		name[CPG_NAMESPACE_NAME_SIZE];
	uint8		name_len;
	Oid			owner;
	uint64		identity;		/* tells it from an earlier one of that name */
	/* policy, defaults filled in; times in milliseconds */
	int64		ttl;
	int64		negative_ttl;
	double		jitter;
	bool		shared;			/* scope: values for all roles, or one per
								 * role */
	bool		ttl_only;		/* consistency: lifetime alone, or commit */
	bool		adhoc_shared;	/* in shared scope: results of queries too */
	CpgVary		vary;
	char	   *loader;			/* signature of its function, or NULL */
	int64		max_entries;	/* 0: no limit */
	int64		max_bytes;
	bool		warm_after_crash;	/* in dumps that may be loaded after a crash */
	/* privileges */
	CpgGrant   *grants;
	int			ngrants;
	Oid			checked_role;	/* whose privileges the next field has */
	uint32		checked_epoch;
	uint8		privileges;
	/* number in the store, valid while the generation is */
	int			number;
	uint32		generation;
	/* the loader's function, looked up at the first use and after changes */
	uint32		loader_epoch;	/* 0: not looked up */
	Oid			loader_function;
	uint64		loader_version;
} CpgNamespace;

/* namespace.c */
extern CpgNamespace *cpg_namespace_resolve(const char *key, Size len);
extern CpgNamespace *cpg_namespace_find(const char *name);
extern CpgNamespace *cpg_namespace_get(const char *name);
extern CpgNamespace *cpg_namespace_by_number(int number);
extern int	cpg_namespace_list(CpgNamespace **first);
extern bool cpg_namespace_attach(CpgNamespace *ns);

static inline bool
cpg_namespace_bounded(const CpgNamespace *ns)
{
	return ns->max_entries > 0 || ns->max_bytes > 0;
}

/* acl.c */
extern uint8 cpg_namespace_privileges(CpgNamespace *ns);
extern void cpg_namespace_require(CpgNamespace *ns, uint8 any_of);
extern const char *cpg_privilege_name(uint8 privilege);
extern uint8 cpg_privilege_parse(const char *name);

/* catalog.c */
typedef struct CpgCatalog
{
	Oid			table;			/* cachepg_namespace */
	Oid			acl_table;
	Oid			watch_table;
	Oid			owner;			/* of the extension */
} CpgCatalog;

extern CpgCatalog cpg_catalog_find(void);
extern char *cpg_catalog_version(void);
extern CpgNamespace *cpg_catalog_read(const CpgCatalog *catalog, MemoryContext context, int *count);

#endif							/* CPG_POLICY_NAMESPACE_H */
