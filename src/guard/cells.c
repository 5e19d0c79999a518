/*-------------------------------------------------------------------------
 *
 * cells.c
 *	  Which cell stands for a table, role or tag.
 *
 * Hashed with the guard's secret seed, so that nobody can choose names that
 * collide with those of others.
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
	return guard->first[CPG_CELL_ROLE] +
		((uint32) (cpg_hash_mix(guard->config.seed ^ role) >> 32) & (CPG_ROLE_CELLS - 1));
}

static CpgCell
table_cell(const CpgSharedGuard *guard, uint64 hash)
{
	return guard->first[CPG_CELL_TABLE] + ((uint32) (hash >> 32) & (guard->config.tables - 1));
}

/* The cell for the contents of a table of a database. */
CpgCell
cpg_cell_table(const CpgSharedGuard *guard, Oid database, Oid relation)
{
	return table_cell(guard, cpg_hash_mix(guard->config.seed ^ ((uint64) database << 32 | relation)));
}

/* The cell for everything in the partition tree below a root. */
CpgCell
cpg_cell_tree(const CpgSharedGuard *guard, Oid database, Oid root)
{
	return table_cell(guard, cpg_hash_mix(~guard->config.seed ^ ((uint64) database << 32 | root)));
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

CpgCellKind
cpg_cell_kind(const CpgSharedGuard *guard, CpgCell cell)
{
	int			kind = CPG_CELL_NAMESPACE;

	while (kind < CPG_CELL_KEY && cell >= guard->first[kind + 1])
		kind++;
	return (CpgCellKind) kind;
}
