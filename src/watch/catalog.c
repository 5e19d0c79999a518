/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  Rows of the catalog table cachepg_watch.
 *
 * They are written here directly, not by statements: who watches a table needs
 * no privilege on the catalog table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "policy/namespace.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "watch/watch_internal.h"

enum
{
	COL_ID = 1, COL_RELATION, COL_KEY_TEMPLATE, COL_TAG_TEMPLATE, COL_CREATOR
};

/* The catalog table; InvalidOid without the extension, or while it is dropped. */
Oid
cpg_watch_table(void)
{
	CpgCatalog	catalog = cpg_catalog_find();

	if (!OidIsValid(catalog.table) || !OidIsValid(catalog.acl_table))
		return InvalidOid;
	return catalog.watch_table;
}

/* The text of an id, as triggers have it. */
char *
cpg_watch_id(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

static char *
text_or_null(HeapTuple tuple, AttrNumber column, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static CpgWatchRow *
read_row(HeapTuple tuple, TupleDesc desc)
{
	CpgWatchRow *row = palloc(sizeof(CpgWatchRow));
	bool		isnull;
	Datum		id = heap_getattr(tuple, COL_ID, desc, &isnull);

	if (isnull)
		elog(ERROR, "a watch without an id");
	row->id = *DatumGetUUIDP(id);
	row->relation = DatumGetObjectId(heap_getattr(tuple, COL_RELATION, desc, &isnull));
	row->key_template = text_or_null(tuple, COL_KEY_TEMPLATE, desc);
	row->tag_template = text_or_null(tuple, COL_TAG_TEMPLATE, desc);
	row->creator = DatumGetObjectId(heap_getattr(tuple, COL_CREATOR, desc, &isnull));
	return row;
}

/* Whether a text is an id as cpg_watch_id prints it; fills *id. */
static bool
parse_id(const char *text, pg_uuid_t *id)
{
	if (strlen(text) != 36 || strspn(text, "0123456789abcdef-") != 36)
		return false;
	for (int i = 0; i < 36; i++)
	{
		if ((text[i] == '-') !=(i == 8 || i == 13 || i == 18 || i == 23))
			return false;
	}
	*id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
	return true;
}

/* The rows about a relation. */
List *
cpg_watch_list(Oid relid)
{
	Relation	rel = table_open(cpg_watch_table(), AccessShareLock);
	List	   *rows = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COL_RELATION, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		rows = lappend(rows, read_row(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rows;
}

/* The row of an id; false if there is none, or the text is no id. */
bool
cpg_watch_find(const char *text, CpgWatchRow *row)
{
	Oid			table = cpg_watch_table();
	pg_uuid_t	id;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(table) || !parse_id(text, &id))
		return false;
	rel = table_open(table, AccessShareLock);
	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&id));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		*row = *read_row(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* Add a row; this command's successors see it. */
void
cpg_watch_insert(const CpgWatchRow *row)
{
	Relation	rel = table_open(cpg_watch_table(), RowExclusiveLock);
	Datum		values[CPG_WATCH_COLUMNS] = {0};
	bool		nulls[CPG_WATCH_COLUMNS] = {false};

	values[COL_ID - 1] = UUIDPGetDatum(&row->id);
	values[COL_RELATION - 1] = ObjectIdGetDatum(row->relation);
	values[COL_CREATOR - 1] = ObjectIdGetDatum(row->creator);
	nulls[COL_KEY_TEMPLATE - 1] = row->key_template == NULL;
	nulls[COL_TAG_TEMPLATE - 1] = row->tag_template == NULL;
	if (row->key_template != NULL)
		values[COL_KEY_TEMPLATE - 1] = CStringGetTextDatum(row->key_template);
	if (row->tag_template != NULL)
		values[COL_TAG_TEMPLATE - 1] = CStringGetTextDatum(row->tag_template);
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	CacheInvalidateRelcache(rel);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Delete the row of an id, if it is there. */
void
cpg_watch_delete(const pg_uuid_t *id)
{
	Relation	rel = table_open(cpg_watch_table(), RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		CatalogTupleDelete(rel, &tuple->t_self);
	systable_endscan(scan);
	CacheInvalidateRelcache(rel);
	table_close(rel, RowExclusiveLock);
}
