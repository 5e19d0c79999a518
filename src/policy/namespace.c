/*-------------------------------------------------------------------------
 *
 * namespace.c
 *	  The session's copy of the namespaces and the way from a key to its
 *	  namespace.
 *
 * The copy is void after any change of the catalog tables, which is announced
 * by a relcache invalidation (trigger cachepg_catalog_changed): by other
 * sessions' changes from the first statement after their commit on, by the own
 * ones at once, and again if they are rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "compat.h"
#include "miscadmin.h"
#include "policy/namespace.h"
#include "shmem.h"
#include "store/store.h"
#include "utils/inval.h"
#include "utils/memutils.h"

static MemoryContext context = NULL;
static CpgNamespace *spaces = NULL;
static int	nspaces = 0;
static bool valid = false;
static uint32 assignments = 0;	/* the registry's, when the catalog was read */
static CpgCatalog catalog;

/* Open addressing by name, twice as many places as namespaces or more. */
static uint32 *table = NULL;	/* index + 1, 0 is empty */
static uint32 table_mask = 0;

/* The namespace of the key before, most often that of the next. */
static CpgNamespace *last = NULL;

static void
relation_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == catalog.table || relid == catalog.acl_table)
		valid = false;
}

static void
build_table(void)
{
	uint32		size = 16;

	while (size < (uint32) nspaces * 2)
		size *= 2;
	table = MemoryContextAllocZero(context, size * sizeof(uint32));
	table_mask = size - 1;
	for (int i = 0; i < nspaces; i++)
	{
		uint32		at = hash_bytes((unsigned char *) spaces[i].name, spaces[i].name_len);

		while (table[at & table_mask] != 0)
			at++;
		table[at & table_mask] = i + 1;
	}
}

static void
forget(void)
{
	if (context == NULL)
	{
		context = AllocSetContextCreate(TopMemoryContext, "cachepg namespaces",
										ALLOCSET_SMALL_SIZES);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	}
	spaces = NULL;
	last = NULL;
	nspaces = 0;
	MemoryContextReset(context);
}

/* Read the catalog until no change came in between. */
static void
reload(void)
{
	do
	{
		forget();
		assignments = cpg_registry->assignments;
		catalog = cpg_catalog_find();
		if (!OidIsValid(catalog.table) || !OidIsValid(catalog.acl_table))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("extension \"cachepg\" is not installed in this database"),
					 errhint("Run CREATE EXTENSION cachepg;")));
		valid = true;
		spaces = cpg_catalog_read(&catalog, context, &nspaces);
		build_table();
	} while (!valid);
}

/*
 * Let a statement see what was committed before it.  In a transaction that
 * takes no lock on the way, as one that only reads the cache, nobody else
 * would ask for invalidation messages.
 */
static inline void
notice_changes(void)
{
	static TimestampTz noticed = 0;
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (unlikely(statement != noticed))
	{
		AcceptInvalidationMessages();
		noticed = statement;
	}
}

static inline void
ensure_valid(void)
{
	notice_changes();
	if (unlikely(!valid || spaces == NULL))
	{
		valid = false;
		reload();
	}
}

static CpgNamespace *
lookup(const char *name, Size len)
{
	uint32		at;

	if (len == 0 || len >= CPG_NAMESPACE_NAME_SIZE)
		return NULL;
	at = hash_bytes((const unsigned char *) name, (int) len);
	for (; table[at & table_mask] != 0; at++)
	{
		CpgNamespace *ns = &spaces[table[at & table_mask] - 1];

		if (ns->name_len == len && memcmp(ns->name, name, len) == 0)
			return ns;
	}
	return NULL;
}

/*
 * The namespace of a key: that named before the first colon if there is one of
 * that name, else the default namespace.
 */
CpgNamespace *pg_attribute_hot
cpg_namespace_resolve(const char *key, Size len)
{
	const char *colon;
	CpgNamespace *ns;

	ensure_valid();
	if (last != NULL && len > last->name_len && key[last->name_len] == ':' &&
		memcmp(key, last->name, last->name_len) == 0)
		return last;
	if (nspaces == 1)
		return &spaces[0];
	colon = memchr(key, ':', Min(len, CPG_NAMESPACE_NAME_SIZE));
	ns = colon == NULL ? NULL : lookup(key, colon - key);
	if (ns == NULL)
		return &spaces[0];
	last = ns;
	return ns;
}

/*
 * What a key begins with as if it were a namespace, so that the key is one of the
 * default namespace; NULL for any other key.
 */
