/*-------------------------------------------------------------------------
 *
 * views.c
 *	  cache_namespaces, cache_entries, cachepg_check and cachepg_version.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/row.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "core/frequency.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"
#include "stats/stats.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(cachepg_namespaces);
PG_FUNCTION_INFO_V1(cachepg_entries);
PG_FUNCTION_INFO_V1(cachepg_check);
PG_FUNCTION_INFO_V1(cachepg_version);

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
add_policy(CpgRow *row, const CpgNamespace *ns)
{
	cpg_row_add_text(row, ns->name);
	cpg_row_add(row, ObjectIdGetDatum(ns->owner));
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		row->value[row->n] = cpg_option_show(&cpg_options[i], ns, &row->null[row->n]);
		row->n++;
	}
}

/* What a namespace uses; one without a number nothing, or NULL if it can have none. */
static void
add_use(CpgRow *row, int number)
{
	CpgStoreUse use = {0};
	uint64		counts[CPG_NCOUNTERS];

	if (number < 0 && !cpg_registry_has_room())
	{
		for (int c = 0; c < 7; c++)
			cpg_row_add_null(row);
		return;
	}
	if (number >= 0)
		cpg_store_use(cpg_store, (uint16) number, &use);
	cpg_stats_read(number, counts);
	cpg_row_add_int(row, use.entries);
	cpg_row_add_int(row, use.bytes);
	cpg_row_add_int(row, counts[CPG_COUNT_HITS]);
	cpg_row_add_int(row, cpg_stats_sum(counts, CPG_COUNT_FIRST_MISS, CPG_COUNT_LAST_MISS));
	cpg_row_add_int(row, counts[CPG_COUNT_SETS]);
	cpg_row_add_int(row, counts[CPG_COUNT_LOADS]);
	cpg_row_add_int(row, use.evictions);
}

Datum
cachepg_namespaces(PG_FUNCTION_ARGS)
{
	CpgNamespace *spaces;
	int			count;

	cpg_row_begin_set(fcinfo);
	count = cpg_namespace_list(&spaces);
	for (int i = 0; i < count; i++)
	{
		CpgNamespace *ns = &spaces[i];
		uint8		privileges = cpg_namespace_privileges(ns);
		CpgRow		row = {0};

		if (!cpg_namespace_visible(ns))
			continue;
		add_policy(&row, ns);
		cpg_row_add(&row, privilege_array(privileges));
		add_use(&row, cpg_namespace_number(ns, NULL));
		cpg_row_emit(fcinfo, &row);
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
	CpgRow		row = {0};

	cpg_row_add_text(&row, ns->name);
	cpg_row_add(&row, PointerGetDatum(cstring_to_text_with_len(entry->key, entry->key_len)));
	if (OidIsValid(entry->role))
		cpg_row_add(&row, ObjectIdGetDatum(entry->role));
	else
		cpg_row_add_null(&row);
	cpg_row_add_text(&row, entry_state_name(entry->state));
	cpg_row_add(&row, ObjectIdGetDatum(entry->value.typid));
	cpg_row_add_int(&row, entry->bytes);
	cpg_row_add_interval(&row, Max(now - entry->value.created, 0));
	cpg_row_add_interval(&row, Max(entry->value.expiry - now, 0));
	cpg_row_add_int(&row, cpg_frequency_hits(entry->value.frequency));
	cpg_row_emit(fcinfo, &row);
}

Datum
cachepg_entries(PG_FUNCTION_ARGS)
{
	CpgListed  *batch = palloc(CPG_LIST_BATCH * sizeof(CpgListed));
	CpgCursor	cursor = {0, 0};
	int64		now = cpg_clock_now();
	int			count;

	cpg_row_begin_set(fcinfo);
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
			/* left by a flight for those who follow it */
			if (batch[i].key[0] == '\0')
				continue;
			ns = cpg_namespace_by_number(batch[i].ns);
			if (may_see(ns, &batch[i]))
				emit_entry(fcinfo, ns, &batch[i], now);
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

	cpg_row_begin_set(fcinfo);
	cpg_store_space(cpg_store, &space);
	for (int partition = 0; partition < space.npartitions; partition++)
	{
		int			count = cpg_store_check(cpg_store, partition, problems, PROBLEMS_MAX);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
		{
			CpgRow		row = {0};

			cpg_row_add(&row, Int32GetDatum(problems[i].partition));
			cpg_row_add_text(&row, problems[i].text);
			cpg_row_add_int(&row, problems[i].detail);
			cpg_row_emit(fcinfo, &row);
		}
	}
	return (Datum) 0;
}

Datum
cachepg_version(PG_FUNCTION_ARGS)
{
	CpgRow		row = {0};

	cpg_row_add_text(&row, cpg_catalog_version());
	cpg_row_add_text(&row, CPG_VERSION);
	PG_RETURN_DATUM(cpg_row_datum(fcinfo, &row));
}
