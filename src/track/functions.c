/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  Functions whose results depend on what nobody tracks.
 *
 * What a function of SQL or PL/pgSQL does is seen statement by statement.  Into
 * functions in C and in untrusted languages one cannot look; unless they are
 * declared immutable, the result is kept by TTL only, beside what is tracked.
 * So it is with clocks and random numbers.  What tells one session from
 * another makes the result unfit to be kept, unless it belongs to the identity
 * of the result (inval/deps.c).
 *
 * PL/pgSQL prepares a simple expression once in a transaction, and only then
 * its functions are reported.  One that was reported earlier in a transaction
 * therefore counts for every load in it that calls such a language.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "compat.h"
#include "inval/deps.h"
#include "storage/proc.h"
#include "track/track.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

typedef enum Kind
{
	KIND_OTHER,
	KIND_CHANGE,				/* changes the session */
	KIND_SESSION,				/* tells something of the session */
	KIND_ROLE,					/* of the current role */
	KIND_LOGIN,					/* of who logged in */
	KIND_TIME,
	KINDS
} Kind;

static const Oid session_functions[] = {
	F_PG_BACKEND_PID, F_INET_CLIENT_ADDR, F_INET_CLIENT_PORT, F_INET_SERVER_ADDR,
	F_INET_SERVER_PORT, F_CURRVAL, F_LASTVAL, F_CURRENT_QUERY, F_PG_TRIGGER_DEPTH,
	F_PG_LISTENING_CHANNELS, F_PG_MY_TEMP_SCHEMA, F_PG_IS_OTHER_TEMP_SCHEMA,
	F_TXID_CURRENT, F_TXID_CURRENT_IF_ASSIGNED, F_TXID_CURRENT_SNAPSHOT,
	F_PG_CURRENT_XACT_ID, F_PG_CURRENT_XACT_ID_IF_ASSIGNED, F_PG_CURRENT_SNAPSHOT,
	F_PG_CLIENT_ENCODING, F_PG_SHOW_ALL_SETTINGS, F_PG_CURSOR, F_PG_PREPARED_STATEMENT,
	F_PG_GET_BACKEND_MEMORY_CONTEXTS
};

static const Oid role_functions[] = {
	F_CURRENT_USER, F_ROW_SECURITY_ACTIVE_TEXT, F_ROW_SECURITY_ACTIVE_OID,
	F_PG_HAS_ROLE_NAME_TEXT, F_PG_HAS_ROLE_OID_TEXT,
	F_HAS_TABLE_PRIVILEGE_TEXT_TEXT, F_HAS_TABLE_PRIVILEGE_OID_TEXT,
	F_HAS_ANY_COLUMN_PRIVILEGE_TEXT_TEXT, F_HAS_ANY_COLUMN_PRIVILEGE_OID_TEXT,
	F_HAS_COLUMN_PRIVILEGE_TEXT_TEXT_TEXT, F_HAS_COLUMN_PRIVILEGE_TEXT_INT2_TEXT,
	F_HAS_COLUMN_PRIVILEGE_OID_TEXT_TEXT, F_HAS_COLUMN_PRIVILEGE_OID_INT2_TEXT,
	F_HAS_SEQUENCE_PRIVILEGE_TEXT_TEXT, F_HAS_SEQUENCE_PRIVILEGE_OID_TEXT,
	F_HAS_SCHEMA_PRIVILEGE_TEXT_TEXT, F_HAS_SCHEMA_PRIVILEGE_OID_TEXT,
	F_HAS_DATABASE_PRIVILEGE_TEXT_TEXT, F_HAS_DATABASE_PRIVILEGE_OID_TEXT,
	F_HAS_FUNCTION_PRIVILEGE_TEXT_TEXT, F_HAS_FUNCTION_PRIVILEGE_OID_TEXT,
	F_HAS_TYPE_PRIVILEGE_TEXT_TEXT, F_HAS_TYPE_PRIVILEGE_OID_TEXT
};

static const Oid login_functions[] = {
#ifdef F_SYSTEM_USER
	F_SYSTEM_USER,
#endif
	F_SESSION_USER
};

static const Oid time_functions[] = {
	F_NOW, F_TRANSACTION_TIMESTAMP, F_STATEMENT_TIMESTAMP, F_CLOCK_TIMESTAMP, F_TIMEOFDAY,
	F_AGE_TIMESTAMP, F_AGE_TIMESTAMPTZ
};

/* Kinds of PostgreSQL's own functions, by OID. */
static uint8 kind_of[FirstGenbkiObjectId];

/* Transactions in which a function of a kind was reported last. */
static LocalTransactionId reported[KINDS];

static void
classify(const Oid *list, int count, Kind kind)
{
	for (int i = 0; i < count; i++)
		kind_of[list[i]] = kind;
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

static pg_noinline void
note_others(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (form->prolang != INTERNALlanguageId && form->prolang != ClanguageId &&
		form->prolang != SQLlanguageId)
		cpg_load->procedural = true;
	/* what it reads in a worker would stay unknown */
	if (cpg_track_parallel && runs_statements(form->prolang))
		cpg_deps_unpublishable(CPG_COUNT_PARALLEL);
	if (form->provolatile != PROVOLATILE_IMMUTABLE)
	{
		if (form->prolang == INTERNALlanguageId && form->provolatile == PROVOLATILE_VOLATILE)
			cpg_deps_untracked(CPG_UNTRACKED_TIME);
		else if (is_opaque_language(form->prolang) && !is_own(tuple))
			cpg_deps_untracked(CPG_UNTRACKED_FUNCTION);
		else if (strncmp(NameStr(form->proname), "pg_stat_", 8) == 0)
			cpg_deps_untracked(CPG_UNTRACKED_FUNCTION);
	}
	ReleaseSysCache(tuple);
}

static pg_noinline void
note(Kind kind)
{
	switch (kind)
	{
		case KIND_CHANGE:
		case KIND_SESSION:
			cpg_deps_unpublishable(CPG_COUNT_SESSION_INPUT);
			break;
		case KIND_ROLE:
			cpg_deps_input_role();
			break;
		case KIND_LOGIN:
			cpg_deps_input_login();
			break;
		case KIND_TIME:
			cpg_deps_untracked(CPG_UNTRACKED_TIME);
			break;
		case KIND_OTHER:
		case KINDS:
			break;
	}
}

/* A function is about to be executed; matters to loads only. */
void		pg_attribute_hot
cpg_track_function(Oid function)
{
	Kind		kind = function < FirstGenbkiObjectId ? kind_of[function] : KIND_OTHER;

	if (unlikely(kind != KIND_OTHER))
		reported[kind] = CPG_MY_LXID;
	if (likely(!cpg_deps_active()))
		return;
	if (kind == KIND_OTHER)
		note_others(function);
	else
		note(kind);
}

/* The load under way has its result. */
void
cpg_track_load_ends(void)
{
	if (!cpg_load->procedural)
		return;
	for (Kind kind = KIND_SESSION; kind < KINDS; kind++)
	{
		if (reported[kind] == CPG_MY_LXID)
			note(kind);
	}
}

void
cpg_track_functions_install(void)
{
	kind_of[F_SET_CONFIG] = KIND_CHANGE;
	classify(session_functions, lengthof(session_functions), KIND_SESSION);
	classify(role_functions, lengthof(role_functions), KIND_ROLE);
	classify(login_functions, lengthof(login_functions), KIND_LOGIN);
	classify(time_functions, lengthof(time_functions), KIND_TIME);
}
