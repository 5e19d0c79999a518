/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Read-through: look up, else load, publish if allowed, return.
 *
 * The stamp is read before the loader's snapshot is taken.  What the loader
 * reads is collected (inval/deps.h) and becomes the cells of the entry: it is
 * valid until one of them is bumped.  Beside them every entry depends on the
 * schema cell of its database and on the cell of the role the loader ran as.
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
#include "fault.h"
#include "fetch/fetch.h"
#include "inval/deps.h"
#include "inval/twophase.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "shmem.h"
#include "stats/stats.h"
#include "track/track.h"
#include "utils/builtins.h"
#include "value/value.h"

#define MAY_PUBLISH CPG_NCOUNTERS
#define SYSTEM_CELLS 2			/* schema and role */

/* A load on its way to be published. */
typedef struct Flight
{
	const CpgFetch *fetch;
	uint64		fingerprint;
	Oid			role;			/* of its key */
	Oid			runs_as;
	Oid			function;		/* the registered loader, else InvalidOid */
	CpgContext	context;
	uint64		stamp;
	bool		ttl_only;
	int64		expiry;			/* of the value, kept or not */
	CpgLoad		load;
	CpgLoaded	loaded;
} Flight;

/* The role of the key of what a query, or the registered loader, loads. */
static Oid
role_of(const CpgFetch *fetch, const CpgNamespace *ns)
{
	if (fetch->query == NULL)
		return ns->shared ? InvalidOid : GetUserId();
	return cpg_identity_role(ns);
}

/*
 * The key of a fetch: that of the plain value, narrowed to what the same loader
 * made for the same readers.
 */
static CpgNamespace *
fetch_key(Flight *flight, CpgKey *key)
{
	const CpgFetch *fetch = flight->fetch;
	CpgNamespace *ns = cpg_key_resolve(fetch->key, CPG_PRIVILEGE_READ, key);
	uint64		version;

	if (fetch->query == NULL)
	{
		flight->function = cpg_registered_find(ns, &version);
		flight->fingerprint = cpg_fingerprint_of_loader(ns, flight->function, version);
	}
	else
		flight->fingerprint = cpg_fingerprint_of_query(fetch, ns);
	key->role = flight->role = role_of(fetch, ns);
	key->fingerprint = flight->fingerprint;
	key->any_fingerprint = false;
	return ns;
}

/*
 * Why what this transaction loads must not be kept, or MAY_PUBLISH.  Who may
 * not write may not choose the query of a value, but need not be its author: a
 * registered loader is the owner's.
 */
static CpgCounter
reason_of_transaction(const Flight *flight, CpgNamespace *ns)
{
	if (IsolationUsesXactSnapshot())
		return CPG_COUNT_ISOLATION;
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return CPG_COUNT_WROTE;
	if (IsInParallelMode())
		return CPG_COUNT_PARALLEL;
	if (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE)
		return CPG_COUNT_TEMP_TABLE;
	if (flight->fetch->query != NULL && cpg_track_hidden_names())
		return CPG_COUNT_TEMP_TABLE;
	if (flight->fetch->query != NULL &&
		(cpg_namespace_privileges(ns) & CPG_PRIVILEGE_WRITE) == 0)
		return CPG_COUNT_FORBIDDEN;
	if (!flight->ttl_only && (RecoveryInProgress() || cpg_twophase_unsettled()))
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
		cells[n++] = cpg_cell_role(cpg_guard, flight->runs_as);
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
	record.ns = cpg_key_resolve(fetch->key, CPG_PRIVILEGE_READ, &record.key);
	if (record.ns->number < 0)
		return MAY_PUBLISH;
	/* the loader, or somebody meanwhile, may have changed for whom it is */
	if (role_of(fetch, record.ns) != flight->role)
		return CPG_COUNT_OUTDATED;
	record.key.role = flight->role;
	record.key.fingerprint = flight->fingerprint;
	record.key.any_fingerprint = false;
	reason = reason_of_transaction(flight, record.ns);
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
	if (flight->loaded.isnull && flight->context.hidden != NULL)
		cpg_notes_write_hidden(&notes, flight->context.hidden);
	record.item.notes = notes.data;
	record.item.notes_len = (uint32) notes.len;
	flight->expiry = record.item.expiry;
	CPG_FAULT("fetch-checked");
	(void) cpg_inval_write(&record);
	CPG_FAULT("fetch-published");
	return MAY_PUBLISH;
}

