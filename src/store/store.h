/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The cache store: typed values under keys in a fixed budget of memory.
 *
 * The memory is given once (shared memory, or private memory in unit tests and
 * the trace replayer) and divided into partitions, each with a lock, an index,
 * an arena, a ghost table and eviction queues of its own.  No pointer into it
 * leaves the store: results are copies.
 *
 * Identity of an entry: namespace (a number below the configured maximum), key
 * text, role (0 for shared values) and fingerprint of what computed it (0 for
 * values that were simply set).  Entries of one key with different role or
 * fingerprint are variants: they lie in one partition, linked in a ring.  The
 * upper half of a fingerprint stands for the session settings under which the
 * value was computed: who reads with any fingerprint gets only what was set,
 * what depends on no settings, and what was computed under his own.
 *
 * Times are milliseconds of the cache's clock (clock.h), passed in.
 *
 * Errors: reads may run out of back-end memory (ERRCODE_OUT_OF_MEMORY) while
 * no lock is held.  Nothing else throws.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STORE_STORE_H
#define CPG_STORE_STORE_H

#include "guard/guard.h"

#define CPG_KEY_MAX			512
#define CPG_CELLS_MAX		64
#define CPG_VARIANTS_MAX	1024
#define CPG_PARTITIONS_MAX	128
#define CPG_PARTITION_BYTES ((Size) 16 * 1024 * 1024)

typedef struct CpgSharedStore CpgSharedStore;

typedef enum CpgEviction
{
	CPG_EVICTION_S3FIFO,
	CPG_EVICTION_LRU
} CpgEviction;

/* How the bytes of a value become a datum again. */
typedef enum CpgKind
{
	CPG_KIND_BYVAL,				/* 8 bytes: the datum itself */
	CPG_KIND_FIXED,				/* pass by reference, fixed length */
	CPG_KIND_CSTRING,			/* with its final NUL */
	CPG_KIND_VARLENA			/* payload without the length word */
} CpgKind;

typedef enum CpgResult
{
	CPG_HIT,
	CPG_MISS_ABSENT,
	CPG_MISS_EXPIRED,
	CPG_MISS_EVICTED,			/* absent, and in the ghost */
	CPG_MISS_INVALIDATED_KEY,
	CPG_MISS_INVALIDATED_NAMESPACE, /* or its database */
	CPG_MISS_INVALIDATED_TAG,
	CPG_MISS_INVALIDATED_TABLE,
	CPG_MISS_INVALIDATED_SCHEMA,
	CPG_MISS_INVALIDATED_ROLE,
	CPG_MISS_INVALIDATED_HOME,	/* on the server it came from */
	CPG_MISS_COMMIT_PENDING,	/* an invalidation of it is under way */
	CPG_MISS_OTHER_LOADER,		/* only variants with another fingerprint */
	CPG_MISS_OTHER_ROLE			/* only variants of other roles or settings */
} CpgResult;

typedef enum CpgPutMode
{
	CPG_PUT_SET,				/* in any case */
	CPG_PUT_ADD,				/* only if no valid entry of the role is there */
	CPG_PUT_REPLACE,			/* only if there is one */
	CPG_PUT_FILL				/* unless the present one has a newer stamp */
} CpgPutMode;

typedef enum CpgPutResult
{
	CPG_PUT_STORED,
	CPG_PUT_REFUSED,			/* by its mode */
	CPG_PUT_OUTDATED,			/* its key was or is being invalidated since
								 * the stamp */
	CPG_PUT_TOO_LARGE,
	CPG_PUT_NO_ROOM
} CpgPutResult;

typedef struct CpgStoreConfig
{
	Size		size;			/* bytes given */
	int			npartitions;	/* power of two up to CPG_PARTITIONS_MAX */
	uint32		max_namespaces;
	Size		entry_size;		/* expected bytes per entry: sizes index and
								 * ghost */
	CpgEviction eviction;
	uint64		seed;			/* of key hashes; random, secret */
	int			tranche;		/* of the partition locks */
} CpgStoreConfig;

