/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Running the query of a fetch.
 *
 * It runs as whoever is the current role (see context.c) through SPI, not read-only: in READ COMMITTED
 * that takes a snapshot of its own, newer than the caller's stamp.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupconvert.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "error.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "loader/loader.h"
#include "miscadmin.h"
#include "funcapi.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "value/value.h"

/* Raise that SPI cannot run such a statement. */
void
cpg_loader_refuse(int spi_code)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the query of cache_fetch must not be a statement of this kind"),
			 errdetail("The server programming interface returned %s.", SPI_result_code_string(spi_code))));
}

/* Run a statement to so many rows, 0 for all; SPI has the result. */
static void
execute(CpgStatement *statement, uint64 limit)
{
	CpgArgs    *args = statement->args;
	char	   *nulls = palloc(args->count + 1);
	int			code;

	for (int i = 0; i < args->count; i++)
		nulls[i] = args->nulls[i] ? 'n' : ' ';
	nulls[args->count] = '\0';
	code = cpg_plan_execute(statement, nulls, (long) limit);
	if (code < 0)
		cpg_loader_refuse(code);
	if (SPI_tuptable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query of cache_fetch returns no value"),
				 errhint("Use SELECT, or add RETURNING.")));
}

/* The row as a value: its only column, or an object of all columns. */
static Datum
row_value(HeapTuple tuple, TupleDesc desc, Oid *type, bool *isnull)
{
	if (desc->natts == 1)
	{
		*type = SPI_gettypeid(desc, 1);
		return SPI_getbinval(tuple, desc, 1, isnull);
	}
	*type = RECORDOID;
	*isnull = false;
	return heap_copy_tuple_as_datum(tuple, BlessTupleDesc(desc));
}

/* A value as jsonb in another memory context. */
static Datum
to_jsonb_in(MemoryContext context, Oid type, Datum value)
{
	MemoryContext old;

	value = PointerGetDatum(PG_DETOAST_DATUM(cpg_value_to_jsonb(type, value)));
	old = MemoryContextSwitchTo(context);
	value = datumCopy(value, false, -1);
	MemoryContextSwitchTo(old);
	return value;
}

/*
 * Take a value as that of a load, as jsonb in the caller's memory context.  What
 * it takes to make it is left in the current one.
 */
void
cpg_loaded_take(CpgLoaded *loaded, Oid type, Datum value, bool isnull, MemoryContext caller)
{
	loaded->type = JSONBOID;
	loaded->isnull = isnull;
	if (!isnull)
		loaded->value = to_jsonb_in(caller, type, value);
}

/* Take the one row of the result out of SPI's memory, as jsonb. */
static void
take_value(CpgLoaded *loaded, MemoryContext caller)
{
	Oid			type;
	Datum		value;
	bool		isnull;

	loaded->type = JSONBOID;
	if (SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("the query of cache_fetch returned more than one row"),
				 errhint("Use cache_query for rows, or aggregate them into one value, for example with jsonb_agg.")));
	if (SPI_processed == 0 || SPI_tuptable->tupdesc->natts == 0)
		return;
	value = row_value(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, &type, &isnull);
	cpg_loaded_take(loaded, type, value, isnull, caller);
}

/* How rows become values of a type; NULL if the only column is one already. */
static TupleConversionMap *
row_conversion(TupleDesc desc, Oid rowtype, TupleDesc *target)
{
	*target = NULL;
	if (desc->natts == 1 && SPI_gettypeid(desc, 1) == rowtype)
		return NULL;
	if (!type_is_rowtype(rowtype))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the query of cache_query does not return %s", format_type_be(rowtype)),
				 errdetail("It returns %d columns, the first of type %s.", desc->natts,
						   desc->natts > 0 ? format_type_be(SPI_gettypeid(desc, 1)) : "none"),
				 errhint("Cast the column to the type of the rows.")));
	*target = lookup_rowtype_tupdesc_copy(rowtype, -1);
	return convert_tuples_by_position(desc, *target,
									  "the columns of the query of cache_query are not those of its row type");
}

/* A row as a value of the row type. */
static Datum
typed_row(HeapTuple row, TupleDesc desc, TupleDesc target, TupleConversionMap *map, bool *isnull)
{
	if (target == NULL)
		return SPI_getbinval(row, desc, 1, isnull);
	*isnull = false;
	if (map != NULL)
		row = execute_attr_map_tuple(row, map);
	return heap_copy_tuple_as_datum(row, target);
}

