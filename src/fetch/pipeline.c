/*-------------------------------------------------------------------------
 *
 * pipeline.c
 *	  The way of a call that found no fresh value.
 *
 *	 breaker open, or the last load failed a moment ago ─► an answer instead
 *	 nothing it loads can be kept ─► load alone
 *	 try to lead ── yes ─► look once more, load, publish, wake all
 *	   │ no
 *	   ▼ wait: the value ─► return it;  the leader gave up ─► try to lead;
 *		 two flights failed, or time is up ─► an answer instead
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "clock.h"
#include "fault.h"
#include "fetch/fetch_internal.h"
#include "miscadmin.h"
#include "shmem.h"
#include "policy/key.h"
#include "refresh/refresh.h"
#include "stats/stats.h"

/* Loads inside of loads. */
#define DEPTH_MAX 32

/* Flights in succession that serve the same waiters. */
#define FAILURES_MAX 2

/* How long "there is nothing to wait for" holds (ms). */
#define UNCACHEABLE_LIFE 1000

/* How long nobody seems to load a tag, yet its lock is not to be had (ms). */
#define IDLE_MAX 500

typedef enum Turn
{
	TURN_NONE,					/* wait on */
	TURN_VALUE,					/* call->value is there */
	TURN_LOAD,					/* the flight has begun, leading or alone */
	TURN_INSTEAD,				/* no load: see the excuse */
	TURN_GIVE_UP				/* time is up, or there is nothing to wait for */
} Turn;

/* Find out whether what is loaded may be kept, and the tag of its flights. */
void
cpg_call_judge(CpgCall *call)
{
	call->tag = cpg_flight_tag(&call->key);
	call->reason = cpg_publish_reason(call, call->ns);
	call->own_changes = cpg_inval_changes();
	call->patience = PG_INT64_MAX;
}

/* Keep the policy: from here on a loader may change or drop namespaces. */
void
cpg_call_keep(CpgCall *call)
{
	call->ns = cpg_namespace_copy(call->ns);
	call->expiry = cpg_namespace_expiry(call->ns, call->fetch->ttl, cpg_clock_now());
}

static void
refuse_recursion(const CpgCall *call)
{
	int			depth = 0;

	for (const CpgLoad *load = cpg_load; load != NULL; load = load->outer)
		depth++;
	for (CpgFlight *flight = cpg_flight; flight != NULL; flight = flight->outer)
	{
		if (flight->tag == call->tag || depth >= DEPTH_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_RECURSION),
					 errmsg("recursive load in cache namespace \"%s\"", call->ns->name),
					 depth >= DEPTH_MAX ?
					 errdetail("Loads are nested more than %d deep.", DEPTH_MAX) :
					 errdetail("The loader of a value fetches that value.")));
	}
}

/*
 * Whether a result says that no session could keep it.  What this transaction's
 * own changes hide says so only if the loader has made some: who had written
 * before does not lead.
 */
static bool
is_uncacheable(const CpgCall *call, CpgCounter unkept)
{
	switch (unkept)
	{
		case CPG_COUNT_TOO_LARGE:
		case CPG_COUNT_SESSION_INPUT:
		case CPG_COUNT_TOO_MANY_CELLS:
		case CPG_COUNT_TEMP_TABLE:
		case CPG_COUNT_NO_ROOM:
			return true;
		case CPG_COUNT_WROTE:
		case CPG_COUNT_OWN_WRITES:
			return TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
				cpg_inval_changes() != call->own_changes;
		default:
			return false;
	}
}

/*
 * Tell others of a value that is not kept before they are woken.  Those that have
 * changes of their own would load one after another, each in vain for the next.
 */
static void
tell_unkept(const CpgCall *call, const CpgFlight *flight, CpgCounter unkept)
{
	if (flight->leading && (unkept == CPG_COUNT_WROTE || unkept == CPG_COUNT_OWN_WRITES) &&
		!CPG_SKIP("private-mark"))
		cpg_flight_private(call->tag, cpg_clock_now() + UNCACHEABLE_LIFE);
}

/* Whether there is nothing to wait for. */
static bool
loads_alone(const CpgFlightView *view)
{
	return view->state == CPG_FLIGHT_UNCACHEABLE || (view->private && cpg_inval_pending());
}

/* What is loaded around this carries its tags and lives no longer. */
void
cpg_call_hand_on(const CpgCall *call)
{
	for (int i = 0; i < call->fetch->ntags; i++)
		cpg_deps_cell(call->fetch->tags[i]);
	cpg_deps_limit_life(call->expiry);
}