/* Whom an operation is about.  Filled by cpg_key_init. */
typedef struct CpgKey
{
	const char *data;
	uint64		hash;			/* of namespace and text, seeded */
	uint64		fingerprint;
	Oid			role;
	uint16		len;
	uint16		ns;				/* also the number of the namespace's cell */
	uint32		generation;		/* of that number, where a session names the
								 * key */
	bool		bounded;		/* its namespace has limits, hence one
								 * partition */
	uint32		grace;			/* milliseconds: expired no longer is a hit */
	bool		any_fingerprint;	/* the newest variant of the role that was
									 * computed under one of these */
	uint32		settings[2];
} CpgKey;

/* Upper half of the fingerprint of a value that depends on no settings. */
#define CPG_SETTINGS_ANY	1

/* Upper half of a fingerprint; 0 for values that were set. */
static inline uint32
cpg_fingerprint_settings(uint64 fingerprint)
{
	return (uint32) (fingerprint >> 32);
}

/* Whether a variant with a fingerprint is for the reader of a key. */
static inline bool
cpg_key_admits(const CpgKey *key, uint64 fingerprint)
{
	uint32		settings = cpg_fingerprint_settings(fingerprint);

	if (!key->any_fingerprint)
		return fingerprint == key->fingerprint;
	return settings <= CPG_SETTINGS_ANY || settings == key->settings[0] ||
		settings == key->settings[1];
}

/* A value to store. */
typedef struct CpgItem
{
	const char *data;			/* as kind says */
	Size		len;
	Oid			typid;
	CpgKind		kind;
	bool		isnull;
	uint64		shape;			/* of a composite type, 0 if none */
	uint64		stamp;			/* of the guard, taken before it was computed */
	int64		created;
	int64		expiry;
	uint32		load_time;		/* microseconds its computation took, 0 if set */
	uint32		soft_ttl;		/* milliseconds after created, 0 for none */
	const CpgCell *cells;
	int			ncells;
	const char *notes;			/* bytes kept with the entry for its reader */
	uint32		notes_len;
	uint64		max_entries;	/* limits of a bounded namespace, 0 for none */
	uint64		max_bytes;
} CpgItem;

/* A value read. */
typedef struct CpgValue
{
	char	   *buffer;			/* in: optional memory for the value, aligned */
	Size		buffer_size;
	Datum		datum;			/* out: valid if !isnull */
	Size		len;			/* of the value as stored */
	Oid			typid;
	CpgKind		kind;
	bool		isnull;
	uint64		shape;
	uint64		stamp;
	int64		created;
	int64		expiry;
	uint32		load_time;
	uint32		soft_ttl;
	uint8		frequency;
	bool		stale;			/* expired softly: cpg_guard_soften or a mark */
	CpgCell    *cells;			/* in: optional room for CPG_CELLS_MAX; out:
								 * its cells */
	int			ncells;
	char	   *notes;			/* in: optional room; out: its notes */
	Size		notes_size;
	Size		notes_len;
} CpgValue;

/* Use of a namespace: sums over partitions. */
typedef struct CpgStoreUse
{
	uint64		entries;
	uint64		bytes;			/* blocks, headers included */
	uint64		payload;		/* octets of keys and values */
	uint64		evictions;
	uint64		expirations;
} CpgStoreUse;

/* Use of the memory given. */
typedef struct CpgStoreSpace
{
	Size		total;
	Size		arena;
	Size		free;
	int			npartitions;
	CpgEviction eviction;
} CpgStoreSpace;

/* One entry of a listing. */
typedef struct CpgListed
{
	char		key[CPG_KEY_MAX];
	CpgValue	value;			/* without datum */
	CpgResult	state;
	Oid			role;
	uint16		key_len;
	uint16		ns;
	uint64		fingerprint;
	Size		bytes;
} CpgListed;

/* Where a listing or a sweep stands. */
typedef struct CpgCursor
{
	int			partition;
	uint32		bucket;
} CpgCursor;

#define CPG_LIST_BATCH 64

/* A reference to an entry that may be gone by the time it is used. */
typedef uint32 CpgListedRef;

/* How an entry is kept, beside what it is: for one that comes back. */
typedef struct CpgStanding
{
	uint8		frequency;
	bool		stale;
	bool		latest;			/* what readers without a fingerprint get */
	bool		main;			/* it has proved its use to the eviction */
} CpgStanding;

