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
 * of the counter at the last one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_GUARD_GUARD_H
#define CPG_GUARD_GUARD_H

#include "port/atomics.h"

typedef uint32 CpgCell;

#define CPG_GUARD_LAST_BITS		48
#define CPG_GUARD_LAST_MASK		((UINT64CONST(1) << CPG_GUARD_LAST_BITS) - 1)

typedef struct CpgSharedGuard
{
	pg_atomic_uint64 seq;
	uint32		ncells;
	pg_atomic_uint64 cell[FLEXIBLE_ARRAY_MEMBER];
} CpgSharedGuard;

extern Size cpg_guard_size(uint32 ncells);
extern void cpg_guard_init(CpgSharedGuard *guard, uint32 ncells);
extern uint64 cpg_guard_stamp(CpgSharedGuard *guard);
extern void cpg_guard_bump(CpgSharedGuard *guard, CpgCell cell);

/* Whether what was made at stamp has not been invalidated through a cell since. */
static inline bool
cpg_guard_valid(CpgSharedGuard *guard, CpgCell cell, uint64 stamp)
{
	/* pending bits, if any, make the number larger than any stamp */
	return pg_atomic_read_u64(&guard->cell[cell]) <= stamp;
}

#endif							/* CPG_GUARD_GUARD_H */
