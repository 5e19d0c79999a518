/*-------------------------------------------------------------------------
 *
 * store_internal.h
 *	  Layout of the store, for the files of this room only.
 *
 * Concurrency.  Everything in a partition is written under its lock, held
 * exclusively; helpers named *_locked assert it.  Readers either hold the lock
 * or read optimistically:
 *
 *	1. read the bucket's version; if odd, a writer is at work: wait or lock;
 *	2. read slots, entry header, key, cells and value, checking every offset
 *	   against the arena, since the bytes may be changing;
 *	3. read the version again; if it moved, all that was read is void.
 *
 * For that a writer makes the version odd before it changes a slot, or bytes of
 * an entry that a slot of the bucket names, and even again afterwards; the
 * bytes of a removed entry are reused only after its slot was cleared in this
 * way.  The links of an entry (ring, prev, next, slot) are not covered:
 * optimistic readers use only whether ring is 0, where an old value costs at
 * most a miss.  The memory is never unmapped, and a reader holds nothing, so
 * an error, a signal or death in a reader cannot leave anything behind.
 *
 * The only bytes written without the lock are the frequencies in a bucket; a
 * late store may raise the wrong slot's counter, which is harmless.
 *
 * Limits: 128 partitions of at most 1 GB.  Lock order: a back end holds one
 * partition lock at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STORE_INTERNAL_H
#define CPG_STORE_INTERNAL_H

#include "storage/lwlock.h"

#include "core/ghost.h"
#include "store/arena.h"
#include "store/store.h"

#define CPG_BUCKET_SLOTS	8

/* A cache line of the index.  Everything but freq is covered by version. */
typedef struct CpgSharedBucket
{
	uint32		version;		/* odd while a writer changes it */
	CpgRef		ref[CPG_BUCKET_SLOTS];	/* 0: empty slot */
	uint16		tag[CPG_BUCKET_SLOTS];
	uint8		freq[CPG_BUCKET_SLOTS]; /* written without lock: frequency.h */
	uint32		unused;
} CpgSharedBucket;

StaticAssertDecl(sizeof(CpgSharedBucket) == 64, "a bucket is one cache line");

typedef enum CpgQueueId
{
	CPG_QUEUE_SMALL,
	CPG_QUEUE_MAIN,				/* of S3-FIFO, or the one LRU list */
	CPG_QUEUE_BOUNDED			/* the LRU list of a namespace with limits */
} CpgQueueId;

/* Doubly linked, head is the newest. */
typedef struct CpgQueue
{
	CpgRef		head;
	CpgRef		tail;
	uint32		count;
	uint64		bytes;
} CpgQueue;

#define CPG_ENTRY_KIND		0x03
#define CPG_ENTRY_NULL		0x04
#define CPG_ENTRY_SHAPE		0x08	/* a uint64 follows the header */
#define CPG_ENTRY_LOAD		0x10	/* a CpgLoadInfo follows */
#define CPG_ENTRY_EXTENTS	0x20	/* a CpgExtentInfo follows */
#define CPG_ENTRY_NOTES		0x40	/* a CpgNotesInfo follows */
#define CPG_ENTRY_DEAD		0x80	/* its key was invalidated */

/*
 * An entry: this header, the parts named by flags in that order, ncells cell
 * numbers, the key, the notes, and the value or its first part.
 */
typedef struct CpgSharedEntry
{
	CpgRef		ring;			/* next variant of the key, 0 if alone */
	CpgRef		prev;			/* in its queue, towards the head */
	CpgRef		next;
	uint32		slot;			/* bucket * CPG_BUCKET_SLOTS + slot */
	Oid			typid;
	Oid			role;
	uint64		fingerprint;
	uint64		stamp_ns;		/* stamp << 16 | namespace */
	uint64		life;			/* core/life.h */
	uint32		value_len;
	uint16		key_len:10,
				queue:2,
				home:1,			/* lies where the key's hash points */
				stale:1,		/* marked so */
				latest:1;		/* of its role's variants, the one written
								 * last */
	uint8		ncells;
	uint8		flags;
} CpgSharedEntry;

StaticAssertDecl(sizeof(CpgSharedEntry) == 56, "entry header takes 56 bytes");

