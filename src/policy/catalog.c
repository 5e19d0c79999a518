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
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"

/* Columns of cachepg_namespace. */
enum
{
	COL_NAME = 1, COL_OWNER, COL_FIRST_OPTION, COL_ID = COL_FIRST_OPTION + CPG_NOPTIONS, COL_END
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
	ns->number = -1;
	cpg_options_default(ns);
}

/* A namespace as its row says, without defaults that follow from other options. */
static void
read_namespace(CpgNamespace *ns, HeapTuple tuple, TupleDesc desc, MemoryContext context)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];

	for (int i = 0; i < NCOLUMNS; i++)
		values[i] = heap_getattr(tuple, i + 1, desc, &nulls[i]);

	set_defaults(ns, TextDatumGetCString(values[COL_NAME - 1]), DatumGetObjectId(values[COL_OWNER - 1]));
	ns->identity = hash_bytes_extended(DatumGetUUIDP(values[COL_ID - 1])->data, UUID_LEN, tuple->t_tableOid);
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		if (!nulls[COL_FIRST_OPTION - 1 + i])
			cpg_option_read(&cpg_options[i], values[COL_FIRST_OPTION - 1 + i], ns, context);
	}
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
	cpg_options_complete(&list[0]);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CpgNamespace ns;

		read_namespace(&ns, tuple, RelationGetDescr(rel), context);
		cpg_options_complete(&ns);
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

/*
 * The policy that the row of a namespace says, in the current memory context,
 * without defaults that follow from other options; false if it has none.
 */
bool
cpg_catalog_read_row(const CpgCatalog *catalog, const char *name, CpgNamespace *ns)
{
	Relation	rel = table_open(catalog->table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	bool		found = false;
	HeapTuple	tuple;

	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		read_namespace(ns, tuple, RelationGetDescr(rel), CurrentMemoryContext);
		found = strcmp(ns->name, name) == 0;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}
