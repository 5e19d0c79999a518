/*-------------------------------------------------------------------------
 *
 * loop_get.c
 *	  Gets in a C loop: clock, hash, lookup and copy of the value, each time.
 *
 * The sequence of keys is drawn beforehand, so that only the store is timed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "clock.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "loop.h"
#include "miscadmin.h"
#include "portability/instr_time.h"

PG_FUNCTION_INFO_V1(loop_fill);
PG_FUNCTION_INFO_V1(loop_get);

#define SEQUENCE_LEN	(1 << 22)
#define VALUE_MAX		65536
#define CHUNK			4096

/* Store keys 0 .. keys - 1; returns how many are there afterwards. */
Datum
loop_fill(PG_FUNCTION_ARGS)
{
	int			keys = PG_GETARG_INT32(0);
	Size		len = Min(PG_GETARG_INT32(1), VALUE_MAX);
	char	   *data = palloc(len);
	int64		now = cpg_clock_now();
	int64		present = 0;
	char		name[LOOP_KEY_LEN];
	CpgKey		key;

	memset(data, 'x', len);
	for (int i = 0; i < keys; i++)
	{
		CpgItem		item = loop_item(data, len, now);

		loop_key_text(i, name);
		cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
		(void) cpg_store_put(loop_store, &key, &item, CPG_PUT_SET, now);
	}
	for (int i = 0; i < keys; i++)
	{
		CpgValue	value = {.buffer = NULL};

		loop_key_text(i, name);
		cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
		present += cpg_store_peek(loop_store, &key, now, &value) == CPG_HIT;
	}
	PG_RETURN_INT64(present);
}

/* A sequence of keys by Zipf's law with exponent s: inverse of the sum. */
static uint32 *
draw_sequence(int keys, double s, int seed)
{
	double	   *sum = MemoryContextAllocExtended(CurrentMemoryContext, (keys + 1) * sizeof(double), MCXT_ALLOC_HUGE);
	uint32	   *sequence = MemoryContextAllocExtended(CurrentMemoryContext,
													  SEQUENCE_LEN * sizeof(uint32), MCXT_ALLOC_HUGE);
	pg_prng_state random;

	pg_prng_seed(&random, seed);
	sum[0] = 0;
	for (int i = 1; i <= keys; i++)
		sum[i] = sum[i - 1] + 1.0 / pow(i, s);
	for (int i = 0; i < SEQUENCE_LEN; i++)
	{
		double		target = pg_prng_double(&random) * sum[keys];
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
		sequence[i] = (uint32) low;
	}
	pfree(sum);
	return sequence;
}

/* Get keys for so many seconds. */
Datum
loop_get(PG_FUNCTION_ARGS)
{
	uint32	   *sequence = draw_sequence(PG_GETARG_INT32(0), PG_GETARG_FLOAT8(2), PG_GETARG_INT32(3));
	double		seconds = PG_GETARG_FLOAT8(1);
	char	   *buffer = palloc(VALUE_MAX + VARHDRSZ);
	int64		gets = 0;
	int64		hits = 0;
	double		taken;
	instr_time	start;
	instr_time	now;
	TupleDesc	desc;
	Datum		row[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	INSTR_TIME_SET_CURRENT(start);
	do
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < CHUNK; i++)
		{
			CpgValue	value = {.buffer = buffer,.buffer_size = VALUE_MAX + VARHDRSZ};
			char		name[LOOP_KEY_LEN];
			CpgKey		key;

			loop_key_text(sequence[(gets + i) & (SEQUENCE_LEN - 1)], name);
			cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
			hits += cpg_store_get(loop_store, &key, cpg_clock_now(), &value) == CPG_HIT;
		}
		gets += CHUNK;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		taken = INSTR_TIME_GET_DOUBLE(now);
	} while (taken < seconds);

	row[0] = Int64GetDatum(gets);
	row[1] = Int64GetDatum(hits);
	row[2] = Float8GetDatum(taken);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls)));
}
