/*-------------------------------------------------------------------------
 *
 * early.c
 *	  Loading a value before it expires, and what workers do.
 *
 * A value is due when it is past its soft lifetime, has been made stale, or
 * when XFetch says so.  Whoever sees it has a worker load it, at most one at a
 * time, and returns the value he has; where there is no worker, or the call is
 * too long to be queued, he loads it himself unless somebody else does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "common/pg_prng.h"
#include "core/frequency.h"
#include "core/refresh.h"
#include "fetch/fetch.h"
#include "fetch/fetch_internal.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "policy/key.h"
#include "refresh/refresh.h"

/* How long a request may take beside its load (ms). */
#define QUEUE_MARGIN		5000

/* How long a loader that fails in workers only is left to sessions (ms). */
#define FOREGROUND_FOR		60000

/* How long a worker waits for its turn to load (ms). */
#define PERMIT_WAIT			1000

/* The worker waits so many times longer after each failure in a row. */
#define BACK_OFF_MAX		5

/* Whether a value that was hit is to be loaded anew. */
bool		pg_attribute_hot
cpg_refresh_is_due(const CpgCall *call, int64 now)
{
	const CpgValue *value = &call->old;
	double		beta = call->fetch->has_beta ? call->fetch->beta : call->ns->beta;

	if (unlikely(value->stale))
		return true;
	if (value->soft_ttl != 0 && value->created + value->soft_ttl <= now)
		return true;
	if (likely(!cpg_xfetch_possible(now, value->expiry, value->load_time, beta)))
		return false;
	return cpg_xfetch_due(now, value->created, value->expiry, value->load_time, beta,
						  1.0 - pg_prng_double(&pg_global_prng_state));
}

/*
 * Have a worker load a call's value, unless somebody is at it.  False if no
 * worker can.
 */
bool
cpg_refresh_queue(CpgCall *call)
{
	int64		now = cpg_clock_now();
	StringInfoData request;
	CpgFlightView view;
	int64		until;
	bool		queued;

	cpg_flight_look(call->tag, now, &view);
	if (view.state != CPG_FLIGHT_IDLE)
		return view.state != CPG_FLIGHT_UNCACHEABLE;
	if (view.foreground || !cpg_crew_available())
		return false;
	/* the last one was queued and nobody took it */
	if (view.forsaken)
		return false;
	initStringInfo(&request);
	cpg_request_write(call, &request);
	until = now + cpg_refresh_timeout + QUEUE_MARGIN;
	if (!cpg_flight_claim(call->tag, now, until))
		return true;
	queued = cpg_queue_put(call->tag, GetSessionUserId(), GetUserId(), until,
						   (int) cpg_frequency_hits(call->old.frequency), request.data, (uint32) request.len);
	if (queued)
		cpg_stats_add(call->ns->number, CPG_COUNT_REFRESH_QUEUED, 1);
	else
		cpg_flight_unclaim(call->tag);
	return queued;
}

/* Load in this session; true if there is another value. */
static bool
load_here(CpgCall *call, CpgFlight *flight)
{
	CpgOutcome	outcome;

	if (cpg_call_look_again(call))
		return true;
	if (!cpg_call_load(call, flight, &outcome))
		return false;
	if (outcome.loaded)
	{
		call->value = call->loaded.value;
		call->isnull = call->loaded.isnull;
		return true;
	}
	/* the value at hand is still good */
	if (outcome.error->sqlerrcode == ERRCODE_QUERY_CANCELED && !outcome.timed_out)
		ReThrowError(outcome.error);
	return false;
}

/*
 * A value was hit that is due: see to it that it is loaded.  True if that has
 * happened, and call->value is the new one.
 */
bool
cpg_refresh_early(CpgCall *call)
{
	int64		retry_at;
	CpgFlight	flight;
	CpgFlightView view;
	bool		loaded;

	/* what is loaded around this may be hidden from others, or be a probe */
	if (cpg_flight_nested())
		return false;
	cpg_call_judge(call);
	if (call->reason != CPG_MAY_PUBLISH || cpg_breaker_refuses(call->ns, cpg_clock_now(), &retry_at))
		return false;
	cpg_flight_look(call->tag, cpg_clock_read(), &view);
	if (view.state != CPG_FLIGHT_IDLE || view.resting)
		return false;
	cpg_call_keep(call);
	/* who has a value does not wait */
	call->patience = 0;
	if (!call->old.stale && (call->old.soft_ttl == 0 || call->old.created + call->old.soft_ttl > cpg_clock_read()))
		cpg_stats_add(call->ns->number, CPG_COUNT_EARLY, 1);
	if (cpg_refresh_queue(call) || !cpg_call_lead(call, &flight))
		return false;
	PG_TRY();
	{
		loaded = load_here(call, &flight);
	}
	PG_FINALLY();
	{
		if (cpg_flight_in_progress(&flight))
			cpg_flight_end(&flight);
	}
	PG_END_TRY();
	return loaded;
}

/* Find the value that a request is about; false if it has changed since. */
static bool
find_again(CpgCall *call, const CpgRefreshRequest *request)
{
	CpgRead		read;

	call->old.buffer = call->old.notes = NULL;
	call->old.cells = NULL;
	call->has_old = cpg_call_read(call, Max(cpg_namespace_grace(call->ns), 0), &call->old, &read);
	return call->has_old && call->old.created == request->created;
}