/* An entry with its value, to be kept outside. */
typedef struct CpgExported
{
	CpgListed	is;				/* with cells and notes as asked for in its
								 * value */
	CpgStanding standing;
	char	   *buffer;			/* the value; palloc'd by the caller, grows */
	Size		buffer_size;
} CpgExported;

typedef struct CpgProblem
{
	int			partition;
	const char *text;
	int64		detail;
} CpgProblem;

/* layout.c */
extern void cpg_store_set_grace(CpgSharedStore *store, uint16 ns, int64 grace);
extern Size cpg_store_min_size(const CpgStoreConfig *config);
extern int	cpg_store_partitions(Size memory);
extern void cpg_store_init(CpgSharedStore *store, const CpgStoreConfig *config,
						   CpgSharedGuard *guard);
extern Size cpg_store_value_max(const CpgSharedStore *store);
extern uint32 cpg_store_buckets(CpgSharedStore *store);
extern uint64 cpg_store_seed(const CpgSharedStore *store);

/* index.c */
extern void cpg_key_init(CpgKey *key, const CpgSharedStore *store, uint16 ns,
						 const char *data, Size len);

/* get.c */
extern void cpg_store_prefetch(CpgSharedStore *store, const CpgKey *key);
extern CpgResult cpg_store_get(CpgSharedStore *store, const CpgKey *key, int64 now,
							   CpgValue *value);
extern CpgResult cpg_store_peek(CpgSharedStore *store, const CpgKey *key, int64 now,
								CpgValue *value);

/* put.c */
extern bool cpg_store_fits(const CpgSharedStore *store, const CpgKey *key, const CpgItem *item);
extern CpgPutResult cpg_store_put(CpgSharedStore *store, const CpgKey *key,
								  const CpgItem *item, CpgPutMode mode, int64 now);
extern CpgPutResult cpg_store_restore(CpgSharedStore *store, const CpgKey *key,
									  const CpgItem *item, const CpgStanding *standing);

/* modify.c */
typedef enum CpgAddResult
{
	CPG_ADD_DONE,
	CPG_ADD_ABSENT,
	CPG_ADD_NOT_INTEGER,
	CPG_ADD_OVERFLOW
} CpgAddResult;

/* What is done to the entries of a key. */
typedef enum CpgMark
{
	CPG_MARK_DEAD,				/* never to be served again */
	CPG_MARK_STALE				/* as if past its soft lifetime */
} CpgMark;

extern bool cpg_store_mark(CpgSharedStore *store, const CpgKey *key, CpgMark mark, bool all);
extern bool cpg_store_holds(CpgSharedStore *store, const CpgKey *key, int64 now);
extern bool cpg_store_touch(CpgSharedStore *store, const CpgKey *key, int64 expiry, int64 now);
extern CpgAddResult cpg_integer_add(Oid typid, Datum *datum, int64 delta, int64 *sum);
extern CpgAddResult cpg_store_add_integer(CpgSharedStore *store, const CpgKey *key,
										  int64 delta, int64 now, int64 *sum);

/* sweep.c */
extern uint32 cpg_store_sweep(CpgSharedStore *store, CpgCursor *cursor, uint32 buckets, int64 now);
extern uint32 cpg_store_make_headroom(CpgSharedStore *store, int partition, uint32 limit, int64 now);

/* list.c */
extern int	cpg_store_list(CpgSharedStore *store, CpgCursor *cursor, int64 now,
						   CpgListed *batch);
extern uint32 cpg_store_count(CpgSharedStore *store, int partition);
extern uint32 cpg_store_refs(CpgSharedStore *store, int partition, const bool *spaces,
							 CpgListedRef *refs, uint32 room);
extern uint32 cpg_store_refs_ordered(CpgSharedStore *store, int partition, CpgListedRef *refs,
									 uint32 room);
extern bool cpg_store_export(CpgSharedStore *store, int partition, CpgListedRef ref, int64 now,
							 CpgExported *exported);
extern void cpg_store_use(CpgSharedStore *store, uint16 ns, CpgStoreUse *use);
extern void cpg_store_space(CpgSharedStore *store, CpgStoreSpace *space);

/* check.c */
extern int	cpg_store_check(CpgSharedStore *store, int partition,
							CpgProblem *problems, int max);

#endif							/* CPG_STORE_STORE_H */
