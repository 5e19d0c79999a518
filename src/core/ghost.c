/*-------------------------------------------------------------------------
 *
 * ghost.c
 *	  Ghost queue as a table of fingerprints with epochs.  See ghost.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/ghost.h"

#define EPOCH_BITS	12
#define EPOCH_MASK	((1u << EPOCH_BITS) - 1)
#define EPOCHS_PER_CAPACITY	1024

/*
 * Never 0, so that a cell of 0 is an empty one.  Multiplied first, since callers
 * use the top bits of the hash to choose the partition.
 */
static inline uint32
fingerprint(uint64 hash)
{
	return (uint32) ((hash * UINT64CONST(0x9e3779b97f4a7c15)) >> 44) | 1;
}

static inline uint32
first_cell(const CpgGhost *ghost, uint64 hash)
{
	return (uint32) (((hash & PG_UINT32_MAX) * ghost->nsets) >> 32) * CPG_GHOST_WAYS;
}

static inline uint32
current_epoch(const CpgGhost *ghost)
{
	return (uint32) (ghost->clock / ghost->unit) & EPOCH_MASK;
}

/* Age of a cell in epochs, modulo the range of the epoch. */
static inline uint32
cell_age(const CpgGhost *ghost, uint32 cell)
{
	return (current_epoch(ghost) - cell) & EPOCH_MASK;
}

/* Number of sets that fit into so many bytes, at least one. */
uint32
cpg_ghost_sets(Size bytes)
{
	return (uint32) Max(bytes / (CPG_GHOST_WAYS * sizeof(uint32)), 1);
}

/* Make cells (nsets * CPG_GHOST_WAYS of them) an empty ghost. */
void
cpg_ghost_init(CpgGhost *ghost, uint32 *cells, uint32 nsets)
{
	ghost->nsets = nsets;
	ghost->unit = Max(nsets * CPG_GHOST_WAYS / EPOCHS_PER_CAPACITY, 1);
	ghost->clock = 0;
	memset(cells, 0, (Size) nsets * CPG_GHOST_WAYS * sizeof(uint32));
}

/* Remember a key as evicted now. */
void
cpg_ghost_insert(CpgGhost *ghost, uint32 *cells, uint64 hash)
{
	uint32	   *set = &cells[first_cell(ghost, hash)];
	int			victim = 0;

	for (int i = 0; i < CPG_GHOST_WAYS; i++)
	{
		if (set[i] == 0 || (set[i] >> EPOCH_BITS) == fingerprint(hash))
		{
			victim = i;
			break;
		}
		if (cell_age(ghost, set[i]) > cell_age(ghost, set[victim]))
			victim = i;
	}
	set[victim] = fingerprint(hash) << EPOCH_BITS | current_epoch(ghost);
	ghost->clock++;
}

/* Index in the table of a key evicted at most window insertions ago, or -1. */
static int64
find(const CpgGhost *ghost, const uint32 *cells, uint64 hash, uint64 window)
{
	uint32		first = first_cell(ghost, hash);

	for (int i = 0; i < CPG_GHOST_WAYS; i++)
	{
		uint32		cell = cells[first + i];

		if (cell != 0 && (cell >> EPOCH_BITS) == fingerprint(hash) &&
			(uint64) cell_age(ghost, cell) * ghost->unit <= window)
			return first + i;
	}
	return -1;
}

/* Whether a key was evicted at most window insertions ago. */
bool
cpg_ghost_contains(const CpgGhost *ghost, const uint32 *cells, uint64 hash, uint64 window)
{
	return find(ghost, cells, hash, window) >= 0;
}

/* As cpg_ghost_contains, and forget the key. */
bool
cpg_ghost_remove(CpgGhost *ghost, uint32 *cells, uint64 hash, uint64 window)
{
	int64		found = find(ghost, cells, hash, window);

	if (found < 0)
		return false;
	cells[found] = 0;
	return true;
}