static CpgRefreshed
result_of(const CpgCall *call, const CpgOutcome *outcome)
{
	if (!outcome->loaded)
		return CPG_REFRESHED_FAILED;
	if (outcome->unkept != CPG_MAY_PUBLISH)
		return CPG_REFRESHED_WASTED;
	return call->changed ? CPG_REFRESHED_CHANGED : CPG_REFRESHED_UNCHANGED;
}

/*
 * Load in a worker.  A source that fails has the longer peace the more often it
 * does so, as long as the value is there: who needs one then tries.  What only
 * fails here is left to sessions from now on.
 */
static CpgRefreshed
load_for(CpgCall *call, CpgFlight *flight, CpgOutcome *outcome)
{
	CpgFlightView view;

	if (!cpg_call_load(call, flight, outcome))
		return CPG_REFRESHED_WASTED;
	if (outcome->loaded && outcome->unkept == CPG_MAY_PUBLISH)
		return result_of(call, outcome);
	if (!outcome->loaded && outcome->source_failed)
	{
		cpg_flight_look(call->tag, cpg_clock_now(), &view);
		cpg_flight_rest(call->tag, cpg_clock_now() +
						(call->ns->retry_after << Min(view.in_a_row, BACK_OFF_MAX)));
	}
	else if (!outcome->loaded || outcome->unkept != CPG_COUNT_OUTDATED)
		cpg_flight_foreground(call->tag, cpg_clock_now() + FOREGROUND_FOR);
	return result_of(call, outcome);
}

static CpgRefreshed
perform(CpgCall *call, const CpgRefreshRequest *request, ErrorData **error)
{
	CpgRefreshed volatile result = CPG_REFRESHED_WASTED;
	CpgOutcome	outcome;
	CpgFlight	flight;
	int64		retry_at;

	if (cpg_breaker_refuses(call->ns, cpg_clock_now(), &retry_at) || !cpg_call_lead(call, &flight))
		return CPG_REFRESHED_WASTED;
	PG_TRY();
	{
		if (find_again(call, request) || cpg_flight_awaited(&flight))
		{
			result = load_for(call, &flight, &outcome);
			*error = outcome.error;
		}
	}
	PG_FINALLY();
	{
		if (cpg_flight_in_progress(&flight))
			cpg_flight_end(&flight);
	}
	PG_END_TRY();
	return result;
}

static CpgCounter
counter_of(CpgRefreshed result)
{
	switch (result)
	{
		case CPG_REFRESHED_CHANGED:
			return CPG_COUNT_REFRESH_CHANGED;
		case CPG_REFRESHED_UNCHANGED:
			return CPG_COUNT_REFRESH_UNCHANGED;
		case CPG_REFRESHED_WASTED:
			return CPG_COUNT_REFRESH_WASTED;
		case CPG_REFRESHED_FAILED:
			break;
	}
	return CPG_COUNT_REFRESH_FAILED;
}

/* For whom a value is that is loaded here, as if outside of a worker. */
static uint64
identity_here(const CpgCall *call)
{
	const CpgNamespace *ns = call->ns;

	if (call->fetch->query == NULL)
		return call->identity;
	return cpg_identity_of_session(ns, !(ns->shared && ns->adhoc_shared));
}

/*
 * Do what a request asks for, as the current role, with its settings.  The
 * error of a loader is copied to *error; others are raised.
 */
CpgRefreshed
cpg_refresh_perform(uint64 tag, CpgRefreshRequest *request, ErrorData **error)
{
	CpgRefreshed result = CPG_REFRESHED_FAILED;
	CpgCall		call;

	*error = NULL;
	cpg_call_clear(&call, &request->fetch);
	call.for_session = true;
	call.tag = tag;
	call.changed = true;
	cpg_call_find_key(&call, request->identity);
	if (call.ns->number < 0)
		return CPG_REFRESHED_WASTED;
	cpg_call_judge(&call);
	cpg_call_keep(&call);
	call.patience = PERMIT_WAIT;
	call.ns->load_timeout = Min(call.ns->load_timeout, cpg_refresh_timeout);
	/* somebody commits meanwhile: whoever comes next asks again */
	if (call.reason == CPG_COUNT_OUTDATED)
		result = CPG_REFRESHED_WASTED;
	/* of another search_path, loader or role than here */
	else if (call.key.fingerprint != request->fingerprint || call.reason != CPG_MAY_PUBLISH ||
			 request->identity != identity_here(&call))
		cpg_refresh_gave_up(tag);
	else
		result = perform(&call, request, error);
	if (result == CPG_REFRESHED_WASTED)
		cpg_flight_unclaim(tag);
	cpg_stats_add(call.ns->number, counter_of(result), 1);
	return result;
}

/* A request ended by an error: its value is left to sessions for a while. */
void
cpg_refresh_gave_up(uint64 tag)
{
	cpg_flight_foreground(tag, cpg_clock_now() + FOREGROUND_FOR);
	cpg_flight_unclaim(tag);
}
