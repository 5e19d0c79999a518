/*-------------------------------------------------------------------------
 *
 * put.c
 *	  Writing an entry.
 *
 * Room is made in rounds of a few evictions, between which the lock is given
 * up, so that a large value does not keep others waiting.  The number of
 * rounds is bounded; if they do not suffice, the value is not stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/frequency.h"
#include "fault.h"
#include "store/store_internal.h"

#define ROUND_EVICTIONS		64
/* One more round for each so many bytes of the value. */
#define ROUND_BYTES			1024
#define ROUNDS_MIN			16
/* Further entries evicted in search of larger holes. */
#define HOLE_EVICTIONS		8
#define SMALL_VALUE			4096

/* Whether the mode allows to write, given the key's present entry (or 0). */
static bool
allowed(CpgSharedStore *store, CpgSharedPartition *part, CpgRef present,
		const CpgItem *item, CpgPutMode mode, int64 now)
{
	CpgSharedEntry *entry = present == 0 ? NULL : cpg_entry(store, part, present);
	bool		valid = entry != NULL &&
	cpg_entry_state(store, part, present, entry, now) == CPG_HIT;

	switch (mode)
	{
		case CPG_PUT_SET:
			return true;
		case CPG_PUT_ADD:
			return !valid;
		case CPG_PUT_REPLACE:
			return valid;
		case CPG_PUT_FILL:
			return !valid || cpg_entry_stamp(entry) <= item->stamp;
	}
	pg_unreachable();
}

/* Whether a new entry may go to the main queue at once. */
static CpgQueueId
entry_queue(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key)
{
	uint64		hash;

	if (key->bounded)
		return CPG_QUEUE_BOUNDED;
	if (store->config.eviction == CPG_EVICTION_LRU)
		return CPG_QUEUE_MAIN;
	hash = cpg_variant_hash(key->hash, key->role, key->fingerprint);
	if (cpg_ghost_remove(&part->ghost, cpg_ghost_slots(store, part),
						 hash, part->main.count))
		return CPG_QUEUE_MAIN;
	return CPG_QUEUE_SMALL;
}

/* Drop the oldest variant of a key that has too many. */
static void
limit_ring(CpgSharedStore *store, CpgSharedPartition *part, CpgRef home)
{
	CpgRef		ref = home;
	CpgRef		last = home;
	int			count = 1;

	while (cpg_entry(store, part, ref)->ring != home)
	{
		ref = cpg_entry(store, part, ref)->ring;
		last = ref;
		count++;
	}
	if (count >= CPG_VARIANTS_MAX)
		cpg_remove_locked(store, part, last, CPG_REMOVE_EVICTED);
}

/*
 * Make an entry the variant that readers without a fingerprint get.  Creation
 * times do not tell: they are rounded for long lives (core/life.h), and equal
 * within a millisecond.
 */
static void
mark_latest(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);

	for (CpgRef at = entry->ring; at != 0 && at != ref; at = cpg_entry(store, part, at)->ring)
	{
		CpgSharedEntry *other = cpg_entry(store, part, at);

		if (other->latest && cpg_entry_same_readers(entry, other))
			other->latest = 0;
	}
	entry->latest = 1;
}

/* An empty slot for a hash, after evicting the least used entry if need be. */
static uint32
empty_slot(CpgSharedStore *store, CpgSharedPartition *part, const CpgPlace *place)
{
	uint32		slot;

	while (!cpg_index_place_slot_locked(store, part, place, &slot))
		cpg_remove_locked(store, part,
						  cpg_bucket(store, part, slot / CPG_BUCKET_SLOTS)
						  ->ref[slot % CPG_BUCKET_SLOTS], CPG_REMOVE_EVICTED);
	return slot;
}

