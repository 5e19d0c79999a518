/*-------------------------------------------------------------------------
 *
 * list.c
 *	  Listing entries and summing up use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store_internal.h"

static void
list_entry(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, int64 now,
		   CpgListed *listed)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);

	memset(&listed->value, 0, sizeof(listed->value));
	cpg_entry_describe(store, part, ref, entry, &listed->value);
	listed->value.frequency = *cpg_slot_frequency(store, part, entry->slot);
	listed->state = cpg_entry_state(store, part, ref, entry, now);
	listed->role = entry->role;
	listed->fingerprint = entry->fingerprint;
	listed->ns = cpg_entry_ns(entry);
	listed->bytes = cpg_entry_bytes_locked(store, part, ref);
	listed->key_len = entry->key_len;
	memcpy(listed->key, (char *) entry + cpg_entry_prefix(entry), entry->key_len);
}

/*
 * Copy the next entries, at most CPG_LIST_BATCH, to batch; returns how many, 0
 * at the end.  Starts with a cursor of zeros.  What changes meanwhile may be
 * listed or not.
 */
int
cpg_store_list(CpgSharedStore *store, CpgCursor *cursor, int64 now, CpgListed *batch)
{
	int			count = 0;

	while (count == 0 && cursor->partition < store->config.npartitions)
	{
		CpgSharedPartition *part = cpg_partition(store, cursor->partition);

		LWLockAcquire(&part->lock.lock, LW_SHARED);
		while (cursor->bucket < part->nbuckets && count <= CPG_LIST_BATCH - CPG_BUCKET_SLOTS)
		{
			CpgSharedBucket *bucket = cpg_bucket(store, part, cursor->bucket++);

			for (int i = 0; i < CPG_BUCKET_SLOTS; i++)
			{
				if (bucket->ref[i] != 0)
					list_entry(store, part, bucket->ref[i], now, &batch[count++]);
			}
		}
		LWLockRelease(&part->lock.lock);

		if (cursor->bucket >= part->nbuckets)
		{
			cursor->bucket = 0;
			cursor->partition++;
		}
	}
	return count;
}

/* What a namespace uses.  Read without lock: approximate while it changes. */
void
cpg_store_use(CpgSharedStore *store, uint16 ns, CpgStoreUse *use)
{
	memset(use, 0, sizeof(*use));
	for (int i = 0; i < store->config.npartitions; i++)
	{
		CpgPartitionUse *in = cpg_partition_use(store, cpg_partition(store, i), ns);

		use->entries += in->entries;
		use->bytes += in->bytes;
		use->payload += in->payload;
		use->evictions += in->evictions;
		use->expirations += in->expirations;
	}
}

/* How the memory given is used. */
void
cpg_store_space(CpgSharedStore *store, CpgStoreSpace *space)
{
	memset(space, 0, sizeof(*space));
	space->total = store->config.size;
	space->npartitions = store->config.npartitions;
	space->eviction = store->config.eviction;
	for (int i = 0; i < store->config.npartitions; i++)
	{
		CpgSharedPartition *part = cpg_partition(store, i);

		space->arena += part->arena.size;
		space->free += part->arena.free_bytes;
	}
}
