/*-------------------------------------------------------------------------
 *
 * publish.c
 *	  What of a loaded value is kept, for whom.
 *
 * Every entry depends on what its loader read, and beside that on the schema
 * cell of its database and on the cell of the role the loader ran as.
 *
 * A value is kept only if it was loaded in READ COMMITTED, outside of parallel
 * workers, in a transaction that has not written (no transaction id before or
 * after the load), has not touched temporary tables and has not invalidated
 * what the value depends on.  Others would not, or not yet, see what this one
 * sees.
 *
 * A value that is outdated when it arrives, because something was committed
 * meanwhile, is of use all the same to those who asked before its load began:
 * it is left for them under a key of its own, which begins with a NUL byte as
 * no user's key does.
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
#include "core/frequency.h"
#include "core/refresh.h"
#include "fault.h"
#include "fetch/fetch_internal.h"
#include "inval/twophase.h"
#include "inval/usage.h"
#include "policy/key.h"
#include "shmem.h"
#include "track/track.h"
#include "value/value.h"

#define SYSTEM_CELLS	2		/* schema and role */
#define HANDED_LIFE		10000	/* ms */

/*
 * Why what this transaction loads must not be kept, or CPG_MAY_PUBLISH.  Who
 * may not write may not choose the query of a value, but need not be its
 * author: a registered loader is the owner's.
 */
CpgCounter
cpg_publish_reason(const CpgCall *call, CpgNamespace *ns)
{
	if (IsolationUsesXactSnapshot())
		return CPG_COUNT_ISOLATION;
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		cpg_inval_hides(&call->key, call->fetch->tags, call->fetch->ntags))
		return CPG_COUNT_WROTE;
	if (IsInParallelMode())
		return CPG_COUNT_PARALLEL;
	if (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE)
		return CPG_COUNT_TEMP_TABLE;
	if (call->fetch->query != NULL && cpg_track_hidden_names())
		return CPG_COUNT_TEMP_TABLE;
	if (call->fetch->query != NULL &&
		(cpg_namespace_privileges(ns) & CPG_PRIVILEGE_WRITE) == 0)
		return CPG_COUNT_FORBIDDEN;
	if (!call->ttl_only && (RecoveryInProgress() || cpg_twophase_unsettled()))
		return CPG_COUNT_UNKEPT_RECOVERY;
	if (call->behind)
		return CPG_COUNT_UNKEPT_RECOVERY;
	if (!call->ttl_only && ns->number >= 0 && !cpg_usage_settled())
		return CPG_COUNT_OUTDATED;
	return CPG_MAY_PUBLISH;
}

/* Why the result of this load must not be kept, or CPG_MAY_PUBLISH. */
static CpgCounter
reason_of_load(const CpgCall *call)
{
	const CpgLoad *load = &call->load;

	if (load->unpublishable != CPG_NCOUNTERS)
		return load->unpublishable;
	if (load->too_many || load->ncells + call->fetch->ntags + SYSTEM_CELLS > CPG_CELLS_MAX)
		return CPG_COUNT_TOO_MANY_CELLS;
	return CPG_MAY_PUBLISH;
}

/* All cells that the value depends on; returns their number. */
static int
collect_cells(const CpgCall *call, CpgCell *cells)
{
	int			n = 0;
	int			database = cpg_registry_database();

	if (!call->ttl_only)
	{
		cells[n++] = cpg_cell_schema(cpg_guard, (uint16) Max(database, 0));
		cells[n++] = cpg_cell_role(cpg_guard, call->runs_as);
	}
	for (int i = 0; i < call->load.ncells; i++)
		cells[n++] = call->load.cells[i];
	for (int i = 0; i < call->fetch->ntags; i++)
		cells[n++] = call->fetch->tags[i];
	return n;
}

/* Whether the loaded value differs from the one before it, if that is known. */
static bool
differs(const CpgCall *call)
{
	const CpgValue *old = &call->old;
	const struct varlena *loaded = (const struct varlena *) DatumGetPointer(call->loaded.value);

	if (!call->has_old || old->isnull != call->loaded.isnull || old->typid != call->loaded.type)
		return true;
	if (old->isnull)
		return false;
	return VARSIZE_ANY(DatumGetPointer(old->datum)) != VARSIZE_ANY(loaded) ||
		memcmp(DatumGetPointer(old->datum), loaded, VARSIZE_ANY(loaded)) != 0;
}

