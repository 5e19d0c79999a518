/*-------------------------------------------------------------------------
 *
 * triggers.c
 *	  Triggers that claim to be watches, and what a watch as a whole covers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "compat.h"
#include "inval/inval.h"
#include "shmem.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "watch/watch_internal.h"

/* Whether a trigger has the function and the form of a watch. */
static bool
read_trigger(HeapTuple tuple, TupleDesc desc, CpgWatchTrigger *trigger)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	char	   *function;
	Datum		args;
	bool		isnull;

	if (form->tgisinternal || form->tgnargs != 1)
		return false;
	function = get_func_name(form->tgfoid);
	if (function == NULL || strcmp(function, CPG_WATCH_FUNCTION) != 0)
		return false;
	args = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);
	if (isnull)
		return false;
	trigger->oid = form->oid;
	trigger->relation = form->tgrelid;
	/* the arguments are terminated by zero bytes */
	trigger->id = pstrdup(VARDATA_ANY(DatumGetByteaPP(args)));
	return true;
}

/* The triggers of a relation that look like watches. */
List *
cpg_watch_triggers(Oid relid)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	List	   *triggers = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CpgWatchTrigger *trigger = palloc(sizeof(CpgWatchTrigger));

		if (read_trigger(tuple, RelationGetDescr(rel), trigger))
			triggers = lappend(triggers, trigger);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return triggers;
}

/* Whether the trigger of an OID looks like a watch; fills *found. */
bool
cpg_watch_trigger(Oid trigger, CpgWatchTrigger *found)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	bool		is_watch = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		is_watch = read_trigger(tuple, RelationGetDescr(rel), found);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return is_watch;
}

/* Whether a watch is about a relation, itself or as a partition. */
bool
cpg_watch_covers(const CpgWatchRow *row, Oid relid)
{
	if (row->relation == relid)
		return true;
	return get_rel_relispartition(relid) &&
		list_member_oid(get_partition_ancestors(relid), row->relation);
}

/*
 * The number of a column that can be in a template; 0 if there is none of that
 * name.  Virtual columns have no values in the rows that triggers get.
 */
AttrNumber
cpg_watch_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (!column->attisdropped && column->attgenerated != 'v' &&
			strcmp(NameStr(column->attname), name) == 0)
			return column->attnum;
	}
	return 0;
}

/* Invalidate every key that a template can name: its namespace, unless it is one key. */
void
cpg_watch_clear_keys(const CpgTemplate *template)
{
	int			len;
	const char *head = cpg_template_head(template, &len);
	CpgNamespace *ns = cpg_namespace_resolve(head, len);
	CpgKey		key;

	if (!cpg_namespace_attach(ns))
		return;
	if (cpg_template_constant(template) && len <= CPG_KEY_MAX)
	{
		cpg_key_of(ns, head, len, &key);
		cpg_inval_key(&key);
	}
	else
		cpg_inval_cell(cpg_cell_namespace((uint16) ns->number));
}

/*
 * Invalidate every tag that a template can name: all tags with the same text
 * before the first colon, or if that is not known, the whole database.
 */
void
cpg_watch_clear_tags(const CpgTemplate *template)
{
	int			database = cpg_registry_database();
	int			len;
	const char *head = cpg_template_head(template, &len);

	if (database < 0)
		return;
	if (cpg_template_constant(template))
		cpg_inval_named_cell(cpg_cell_tag(cpg_guard, (uint16) database, head, len), head, len);
	else if (cpg_template_named(template))
		cpg_inval_cell(cpg_cell_tag_group(cpg_guard, (uint16) database, head, len));
	else
		cpg_inval_cell(cpg_cell_database(cpg_guard, (uint16) database));
}

/* Invalidate everything that a watch can invalidate. */
void
cpg_watch_clear(const CpgWatchRow *row)
{
	CpgTemplate template;

	if (row->key_template != NULL && cpg_template_parse(row->key_template, &template) == NULL)
		cpg_watch_clear_keys(&template);
	if (row->tag_template != NULL && cpg_template_parse(row->tag_template, &template) == NULL)
		cpg_watch_clear_tags(&template);
}
