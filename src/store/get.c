/*-------------------------------------------------------------------------
 *
 * get.c
 *	  Reading an entry.
 *
 * The common case takes no lock: the optimistic protocol of store_internal.h.
 * It gives way to the shared lock after a few disturbed attempts or when a key
 * has several variants, and to the exclusive lock where recency order is kept
 * (LRU, bounded namespaces).
 *
 * Memory for the value is allocated while nothing is held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "compat.h"
#include "core/frequency.h"
#include "port/pg_bitutils.h"
#include "store/store_internal.h"

/* Disturbed attempts before the lock is taken. */
#define OPTIMISTIC_TRIES	4
#define SPINS_MAX			64

/* Cache lines of an entry asked for at once: header, key, a short value. */
#define PREFETCH_LINES		6

typedef enum Attempt
{
	ATTEMPT_DONE,
	ATTEMPT_DISTURBED,
	ATTEMPT_NEEDS_LOCK
} Attempt;

/* Where an entry was found, and a copy of its header. */
typedef struct Found
{
	CpgSharedBucket *bucket;
	uint32		version;
	int			slot;
	CpgRef		ref;
	CpgSharedEntry entry;
} Found;

/*
 * Memory for a value of this kind and length: the caller's buffer if it is
 * large enough, else palloc'd.  A varlena's payload follows its length word.
 */
static char *
value_memory(CpgValue *value)
{
	Size		size = value->len + VARHDRSZ;

	if (value->kind == CPG_KIND_BYVAL)
		return (char *) &value->datum;
	if (value->buffer == NULL || value->buffer_size < size)
	{
		value->buffer = palloc(size);
		value->buffer_size = size;
	}
	value->datum = PointerGetDatum(value->buffer);
	if (value->kind != CPG_KIND_VARLENA)
		return value->buffer;
	SET_VARSIZE(value->buffer, size);
	return value->buffer + VARHDRSZ;
}

static inline void
count_hit(CpgSharedBucket *bucket, int slot)
{
	volatile uint8 *at = &bucket->freq[slot];
	uint8		old = *at;
	uint8		new;

	if (old == UINT8_MAX)
		return;
	new = cpg_frequency_hit(old, pg_prng_uint32(&pg_global_prng_state));
	if (new != old)
		*at = new;
}

static inline bool
unchanged(const CpgSharedBucket *bucket, uint32 version)
{
	pg_read_barrier();
	return *(const volatile uint32 *) &bucket->version == version;
}

/* An even version of a bucket; false if a writer keeps it odd for long. */
static bool
stable_version(CpgSharedBucket *bucket, uint32 *version)
{
	for (int spins = 0; spins < SPINS_MAX; spins++)
	{
		*version = *(volatile uint32 *) &bucket->version;
		if ((*version & 1) == 0)
		{
			pg_read_barrier();
			return true;
		}
		pg_spin_delay();
	}
	return false;
}

/*
 * Have the first lines of an entry under way before the first one is needed;
 * a prefetch of an address out of the arena does nothing.
 */
