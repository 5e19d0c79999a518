/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  The validity clock.  See guard.h.
 *
 * Concurrency: everything here is atomic; no lock is taken or needed.  Memory
 * is given by the caller, in shared memory or (unit tests) a private copy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "guard/guard.h"

/* Bytes of a guard with so many cells. */
Size
cpg_guard_size(uint32 ncells)
{
	return offsetof(CpgSharedGuard, cell) + (Size) ncells * sizeof(pg_atomic_uint64);
}

void
cpg_guard_init(CpgSharedGuard *guard, uint32 ncells)
{
	pg_atomic_init_u64(&guard->seq, 1);
	guard->ncells = ncells;
	for (uint32 i = 0; i < ncells; i++)
		pg_atomic_init_u64(&guard->cell[i], 0);
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

/*
 * Invalidate all that depends on a cell.  The maximum matters: a slower bump
 * with an older number must not hide a newer one.
 */
void
cpg_guard_bump(CpgSharedGuard *guard, CpgCell cell)
{
	uint64		now = pg_atomic_add_fetch_u64(&guard->seq, 1);
	uint64		old = pg_atomic_read_u64(&guard->cell[cell]);
	uint64		new;

	do
	{
		uint64		last = Max(old & CPG_GUARD_LAST_MASK, now);

		new = (old & ~CPG_GUARD_LAST_MASK) | last;
	} while (!pg_atomic_compare_exchange_u64(&guard->cell[cell], &old, new));
}
