/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  Reading of the catalog tables.
 *
 * They are ordinary tables in the schema of the extension, read with a catalog
 * snapshot: the latest committed rows and the own transaction's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "cachepg.h"
#include "common/hashfn.h"
#include "policy/namespace.h"
#include "policy/ttl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Columns of cachepg_namespace. */
enum
{
	COL_NAME = 1, COL_OWNER, COL_TTL, COL_NEGATIVE_TTL, COL_JITTER, COL_SCOPE,
	COL_MAX_ENTRIES, COL_MAX_BYTES, COL_CONSISTENCY, COL_ADHOC, COL_VARY_BY, COL_LOADER,
	COL_WARM_AFTER_CRASH, COL_ID, COL_END
};
#define NCOLUMNS (COL_END - 1)

/* Columns of cachepg_namespace_acl. */
enum
{
	COL_ACL_NAMESPACE = 1, COL_ACL_GRANTEE, COL_ACL_PRIVILEGE
};

/* A copy of the extension's row in pg_extension, NULL if it is not installed. */
static HeapTuple
extension_row(TupleDesc *desc)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("cachepg"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	*desc = CreateTupleDescCopy(RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tuple;
}

/* Where the extension's tables are; fields are InvalidOid without it. */
CpgCatalog
cpg_catalog_find(void)
{
	CpgCatalog	catalog = {InvalidOid, InvalidOid, InvalidOid, InvalidOid};
	TupleDesc	desc;
	HeapTuple	tuple = extension_row(&desc);

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension ext = (Form_pg_extension) GETSTRUCT(tuple);

		catalog.table = get_relname_relid("cachepg_namespace", ext->extnamespace);
		catalog.acl_table = get_relname_relid("cachepg_namespace_acl", ext->extnamespace);
		catalog.watch_table = get_relname_relid("cachepg_watch", ext->extnamespace);
		catalog.owner = ext->extowner;
	}
	return catalog;
}

/* Version of the extension's SQL objects (palloc'd), NULL without it. */
char *
cpg_catalog_version(void)
{
	TupleDesc	desc;
	HeapTuple	tuple = extension_row(&desc);
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	return TextDatumGetCString(heap_getattr(tuple, Anum_pg_extension_extversion, desc, &isnull));
}

static void
set_defaults(CpgNamespace *ns, const char *name, Oid owner)
{
	memset(ns, 0, sizeof(*ns));
	strlcpy(ns->name, name, sizeof(ns->name));
	ns->name_len = (uint8) strlen(ns->name);
	ns->owner = owner;
	ns->ttl = CPG_DEFAULT_TTL;
	ns->negative_ttl = CPG_DEFAULT_NEGATIVE_TTL;
	ns->vary.all = true;
	ns->number = -1;
}

/* The names in vary_by; NULLs, which no function writes, are skipped. */
static void
read_vary_by(CpgNamespace *ns, ArrayType *array, MemoryContext context)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	ns->vary.all = false;
	ns->vary.names = MemoryContextAlloc(context, Max(count, 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			ns->vary.names[ns->vary.count++] = MemoryContextStrdup(context, TextDatumGetCString(names[i]));
	}
}

/* Read what decides for whom a loaded value is. */
static void
read_identity(CpgNamespace *ns, const Datum *values, const bool *nulls, MemoryContext context)
{
	if (!nulls[COL_SCOPE - 1])
		ns->shared = strcmp(TextDatumGetCString(values[COL_SCOPE - 1]), "shared") == 0;
	if (!nulls[COL_ADHOC - 1])
		ns->adhoc_shared = strcmp(TextDatumGetCString(values[COL_ADHOC - 1]), "shared") == 0;
	if (!nulls[COL_VARY_BY - 1])
		read_vary_by(ns, DatumGetArrayTypeP(values[COL_VARY_BY - 1]), context);
	if (!nulls[COL_LOADER - 1])
		ns->loader = MemoryContextStrdup(context, TextDatumGetCString(values[COL_LOADER - 1]));
}

