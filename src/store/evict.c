/*-------------------------------------------------------------------------
 *
 * evict.c
 *	  Which entry goes when room is needed, and how an entry goes.
 *
 * S3-FIFO: new entries enter the small queue (10 % of the bytes), or the main
 * queue if the ghost knows them.  At the small queue's end an entry used at
 * least once moves to the main queue with its counter at 0, another leaves and
 * is remembered by the ghost.  At the main queue's end an entry with a counter
 * above 0 goes back to the head with one less.  Expired and invalid entries
 * leave wherever they are met.
 * Source: J. Yang et al., "FIFO queues are all you need for cache eviction",
 * SOSP 2023, with promotion threshold 1.
 *
 * LRU: one list; the end of it leaves.
 *
 * Bounded namespaces have lists of their own, which only they shorten, unless
 * they hold more than half of the partition or nothing else is left.
 *
 * Dead entries leave first.  After the guard's clock moved, evictions search
 * the index for them, a few buckets each, until they have seen all of it; if
 * the first buckets promise little, the search is put off for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/frequency.h"
#include "store/store_internal.h"

/* Entries moved back at most while looking for one that leaves. */
#define MOVES_MAX	512

/* Search for dead entries: buckets per eviction; after so many buckets it goes
 * on only if every fourth had one. */
#define DEAD_BUCKETS	4
#define DEAD_PROBE		128
#define DEAD_WORTH		4

static CpgRef
ring_predecessor(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	CpgRef		at = ref;

	while (cpg_entry(store, part, at)->ring != ref)
		at = cpg_entry(store, part, at)->ring;
	return at;
}

/*
 * Take an entry out of its key's ring.  If it was the first, the next variant
 * moves to its place in the index; *slot is then the one left empty.
 */
static void
leave_ring(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, uint32 *slot)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgRef		next = entry->ring;
	CpgRef		before = ring_predecessor(store, part, ref);
	CpgSharedEntry *heir = cpg_entry(store, part, next);

	cpg_entry(store, part, before)->ring = next == before ? 0 : next;
	if (entry->home)
	{
		uint32		old = heir->slot;
		uint8		freq = *cpg_slot_frequency(store, part, old);
		uint16		tag = cpg_bucket(store, part, *slot / CPG_BUCKET_SLOTS)
		->tag[*slot % CPG_BUCKET_SLOTS];

		/* clear both, so that no reader finds the variant at neither */
		cpg_index_clear_locked(store, part, old);
		heir->home = 1;
		cpg_index_set_locked(store, part, *slot, next, tag, freq);
		*slot = old;
	}
}

/* Remove an entry from index, ring, queue and arena; count why. */
void
cpg_remove_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, CpgRemoval why)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgPartitionUse *use = cpg_partition_use(store, part, cpg_entry_ns(entry));
	Size		bytes = cpg_entry_bytes_locked(store, part, ref);
	uint32		slot = entry->slot;

	Assert(LWLockHeldByMeInMode(&part->lock.lock, LW_EXCLUSIVE));

	if (entry->ring != 0)
	{
		uint32		left = slot;

		leave_ring(store, part, ref, &left);
		if (left == slot)
			cpg_index_clear_locked(store, part, slot);
	}
	else
		cpg_index_clear_locked(store, part, slot);

	cpg_queue_remove_locked(store, part, ref, bytes);
	part->entries--;
	cpg_use_subtract(use, entry, bytes);
	if (why == CPG_REMOVE_EVICTED)
		use->evictions++;
	else if (why == CPG_REMOVE_EXPIRED)
		use->expirations++;
	cpg_entry_free_locked(store, part, ref);
}

static void
remember(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	cpg_ghost_insert(&part->ghost, cpg_ghost_slots(store, part),
					 cpg_entry_hash(store, cpg_entry(store, part, ref)));
}

/* Move an entry to the head of the main queue with a new counter. */
static void
to_main(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, uint8 *freq, uint8 counter)
{
	Size		bytes = cpg_entry_bytes_locked(store, part, ref);

	cpg_queue_remove_locked(store, part, ref, bytes);
	cpg_queue_push_locked(store, part, ref, CPG_QUEUE_MAIN, bytes);
	*freq = (*freq & ~CPG_FREQUENCY_MASK) | counter;
}

