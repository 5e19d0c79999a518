/*-------------------------------------------------------------------------
 *
 * breakers.c
 *	  The circuit breaker of each namespace, in shared memory.
 *
 * core/breaker.h decides; here are the locks.  A number given to another
 * namespace has another generation, with which the breaker begins anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flight/flight_internal.h"
#include "shmem.h"

/* Beside its timeout a probe gets so long to tell (ms). */
#define PROBE_MARGIN	1000

static void
configure(const CpgNamespace *ns, CpgBreakerConfig *config)
{
	config->window = ns->breaker_window;
	config->min_calls = Min(ns->breaker_min_calls, ns->breaker_window);
	config->ratio = ns->breaker_ratio;
	config->open_ms = ns->breaker_open;
	config->probe_ms = ns->load_timeout + PROBE_MARGIN;
}

/*
 * The lane of a namespace, locked; NULL if its number has another meaning by
 * now.
 */
static CpgSharedLane *
lock_lane(const CpgNamespace *ns)
{
	CpgSharedLane *lane = cpg_flight_lane(ns->number);

	SpinLockAcquire(&lane->lock);
	if ((int32) (lane->generation - ns->generation) > 0)
	{
		SpinLockRelease(&lane->lock);
		return NULL;
	}
	if (lane->generation != ns->generation)
	{
		lane->generation = ns->generation;
		cpg_breaker_init(&lane->breaker);
	}
	return lane;
}

/* Whether no load may begin now; then *retry_at is when one may. */
bool
cpg_breaker_refuses(const CpgNamespace *ns, int64 now, int64 *retry_at)
{
	CpgSharedLane *lane;
	bool		refuses = false;

	if (!ns->breaker || ns->number < 0)
		return false;
	/* what is closed is seen without the lock; asking decides */
	if (cpg_flight_lane(ns->number)->breaker.state == CPG_BREAKER_CLOSED)
		return false;
	lane = lock_lane(ns);
	if (lane == NULL)
		return false;
	*retry_at = cpg_breaker_retry_at(&lane->breaker, now);
	refuses = lane->breaker.state != CPG_BREAKER_CLOSED && *retry_at > now;
	SpinLockRelease(&lane->lock);
	return refuses;
}

/*
 * Ask whether a load may begin.  If so the flight has to tell how it ended, or
 * ends without having told.
 */
bool
cpg_breaker_ask(CpgFlight *flight, const CpgNamespace *ns, int64 now, int64 *retry_at)
{
	CpgBreakerConfig config;
	CpgBreakerVerdict verdict;
	CpgSharedLane *lane;

	if (!ns->breaker || ns->number < 0)
		return true;
	configure(ns, &config);
	lane = lock_lane(ns);
	if (lane == NULL)
		return true;
	verdict = cpg_breaker_admit(&lane->breaker, &config, now, &flight->ticket);
	*retry_at = cpg_breaker_retry_at(&lane->breaker, now);
	SpinLockRelease(&lane->lock);
	if (verdict == CPG_BREAKER_REFUSE)
		return false;
	flight->breaker = ns->number;
	flight->generation = ns->generation;
	return true;
}

/* Tell how a load ended for which cpg_breaker_ask was asked. */
void
cpg_breaker_tell(CpgFlight *flight, const CpgNamespace *ns, int64 now, bool failed)
{
	CpgBreakerConfig config;
	CpgSharedLane *lane;

	if (flight->breaker < 0)
		return;
	configure(ns, &config);
	flight->breaker = -1;
	lane = lock_lane(ns);
	if (lane == NULL)
		return;
	cpg_breaker_record(&lane->breaker, &config, now, flight->ticket, failed);
	SpinLockRelease(&lane->lock);
}

/* The load ended in a way that says nothing about its source. */
void
cpg_breaker_forget(CpgFlight *flight)
{
	CpgSharedLane *lane;

	if (flight->breaker < 0)
		return;
	lane = cpg_flight_lane(flight->breaker);
	SpinLockAcquire(&lane->lock);
	if (lane->generation == flight->generation)
		cpg_breaker_cancel(&lane->breaker, flight->ticket);
	SpinLockRelease(&lane->lock);
	flight->breaker = -1;
}

/* A copy of the breaker of a namespace; without a number it has nothing behind it. */
void
cpg_breaker_show(const CpgNamespace *ns, CpgBreaker *copy)
{
	CpgSharedLane *lane = ns->number < 0 ? NULL : lock_lane(ns);

	if (lane == NULL)
	{
		cpg_breaker_init(copy);
		return;
	}
	*copy = lane->breaker;
	SpinLockRelease(&lane->lock);
}

/* Close the breaker of an attached namespace and forget what led to it. */
void
cpg_breaker_close(const CpgNamespace *ns)
{
	CpgSharedLane *lane = lock_lane(ns);

	if (lane == NULL)
		return;
	cpg_breaker_reset(&lane->breaker);
	SpinLockRelease(&lane->lock);
}