static void
read_namespace(CpgNamespace *ns, HeapTuple tuple, TupleDesc desc, MemoryContext context)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];
	char	   *name;

	for (int i = 0; i < NCOLUMNS; i++)
		values[i] = heap_getattr(tuple, i + 1, desc, &nulls[i]);

	name = TextDatumGetCString(values[COL_NAME - 1]);
	set_defaults(ns, name, DatumGetObjectId(values[COL_OWNER - 1]));
	ns->identity = hash_bytes_extended(DatumGetUUIDP(values[COL_ID - 1])->data, UUID_LEN, tuple->t_tableOid);
	if (!nulls[COL_TTL - 1])
		ns->ttl = cpg_ttl_from_interval(DatumGetIntervalP(values[COL_TTL - 1]), "ttl");
	if (!nulls[COL_NEGATIVE_TTL - 1])
		ns->negative_ttl = cpg_ttl_from_interval(DatumGetIntervalP(values[COL_NEGATIVE_TTL - 1]),
												 "negative_ttl");
	if (!nulls[COL_JITTER - 1])
		ns->jitter = DatumGetFloat8(values[COL_JITTER - 1]);
	if (!nulls[COL_MAX_ENTRIES - 1])
		ns->max_entries = DatumGetInt64(values[COL_MAX_ENTRIES - 1]);
	if (!nulls[COL_MAX_BYTES - 1])
		ns->max_bytes = DatumGetInt64(values[COL_MAX_BYTES - 1]);
	if (!nulls[COL_CONSISTENCY - 1])
		ns->ttl_only = strcmp(TextDatumGetCString(values[COL_CONSISTENCY - 1]), "ttl") == 0;
	if (!nulls[COL_WARM_AFTER_CRASH - 1])
		ns->warm_after_crash = DatumGetBool(values[COL_WARM_AFTER_CRASH - 1]);
	read_identity(ns, values, nulls, context);
}

static void
add_grant(CpgNamespace *ns, Oid grantee, uint8 privilege, MemoryContext context)
{
	if (ns->grants == NULL)
		ns->grants = MemoryContextAlloc(context, sizeof(CpgGrant));
	else
		ns->grants = repalloc(ns->grants, (ns->ngrants + 1) * sizeof(CpgGrant));
	ns->grants[ns->ngrants].grantee = grantee;
	ns->grants[ns->ngrants].privileges = privilege;
	ns->ngrants++;
}

static CpgNamespace *
find_in(CpgNamespace *list, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	}
	return NULL;
}

static void
read_grants(const CpgCatalog *catalog, MemoryContext context, CpgNamespace *list, int count)
{
	Relation	rel = table_open(catalog->acl_table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;
		char	   *name = TextDatumGetCString(heap_getattr(tuple, COL_ACL_NAMESPACE, desc, &isnull));
		Oid			grantee = DatumGetObjectId(heap_getattr(tuple, COL_ACL_GRANTEE, desc, &isnull));
		char	   *privilege = TextDatumGetCString(heap_getattr(tuple, COL_ACL_PRIVILEGE, desc, &isnull));
		CpgNamespace *ns = find_in(list, count, name);

		if (ns != NULL)
			add_grant(ns, grantee, cpg_privilege_parse(privilege), context);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * All namespaces, as an array in the given context.  The default namespace is
 * the first one, whether it has a row or not.
 */
CpgNamespace *
cpg_catalog_read(const CpgCatalog *catalog, MemoryContext context, int *count)
{
	Relation	rel = table_open(catalog->table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	int			room = 8;
	int			n = 1;
	CpgNamespace *list = MemoryContextAlloc(context, room * sizeof(CpgNamespace));
	HeapTuple	tuple;

	set_defaults(&list[0], CPG_DEFAULT_NAMESPACE, catalog->owner);
	list[0].identity = catalog->table;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CpgNamespace ns;

		read_namespace(&ns, tuple, RelationGetDescr(rel), context);
		if (strcmp(ns.name, CPG_DEFAULT_NAMESPACE) == 0)
		{
			/* the same namespace, with or without a row */
			ns.identity = catalog->table;
			list[0] = ns;
			continue;
		}
		if (n == room)
			list = repalloc(list, (room *= 2) * sizeof(CpgNamespace));
		list[n++] = ns;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	read_grants(catalog, context, list, n);
	*count = n;
	return list;
}
