/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Counters per namespace.  See stats.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "compat.h"
#include "core/hash.h"
#include "guc.h"
#include "miscadmin.h"
#include "policy/registry.h"
#include "port/pg_bitutils.h"
#include "shmem.h"
#include "stats/stats.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#define STRIPES_MAX 64
/* Counts held back at most, so that a long statement shows its progress. */
#define PENDING_MAX 4096

/* The counters of a namespace in a stripe; 0 for any other namespace. */
typedef struct Counters
{
	pg_atomic_uint64 whose;		/* see whose() */
	pg_atomic_uint64 count[CPG_NCOUNTERS];
} Counters;

/*
 * What is only read has a line of its own: otherwise whoever counts in the
 * first namespace would take it away from all.
 */
struct CpgSharedStats
{
	uint32		nstripes;
	uint32		max_namespaces;
	char		padding[PG_CACHE_LINE_SIZE - 2 * sizeof(uint32)];
	Counters	counters[FLEXIBLE_ARRAY_MEMBER];	/* [stripe][namespace] */
};

/* Hits, which are counted most, lie beside what says that they are there. */
typedef struct Pending
{
	uint64		counted;		/* bit for each counter that is not 0 */
	int			next_dirty;		/* -1: last, -2: not in the list */
	uint64		count[CPG_NCOUNTERS];
} Pending;

StaticAssertDecl(CPG_NCOUNTERS <= 64, "a counter has no bit");
StaticAssertDecl(CPG_COUNT_HITS == 0, "hits are not beside their bit");

#define LIST_END	(-1)
#define NOT_LISTED	(-2)

static Pending *pending = NULL;
static int	first_dirty = LIST_END;
static int	npending = 0;

static const char *const reasons[CPG_NCOUNTERS] = {
	[CPG_COUNT_ABSENT] = "absent",
	[CPG_COUNT_EXPIRED] = "expired",
	[CPG_COUNT_EVICTED] = "evicted",
	[CPG_COUNT_INVALIDATED_KEY] = "invalidated_key",
	[CPG_COUNT_INVALIDATED_NAMESPACE] = "invalidated_namespace",
	[CPG_COUNT_INVALIDATED_TAG] = "invalidated_tag",
	[CPG_COUNT_INVALIDATED_TABLE] = "invalidated_table",
	[CPG_COUNT_INVALIDATED_SCHEMA] = "invalidated_schema",
	[CPG_COUNT_INVALIDATED_ROLE] = "invalidated_role",
	[CPG_COUNT_INVALIDATED_HOME] = "invalidated_home",
	[CPG_COUNT_COMMIT_PENDING] = "commit_pending",
	[CPG_COUNT_OWN_WRITES] = "own_writes",
	[CPG_COUNT_SNAPSHOT] = "snapshot",
	[CPG_COUNT_RECOVERY] = "recovery",
	[CPG_COUNT_LOADER_CHANGED] = "loader_changed",
	[CPG_COUNT_OTHER_ROLE] = "other_role",
	[CPG_COUNT_TYPE_CHANGED] = "type_changed",
	[CPG_COUNT_HIDDEN_NAMES] = "temp_table_hides",
	[CPG_COUNT_DISABLED] = "disabled",
	[CPG_COUNT_TOO_LARGE] = "too_large",
	[CPG_COUNT_ISOLATION] = "isolation",
	[CPG_COUNT_WROTE] = "wrote",
	[CPG_COUNT_PARALLEL] = "parallel",
	[CPG_COUNT_TEMP_TABLE] = "temp_table",
	[CPG_COUNT_FORBIDDEN] = "no_write_privilege",
	[CPG_COUNT_UNKEPT_RECOVERY] = "not_kept_in_recovery",
	[CPG_COUNT_OLD_PORTAL] = "old_portal",
	[CPG_COUNT_SESSION_INPUT] = "session_input",
	[CPG_COUNT_TOO_MANY_CELLS] = "too_many_tables",
	[CPG_COUNT_OUTDATED] = "outdated",
	[CPG_COUNT_NO_ROOM] = "no_room",
};