/* Take all rows out of SPI's memory, as an array; no rows are NULL. */
static void
take_rows(CpgLoaded *loaded, Oid rowtype, MemoryContext caller)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	TupleDesc	target;
	TupleConversionMap *map = row_conversion(desc, rowtype, &target);
	ArrayBuildState *array = initArrayResult(rowtype, CurrentMemoryContext, false);

	loaded->type = get_array_type(rowtype);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = typed_row(SPI_tuptable->vals[i], desc, target, map, &isnull);

		CHECK_FOR_INTERRUPTS();
		array = accumArrayResult(array, value, isnull, rowtype, CurrentMemoryContext);
	}
	if (SPI_processed == 0)
		return;
	loaded->isnull = false;
	loaded->value = makeArrayResult(array, caller);
}

static int64
microseconds_since(instr_time start)
{
	instr_time	duration;

	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	return (int64) INSTR_TIME_GET_MICROSEC(duration);
}

/* The value of a statement, or all its rows, from SPI. */
static void
load_by_spi(CpgStatement *statement, Oid rowtype, CpgLoaded *loaded)
{
	MemoryContext caller = CurrentMemoryContext;

	SPI_connect();
	execute(statement, OidIsValid(rowtype) ? 0 : 2);
	if (OidIsValid(rowtype))
		take_rows(loaded, rowtype, caller);
	else
		take_value(loaded, caller);
	SPI_finish();
}

/*
 * Run a query with its arguments, which get types; the result is in the
 * caller's memory context: jsonb of one row, or with a row type an array of
 * all.  Raises what the query raises; invalid_parameter_value,
 * cardinality_violation or datatype_mismatch if it does not give that.
 */
void
cpg_loader_run(const char *query, CpgArgs *args, Oid rowtype, CpgLoaded *loaded)
{
	CpgStatement statement = {.query = query,.args = args};
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	loaded->isnull = true;
	loaded->value = (Datum) 0;
	cpg_plan_find(&statement);
	if (OidIsValid(rowtype) || !cpg_plan_evaluate(&statement, loaded))
		load_by_spi(&statement, rowtype, loaded);
	loaded->microseconds = microseconds_since(start);
}

static void
allocate_many(CpgManyLoaded *loaded, uint64 count)
{
	loaded->count = 0;
	loaded->keys = palloc((count + 1) * sizeof(text *));
	loaded->values = palloc0((count + 1) * sizeof(Datum));
	loaded->nulls = palloc((count + 1) * sizeof(bool));
}

/* One row of key and value; a row without a key says nothing. */
static void
take_pair(HeapTuple row, TupleDesc desc, CpgManyLoaded *loaded, MemoryContext caller)
{
	int			n = loaded->count;
	bool		isnull;
	Datum		key = SPI_getbinval(row, desc, 1, &isnull);
	Datum		value;

	if (isnull)
		return;
	loaded->keys[n] = MemoryContextAlloc(caller, VARSIZE_ANY_EXHDR(DatumGetTextPP(key)) + VARHDRSZ);
	SET_VARSIZE(loaded->keys[n], VARSIZE_ANY_EXHDR(DatumGetTextPP(key)) + VARHDRSZ);
	memcpy(VARDATA(loaded->keys[n]), VARDATA_ANY(DatumGetTextPP(key)), VARSIZE_ANY_EXHDR(DatumGetTextPP(key)));
	value = SPI_getbinval(row, desc, 2, &loaded->nulls[n]);
	if (!loaded->nulls[n])
		loaded->values[n] = to_jsonb_in(caller, SPI_gettypeid(desc, 2), value);
	loaded->count++;
}

/* As cpg_loader_run, for a query that returns rows of key (text) and value. */
void
cpg_loader_run_many(const char *query, CpgArgs *args, CpgManyLoaded *loaded)
{
	CpgStatement statement = {.query = query,.args = args};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	cpg_plan_find(&statement);
	SPI_connect();
	execute(&statement, 0);
	old = MemoryContextSwitchTo(caller);
	allocate_many(loaded, SPI_processed);
	MemoryContextSwitchTo(old);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		take_pair(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, loaded, caller);
	}
	SPI_finish();
	loaded->microseconds = microseconds_since(start);
}