/* Put a created entry into ring, index and queue. */
static void
insert_entry(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	Size		bytes = cpg_entry_bytes_locked(store, part, ref);
	CpgQueueId	queue = entry_queue(store, part, key);
	CpgRef		home = cpg_index_home_locked(store, part, key);
	uint64		hash = key->hash;
	CpgPlace	place;
	uint32		slot;

	if (home != 0)
	{
		if (cpg_entry(store, part, home)->ring != 0)
			limit_ring(store, part, home);
		hash = cpg_variant_hash(key->hash, key->role, key->fingerprint);
	}
	place = cpg_index_place(store, hash);
	slot = empty_slot(store, part, &place);

	/*
	 * finding a slot may have evicted the home entry, or made another one
	 * home
	 */
	if (home != 0 && (home = cpg_index_home_locked(store, part, key)) == 0)
	{
		place = cpg_index_place(store, key->hash);
		slot = empty_slot(store, part, &place);
	}
	if (home == 0)
		entry->home = 1;
	else
	{
		CpgSharedEntry *first = cpg_entry(store, part, home);

		entry->ring = first->ring != 0 ? first->ring : home;
		first->ring = ref;
	}
	mark_latest(store, part, ref);
	cpg_index_set_locked(store, part, slot, ref, place.tag, 0);
	cpg_queue_push_locked(store, part, ref, queue, bytes);
	part->entries++;
	cpg_use_add(cpg_partition_use(store, part, key->ns), entry, bytes);
}

/* Let a created entry take the place of the present one, its use included. */
static void
substitute_entry(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
				 CpgRef old, CpgRef new)
{
	CpgSharedEntry *from = cpg_entry(store, part, old);
	CpgSharedEntry *to = cpg_entry(store, part, new);
	Size		old_bytes = cpg_entry_bytes_locked(store, part, old);
	Size		new_bytes = cpg_entry_bytes_locked(store, part, new);
	CpgPartitionUse *use = cpg_partition_use(store, part, key->ns);
	CpgSharedBucket *bucket = cpg_bucket(store, part, from->slot / CPG_BUCKET_SLOTS);
	int			slot = from->slot % CPG_BUCKET_SLOTS;

	to->home = from->home;
	to->ring = from->ring;
	if (from->ring != 0)
	{
		CpgRef		before = from->ring;

		while (cpg_entry(store, part, before)->ring != old)
			before = cpg_entry(store, part, before)->ring;
		cpg_entry(store, part, before)->ring = new;
	}
	mark_latest(store, part, new);
	cpg_index_set_locked(store, part, from->slot, new, bucket->tag[slot],
						 cpg_frequency_hit(bucket->freq[slot], 0));
	cpg_queue_substitute_locked(store, part, old, old_bytes, new, new_bytes);
	if (cpg_is_recency_list(store, to))
		cpg_queue_to_head_locked(store, part, new);
	cpg_use_subtract(use, from, old_bytes);
	cpg_use_add(use, to, new_bytes);
	cpg_entry_free_locked(store, part, old);
}

/*
 * Evict until the index has a slot to spare and the item's size is free, and
 * for a small item a little longer until there is one hole for it.  True if done within this round.
 */
static bool
make_room(CpgSharedStore *store, CpgSharedPartition *part, Size size, int64 now)
{
	CpgArena   *arena = &part->arena;
	Size		block = cpg_arena_block_size(size);
	int			extra = size <= SMALL_VALUE ? HOLE_EVICTIONS : 0;

	for (int i = 0; i < ROUND_EVICTIONS; i++)
	{
		if (part->entries < part->entries_max &&
			arena->free_bytes >= block + CPG_ARENA_BLOCK_MIN &&
			(extra-- <= 0 || cpg_arena_largest(arena, cpg_arena_base(store, part)) >= size))
			return true;
		if (!cpg_evict_one_locked(store, part, now))
			return true;
	}
	return false;
}

/* Shorten a bounded namespace's list so that one more entry fits its limits. */
static void
keep_limits(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
			const CpgItem *item, Size bytes, CpgRef present)
{
	CpgQueue   *queue = cpg_bounded_queue(store, key->ns);

	while (queue->count > 0)
	{
		uint64		count = queue->count + (present == 0 ? 1 : 0);
		uint64		total = queue->bytes + bytes -
		(present == 0 ? 0 : cpg_entry_bytes_locked(store, part, present));
		CpgRef		victim = queue->tail;

		if ((item->max_entries == 0 || count <= item->max_entries) &&
			(item->max_bytes == 0 || total <= item->max_bytes))
			return;
		if (victim == present)
		{
			/* the one to be replaced is not the one to leave */
			if (queue->head == present)
				return;
			cpg_queue_to_head_locked(store, part, present);
			continue;
		}
		cpg_remove_locked(store, part, victim, CPG_REMOVE_EVICTED);
	}
}