static uint32
stripes(void)
{
	long		cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (uint32) Min(Max(cpus, 1), STRIPES_MAX);
}

Size
cpg_stats_size(uint32 max_namespaces)
{
	return offsetof(CpgSharedStats, counters) + (Size) stripes() * max_namespaces * sizeof(Counters);
}

void
cpg_stats_init(CpgSharedStats *stats, uint32 max_namespaces)
{
	stats->nstripes = stripes();
	stats->max_namespaces = max_namespaces;
	for (uint32 i = 0; i < stats->nstripes * max_namespaces; i++)
	{
		pg_atomic_init_u64(&stats->counters[i].whose, 0);
		for (int c = 0; c < CPG_NCOUNTERS; c++)
			pg_atomic_init_u64(&stats->counters[i].count[c], 0);
	}
}

static Counters *
counters_of(uint32 stripe, int number)
{
	return &cpg_stats->counters[(Size) stripe * cpg_stats->max_namespaces + number];
}

/* What tells the namespace that has a number from those that had it before. */
static uint64
whose(int number)
{
	const CpgRegistration *is = &cpg_registry->space[number].is;

	return cpg_hash_combine(*(const volatile uint64 *) &is->identity, is->database);
}

/*
 * Have counters begin anew if they are another namespace's.  What somebody else
 * counts in this moment may get lost.
 */
static inline void
renew(Counters *counters, int number)
{
	uint64		before = pg_atomic_read_u64(&counters->whose);
	uint64		now = whose(number);

	if (likely(before == now))
		return;
	if (pg_atomic_compare_exchange_u64(&counters->whose, &before, now))
	{
		for (int i = 0; i < CPG_NCOUNTERS; i++)
			pg_atomic_write_u64(&counters->count[i], 0);
	}
}

/* At the end of a transaction; only atomic additions, which cannot fail. */
static void pg_attribute_hot
at_transaction_end(XactEvent event, void *arg)
{
	if (first_dirty != LIST_END && event != XACT_EVENT_PRE_COMMIT &&
		event != XACT_EVENT_PARALLEL_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE)
		cpg_stats_flush();
}

/* Have the memory for own counts, so that counting cannot fail. */
void
cpg_stats_prepare(void)
{
	if (pending != NULL)
		return;
	pending = MemoryContextAllocZero(TopMemoryContext, cpg_max_namespaces * sizeof(Pending));
	for (int i = 0; i < cpg_max_namespaces; i++)
		pending[i].next_dirty = NOT_LISTED;
	RegisterXactCallback(at_transaction_end, NULL);
}

/* Count for the namespace with a number in the store (less than 0: ignored). */
void		pg_attribute_hot
cpg_stats_add(int number, CpgCounter counter, uint64 amount)
{
	Pending    *p;

	if (unlikely(number < 0))
		return;
	if (unlikely(pending == NULL))
		cpg_stats_prepare();
	p = &pending[number];
	p->count[counter] += amount;
	p->counted |= UINT64CONST(1) << counter;
	if (p->next_dirty == NOT_LISTED)
	{
		p->next_dirty = first_dirty;
		first_dirty = number;
	}
	if (unlikely(++npending > PENDING_MAX))
		cpg_stats_flush();
}

/* Add the own counts to shared memory. */
void		pg_attribute_hot
cpg_stats_flush(void)
{
	uint32		stripe = CPG_CURRENT_CPU() % cpg_stats->nstripes;

	while (first_dirty != LIST_END)
	{
		Pending    *p = &pending[first_dirty];
		Counters   *shared = counters_of(stripe, first_dirty);

		renew(shared, first_dirty);
		while (p->counted != 0)
		{
			int			i = pg_rightmost_one_pos64(p->counted);

			pg_atomic_fetch_add_u64(&shared->count[i], p->count[i]);
			p->count[i] = 0;
			p->counted &= p->counted - 1;
		}
		first_dirty = p->next_dirty;
		p->next_dirty = NOT_LISTED;
	}
	npending = 0;
}

