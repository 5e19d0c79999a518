/*-------------------------------------------------------------------------
 *
 * index.c
 *	  The hash index: buckets of eight slots, two choices, no displacement.
 *
 * Hash bits: the partition takes the top 7, the tag bits 32-47, the first
 * bucket the low 32; the second bucket is chosen by a mix of them.  A variant
 * other than the key's first lies at the hash extended by its identity, in the
 * partition of the plain hash.
 *
 * Source of the bucket shape: B. Fan, D. Andersen, M. Kaminsky, "MemC3", NSDI
 * 2013 (tags and version counters), less its displacement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "core/hash.h"
#include "core/life.h"
#include "port/pg_bitutils.h"
#include "store/store_internal.h"

static uint64
key_hash(const CpgSharedStore *store, uint16 ns, const char *data, Size len)
{
	return hash_bytes_extended((const unsigned char *) data, (int) len,
							   store->config.seed ^ ((uint64) ns << 32));
}

/*
 * Name an entry by namespace and text (1 to CPG_KEY_MAX bytes, not copied):
 * shared, unbounded, any fingerprint; the caller narrows it.
 */
void
cpg_key_init(CpgKey *key, const CpgSharedStore *store, uint16 ns, const char *data, Size len)
{
	Assert(len > 0 && len <= CPG_KEY_MAX);

	key->data = data;
	key->len = (uint16) len;
	key->ns = ns;
	key->generation = 0;
	key->hash = key_hash(store, ns, data, len);
	key->role = InvalidOid;
	key->fingerprint = 0;
	key->bounded = false;
	key->grace = 0;
	key->any_fingerprint = true;
	key->settings[0] = key->settings[1] = 0;
}

/*
 * The partition of a key.  A bounded namespace lives in one, so that its list
 * is exact.
 */
CpgSharedPartition *
cpg_partition_of(CpgSharedStore *store, const CpgKey *key)
{
	if (key->bounded)
		return cpg_partition(store, cpg_bounded_partition(store, key->ns));
	return cpg_partition(store, (int) (key->hash >> 57) & (store->config.npartitions - 1));
}

/* Number of the partition in which a bounded namespace lives. */
int
cpg_bounded_partition(const CpgSharedStore *store, uint16 ns)
{
	return (int) (cpg_hash_mix(store->config.seed + ns) >> 57) & (store->config.npartitions - 1);
}

/* The hash of one variant of a key; that of the plain value is the key's. */
uint64
cpg_variant_hash(uint64 hash, Oid role, uint64 fingerprint)
{
	if (role == InvalidOid && fingerprint == 0)
		return hash;
	return cpg_hash_combine(hash ^ fingerprint, role);
}

/* The variant hash of an entry, computed again from its text. */
uint64
cpg_entry_hash(CpgSharedStore *store, const CpgSharedEntry *entry)
{
	const char *key = (const char *) entry + cpg_entry_prefix(entry);

	return cpg_variant_hash(key_hash(store, cpg_entry_ns(entry), key, entry->key_len),
							entry->role, entry->fingerprint);
}

/* Make optimistic readers of the bucket distrust what they read from now on. */
void
cpg_bucket_begin_write(CpgSharedBucket *bucket)
{
	*(volatile uint32 *) &bucket->version += 1;
	Assert(bucket->version & 1);
	pg_memory_barrier();
}

/* End what cpg_bucket_begin_write began. */
void
cpg_bucket_end_write(CpgSharedBucket *bucket)
{
	pg_write_barrier();
	*(volatile uint32 *) &bucket->version += 1;
	Assert((bucket->version & 1) == 0);
}

static int
free_slots(const CpgSharedBucket *bucket, int *first)
{
	int			count = 0;

	for (int i = CPG_BUCKET_SLOTS - 1; i >= 0; i--)
	{
		if (bucket->ref[i] == 0)
		{
			count++;
			*first = i;
		}
	}
	return count;
}

/* Order in which entries of full buckets leave: bounded ones last. */
static int
slot_rank(CpgSharedStore *store, CpgSharedPartition *part, uint32 slot)
{
	CpgRef		ref = cpg_bucket(store, part, slot / CPG_BUCKET_SLOTS)->ref[slot % CPG_BUCKET_SLOTS];
	bool		bounded = cpg_entry(store, part, ref)->queue == CPG_QUEUE_BOUNDED;

	return *cpg_slot_frequency(store, part, slot) + (bounded ? UINT8_MAX + 1 : 0);
}

/* The least used slot of both buckets, for eviction when they are full. */
static uint32
least_used_slot(CpgSharedStore *store, CpgSharedPartition *part, const CpgPlace *place)
{
	uint32		best = place->bucket[0] * CPG_BUCKET_SLOTS;

	for (int b = 0; b < 2; b++)
	{
		for (int i = 0; i < CPG_BUCKET_SLOTS; i++)
		{
			uint32		slot = place->bucket[b] * CPG_BUCKET_SLOTS + i;

			if (slot_rank(store, part, slot) < slot_rank(store, part, best))
				best = slot;
		}
	}
	return best;
}

