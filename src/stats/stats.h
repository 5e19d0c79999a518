/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  Counters per namespace.
 *
 * A back end counts in its own memory and adds to shared memory at the end of
 * a transaction, or earlier after many counts.  Shared counters lie in stripes,
 * min(CPUs, 64) of them, of which a back end uses that of the CPU on which
 * it is; readers add them up.  Those of a namespace whose number was given away
 * end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STATS_STATS_H
#define CPG_STATS_STATS_H

#include "port/atomics.h"
#include "store/store.h"

typedef enum CpgCounter
{
	CPG_COUNT_HITS,
	CPG_COUNT_SETS,
	CPG_COUNT_DELETES,
	CPG_COUNT_LOADS,
	CPG_COUNT_LOAD_TIME,		/* microseconds */
	CPG_COUNT_DROPPED_SETS,
	CPG_COUNT_LOADS_FAILED,
	CPG_COUNT_LOAD_TIMEOUTS,
	CPG_COUNT_COALESCED,		/* answers from another session's load */
	CPG_COUNT_STALE,			/* answers from an expired value */
	CPG_COUNT_FALLBACK,			/* answers from the fallback */
	CPG_COUNT_RETRY_THROTTLED,	/* loads not begun: one failed lately */
	CPG_COUNT_BREAKER_OPEN,		/* the same: the breaker was open */
	CPG_COUNT_WAIT_TIMEOUTS,
	CPG_COUNT_EARLY,			/* refreshes begun before the expiry (XFetch) */
	CPG_COUNT_REFRESH_QUEUED,	/* for workers */
	CPG_COUNT_REFRESH_CHANGED,	/* by workers: the value is another one */
	CPG_COUNT_REFRESH_UNCHANGED,
	CPG_COUNT_REFRESH_WASTED,	/* not kept, or not needed any more */
	CPG_COUNT_REFRESH_FAILED,
	CPG_COUNT_L2_HITS,
	CPG_COUNT_L2_MISSES,		/* nothing was there */
	CPG_COUNT_L2_REFUSED,		/* what was there is not, or not surely, valid */
	CPG_COUNT_L2_UNAVAILABLE,	/* Redis did not answer, or was not asked */
	CPG_COUNT_L2_WRITES,
	CPG_COUNT_L2_DROPPED,		/* writes: not sent */
	/* reasons of misses, from here ... */
	CPG_COUNT_ABSENT,
	CPG_COUNT_EXPIRED,
	CPG_COUNT_EVICTED,
	CPG_COUNT_INVALIDATED_KEY,
	CPG_COUNT_INVALIDATED_NAMESPACE,
	CPG_COUNT_INVALIDATED_TAG,
	CPG_COUNT_INVALIDATED_TABLE,
	CPG_COUNT_INVALIDATED_SCHEMA,
	CPG_COUNT_INVALIDATED_ROLE,
	CPG_COUNT_INVALIDATED_HOME,
	CPG_COUNT_COMMIT_PENDING,
	CPG_COUNT_OWN_WRITES,
	CPG_COUNT_SNAPSHOT,			/* reads in an isolation level that bypasses */
	CPG_COUNT_RECOVERY,
	CPG_COUNT_LOADER_CHANGED,
	CPG_COUNT_OTHER_ROLE,
	CPG_COUNT_TYPE_CHANGED,
	CPG_COUNT_HIDDEN_NAMES,		/* a temporary table hides a permanent one */
	CPG_COUNT_DISABLED,
	/* ... to here; reasons of not keeping a value, from here ... */
	CPG_COUNT_TOO_LARGE,
	CPG_COUNT_ISOLATION,
	CPG_COUNT_WROTE,
	CPG_COUNT_PARALLEL,
	CPG_COUNT_TEMP_TABLE,
	CPG_COUNT_FORBIDDEN,
	CPG_COUNT_UNKEPT_RECOVERY,
	CPG_COUNT_OLD_PORTAL,		/* read a cursor opened before the load */
	CPG_COUNT_SESSION_INPUT,	/* depends on the session */
	CPG_COUNT_TOO_MANY_CELLS,	/* depends on too many tables */
	CPG_COUNT_OUTDATED,			/* invalidated while it was loaded or set */
	CPG_COUNT_NO_ROOM,
	/* ... to here */
	CPG_NCOUNTERS
} CpgCounter;

#define CPG_COUNT_FIRST_MISS	CPG_COUNT_ABSENT
#define CPG_COUNT_LAST_MISS		CPG_COUNT_DISABLED
#define CPG_COUNT_FIRST_UNKEPT	CPG_COUNT_TOO_LARGE
#define CPG_COUNT_LAST_UNKEPT	CPG_COUNT_NO_ROOM

typedef struct CpgSharedStats CpgSharedStats;

extern Size cpg_stats_size(uint32 max_namespaces);
extern void cpg_stats_init(CpgSharedStats *stats, uint32 max_namespaces);
extern void cpg_stats_prepare(void);
extern void cpg_stats_put(int number, CpgPutResult result);
extern void cpg_stats_add(int number, CpgCounter counter, uint64 amount);
extern void cpg_stats_flush(void);
extern void cpg_stats_read(int number, uint64 *counts);
extern uint64 cpg_stats_sum(const uint64 *counts, CpgCounter first, CpgCounter last);
extern CpgCounter cpg_stats_miss(CpgResult result);
extern const char *cpg_stats_reason(CpgCounter counter);

#endif							/* CPG_STATS_STATS_H */
