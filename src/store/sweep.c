/*-------------------------------------------------------------------------
 *
 * sweep.c
 *	  Work of the janitor: reclaim what is expired or invalid, keep headroom.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store_internal.h"

/* Remove the dead entries that a bucket names; returns how many. */
uint32
cpg_sweep_bucket_locked(CpgSharedStore *store, CpgSharedPartition *part, uint32 number, int64 now)
{
	CpgSharedBucket *bucket = cpg_bucket(store, part, number);
	uint32		removed = 0;

	for (int i = 0; i < CPG_BUCKET_SLOTS; i++)
	{
		CpgRef		ref = bucket->ref[i];

		if (ref == 0 || !cpg_entry_useless_locked(store, part, ref, now))
			continue;
		cpg_remove_locked(store, part, ref, CPG_REMOVE_EXPIRED);
		removed++;
	}
	return removed;
}

/*
 * Look at the next so many buckets of the cursor's partition and remove what
 * is dead; returns how many.  At the partition's end the cursor goes to the
 * next one's beginning, and the call ends there.
 */
uint32
cpg_store_sweep(CpgSharedStore *store, CpgCursor *cursor, uint32 buckets, int64 now)
{
	CpgSharedPartition *part = cpg_partition(store, cursor->partition);
	uint32		removed = 0;
	uint32		end;

	end = Min(cursor->bucket + buckets, store->nbuckets);
	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	while (cursor->bucket < end)
		removed += cpg_sweep_bucket_locked(store, part, cursor->bucket++, now);
	LWLockRelease(&part->lock.lock);

	if (cursor->bucket >= store->nbuckets)
	{
		cursor->bucket = 0;
		cursor->partition = (cursor->partition + 1) % store->config.npartitions;
	}
	return removed;
}

/*
 * Evict up to limit entries of a partition while less than its headroom is
 * free; returns how many.
 */
uint32
cpg_store_make_headroom(CpgSharedStore *store, int partition, uint32 limit, int64 now)
{
	CpgSharedPartition *part = cpg_partition(store, partition);
	uint32		evicted = 0;

	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	while (evicted < limit && part->arena.free_bytes < part->headroom &&
		   cpg_evict_one_locked(store, part, now))
		evicted++;
	LWLockRelease(&part->lock.lock);
	return evicted;
}