/* A load has a result: keep it, leave it for followers, count, wake them. */
void
cpg_call_loaded(CpgCall *call, CpgFlight *flight, CpgOutcome *outcome)
{
	const CpgNamespace *ns = call->ns;
	int64		slow = (int64) (ns->breaker_slow * ns->load_timeout * 1000);
	bool		handed = false;

	flight->loaded = true;
	cpg_breaker_tell(flight, ns, cpg_clock_now(), call->loaded.microseconds >= slow);
	outcome->unkept = call->reason;
	if (ns->number >= 0)
	{
		cpg_stats_add(ns->number, CPG_COUNT_LOADS, 1);
		cpg_stats_add(ns->number, CPG_COUNT_LOAD_TIME, call->loaded.microseconds);
		if (call->reason == CPG_MAY_PUBLISH)
			outcome->unkept = cpg_publish(call);
		if (outcome->unkept != CPG_MAY_PUBLISH && outcome->unkept != CPG_COUNT_TOO_LARGE &&
			outcome->unkept != CPG_COUNT_NO_ROOM)
			cpg_stats_add(ns->number, outcome->unkept, 1);
	}
	if (flight->leading && !call->ttl_only && call->reason == CPG_MAY_PUBLISH && call->handable &&
		(outcome->unkept == CPG_MAY_PUBLISH || outcome->unkept == CPG_COUNT_OUTDATED) &&
		cpg_flight_awaited(flight))
		handed = !CPG_SKIP("hand-over") && cpg_hand_over(call, flight);
	tell_unkept(call, flight, outcome->unkept);
	if (is_uncacheable(call, outcome->unkept))
		cpg_flight_land(flight, CPG_FLIGHT_UNCACHEABLE, 0, cpg_clock_now() + UNCACHEABLE_LIFE, false);
	else
		cpg_flight_land(flight, CPG_FLIGHT_IDLE, 0, 0, handed);
}

