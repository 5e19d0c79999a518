/*-------------------------------------------------------------------------
 *
 * query.c
 *	  cache_query: rows of a query, typed.
 *
 * They are kept as one value, an array of the row type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "error.h"
#include "fetch/fetch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(cachepg_cache_query_record);
PG_FUNCTION_INFO_V1(cachepg_cache_query_text);

/* A result on its way to the caller, row by row. */
typedef struct Rows
{
	ArrayIterator iterator;		/* NULL: there are none */
} Rows;

/* The element type of what is kept; raises for types without arrays. */
static Oid
row_type(FunctionCallInfo fcinfo)
{
	Oid			type = cpg_argument_type(fcinfo, 0);

	if (!OidIsValid(get_array_type(type)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot cache rows of type %s", format_type_be(type)),
				 errhint("Name a table, a composite type, or a scalar type, as in NULL::users.")));
	return type;
}

/* Get the rows, in the memory context of the whole call. */
static void
fetch_rows(FunctionCallInfo fcinfo, CpgArgsForm form, FuncCallContext *context)
{
	MemoryContext old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
	Rows	   *rows = palloc0(sizeof(Rows));
	CpgQueryMemo *memo = NULL;
	CpgFetch	fetch;
	CpgTags		tags;
	bool		isnull;
	Datum		value;

	cpg_fetch_arguments(fcinfo, 1, form, &fetch, &tags);
	fetch.memo = &memo;
	fetch.memo_context = CurrentMemoryContext;
	fetch.rowtype = row_type(fcinfo);
	value = cpg_fetch(&fetch, &isnull);
	if (!isnull)
		rows->iterator = array_create_iterator(DatumGetArrayTypeP(value), 0, NULL);
	context->user_fctx = rows;
	MemoryContextSwitchTo(old);
}

static Datum
next_row(FunctionCallInfo fcinfo, CpgArgsForm form)
{
	FuncCallContext *context;
	Rows	   *rows;
	Datum		value;
	bool		isnull;

	if (SRF_IS_FIRSTCALL())
	{
		context = SRF_FIRSTCALL_INIT();
		fetch_rows(fcinfo, form, context);
	}
	context = SRF_PERCALL_SETUP();
	rows = context->user_fctx;
	if (rows->iterator == NULL || !array_iterate(rows->iterator, &value, &isnull))
		SRF_RETURN_DONE(context);
	if (isnull)
		SRF_RETURN_NEXT_NULL(context);
	SRF_RETURN_NEXT(context, value);
}

Datum
cachepg_cache_query_record(PG_FUNCTION_ARGS)
{
	return next_row(fcinfo, CPG_ARGS_RECORD);
}

Datum
cachepg_cache_query_text(PG_FUNCTION_ARGS)
{
	return next_row(fcinfo, CPG_ARGS_ARRAY);
}
