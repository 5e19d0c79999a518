/*-------------------------------------------------------------------------
 *
 * views.c
 *	  The functions behind the views, cachepg_check and cachepg_version.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "core/frequency.h"
#include "guc.h"
#include "miscadmin.h"
#include "shmem.h"
#include "stats/stats.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(cachepg_namespaces);
PG_FUNCTION_INFO_V1(cachepg_entries);
PG_FUNCTION_INFO_V1(cachepg_stats);
PG_FUNCTION_INFO_V1(cachepg_misses_by_reason);
PG_FUNCTION_INFO_V1(cachepg_check);
PG_FUNCTION_INFO_V1(cachepg_version);

#define ROW_MAX 64

/* A row being filled from left to right. */
typedef struct Row
{
	int			n;
	Datum		value[ROW_MAX];
	bool		null[ROW_MAX];
} Row;

static void
add(Row *row, Datum value)
{
	row->value[row->n] = value;
	row->null[row->n++] = false;
}

static void
add_null(Row *row)
{
	row->value[row->n] = (Datum) 0;
	row->null[row->n++] = true;
}

static void
add_int(Row *row, uint64 value)
{
	add(row, Int64GetDatum((int64) value));
}

static void
add_text(Row *row, const char *value)
{
	if (value == NULL)
		add_null(row);
	else
		add(row, CStringGetTextDatum(value));
}

static void
add_interval(Row *row, int64 milliseconds)
{
	add(row, IntervalPGetDatum(cpg_ttl_to_interval(milliseconds)));
}

static void
emit(FunctionCallInfo fcinfo, Row *row)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row->value, row->null);
	row->n = 0;
}

static void
begin_set(FunctionCallInfo fcinfo)
{
	cpg_require_preload();
	InitMaterializedSRF(fcinfo, 0);
}