/*
 * The counters of a namespace, CPG_NCOUNTERS of them, the own ones included; 0
 * for one without a number.
 */
void
cpg_stats_read(int number, uint64 *counts)
{
	if (pending != NULL)
		cpg_stats_flush();
	memset(counts, 0, CPG_NCOUNTERS * sizeof(uint64));
	if (number < 0)
		return;
	for (uint32 stripe = 0; stripe < cpg_stats->nstripes; stripe++)
	{
		Counters   *shared = counters_of(stripe, number);

		if (pg_atomic_read_u64(&shared->whose) != whose(number))
			continue;
		for (int i = 0; i < CPG_NCOUNTERS; i++)
			counts[i] += pg_atomic_read_u64(&shared->count[i]);
	}
}

/* Sum of a range of counters. */
uint64
cpg_stats_sum(const uint64 *counts, CpgCounter first, CpgCounter last)
{
	uint64		sum = 0;

	for (int i = first; i <= (int) last; i++)
		sum += counts[i];
	return sum;
}

/* Count what became of a value to be stored. */
void
cpg_stats_put(int number, CpgPutResult result)
{
	switch (result)
	{
		case CPG_PUT_STORED:
			cpg_stats_add(number, CPG_COUNT_SETS, 1);
			break;
		case CPG_PUT_REFUSED:
			break;
		case CPG_PUT_OUTDATED:
			cpg_stats_add(number, CPG_COUNT_OUTDATED, 1);
			break;
		case CPG_PUT_TOO_LARGE:
			cpg_stats_add(number, CPG_COUNT_TOO_LARGE, 1);
			break;
		case CPG_PUT_NO_ROOM:
			cpg_stats_add(number, CPG_COUNT_NO_ROOM, 1);
			cpg_stats_add(number, CPG_COUNT_DROPPED_SETS, 1);
			break;
	}
}

/* The counter of a result of the store that is not a hit. */
CpgCounter
cpg_stats_miss(CpgResult result)
{
	switch (result)
	{
		case CPG_MISS_EXPIRED:
			return CPG_COUNT_EXPIRED;
		case CPG_MISS_EVICTED:
			return CPG_COUNT_EVICTED;
		case CPG_MISS_INVALIDATED_KEY:
			return CPG_COUNT_INVALIDATED_KEY;
		case CPG_MISS_INVALIDATED_NAMESPACE:
			return CPG_COUNT_INVALIDATED_NAMESPACE;
		case CPG_MISS_INVALIDATED_TAG:
			return CPG_COUNT_INVALIDATED_TAG;
		case CPG_MISS_INVALIDATED_TABLE:
			return CPG_COUNT_INVALIDATED_TABLE;
		case CPG_MISS_INVALIDATED_SCHEMA:
			return CPG_COUNT_INVALIDATED_SCHEMA;
		case CPG_MISS_INVALIDATED_ROLE:
			return CPG_COUNT_INVALIDATED_ROLE;
		case CPG_MISS_INVALIDATED_HOME:
			return CPG_COUNT_INVALIDATED_HOME;
		case CPG_MISS_COMMIT_PENDING:
			return CPG_COUNT_COMMIT_PENDING;
		case CPG_MISS_OTHER_LOADER:
			return CPG_COUNT_LOADER_CHANGED;
		case CPG_MISS_OTHER_ROLE:
			return CPG_COUNT_OTHER_ROLE;
		case CPG_HIT:
		case CPG_MISS_ABSENT:
			break;
	}
	return CPG_COUNT_ABSENT;
}

/* Reason code of a counter of misses or of values not kept, else NULL. */
const char *
cpg_stats_reason(CpgCounter counter)
{
	return reasons[counter];
}
