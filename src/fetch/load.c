/*-------------------------------------------------------------------------
 *
 * load.c
 *	  A load: the loader in its context, in a subtransaction, with a deadline.
 *
 * The stamp is read before the loader's snapshot is taken.  What the loader
 * reads is collected (inval/deps.h) and becomes the cells of the entry.
 *
 * The subtransaction is there so that a failure can be answered by an older
 * value: what a failed loader wrote is rolled back.  Where there can be no such
 * answer it is saved, and an error ends the statement.  In parallel mode there can
 * be none, and on a standby it would turn a conflict with recovery, which cancels
 * a query, into the end of the session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "bus/bus.h"
#include "catalog/pg_type.h"
#include "fault.h"
#include "fetch/fetch_internal.h"
#include "miscadmin.h"
#include "shmem.h"
#include "track/track.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/resowner.h"

/* The query of a call and its arguments. */
static char *
query_of(const CpgCall *call, CpgArgs *args)
{
	const CpgFetch *fetch = call->fetch;

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
	return cpg_registered_query(call->function);
}

/* The query of a call for many keys, and its argument. */
static char *
query_of_many(const CpgCall *call, CpgArgs *args)
{
	args->count = 1;
	args->types = palloc(sizeof(Oid));
	args->values = palloc(sizeof(Datum));
	args->nulls = palloc0(sizeof(bool));
	args->types[0] = TEXTARRAYOID;
	args->values[0] = PointerGetDatum(call->many_keys);
	return cpg_registered_query_many(call->function);
}

/* On what of the session the result may depend. */
static CpgReaders
readers_of(const CpgCall *call)
{
	const CpgContext *context = &call->context;
	CpgReaders	readers;

	readers.registered = context->registered;
	readers.shared = context->shared;
	/* a worker is restricted, but has the login of the session that asked */
	readers.login = !context->registered && !context->shared &&
		(call->for_session || !InSecurityRestrictedOperation());
	readers.role = context->registered || context->shared ? InvalidOid : GetUserId();
	readers.vary = context->vary;
	return readers;
}

/*
 * On a standby the primary's invalidations may come through the bus before what
 * made them is replayed: a load that begins in between sees the old rows.
 *
 * From here on the load sees everything that was committed up to its stamp:
 * tables, as its snapshot is newer, and what names mean, as a transaction that
 * changes that lowers its fences only after it has told everybody.  To hear it
 * is left to chance in PostgreSQL, until the next lock is taken.
 */
static void
take_stamp(CpgCall *call)
{
	call->stamp = cpg_guard_stamp(cpg_guard);
	if (unlikely(RecoveryInProgress()))
		call->behind = GetXLogReplayRecPtr(NULL) < cpg_bus_lsn() && !CPG_SKIP("replay-check");
	AcceptInvalidationMessages();
}

/* Run the loader and collect what it depends on. */
static void
run_loader(CpgCall *call)
{
	CpgReaders	readers;
	CpgArgs		args;
	char	   *query;

	CPG_FAULT("fetch-begun");
	take_stamp(call);
	readers = readers_of(call);
	query = call->many == NULL ? query_of(call, &args) : query_of_many(call, &args);
	if (call->context.registered)
		cpg_registered_check(call->function, call->context.owner);
	cpg_deps_begin(&call->load, !call->ttl_only, &readers);
	cpg_context_enter(&call->context);
	call->runs_as = GetUserId();
	CPG_FAULT("fetch-stamped");
	if (call->many == NULL)
		cpg_loader_run(query, &args, call->fetch->rowtype, &call->loaded);
	else
		cpg_loader_run_many(query, &args, call->many);
	CPG_FAULT("fetch-loaded");
	if (CPG_SKIP("stamp-order"))
		call->stamp = cpg_guard_stamp(cpg_guard);
	cpg_context_leave(&call->context);
	cpg_track_load_ends();
	cpg_deps_end(&call->load);
	cpg_track_loads_over();
}

/* Whether an error is one of the source, which an older value may hide. */
static bool
is_of_source(const CpgNamespace *ns, int sqlerrcode)
{
	for (int i = 0; i < ns->nstale_on; i++)
	{
		if (ns->stale_on[i] == sqlerrcode)
			return true;
	}
	switch (sqlerrcode)
	{
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_CRASH_SHUTDOWN:
		case ERRCODE_CANNOT_CONNECT_NOW:
			return true;
	}
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_FDW_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return true;
	}
	return false;
}

/* Take note of an error, in the current context. */
static void
note_failure(const CpgCall *call, bool timed_out, CpgOutcome *outcome)
{
	outcome->error = CopyErrorData();
	FlushErrorState();
	outcome->timed_out = timed_out && outcome->error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	outcome->source_failed = outcome->timed_out ||
		is_of_source(call->ns, outcome->error->sqlerrcode);
	cpg_context_explain(&call->context, outcome->error);
}

/* Take note of how a loader failed; what it left to be tidied up is not here. */
static void
end_failed(CpgCall *call, CpgLoad *outer, CpgDeadline *deadline, CpgOutcome *outcome)
{
	cpg_deadline_end(deadline);
	note_failure(call, deadline->passed, outcome);
	if (cpg_load != outer)
		cpg_deps_drop(&call->load);
	cpg_track_loads_over();
}

/*
 * As below, without a subtransaction: after an error, which is raised at once
 * unless the call is all or nothing, the caller may do no more than tell others of
 * it and raise it again.
 */
static void
run_unprotected(CpgCall *call, CpgOutcome *outcome)
{
	MemoryContext caller = CurrentMemoryContext;
	CpgLoad    *outer = cpg_load;
	CpgDeadline deadline;

	cpg_deadline_begin(&deadline, call->ns->load_timeout);
	PG_TRY();
	{
		run_loader(call);
		cpg_deadline_end(&deadline);
		outcome->loaded = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		end_failed(call, outer, &deadline, outcome);
		outcome->final = true;
	}
	PG_END_TRY();
	/* who hoped for another answer cannot have it */
	if (outcome->final && !call->all_or_nothing)
		ReThrowError(outcome->error);
}

/*
 * Load the value of a call.  An error of the loader is in *outcome, copied to
 * the current context; nothing is left of what it did, unless it is final.
 */
void
cpg_load_run(CpgCall *call, CpgOutcome *outcome)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	CpgLoad    *outer = cpg_load;
	CpgDeadline deadline;

	memset(outcome, 0, sizeof(*outcome));
	outcome->unkept = CPG_MAY_PUBLISH;
	call->loaded.microseconds = 0;
	if (call->all_or_nothing || IsInParallelMode() || RecoveryInProgress())
	{
		run_unprotected(call, outcome);
		return;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	cpg_deadline_begin(&deadline, call->ns->load_timeout);
	PG_TRY();
	{
		run_loader(call);
		cpg_deadline_end(&deadline);
		ReleaseCurrentSubTransaction();
		outcome->loaded = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		end_failed(call, outer, &deadline, outcome);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
}