/* Whether an error says something of the session rather than of the load. */
static bool
concerns_session(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE || sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/*
 * A load failed.  Of the source's failures everybody is told for a while; other
 * errors concern those who wait.
 */
void
cpg_call_failed(CpgCall *call, CpgFlight *flight, const CpgOutcome *outcome)
{
	const CpgNamespace *ns = call->ns;
	int64		now = cpg_clock_now();
	int			code = outcome->timed_out ? ERRCODE_LOCK_NOT_AVAILABLE : outcome->error->sqlerrcode;

	if (ns->number >= 0)
		cpg_stats_add(ns->number, outcome->timed_out ? CPG_COUNT_LOAD_TIMEOUTS : CPG_COUNT_LOADS_FAILED, 1);
	if (outcome->source_failed)
		cpg_breaker_tell(flight, ns, now, true);
	if (concerns_session(code) && !outcome->timed_out)
		cpg_flight_land(flight, CPG_FLIGHT_IDLE, 0, 0, false);
	else
		cpg_flight_land(flight, outcome->source_failed ? CPG_FLIGHT_FAILED : CPG_FLIGHT_ERROR, code,
						now + ns->retry_after, false);
}

/* Whether a load may begin now; if not, there is an excuse. */
bool
cpg_call_may_load(CpgCall *call, CpgFlight *flight)
{
	const CpgNamespace *ns = call->ns;
	CpgExcuse  *excuse = &call->excuse;

	memset(excuse, 0, sizeof(*excuse));
	if (ns->number < 0)
		return true;
	excuse->what = CPG_INSTEAD_OF_PERMIT;
	if (!cpg_permit_take(flight, ns->number, ns->max_loads, Min(call->patience, ns->wait_timeout)))
		return false;
	excuse->what = CPG_INSTEAD_OF_BREAKER;
	return cpg_breaker_ask(flight, ns, cpg_clock_now(), &excuse->retry_at);
}

/*
 * Load in a flight that has begun, keep the value if that is allowed, and wake
 * who follows.  False if the load may not begin, with the excuse.
 */
bool
cpg_call_load(CpgCall *call, CpgFlight *flight, CpgOutcome *outcome)
{
	if (!cpg_call_may_load(call, flight))
		return false;
	cpg_context_prepare(&call->context, call->ns, call->fetch->query == NULL);
	cpg_load_run(call, outcome);
	if (outcome->loaded)
		cpg_call_loaded(call, flight, outcome);
	else
		cpg_call_failed(call, flight, outcome);
	return true;
}

/*
 * Another session may have loaded it between the first look and this one.
 */
bool
cpg_call_look_again(CpgCall *call)
{
	CpgValue	found = {.buffer = NULL};
	CpgRead		read;

	if (!cpg_call_read(call, 0, &found, &read) ||
		(call->has_old && found.created == call->old.created && found.stamp == call->old.stamp))
		return false;
	call->value = found.datum;
	call->isnull = found.isnull;
	cpg_stats_add(call->ns->number, CPG_COUNT_COALESCED, 1);
	return true;
}

/* Whether a flight that began after the call left its result for the call. */
static bool
take_over(CpgCall *call, const CpgFollower *follower, const CpgFlightView *view)
{
	if ((int32) (view->handed - follower->joined) <= 0 || !cpg_take_over(call, view->handed))
		return false;
	cpg_stats_add(call->ns->number, CPG_COUNT_COALESCED, 1);
	return true;
}

/* Begin a flight of a call if nobody else leads one. */
bool
cpg_call_lead(CpgCall *call, CpgFlight *flight)
{
	return cpg_flight_lead(flight, call->tag, call->ns->number);
}

static Turn
load_alone(CpgCall *call, CpgFlight *flight)
{
	cpg_flight_begin(flight, call->tag);
	return TURN_LOAD;
}

static Turn
answer_instead(CpgCall *call, CpgInstead what, int sqlerrcode, int64 retry_at)
{
	memset(&call->excuse, 0, sizeof(call->excuse));
	call->excuse.what = what;
	call->excuse.sqlerrcode = sqlerrcode;
	call->excuse.retry_at = retry_at;
	return TURN_INSTEAD;
}

/* One look of a follower: what to do, TURN_NONE to wait on. */
static Turn
look_around(CpgCall *call, CpgFollower *follower, CpgFlight *flight, bool may_lead)
{
	CpgFlightView view;

	cpg_flight_look(call->tag, cpg_clock_now(), &view);
	if (cpg_call_look_again(call) || take_over(call, follower, &view))
		return TURN_VALUE;
	if (loads_alone(&view))
		return load_alone(call, flight);
	if (cpg_follow_deadlocks(follower))
		return may_lead ? load_alone(call, flight) : TURN_GIVE_UP;
	if ((uint16) (view.failures - follower->failures) >= FAILURES_MAX)
		return answer_instead(call, CPG_INSTEAD_OF_RETRY, view.sqlerrcode != 0 ? view.sqlerrcode :
							  ERRCODE_LOCK_NOT_AVAILABLE, view.until);
	if (view.state == CPG_FLIGHT_LOADING)
	{
		follower->idle_since = 0;
		return TURN_NONE;
	}
	if (!may_lead)
		return view.state == CPG_FLIGHT_QUEUED ? TURN_NONE : TURN_GIVE_UP;
	if (cpg_call_lead(call, flight))
		return TURN_LOAD;
	/* one that has just become the leader, or the lock table is full */
	if (follower->idle_since == 0)
		follower->idle_since = cpg_clock_now();
	else if (cpg_clock_now() - follower->idle_since > IDLE_MAX)
		return load_alone(call, flight);
	return TURN_NONE;
}

/*
 * Wait for somebody else's load, so many milliseconds at most.  Who may not
 * lead gives up when nobody is at it any more.
 */
static Turn
follow(CpgCall *call, CpgFlight *flight, bool may_lead, int64 longest)
{
	int64		end = cpg_clock_now() + longest;
	CpgFollower follower;
	volatile Turn turn = TURN_NONE;

	cpg_follow_begin(&follower, call->tag);
	PG_TRY();
	{
		while ((turn = look_around(call, &follower, flight, may_lead)) == TURN_NONE)
		{
			int64		left = end - cpg_clock_now();

			if (left <= 0)
			{
				turn = TURN_GIVE_UP;
				break;
			}
			cpg_follow_nap(&follower, left);
		}
	}
	PG_FINALLY();
	{
		cpg_follow_end(&follower);
	}
	PG_END_TRY();
	return turn;
}

/* As follow, for one that needs a value: it loads, or gets an answer instead. */
static Turn
follow_or_lead(CpgCall *call, CpgFlight *flight)
{
	Turn		turn = follow(call, flight, true, call->ns->wait_timeout);

	if (turn != TURN_GIVE_UP)
		return turn;
	if (call->ns->load_on_wait_timeout)
		return load_alone(call, flight);
	return answer_instead(call, CPG_INSTEAD_OF_WAIT, 0, 0);
}

/*
 * A value has expired that may still be served: let a worker load, wait for
 * that no longer than soft_timeout, and take the old one; at once if workers
 * have more to do than they get done, as when their source hangs.  TURN_GIVE_UP
 * if that is not how this call goes.
 */
static Turn
wait_softly(CpgCall *call, CpgFlight *flight)
{
	const CpgNamespace *ns = call->ns;
	Turn		turn;

	if (ns->soft_timeout == 0 || !call->has_old || cpg_flight_nested() ||
		call->old.expiry + ns->stale_for <= cpg_clock_read())
		return TURN_GIVE_UP;
	/* a load here could not be left after soft_timeout */
	if (!cpg_refresh_queue(call))
		return cpg_crew_available() && cpg_queue_full() && cpg_serve_stale(call) ?
			TURN_VALUE : TURN_GIVE_UP;
	turn = follow(call, flight, false, ns->soft_timeout);
	if (turn == TURN_GIVE_UP && cpg_serve_stale(call))
		return TURN_VALUE;
	return turn;
}

/* Find out how this call gets its value. */
static Turn
choose(CpgCall *call, CpgFlight *flight)
{
	int64		now = cpg_clock_now();
	int64		retry_at;
	CpgFlightView view;
	Turn		turn;

	/* without a place in the cache nobody would find what this call leads to */
	if (call->ns->number < 0 ||
		(call->reason != CPG_MAY_PUBLISH && call->reason != CPG_COUNT_FORBIDDEN))
		return load_alone(call, flight);
	if (cpg_breaker_refuses(call->ns, now, &retry_at))
		return answer_instead(call, CPG_INSTEAD_OF_BREAKER, 0, retry_at);
	cpg_flight_look(call->tag, now, &view);
	if (view.state == CPG_FLIGHT_FAILED)
		return answer_instead(call, CPG_INSTEAD_OF_RETRY, view.sqlerrcode, view.until);
	if (loads_alone(&view))
		return load_alone(call, flight);
	if (call->reason == CPG_COUNT_FORBIDDEN)
	{
		turn = view.state == CPG_FLIGHT_LOADING ?
			follow(call, flight, false, call->ns->wait_timeout) : TURN_GIVE_UP;

		return turn == TURN_GIVE_UP ? load_alone(call, flight) : turn;
	}
	if (CPG_SKIP("coalescing"))
		return load_alone(call, flight);
	turn = wait_softly(call, flight);
	if (turn != TURN_GIVE_UP)
		return turn;
	return cpg_call_lead(call, flight) ? TURN_LOAD : follow_or_lead(call, flight);
}

/*
 * The value of a load that has its turn, or an answer instead.  The flight ends
 * in any case.
 */
static void
load_or_serve(CpgCall *call, CpgFlight *flight)
{
	CpgOutcome	outcome;

	call->all_or_nothing = call->ns->stale_for == 0 && call->ns->fallback == NULL;
	if (!cpg_call_load(call, flight, &outcome))
	{
		cpg_flight_end(flight);
		cpg_serve_instead(call);
		return;
	}
	cpg_flight_end(flight);
	if (outcome.loaded)
	{
		cpg_call_hand_on(call);
		call->value = call->loaded.value;
		call->isnull = call->loaded.isnull;
		return;
	}
	if (!outcome.source_failed)
		ReThrowError(outcome.error);
	answer_instead(call, CPG_INSTEAD_OF_LOAD, 0, 0);
	call->excuse.error = outcome.error;
	call->excuse.timed_out = outcome.timed_out;
	call->excuse.final = outcome.final;
	cpg_serve_instead(call);
}

static void
take_turn(CpgCall *call, CpgFlight *flight)
{
	PG_TRY();
	{
		if ((flight->leading && cpg_call_look_again(call)) || cpg_call_from_l2(call, flight) ||
			cpg_call_elsewhere(call, flight))
			cpg_flight_end(flight);
		else
			load_or_serve(call, flight);
		cpg_l2_unlock(&call->lock);
	}
	PG_CATCH();
	{
		cpg_l2_unlock(&call->lock);
		if (cpg_flight_in_progress(flight))
			cpg_flight_end(flight);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/*
 * Get the value of a call that found none that is fresh: call->value, in the
 * current memory context.
 */
void
cpg_call_miss(CpgCall *call)
{
	CpgFlight	flight;

	cpg_call_judge(call);
	cpg_call_keep(call);
	refuse_recursion(call);
	switch (choose(call, &flight))
	{
		case TURN_VALUE:
			break;
		case TURN_LOAD:
			take_turn(call, &flight);
			break;
		case TURN_INSTEAD:
			cpg_serve_instead(call);
			break;
		case TURN_NONE:
		case TURN_GIVE_UP:
			pg_unreachable();
	}
}
