/*-------------------------------------------------------------------------
 *
 * create.c
 *	  Making and removing watches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "compat.h"
#include "error.h"
#include "inval/deps.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "policy/namespace.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "watch/watch_internal.h"

#define ALL_TRIGGERS_OF_ROWS (TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)

/* The names of the columns of a relation, as a sentence for a hint. */
static char *
list_columns(Relation rel)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (!column->attisdropped && column->attgenerated != 'v')
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", NameStr(column->attname));
	}
	return list.data;
}

static void
check_columns(Relation rel, const CpgTemplate *template)
{
	for (int i = 0; i < template->nparts; i++)
	{
		const CpgTemplatePart *part = &template->parts[i];

		if (part->is_column && cpg_watch_column(RelationGetDescr(rel), part->text) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("template names column \"%s\", which relation \"%s\" does not have",
							part->text, RelationGetRelationName(rel)),
					 errhint("Its columns are %s.", list_columns(rel))));
	}
}

/* Columns must not decide to which namespace a key or tag belongs. */
static void
check_namespace(const CpgTemplate *template)
{
	int			len;
	const char *head = cpg_template_head(template, &len);

	for (int i = 0; i < template->nparts && !cpg_template_named(template); i++)
	{
		const CpgTemplatePart *part = &template->parts[i];

		if (!part->is_column && strchr(part->text, ':') != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("template has a column before its first colon"),
					 errdetail("The text before the first colon names a cache namespace and must be known.")));
	}
	cpg_namespace_require(cpg_namespace_resolve(head, len), CPG_PRIVILEGE_INVALIDATE);
}

static void
check_template(Relation rel, const char *text, Size limit)
{
	CpgTemplate template;
	const char *problem;
	Size		len = 0;

	if (text == NULL)
		return;
	problem = cpg_template_parse(text, &template);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cache template"),
				 errdetail_internal("%s", problem),
				 errhint("Write columns in braces, such as 'users:{id}', and {{ or }} for a brace; the columns of \"%s\" are %s.",
						 RelationGetRelationName(rel), list_columns(rel))));
	for (int i = 0; i < template.nparts; i++)
		len += template.parts[i].is_column ? 0 : template.parts[i].len;
	if (len > limit)
		cpg_error_bad_argument("cache template is longer than what it stands for may be");
	check_columns(rel, &template);
	check_namespace(&template);
}

static void
check_relation(Relation rel)
{
	char		kind = rel->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel))));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot watch a temporary table")));
	if (IsSystemRelation(rel))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot watch a system catalog")));
}

/* Whether a template is the given one; NULL is equal to NULL. */
static bool
is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
refuse_duplicate(Relation rel, const char *key, const char *tag)
{
	ListCell   *lc;

	foreach(lc, cpg_watch_list(RelationGetRelid(rel)))
	{
		const CpgWatchRow *row = lfirst(lc);

		if (is_same(row->key_template, key) && is_same(row->tag_template, tag))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("relation \"%s\" is watched with these templates already",
							RelationGetRelationName(rel))));
	}
}

/* A random id, of version 4. */
static void
make_id(pg_uuid_t *id)
{
	if (!pg_strong_random(id->data, UUID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	id->data[6] = (id->data[6] & 0x0f) | 0x40;
	id->data[8] = (id->data[8] & 0x3f) | 0x80;
}

/* The trigger of a watch; its making checks the privilege on the table. */
static void
make_trigger(const CpgWatchRow *row)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);
	char	   *schema = get_namespace_name(get_rel_namespace(cpg_watch_table()));
	char	   *id = cpg_watch_id(&row->id);
	List	   *function = list_make2(makeString(schema), makeString(CPG_WATCH_FUNCTION));

	/* the first digits of the id make the name unique enough */
	stmt->trigname = psprintf("cachepg_watch_%.8s", id);
	stmt->funcname = function;
	stmt->args = list_make1(makeString(id));
	stmt->row = true;
	stmt->timing = TRIGGER_TYPE_AFTER;
	stmt->events = ALL_TRIGGERS_OF_ROWS;
	(void) CreateTriggerFiringOn(stmt, NULL, row->relation, InvalidOid, InvalidOid, InvalidOid,
								 LookupFuncName(function, 0, NULL, false), InvalidOid, NULL,
								 false, false, TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
}

/*
 * Watch a relation with a template for keys, for tags, or both; not used ones
 * are NULL.
 *
 * Errors: insufficient_privilege, invalid_parameter_value, duplicate_object,
 * wrong_object_type, feature_not_supported.
 */
void
cpg_watch_create(Oid relid, const char *key, const char *tag)
{
	CpgWatchRow row = {.relation = relid,.key_template = unconstify(char *, key),
	.tag_template = unconstify(char *, tag),.creator = GetUserId()};
	Relation	rel;

	if (key == NULL && tag == NULL)
		cpg_error_bad_argument("a watch needs a template for keys or for tags");
	/* before the lock, which a stranger must not get */
	if (pg_class_aclcheck(relid, GetUserId(), ACL_TRIGGER) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	rel = table_open(relid, ShareRowExclusiveLock);
	check_relation(rel);
	check_template(rel, key, CPG_KEY_MAX);
	check_template(rel, tag, CPG_TAG_MAX);
	refuse_duplicate(rel, key, tag);
	make_id(&row.id);
	cpg_watch_insert(&row);
	make_trigger(&row);
	table_close(rel, NoLock);
}

/* Whether the current role may remove a watch: as owner of the table, or its maker. */
static bool
may_remove(const CpgWatchRow *row, bool owns_table)
{
	return owns_table || has_privs_of_role(GetUserId(), row->creator);
}

static void
remove_watch(const CpgWatchRow *row)
{
	char	   *id = cpg_watch_id(&row->id);
	ListCell   *lc;

	/* first, so that the hook does not take the drop for one of the table */
	cpg_watch_delete(&row->id);
	CommandCounterIncrement();
	foreach(lc, cpg_watch_triggers(row->relation))
	{
		const CpgWatchTrigger *trigger = lfirst(lc);
		ObjectAddress address;

		if (strcmp(trigger->id, id) != 0)
			continue;
		ObjectAddressSet(address, TriggerRelationId, trigger->oid);
		performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	}
}

/*
 * Remove the watches of a relation that have the given templates; NULL means
 * any.  Returns how many there were.
 *
 * Errors: insufficient_privilege.
 */
int64
cpg_watch_remove(Oid relid, const char *key, const char *tag)
{
	bool		owner = CPG_IS_RELATION_OWNER(relid, GetUserId());
	int64		removed = 0;
	bool		locked = false;
	ListCell   *lc;

	foreach(lc, cpg_watch_list(relid))
	{
		const CpgWatchRow *row = lfirst(lc);

		if ((key != NULL && !is_same(row->key_template, key)) ||
			(tag != NULL && !is_same(row->tag_template, tag)))
			continue;
		if (!may_remove(row, owner))
			aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
						   get_rel_name(relid));
		if (!locked)
			LockRelationOid(relid, AccessExclusiveLock);
		locked = true;
		remove_watch(row);
		removed++;
	}
	return removed;
}
