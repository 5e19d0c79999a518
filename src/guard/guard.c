/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  The validity clock.  See guard.h.
 *
 * Concurrency: everything here is atomic; no lock is taken or needed.  Memory
 * is given by the caller, in shared memory or (unit tests) a private copy.
 * Nothing here allocates or throws, so that it can run while a transaction
 * commits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fault.h"
#include "guard/guard.h"
#include "port/pg_bitutils.h"

#define TABLES_MIN		4096
#define TAGS_MIN		65536
#define KEYS_MIN		16384
#define MIRRORS_MIN		16384
#define CELLS_MAX		(4 * 1024 * 1024)
#define TABLE_MEMORY	8192	/* one cell for each so many bytes */
#define TAG_MEMORY		2048
#define KEY_MEMORY		2048
#define OUTSIDE_MEMORY	256		/* of keys, and of a mirror */

static uint32
sized(Size memory, Size per_cell, uint32 least)
{
	return pg_nextpower2_32((uint32) Min(Max(memory / per_cell, least), CELLS_MAX));
}

/*
 * Fill the numbers of cells for so many namespaces and so much memory.
 *
 * A value that lies outside, in Redis, depends on the cell of its key, which
 * each set of a key bumps: of keys with one cell only the last one set can be
 * taken from there, so that there have to be many.  "mirrored" where values of
 * another server are kept.
 */
void
cpg_guard_sizes(CpgGuardConfig *config, uint32 namespaces, Size memory, bool outside,
				bool mirrored)
{
	config->namespaces = namespaces;
	config->tables = sized(memory, TABLE_MEMORY, TABLES_MIN);
	config->tags = sized(memory, TAG_MEMORY, TAGS_MIN);
	config->keys = sized(memory, outside ? OUTSIDE_MEMORY : KEY_MEMORY, KEYS_MIN);
	config->mirrors = mirrored ? sized(memory, OUTSIDE_MEMORY, MIRRORS_MIN) : 0;
}

/* Where the cells of each kind begin; returns the number of all. */
static uint32
layout(const CpgGuardConfig *config, uint32 *first)
{
	uint32		count[CPG_CELL_KINDS] = {
		[CPG_CELL_NAMESPACE] = config->namespaces,
		[CPG_CELL_DATABASE] = config->namespaces,
		[CPG_CELL_SCHEMA] = config->namespaces,
		[CPG_CELL_ROLE] = CPG_ROLE_CELLS,
		[CPG_CELL_TABLE] = config->tables,
		[CPG_CELL_TAG] = config->tags,
		[CPG_CELL_KEY] = config->keys,
		[CPG_CELL_MIRROR] = config->mirrors,
		[CPG_CELL_HOME] = 1
	};

	first[0] = 0;
	for (int kind = 0; kind < CPG_CELL_KINDS; kind++)
		first[kind + 1] = first[kind] + count[kind];
	return first[CPG_CELL_KINDS] + config->namespaces + Max(config->tags / CPG_SOFT_TAG_SHARE, 1) +
		CPG_SOFT_KEYS;
}

/* Bytes of a guard. */
Size
cpg_guard_size(const CpgGuardConfig *config)
{
	uint32		first[CPG_CELL_KINDS + 1];

	return offsetof(CpgSharedGuard, cell) +
		(Size) layout(config, first) * sizeof(pg_atomic_uint64) +
		config->namespaces * sizeof(uint16);
}

void
cpg_guard_init(CpgSharedGuard *guard, const CpgGuardConfig *config)
{
	uint32		ncells = layout(config, guard->first);

	pg_atomic_init_u64(&guard->seq, 1);
	pg_atomic_init_u64(&guard->soft_last, 0);
	pg_atomic_init_u32(&guard->standby_fills, 0);
	pg_atomic_init_u64(&guard->bumped, 0);
	pg_atomic_init_u32(&guard->sealed, 0);
	guard->config = *config;
	guard->soft_first = guard->first[CPG_CELL_KINDS];
	guard->database_offset = offsetof(CpgSharedGuard, cell) + ncells * sizeof(pg_atomic_uint64);
	for (uint32 i = 0; i < ncells; i++)
		pg_atomic_init_u64(&guard->cell[i], 0);
	memset(cpg_guard_database(guard, 0), 0, config->namespaces * sizeof(uint16));
}

/*
 * The stamp for an entry made from now on.  A load takes it before its
 * snapshot, so that an invalidation it may not have seen is always newer.
 */
uint64
cpg_guard_stamp(CpgSharedGuard *guard)
{
	uint64		stamp = pg_atomic_read_u64(&guard->seq);

	pg_memory_barrier();
	return stamp;
}