char *
cpg_namespace_missing(const CpgNamespace *ns, const char *key, Size len)
{
	const char *colon = memchr(key, ':', Min(len, CPG_NAMESPACE_NAME_SIZE));
	Size		prefix = colon == NULL ? 0 : colon - key;

	if (prefix == 0 || ns != &spaces[0] || lookup(key, prefix) != NULL)
		return NULL;
	return pnstrdup(key, prefix);
}

/* The namespace of a name, NULL if there is none. */
CpgNamespace *
cpg_namespace_find(const char *name)
{
	ensure_valid();
	return lookup(name, strlen(name));
}

/* As cpg_namespace_find, but raises undefined_object. */
CpgNamespace *
cpg_namespace_get(const char *name)
{
	CpgNamespace *ns = cpg_namespace_find(name);

	if (ns == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("cache namespace \"%s\" does not exist", name),
				 errhint("The view cache_namespaces shows those that you may use.")));
	return ns;
}

/*
 * What the registry's count of assignments was when the session's copy was read.
 * While it has not moved no key belongs to another namespace than the copy says,
 * for whoever has attached one.
 */
uint32
cpg_namespace_assignments(void)
{
	return assignments;
}

/* Have the copy read anew at the next use.  Cannot fail. */
void
cpg_namespace_reread(void)
{
	valid = false;
}

/* All namespaces of this database; returns their number. */
int
cpg_namespace_list(CpgNamespace **first)
{
	ensure_valid();
	*first = spaces;
	return nspaces;
}

/* What the server has to know of a namespace of this database. */
static CpgRegistration
registration(const CpgNamespace *ns)
{
	CpgRegistration is;

	memset(&is, 0, sizeof(is));
	is.database = MyDatabaseId;
	is.identity = ns->identity;
	is.max_entries = (uint64) ns->max_entries;
	is.max_bytes = (uint64) ns->max_bytes;
	is.warm_after_crash = ns->warm_after_crash;
	strlcpy(is.name, ns->name, sizeof(is.name));
	return is;
}

/*
 * Make ns->number valid.  False if the server has no number left: then nothing
 * of the namespace is cached.
 */
bool		pg_attribute_hot
cpg_namespace_attach(CpgNamespace *ns)
{
	CpgRegistration wanted;

	if (likely(ns->number >= 0 &&
			   cpg_registry->space[ns->number].generation == ns->generation))
		return true;
	wanted = registration(ns);
	ns->number = cpg_registry_attach(&wanted, &ns->generation);
	if (ns->number < 0)
		return false;
	cpg_store_set_grace(cpg_store, (uint16) ns->number, cpg_namespace_grace(ns));
	return true;
}

/*
 * The number that a namespace has, -1 if it has none, as when nobody has used it
 * since the server's start; and its generation, unless that is NULL.  To look
 * makes no use of it.
 */
int
cpg_namespace_number(const CpgNamespace *ns, uint32 *generation)
{
	CpgRegistration is;
	int			number = cpg_registry_find(MyDatabaseId, ns->name, &is);
	uint32		read;

	if (number < 0)
		return -1;
	read = cpg_registry_read(number, &is);
	if (generation != NULL)
		*generation = read;
	return is.database == MyDatabaseId && is.identity == ns->identity ? number : -1;
}

/* The namespace of this database with a number in the store, or NULL. */
CpgNamespace *
cpg_namespace_by_number(int number)
{
	CpgRegistration copy;
	CpgNamespace *ns;

	(void) cpg_registry_read(number, &copy);
	if (copy.database != MyDatabaseId)
		return NULL;
	ns = cpg_namespace_find(copy.name);
	return ns != NULL && ns->identity == copy.identity ? ns : NULL;
}

/*
 * A copy (palloc'd) of all that a load needs, without privileges: it holds
 * whatever happens to the namespace.
 */
CpgNamespace *
cpg_namespace_copy(const CpgNamespace *ns)
{
	CpgNamespace *copy = palloc(sizeof(CpgNamespace));

	*copy = *ns;
	copy->grants = NULL;
	copy->ngrants = 0;
	copy->loader = NULL;
	copy->vary.names = palloc(Max(ns->vary.count, 1) * sizeof(char *));
	for (int i = 0; i < ns->vary.count; i++)
		copy->vary.names[i] = pstrdup(ns->vary.names[i]);
	if (ns->nstale_on > 0)
	{
		copy->stale_on = palloc(ns->nstale_on * sizeof(int));
		memcpy(copy->stale_on, ns->stale_on, ns->nstale_on * sizeof(int));
	}
	if (ns->fallback != NULL)
	{
		copy->fallback = palloc(VARSIZE(ns->fallback));
		memcpy(copy->fallback, ns->fallback, VARSIZE(ns->fallback));
	}
	return copy;
}