/*
 * The entry that a put is to take the place of, or 0.  One of before the namespace
 * got its first limit, or lost its last one, is in another kind of queue, whose
 * bounds would count for what replaced it: it leaves.
 */
static CpgRef
present_entry(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *exact)
{
	CpgRef		present = cpg_index_find_locked(store, part, exact);

	if (present == 0 ||
		(cpg_entry(store, part, present)->queue == CPG_QUEUE_BOUNDED) == exact->bounded)
		return present;
	cpg_remove_locked(store, part, present, CPG_REMOVE_DELETED);
	return 0;
}

/* One attempt under the lock; *again if room was made but not enough yet. */
static CpgPutResult
put_locked(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
		   const CpgItem *item, CpgPutMode mode, int64 now, bool *again)
{
	Size		size = cpg_item_size(key, item);
	CpgKey		exact = *key;
	CpgRef		present;
	CpgRef		ref;

	*again = false;
	exact.any_fingerprint = false;

	/*
	 * under the lock: an invalidation that is announced after this marks what
	 * is written now
	 */
	if (!cpg_guard_valid(store->guard, cpg_cell_key(store->guard, key->hash), item->stamp) &&
		!CPG_SKIP("put-key-check"))
		return CPG_PUT_OUTDATED;
	CPG_FAULT_WAIT("put-checked");
	if (!allowed(store, part, cpg_index_find_locked(store, part, key), item, mode, now))
		return CPG_PUT_REFUSED;

	present = present_entry(store, part, &exact);
	if (key->bounded)
		keep_limits(store, part, key, item, cpg_arena_block_size(size), present);
	if (!make_room(store, part, size, now))
	{
		*again = true;
		return CPG_PUT_NO_ROOM;
	}
	ref = cpg_entry_create_locked(store, part, key, item);
	if (ref == 0)
	{
		/* the free bytes lie in too many small holes: go on evicting */
		for (int i = 0; i < HOLE_EVICTIONS; i++)
			*again |= cpg_evict_one_locked(store, part, now);
		return CPG_PUT_NO_ROOM;
	}
	/* its key may have been made stale while the value was on its way */
	if (cpg_guard_key_stale(store->guard, key->hash, item->stamp))
		cpg_entry(store, part, ref)->stale = 1;
	present = cpg_index_find_locked(store, part, &exact);
	if (present != 0)
		substitute_entry(store, part, key, present, ref);
	else
		insert_entry(store, part, key, ref);
	return CPG_PUT_STORED;
}

/* Whether an item is not too large for the store and its namespace. */
bool
cpg_store_fits(const CpgSharedStore *store, const CpgKey *key, const CpgItem *item)
{
	Size		size = cpg_item_size(key, item);

	return size <= store->value_max &&
		(item->max_bytes == 0 || cpg_arena_block_size(size) <= item->max_bytes);
}

/*
 * Store an item under a key.  ADD and REPLACE look at the newest variant of
 * the role if the key has any_fingerprint; what is written is always the
 * variant with the key's fingerprint.  May evict other entries.  A value whose
 * key was invalidated since the item's stamp, or is being invalidated, is
 * outdated.  A value above cpg_store_value_max, or too large for its namespace,
 * is refused; if no room can be made the present value stays, unless limits have
 * come or gone since it was stored.  No lock may be
 * held.  Allocates and throws nothing: this may be part of committing.
 */
CpgPutResult
cpg_store_put(CpgSharedStore *store, const CpgKey *key, const CpgItem *item,
			  CpgPutMode mode, int64 now)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	Size		size = cpg_item_size(key, item);
	int			rounds = ROUNDS_MIN + (int) (size / ROUND_BYTES);
	CpgPutResult result;
	bool		again;

	if (!cpg_store_fits(store, key, item))
		return CPG_PUT_TOO_LARGE;

	do
	{
		LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
		result = put_locked(store, part, key, item, mode, now, &again);
		LWLockRelease(&part->lock.lock);
	} while (again && --rounds > 0);
	return result;
}