typedef struct CpgLoadInfo
{
	uint32		load_time;		/* microseconds */
	uint32		soft_ttl;		/* milliseconds after creation */
} CpgLoadInfo;

/* A value in pieces: head_len bytes in the entry, the rest in a chain. */
typedef struct CpgExtentInfo
{
	CpgRef		first;
	uint32		head_len;
} CpgExtentInfo;

/* Bytes between key and value. */
typedef struct CpgNotesInfo
{
	uint32		len;
	uint32		unused;
} CpgNotesInfo;

typedef struct CpgSharedExtent
{
	CpgRef		next;
	uint32		len;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} CpgSharedExtent;

#define CPG_EXTENT_HEADER	offsetof(CpgSharedExtent, data)
#define CPG_EXTENTS_MAX		1024

/* What a namespace uses in a partition. */
typedef struct CpgPartitionUse
{
	uint64		bytes;
	uint64		payload;
	uint64		evictions;
	uint64		expirations;
	uint32		entries;
} CpgPartitionUse;

/*
 * Protected by lock, but for what optimistic readers read in buckets and arena.
 * They do without this: what they have to know of it is in CpgSharedStore.
 */
typedef struct CpgSharedPartition
{
	LWLockPadded lock;
	/* set at start, constant */
	int			number;
	uint32		entries_max;	/* beyond, the index would overflow often */
	Size		headroom;
	/* changing */
	uint32		entries;
	CpgQueue	small;
	CpgQueue	main;
	uint64		bounded_bytes;	/* in queues of bounded namespaces */
	uint32		bounded_hand;	/* namespace whose list was cut last */
	uint32		dead_hand;		/* see evict.c: bucket searched last, */
	uint32		dead_left;		/* buckets still to search, */
	uint32		dead_found;		/* found among those searched, */
	uint32		dead_pause;		/* evictions without a search, */
	uint64		dead_seen;		/* and the clock of the search's beginning */
	CpgGhost	ghost;
	CpgArena	arena;
} CpgSharedPartition;

/*
 * Set at start, constant.  Partitions are all alike, so what a reader has to know
 * of one is here: its own first line would be one more to fetch.
 */
struct CpgSharedStore
{
	CpgSharedGuard *guard;		/* fork shares addresses: one mapping for all */
	Size		partitions_offset;
	Size		partition_stride;
	Size		index_offset;	/* these from the partition's start */
	Size		arena_offset;
	Size		arena_size;
	uint32		nbuckets;		/* of a partition */
	CpgStoreConfig config;
	Size		ghost_offset;
	Size		use_offset;
	Size		bounded_offset; /* CpgQueue for each namespace */
	Size		grace_offset;	/* volatile uint32 for each, milliseconds */
	Size		value_max;
};

#define CPG_AT(store, offset, type) ((type *) ((char *) (store) + (offset)))

static inline CpgSharedPartition *
cpg_partition(CpgSharedStore *store, int number)
{
	return CPG_AT(store, store->partitions_offset + number * store->partition_stride,
				  CpgSharedPartition);
}

static inline CpgSharedBucket *
cpg_bucket(CpgSharedStore *store, const CpgSharedPartition *part, uint32 number)
{
	return (CpgSharedBucket *) ((char *) part + store->index_offset) + number;
}

static inline char *
cpg_arena_base(CpgSharedStore *store, const CpgSharedPartition *part)
{
	return (char *) part + store->arena_offset;
}

static inline CpgSharedEntry *
cpg_entry(CpgSharedStore *store, const CpgSharedPartition *part, CpgRef ref)
{
	return cpg_arena_pointer(cpg_arena_base(store, part), ref);
}

static inline uint32 *
cpg_ghost_slots(CpgSharedStore *store, CpgSharedPartition *part)
{
	return (uint32 *) ((char *) part + store->ghost_offset);
}

static inline CpgPartitionUse *
cpg_partition_use(CpgSharedStore *store, const CpgSharedPartition *part, uint16 ns)
{
	return (CpgPartitionUse *) ((char *) part + store->use_offset) + ns;
}

