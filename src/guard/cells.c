/*-------------------------------------------------------------------------
 *
 * cells.c
 *	  Which cell stands for a table, role or tag.
 *
 * Tables and roles take the cells in the order of their OIDs, each database
 * from a place of its own.  OIDs are given one after the other, so that tables
 * made together do not share cells, as they would if they were hashed.
 *
 * Tags are hashed with the guard's secret seed, so that nobody can choose names
 * that collide with those of others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "core/hash.h"
#include "guard/guard.h"

/* The cell for what a role may do and is a member of. */
CpgCell
cpg_cell_role(const CpgSharedGuard *guard, Oid role)
{
	return guard->first[CPG_CELL_ROLE] + (role & (CPG_ROLE_CELLS - 1));
}

/* Where the cells of a database begin. */
static uint32
start_of(const CpgSharedGuard *guard, Oid database)
{
	return (uint32) (cpg_hash_mix(guard->config.seed ^ database) >> 32);
}

static CpgCell
table_cell(const CpgSharedGuard *guard, uint32 place)
{
	return guard->first[CPG_CELL_TABLE] + (place & (guard->config.tables - 1));
}

/* The cell for the contents of a table of a database. */
CpgCell
cpg_cell_table(const CpgSharedGuard *guard, Oid database, Oid relation)
{
	return table_cell(guard, start_of(guard, database) + relation);
}

/* The cell for everything in the partition tree below a root. */
CpgCell
cpg_cell_tree(const CpgSharedGuard *guard, Oid database, Oid root)
{
	/* as far away from the cells of the tables themselves as can be */
	return table_cell(guard, start_of(guard, database) + root + guard->config.tables / 2);
}

/* The cell for a tag in the database with this number. */
CpgCell
cpg_cell_tag(const CpgSharedGuard *guard, uint16 database, const char *tag, Size len)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) tag, (int) len,
										   guard->config.seed + database);

	return guard->first[CPG_CELL_TAG] + ((uint32) (hash >> 32) & (guard->config.tags - 1));
}

/*
 * The cell for all tags with the same text up to the first colon, which the tag
 * must have.
 */
CpgCell
cpg_cell_tag_group(const CpgSharedGuard *guard, uint16 database, const char *tag, Size len)
{
	const char *colon = memchr(tag, ':', len);

	Assert(colon != NULL);
	return cpg_cell_tag(guard, database, tag, colon + 1 - tag);
}

/*
 * The cell for a table of which other servers speak by its name: schema, NUL,
 * table.  Shares the cells of tags, none of which has a NUL.
 */
CpgCell
cpg_cell_table_name(const CpgSharedGuard *guard, uint16 database, const char *name, Size len)
{
	return cpg_cell_tag(guard, database, name, len);
}

CpgCellKind
cpg_cell_kind(const CpgSharedGuard *guard, CpgCell cell)
{
	int			kind = CPG_CELL_NAMESPACE;

	while (kind < CPG_CELL_HOME && cell >= guard->first[kind + 1])
		kind++;
	return (CpgCellKind) kind;
}

/*
 * Whether something that depends on a cell can be in a dump (warm/warm.h):
 * values that depend on tables, names, privileges or another server never are.
 */
bool
cpg_cell_in_dumps(const CpgSharedGuard *guard, CpgCell cell)
{
	switch (cpg_cell_kind(guard, cell))
	{
		case CPG_CELL_NAMESPACE:
		case CPG_CELL_DATABASE:
		case CPG_CELL_TAG:
		case CPG_CELL_KEY:
			return true;
		case CPG_CELL_SCHEMA:
		case CPG_CELL_ROLE:
		case CPG_CELL_TABLE:
		case CPG_CELL_MIRROR:
		case CPG_CELL_HOME:
		case CPG_CELL_KINDS:
			break;
	}
	return false;
}
