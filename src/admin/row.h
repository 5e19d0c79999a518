/*-------------------------------------------------------------------------
 *
 * row.h
 *	  Rows of set-returning functions, filled from left to right.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_ADMIN_ROW_H
#define CPG_ADMIN_ROW_H

#include "access/htup_details.h"
#include "cachepg.h"
#include "fmgr.h"
#include "funcapi.h"
#include "policy/ttl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define CPG_ROW_MAX 64

typedef struct CpgRow
{
	int			n;
	Datum		value[CPG_ROW_MAX];
	bool		null[CPG_ROW_MAX];
} CpgRow;

static inline void
cpg_row_add(CpgRow *row, Datum value)
{
	row->value[row->n] = value;
	row->null[row->n++] = false;
}

static inline void
cpg_row_add_null(CpgRow *row)
{
	row->value[row->n] = (Datum) 0;
	row->null[row->n++] = true;
}

static inline void
cpg_row_add_int(CpgRow *row, uint64 value)
{
	cpg_row_add(row, Int64GetDatum((int64) value));
}

static inline void
cpg_row_add_text(CpgRow *row, const char *value)
{
	if (value == NULL)
		cpg_row_add_null(row);
	else
		cpg_row_add(row, CStringGetTextDatum(value));
}

static inline void
cpg_row_add_interval(CpgRow *row, int64 milliseconds)
{
	cpg_row_add(row, IntervalPGetDatum(cpg_ttl_to_interval(milliseconds)));
}

/* A time of microseconds as an interval. */
static inline void
cpg_row_add_duration(CpgRow *row, int64 microseconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = microseconds;
	cpg_row_add(row, IntervalPGetDatum(interval));
}

/* Give the row to the result and begin the next one. */
static inline void
cpg_row_emit(FunctionCallInfo fcinfo, CpgRow *row)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row->value, row->null);
	row->n = 0;
}

/* Begin a result of rows; requires the preload. */
static inline void
cpg_row_begin_set(FunctionCallInfo fcinfo)
{
	cpg_require_preload();
	InitMaterializedSRF(fcinfo, 0);
}

/* The row as the one result of a function. */
static inline Datum
cpg_row_datum(FunctionCallInfo fcinfo, CpgRow *row)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row->value, row->null));
}

#endif							/* CPG_ADMIN_ROW_H */