/*
 * Find an empty slot in the emptier of the two buckets.  False if both are
 * full; *slot is then the least used one, whose entry has to go first.
 */
bool
cpg_index_place_slot_locked(CpgSharedStore *store, CpgSharedPartition *part,
							const CpgPlace *place, uint32 *slot)
{
	int			first[2] = {0, 0};
	int			count[2];
	int			choice;

	for (int b = 0; b < 2; b++)
		count[b] = free_slots(cpg_bucket(store, part, place->bucket[b]), &first[b]);
	choice = count[1] > count[0] ? 1 : 0;
	if (count[choice] == 0)
	{
		*slot = least_used_slot(store, part, place);
		return false;
	}
	*slot = place->bucket[choice] * CPG_BUCKET_SLOTS + first[choice];
	return true;
}

/* Let a slot name an entry; the entry must be complete.  Its old one is lost. */
void
cpg_index_set_locked(CpgSharedStore *store, CpgSharedPartition *part, uint32 slot,
					 CpgRef ref, uint16 tag, uint8 freq)
{
	CpgSharedBucket *bucket = cpg_bucket(store, part, slot / CPG_BUCKET_SLOTS);
	int			i = slot % CPG_BUCKET_SLOTS;

	Assert(LWLockHeldByMeInMode(&part->lock.lock, LW_EXCLUSIVE));

	cpg_bucket_begin_write(bucket);
	bucket->ref[i] = ref;
	bucket->tag[i] = tag;
	bucket->freq[i] = freq;
	cpg_bucket_end_write(bucket);
	cpg_entry(store, part, ref)->slot = slot;
}

/* Empty a slot.  After that the entry's memory may be reused. */
void
cpg_index_clear_locked(CpgSharedStore *store, CpgSharedPartition *part, uint32 slot)
{
	CpgSharedBucket *bucket = cpg_bucket(store, part, slot / CPG_BUCKET_SLOTS);
	int			i = slot % CPG_BUCKET_SLOTS;

	Assert(LWLockHeldByMeInMode(&part->lock.lock, LW_EXCLUSIVE));

	cpg_bucket_begin_write(bucket);
	bucket->ref[i] = 0;
	bucket->tag[i] = 0;
	bucket->freq[i] = 0;
	cpg_bucket_end_write(bucket);
}

/* The entry of a key with the wanted place (home or variant) at a hash. */
static CpgRef
scan_place(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
		   uint64 hash, bool home)
{
	CpgPlace	place = cpg_index_place(store, hash);

	for (int b = 0; b < 2; b++)
	{
		CpgSharedBucket *bucket = cpg_bucket(store, part, place.bucket[b]);

		for (uint32 slots = cpg_bucket_slots_of_tag(bucket, place.tag); slots != 0; slots &= slots - 1)
		{
			int			i = pg_rightmost_one_pos32(slots);
			CpgSharedEntry *entry;

			if (bucket->ref[i] == 0)
				continue;
			entry = cpg_entry(store, part, bucket->ref[i]);
			if (entry->home != home || !cpg_entry_has_key(entry, key, entry, SIZE_MAX))
				continue;
			if (home || (entry->role == key->role && entry->fingerprint == key->fingerprint))
				return bucket->ref[i];
		}
	}
	return 0;
}

/* The first variant of a key, through which all others are found; 0 if none. */
CpgRef
cpg_index_home_locked(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key)
{
	return scan_place(store, part, key, key->hash, true);
}

/*
 * The variant for the key's reader that was written last.  If that one is gone,
 * creation times decide among the others, as well as they can; the ring begins
 * with the oldest member, then has the others from the newest on.
 */
static CpgRef
newest_in_ring(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key, CpgRef home)
{
	CpgRef		ref = home;
	CpgRef		best = 0;
	int64		best_created = 0;

	do
	{
		CpgSharedEntry *entry = cpg_entry(store, part, ref);
		int64		created = cpg_life_created(entry->life);

		bool		admitted = entry->role == key->role && cpg_key_admits(key, entry->fingerprint);

		if (admitted && entry->latest)
			return ref;
		if (admitted &&
			(best == 0 || created > best_created || (created == best_created && best == home)))
		{
			best = ref;
			best_created = created;
		}
		ref = entry->ring;
	} while (ref != 0 && ref != home);
	return best;
}

/*
 * The entry that a key names, valid or not: with any_fingerprint the newest
 * variant for its reader, else exactly that identity.  0 if there is none.
 */
CpgRef
cpg_index_find_locked(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key)
{
	CpgRef		home = cpg_index_home_locked(store, part, key);
	CpgSharedEntry *entry;

	Assert(LWLockHeldByMe(&part->lock.lock));

	if (home == 0)
		return 0;
	entry = cpg_entry(store, part, home);
	if (key->any_fingerprint)
		return newest_in_ring(store, part, key, home);
	if (entry->role == key->role && entry->fingerprint == key->fingerprint)
		return home;
	if (entry->ring == 0)
		return 0;
	return scan_place(store, part, key,
					  cpg_variant_hash(key->hash, key->role, key->fingerprint), false);
}
