/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Read-through: look up, else load, publish if allowed, return.
 *
 * The stamp is read before the loader's snapshot is taken.  What the loader
 * reads is collected (inval/deps.h) and becomes the cells of the entry: it is
 * valid until one of them is bumped.  Beside them every entry depends on the
 * schema cell of its database and on the cell of its role.
 *
 * A value is kept only if it was loaded in READ COMMITTED, outside of parallel
 * workers, in a transaction that has not written (no transaction id before or
 * after the load), has not touched temporary tables and has not invalidated
 * what the value depends on.  Others would not, or not yet, see what this one
 * sees.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "inval/deps.h"
#include "inval/twophase.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"
#include "stats/stats.h"
#include "track/track.h"
#include "value/value.h"

#define MAY_PUBLISH CPG_NCOUNTERS
#define SYSTEM_CELLS 2			/* schema and role */

/* A load on its way to be published. */
typedef struct Flight
{
	const CpgFetch *fetch;
	uint64		fingerprint;
	uint64		stamp;
	bool		ttl_only;
	int64		expiry;			/* of the value, kept or not */
	CpgLoad		load;
	CpgLoaded	loaded;
} Flight;

/*
 * The key of a fetch.  Its query ran, or would run, as the current role: what
 * it sees is not for others, whatever the scope of the namespace.
 */
static CpgNamespace *
fetch_key(const CpgFetch *fetch, uint64 fingerprint, CpgKey *key)
{
	CpgNamespace *ns = cpg_key_resolve(fetch->key, CPG_PRIVILEGE_READ, key);

	key->role = GetUserId();
	key->fingerprint = fingerprint;
	key->any_fingerprint = false;
	return ns;
}

/* Why what this transaction loads must not be kept, or MAY_PUBLISH. */
static CpgCounter
reason_of_transaction(CpgNamespace *ns, bool ttl_only)
{
	if (IsolationUsesXactSnapshot())
		return CPG_COUNT_ISOLATION;
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return CPG_COUNT_WROTE;
	if (IsInParallelMode())
		return CPG_COUNT_PARALLEL;
	if (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE)
		return CPG_COUNT_TEMP_TABLE;
	if ((cpg_namespace_privileges(ns) & CPG_PRIVILEGE_WRITE) == 0)
		return CPG_COUNT_FORBIDDEN;
	if (!ttl_only && (RecoveryInProgress() || cpg_twophase_unsettled()))
		return CPG_COUNT_UNKEPT_RECOVERY;
	return MAY_PUBLISH;
}

/* Why the result of this load must not be kept, or MAY_PUBLISH. */
static CpgCounter
reason_of_load(const Flight *flight, const CpgKey *key)
{
	const CpgLoad *load = &flight->load;

	if (load->unpublishable != CPG_NCOUNTERS)
		return load->unpublishable;
	if (load->too_many || load->ncells + flight->fetch->ntags + SYSTEM_CELLS > CPG_CELLS_MAX)
		return CPG_COUNT_TOO_MANY_CELLS;
	if (cpg_inval_hides(key, load->cells, load->ncells) ||
		cpg_inval_hides(key, flight->fetch->tags, flight->fetch->ntags))
		return CPG_COUNT_WROTE;
	return MAY_PUBLISH;
}

/* All cells that the value depends on; returns their number. */
static int
collect_cells(const Flight *flight, CpgCell *cells)
{
	int			n = 0;
	int			database = cpg_registry_database();

	if (!flight->ttl_only)
	{
		cells[n++] = cpg_cell_schema(cpg_guard, (uint16) Max(database, 0));
		cells[n++] = cpg_cell_role(cpg_guard, GetUserId());
	}
	for (int i = 0; i < flight->load.ncells; i++)
		cells[n++] = flight->load.cells[i];
	for (int i = 0; i < flight->fetch->ntags; i++)
		cells[n++] = flight->fetch->tags[i];
	return n;
}

/* The item of a loaded value. */
static void
fill_item(Flight *flight, const CpgNamespace *ns, CpgTypeInfo *info, int64 now, CpgItem *item)
{
	const CpgLoaded *loaded = &flight->loaded;
	int64		ttl = flight->fetch->ttl;

	if (loaded->isnull && ttl == 0)
		ttl = ns->negative_ttl;
	memset(item, 0, sizeof(*item));
	cpg_type_info(JSONBOID, info);
	cpg_value_encode(info, loaded->value, loaded->isnull, item);
	item->stamp = flight->stamp;
	item->created = now;
	item->expiry = cpg_namespace_expiry(ns, ttl, now);
	if (flight->load.expiry != 0)
		item->expiry = Min(item->expiry, flight->load.expiry);
	item->load_time = (uint32) Min(Max(loaded->microseconds, 1), PG_UINT32_MAX);
	item->max_entries = ns->max_entries;
	item->max_bytes = ns->max_bytes;
}

