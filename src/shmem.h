/*-------------------------------------------------------------------------
 *
 * shmem.h
 *	  The pieces of cachepg's shared memory, as seen by this process.
 *
 * NULL in a process that did not get the library through
 * shared_preload_libraries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_SHMEM_H
#define CPG_SHMEM_H

struct CpgSharedBus;
struct CpgSharedFlights;
struct CpgSharedFrames;
struct CpgSharedGuard;
struct CpgSharedProgress;
struct CpgSharedRedis;
struct CpgSharedRefresh;
struct CpgSharedRegistry;
struct CpgSharedStats;
struct CpgSharedStore;
struct CpgSharedTwophase;
struct CpgSharedUsage;

extern struct CpgSharedBus *cpg_bus;
extern struct CpgSharedFlights *cpg_flights;
extern struct CpgSharedFrames *cpg_frames;
extern struct CpgSharedGuard *cpg_guard;
extern struct CpgSharedProgress *cpg_progress;
extern struct CpgSharedRedis *cpg_redis;
extern struct CpgSharedRefresh *cpg_refresh;
extern struct CpgSharedRegistry *cpg_registry;
extern struct CpgSharedStats *cpg_stats;
extern struct CpgSharedStore *cpg_store;
extern struct CpgSharedTwophase *cpg_twophase;
extern struct CpgSharedUsage *cpg_usage;

extern void cpg_shmem_install(void);

static inline bool
cpg_shmem_ready(void)
{
	return cpg_store != NULL;
}

#endif							/* CPG_SHMEM_H */
