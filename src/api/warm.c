/*-------------------------------------------------------------------------
 *
 * warm.c
 *	  cache_warm: loads many keys ahead of their use.
 *
 * Keys come from a query, through a cursor, in batches.  One that cannot be
 * loaded is counted and does not stop the others; of the first one the error is
 * told at the end.  A cancellation ends all of it.  What is fresh already is left
 * alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "error.h"
#include "executor/spi.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "shmem.h"
#include "stats/progress.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cachepg_cache_warm);

#define BATCH			1000
#define NOTICE_EVERY	10000	/* ms */

typedef enum Form
{
	FORM_KEYS,					/* of namespaces with loaders */
	FORM_QUERIES				/* key, query and perhaps arguments */
} Form;

typedef struct Warming
{
	Form		form;
	bool		with_args;
	int			place;			/* of its progress */
	int64		expected;
	int64		done;
	int64		loaded;
	int64		failed;
	ErrorData  *first_error;
	MemoryContext memory;		/* for it */
	TimestampTz noticed;
} Warming;

/* What the columns of the query are; other ones are invalid_parameter_value. */
static void
judge_columns(TupleDesc desc, Warming *w)
{
	w->form = desc->natts == 1 ? FORM_KEYS : FORM_QUERIES;
	w->with_args = desc->natts == 3;
	if (desc->natts < 1 || desc->natts > 3 || SPI_gettypeid(desc, 1) != TEXTOID ||
		(desc->natts > 1 && SPI_gettypeid(desc, 2) != TEXTOID) ||
		(desc->natts > 2 && SPI_gettypeid(desc, 3) != TEXTARRAYOID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query of cache_warm must return keys"),
				 errdetail("Its columns are key (text) and, for namespaces without a loader, query (text) and args (text[])."),
				 errhint("Cast the columns to these types.")));
}

static void
report(Warming *w)
{
	TimestampTz now = GetCurrentTimestamp();

	cpg_progress_report(w->place, w->done, w->loaded, w->failed);
	if (!TimestampDifferenceExceeds(w->noticed, now, NOTICE_EVERY))
		return;
	w->noticed = now;
	ereport(NOTICE,
			(errmsg("cache_warm: " INT64_FORMAT " keys done of about " INT64_FORMAT ", " INT64_FORMAT " failed",
					w->done, w->expected, w->failed)));
}

/* Load keys with the loaders of their namespaces, in the current context. */
static void
load_keys(text **keys, int count)
{
	Datum	   *values = palloc(count * sizeof(Datum));
	bool	   *nulls = palloc(count * sizeof(bool));

	cpg_fetch_many(keys, count, values, nulls);
}

/* Load one row of key, query and perhaps arguments. */
static void
load_query(HeapTuple row, TupleDesc desc, const Warming *w)
{
	CpgQueryMemo *memo = NULL;
	CpgFetch	fetch;
	bool		isnull[3] = {false, true, true};
	bool		absent;

	memset(&fetch, 0, sizeof(fetch));
	fetch.key = DatumGetTextPP(SPI_getbinval(row, desc, 1, &isnull[0]));
	fetch.query = (text *) DatumGetPointer(SPI_getbinval(row, desc, 2, &isnull[1]));
	if (isnull[0] || isnull[1])
		cpg_error_null_argument("key and query of cache_warm");
	fetch.query = DatumGetTextPP(PointerGetDatum(fetch.query));
	if (w->with_args)
		fetch.args = SPI_getbinval(row, desc, 3, &isnull[2]);
	fetch.form = isnull[2] ? CPG_ARGS_NONE : CPG_ARGS_ARRAY;
	fetch.memo = &memo;
	fetch.memo_context = CurrentMemoryContext;
	(void) cpg_fetch(&fetch, &absent);
}

/* Whether an error means all of the call: who cancels does not mean one key. */
static bool
ends_all(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN;
}

/* So many keys failed, none for now if they are to be tried again. */
static void
note_error(Warming *w, ErrorData *error, int64 keys)
{
	if (ends_all(error))
		ReThrowError(error);
	w->failed += keys;
	if (keys > 0 && w->first_error == NULL)
		w->first_error = error;
	else
		FreeErrorData(error);
}

/* Do a part of a batch in a subtransaction; false if it failed. */
static bool
attempt(Warming *w, text **keys, HeapTuple row, TupleDesc desc, int count, bool last)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		if (w->form == FORM_KEYS)
			load_keys(keys, count);
		else
			load_query(row, desc, w);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(w->memory);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	if (error != NULL)
		note_error(w, error, last ? count : 0);
	else
		w->loaded += count;
	return error == NULL;
}

/* A batch of keys at once; if that fails, one after the other. */
static void
warm_keys(Warming *w, text **keys, int count)
{
	if (attempt(w, keys, NULL, NULL, count, count == 1) || count == 1)
		return;
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) attempt(w, keys + i, NULL, NULL, 1, true);
	}
}

/* What the cursor gave; returns the number of rows. */
static uint64
warm_batch(Warming *w)
{
	SPITupleTable *table = SPI_tuptable;
	uint64		rows = SPI_processed;
	text	   *keys[BATCH];
	int			n = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;
		Datum		key = SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull);

		CHECK_FOR_INTERRUPTS();
		if (isnull)
			continue;
		if (w->form == FORM_KEYS)
			keys[n++] = DatumGetTextPP(key);
		else
		{
			(void) attempt(w, NULL, table->vals[i], table->tupdesc, 1, true);
			w->done++;
			report(w);
		}
	}
	if (n > 0)
		warm_keys(w, keys, n);
	w->done += n;
	report(w);
	SPI_freetuptable(table);
	return rows;
}

/* How many rows the planner expects. */
static int64
expected_rows(SPIPlanPtr plan)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	int64		rows = 0;

	if (cached == NULL)
		return 0;
	if (list_length(cached->stmt_list) == 1 &&
		linitial_node(PlannedStmt, cached->stmt_list)->planTree != NULL)
		rows = (int64) linitial_node(PlannedStmt, cached->stmt_list)->planTree->plan_rows;
	/* a plan that is not kept has no owner */
	ReleaseCachedPlan(cached, NULL);
	return rows;
}

static void
warm(Warming *w, const char *query)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "cache_warm", ALLOCSET_DEFAULT_SIZES);
	Portal		portal;
	uint64		rows;

	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query of cache_warm must be one that returns rows")));
	w->expected = expected_rows(plan);
	w->place = cpg_progress_begin(w->expected);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	judge_columns(portal->tupDesc, w);
	do
	{
		MemoryContext old;

		SPI_cursor_fetch(portal, true, BATCH);
		old = MemoryContextSwitchTo(batch);
		rows = warm_batch(w);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	} while (rows == BATCH);
	SPI_cursor_close(portal);
}

/* Load the keys that a query names; returns how many there are now. */
Datum
cachepg_cache_warm(PG_FUNCTION_ARGS)
{
	Warming		w = {.place = -1,.memory = CurrentMemoryContext};

	cpg_require_preload();
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("query");
	w.noticed = GetCurrentTimestamp();
	SPI_connect();
	PG_TRY();
	{
		warm(&w, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	}
	PG_FINALLY();
	{
		cpg_progress_end(w.place);
	}
	PG_END_TRY();
	SPI_finish();
	if (w.failed > 0)
		ereport(WARNING,
				(errcode(w.first_error->sqlerrcode),
				 errmsg("cache_warm: " INT64_FORMAT " of " INT64_FORMAT " keys could not be loaded", w.failed, w.done),
				 errdetail("The first error was: %s", w.first_error->message)));
	PG_RETURN_INT64(w.loaded);
}