/* One step at the end of the small or main queue; true if an entry left. */
static bool
step(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, bool may_move, int64 now)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	uint8	   *freq = cpg_slot_frequency(store, part, entry->slot);
	uint8		counter = *freq & CPG_FREQUENCY_MASK;
	bool		small = entry->queue == CPG_QUEUE_SMALL;

	if (cpg_entry_useless_locked(store, part, ref, now))
	{
		cpg_remove_locked(store, part, ref, CPG_REMOVE_EXPIRED);
		return true;
	}
	if (counter > 0 && may_move)
	{
		to_main(store, part, ref, freq, small ? 0 : counter - 1);
		return false;
	}
	if (small)
		remember(store, part, ref);
	cpg_remove_locked(store, part, ref, CPG_REMOVE_EVICTED);
	return true;
}

static void
evict_s3fifo(CpgSharedStore *store, CpgSharedPartition *part, int64 now)
{
	for (int moves = 0;; moves++)
	{
		bool		small = part->main.count == 0 ||
		(part->small.count > 0 && part->small.bytes > part->arena.size / 10);
		CpgRef		ref = small ? part->small.tail : part->main.tail;

		if (step(store, part, ref, moves < MOVES_MAX, now))
			return;
	}
}

static void
evict_lru(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, int64 now)
{
	bool		useless = cpg_entry_useless_locked(store, part, ref, now);

	cpg_remove_locked(store, part, ref, useless ? CPG_REMOVE_EXPIRED : CPG_REMOVE_EVICTED);
}

/* Shorten the bounded lists of this partition in turn. */
static bool
evict_bounded(CpgSharedStore *store, CpgSharedPartition *part, int64 now)
{
	uint32		n = store->config.max_namespaces;

	for (uint32 i = 0; i < n; i++)
	{
		uint16		ns = (uint16) (part->bounded_hand = (part->bounded_hand + 1) % n);

		if (cpg_bounded_partition(store, ns) == part->number &&
			cpg_bounded_queue(store, ns)->count > 0)
		{
			evict_lru(store, part, cpg_bounded_queue(store, ns)->tail, now);
			return true;
		}
	}
	return false;
}

/* Whether a search for dead entries is under way or should begin. */
static bool
search_dead(CpgSharedStore *store, CpgSharedPartition *part)
{
	uint64		clock = pg_atomic_read_u64(&store->guard->seq);

	if (part->dead_pause > 0)
	{
		part->dead_pause--;
		return false;
	}
	if (part->dead_left == 0)
	{
		if (part->dead_seen == clock)
			return false;
		part->dead_seen = clock;
		part->dead_left = store->nbuckets;
		part->dead_found = 0;
	}
	return true;
}

/* Remove dead entries of the next buckets; true if there were some. */
static bool
evict_dead(CpgSharedStore *store, CpgSharedPartition *part, int64 now)
{
	uint32		removed = 0;

	for (int i = 0; i < DEAD_BUCKETS && removed == 0 && part->dead_left > 0; i++)
	{
		uint32		searched = store->nbuckets - part->dead_left;

		if (searched >= DEAD_PROBE && part->dead_found < searched / DEAD_WORTH)
		{
			part->dead_left = 0;
			part->dead_pause = store->nbuckets;
			return false;
		}
		part->dead_hand = (part->dead_hand + 1) % store->nbuckets;
		part->dead_left--;
		removed = cpg_sweep_bucket_locked(store, part, part->dead_hand, now);
		part->dead_found += removed;
	}
	return removed > 0;
}

/* Let at least one entry leave; false if the partition is empty. */
bool
cpg_evict_one_locked(CpgSharedStore *store, CpgSharedPartition *part, int64 now)
{
	bool		others = part->small.count + part->main.count > 0;

	if (search_dead(store, part) && evict_dead(store, part, now))
		return true;
	if (part->bounded_bytes > (others ? part->arena.size / 2 : 0))
		return evict_bounded(store, part, now);
	if (!others)
		return false;
	if (store->config.eviction == CPG_EVICTION_LRU)
		evict_lru(store, part, part->main.tail, now);
	else
		evict_s3fifo(store, part, now);
	return true;
}
