/*-------------------------------------------------------------------------
 *
 * loop.c
 *	  A store in shared memory for the loops, and private ones for replays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "clock.h"
#include "fmgr.h"
#include "loop.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

CpgSharedStore *loop_store = NULL;
CpgSharedGuard *loop_guard = NULL;
pg_atomic_uint64 *loop_gates = NULL;

#define NAMESPACES 8

static int	memory = 128;
static shmem_request_hook_type prev_request = NULL;
static shmem_startup_hook_type prev_startup = NULL;

static CpgGuardConfig
guard_config(Size size)
{
	CpgGuardConfig config = {.seed = 42};

	cpg_guard_sizes(&config, NAMESPACES, size, false, false);
	return config;
}

static Size
guard_size(Size size)
{
	CpgGuardConfig config = guard_config(size);

	return CACHELINEALIGN(cpg_guard_size(&config));
}

static Size
gates_size(void)
{
	return CACHELINEALIGN(LOOP_TOGETHER_MAX * sizeof(pg_atomic_uint64));
}

static void
fill_config(CpgStoreConfig *config, Size size, Size entry_size, CpgEviction eviction, int tranche)
{
	memset(config, 0, sizeof(*config));
	config->size = size;
	config->npartitions = cpg_store_partitions(size);
	config->max_namespaces = NAMESPACES;
	config->entry_size = entry_size;
	config->eviction = eviction;
	config->seed = 42;
	config->tranche = tranche;
}

static void
request(void)
{
	if (prev_request)
		prev_request();
	RequestAddinShmemSpace(MAXALIGN(loop_wait_size()) + gates_size() + guard_size((Size) memory * 1024 * 1024) +
						   (Size) memory * 1024 * 1024);
	RequestNamedLWLockTranche("CachePgLoop", 1);
}

static void
startup(void)
{
	CpgStoreConfig config;
	char	   *base;
	bool		found;

	if (prev_startup)
		prev_startup();
	fill_config(&config, (Size) memory * 1024 * 1024, 200, CPG_EVICTION_S3FIFO,
				GetNamedLWLockTranche("CachePgLoop")->lock.tranche);
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct("cachepg_loop wait", loop_wait_size(), &found);
	loop_wait_init(base, found);
	base = ShmemInitStruct("cachepg_loop", gates_size() + guard_size(config.size) + config.size, &found);
	loop_gates = (pg_atomic_uint64 *) base;
	loop_guard = (CpgSharedGuard *) (base + gates_size());
	loop_store = (CpgSharedStore *) (base + gates_size() + guard_size(config.size));
	if (!found)
	{
		CpgGuardConfig guard = guard_config(config.size);

		for (int i = 0; i < LOOP_TOGETHER_MAX; i++)
			pg_atomic_init_u64(&loop_gates[i], 0);
		cpg_guard_init(loop_guard, &guard);
		cpg_store_init(loop_store, &config, loop_guard);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("cachepg_loop.memory", "Memory of the store.", NULL, &memory,
							128, 4, 16384, PGC_POSTMASTER, GUC_UNIT_MB, NULL, NULL, NULL);
	prev_request = shmem_request_hook;
	shmem_request_hook = request;
	prev_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

/* A store of this process alone, of one partition. */
CpgSharedStore *
loop_private_store(Size size, Size entry_size, CpgEviction eviction)
{
	static int	tranche = 0;
	CpgGuardConfig guard_cells = guard_config(size);
	CpgSharedGuard *guard = palloc(cpg_guard_size(&guard_cells));
	CpgSharedStore *store;
	CpgStoreConfig config;

	if (tranche == 0)
		tranche = LWLockNewTrancheId();
	store = (CpgSharedStore *) CACHELINEALIGN(
											  MemoryContextAllocExtended(CurrentMemoryContext, size + PG_CACHE_LINE_SIZE, MCXT_ALLOC_HUGE));
	cpg_guard_init(guard, &guard_cells);
	fill_config(&config, size, entry_size, eviction, tranche);
	config.npartitions = 1;
	cpg_store_init(store, &config, guard);
	return store;
}

/* LOOP_KEY_LEN hexadecimal digits for a key's number. */
void
loop_key_text(uint32 number, char *name)
{
	uint64		scrambled = number * UINT64CONST(0x9e3779b97f4a7c15);

	for (int i = 0; i < LOOP_KEY_LEN; i++)
		name[i] = "0123456789abcdef"[(scrambled >> (i * 4)) & 15];
}

CpgItem
loop_item(const char *data, Size len, int64 now)
{
	CpgItem		item;

	memset(&item, 0, sizeof(item));
	item.data = data;
	item.len = len;
	item.typid = TEXTOID;
	item.kind = CPG_KIND_VARLENA;
	item.created = now;
	item.expiry = now + INT64CONST(86400000);
	return item;
}
