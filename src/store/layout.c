/*-------------------------------------------------------------------------
 *
 * layout.c
 *	  How the memory given to the store is divided, and its initial state.
 *
 *	  | control | bounded lists | partition 0 | partition 1 | ...
 *
 * and each partition:
 *
 *	  | lock, queues, arena control | index | ghost | use per namespace | arena
 *
 * Index and ghost are sized for entries of config.entry_size bytes: one index
 * slot for each 0.8 of them, one ghost cell for each.  Of smaller entries fewer
 * are kept than the arena could hold, larger ones leave slots unused.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "store/store_internal.h"

#define ALIGN(n)		CACHELINEALIGN(n)
#define ARENA_MIN		((Size) 64 * 1024)
#define HEADROOM_SHARE	128		/* one part in so many is kept free */
#define VALUE_SHARE		8		/* a value may take one part in so many */
#define INDEX_LOAD		7		/* eighths of the slots in use at most */

typedef struct PartitionLayout
{
	Size		index;			/* offsets from the partition's start */
	Size		ghost;
	Size		use;
	Size		arena;
	uint32		nbuckets;
	uint32		ghost_sets;
} PartitionLayout;

static PartitionLayout
partition_layout(const CpgStoreConfig *config, Size stride)
{
	PartitionLayout layout;
	Size		entries = stride / config->entry_size;

	layout.nbuckets = (uint32) Max(entries * 10 / (8 * CPG_BUCKET_SLOTS), 2);
	layout.ghost_sets = cpg_ghost_sets(entries * sizeof(uint32));
	layout.index = ALIGN(sizeof(CpgSharedPartition));
	layout.ghost = layout.index + (Size) layout.nbuckets * sizeof(CpgSharedBucket);
	layout.use = ALIGN(layout.ghost +
					   (Size) layout.ghost_sets * CPG_GHOST_WAYS * sizeof(uint32));
	layout.arena = ALIGN(layout.use + config->max_namespaces * sizeof(CpgPartitionUse));
	return layout;
}

static Size
control_size(const CpgStoreConfig *config)
{
	return ALIGN(sizeof(CpgSharedStore)) + ALIGN(config->max_namespaces * sizeof(CpgQueue)) +
		ALIGN(config->max_namespaces * sizeof(uint32));
}

static Size
partition_stride(const CpgStoreConfig *config)
{
	Size		control = control_size(config);

	if (config->size <= control)
		return 0;
	return ((config->size - control) / config->npartitions) & ~(Size) (PG_CACHE_LINE_SIZE - 1);
}

/*
 * The least size with which this configuration works: partitions need room for
 * their tables and a useful arena.
 */
Size
cpg_store_min_size(const CpgStoreConfig *config)
{
	PartitionLayout layout = partition_layout(config, 0);

	/* index and ghost take at most a tenth of what is added for the arena */
	return control_size(config) +
		config->npartitions * ALIGN(layout.arena + 2 * ARENA_MIN);
}

/* Number of partitions for so much memory: a power of two, 1 to 128. */
int
cpg_store_partitions(Size memory)
{
	Size		n = memory / CPG_PARTITION_BYTES;

	if (n <= 1)
		return 1;
	return 1 << Min(pg_leftmost_one_pos64(n), pg_leftmost_one_pos32(CPG_PARTITIONS_MAX));
}

/* Keep where things lie in each partition. */
static void
note_layout(CpgSharedStore *store)
{
	PartitionLayout layout = partition_layout(&store->config, store->partition_stride);

	store->nbuckets = layout.nbuckets;
	store->index_offset = layout.index;
	store->ghost_offset = layout.ghost;
	store->use_offset = layout.use;
	store->arena_offset = layout.arena;
}

static void
init_partition(CpgSharedStore *store, int number)
{
	CpgSharedPartition *part = cpg_partition(store, number);
	PartitionLayout layout = partition_layout(&store->config, store->partition_stride);

	memset(part, 0, layout.arena);
	LWLockInitialize(&part->lock.lock, store->config.tranche);
	part->number = number;
	part->entries_max = layout.nbuckets * CPG_BUCKET_SLOTS / 8 * INDEX_LOAD;
	cpg_ghost_init(&part->ghost, cpg_ghost_slots(store, part), layout.ghost_sets);
	cpg_arena_init(&part->arena, cpg_arena_base(store, part),
				   store->partition_stride - layout.arena);
	part->headroom = part->arena.size / HEADROOM_SHARE;
	part->dead_seen = pg_atomic_read_u64(&store->guard->seq);
}

/*
 * Make config->size bytes at store an empty store.  The memory must be aligned
 * to a cache line.  Entries are checked against guard, which must have a cell
 * for each namespace.
 */
void
cpg_store_init(CpgSharedStore *store, const CpgStoreConfig *config, CpgSharedGuard *guard)
{
	Assert(config->size >= cpg_store_min_size(config));
	Assert(guard->config.namespaces >= config->max_namespaces);

	memset(store, 0, control_size(config));
	store->config = *config;
	store->guard = guard;
	store->bounded_offset = ALIGN(sizeof(CpgSharedStore));
	store->grace_offset = store->bounded_offset + ALIGN(config->max_namespaces * sizeof(CpgQueue));
	store->partitions_offset = control_size(config);
	store->partition_stride = partition_stride(config);
	note_layout(store);
	for (int i = 0; i < config->npartitions; i++)
		init_partition(store, i);
	store->arena_size = cpg_partition(store, 0)->arena.size;
	store->value_max = store->arena_size / VALUE_SHARE;
}

/* The largest entry, key and value and header together, that is stored. */
Size
cpg_store_value_max(const CpgSharedStore *store)
{
	return store->value_max;
}

/* Number of index buckets over all partitions. */
uint32
cpg_store_buckets(CpgSharedStore *store)
{
	return store->nbuckets * store->config.npartitions;
}

/* The secret with which keys are hashed. */
uint64
cpg_store_seed(const CpgSharedStore *store)
{
	return store->config.seed;
}

/* Keep entries of a namespace for so many milliseconds after they expired. */
void
cpg_store_set_grace(CpgSharedStore *store, uint16 ns, int64 grace)
{
	*cpg_grace(store, ns) = (uint32) Min(Max(grace, 0), PG_UINT32_MAX);
}
