/*-------------------------------------------------------------------------
 *
 * tables.c
 *	  Reads and writes of relations, in terms of the guard's cells.
 *
 * A write bumps the cell of the table and, in a partition tree, the cell of the
 * tree.  A read depends on the cell of the table and on those of its partition
 * ancestors, since rows written to an ancestor are routed to it unseen; who
 * reads many members of a tree depends on the tree instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "inval/deps.h"
#include "inval/usage.h"
#include "miscadmin.h"
#include "shmem.h"
#include "track/relation.h"
#include "track/track.h"

/* Members of partition trees that a load may depend on one by one. */
#define MEMBERS_MAX (CPG_CELLS_MAX / 4)

/* What the load reads may be changed on another server, by the name of a table. */
static void
depend_on_name(Oid relid)
{
	const CpgRelation *relation;

	if (!cpg_bus_usable())
		return;
	relation = cpg_relation(relid);
	if (relation->name != NULL)
		cpg_deps_cell(relation->name_cell);
}

static void
read_tree(CpgRelation relation)
{
	cpg_deps_cell(relation.tree);
	depend_on_name(relation.root);
}

static void
read_table(CpgRelation relation)
{
	if (relation.in_tree && cpg_deps_has_cell(cpg_load, relation.tree))
		return;
	if (relation.in_tree && cpg_load->ncells >= MEMBERS_MAX)
	{
		read_tree(relation);
		return;
	}
	cpg_deps_cell(relation.cell);
	depend_on_name(relation.relid);
	for (int i = 0; i < relation.nancestors; i++)
	{
		cpg_deps_cell(cpg_cell_table(cpg_guard, MyDatabaseId, relation.ancestors[i]));
		depend_on_name(relation.ancestors[i]);
	}
}

/* The load under way reads a relation. */
void
cpg_track_read(Oid relid)
{
	const CpgRelation *relation = cpg_relation(relid);

	switch (relation->kind)
	{
		case CPG_RELATION_IGNORED:
			return;
		case CPG_RELATION_TEMPORARY:
			cpg_deps_unpublishable(CPG_COUNT_TEMP_TABLE);
			return;
		case CPG_RELATION_CATALOG:
			cpg_deps_untracked(CPG_UNTRACKED_CATALOG);
			break;
		case CPG_RELATION_SEQUENCE:
			cpg_deps_untracked(CPG_UNTRACKED_SEQUENCE);
			break;
		case CPG_RELATION_FOREIGN:
			cpg_deps_untracked(CPG_UNTRACKED_FOREIGN);
			read_table(*relation);
			break;
		case CPG_RELATION_TRACKED:
			read_table(*relation);
			break;
	}
	cpg_deps_relation(relid);
}

static pg_noinline void
bump_named(CpgCell cell, Oid relid)
{
	const CpgRelation *relation = cpg_relation(relid);

	cpg_inval_named_cell(cell, relation->name, relation->name_len);
}

/* Bump the cell of a relation, or of the tree below it. */
static inline void
bump(CpgCell cell, Oid relid)
{
	if (unlikely(cpg_bus_usable()))
		bump_named(cell, relid);
	else
		cpg_inval_cell(cell);
}

static inline bool
is_tracked(const CpgRelation *relation)
{
	return relation->kind == CPG_RELATION_TRACKED || relation->kind == CPG_RELATION_FOREIGN;
}

static void pg_attribute_hot
write_table(Oid relid)
{
	const CpgRelation *relation = cpg_relation(relid);
	bool		in_tree = relation->in_tree;
	CpgCell		tree = relation->tree;
	Oid			root = relation->root;

	if (!is_tracked(relation))
		return;
	bump(relation->cell, relid);
	if (in_tree)
		bump(tree, root);
}

/* The transaction changes rows of a relation. */
void		pg_attribute_hot
cpg_track_write(Oid relid)
{
	if (!cpg_usage_passes())
		write_table(relid);
}

/*
 * The transaction changes what a relation is or has as children: all above it
 * in its partition tree are concerned too.
 */
void
cpg_track_change(Oid relid)
{
	CpgRelation relation = *cpg_relation(relid);

	if (!is_tracked(&relation))
		return;
	write_table(relid);
	for (int i = 0; i < relation.nancestors; i++)
		bump(cpg_cell_table(cpg_guard, MyDatabaseId, relation.ancestors[i]), relation.ancestors[i]);
}
