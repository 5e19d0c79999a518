/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  What a relation means for dependencies.  See relation.h.
 *
 * The answers are forgotten together whenever any relation changed: attaching
 * a partition concerns all below it, and they are cheap to find again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "bus/bus.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "track/relation.h"
#include "miscadmin.h"
#include "policy/registry.h"
#include "session/relations.h"
#include "shmem.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define SH_PREFIX relations
#define SH_ELEMENT_TYPE CpgRelation
#define SH_KEY_TYPE Oid
#define SH_KEY relid
#define SH_HASH_KEY(table, key) murmurhash32(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

#define REMEMBERED_MAX 4096

static MemoryContext context = NULL;
static relations_hash *known = NULL;
static uint64 known_at;			/* cpg_relation_changes */

static void
forget(void)
{
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "cachepg relations", ALLOCSET_SMALL_SIZES);
	known = NULL;
	MemoryContextReset(context);
	known = relations_create(context, 64, NULL);
	known_at = cpg_relation_changes();
}

static CpgRelationKind
kind_of(Form_pg_class class)
{
	if (class->relpersistence == RELPERSISTENCE_TEMP)
		return CPG_RELATION_TEMPORARY;
	switch (class->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_MATVIEW:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_TOASTVALUE:
			return class->oid < FirstNormalObjectId ? CPG_RELATION_CATALOG : CPG_RELATION_TRACKED;
		case RELKIND_SEQUENCE:
			return CPG_RELATION_SEQUENCE;
		case RELKIND_FOREIGN_TABLE:
			return CPG_RELATION_FOREIGN;
		default:
			return CPG_RELATION_IGNORED;
	}
}

/* Find the partition tree in which a relation is. */
static void
find_ancestors(CpgRelation *relation, Form_pg_class class)
{
	List	   *ancestors = NIL;
	ListCell   *lc;

	relation->root = relation->relid;
	relation->in_tree = class->relispartition || class->relkind == RELKIND_PARTITIONED_TABLE;
	if (class->relispartition)
		ancestors = get_partition_ancestors(relation->relid);
	if (ancestors != NIL)
	{
		relation->ancestors = MemoryContextAlloc(context, list_length(ancestors) * sizeof(Oid));
		relation->root = llast_oid(ancestors);
	}
	foreach(lc, ancestors)
		relation->ancestors[relation->nancestors++] = lfirst_oid(lc);
	if (relation->in_tree)
		relation->tree = cpg_cell_tree(cpg_guard, MyDatabaseId, relation->root);
	list_free(ancestors);
}

/* Find the name by which other servers know a relation, and the cell of that. */
static void
find_name(CpgRelation *relation, Form_pg_class class)
{
	const char *schema = get_namespace_name(class->relnamespace);
	int			database = cpg_registry_database();
	Size		schema_len;
	char	   *name;

	if (schema == NULL || database < 0)
		return;
	schema_len = strlen(schema) + 1;
	relation->name_len = (uint16) (schema_len + strlen(NameStr(class->relname)));
	name = MemoryContextAlloc(context, relation->name_len);
	memcpy(name, schema, schema_len);
	memcpy(name + schema_len, NameStr(class->relname), relation->name_len - schema_len);
	relation->name = name;
	relation->name_cell = cpg_cell_table_name(cpg_guard, (uint16) database, name,
											  relation->name_len);
}

static CpgRelation
look_up(Oid relid)
{
	CpgRelation relation = {.relid = relid,.kind = CPG_RELATION_IGNORED};
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	relation.cell = cpg_cell_table(cpg_guard, MyDatabaseId, relid);
	if (!HeapTupleIsValid(tuple))
		return relation;
	relation.kind = kind_of((Form_pg_class) GETSTRUCT(tuple));
	if (relation.kind == CPG_RELATION_TRACKED || relation.kind == CPG_RELATION_FOREIGN)
	{
		find_ancestors(&relation, (Form_pg_class) GETSTRUCT(tuple));
		if (cpg_bus_usable())
			find_name(&relation, (Form_pg_class) GETSTRUCT(tuple));
	}
	ReleaseSysCache(tuple);
	return relation;
}

static pg_noinline const CpgRelation *
remember(Oid relid)
{
	CpgRelation found = look_up(relid);
	bool		present;
	CpgRelation *relation = relations_insert(known, relid, &present);

	found.status = relation->status;
	*relation = found;
	return relation;
}

/*
 * What is known of a relation; holds until the next call.  One that does not
 * exist is ignored.  Does catalog lookups, so only inside of a transaction.
 */
const CpgRelation *pg_attribute_hot
cpg_relation(Oid relid)
{
	const CpgRelation *relation;

	if (unlikely(known == NULL || known_at != cpg_relation_changes() || known->members > REMEMBERED_MAX))
		forget();
	relation = relations_lookup(known, relid);
	return likely(relation != NULL) ? relation : remember(relid);
}