/* The next number of the clock. */
uint64
cpg_guard_draw(CpgSharedGuard *guard)
{
	return pg_atomic_add_fetch_u64(&guard->seq, 1);
}

/* Let no invalidation through that is announced from now on; for ever. */
void
cpg_guard_seal(CpgSharedGuard *guard)
{
	pg_atomic_write_u32(&guard->sealed, 1);
	pg_memory_barrier();
}

/* Announce an invalidation through a cell; returns what the cell was before. */
uint64
cpg_guard_raise(CpgSharedGuard *guard, CpgCell cell)
{
	return pg_atomic_fetch_add_u64(&guard->cell[cell], CPG_GUARD_PENDING);
}

/*
 * Set the last number of a cell to the larger of its own and number, and take
 * "less" off its pending ones, in one step.  The maximum matters: a slower
 * committer must not hide the newer number of a faster one.
 */
static uint64
advance(CpgSharedGuard *guard, CpgCell cell, uint64 number, uint64 less)
{
	uint64		old = cpg_guard_read(guard, cell);
	uint64		last;
	uint64		new;

	do
	{
		Assert(old >= less);
		last = old & CPG_GUARD_LAST_MASK;
		if (last < number || CPG_SKIP("maximum"))
			last = number;
		new = ((old - less) & ~CPG_GUARD_LAST_MASK) | last;
	} while (!pg_atomic_compare_exchange_u64(&guard->cell[cell], &old, new));
	return old;
}

/*
 * End an announced invalidation, with a number drawn after it became visible;
 * returns what the cell was before.
 */
uint64
cpg_guard_lower(CpgSharedGuard *guard, CpgCell cell, uint64 number)
{
	return advance(guard, cell, number, CPG_GUARD_PENDING);
}

/*
 * Invalidate at once all that depends on a cell: for what does not come with a
 * transaction, and is nobody else's business.
 */
void
cpg_guard_bump_quietly(CpgSharedGuard *guard, CpgCell cell)
{
	(void) advance(guard, cell, cpg_guard_draw(guard), 0);
}

/* The soft cell beside the cell of a namespace or tag. */
static CpgCell
soft_cell(const CpgSharedGuard *guard, CpgCell cell)
{
	if (cell < guard->first[CPG_CELL_NAMESPACE + 1])
		return guard->soft_first + cell;
	return guard->soft_first + guard->config.namespaces +
		(cell - guard->first[CPG_CELL_TAG]) / CPG_SOFT_TAG_SHARE;
}

static void
raise_to(pg_atomic_uint64 *at, uint64 number)
{
	uint64		old = pg_atomic_read_u64(at);

	while (old < number && !pg_atomic_compare_exchange_u64(at, &old, number))
		;
}

/* As cpg_guard_bump_quietly, but other servers are to hear that something happened. */
void
cpg_guard_bump(CpgSharedGuard *guard, CpgCell cell)
{
	uint64		number = cpg_guard_draw(guard);

	(void) advance(guard, cell, number, 0);
	raise_to(&guard->bumped, number);
}

/* Make stale all that depends on the cell of a namespace or tag. */
void
cpg_guard_soften(CpgSharedGuard *guard, CpgCell cell)
{
	uint64		number = cpg_guard_draw(guard);

	raise_to(&guard->cell[soft_cell(guard, cell)], number);
	raise_to(&guard->soft_last, number);
}

/* Whether what was made at stamp is stale through the cell of a namespace or tag. */
bool
cpg_guard_stale(CpgSharedGuard *guard, CpgCell cell, uint64 stamp)
{
	return cpg_guard_read(guard, soft_cell(guard, cell)) > stamp;
}

/* The soft cells of keys come last. */
static pg_atomic_uint64 *
soft_key(CpgSharedGuard *guard, uint64 hash)
{
	return &guard->cell[guard->soft_first + guard->config.namespaces +
						Max(guard->config.tags / CPG_SOFT_TAG_SHARE, 1) + hash % CPG_SOFT_KEYS];
}

/* What is stored from now on for a key, by its hash, is stale if it is older. */
void
cpg_guard_soften_key(CpgSharedGuard *guard, uint64 hash)
{
	uint64		number = cpg_guard_draw(guard);

	raise_to(soft_key(guard, hash), number);
	raise_to(&guard->soft_last, number);
}

/* Whether a value made at stamp, stored now for a key, is stale already. */
bool
cpg_guard_key_stale(CpgSharedGuard *guard, uint64 hash, uint64 stamp)
{
	return pg_atomic_read_u64(&guard->soft_last) > stamp &&
		pg_atomic_read_u64(soft_key(guard, hash)) > stamp;
}
