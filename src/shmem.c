/*-------------------------------------------------------------------------
 *
 * shmem.c
 *	  Request and initial state of shared memory.
 *
 * One piece of exactly cachepg.memory bytes in the main segment, divided into
 * guard, registry, statistics, flights and, with all that is left, the store.
 *
 * After a crash the postmaster makes shared memory anew and calls the startup
 * hook again: the cache is then empty.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "bus/frames.h"
#include "common/pg_prng.h"
#include "core/hash.h"
#include "flight/flight.h"
#include "guard/guard.h"
#include "guc.h"
#include "inval/twophase.h"
#include "inval/usage.h"
#include "miscadmin.h"
#include "policy/registry.h"
#include "redis/redis.h"
#include "refresh/refresh.h"
#include "shmem.h"
#include "stats/progress.h"
#include "stats/stats.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "store/store.h"
#include "warm/warm.h"

CpgSharedBus *cpg_bus = NULL;
CpgSharedFlights *cpg_flights = NULL;
CpgSharedFrames *cpg_frames = NULL;
CpgSharedGuard *cpg_guard = NULL;
CpgSharedProgress *cpg_progress = NULL;
CpgSharedRedis *cpg_redis = NULL;
CpgSharedRefresh *cpg_refresh = NULL;
CpgSharedRegistry *cpg_registry = NULL;
CpgSharedStats *cpg_stats = NULL;
CpgSharedStore *cpg_store = NULL;
CpgSharedTwophase *cpg_twophase = NULL;
CpgSharedUsage *cpg_usage = NULL;

#define MEGABYTE ((Size) 1024 * 1024)

static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;

typedef struct Layout
{
	Size		guard;			/* offsets */
	Size		registry;
	Size		stats;
	Size		twophase;
	Size		usage;
	Size		flights;
	Size		progress;
	Size		redis;
	Size		refresh;
	Size		bus;
	Size		frames;
	Size		store;
	CpgGuardConfig guard_config;
	CpgStoreConfig config;
} Layout;

/* Redis can be used only by a server that knew of it at its start. */
static bool
wants_redis(void)
{
	return cpg_redis_servers[0] != '\0';
}

/* Whether another server is the home of what is in Redis. */
static bool
follows_a_home(void)
{
	return wants_redis() && cpg_l2_home[0] != '\0' && strcmp(cpg_l2_home, cpg_server_name) != 0;
}

static Layout
layout(Size memory)
{
	Layout		at;

	memset(&at, 0, sizeof(at));
	cpg_guard_sizes(&at.guard_config, cpg_max_namespaces, memory, wants_redis(),
					follows_a_home());
	at.guard = 0;
	at.registry = CACHELINEALIGN(at.guard + cpg_guard_size(&at.guard_config));
	at.stats = CACHELINEALIGN(at.registry + cpg_registry_size(cpg_max_namespaces));
	at.twophase = CACHELINEALIGN(at.stats + cpg_stats_size(cpg_max_namespaces));
	at.usage = CACHELINEALIGN(at.twophase + cpg_twophase_size());
	at.flights = CACHELINEALIGN(at.usage + cpg_usage_size());
	at.progress = CACHELINEALIGN(at.flights + cpg_flights_size(cpg_max_namespaces));
	at.redis = CACHELINEALIGN(at.progress + cpg_progress_size());
	at.refresh = CACHELINEALIGN(at.redis + cpg_redis_size());
	at.bus = CACHELINEALIGN(at.refresh + cpg_refresh_size(memory));
	at.frames = CACHELINEALIGN(at.bus + cpg_bus_size(memory, wants_redis(), at.guard_config.mirrors));
	at.store = CACHELINEALIGN(at.frames + cpg_frames_size(memory, wants_redis()));

	at.config.size = memory > at.store ? memory - at.store : 0;
	at.config.npartitions = cpg_store_partitions(memory);
	at.config.max_namespaces = cpg_max_namespaces;
	at.config.entry_size = cpg_entry_size;
	at.config.eviction = (CpgEviction) cpg_eviction;
	return at;
}

/* Each process may hold a fence on the same cell. */
static void
check_processes(void)
{
	if (MaxBackends + max_prepared_xacts > CPG_GUARD_PENDING_MAX)
		ereport(FATAL,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("cachepg supports at most %d processes and prepared transactions together",
						CPG_GUARD_PENDING_MAX),
				 errhint("Lower \"max_connections\" or \"max_prepared_transactions\".")));
}

