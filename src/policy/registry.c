/*-------------------------------------------------------------------------
 *
 * registry.c
 *	  Numbers of namespaces.  See registry.h.
 *
 * Concurrency: one lock, taken at a session's first use of a namespace and by
 * DDL on namespaces, never on a hit.  A session remembers the number with its
 * generation and compares the latter, without lock, at each use: whoever gives
 * a number another meaning first bumps its cell, so that entries of the old
 * meaning are dead for everybody.
 *
 * The first meaning of a number needs no bump, and must not have one: entries
 * of before a restart are loaded with a stamp below all numbers that have been
 * drawn since (warm/load.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "compat.h"
#include "guard/guard.h"
#include "miscadmin.h"
#include "policy/namespace.h"
#include "policy/registry.h"
#include "shmem.h"
#include "store/store.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define LOOK_INTERVAL 1000		/* ms */

Size
cpg_registry_size(uint32 max_namespaces)
{
	return MAXALIGN(offsetof(CpgSharedRegistry, space) + max_namespaces * sizeof(CpgSharedNamespace)) +
		max_namespaces * sizeof(CpgSharedDatabase);
}

void
cpg_registry_init(CpgSharedRegistry *registry, uint32 max_namespaces, int tranche)
{
	memset(registry, 0, cpg_registry_size(max_namespaces));
	LWLockInitialize(&registry->lock.lock, tranche);
	registry->size = max_namespaces;
	registry->changes = 1;
	registry->databases_offset = MAXALIGN(offsetof(CpgSharedRegistry, space) +
										  max_namespaces * sizeof(CpgSharedNamespace));
}

static CpgSharedDatabase *
databases(void)
{
	return (CpgSharedDatabase *) ((char *) cpg_registry + cpg_registry->databases_offset);
}

/* The number of a database, given to it if it has none; -1 if all are in use. */
static int
database_locked(Oid wanted)
{
	CpgSharedDatabase *database = databases();
	int			free = -1;

	for (int i = (int) cpg_registry->size - 1; i >= 0; i--)
	{
		if (database[i].oid == wanted)
			return i;
		if (database[i].oid == InvalidOid)
			free = i;
	}
	if (free >= 0)
		database[free].oid = wanted;
	return free;
}

/* Take a number back; what the database leaves behind must not seem valid to the next. */
static void
release_database_locked(uint16 number)
{
	cpg_guard_bump(cpg_guard, cpg_cell_database(cpg_guard, number));
	cpg_guard_bump(cpg_guard, cpg_cell_schema(cpg_guard, number));
	memset(&databases()[number], 0, sizeof(CpgSharedDatabase));
}

/* From now on what is kept may depend on tables of a database. */
static void
use_database_locked(int number)
{
	if (databases()[number].in_use)
		return;
	databases()[number].in_use = true;
	cpg_registry->changes++;
}

static int
find_locked(Oid database, const char *name)
{
	for (uint32 i = 0; i < cpg_registry->size; i++)
	{
		CpgRegistration *is = &cpg_registry->space[i].is;

		if (is->database == database && strcmp(is->name, name) == 0)
			return (int) i;
	}
	return -1;
}

/*
 * A free number, if possible one without dead entries of its last meaning,
 * which would count as entries of the new one until the janitor meets them.
 */
static int
find_free_locked(void)
{
	int			second_choice = -1;

	for (uint32 i = 0; i < cpg_registry->size; i++)
	{
		CpgStoreUse use;

		if (cpg_registry->space[i].is.database != InvalidOid)
			continue;
		cpg_store_use(cpg_store, (uint16) i, &use);
		if (use.entries == 0)
			return (int) i;
		second_choice = (int) i;
	}
	return second_choice;
}

/* Give a number a meaning (NULL: none); all its entries die. */
static void
assign_locked(int number, const CpgRegistration *meaning)
{
	CpgSharedNamespace *space = &cpg_registry->space[number];

	cpg_registry->assignments++;
	if (space->generation++ > 0)
		cpg_guard_bump(cpg_guard, (CpgCell) number);
	if (meaning != NULL)
		space->is = *meaning;
	else
		memset(&space->is, 0, sizeof(space->is));
}

/* Whether entries of one meaning are entries of the other. */
static bool
is_same(const CpgRegistration *one, const CpgRegistration *other)
{
	return one->identity == other->identity &&
		cpg_registration_bounded(one) == cpg_registration_bounded(other);
}

static bool
is_same_name(const CpgRegistration *one, const CpgRegistration *other)
{
	return one->database == other->database && strcmp(one->name, other->name) == 0;
}

