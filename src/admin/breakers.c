/*-------------------------------------------------------------------------
 *
 * breakers.c
 *	  cache_breakers, cache_breaker_reset, cache_workers and
 *	  cache_progress_warm.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/row.h"
#include "clock.h"
#include "commands/dbcommands.h"
#include "error.h"
#include "flight/flight.h"
#include "refresh/refresh.h"
#include "stats/progress.h"

PG_FUNCTION_INFO_V1(cachepg_breakers);
PG_FUNCTION_INFO_V1(cachepg_cache_breaker_reset);
PG_FUNCTION_INFO_V1(cachepg_workers);
PG_FUNCTION_INFO_V1(cachepg_progress_warm);

static const char *
breaker_state_name(CpgBreakerState state)
{
	switch (state)
	{
		case CPG_BREAKER_CLOSED:
			return "closed";
		case CPG_BREAKER_OPEN:
			return "open";
		case CPG_BREAKER_HALF_OPEN:
			return "half-open";
	}
	pg_unreachable();
}

/* A time of the cache's clock as one of the calendar. */
static TimestampTz
calendar_time(int64 at, int64 now)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), at - now);
}

static void
emit_breaker(FunctionCallInfo fcinfo, const CpgNamespace *ns)
{
	int64		now = cpg_clock_now();
	CpgBreaker	breaker;
	CpgRow		row = {0};
	double		ratio;
	int			calls;

	cpg_breaker_show(ns, &breaker);
	ratio = cpg_breaker_failure_ratio(&breaker, &calls);
	cpg_row_add_text(&row, ns->name);
	/* one that has been open long enough admits a probe */
	cpg_row_add_text(&row, breaker.state == CPG_BREAKER_OPEN && breaker.until <= now ? "half-open" :
					 breaker_state_name(breaker.state));
	cpg_row_add(&row, Int32GetDatum(calls));
	if (calls > 0)
		cpg_row_add(&row, Float8GetDatum(ratio));
	else
		cpg_row_add_null(&row);
	cpg_row_add_int(&row, breaker.opened);
	if (breaker.opened > 0)
		cpg_row_add(&row, TimestampTzGetDatum(calendar_time(breaker.last_opened, now)));
	else
		cpg_row_add_null(&row);
	cpg_row_add_int(&row, breaker.refused);
	if (breaker.state == CPG_BREAKER_CLOSED)
		cpg_row_add_null(&row);
	else
		cpg_row_add(&row, TimestampTzGetDatum(calendar_time(Max(cpg_breaker_retry_at(&breaker, now), now), now)));
	cpg_row_emit(fcinfo, &row);
}

Datum
cachepg_breakers(PG_FUNCTION_ARGS)
{
	CpgNamespace *spaces;
	int			count;

	cpg_row_begin_set(fcinfo);
	count = cpg_namespace_list(&spaces);
	for (int i = 0; i < count; i++)
	{
		CpgNamespace ns = spaces[i];

		if (!ns.breaker || !cpg_namespace_visible(&spaces[i]))
			continue;
		ns.number = cpg_namespace_number(&ns, &ns.generation);
		emit_breaker(fcinfo, &ns);
	}
	return (Datum) 0;
}

Datum
cachepg_cache_breaker_reset(PG_FUNCTION_ARGS)
{
	CpgNamespace *ns;

	cpg_require_preload();
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("name of a cache namespace");
	ns = cpg_namespace_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	cpg_namespace_require(ns, CPG_PRIVILEGE_ADMIN);
	if (cpg_namespace_attach(ns))
		cpg_breaker_close(ns);
	PG_RETURN_VOID();
}

static const char *
worker_state_name(CpgWorkerState state)
{
	switch (state)
	{
		case CPG_WORKER_STARTING:
			return "starting";
		case CPG_WORKER_IDLE:
			return "idle";
		case CPG_WORKER_LOADING:
			return "loading";
		case CPG_WORKER_NONE:
			break;
	}
	return NULL;
}

Datum
cachepg_workers(PG_FUNCTION_ARGS)
{
	cpg_row_begin_set(fcinfo);
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		CpgWorkerView view;
		CpgRow		row = {0};

		cpg_crew_view(i, &view);
		if (view.state == CPG_WORKER_NONE)
			continue;
		if (view.pid != 0)
			cpg_row_add(&row, Int32GetDatum(view.pid));
		else
			cpg_row_add_null(&row);
		cpg_row_add_text(&row, get_database_name(view.database));
		cpg_row_add_text(&row, worker_state_name(view.state));
		cpg_row_add(&row, TimestampTzGetDatum(view.since));
		cpg_row_add_int(&row, view.done);
		cpg_row_add_int(&row, view.failed);
		cpg_row_add_int(&row, (uint64) cpg_queue_length(view.database));
		cpg_row_emit(fcinfo, &row);
	}
	return (Datum) 0;
}

/* The running calls of cache_warm, for everybody. */
Datum
cachepg_progress_warm(PG_FUNCTION_ARGS)
{
	cpg_row_begin_set(fcinfo);
	for (int i = 0; i < CPG_PROGRESS_PLACES; i++)
	{
		CpgProgress p;
		CpgRow		row = {0};

		cpg_progress_read(i, &p);
		if (p.pid == 0)
			continue;
		cpg_row_add(&row, Int32GetDatum(p.pid));
		cpg_row_add_text(&row, get_database_name(p.database));
		cpg_row_add(&row, TimestampTzGetDatum(p.started));
		cpg_row_add_int(&row, (uint64) p.expected);
		cpg_row_add_int(&row, (uint64) p.done);
		cpg_row_add_int(&row, (uint64) p.loaded);
		cpg_row_add_int(&row, (uint64) p.failed);
		cpg_row_emit(fcinfo, &row);
	}
	return (Datum) 0;
}
