/*-------------------------------------------------------------------------
 *
 * list.c
 *	  Listing entries, copying them out, and summing up use.
 *
 * To copy entries out one first takes references to all of a partition, then
 * each entry by its reference, if that still names one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store_internal.h"

#define STEP_BUCKETS	64		/* under one hold of the lock */
#define BUFFER_SLACK	8192

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
		while (cursor->bucket < store->nbuckets && count <= CPG_LIST_BATCH - CPG_BUCKET_SLOTS)
		{
			CpgSharedBucket *bucket = cpg_bucket(store, part, cursor->bucket++);

			for (int i = 0; i < CPG_BUCKET_SLOTS; i++)
			{
				if (bucket->ref[i] != 0)
					list_entry(store, part, bucket->ref[i], now, &batch[count++]);
			}
		}
		LWLockRelease(&part->lock.lock);

		if (cursor->bucket >= store->nbuckets)
		{
			cursor->bucket = 0;
			cursor->partition++;
		}
	}
	return count;
}

/* Entries in a partition.  Read without lock: approximate while it changes. */
uint32
cpg_store_count(CpgSharedStore *store, int partition)
{
	return cpg_partition(store, partition)->entries;
}

/*
 * References to the entries of a partition, at most so many, in no order; only
 * of namespaces for whose number spaces is true.
 */
uint32
cpg_store_refs(CpgSharedStore *store, int partition, const bool *spaces,
			   CpgListedRef *refs, uint32 room)
{
	CpgSharedPartition *part = cpg_partition(store, partition);
	uint32		count = 0;

	for (uint32 number = 0; number < store->nbuckets; number += STEP_BUCKETS)
	{
		uint32		end = Min(number + STEP_BUCKETS, store->nbuckets);

		LWLockAcquire(&part->lock.lock, LW_SHARED);
		for (uint32 n = number * CPG_BUCKET_SLOTS; n < end * CPG_BUCKET_SLOTS && count < room; n++)
		{
			CpgRef		ref = cpg_bucket(store, part, n / CPG_BUCKET_SLOTS)
			->ref[n % CPG_BUCKET_SLOTS];

			if (ref != 0 && spaces[cpg_entry_ns(cpg_entry(store, part, ref))])
				refs[count++] = ref;
		}
		LWLockRelease(&part->lock.lock);
	}
	return count;
}

static uint32
refs_of_queue(CpgSharedStore *store, CpgSharedPartition *part, const CpgQueue *queue,
			  CpgListedRef *refs, uint32 room)
{
	uint32		count = 0;

	for (CpgRef ref = queue->head; ref != 0 && count < room; ref = cpg_entry(store, part, ref)->next)
		refs[count++] = ref;
	return count;
}

/*
 * As cpg_store_refs for all namespaces, but each queue from its newest entry to
 * its oldest, the main queue first.  Walks all of them under the lock.
 */
uint32
cpg_store_refs_ordered(CpgSharedStore *store, int partition, CpgListedRef *refs, uint32 room)
{
	CpgSharedPartition *part = cpg_partition(store, partition);
	uint32		count;

	LWLockAcquire(&part->lock.lock, LW_SHARED);
	count = refs_of_queue(store, part, &part->main, refs, room);
	count += refs_of_queue(store, part, &part->small, refs + count, room - count);
	for (uint32 ns = 0; ns < store->config.max_namespaces; ns++)
	{
		if (cpg_bounded_partition(store, (uint16) ns) == partition)
			count += refs_of_queue(store, part, cpg_bounded_queue(store, (uint16) ns),
								   refs + count, room - count);
	}
	LWLockRelease(&part->lock.lock);
	return count;
}

/* The entry of a reference, NULL if it is gone: the index decides. */
static CpgSharedEntry *
find_listed(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	uint32		slot = entry->slot;

	if (slot >= store->nbuckets * CPG_BUCKET_SLOTS ||
		cpg_bucket(store, part, slot / CPG_BUCKET_SLOTS)->ref[slot % CPG_BUCKET_SLOTS] != ref)
		return NULL;
	return entry;
}

/*
 * Describe a listed entry, state of its key included, and copy its value if the
 * buffer has room for it.
 *
 * The key's cell is read under the lock: who invalidates the key raises it
 * before, and marks the entry under the lock afterwards.
 */
static bool
export_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, int64 now,
			  CpgExported *exported)
{
	CpgListed  *is = &exported->is;
	CpgValue	wanted = is->value;
	CpgSharedEntry *entry = find_listed(store, part, ref);
	CpgKey		key;

	if (entry == NULL)
		return false;
	list_entry(store, part, ref, now, is);
	is->value.cells = wanted.cells;
	is->value.notes = wanted.notes;
	is->value.notes_size = wanted.notes_size;
	cpg_entry_describe(store, part, ref, entry, &is->value);
	exported->standing.frequency = *cpg_slot_frequency(store, part, entry->slot);
	exported->standing.stale = is->value.stale;
	exported->standing.latest = entry->latest;
	exported->standing.main = entry->queue == CPG_QUEUE_MAIN;
	cpg_key_init(&key, store, is->ns, is->key, is->key_len);
	if (cpg_guard_pending(store->guard, cpg_cell_key(store->guard, key.hash)))
		is->state = CPG_MISS_COMMIT_PENDING;
	if (is->state == CPG_HIT && is->value.len <= exported->buffer_size)
		cpg_entry_copy_value(store, part, ref, entry, exported->buffer);
	return true;
}

/*
 * Copy an entry out; false if it is gone.  The value comes only with the state
 * CPG_HIT.  May run out of back-end memory, with no lock held.
 */
bool
cpg_store_export(CpgSharedStore *store, int partition, CpgListedRef ref, int64 now,
				 CpgExported *exported)
{
	CpgSharedPartition *part = cpg_partition(store, partition);

	for (;;)
	{
		Size		needed;
		bool		found;

		LWLockAcquire(&part->lock.lock, LW_SHARED);
		found = export_locked(store, part, ref, now, exported);
		LWLockRelease(&part->lock.lock);
		if (!found || exported->is.state != CPG_HIT ||
			exported->is.value.len <= exported->buffer_size)
			return found;
		needed = exported->is.value.len + BUFFER_SLACK;
		exported->buffer = repalloc_huge(exported->buffer, needed);
		exported->buffer_size = needed;
	}
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
