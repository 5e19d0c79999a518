/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  Functions whose results depend on what nobody tracks.
 *
 * What a function of SQL or PL/pgSQL does is seen statement by statement.  Into
 * functions in C and in untrusted languages one cannot look; unless they are
 * declared immutable, the result is kept by TTL only, beside what is tracked.
 * So it is with clocks and random numbers.  What tells one session from
 * another makes the result unfit to be kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "inval/deps.h"
#include "track/track.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Functions of PostgreSQL that tell something of the session. */
static const Oid session_functions[] = {
	F_PG_BACKEND_PID, F_INET_CLIENT_ADDR, F_INET_CLIENT_PORT, F_INET_SERVER_ADDR,
	F_INET_SERVER_PORT, F_CURRVAL, F_LASTVAL, F_CURRENT_QUERY, F_PG_TRIGGER_DEPTH,
	F_PG_LISTENING_CHANNELS, F_PG_MY_TEMP_SCHEMA, F_TXID_CURRENT, F_TXID_CURRENT_IF_ASSIGNED,
	F_TXID_CURRENT_SNAPSHOT, F_PG_CURRENT_XACT_ID, F_PG_CURRENT_XACT_ID_IF_ASSIGNED,
	F_PG_CURRENT_SNAPSHOT
};

/* Functions that tell the time. */
static const Oid time_functions[] = {
	F_NOW, F_TRANSACTION_TIMESTAMP, F_STATEMENT_TIMESTAMP, F_CLOCK_TIMESTAMP, F_TIMEOFDAY
};

static bool
is_one_of(Oid function, const Oid *list, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (list[i] == function)
			return true;
	}
	return false;
}

/* Whether a language lets code do what PostgreSQL does not see. */
static bool
is_opaque_language(Oid language)
{
	HeapTuple	tuple;
	bool		trusted = true;

	if (language == SQLlanguageId || language == INTERNALlanguageId)
		return false;
	if (language == ClanguageId)
		return true;
	tuple = SearchSysCache1(LANGOID, ObjectIdGetDatum(language));
	if (HeapTupleIsValid(tuple))
	{
		trusted = ((Form_pg_language) GETSTRUCT(tuple))->lanpltrusted;
		ReleaseSysCache(tuple);
	}
	return !trusted;
}

/* The cache's own functions say what they read by themselves. */
static bool
is_own(HeapTuple tuple)
{
	bool		isnull;
	Datum		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	char	   *symbol = isnull ? "" : TextDatumGetCString(source);

	return strncmp(symbol, "cachepg_", 8) == 0;
}

/* Whether a function may run statements of its own. */
static bool
runs_statements(Oid language)
{
	return language != INTERNALlanguageId && language != ClanguageId;
}

static void
note_others(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	/* what it reads in a worker would stay unknown */
	if (cpg_track_parallel && runs_statements(form->prolang))
		cpg_deps_unpublishable(CPG_COUNT_PARALLEL);
	if (form->provolatile != PROVOLATILE_IMMUTABLE)
	{
		if (form->prolang == INTERNALlanguageId && form->provolatile == PROVOLATILE_VOLATILE)
			cpg_deps_untracked(CPG_UNTRACKED_TIME);
		else if (is_opaque_language(form->prolang) && !is_own(tuple))
			cpg_deps_untracked(CPG_UNTRACKED_FUNCTION);
	}
	ReleaseSysCache(tuple);
}

/* A function is about to be executed; matters to a load only. */
void
cpg_track_function(Oid function)
{
	if (!cpg_deps_active())
		return;
	if (is_one_of(function, session_functions, lengthof(session_functions)))
		cpg_deps_unpublishable(CPG_COUNT_SESSION_INPUT);
	else if (is_one_of(function, time_functions, lengthof(time_functions)))
		cpg_deps_untracked(CPG_UNTRACKED_TIME);
	else
		note_others(function);
}