/*
 * Keep a loaded value.  The loader may have changed or dropped namespaces, so
 * that the key is resolved again.
 */
static CpgCounter
publish(Flight *flight)
{
	const CpgFetch *fetch = flight->fetch;
	CpgCell		cells[CPG_CELLS_MAX];
	StringInfoData notes;
	CpgTypeInfo info;
	CpgWrite	record;
	CpgCounter	reason;

	record.op = CPG_WRITE_PUT;
	record.mode = CPG_PUT_FILL;
	record.immediate = true;
	record.ns = fetch_key(fetch, flight->fingerprint, &record.key);
	if (record.ns->number < 0)
		return MAY_PUBLISH;
	reason = reason_of_transaction(record.ns, flight->ttl_only);
	if (reason == MAY_PUBLISH)
		reason = reason_of_load(flight, &record.key);
	if (reason != MAY_PUBLISH)
		return reason;
	record.now = cpg_clock_now();
	fill_item(flight, record.ns, &info, record.now, &record.item);
	record.item.cells = cells;
	record.item.ncells = collect_cells(flight, cells);
	initStringInfo(&notes);
	if (fetch->notes_len > 0)
		appendBinaryStringInfo(&notes, fetch->notes, (int) fetch->notes_len);
	cpg_notes_write_load(&notes, &flight->load);
	record.item.notes = notes.data;
	record.item.notes_len = (uint32) notes.len;
	flight->expiry = record.item.expiry;
	(void) cpg_inval_write(&record);
	return MAY_PUBLISH;
}

/* Run the loader and collect what it depends on. */
static void
run_loader(Flight *flight)
{
	cpg_deps_begin(&flight->load, !flight->ttl_only);
	PG_TRY();
	{
		flight->stamp = cpg_guard_stamp(cpg_guard);
		cpg_loader_run(flight->fetch, &flight->loaded);
	}
	PG_CATCH();
	{
		cpg_deps_drop(&flight->load);
		cpg_track_loads_over();
		PG_RE_THROW();
	}
	PG_END_TRY();
	cpg_deps_end(&flight->load);
	cpg_track_loads_over();
}

/* What is loaded around this carries its tags and lives no longer. */
static void
hand_on(const Flight *flight)
{
	for (int i = 0; i < flight->fetch->ntags; i++)
		cpg_deps_cell(flight->fetch->tags[i]);
	cpg_deps_limit_life(flight->expiry);
}

/* Load, keep if allowed, return. */
static Datum
load(const CpgFetch *fetch, CpgNamespace *ns, uint64 fingerprint, bool *isnull)
{
	int			number = ns->number;
	Flight		flight = {.fetch = fetch,.fingerprint = fingerprint};
	CpgCounter	reason;

	flight.ttl_only = fetch->has_consistency ? fetch->ttl_only : ns->ttl_only;
	flight.expiry = cpg_namespace_expiry(ns, fetch->ttl, cpg_clock_now());
	reason = reason_of_transaction(ns, flight.ttl_only);
	run_loader(&flight);
	if (number >= 0)
	{
		cpg_stats_add(number, CPG_COUNT_LOADS, 1);
		cpg_stats_add(number, CPG_COUNT_LOAD_TIME, flight.loaded.microseconds);
		if (reason == MAY_PUBLISH)
			reason = publish(&flight);
		if (reason != MAY_PUBLISH)
			cpg_stats_add(number, reason, 1);
	}
	hand_on(&flight);
	*isnull = flight.loaded.isnull;
	return flight.loaded.value;
}

/*
 * The value of a fetch, jsonb, in the current memory context.  Needs read on
 * the key's namespace.
 */
Datum
cpg_fetch(CpgFetch *fetch, bool *isnull)
{
	CpgValue	value = {.buffer = NULL};
	CpgKey		key;
	uint64		fingerprint = cpg_fetch_fingerprint(fetch);
	CpgNamespace *ns = fetch_key(fetch, fingerprint, &key);
	CpgRead		read;

	if (ns->number < 0)
		return load(fetch, ns, 0, isnull);

	read = cpg_inval_get(ns, &key, cpg_clock_read(), &value);
	if (read.hit && !value.stale)
	{
		cpg_stats_add(ns->number, CPG_COUNT_HITS, 1);
		*isnull = value.isnull;
		return value.datum;
	}
	cpg_stats_add(ns->number, read.hit ? CPG_COUNT_EXPIRED : read.why, 1);
	return load(fetch, ns, fingerprint, isnull);
}
