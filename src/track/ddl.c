/*-------------------------------------------------------------------------
 *
 * ddl.c
 *	  Changes of what names mean and of tables themselves.
 *
 * Through object_access_hook: creating, altering and dropping of permanent
 * functions, operators, types, views, policies and the like bumps the schema
 * cell of the database, on which every loaded entry depends.  A new table does
 * too, since it can capture a name.  What happens to a table bumps its own
 * cells.  Temporary and internal objects, indexes and statistics do not count.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_database.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_type.h"
#include "bus/bus.h"
#include "guard/guard.h"
#include "inval/inval.h"
#include "miscadmin.h"
#include "policy/registry.h"
#include "shmem.h"
#include "track/track.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "watch/watch.h"

static object_access_hook_type prev_access = NULL;

/* What names mean in this database changes. */
void
cpg_track_schema(void)
{
	int			database = cpg_registry_database();

	if (database >= 0)
		cpg_inval_cell(cpg_cell_schema(cpg_guard, (uint16) database));
}

/* The row of an object as this command sees it, even if it just made it. */
static bool
read_row(Oid catalog, Oid index, AttrNumber oid_column, Oid oid, void *form, Size size)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, oid_column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, index, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		memcpy(form, GETSTRUCT(tuple), size);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

static bool
is_temporary_schema(Oid schema)
{
	FormData_pg_namespace form;

	if (!read_row(NamespaceRelationId, NamespaceOidIndexId, Anum_pg_namespace_oid, schema,
				  &form, sizeof(form)))
		return false;
	return strncmp(NameStr(form.nspname), "pg_temp_", 8) == 0 ||
		strncmp(NameStr(form.nspname), "pg_toast_temp_", 14) == 0;
}

/*
 * A type counts, unless it is temporary.  For composite types their relation
 * speaks, also for standalone ones, and for arrays their element: each table,
 * even the transient one of a REFRESH, makes both.
 */
static bool
is_type_that_matters(Oid type)
{
	FormData_pg_type form;

	do
	{
		if (!read_row(TypeRelationId, TypeOidIndexId, Anum_pg_type_oid, type,
					  &form, offsetof(FormData_pg_type, typcollation)))
			return true;
		type = form.typelem;
	} while (form.typinput == F_ARRAY_IN);
	if (form.typtype == TYPTYPE_COMPOSITE)
		return false;
	if (!is_temporary_schema(form.typnamespace))
		return true;
	cpg_track_temporary_type(form.oid);
	return false;
}

static bool
is_temporary_relation(Oid relid)
{
	FormData_pg_class form;

	return read_row(RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, relid,
					&form, offsetof(FormData_pg_class, relminmxid)) &&
		form.relpersistence == RELPERSISTENCE_TEMP;
}

/* Of constraints only those of domains have a say in what a query returns. */
static bool
is_domain_constraint(Oid constraint)
{
	FormData_pg_constraint form;

	return !read_row(ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid,
					 constraint, &form, sizeof(form)) ||
		OidIsValid(form.contypid);
}

/* The rule of a temporary view is nobody else's business. */
static bool
is_rule_that_matters(Oid rule)
{
	FormData_pg_rewrite form;

	return !read_row(RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, rule,
					 &form, offsetof(FormData_pg_rewrite, is_instead)) ||
		!is_temporary_relation(form.ev_class);
}

/* A relation was made, altered or is about to be dropped. */
static void
relation_changes(ObjectAccessType access, Oid relid)
{
	FormData_pg_class form;

	if (!read_row(RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, relid,
				  &form, offsetof(FormData_pg_class, relminmxid)))
		return;
	if (form.relpersistence == RELPERSISTENCE_TEMP)
	{
		if (access != OAT_DROP && form.relkind != RELKIND_INDEX &&
			form.relkind != RELKIND_PARTITIONED_INDEX && form.relkind != RELKIND_TOASTVALUE)
			cpg_track_temporary(relid);
		return;
	}
	switch (form.relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			if (access != OAT_POST_CREATE)
				cpg_track_change(relid);
			cpg_track_schema();
			break;
		case RELKIND_VIEW:
		case RELKIND_SEQUENCE:
		case RELKIND_COMPOSITE_TYPE:
			cpg_track_schema();
			break;
		default:
			break;
	}
}