/* How long the value is to live, in milliseconds; 0 for the namespace's ttl. */
static int64
lifetime(const CpgCall *call, const CpgNamespace *ns)
{
	const CpgValue *old = &call->old;

	if (call->fetch->ttl != 0)
		return call->fetch->ttl;
	if (call->loaded.isnull)
		return ns->negative_ttl;
	if (!ns->adaptive)
		return ns->ttl;
	/* most keys are not asked for again: they are to take memory briefly */
	if (!call->has_old)
		return ns->min_ttl;
	return cpg_adaptive_ttl(old->expiry - old->created, ns->min_ttl, ns->max_ttl,
							call->changed, (uint32) cpg_frequency_hits(old->frequency));
}

/* When of a life of so many milliseconds a value becomes due for renewal. */
static uint32
soft_lifetime(const CpgCall *call, const CpgNamespace *ns, int64 life, int64 wanted)
{
	int64		soft = call->fetch->soft_ttl != 0 ? call->fetch->soft_ttl : ns->soft_ttl;

	if (soft == 0 || soft >= wanted)
		return 0;
	/* jitter, and lifetimes that adapt, move both */
	if (life < wanted || (ns->adaptive && call->fetch->soft_ttl == 0))
		soft = (int64) ((double) soft * (double) life / (double) (ns->adaptive ? ns->ttl : wanted));
	return (uint32) Min(Max(soft, 1), PG_UINT32_MAX);
}

/* The item of a loaded value. */
static void
fill_item(CpgCall *call, const CpgNamespace *ns, CpgTypeInfo *info, int64 now, CpgItem *item)
{
	const CpgLoaded *loaded = &call->loaded;
	int64		ttl = lifetime(call, ns);

	memset(item, 0, sizeof(*item));
	cpg_type_info(loaded->type, info);
	cpg_value_encode(info, loaded->value, loaded->isnull, item);
	item->stamp = call->stamp;
	item->created = now;
	item->expiry = cpg_namespace_expiry(ns, ttl, now);
	item->soft_ttl = soft_lifetime(call, ns, item->expiry - now, ttl);
	if (call->load.expiry != 0)
		item->expiry = Min(item->expiry, call->load.expiry);
	item->load_time = cpg_delta_average(call->has_old ? call->old.load_time : 0,
										(uint32) Min(Max(loaded->microseconds, 1), PG_UINT32_MAX));
	item->max_entries = ns->max_entries;
	item->max_bytes = ns->max_bytes;
}

/* What an entry tells its reader. */
static void
write_notes(const CpgCall *call, StringInfo notes)
{
	const CpgFetch *fetch = call->fetch;

	initStringInfo(notes);
	if (fetch->notes_len > 0)
		appendBinaryStringInfo(notes, fetch->notes, (int) fetch->notes_len);
	cpg_notes_write_load(notes, &call->load);
	if (call->loaded.isnull && call->context.hidden != NULL)
		cpg_notes_write_hidden(notes, call->context.hidden);
}

/* What became of a fill. */
static CpgCounter
reason_of_result(CpgPutResult result)
{
	switch (result)
	{
		case CPG_PUT_STORED:
			return CPG_MAY_PUBLISH;
		case CPG_PUT_REFUSED:
		case CPG_PUT_OUTDATED:
			return CPG_COUNT_OUTDATED;
		case CPG_PUT_TOO_LARGE:
			return CPG_COUNT_TOO_LARGE;
		case CPG_PUT_NO_ROOM:
			return CPG_COUNT_NO_ROOM;
	}
	pg_unreachable();
}

/* Name in a record what the value of a call is stored under; false if nothing. */
static bool
begin_record(CpgCall *call, CpgWrite *record)
{
	record->op = CPG_WRITE_PUT;
	record->mode = CPG_PUT_FILL;
	record->immediate = true;
	record->ns = cpg_key_resolve_exact(call->fetch->key, CPG_PRIVILEGE_READ, &record->key);
	record->now = cpg_clock_now();
	return record->ns->number >= 0;
}

/*
 * Keep a loaded value; why not, or CPG_MAY_PUBLISH.  The loader may have
 * changed or dropped namespaces, so that the key is resolved again.
 */
