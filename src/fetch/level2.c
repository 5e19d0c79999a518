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

	/*
	 * what is read inside of a load becomes a part of it, with all it is made
	 * of
	 */
	if (!cpg_l2_readable(call->ns) || call->many != NULL || cpg_deps_active())
		return false;
	cpg_l2_name_of_fetch(call->fetch, call->ns, &call->key, &call->name);
	call->named = true;
	if (!cpg_l2_fill(call->ns, &call->key, &call->name, type_of(call), &value))
		return false;
	call->value = value.datum;
	call->isnull = value.isnull;
	return true;
}

/* Whether a value may be handed from server to server. */
static bool
is_handable(const CpgCall *call)
{
	return call->ttl_only && cpg_mirror_exists();
}

/* Take what another server loaded for those who wait, and keep it here. */
static bool
take_over(CpgCall *call, uint64 changed)
{
	CpgL2Handed handed;

	if (!is_handable(call) ||
		!cpg_l2_take_over(call->ns, &call->name, type_of(call), changed, &handed))
		return false;
	memset(&call->load, 0, sizeof(call->load));
	call->load.unpublishable = CPG_NCOUNTERS;
	call->load.untracked = CPG_UNTRACKED_CONSISTENCY;
	call->loaded.value = handed.value;
	call->loaded.isnull = handed.isnull;
	call->loaded.type = type_of(call);
	call->loaded.microseconds = handed.load_time;
	(void) cpg_publish(call);
	call->value = handed.value;
	call->isnull = handed.isnull;
	return true;
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
 * With load_lock: become the one that loads in all servers, or get the value
 * from the one that does; true if call->value is there.  After wait_timeout, or
 * without Redis, this server loads for itself.
 */
bool
cpg_call_elsewhere(CpgCall *call, const CpgFlight *flight)
{
	int64		end = cpg_clock_now() + call->ns->wait_timeout;
	uint64		changed;

	if (!call->ns->load_lock || !flight->leading || !call->named)
		return false;
	/* a home writes what it loads to Redis, others have to hand it over */
	if (!cpg_l2_writable(call->ns) && !is_handable(call))
		return false;
	call->stamp = cpg_guard_stamp(cpg_guard);
	changed = cpg_mirror_exists() ? cpg_mirror_changed() : 0;
	while (cpg_l2_lock(&call->name, call->ns->load_timeout + LOCK_MARGIN, &call->lock) ==
		   CPG_L2_TURN_BUSY)
	{
		if (cpg_clock_now() >= end)
			return false;
		nap();
		if (cpg_call_from_l2(call, flight) || take_over(call, changed))
		{
			cpg_stats_add(call->ns->number, CPG_COUNT_COALESCED, 1);
			return true;
		}
	}
	call->position = cpg_mirror_exists() ? cpg_mirror_position() : 0;
	return false;
}

/* Have the value of a call, which was kept as this item, written to Redis. */
void
cpg_call_to_l2(CpgCall *call, const CpgNamespace *ns, const CpgKey *key, const CpgItem *item)
{
	CpgL2Value	value = {call->loaded.type, call->loaded.value, call->loaded.isnull, item};
	CpgFrameJob job = {.stamp = item->stamp};

	if (call->many != NULL)
		return;
	if (cpg_l2_writable(ns))
	{
		cpg_l2_name_of_fetch(call->fetch, ns, key, &call->name);
		if (cpg_l2_make(ns, key, &call->name, &value, &job))
			cpg_l2_send(key, &job);
	}
	else if (call->lock.held && is_handable(call) && !call->behind)
		cpg_l2_hand_over(ns, key, &call->name, &value, call->position);
}