/* The value of an OID column of an object's row, InvalidOid if there is no row. */
static Oid
read_oid(Oid class, Oid object, AttrNumber column)
{
	Relation	rel = table_open(class, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			value = InvalidOid;
	bool		isnull;

	ScanKeyInit(&key, get_object_attnum_oid(class), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	scan = systable_beginscan(rel, get_object_oid_index(class), true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		value = DatumGetObjectId(heap_getattr(tuple, column, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return value;
}

/* Whether an object of a class with schemas is in the temporary one of a session. */
static bool
is_temporary(Oid class, Oid object)
{
	return is_temporary_schema(read_oid(class, object, get_object_attnum_namespace(class)));
}

/*
 * Another database could get the OID of one that is dropped.  It could get the
 * name of one that is renamed: what that left in Redis bears its old name.  Queries
 * see the name, too, and who owns it: he is a member of pg_database_owner.
 */
static void
database_changes(ObjectAccessType access, Oid database)
{
	int			number = cpg_registry_find_database(database);

	if (access == OAT_POST_ALTER)
		cpg_inval_roles();
	if (access == OAT_POST_CREATE || number < 0)
		return;
	cpg_inval_cell(cpg_cell_schema(cpg_guard, (uint16) number));
	if (access == OAT_DROP || cpg_bus_usable())
		cpg_inval_cell(cpg_cell_database(cpg_guard, (uint16) number));
}

/* An object other than a relation changes. */
static void
object_changes(Oid class, Oid object)
{
	switch (class)
	{
		case TypeRelationId:
			if (is_type_that_matters(object))
				cpg_track_schema();
			break;
		case NamespaceRelationId:
			if (!is_temporary_schema(object))
				cpg_track_schema();
			break;
		case ConstraintRelationId:
			if (is_domain_constraint(object) && !is_temporary(class, object))
				cpg_track_schema();
			break;
		case RewriteRelationId:
			if (is_rule_that_matters(object))
				cpg_track_schema();
			break;
		case ProcedureRelationId:
		case OperatorRelationId:
		case OperatorClassRelationId:
		case OperatorFamilyRelationId:
		case CollationRelationId:
		case TSConfigRelationId:
		case TSDictionaryRelationId:
			if (!is_temporary(class, object))
				cpg_track_schema();
			break;
		case PolicyRelationId:
		case CastRelationId:
			cpg_track_schema();
			break;
		default:
			break;
	}
}

static bool
is_internal(ObjectAccessType access, void *arg)
{
	switch (access)
	{
		case OAT_POST_CREATE:
			return arg != NULL && ((ObjectAccessPostCreate *) arg)->is_internal;
		case OAT_POST_ALTER:
			return arg != NULL && ((ObjectAccessPostAlter *) arg)->is_internal;
		case OAT_DROP:
			/* such as the old contents that VACUUM FULL or REFRESH leaves */
			return arg != NULL &&
				(((ObjectAccessDrop *) arg)->dropflags & PERFORM_DELETION_INTERNAL) != 0;
		default:
			return false;
	}
}

/* A child is made, attached or detached: the parent named beside it changes. */
static void
inheritance_changes(Oid child, void *arg)
{
	Oid			parent = arg == NULL ? InvalidOid : ((ObjectAccessPostAlter *) arg)->auxiliary_id;

	cpg_track_change(child);
	if (!OidIsValid(parent))
		return;
	cpg_track_change(parent);
	cpg_watch_attached(child, parent);
}

/* All rows of a table go at once. */
static void
forget_rows(Oid relid)
{
	cpg_track_write(relid);
	cpg_watch_truncated(relid);
}

static pg_noinline void
note(ObjectAccessType access, Oid class, Oid object, void *arg)
{
	if (access == OAT_TRUNCATE)
		forget_rows(object);
	else if (access == OAT_DROP && class == TriggerRelationId)
		cpg_watch_trigger_dropped(object);
	else if (class == InheritsRelationId)
		inheritance_changes(object, arg);
	else if (is_internal(access, arg))
		return;
	else if (class == RelationRelationId)
		relation_changes(access, object);
	else if (class == DatabaseRelationId)
		database_changes(access, object);
	else
		object_changes(class, object);
}

static void pg_attribute_hot
object_access(ObjectAccessType access, Oid class, Oid object, int subid, void *arg)
{
	if (prev_access)
		prev_access(access, class, object, subid, arg);
	if (likely(access == OAT_FUNCTION_EXECUTE))
		cpg_track_function(object);
	else if (access != OAT_NAMESPACE_SEARCH && IsNormalProcessingMode() && OidIsValid(MyDatabaseId))
		note(access, class, object, arg);
}

void
cpg_track_ddl_install(void)
{
	prev_access = object_access_hook;
	object_access_hook = object_access;
}