static inline CpgQueue *
cpg_bounded_queue(CpgSharedStore *store, uint16 ns)
{
	return CPG_AT(store, store->bounded_offset, CpgQueue) + ns;
}

/* How long expired entries of a namespace are kept; read without lock. */
static inline volatile uint32 *
cpg_grace(CpgSharedStore *store, uint16 ns)
{
	return CPG_AT(store, store->grace_offset, volatile uint32) + ns;
}

static inline uint16
cpg_entry_ns(const CpgSharedEntry *entry)
{
	return (uint16) entry->stamp_ns;
}

static inline uint64
cpg_entry_stamp(const CpgSharedEntry *entry)
{
	return entry->stamp_ns >> 16;
}

/* Whether some reader without a fingerprint could get either of two variants. */
static inline bool
cpg_entry_same_readers(const CpgSharedEntry *one, const CpgSharedEntry *other)
{
	uint32		settings = cpg_fingerprint_settings(one->fingerprint);
	uint32		others = cpg_fingerprint_settings(other->fingerprint);

	return one->role == other->role &&
		(settings == others || settings <= CPG_SETTINGS_ANY || others <= CPG_SETTINGS_ANY);
}

#define CPG_ENTRY_PART_BYTES 8	/* each of the parts named by flags */

/* Bytes before the key. */
static inline Size
cpg_entry_prefix(const CpgSharedEntry *entry)
{
	uint32		parts = !!(entry->flags & CPG_ENTRY_SHAPE) + !!(entry->flags & CPG_ENTRY_LOAD) +
	!!(entry->flags & CPG_ENTRY_EXTENTS) + !!(entry->flags & CPG_ENTRY_NOTES);

	return sizeof(CpgSharedEntry) + entry->ncells * sizeof(CpgCell) + parts * CPG_ENTRY_PART_BYTES;
}

/*
 * Whether the entry with this header, lying at "at" with so many readable
 * bytes, has the namespace and text of key.
 */
static inline bool
cpg_entry_has_key(const CpgSharedEntry *entry, const CpgKey *key,
				  const CpgSharedEntry *at, Size room)
{
	Size		prefix;

	if (entry->key_len != key->len || cpg_entry_ns(entry) != key->ns)
		return false;
	prefix = cpg_entry_prefix(entry);
	if (prefix + key->len > room)
		return false;
	return memcmp((const char *) at + prefix, key->data, key->len) == 0;
}

/* index.c */
typedef struct CpgPlace
{
	uint32		bucket[2];		/* the two candidates */
	uint16		tag;
} CpgPlace;

/*
 * The slots with a tag, one bit each.  Without a branch for each slot, since
 * which one it is cannot be predicted.
 */
static inline uint32
cpg_bucket_slots_of_tag(const CpgSharedBucket *bucket, uint16 tag)
{
	uint32		slots = 0;

	for (int i = 0; i < CPG_BUCKET_SLOTS; i++)
		slots |= (uint32) (bucket->tag[i] == tag) << i;
	return slots;
}

/* Where entries of a hash may lie. */
static inline CpgPlace
cpg_index_place(const CpgSharedStore *store, uint64 hash)
{
	uint64		n = store->nbuckets;
	uint32		second = (uint32) ((hash * UINT64CONST(0x9e3779b97f4a7c15)) >> 32);
	CpgPlace	place;

	place.tag = (uint16) (hash >> 32);
	place.bucket[0] = (uint32) (((hash & PG_UINT32_MAX) * n) >> 32);
	place.bucket[1] = (uint32) ((second * n) >> 32);
	if (place.bucket[1] == place.bucket[0])
		place.bucket[1] = (uint32) ((place.bucket[0] + 1) % n);
	return place;
}

extern CpgSharedPartition *cpg_partition_of(CpgSharedStore *store, const CpgKey *key);
extern int	cpg_bounded_partition(const CpgSharedStore *store, uint16 ns);
extern uint64 cpg_variant_hash(uint64 hash, Oid role, uint64 fingerprint);
extern uint64 cpg_entry_hash(CpgSharedStore *store, const CpgSharedEntry *entry);
extern bool cpg_index_place_slot_locked(CpgSharedStore *store, CpgSharedPartition *part,
										const CpgPlace *place, uint32 *slot);
