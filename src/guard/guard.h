/*-------------------------------------------------------------------------
 *
 * guard.h
 *	  The validity clock: one counter and cells that say when something was
 *	  last invalidated.
 *
 * An entry carries the stamp that the counter had when it was made, and the
 * numbers of the cells it depends on.  It is valid while each of its cells has
 * no invalidation pending and none after the stamp.  Whatever the number of
 * entries that depend on a cell, invalidating them is one bump of the cell.
 *
 * A cell is one 64-bit atomic: 16 bits of pending invalidations above 48 bits
 * of the counter at the last one.  Each kind of thing has an array of its own,
 * so that traffic on one kind does not dirty the lines of another.  Namespaces,
 * databases and schemas (of a database) are numbered, the others hashed: a
 * collision costs a miss, never a wrong answer.
 *
 * Who invalidates with a transaction, in this order:
 *
 *	1. before its commit: cpg_guard_raise on each cell (pending + 1);
 *	2. commits, becomes visible;
 *	3. afterwards: kills entries of its keys, draws one number, and on each
 *	   cell cpg_guard_lower (last = the larger number, pending - 1).
 *
 * On abort it only lowers.  Who loads reads the stamp before its snapshot.
 * Then whoever reads an entry finds a pending bit or a last number above the
 * stamp, if the entry was computed without a transaction that he can see:
 *
 *	 loader                          writer
 *	 stamp = 7
 *	 snapshot (writer not in it)
 *	                                 raise (before it is visible)
 *	                                 visible
 *	 stores value with stamp 7
 *	                                 a reader here sees pending: no hit
 *	                                 draws 8, lower: last = 8
 *	                                 a reader here sees 8 > 7: no hit
 *
 * At a shutdown the clock is sealed, before what is valid is written to disk: a
 * commit that comes later is refused, one whose fences were up already is seen
 * by the writer as pending.  Each first announces itself and then looks:
 *
 *	 committer                       writer of the dump
 *	 raise                           seal
 *	 sealed? then fail               reads an entry: pending? then not this one
 *
 * Soft cells (of namespaces and tags) work likewise without the pending half:
 * what is older than their number is stale, but may be served while it is
 * being renewed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_GUARD_GUARD_H
#define CPG_GUARD_GUARD_H

#include "port/atomics.h"

typedef uint32 CpgCell;

typedef enum CpgCellKind
{
	CPG_CELL_NAMESPACE,
	CPG_CELL_DATABASE,
	CPG_CELL_SCHEMA,			/* what names mean in a database */
	CPG_CELL_ROLE,				/* what a role may do and is a member of */
	CPG_CELL_TABLE,				/* contents of a table, or of a partition tree */
	CPG_CELL_TAG,
	CPG_CELL_KEY,
	CPG_CELL_MIRROR,			/* of a cell of another server; see
								 * bus/mirror.h */
	CPG_CELL_HOME,				/* all of that server's */
	CPG_CELL_KINDS
} CpgCellKind;

#define CPG_GUARD_LAST_BITS		48
#define CPG_GUARD_LAST_MASK		((UINT64CONST(1) << CPG_GUARD_LAST_BITS) - 1)
#define CPG_GUARD_PENDING		(UINT64CONST(1) << CPG_GUARD_LAST_BITS)
#define CPG_GUARD_PENDING_MAX	65000

#define CPG_ROLE_CELLS			256
#define CPG_SOFT_KEYS			1024
#define CPG_SOFT_TAG_SHARE		8	/* so many tags share a soft cell */

/* Numbers of cells; those of hashed kinds are powers of two. */
typedef struct CpgGuardConfig
{
	uint32		namespaces;		/* also of databases and schemas */
	uint32		tables;
	uint32		tags;
	uint32		keys;
	uint32		mirrors;		/* 0: there is no such server */
	uint64		seed;			/* of hashes; random, secret */
} CpgGuardConfig;

typedef struct CpgSharedGuard
{
	pg_atomic_uint64 seq;		/* alone in its line: every commit writes it */
	char		pad_seq[PG_CACHE_LINE_SIZE - sizeof(pg_atomic_uint64)];
	/* set at start, constant */
	CpgGuardConfig config;
	uint32		first[CPG_CELL_KINDS + 1];
	uint32		soft_first;		/* soft cells of namespaces, then of tags */
	Size		database_offset;	/* uint16[namespaces]: database number of
									 * each */
	/* changing rarely */
	pg_atomic_uint64 soft_last; /* the largest number in a soft cell */
	pg_atomic_uint32 standby_fills; /* entries were made in recovery */
	pg_atomic_uint64 bumped;	/* number of the last bump that came with no
								 * transaction */
	pg_atomic_uint32 sealed;	/* no invalidation is let through any more */
	char		pad_cells[PG_CACHE_LINE_SIZE];
	pg_atomic_uint64 cell[FLEXIBLE_ARRAY_MEMBER];
} CpgSharedGuard;

extern void cpg_guard_sizes(CpgGuardConfig *config, uint32 namespaces, Size memory,
							bool outside, bool mirrored);
