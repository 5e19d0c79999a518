/*-------------------------------------------------------------------------
 *
 * loop_sequence.c
 *	  Sequences of keys by Zipf's law, and the loop that times gets of them.
 *
 * The sequence is drawn beforehand, so that only the gets are timed.  Several
 * processes that shall run at once are given a common time to begin at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <sys/resource.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "loop.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/timestamp.h"

#define SEQUENCE_LEN	(1 << 22)
#define CHUNK			4096
#define POLL_US			100

/* The index at which the sums reach target. */
static uint32
find_sum(const double *sum, int keys, double target)
{
	int			low = 0;
	int			high = keys - 1;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (sum[middle + 1] < target)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32) low;
}

/* SEQUENCE_LEN keys below keys by Zipf's law with exponent s. */
static uint32 *
draw_sequence(int keys, double s, int seed)
{
	double	   *sum = MemoryContextAllocExtended(CurrentMemoryContext, (keys + 1) * sizeof(double),
												 MCXT_ALLOC_HUGE);
	uint32	   *sequence = MemoryContextAllocExtended(CurrentMemoryContext,
													  SEQUENCE_LEN * sizeof(uint32), MCXT_ALLOC_HUGE);
	pg_prng_state random;

	pg_prng_seed(&random, seed);
	sum[0] = 0;
	for (int i = 1; i <= keys; i++)
		sum[i] = sum[i - 1] + 1.0 / pow(i, s);
	for (int i = 0; i < SEQUENCE_LEN; i++)
		sequence[i] = find_sum(sum, keys, pg_prng_double(&random) * sum[keys]);
	pfree(sum);
	return sequence;
}

/* Wait for the common start; an error if it is over, since then no result is comparable. */
static void
wait_for(TimestampTz start)
{
	if (GetCurrentTimestamp() > start)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("the keys were drawn too late for a common start")));
	while (GetCurrentTimestamp() < start)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(POLL_US);
	}
}

static double
cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double) (use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		(double) (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static Datum
result_row(FunctionCallInfo fcinfo, int64 gets, int64 hits, double taken, double cpu)
{
	TupleDesc	desc;
	Datum		row[4];
	bool		nulls[4] = {false, false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	row[0] = Int64GetDatum(gets);
	row[1] = Int64GetDatum(hits);
	row[2] = Float8GetDatum(taken);
	row[3] = Float8GetDatum(cpu);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls));
}

/*
 * Call get_keys with pieces of a drawn sequence for so many seconds.  The
 * arguments of the SQL function are keys, seconds, exponent, seed, start.
 */
Datum
loop_timed(FunctionCallInfo fcinfo, LoopGetKeys get_keys, void *state)
{
	uint32	   *sequence = draw_sequence(PG_GETARG_INT32(0), PG_GETARG_FLOAT8(2), PG_GETARG_INT32(3));
	double		seconds = PG_GETARG_FLOAT8(1);
	int64		gets = 0;
	int64		hits = 0;
	double		taken;
	double		cpu;
	instr_time	start;
	instr_time	now;

	if (!PG_ARGISNULL(4))
		wait_for(PG_GETARG_TIMESTAMPTZ(4));
	cpu = cpu_seconds();
	INSTR_TIME_SET_CURRENT(start);
	do
	{
		CHECK_FOR_INTERRUPTS();
		hits += get_keys(sequence + (gets & (SEQUENCE_LEN - 1)), CHUNK, state);
		gets += CHUNK;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		taken = INSTR_TIME_GET_DOUBLE(now);
	} while (taken < seconds);
	return result_row(fcinfo, gets, hits, taken, cpu_seconds() - cpu);
}
