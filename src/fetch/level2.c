/*-------------------------------------------------------------------------
 *
 * level2.c
 *	  Redis on the way of a call: asked before a load, told of its result, and
 *	  with load_lock the place where servers agree on who loads.
 *
 * Who is to load with the lock held by another server waits for the value: in
 * Redis, where the home writes it, or handed over, if one that is not the home
 * loads.  Handed over are only values of namespaces of consistency ttl: others
 * depend on tables as their server knows them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus.h"
#include "bus/mirror.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "fault.h"
#include "common/pg_prng.h"
#include "compat.h"
#include "fetch/fetch_internal.h"
#include "l2/l2.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/latch.h"
#include "utils/lsyscache.h"
#include "utils/wait_event.h"

#define LOCK_MARGIN	1000		/* ms that a lock outlives load_timeout */
#define NAP_MIN		10			/* ms between two looks */
#define NAP_MAX		40

static Oid
type_of(const CpgCall *call)
{
	return OidIsValid(call->fetch->rowtype) ? get_array_type(call->fetch->rowtype) : JSONBOID;
}

/*
 * Whether the value of a call may be in Redis.  What is read inside of a load
 * becomes a part of it, with all it is made of.
 */
static bool
is_worth_asking(const CpgCall *call)
{
	return cpg_l2_readable(call->ns) && !cpg_deps_active();
}

/* From when on another server's load is new enough for a call is noted first. */
static void
name_value(CpgCall *call)
{
	if (call->asked == 0)
	{
		call->stamp = cpg_guard_stamp(cpg_guard);
		call->known = cpg_mirror_exists() ? cpg_mirror_changed() : 0;
		call->asked = cpg_clock_now();
	}
	cpg_l2_name_of_fetch(call->fetch, call->ns, call->function, call->ttl_only, &call->key,
						 &call->name);
	call->named = true;
}

/*
 * Look for the value of a call in Redis; true if call->value is there.  For the
 * leader of a flight, or on a standby, where nobody leads as nothing that is
 * loaded may be kept.
 */
bool
cpg_call_from_l2(CpgCall *call, const CpgFlight *flight)
{
	CpgValue	value = {.buffer = NULL};

	if (!flight->leading && call->reason != CPG_COUNT_UNKEPT_RECOVERY)
		return false;
	if (!is_worth_asking(call))
		return false;
	name_value(call);
	if (!cpg_l2_fill(call->ns, &call->key, &call->name, type_of(call), &value))
		return false;
	call->value = value.datum;
	call->isnull = value.isnull;
	return true;
}

/*
 * Look for the values of some calls in Redis, in few round trips, and set found[]
 * for those where call->value is there now.  Nobody needs to lead their flights:
 * to ask twice costs less than to make others wait.
 */
void
cpg_calls_from_l2(CpgCall **calls, int count, bool *found)
{
	CpgL2Request *requests = MemoryContextAllocHuge(CurrentMemoryContext,
													Max(count, 1) * sizeof(CpgL2Request));
	CpgValue   *values = palloc0(Max(count, 1) * sizeof(CpgValue));
	int		   *request_of = palloc(Max(count, 1) * sizeof(int));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		CpgCall    *call = calls[i];

		request_of[i] = -1;
		if (!is_worth_asking(call))
			continue;
		name_value(call);
		requests[n] = (CpgL2Request)
		{
			.ns = *call->ns,.key = call->key,.name = call->name,
				.as = CPG_L2_AS_TYPE,.wanted = type_of(call),.value = &values[n]
		};
		request_of[i] = n++;
	}
	cpg_l2_fill_many(requests, n);
	for (int i = 0; i < count; i++)
	{
		found[i] = request_of[i] >= 0 && requests[request_of[i]].found;
		if (!found[i])
			continue;
		calls[i]->value = values[request_of[i]].datum;
		calls[i]->isnull = values[request_of[i]].isnull;
	}
	pfree(requests);
	pfree(values);
	pfree(request_of);
}

/* Whether a value may be handed from server to server. */
static bool
is_handable(const CpgCall *call)
{
	return call->ttl_only && cpg_mirror_exists();
}

/* Keep what another server loaded, and answer the call with it. */
static void
keep_handed(CpgCall *call, const CpgL2Handed *handed)
{
	memset(&call->load, 0, sizeof(call->load));
	call->load.unpublishable = CPG_NCOUNTERS;
	call->load.untracked = CPG_UNTRACKED_CONSISTENCY;
	call->loaded.value = handed->value;
	call->loaded.isnull = handed->isnull;
	call->loaded.type = type_of(call);
	call->loaded.microseconds = handed->load_time;
	call->handed = true;
	(void) cpg_publish(call);
	call->value = handed->value;
	call->isnull = handed->isnull;
}

/* Take what other servers loaded for those who wait, of calls that have no value yet. */
static void
take_over(CpgCall **calls, int count, bool *there)
{
	CpgL2Handed *handed = palloc(count * sizeof(CpgL2Handed));
	int		   *call_of = palloc(count * sizeof(int));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		if (there[i] || !is_handable(calls[i]))
			continue;
		handed[n].name = &calls[i]->name;
		handed[n].wanted = type_of(calls[i]);
		handed[n].asked = calls[i]->asked;
		handed[n].known = calls[i]->known;
		call_of[n++] = i;
	}
	cpg_l2_take_over(handed, n);
	for (int i = 0; i < n; i++)
	{
		if (!handed[i].found)
			continue;
		keep_handed(calls[call_of[i]], &handed[i]);
		there[call_of[i]] = true;
	}
	pfree(handed);
	pfree(call_of);
}