/* Give a free number to a namespace; -1 if there is none. */
static int
assign_free_locked(const CpgRegistration *wanted)
{
	int			number = find_free_locked();

	if (number >= 0)
		assign_locked(number, wanted);
	return number;
}

static int
attach_locked(const CpgRegistration *wanted, uint32 *generation)
{
	int			database = database_locked(wanted->database);
	int			number = find_locked(wanted->database, wanted->name);

	if (database < 0)
		return -1;
	if (number < 0)
		number = assign_free_locked(wanted);
	else if (!is_same(&cpg_registry->space[number].is, wanted))
		assign_locked(number, wanted);
	else
		cpg_registry->space[number].is = *wanted;	/* limits may have changed */
	if (number < 0)
		return -1;
	*cpg_guard_database(cpg_guard, (uint16) number) = (uint16) database;
	use_database_locked(database);
	*generation = cpg_registry->space[number].generation;
	return number;
}

static bool
database_exists(Oid database)
{
	return SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
}

/* Free the numbers of databases that exist no more. */
static bool
reclaim_databases(void)
{
	bool		freed = false;

	for (uint32 i = 0; i < cpg_registry->size; i++)
	{
		Oid			database = databases()[i].oid;

		if (database == InvalidOid || database_exists(database))
			continue;
		LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
		if (databases()[i].oid == database)
		{
			release_database_locked((uint16) i);
			freed = true;
		}
		LWLockRelease(&cpg_registry->lock.lock);
	}
	return freed;
}

/* Free the numbers of namespaces whose database exists no more. */
static bool
reclaim_namespaces(void)
{
	bool		freed = false;

	for (uint32 i = 0; i < cpg_registry->size; i++)
	{
		Oid			database = cpg_registry->space[i].is.database;

		/* looked up without our lock: a catalog access may do anything */
		if (database == InvalidOid || database_exists(database))
			continue;
		LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
		if (cpg_registry->space[i].is.database == database)
		{
			assign_locked((int) i, NULL);
			freed = true;
		}
		LWLockRelease(&cpg_registry->lock.lock);
	}
	return freed;
}