static inline void
prefetch_entry(const char *entry)
{
	for (int line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(entry + line * 64);
}

/*
 * Look for the key in one bucket: its home entry or, with a variant's tag, the
 * variant.  found->ref is 0 if it is not there.
 */
static bool pg_attribute_hot
scan_bucket(CpgSharedStore *store, CpgSharedPartition *part, CpgSharedBucket *bucket,
			uint16 tag, const CpgKey *key, bool home, Found *found)
{
	uint32		slots;

	found->bucket = bucket;
	found->ref = 0;
	if (!stable_version(bucket, &found->version))
		return false;

	for (slots = cpg_bucket_slots_of_tag(bucket, tag); slots != 0; slots &= slots - 1)
	{
		int			i = pg_rightmost_one_pos32(slots);
		CpgRef		ref;
		Size		offset;
		const CpgSharedEntry *at;

		ref = *(volatile CpgRef *) &bucket->ref[i];
		offset = (Size) ref * CPG_ARENA_UNIT;
		prefetch_entry(cpg_arena_base(store, part) + offset);
		if (ref == 0 || offset + sizeof(CpgSharedEntry) > store->arena_size)
			continue;
		at = cpg_entry(store, part, ref);
		memcpy(&found->entry, at, sizeof(CpgSharedEntry));
		if (found->entry.home != home ||
			!cpg_entry_has_key(&found->entry, key, at, store->arena_size - offset))
			continue;
		if (!home && (found->entry.role != key->role ||
					  found->entry.fingerprint != key->fingerprint))
			continue;
		found->slot = i;
		found->ref = ref;
		break;
	}
	return unchanged(bucket, found->version);
}

static inline void
prefetch_buckets(CpgSharedStore *store, CpgSharedPartition *part, const CpgPlace *place)
{
	__builtin_prefetch(cpg_bucket(store, part, place->bucket[0]));
	__builtin_prefetch(cpg_bucket(store, part, place->bucket[1]));
}

/* Look in both buckets of a hash; false if disturbed. */
static bool pg_attribute_hot
scan_place(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
		   uint64 hash, bool home, Found *found)
{
	CpgPlace	place = cpg_index_place(store, hash);

	prefetch_buckets(store, part, &place);
	for (int b = 0; b < 2; b++)
	{
		if (!scan_bucket(store, part, cpg_bucket(store, part, place.bucket[b]),
						 place.tag, key, home, found))
			return false;
		if (found->ref != 0)
			return true;
	}
	return true;
}

static inline bool
wanted(const CpgSharedEntry *entry, const CpgKey *key)
{
	return entry->role == key->role && cpg_key_admits(key, entry->fingerprint);
}

/* Why the key's only entry is not for this reader. */
static CpgResult
not_wanted(const CpgSharedEntry *entry, const CpgKey *key)
{
	return entry->role == key->role && !key->any_fingerprint ? CPG_MISS_OTHER_LOADER
		: CPG_MISS_OTHER_ROLE;
}

/* An absent key is one evicted lately if the ghost knows it. */
static CpgResult
absent(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key)
{
	uint64		hash = cpg_variant_hash(key->hash, key->role, key->fingerprint);

	if (cpg_ghost_contains(&part->ghost, cpg_ghost_slots(store, part),
						   hash, part->main.count))
		return CPG_MISS_EVICTED;
	return CPG_MISS_ABSENT;
}

/* Find the wanted entry; *result is CPG_HIT if there is one. */
static Attempt pg_attribute_hot
find_optimistic(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
				Found *found, CpgResult *result)
{
	if (!scan_place(store, part, key, key->hash, true, found))
		return ATTEMPT_DISTURBED;
	if (found->ref == 0)
	{
		*result = absent(store, part, key);
		return ATTEMPT_DONE;
	}
	if (found->entry.ring != 0 && key->any_fingerprint)
		return ATTEMPT_NEEDS_LOCK;
	if (wanted(&found->entry, key))
	{
		*result = CPG_HIT;
		return ATTEMPT_DONE;
	}
	*result = not_wanted(&found->entry, key);
	if (found->entry.ring == 0)
		return ATTEMPT_DONE;

	if (!scan_place(store, part, key,
					cpg_variant_hash(key->hash, key->role, key->fingerprint), false, found))
		return ATTEMPT_DISTURBED;
	*result = found->ref != 0 ? CPG_HIT : CPG_MISS_OTHER_LOADER;
	return ATTEMPT_DONE;
}

/*
 * Whether an entry may be served, also an expired one within the reader's
 * grace.  While an invalidation of its key is under
 * way it may not: a transaction that is visible may not yet have marked it.
 */
static inline CpgResult
state_for(CpgSharedStore *store, const CpgSharedPartition *part, const CpgKey *key,
		  CpgRef ref, const CpgSharedEntry *entry, int64 now)
{
	CpgResult	result = cpg_entry_state(store, part, ref, entry, now - key->grace);

	if (result == CPG_HIT && cpg_guard_pending(store->guard, cpg_cell_key(store->guard, key->hash)))
		return CPG_MISS_COMMIT_PENDING;
	return result;
}

static Attempt pg_attribute_hot
get_optimistic(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
			   int64 now, bool with_datum, CpgValue *value, CpgResult *result)
{
	Found		found;
	Attempt		attempt = find_optimistic(store, part, key, &found, result);
	bool		sane;

	if (attempt != ATTEMPT_DONE || *result != CPG_HIT)
		return attempt;

	*result = state_for(store, part, key, found.ref, &found.entry, now);
	sane = cpg_entry_describe(store, part, found.ref, &found.entry, value);
	value->frequency = found.bucket->freq[found.slot];

	/* only from here on are header and length known to be true */
	if (!unchanged(found.bucket, found.version) || !sane)
		return ATTEMPT_DISTURBED;
	if (*result != CPG_HIT || !with_datum)
		return ATTEMPT_DONE;

	if (!value->isnull &&
		!cpg_entry_copy_value(store, part, found.ref, &found.entry, value_memory(value)))
		return ATTEMPT_DISTURBED;
	if (!unchanged(found.bucket, found.version))
		return ATTEMPT_DISTURBED;
	count_hit(found.bucket, found.slot);
	return ATTEMPT_DONE;
}

static bool
fits(const CpgValue *value)
{
	return value->isnull || value->kind == CPG_KIND_BYVAL ||
		(value->buffer != NULL && value->buffer_size >= value->len + VARHDRSZ);
}

static CpgResult
result_of_absence(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key)
{
	CpgRef		home = cpg_index_home_locked(store, part, key);

	return home == 0 ? absent(store, part, key)
		: not_wanted(cpg_entry(store, part, home), key);
}

/* Copy what was found and note its use; false if the buffer is too small. */
static bool
take_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, bool with_datum,
			CpgValue *value)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgSharedBucket *bucket = cpg_bucket(store, part, entry->slot / CPG_BUCKET_SLOTS);
	int			slot = entry->slot % CPG_BUCKET_SLOTS;

	cpg_entry_describe(store, part, ref, entry, value);
	value->frequency = bucket->freq[slot];
	if (!with_datum)
		return true;
	if (!fits(value))
		return false;
	if (!value->isnull)
		cpg_entry_copy_value(store, part, ref, entry, value_memory(value));
	count_hit(bucket, slot);
	if (LWLockHeldByMeInMode(&part->lock.lock, LW_EXCLUSIVE) && cpg_is_recency_list(store, entry))
		cpg_queue_to_head_locked(store, part, ref);
	return true;
}