extern void cpg_index_set_locked(CpgSharedStore *store, CpgSharedPartition *part, uint32 slot,
								 CpgRef ref, uint16 tag, uint8 freq);
extern void cpg_index_clear_locked(CpgSharedStore *store, CpgSharedPartition *part, uint32 slot);
extern CpgRef cpg_index_home_locked(CpgSharedStore *store, CpgSharedPartition *part,
									const CpgKey *key);
extern CpgRef cpg_index_find_locked(CpgSharedStore *store, CpgSharedPartition *part,
									const CpgKey *key);
extern void cpg_bucket_begin_write(CpgSharedBucket *bucket);
extern void cpg_bucket_end_write(CpgSharedBucket *bucket);

static inline uint8 *
cpg_slot_frequency(CpgSharedStore *store, const CpgSharedPartition *part, uint32 slot)
{
	return &cpg_bucket(store, part, slot / CPG_BUCKET_SLOTS)->freq[slot % CPG_BUCKET_SLOTS];
}

/* entry.c */
extern Size cpg_item_size(const CpgKey *key, const CpgItem *item);
extern CpgRef cpg_entry_create_locked(CpgSharedStore *store, CpgSharedPartition *part,
									  const CpgKey *key, const CpgItem *item);
extern void cpg_entry_free_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref);
extern Size cpg_entry_bytes_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref);
extern bool cpg_entry_copy_value(CpgSharedStore *store, const CpgSharedPartition *part,
								 CpgRef ref, const CpgSharedEntry *entry, char *to);
extern bool cpg_entry_describe(CpgSharedStore *store, const CpgSharedPartition *part,
							   CpgRef ref, const CpgSharedEntry *entry, CpgValue *value);
extern Size cpg_entry_notes_len(const CpgSharedEntry *entry, const char *at);
extern CpgResult cpg_entry_state(CpgSharedStore *store, const CpgSharedPartition *part,
								 CpgRef ref, const CpgSharedEntry *entry, int64 now);
extern bool cpg_entry_useless_locked(CpgSharedStore *store, const CpgSharedPartition *part,
									 CpgRef ref, int64 now);

/* queue.c */
extern CpgQueue *cpg_queue_of(CpgSharedStore *store, CpgSharedPartition *part,
							  const CpgSharedEntry *entry);
extern void cpg_queue_push_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref,
								  CpgQueueId id, Size bytes);
extern void cpg_queue_append_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref,
									CpgQueueId id, Size bytes);
extern void cpg_queue_remove_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref,
									Size bytes);
extern void cpg_queue_to_head_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref);
extern void cpg_queue_substitute_locked(CpgSharedStore *store, CpgSharedPartition *part,
										CpgRef old, Size old_bytes, CpgRef new, Size new_bytes);

/* evict.c */
typedef enum CpgRemoval
{
	CPG_REMOVE_EVICTED,
	CPG_REMOVE_EXPIRED,
	CPG_REMOVE_DELETED
} CpgRemoval;

extern void cpg_remove_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref,
							  CpgRemoval why);
extern uint32 cpg_sweep_bucket_locked(CpgSharedStore *store, CpgSharedPartition *part,
									  uint32 number, int64 now);
extern bool cpg_evict_one_locked(CpgSharedStore *store, CpgSharedPartition *part, int64 now);

static inline void
cpg_use_add(CpgPartitionUse *use, const CpgSharedEntry *entry, Size bytes)
{
	use->entries++;
	use->bytes += bytes;
	use->payload += entry->key_len + entry->value_len;
}

static inline void
cpg_use_subtract(CpgPartitionUse *use, const CpgSharedEntry *entry, Size bytes)
{
	use->entries--;
	use->bytes -= bytes;
	use->payload -= entry->key_len + entry->value_len;
}

static inline bool
cpg_is_recency_list(const CpgSharedStore *store, const CpgSharedEntry *entry)
{
	return entry->queue == CPG_QUEUE_BOUNDED || store->config.eviction == CPG_EVICTION_LRU;
}

#endif							/* CPG_STORE_INTERNAL_H */