/* Whether nothing that an item depends on was invalidated since its stamp. */
static bool
is_current(CpgSharedStore *store, const CpgKey *key, const CpgItem *item)
{
	CpgSharedGuard *guard = store->guard;

	if (!cpg_guard_valid(guard, cpg_cell_key(guard, key->hash), item->stamp) ||
		!cpg_guard_valid(guard, cpg_cell_namespace(key->ns), item->stamp) ||
		!cpg_guard_valid(guard, cpg_cell_database(guard, *cpg_guard_database(guard, key->ns)),
						 item->stamp))
		return false;
	for (int i = 0; i < item->ncells; i++)
	{
		if (!cpg_guard_valid(guard, item->cells[i], item->stamp))
			return false;
	}
	return true;
}

/* Whether an item fits in without anything else having to leave. */
static bool
has_room(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key, const CpgItem *item)
{
	Size		block = cpg_arena_block_size(cpg_item_size(key, item));
	CpgQueue   *queue = cpg_bounded_queue(store, key->ns);

	if (key->bounded &&
		((item->max_entries > 0 && queue->count >= item->max_entries) ||
		 (item->max_bytes > 0 && queue->bytes + block > item->max_bytes)))
		return false;
	return part->entries < part->entries_max &&
		part->arena.free_bytes >= part->headroom + block + CPG_ARENA_BLOCK_MIN;
}

/* Link an entry that comes back into the ring of a key that is there already. */
static void
rejoin_ring(CpgSharedStore *store, CpgSharedPartition *part, CpgRef home, CpgRef ref)
{
	CpgSharedEntry *first = cpg_entry(store, part, home);
	CpgSharedEntry *entry = cpg_entry(store, part, ref);

	entry->ring = first->ring != 0 ? first->ring : home;
	first->ring = ref;
	for (CpgRef at = entry->ring; at != ref; at = cpg_entry(store, part, at)->ring)
	{
		CpgSharedEntry *other = cpg_entry(store, part, at);

		if (other->latest && cpg_entry_same_readers(entry, other))
			entry->latest = 0;
	}
}

static CpgPutResult
restore_locked(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
			   const CpgItem *item, const CpgStanding *standing)
{
	CpgRef		home = cpg_index_home_locked(store, part, key);
	CpgPlace	place = cpg_index_place(store, home == 0 ? key->hash :
										cpg_variant_hash(key->hash, key->role, key->fingerprint));
	CpgQueueId	queue = standing->main ? CPG_QUEUE_MAIN : CPG_QUEUE_SMALL;
	CpgSharedEntry *entry;
	CpgRef		ref;
	uint32		slot;
	Size		bytes;

	if (!is_current(store, key, item))
		return CPG_PUT_OUTDATED;
	if (cpg_index_find_locked(store, part, key) != 0)
		return CPG_PUT_REFUSED;
	if (!has_room(store, part, key, item) ||
		!cpg_index_place_slot_locked(store, part, &place, &slot) ||
		(ref = cpg_entry_create_locked(store, part, key, item)) == 0)
		return CPG_PUT_NO_ROOM;

	entry = cpg_entry(store, part, ref);
	entry->stale = standing->stale;
	entry->latest = standing->latest;
	if (home == 0)
		entry->home = 1;
	else
		rejoin_ring(store, part, home, ref);
	if (key->bounded)
		queue = CPG_QUEUE_BOUNDED;
	else if (store->config.eviction == CPG_EVICTION_LRU)
		queue = CPG_QUEUE_MAIN;
	bytes = cpg_entry_bytes_locked(store, part, ref);
	cpg_index_set_locked(store, part, slot, ref, place.tag, standing->frequency);
	cpg_queue_append_locked(store, part, ref, queue, bytes);
	part->entries++;
	cpg_use_add(cpg_partition_use(store, part, key->ns), entry, bytes);
	return CPG_PUT_STORED;
}

/*
 * Store an item of an earlier life of the server as the oldest of its queue, as
 * frequently used as it was then.  It takes the place of nothing: refused if
 * the key has this variant, valid or not, outdated if what it depends on was
 * invalidated since the stamp, and not stored if something would have to leave
 * for it.  The key must be exact.
 */
CpgPutResult
cpg_store_restore(CpgSharedStore *store, const CpgKey *key, const CpgItem *item,
				  const CpgStanding *standing)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	CpgPutResult result;

	Assert(!key->any_fingerprint);

	if (!cpg_store_fits(store, key, item))
		return CPG_PUT_TOO_LARGE;
	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	result = restore_locked(store, part, key, item, standing);
	LWLockRelease(&part->lock.lock);
	return result;
}