/* The query of a flight and its arguments. */
static char *
query_of(const Flight *flight, CpgArgs *args)
{
	const CpgFetch *fetch = flight->fetch;

	if (fetch->query != NULL)
	{
		cpg_args_read(fetch, args);
		return text_to_cstring(fetch->query);
	}
	args->count = 1;
	args->types = palloc(sizeof(Oid));
	args->values = palloc(sizeof(Datum));
	args->nulls = palloc0(sizeof(bool));
	args->types[0] = TEXTOID;
	args->values[0] = PointerGetDatum(fetch->key);
	return cpg_registered_query(flight->function);
}

/* On what of the session the result of a flight may depend. */
static CpgReaders
readers_of(const Flight *flight)
{
	const CpgContext *context = &flight->context;
	CpgReaders	readers;

	readers.registered = context->registered;
	readers.shared = context->shared;
	readers.login = !context->registered && !context->shared && !InSecurityRestrictedOperation();
	readers.vary = context->vary;
	return readers;
}

/* Run the loader and collect what it depends on. */
static void
run_loader(Flight *flight)
{
	MemoryContext caller = CurrentMemoryContext;
	CpgReaders	readers = readers_of(flight);
	CpgArgs		args;
	char	   *query = query_of(flight, &args);

	if (flight->context.registered)
		cpg_registered_check(flight->function, flight->context.owner);
	cpg_deps_begin(&flight->load, !flight->ttl_only, &readers);
	PG_TRY();
	{
		cpg_context_enter(&flight->context);
		flight->runs_as = GetUserId();
		CPG_FAULT("fetch-begun");
		flight->stamp = cpg_guard_stamp(cpg_guard);
		CPG_FAULT("fetch-stamped");
		cpg_loader_run(query, &args, &flight->loaded);
		CPG_FAULT("fetch-loaded");
		if (CPG_SKIP("stamp-order"))
			flight->stamp = cpg_guard_stamp(cpg_guard);
		cpg_context_leave(&flight->context);
	}
	PG_CATCH();
	{
		cpg_deps_drop(&flight->load);
		cpg_track_loads_over();
		cpg_context_explain(&flight->context, caller);
	}
	PG_END_TRY();
	cpg_track_load_ends();
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
load(Flight *flight, CpgNamespace *ns, bool *isnull)
{
	const CpgFetch *fetch = flight->fetch;
	int			number = ns->number;
	CpgCounter	reason;

	flight->ttl_only = fetch->has_consistency ? fetch->ttl_only : ns->ttl_only;
	flight->expiry = cpg_namespace_expiry(ns, fetch->ttl, cpg_clock_now());
	cpg_context_prepare(&flight->context, ns, fetch->query == NULL);
	reason = reason_of_transaction(flight, ns);
	run_loader(flight);
	if (number >= 0)
	{
		cpg_stats_add(number, CPG_COUNT_LOADS, 1);
		cpg_stats_add(number, CPG_COUNT_LOAD_TIME, flight->loaded.microseconds);
		if (reason == MAY_PUBLISH)
			reason = publish(flight);
		if (reason != MAY_PUBLISH)
			cpg_stats_add(number, reason, 1);
	}
	hand_on(flight);
	*isnull = flight->loaded.isnull;
	return flight->loaded.value;
}

/*
 * The value of a fetch, jsonb, in the current memory context.  Needs read on
 * the key's namespace.
 */
Datum
cpg_fetch(CpgFetch *fetch, bool *isnull)
{
	CpgValue	value = {.buffer = NULL};
	Flight		flight;
	CpgKey		key;
	CpgNamespace *ns;
	CpgRead		read;

	flight.fetch = fetch;
	flight.function = InvalidOid;
	ns = fetch_key(&flight, &key);
	if (ns->number < 0)
		return load(&flight, ns, isnull);

	if (unlikely(cpg_track_hidden_names()) && fetch->query != NULL)
	{
		cpg_stats_add(ns->number, CPG_COUNT_HIDDEN_NAMES, 1);
		return load(&flight, ns, isnull);
	}
	read = cpg_inval_get(ns, &key, cpg_clock_read(), &value);
	if (likely(read.hit && !value.stale))
	{
		cpg_stats_add(ns->number, CPG_COUNT_HITS, 1);
		*isnull = value.isnull;
		return value.datum;
	}
	cpg_stats_add(ns->number, read.hit ? CPG_COUNT_EXPIRED : read.why, 1);
	return load(&flight, ns, isnull);
}