static Size
needed(Size memory)
{
	Layout		at = layout(memory);

	return at.store + cpg_store_min_size(&at.config);
}

/* More memory wants more of it for other things than the store, too. */
static void
check_layout(void)
{
	Size		enough = (Size) cpg_memory * MEGABYTE;

	while (enough < needed(enough))
		enough = TYPEALIGN(MEGABYTE, needed(enough));
	if (enough > (Size) cpg_memory * MEGABYTE)
		ereport(FATAL,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"cachepg.memory\" of %d MB is too small for %d namespaces",
						cpg_memory, cpg_max_namespaces),
				 errhint("Set \"cachepg.memory\" to at least %zu MB, or lower \"cachepg.max_namespaces\".",
						 enough / MEGABYTE)));
}

static void
request(void)
{
	if (prev_request_hook)
		prev_request_hook();
	check_layout();
	check_processes();
	RequestAddinShmemSpace((Size) cpg_memory * MEGABYTE);
	RequestNamedLWLockTranche("CachePgPartition", 1);
}

/*
 * The seed of hashes: that of the dump to be loaded, if there is one, else a
 * random number.
 */
static uint64
choose_seed(void)
{
	uint64		seed = cpg_warm_take();

	while (seed == 0)
	{
		if (!pg_strong_random(&seed, sizeof(seed)))
			seed = pg_prng_uint64(&pg_global_prng_state);
	}
	return seed;
}

static void
initialize(const Layout *at, uint64 seed)
{
	CpgStoreConfig config = at->config;
	CpgGuardConfig guard_config = at->guard_config;

	/* the tranche exists for its name; the locks themselves lie in the store */
	config.tranche = GetNamedLWLockTranche("CachePgPartition")->lock.tranche;
	config.seed = seed;
	guard_config.seed = cpg_hash_mix(config.seed);

	cpg_guard_init(cpg_guard, &guard_config);
	cpg_registry_init(cpg_registry, cpg_max_namespaces, config.tranche);
	cpg_stats_init(cpg_stats, cpg_max_namespaces);
	cpg_twophase_init(cpg_twophase, config.tranche);
	cpg_usage_init(cpg_usage);
	cpg_flights_init(cpg_flights, cpg_max_namespaces);
	cpg_progress_init(cpg_progress);
	cpg_redis_init(cpg_redis, config.tranche);
	cpg_refresh_init(cpg_refresh, (Size) cpg_memory * MEGABYTE, config.tranche);
	cpg_bus_init(cpg_bus, (Size) cpg_memory * MEGABYTE, wants_redis(), guard_config.mirrors,
				 config.tranche);
	cpg_frames_init(cpg_frames, (Size) cpg_memory * MEGABYTE, wants_redis(), config.tranche);
	cpg_store_init(cpg_store, &config, cpg_guard);
}

static void
startup(void)
{
	Layout		at = layout((Size) cpg_memory * MEGABYTE);
	uint64		seed = 0;
	char	   *base;
	bool		found;

	if (prev_startup_hook)
		prev_startup_hook();

	/* reads and renames files: not under the lock */
	if (!IsUnderPostmaster)
		seed = choose_seed();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct("cachepg", (Size) cpg_memory * MEGABYTE, &found);
	cpg_guard = (CpgSharedGuard *) (base + at.guard);
	cpg_registry = (CpgSharedRegistry *) (base + at.registry);
	cpg_stats = (CpgSharedStats *) (base + at.stats);
	cpg_twophase = (CpgSharedTwophase *) (base + at.twophase);
	cpg_usage = (CpgSharedUsage *) (base + at.usage);
	cpg_flights = (CpgSharedFlights *) (base + at.flights);
	cpg_progress = (CpgSharedProgress *) (base + at.progress);
	cpg_redis = (CpgSharedRedis *) (base + at.redis);
	cpg_refresh = (CpgSharedRefresh *) (base + at.refresh);
	cpg_bus = (CpgSharedBus *) (base + at.bus);
	cpg_frames = (CpgSharedFrames *) (base + at.frames);
	cpg_store = (CpgSharedStore *) (base + at.store);
	if (!found)
		initialize(&at, seed);
	LWLockRelease(AddinShmemInitLock);
}

/* Chain the hooks; called once, by _PG_init in the postmaster. */
void
cpg_shmem_install(void)
{
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}