/* Look for what others have loaded, wherever it may be. */
static void
look_elsewhere(CpgCall **calls, int count, bool *there)
{
	cpg_calls_from_l2(calls, count, there);
	take_over(calls, count, there);
}

/* Wait a moment, of random length, so that servers do not ask all at once. */
static void
nap(void)
{
	static uint32 wait_event = 0;
	long		length = NAP_MIN + (long) (pg_prng_double(&pg_global_prng_state) * (NAP_MAX - NAP_MIN));

	if (wait_event == 0)
		wait_event = CPG_WAIT_EVENT_NEW("CachePgLoadLock");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, length, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Whether servers agree on who loads the value of a call.  A home writes what it
 * loads to Redis, others have to hand it over.  Either is left to the broadcaster,
 * as the lock is: where it does not send, as on a standby, which has none, others
 * would wait in vain.
 */
static bool
is_agreed_on(const CpgCall *call)
{
	return call->ns->load_lock && call->named && (cpg_l2_writable(call->ns) || is_handable(call)) &&
		cpg_bus_sending(cpg_clock_now());
}

/* Of calls with one namespace: whose turn it is to load. */
static void
claim(CpgL2Claim *claims, int count, const CpgNamespace *ns)
{
	cpg_l2_lock(claims, count, ns->load_timeout + LOCK_MARGIN);
}

static void
note_position(CpgCall *call)
{
	call->position = cpg_mirror_exists() ? cpg_mirror_position() : 0;
}

/*
 * With load_lock: become the one that loads in all servers, or get the value
 * from the one that does; true if call->value is there.  After wait_timeout, or
 * without Redis, this server loads for itself.
 */
bool
cpg_call_elsewhere(CpgCall *call, const CpgFlight *flight)
{
	int64		end = cpg_clock_now() + call->ns->wait_timeout;
	CpgL2Claim	its = {&call->name, &call->lock};
	bool		there = false;

	if (!flight->leading || !is_agreed_on(call))
		return false;
	if (call->awaited)
		take_over(&call, 1, &there);
	while (!there)
	{
		claim(&its, 1, call->ns);
		if (its.turn == CPG_L2_TURN_FREE)
			break;
		if (its.turn == CPG_L2_TURN_BUSY)
		{
			if (cpg_clock_now() >= end)
				return false;
			nap();
		}
		/* who had the lock may have left the value since the last look */
		if (its.turn == CPG_L2_TURN_BUSY || !CPG_SKIP("l2-look-again"))
			look_elsewhere(&call, 1, &there);
		if (its.turn == CPG_L2_TURN_HELD)
			break;
	}
	if (there)
		cpg_stats_add(call->ns->number, CPG_COUNT_COALESCED, 1);
	else
		note_position(call);
	return there;
}

/* Look for what the ones before left, of calls whose locks are held now. */
static void
look_again(CpgCall **calls, int count, bool *there)
{
	CpgCall   **held = palloc(count * sizeof(CpgCall *));
	bool	   *found = palloc(count * sizeof(bool));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		if (calls[i]->lock.held)
			held[n++] = calls[i];
	}
	look_elsewhere(held, n, found);
	n = 0;
	for (int i = 0; i < count; i++)
		there[i] = calls[i]->lock.held && found[n++];
	pfree(held);
	pfree(found);
}

/*
 * The same for the keys of a batch, which have one namespace and whose flights
 * this process leads, without waiting: call->awaited is set of those which
 * another server is about to load, there[] of those which one just did.
 */
void
cpg_calls_elsewhere(CpgCall **calls, int count, bool *there)
{
	CpgL2Claim *claims;

	memset(there, 0, count * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		if (!is_agreed_on(calls[i]))
			return;
	}
	claims = palloc(count * sizeof(CpgL2Claim));
	for (int i = 0; i < count; i++)
		claims[i] = (CpgL2Claim)
	{
		&calls[i]->name, &calls[i]->lock
	};
	claim(claims, count, calls[0]->ns);
	if (!CPG_SKIP("l2-look-again"))
		look_again(calls, count, there);
	for (int i = 0; i < count; i++)
	{
		calls[i]->awaited = claims[i].turn == CPG_L2_TURN_BUSY;
		note_position(calls[i]);
		if (there[i])
			cpg_stats_add(calls[i]->ns->number, CPG_COUNT_COALESCED, 1);
	}
	pfree(claims);
}

/* Have the value of a call, which was kept as this item, written to Redis. */
void
cpg_call_to_l2(CpgCall *call, const CpgNamespace *ns, const CpgKey *key, const CpgItem *item)
{
	CpgL2Value	value = {call->loaded.type, call->loaded.value, call->loaded.isnull, item};
	CpgFrameJob job = {.stamp = item->stamp};

	if (cpg_l2_writable(ns))
	{
		cpg_l2_name_of_fetch(call->fetch, ns, call->function, call->ttl_only, key, &call->name);
		if (cpg_l2_make(ns, key, &call->name, &value, &job))
			cpg_l2_send(key, &job);
	}
	else if (call->lock.held && !call->handed && is_handable(call) && !call->behind)
		cpg_l2_hand_over(ns, key, &call->name, &value, call->position);
}