/* The privileges in a set, as a text array. */
static Datum
privilege_array(uint8 privileges)
{
	Datum		names[8];
	int			n = 0;

	for (int bit = CPG_PRIVILEGE_READ; bit <= CPG_PRIVILEGE_OWNER; bit <<= 1)
	{
		if (privileges & bit)
			names[n++] = CStringGetTextDatum(cpg_privilege_name((uint8) bit));
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
add_policy(Row *row, const CpgNamespace *ns)
{
	add_text(row, ns->name);
	add(row, ObjectIdGetDatum(ns->owner));
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		row->value[row->n] = cpg_option_show(&cpg_options[i], ns, &row->null[row->n]);
		row->n++;
	}
}

static void
add_use(Row *row, int number)
{
	CpgStoreUse use;
	uint64		counts[CPG_NCOUNTERS];

	cpg_store_use(cpg_store, (uint16) number, &use);
	cpg_stats_read(number, counts);
	add_int(row, use.entries);
	add_int(row, use.bytes);
	add_int(row, counts[CPG_COUNT_HITS]);
	add_int(row, cpg_stats_sum(counts, CPG_COUNT_FIRST_MISS, CPG_COUNT_LAST_MISS));
	add_int(row, counts[CPG_COUNT_SETS]);
	add_int(row, counts[CPG_COUNT_LOADS]);
	add_int(row, use.evictions);
}

Datum
cachepg_namespaces(PG_FUNCTION_ARGS)
{
	CpgNamespace *spaces;
	int			count;

	begin_set(fcinfo);
	count = cpg_namespace_list(&spaces);
	for (int i = 0; i < count; i++)
	{
		CpgNamespace *ns = &spaces[i];
		uint8		privileges = cpg_namespace_privileges(ns);
		Row			row = {0};

		if (privileges == 0)
			continue;
		add_policy(&row, ns);
		add(&row, privilege_array(privileges));
		if (cpg_namespace_attach(ns))
			add_use(&row, ns->number);
		else
		{
			for (int c = 0; c < 7; c++)
				add_null(&row);
		}
		emit(fcinfo, &row);
	}
	return (Datum) 0;
}

/*
 * Whether the current role may see an entry of a namespace: its own, and of
 * these not what was loaded under other settings, for example for another
 * tenant.
 */
static bool
may_see(CpgNamespace *ns, const CpgListed *entry)
{
	uint8		privileges;
	CpgKey		reader;

	if (ns == NULL)
		return false;
	privileges = cpg_namespace_privileges(ns);
	if (privileges & CPG_PRIVILEGE_ADMIN)
		return true;
	if (!(privileges & CPG_PRIVILEGE_READ) ||
		(OidIsValid(entry->role) && entry->role != GetUserId()))
		return false;
	reader.any_fingerprint = true;
	cpg_identity_of_read(ns, &reader);
	return cpg_key_admits(&reader, entry->fingerprint);
}

static const char *
entry_state_name(CpgResult state)
{
	if (state == CPG_HIT)
		return "fresh";
	return state == CPG_MISS_EXPIRED ? "expired" : "invalidated";
}

static void
emit_entry(FunctionCallInfo fcinfo, const CpgNamespace *ns, const CpgListed *entry, int64 now)
{
	Row			row = {0};

	add_text(&row, ns->name);
	add(&row, PointerGetDatum(cstring_to_text_with_len(entry->key, entry->key_len)));
	if (OidIsValid(entry->role))
		add(&row, ObjectIdGetDatum(entry->role));
	else
		add_null(&row);
	add_text(&row, entry_state_name(entry->state));
	add(&row, ObjectIdGetDatum(entry->value.typid));
	add_int(&row, entry->bytes);
	add_interval(&row, Max(now - entry->value.created, 0));
	add_interval(&row, Max(entry->value.expiry - now, 0));
	add_int(&row, cpg_frequency_hits(entry->value.frequency));
	emit(fcinfo, &row);
}

Datum
cachepg_entries(PG_FUNCTION_ARGS)
{
	CpgListed  *batch = palloc(CPG_LIST_BATCH * sizeof(CpgListed));
	CpgCursor	cursor = {0, 0};
	int64		now = cpg_clock_now();
	int			count;

	begin_set(fcinfo);
	while ((count = cpg_store_list(cpg_store, &cursor, now, batch)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
		{
			CpgNamespace *ns;

			/*
			 * may be of an earlier namespace with that number, so not for
			 * these eyes
			 */
			if (batch[i].state == CPG_MISS_INVALIDATED_NAMESPACE)
				continue;
			ns = cpg_namespace_by_number(batch[i].ns);
			if (may_see(ns, &batch[i]))
				emit_entry(fcinfo, ns, &batch[i], now);
		}
	}
	return (Datum) 0;
}

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
add_counts(Row *row, const CpgStoreUse *use, const uint64 *counts)
{
	uint64		hits = counts[CPG_COUNT_HITS];
	uint64		misses = cpg_stats_sum(counts, CPG_COUNT_FIRST_MISS, CPG_COUNT_LAST_MISS);
	Interval   *load_time = palloc0(sizeof(Interval));

	load_time->time = (int64) counts[CPG_COUNT_LOAD_TIME];
	add_int(row, hits);
	add_int(row, misses);
	if (hits + misses > 0)
		add(row, Float8GetDatum((double) hits / (double) (hits + misses)));
	else
		add_null(row);
	add_int(row, counts[CPG_COUNT_SETS]);
	add_int(row, counts[CPG_COUNT_DELETES]);
	add_int(row, counts[CPG_COUNT_LOADS]);
	add(row, IntervalPGetDatum(load_time));
	add_int(row, use->evictions);
	add_int(row, use->expirations);
	add_int(row, counts[CPG_COUNT_TOO_LARGE]);
	add_int(row, counts[CPG_COUNT_DROPPED_SETS]);
	add_int(row, cpg_stats_sum(counts, CPG_COUNT_FIRST_UNKEPT, CPG_COUNT_LAST_UNKEPT));
}

Datum
cachepg_stats(PG_FUNCTION_ARGS)
{
	uint64		memory = (uint64) cpg_memory * 1024 * 1024;
	uint64		counts[CPG_NCOUNTERS];
	CpgStoreSpace space;
	CpgStoreUse use;
	TupleDesc	desc;
	Row			row = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	cpg_require_preload();
	sum_up(&use, counts);
	cpg_store_space(cpg_store, &space);

	add_int(&row, memory);
	add(&row, Int32GetDatum(space.npartitions));
	add_text(&row, cpg_eviction_name(space.eviction));
	add_int(&row, use.entries);
	add_int(&row, use.bytes);
	add_int(&row, use.payload);
	add_int(&row, space.free);
	add_int(&row, memory - use.payload - space.free);
	add_counts(&row, &use, counts);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row.value, row.null)));
}

Datum
cachepg_misses_by_reason(PG_FUNCTION_ARGS)
{
	CpgNamespace *spaces;
	int			count;

	begin_set(fcinfo);
	count = cpg_namespace_list(&spaces);
	for (int i = 0; i < count; i++)
	{
		CpgNamespace *ns = &spaces[i];
		uint8		privileges = cpg_namespace_privileges(ns);
		uint64		counts[CPG_NCOUNTERS];
		Row			row = {0};

		if (privileges == 0 || !cpg_namespace_attach(ns))
			continue;
		cpg_stats_read(ns->number, counts);
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
			add_text(&row, ns->name);
			add_text(&row, cpg_stats_reason(c));
			add_int(&row, counts[c]);
			emit(fcinfo, &row);
		}
	}
	return (Datum) 0;
}

#define PROBLEMS_MAX 100

Datum
cachepg_check(PG_FUNCTION_ARGS)
{
	CpgProblem *problems = palloc(PROBLEMS_MAX * sizeof(CpgProblem));
	CpgStoreSpace space;

	begin_set(fcinfo);
	cpg_store_space(cpg_store, &space);
	for (int partition = 0; partition < space.npartitions; partition++)
	{
		int			count = cpg_store_check(cpg_store, partition, problems, PROBLEMS_MAX);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
		{
			Row			row = {0};

			add(&row, Int32GetDatum(problems[i].partition));
			add_text(&row, problems[i].text);
			add_int(&row, problems[i].detail);
			emit(fcinfo, &row);
		}
	}
	return (Datum) 0;
}

Datum
cachepg_version(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Row			row = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	add_text(&row, cpg_catalog_version());
	add_text(&row, CPG_VERSION);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row.value, row.null)));
}
