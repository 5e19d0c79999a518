/*-------------------------------------------------------------------------
 *
 * mirror.c
 *	  The mirror of the home's validity clock.
 *
 * Written by the subscriber alone, but for cpg_mirror_suspend, which also the
 * janitor calls when the subscriber has said nothing for too long.
 *
 * A reader of a value from Redis, and the subscriber:
 *
 *	 reader                              subscriber
 *	 own stamp = 5, is current
 *	 GET: frame with the home's stamp 70
 *	                                     mirror[c] = 71
 *	 admits? 71 > 70: no
 *
 *	 admits? mirror[c] is 60: yes
 *	                                     mirror[c] = 71
 *	                                     bumps the own cell of c with 6
 *	 keeps it with stamp 5: invalid at once
 *
 * So the mirror is written before the own cell is bumped, and the own stamp is
 * read before the GET.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus_internal.h"
#include "core/hash.h"
#include "fault.h"
#include "guc.h"
#include "shmem.h"

/* Called by cpg_bus_init: nothing is known yet. */
void
cpg_mirror_init(CpgSharedBus *bus)
{
	pg_atomic_init_u32(&bus->current, 0);
	pg_atomic_init_u64(&bus->floor, PG_UINT64_MAX);
	pg_atomic_init_u64(&bus->heard, 0);
	pg_atomic_init_u64(&bus->position, 0);
	pg_atomic_init_u64(&bus->changed, 0);
	for (uint32 i = 0; i < bus->mirrors; i++)
		pg_atomic_init_u64(&cpg_bus_mirror(bus)[i], 0);
}

/* Whether another server is the home of what is in Redis. */
bool
cpg_mirror_exists(void)
{
	return cpg_bus != NULL && cpg_bus->mirrors > 0;
}

static uint32
place_of(CpgCell cell)
{
	return (uint32) cpg_hash_mix(cell) & (cpg_bus->mirrors - 1);
}

static void
raise_to(pg_atomic_uint64 *at, uint64 number)
{
	uint64		old = pg_atomic_read_u64(at);

	while (old < number && !pg_atomic_compare_exchange_u64(at, &old, number))
		;
}

/* The home invalidated through a cell. */
void
cpg_mirror_bump(CpgCell cell, uint64 number)
{
	uint32		place = place_of(cell);

	raise_to(&cpg_bus_mirror(cpg_bus)[place], number);
	cpg_guard_bump_quietly(cpg_guard, cpg_cell_mirror(cpg_guard, place));
}

/* The home invalidated everything. */
void
cpg_mirror_bump_all(uint64 number)
{
	raise_to(&cpg_bus->floor, number);
	cpg_guard_bump_quietly(cpg_guard, cpg_cell_home(cpg_guard));
}

/*
 * The home is in an epoch, and everything from "floor" on will be heard of.
 * What was known of it before is worth nothing.
 */
void
cpg_mirror_begin(const uint8 *epoch, uint64 floor)
{
	if (!cpg_mirror_exists())
		return;
	cpg_mirror_suspend();
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	memcpy(cpg_bus->home.epoch, epoch, CPG_MESSAGE_EPOCH_LEN);
	cpg_bus->home.known = true;
	LWLockRelease(&cpg_bus->lock.lock);
	for (uint32 i = 0; i < cpg_bus->mirrors; i++)
		pg_atomic_write_u64(&cpg_bus_mirror(cpg_bus)[i], 0);
	pg_atomic_write_u64(&cpg_bus->floor, floor);
	pg_atomic_write_u64(&cpg_bus->position, floor);
	pg_atomic_write_u64(&cpg_bus->changed, floor);
	cpg_guard_bump_quietly(cpg_guard, cpg_cell_home(cpg_guard));
}

/* The home invalidated something, which is applied after this. */
void
cpg_mirror_note_change(uint64 number)
{
	raise_to(&cpg_bus->changed, number);
}

/* Everything up to a number of the home's clock has been applied. */
void
cpg_mirror_reach(uint64 number)
{
	raise_to(&cpg_bus->position, number);
}

/* How far the home's clock is known here. */
uint64
cpg_mirror_position(void)
{
	return pg_atomic_read_u64(&cpg_bus->position);
}

/* The number of the last of its invalidations that is known here. */
uint64
cpg_mirror_changed(void)
{
	return pg_atomic_read_u64(&cpg_bus->changed);
}

/* The epoch in which the home is. */
void
cpg_mirror_epoch(uint8 *epoch)
{
	LWLockAcquire(&cpg_bus->lock.lock, LW_SHARED);
	memcpy(epoch, cpg_bus->home.epoch, CPG_MESSAGE_EPOCH_LEN);
	LWLockRelease(&cpg_bus->lock.lock);
}

/* All that the home did up to a time is known. */
void
cpg_mirror_heard(int64 time)
{
	if (time > (int64) pg_atomic_read_u64(&cpg_bus->heard))
		pg_atomic_write_u64(&cpg_bus->heard, (uint64) time);
}

/* Nothing of the home is missing. */
void
cpg_mirror_resume(void)
{
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	pg_atomic_write_u32(&cpg_bus->current, 1);
	if (cpg_bus->home.fenced)
	{
		cpg_bus->home.fenced = false;
		(void) cpg_guard_lower(cpg_guard, cpg_cell_home(cpg_guard), 0);
	}
	LWLockRelease(&cpg_bus->lock.lock);
}

/* Something may be missing: what came from the home is neither served nor kept. */
void
cpg_mirror_suspend(void)
{
	if (!cpg_mirror_exists() || CPG_SKIP("bus-suspend"))
		return;
	LWLockAcquire(&cpg_bus->lock.lock, LW_EXCLUSIVE);
	if (!cpg_bus->home.fenced)
	{
		(void) cpg_guard_raise(cpg_guard, cpg_cell_home(cpg_guard));
		cpg_bus->home.fenced = true;
	}
	pg_atomic_write_u32(&cpg_bus->current, 0);
	LWLockRelease(&cpg_bus->lock.lock);
}

/* Whether values of the home may be served now. */
bool
cpg_mirror_current(int64 now)
{
	return pg_atomic_read_u32(&cpg_bus->current) != 0 &&
		now - (int64) pg_atomic_read_u64(&cpg_bus->heard) <= cpg_bus_silence;
}

/*
 * Whether what the home made in an epoch, at its stamp, is valid as far as is
 * known here.  Ask for cpg_mirror_current afterwards.
 */
bool
cpg_mirror_admits(const uint8 *epoch, uint64 stamp, const CpgCell *cells, int ncells)
{
	bool		same;

	LWLockAcquire(&cpg_bus->lock.lock, LW_SHARED);
	same = cpg_bus->home.known && memcmp(cpg_bus->home.epoch, epoch, CPG_MESSAGE_EPOCH_LEN) == 0;
	LWLockRelease(&cpg_bus->lock.lock);
	if (!same || stamp < pg_atomic_read_u64(&cpg_bus->floor))
		return false;
	for (int i = 0; i < ncells; i++)
	{
		if (pg_atomic_read_u64(&cpg_bus_mirror(cpg_bus)[place_of(cells[i])]) > stamp &&
			!CPG_SKIP("l2-cells"))
			return false;
	}
	return true;
}

/* The cells of the own guard for what depends on cells of the home's; their number. */
int
cpg_mirror_cells(const CpgCell *cells, int ncells, CpgCell *local)
{
	local[0] = cpg_cell_home(cpg_guard);
	for (int i = 0; i < ncells; i++)
		local[i + 1] = cpg_cell_mirror(cpg_guard, place_of(cells[i]));
	return ncells + 1;
}