CpgCounter
cpg_publish(CpgCall *call)
{
	CpgCell		cells[CPG_CELLS_MAX];
	StringInfoData notes;
	CpgTypeInfo info;
	CpgWrite	record;
	CpgCounter	reason;
	int			ncells;

	call->handable = false;
	if (!begin_record(call, &record))
		return CPG_COUNT_OUTDATED;
	/* the loader, or somebody meanwhile, may have changed for whom it is */
	if (cpg_call_role(call, record.ns) != call->role)
		return CPG_COUNT_OUTDATED;
	record.key.role = call->role;
	record.key.fingerprint = call->key.fingerprint;
	record.key.any_fingerprint = false;
	reason = cpg_publish_reason(call, record.ns);
	if (reason == CPG_MAY_PUBLISH)
		reason = reason_of_load(call);
	if (reason != CPG_MAY_PUBLISH)
		return reason;
	ncells = collect_cells(call, cells);
	if (cpg_inval_hides(&record.key, cells, ncells))
		return CPG_COUNT_WROTE;
	call->handable = true;
	call->changed = differs(call);
	fill_item(call, record.ns, &info, record.now, &record.item);
	record.item.cells = cells;
	record.item.ncells = ncells;
	write_notes(call, &notes);
	record.item.notes = notes.data;
	record.item.notes_len = (uint32) notes.len;
	call->expiry = record.item.expiry;
	CPG_FAULT("fetch-checked");
	reason = reason_of_result(cpg_inval_write(&record).put);
	if (reason == CPG_MAY_PUBLISH)
		cpg_call_to_l2(call, record.ns, &record.key, &record.item);
	CPG_FAULT("fetch-published");
	return reason;
}

#define HANDED_KEY_SIZE 13		/* a NUL byte, the tag, the flight's number */

/* The key of the result of a flight, over the bytes given. */
static void
handed_key(const CpgCall *call, uint32 number, char *bytes, CpgKey *key)
{
	bytes[0] = '\0';
	memcpy(bytes + 1, &call->tag, sizeof(call->tag));
	memcpy(bytes + 1 + sizeof(call->tag), &number, sizeof(number));
	cpg_key_init(key, cpg_store, (uint16) call->key.ns, bytes, HANDED_KEY_SIZE);
	key->role = call->role;
	key->fingerprint = call->key.fingerprint;
	key->any_fingerprint = false;
}

/*
 * Leave the result of a flight for those who wait for one that began after they
 * asked; false if it cannot be kept.
 */
bool
cpg_hand_over(CpgCall *call, const CpgFlight *flight)
{
	char		bytes[HANDED_KEY_SIZE];
	CpgTypeInfo info;
	CpgWrite	record;

	if (!begin_record(call, &record) || record.key.ns != call->key.ns)
		return false;
	handed_key(call, flight->number, bytes, &record.key);
	fill_item(call, record.ns, &info, record.now, &record.item);
	record.mode = CPG_PUT_SET;
	record.item.stamp = cpg_guard_stamp(cpg_guard);
	record.item.expiry = record.now + HANDED_LIFE;
	record.item.soft_ttl = 0;
	/* it takes no place of the namespace's own */
	record.item.max_entries = record.item.max_bytes = 0;
	return cpg_store_put(cpg_store, &record.key, &record.item, CPG_PUT_SET, record.now) == CPG_PUT_STORED;
}

/*
 * Take the result that a flight left; false if it is not there, or if this
 * transaction may have changed what it was loaded from.
 */
bool
cpg_take_over(CpgCall *call, uint32 number)
{
	char		bytes[HANDED_KEY_SIZE];
	CpgValue	found = {.buffer = NULL};
	CpgKey		key;

	if (cpg_inval_pending() && !CPG_SKIP("handed-own"))
		return false;
	handed_key(call, number, bytes, &key);
	if (cpg_store_get(cpg_store, &key, cpg_clock_now(), &found) != CPG_HIT ||
		(OidIsValid(call->fetch->rowtype) && !cpg_value_current(&found)))
		return false;
	cpg_deps_unpublishable(CPG_COUNT_OUTDATED);
	call->value = found.datum;
	call->isnull = found.isnull;
	return true;
}