extern Size cpg_guard_size(const CpgGuardConfig *config);
extern void cpg_guard_init(CpgSharedGuard *guard, const CpgGuardConfig *config);
extern uint64 cpg_guard_stamp(CpgSharedGuard *guard);
extern uint64 cpg_guard_draw(CpgSharedGuard *guard);
extern uint64 cpg_guard_raise(CpgSharedGuard *guard, CpgCell cell);
extern uint64 cpg_guard_lower(CpgSharedGuard *guard, CpgCell cell, uint64 number);
extern void cpg_guard_seal(CpgSharedGuard *guard);
extern void cpg_guard_bump(CpgSharedGuard *guard, CpgCell cell);
extern void cpg_guard_bump_quietly(CpgSharedGuard *guard, CpgCell cell);
extern void cpg_guard_soften(CpgSharedGuard *guard, CpgCell cell);
extern void cpg_guard_soften_key(CpgSharedGuard *guard, uint64 hash);
extern bool cpg_guard_key_stale(CpgSharedGuard *guard, uint64 hash, uint64 stamp);
extern bool cpg_guard_stale(CpgSharedGuard *guard, CpgCell cell, uint64 stamp);

/* cells.c */
extern CpgCell cpg_cell_role(const CpgSharedGuard *guard, Oid role);
extern CpgCell cpg_cell_table(const CpgSharedGuard *guard, Oid database, Oid relation);
extern CpgCell cpg_cell_tree(const CpgSharedGuard *guard, Oid database, Oid root);
extern CpgCell cpg_cell_tag(const CpgSharedGuard *guard, uint16 database, const char *tag, Size len);
extern CpgCell cpg_cell_tag_group(const CpgSharedGuard *guard, uint16 database, const char *tag, Size len);
extern CpgCell cpg_cell_table_name(const CpgSharedGuard *guard, uint16 database, const char *name, Size len);
extern bool cpg_cell_in_dumps(const CpgSharedGuard *guard, CpgCell cell);
extern CpgCellKind cpg_cell_kind(const CpgSharedGuard *guard, CpgCell cell);

/* The cell of a namespace is its number. */
static inline CpgCell
cpg_cell_namespace(uint16 ns)
{
	return ns;
}

static inline CpgCell
cpg_cell_database(const CpgSharedGuard *guard, uint16 database)
{
	return guard->first[CPG_CELL_DATABASE] + database;
}

static inline CpgCell
cpg_cell_schema(const CpgSharedGuard *guard, uint16 database)
{
	return guard->first[CPG_CELL_SCHEMA] + database;
}

/* Whether a cell stands for something that processes keep copies of. */
static inline bool
cpg_cell_is_of_catalog(const CpgSharedGuard *guard, CpgCell cell)
{
	return cell < guard->first[CPG_CELL_TABLE];
}

/* The cell of a key, by its hash in the store. */
static inline CpgCell
cpg_cell_key(const CpgSharedGuard *guard, uint64 hash)
{
	return guard->first[CPG_CELL_KEY] + ((uint32) (hash >> 24) & (guard->config.keys - 1));
}

/* The cell for those of another server whose hash this is. */
static inline CpgCell
cpg_cell_mirror(const CpgSharedGuard *guard, uint32 place)
{
	return guard->first[CPG_CELL_MIRROR] + place;
}

static inline CpgCell
cpg_cell_home(const CpgSharedGuard *guard)
{
	return guard->first[CPG_CELL_HOME];
}

/* The number of the database to which a namespace belongs; see policy/registry.h. */
static inline uint16 *
cpg_guard_database(CpgSharedGuard *guard, uint16 ns)
{
	return (uint16 *) ((char *) guard + guard->database_offset) + ns;
}

static inline uint64
cpg_guard_read(CpgSharedGuard *guard, CpgCell cell)
{
	return pg_atomic_read_u64(&guard->cell[cell]);
}

/* Whether it is too late to announce an invalidation: ask after the raise. */
static inline bool
cpg_guard_sealed(CpgSharedGuard *guard)
{
	return pg_atomic_read_u32(&guard->sealed) != 0;
}

/* Whether an invalidation through a cell is under way. */
static inline bool
cpg_guard_pending(CpgSharedGuard *guard, CpgCell cell)
{
	return cpg_guard_read(guard, cell) >= CPG_GUARD_PENDING;
}

/*
 * Whether a cell was somebody else's too between our raise and our lower, which
 * returned what it was before each.
 */
static inline bool
cpg_guard_contended(uint64 before_raise, uint64 before_lower)
{
	return before_raise >= CPG_GUARD_PENDING ||
		before_lower != before_raise + CPG_GUARD_PENDING;
}

/* Whether what was made at stamp has not been invalidated through a cell since. */
static inline bool
cpg_guard_valid(CpgSharedGuard *guard, CpgCell cell, uint64 stamp)
{
	/* pending bits, if any, make the number larger than any stamp */
	return cpg_guard_read(guard, cell) <= stamp;
}

#endif							/* CPG_GUARD_GUARD_H */
