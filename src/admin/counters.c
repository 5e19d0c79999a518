/*-------------------------------------------------------------------------
 *
 * counters.c
 *	  cache_stats, cache_namespace_stats and cache_misses_by_reason.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/row.h"
#include "guc.h"
#include "policy/namespace.h"
#include "shmem.h"
#include "stats/stats.h"

PG_FUNCTION_INFO_V1(cachepg_stats);
PG_FUNCTION_INFO_V1(cachepg_namespace_stats);
PG_FUNCTION_INFO_V1(cachepg_misses_by_reason);

static void
sum_up(CpgStoreUse *total, uint64 *totals)
{
	memset(total, 0, sizeof(*total));
	memset(totals, 0, CPG_NCOUNTERS * sizeof(uint64));
	for (int number = 0; number < cpg_max_namespaces; number++)
	{
		CpgStoreUse use;
		uint64		counts[CPG_NCOUNTERS];

		cpg_store_use(cpg_store, (uint16) number, &use);
		total->entries += use.entries;
		total->bytes += use.bytes;
		total->payload += use.payload;
		total->evictions += use.evictions;
		total->expirations += use.expirations;
		cpg_stats_read(number, counts);
		for (int i = 0; i < CPG_NCOUNTERS; i++)
			totals[i] += counts[i];
	}
}

static void
add_counts(CpgRow *row, const CpgStoreUse *use, const uint64 *counts)
{
	uint64		hits = counts[CPG_COUNT_HITS];
	uint64		misses = cpg_stats_sum(counts, CPG_COUNT_FIRST_MISS, CPG_COUNT_LAST_MISS);

	cpg_row_add_int(row, hits);
	cpg_row_add_int(row, misses);
	if (hits + misses > 0)
		cpg_row_add(row, Float8GetDatum((double) hits / (double) (hits + misses)));
	else
		cpg_row_add_null(row);
	cpg_row_add_int(row, counts[CPG_COUNT_SETS]);
	cpg_row_add_int(row, counts[CPG_COUNT_DELETES]);
	cpg_row_add_int(row, counts[CPG_COUNT_LOADS]);
	cpg_row_add_duration(row, (int64) counts[CPG_COUNT_LOAD_TIME]);
	cpg_row_add_int(row, use->evictions);
	cpg_row_add_int(row, use->expirations);
	cpg_row_add_int(row, counts[CPG_COUNT_TOO_LARGE]);
	cpg_row_add_int(row, counts[CPG_COUNT_DROPPED_SETS]);
	cpg_row_add_int(row, cpg_stats_sum(counts, CPG_COUNT_FIRST_UNKEPT, CPG_COUNT_LAST_UNKEPT));
}

Datum
cachepg_stats(PG_FUNCTION_ARGS)
{
	uint64		memory = (uint64) cpg_memory * 1024 * 1024;
	uint64		counts[CPG_NCOUNTERS];
	CpgStoreSpace space;
	CpgStoreUse use;
	CpgRow		row = {0};

	cpg_require_preload();
	sum_up(&use, counts);
	cpg_store_space(cpg_store, &space);

	cpg_row_add_int(&row, memory);
	cpg_row_add(&row, Int32GetDatum(space.npartitions));
	cpg_row_add_text(&row, cpg_eviction_name(space.eviction));
	cpg_row_add_int(&row, use.entries);
	cpg_row_add_int(&row, use.bytes);
	cpg_row_add_int(&row, use.payload);
	cpg_row_add_int(&row, space.free);
	cpg_row_add_int(&row, memory - use.payload - space.free);
	add_counts(&row, &use, counts);
	PG_RETURN_DATUM(cpg_row_datum(fcinfo, &row));
}

Datum
cachepg_misses_by_reason(PG_FUNCTION_ARGS)
{
	CpgNamespace *spaces;
	int			count;

	cpg_row_begin_set(fcinfo);
	count = cpg_namespace_list(&spaces);
	for (int i = 0; i < count; i++)
	{
		CpgNamespace *ns = &spaces[i];
		uint8		privileges = cpg_namespace_privileges(ns);
		uint64		counts[CPG_NCOUNTERS];
		CpgRow		row = {0};

		if (!cpg_namespace_visible(ns))
			continue;
		cpg_stats_read(cpg_namespace_number(ns, NULL), counts);
		if (!(privileges & CPG_PRIVILEGE_ADMIN))
		{
			/* whether other roles have a value is none of their business */
			counts[CPG_COUNT_ABSENT] += counts[CPG_COUNT_OTHER_ROLE];
			counts[CPG_COUNT_OTHER_ROLE] = 0;
		}
		for (int c = 0; c < CPG_NCOUNTERS; c++)
		{
			if (cpg_stats_reason(c) == NULL || counts[c] == 0)
				continue;
			cpg_row_add_text(&row, ns->name);
			cpg_row_add_text(&row, cpg_stats_reason(c));
			cpg_row_add_int(&row, counts[c]);
			cpg_row_emit(fcinfo, &row);
		}
	}
	return (Datum) 0;
}

/* The columns of cache_namespace_stats after its name. */
static const CpgCounter shown[] = {
	CPG_COUNT_HITS,
	CPG_COUNT_STALE,
	CPG_COUNT_COALESCED,
	CPG_COUNT_FALLBACK,
	CPG_COUNT_LOADS,
	CPG_COUNT_LOADS_FAILED,
	CPG_COUNT_LOAD_TIMEOUTS,
	CPG_COUNT_WAIT_TIMEOUTS,
	CPG_COUNT_RETRY_THROTTLED,
	CPG_COUNT_BREAKER_OPEN,
	CPG_COUNT_EARLY,
	CPG_COUNT_REFRESH_QUEUED,
	CPG_COUNT_REFRESH_CHANGED,
	CPG_COUNT_REFRESH_UNCHANGED,
	CPG_COUNT_REFRESH_WASTED,
	CPG_COUNT_REFRESH_FAILED,
	CPG_COUNT_L2_HITS,
	CPG_COUNT_L2_MISSES,
	CPG_COUNT_L2_REFUSED,
	CPG_COUNT_L2_UNAVAILABLE,
	CPG_COUNT_L2_WRITES,
	CPG_COUNT_L2_DROPPED
};

Datum
cachepg_namespace_stats(PG_FUNCTION_ARGS)
{
	CpgNamespace *spaces;
	int			count;

	cpg_row_begin_set(fcinfo);
	count = cpg_namespace_list(&spaces);
	for (int i = 0; i < count; i++)
	{
		CpgNamespace *ns = &spaces[i];
		uint64		counts[CPG_NCOUNTERS];
		CpgRow		row = {0};

		if (!cpg_namespace_visible(ns))
			continue;
		cpg_stats_read(cpg_namespace_number(ns, NULL), counts);
		cpg_row_add_text(&row, ns->name);
		for (int c = 0; c < lengthof(shown); c++)
			cpg_row_add_int(&row, counts[shown[c]]);
		cpg_row_add_duration(&row, (int64) counts[CPG_COUNT_LOAD_TIME]);
		cpg_row_emit(fcinfo, &row);
	}
	return (Datum) 0;
}
