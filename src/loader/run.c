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
#include "catalog/pg_type.h"
#include "compat.h"
#include "error.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "loader/loader.h"
#include "funcapi.h"
#include "portability/instr_time.h"
#include "utils/datum.h"
#include "value/value.h"

static void
check_result(int code)
{
	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the query of cache_fetch must not be a statement of this kind"),
				 errdetail("SPI_execute_with_args returned %s.", SPI_result_code_string(code))));
	if (SPI_tuptable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query of cache_fetch returns no value"),
				 errhint("Use SELECT, or add RETURNING.")));
	if (SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("the query of cache_fetch returned more than one row"),
				 errhint("Aggregate the rows into one value, for example with jsonb_agg.")));
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

/* Take the result out of SPI's memory, as jsonb. */
static void
take_result(CpgLoaded *loaded, MemoryContext caller)
{
	Oid			type;
	Datum		value;

	loaded->isnull = true;
	loaded->type = JSONBOID;
	loaded->value = (Datum) 0;
	if (SPI_processed == 0)
		return;
	if (SPI_tuptable->tupdesc->natts == 0)
		return;
	value = row_value(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, &type, &loaded->isnull);
	if (!loaded->isnull)
	{
		MemoryContext old;

		value = PointerGetDatum(PG_DETOAST_DATUM(cpg_value_to_jsonb(type, value)));
		old = MemoryContextSwitchTo(caller);
		loaded->value = datumCopy(value, false, -1);
		MemoryContextSwitchTo(old);
	}
}

/*
 * Run a query with its arguments, which get types; the result is in the
 * caller's memory context.  Raises what the query raises, and
 * invalid_parameter_value or cardinality_violation if it is not one that gives
 * at most one row.
 */
void
cpg_loader_run(const char *query, CpgArgs *args, CpgLoaded *loaded)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *nulls;
	instr_time	start;
	instr_time	duration;

	INSTR_TIME_SET_CURRENT(start);
	cpg_args_bind(query, args);
	nulls = palloc(args->count + 1);
	for (int i = 0; i < args->count; i++)
		nulls[i] = args->nulls[i] ? 'n' : ' ';

	SPI_connect();
	check_result(SPI_execute_with_args(query, args->count, args->types, args->values, nulls,
									   false, 2));
	take_result(loaded, caller);
	SPI_finish();

	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	loaded->microseconds = (int64) INSTR_TIME_GET_MICROSEC(duration);
}
