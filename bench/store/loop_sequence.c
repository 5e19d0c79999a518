/*-------------------------------------------------------------------------
 *
 * loop_sequence.c
 *	  Sequences of keys by Zipf's law, and the loop that times gets of them.
 *
 * The sequence is drawn beforehand, so that only the gets are timed.  Several
 * processes that shall run at once wait for each other before they begin.
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
#include "port/pg_bitutils.h"
#include "portability/instr_time.h"

#define DRAWS_PER_KEY	10
#define CHUNK			4096
#define POLL_US			50

/* Keys in the order of their use, again and again. */
typedef struct Sequence
{
	uint32	   *keys;
	uint32		len;			/* a power of two, a multiple of CHUNK */
} Sequence;

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

/* Numbers below keys by Zipf's law with exponent s. */
static Sequence
draw_sequence(int keys, double s, int seed)
{
	Sequence	sequence;
	double	   *sum = MemoryContextAllocExtended(CurrentMemoryContext, (keys + 1) * sizeof(double),
												 MCXT_ALLOC_HUGE);
	pg_prng_state random;

	pg_prng_seed(&random, seed);
	sum[0] = 0;
	for (int i = 1; i <= keys; i++)
		sum[i] = sum[i - 1] + 1.0 / pow(i, s);
	sequence.len = pg_nextpower2_32(Max(keys * DRAWS_PER_KEY, CHUNK));
	sequence.keys = MemoryContextAllocExtended(CurrentMemoryContext,
											   sequence.len * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < sequence.len; i++)
		sequence.keys[i] = find_sum(sum, keys, pg_prng_double(&random) * sum[keys]);
	pfree(sum);
	return sequence;
}

/* Wait until as many processes as shall run together have come here. */
static void
wait_for_others(int together)
{
	uint64		ticket;
	uint64		last;

	if (together < 1 || together > LOOP_TOGETHER_MAX)
		elog(ERROR, "%d processes cannot run together", together);
	if (together == 1)
		return;
	ticket = pg_atomic_fetch_add_u64(&loop_gates[together - 1], 1);
	last = (ticket / together + 1) * together;
	while (pg_atomic_read_u64(&loop_gates[together - 1]) < last)
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
 * arguments of the SQL function are keys, seconds, exponent, seed, and how many
 * processes run together.
 */
Datum
loop_timed(FunctionCallInfo fcinfo, LoopGetKeys get_keys, void *state)
{
	Sequence	sequence = draw_sequence(PG_GETARG_INT32(0), PG_GETARG_FLOAT8(2), PG_GETARG_INT32(3));
	double		seconds = PG_GETARG_FLOAT8(1);
	int64		gets = 0;
	int64		hits = 0;
	double		taken;
	double		cpu;
	instr_time	start;
	instr_time	now;

	wait_for_others(PG_GETARG_INT32(4));
	cpu = cpu_seconds();
	INSTR_TIME_SET_CURRENT(start);
	do
	{
		CHECK_FOR_INTERRUPTS();
		hits += get_keys(sequence.keys + (gets & (sequence.len - 1)), CHUNK, state);
		gets += CHUNK;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		taken = INSTR_TIME_GET_DOUBLE(now);
	} while (taken < seconds);
	return result_row(fcinfo, gets, hits, taken, cpu_seconds() - cpu);
}