static bool
is_listed(const CpgNamespace *list, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(list[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Free the numbers of namespaces of this database that are not in a list. */
static bool
free_unlisted(const CpgNamespace *list, int count)
{
	bool		freed = false;

	for (uint32 i = 0; i < cpg_registry->size; i++)
	{
		CpgRegistration is;

		(void) cpg_registry_read((int) i, &is);
		if (is.database != MyDatabaseId || is_listed(list, count, is.name))
			continue;
		LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
		if (is_same_name(&cpg_registry->space[i].is, &is))
		{
			assign_locked((int) i, NULL);
			freed = true;
		}
		LWLockRelease(&cpg_registry->lock.lock);
	}
	return freed;
}

/*
 * Free the numbers of namespaces that this database has no more.  Until a drop is
 * committed, and a moment longer, others may use the namespace, which then gets a
 * number again.  One that is new and not seen here gets another one, too.  Looks
 * once in a while only: who has no number asks at each use.
 */
static bool
reclaim_dropped(void)
{
	static int64 looked = 0;
	int64		now = cpg_clock_now();
	CpgCatalog	catalog;
	MemoryContext context;
	MemoryContext caller;
	CpgNamespace *list;
	int			count;
	bool		freed;

	if (looked != 0 && now - looked < LOOK_INTERVAL)
		return false;
	looked = now;
	catalog = cpg_catalog_find();
	if (!OidIsValid(catalog.table) || !OidIsValid(catalog.acl_table))
		return false;
	context = AllocSetContextCreate(CurrentMemoryContext, "cachepg names", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	list = cpg_catalog_read(&catalog, context, &count);
	freed = free_unlisted(list, count);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return freed;
}

/*
 * The number of a namespace, -1 if all numbers are in use; it holds while the
 * generation at that number does not move.
 */
int
cpg_registry_attach(const CpgRegistration *wanted, uint32 *generation)
{
	int			number;

	for (;;)
	{
		LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
		number = attach_locked(wanted, generation);
		LWLockRelease(&cpg_registry->lock.lock);
		if (number >= 0)
			return number;
		if (!reclaim_namespaces() && !reclaim_databases() && !reclaim_dropped())
			return -1;
	}
}

/*
 * The number of a namespace of before a restart, given to it if it has none;
 * -1 if no number is free, or if sessions know another namespace by that name.
 * What they know of its limits stays.  Works without a connection to a database.
 */
int
cpg_registry_restore(const CpgRegistration *wanted)
{
	uint32		generation;
	int			number;

	LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
	number = find_locked(wanted->database, wanted->name);
	if (number < 0)
		number = attach_locked(wanted, &generation);
	else if (!is_same(&cpg_registry->space[number].is, wanted))
		number = -1;
	LWLockRelease(&cpg_registry->lock.lock);
	return number;
}

/* The number of a namespace that is in use, with what is known of it; -1 if it is not. */
int
cpg_registry_find(Oid database, const char *name, CpgRegistration *is)
{
	int			number;

	LWLockAcquire(&cpg_registry->lock.lock, LW_SHARED);
	number = find_locked(database, name);
	if (number >= 0)
		*is = cpg_registry->space[number].is;
	LWLockRelease(&cpg_registry->lock.lock);
	return number;
}

/* As find_locked, for a name that does not end. */
static int
find_prefix_locked(Oid database, const char *name, Size len)
{
	for (uint32 i = 0; i < cpg_registry->size; i++)
	{
		CpgRegistration *is = &cpg_registry->space[i].is;

		if (is->database == database && strncmp(is->name, name, len) == 0 && is->name[len] == '\0')
			return (int) i;
	}
	return -1;
}

/*
 * The number under which a key of a database is kept now, by whoever knows the
 * database's namespaces best, and its generation; -1 if under none.
 */
int
cpg_registry_find_key(Oid database, const char *key, Size len, uint32 *generation)
{
	const char *colon = memchr(key, ':', Min(len, CPG_NAMESPACE_NAME_SIZE));
	int			number = -1;

	LWLockAcquire(&cpg_registry->lock.lock, LW_SHARED);
	if (colon != NULL && colon > key)
		number = find_prefix_locked(database, key, colon - key);
	if (number < 0)
		number = find_locked(database, CPG_DEFAULT_NAMESPACE);
	if (number >= 0)
		*generation = cpg_registry->space[number].generation;
	LWLockRelease(&cpg_registry->lock.lock);
	return number;
}

/* Whether a namespace that has no number could have one. */
bool
cpg_registry_has_room(void)
{
	bool		has_room;

	LWLockAcquire(&cpg_registry->lock.lock, LW_SHARED);
	has_room = find_free_locked() >= 0;
	LWLockRelease(&cpg_registry->lock.lock);
	return has_room;
}

/* Copy what a number means; returns the generation of that. */
uint32
cpg_registry_read(int number, CpgRegistration *is)
{
	uint32		generation;

	LWLockAcquire(&cpg_registry->lock.lock, LW_SHARED);
	*is = cpg_registry->space[number].is;
	generation = cpg_registry->space[number].generation;
	LWLockRelease(&cpg_registry->lock.lock);
	return generation;
}

/*
 * The number of this database, -1 if all are in use.  It holds while a session
 * is connected to it.
 */
int
cpg_registry_database(void)
{
	static int	number = -1;

	/* a copy of a database has an OID of its own, so this cannot go wrong */
	if (number >= 0)
		return number;
	LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
	number = database_locked(MyDatabaseId);
	LWLockRelease(&cpg_registry->lock.lock);
	return number;
}

/* The number of some database, -1 if it has none. */
int
cpg_registry_find_database(Oid database)
{
	int			number = -1;

	LWLockAcquire(&cpg_registry->lock.lock, LW_SHARED);
	for (int i = 0; i < (int) cpg_registry->size && number < 0; i++)
	{
		if (databases()[i].oid == database)
			number = i;
	}
	LWLockRelease(&cpg_registry->lock.lock);
	return number;
}

/* A number that moves when some database gets in use. */
uint32
cpg_registry_changes(void)
{
	return cpg_registry->changes;
}

/* Whether a namespace of this database has been used since the server's start. */
bool
cpg_registry_in_use(void)
{
	int			number = cpg_registry_find_database(MyDatabaseId);

	return number >= 0 && databases()[number].in_use;
}

/* Whether this database has been settled. */
bool
cpg_registry_settled(void)
{
	int			number = cpg_registry_find_database(MyDatabaseId);

	return number >= 0 && databases()[number].settled;
}

/* This database, which is in use, is settled from now on. */
void
cpg_registry_settle(void)
{
	int			number = cpg_registry_find_database(MyDatabaseId);

	LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
	if (number >= 0)
		databases()[number].settled = true;
	LWLockRelease(&cpg_registry->lock.lock);
}

/* Forget a namespace of this database; its entries die. */
void
cpg_registry_release(const char *name)
{
	int			number;

	LWLockAcquire(&cpg_registry->lock.lock, LW_EXCLUSIVE);
	number = find_locked(MyDatabaseId, name);
	if (number >= 0)
		assign_locked(number, NULL);
	LWLockRelease(&cpg_registry->lock.lock);
}