/*
 * Read under the lock.  If the value does not fit the buffer, its length is
 * noted, the lock given up, the buffer allocated, and all begun again: the
 * value may have changed meanwhile.
 */
static CpgResult
get_locked(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key,
		   int64 now, bool with_datum, LWLockMode mode, CpgValue *value)
{
	for (;;)
	{
		CpgResult	result;
		CpgRef		ref;
		bool		taken = true;

		LWLockAcquire(&part->lock.lock, mode);
		ref = cpg_index_find_locked(store, part, key);
		if (ref == 0)
			result = result_of_absence(store, part, key);
		else
		{
			result = state_for(store, part, key, ref, cpg_entry(store, part, ref), now);
			taken = take_locked(store, part, ref, with_datum && result == CPG_HIT, value);
		}
		LWLockRelease(&part->lock.lock);

		if (taken)
			return result;
		value_memory(value);
	}
}

static CpgResult pg_attribute_hot
get(CpgSharedStore *store, const CpgKey *key, int64 now, bool with_datum, CpgValue *value)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	CpgResult	result;

	if (with_datum && (key->bounded || store->config.eviction == CPG_EVICTION_LRU))
		return get_locked(store, part, key, now, true, LW_EXCLUSIVE, value);

	for (int tries = 0; tries < OPTIMISTIC_TRIES; tries++)
	{
		Attempt		attempt = get_optimistic(store, part, key, now, with_datum, value, &result);

		if (attempt == ATTEMPT_DONE)
			return result;
		if (attempt == ATTEMPT_NEEDS_LOCK)
			break;
	}
	return get_locked(store, part, key, now, with_datum, LW_SHARED, value);
}

/*
 * Have what a following call for this key reads first under way, while the
 * caller still does something else, such as read the clock.
 */
void		pg_attribute_hot
cpg_store_prefetch(CpgSharedStore *store, const CpgKey *key)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	CpgPlace	place = cpg_index_place(store, key->hash);

	prefetch_buckets(store, part, &place);
	__builtin_prefetch(&store->guard->cell[cpg_cell_key(store->guard, key->hash)]);
}

/*
 * Read the entry that key names.  On CPG_HIT *value is filled, its datum in
 * value->buffer or in memory of the current context; this counts as a use.  On
 * a miss, the result says why, and of an entry that is there but not valid the
 * description is filled.  No lock may be held.
 */
CpgResult	pg_attribute_hot
cpg_store_get(CpgSharedStore *store, const CpgKey *key, int64 now, CpgValue *value)
{
	return get(store, key, now, true, value);
}

/* As cpg_store_get, without the datum and without counting as a use. */
CpgResult
cpg_store_peek(CpgSharedStore *store, const CpgKey *key, int64 now, CpgValue *value)
{
	return get(store, key, now, false, value);
}
