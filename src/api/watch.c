/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  cache_watch, cache_unwatch, and the trigger function behind watches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "error.h"
#include "utils/builtins.h"
#include "watch/watch.h"

PG_FUNCTION_INFO_V1(cachepg_cache_watch);
PG_FUNCTION_INFO_V1(cachepg_cache_unwatch);
PG_FUNCTION_INFO_V1(cachepg_watch_row);

/* Argument 0, a table. */
static Oid
table_argument(FunctionCallInfo fcinfo)
{
	cpg_require_preload();
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("table of a cache watch");
	return PG_GETARG_OID(0);
}

static char *
template_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

Datum
cachepg_cache_watch(PG_FUNCTION_ARGS)
{
	Oid			relid = table_argument(fcinfo);

	cpg_watch_create(relid, template_argument(fcinfo, 1), template_argument(fcinfo, 2));
	PG_RETURN_VOID();
}

Datum
cachepg_cache_unwatch(PG_FUNCTION_ARGS)
{
	Oid			relid = table_argument(fcinfo);

	PG_RETURN_INT64(cpg_watch_remove(relid, template_argument(fcinfo, 1),
									 template_argument(fcinfo, 2)));
}

Datum
cachepg_watch_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cachepg_watch_row must be called by an AFTER trigger of rows"),
				 errhint("Let cache_watch make the trigger.")));
	cpg_watch_row_changed(trigger);
	return PointerGetDatum(NULL);
}
