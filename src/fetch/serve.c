/*-------------------------------------------------------------------------
 *
 * serve.c
 *	  Answers where there is no load: an expired value, the fallback, or the
 *	  error that says why.
 *
 * An expired value may be served for stale_for after its lifetime, an
 * invalidated one never; so it is read again at this moment.  What is loaded
 * around such an answer is not kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "compat.h"
#include "fetch/fetch_internal.h"
#include "utils/builtins.h"

/* An expired value that may still be served; false if there is none. */
bool
cpg_serve_stale(CpgCall *call)
{
	CpgValue	found = {.buffer = NULL};
	CpgRead		read;

	/* who cannot read what others load is not served it when it is old either */
	if (call->reason != CPG_MAY_PUBLISH && call->reason != CPG_COUNT_FORBIDDEN)
		return false;
	if (!cpg_call_read(call, call->ns->stale_for, &found, &read))
		return false;
	if (found.expiry <= cpg_clock_read())
	{
		cpg_stats_add(call->ns->number, CPG_COUNT_STALE, 1);
		cpg_deps_unpublishable(CPG_COUNT_OUTDATED);
	}
	call->value = found.datum;
	call->isnull = found.isnull;
	return true;
}

static int
milliseconds_until(int64 at)
{
	return (int) Min(Max(at - cpg_clock_now(), 0), PG_INT32_MAX);
}

static void
raise_failed_elsewhere(const CpgNamespace *ns, const CpgExcuse *excuse)
{
	ereport(ERROR,
			(errcode(excuse->sqlerrcode),
			 errmsg("loading a value of cache namespace \"%s\" failed a moment ago", ns->name),
			 errdetail("It is not tried again for %d ms.", milliseconds_until(excuse->retry_at)),
			 errhint("The session that loaded it, perhaps this one, has the whole error. The option retry_after of the namespace sets the time.")));
}

static void
raise_breaker_open(const CpgNamespace *ns, const CpgExcuse *excuse)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_EXCEPTION),
			 errmsg("the circuit breaker of cache namespace \"%s\" is open", ns->name),
			 errdetail("Its loads failed lately; the next attempt is in %d ms.",
					   milliseconds_until(excuse->retry_at)),
			 errhint("See the view cache_breakers. The options stale_for and fallback give an answer meanwhile.")));
}

static void
raise_load_error(const CpgNamespace *ns, const CpgExcuse *excuse)
{
	if (excuse->timed_out)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("loading a value of cache namespace \"%s\" took longer than load_timeout", ns->name),
				 errdetail("It was cancelled after %lld ms.", (long long) ns->load_timeout),
				 errhint("To give it more time: SELECT cache_namespace_alter(%s, load_timeout => '%lld ms');",
						 quote_literal_cstr(ns->name), (long long) ns->load_timeout * 2)));
	ReThrowError(excuse->error);
}

CPG_NORETURN static void
raise(const CpgNamespace *ns, const CpgExcuse *excuse)
{
	switch (excuse->what)
	{
		case CPG_INSTEAD_OF_LOAD:
			raise_load_error(ns, excuse);
			break;
		case CPG_INSTEAD_OF_RETRY:
			raise_failed_elsewhere(ns, excuse);
			break;
		case CPG_INSTEAD_OF_BREAKER:
			raise_breaker_open(ns, excuse);
			break;
		case CPG_INSTEAD_OF_WAIT:
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("another session did not load a value of cache namespace \"%s\" within wait_timeout", ns->name),
					 errdetail("The wait ended after %lld ms.", (long long) ns->wait_timeout),
					 errhint("The option wait_timeout of the namespace sets the time; with on_wait_timeout load the session loads the value itself then.")));
			break;
		case CPG_INSTEAD_OF_PERMIT:
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("too many loads of cache namespace \"%s\" are in progress", ns->name),
					 errdetail("There were %d for %lld ms.", ns->max_loads, (long long) ns->wait_timeout),
					 errhint("The option max_loads of the namespace sets the limit.")));
			break;
	}
	pg_unreachable();
}

static CpgCounter
counter_of(const CpgExcuse *excuse)
{
	switch (excuse->what)
	{
		case CPG_INSTEAD_OF_LOAD:
		case CPG_INSTEAD_OF_RETRY:
			return CPG_COUNT_RETRY_THROTTLED;
		case CPG_INSTEAD_OF_BREAKER:
			return CPG_COUNT_BREAKER_OPEN;
		case CPG_INSTEAD_OF_WAIT:
		case CPG_INSTEAD_OF_PERMIT:
			break;
	}
	return CPG_COUNT_WAIT_TIMEOUTS;
}

/*
 * The best answer instead of a load: an expired value, the fallback, else an
 * error.  SQLSTATEs: that of the failed load; connection_exception while the
 * breaker is open; lock_not_available where a time is up.
 */
void
cpg_serve_instead(CpgCall *call)
{
	const CpgNamespace *ns = call->ns;
	const CpgExcuse *excuse = &call->excuse;

	if (excuse->final)
		raise(ns, excuse);
	if (ns->number >= 0 && excuse->what != CPG_INSTEAD_OF_LOAD)
		cpg_stats_add(ns->number, counter_of(excuse), 1);
	if (ns->number >= 0 && cpg_serve_stale(call))
		return;
	if (ns->fallback == NULL || OidIsValid(call->fetch->rowtype))
		raise(ns, excuse);
	if (ns->number >= 0)
		cpg_stats_add(ns->number, CPG_COUNT_FALLBACK, 1);
	cpg_deps_unpublishable(CPG_COUNT_OUTDATED);
	call->value = PointerGetDatum(ns->fallback);
	call->isnull = false;
}
