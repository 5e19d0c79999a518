/*-------------------------------------------------------------------------
 *
 * loop_sizes.c
 *	  Sets of log-uniform sizes at full memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "clock.h"
#include "fmgr.h"
#include "funcapi.h"
#include "loop.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(loop_sizes);

#define SIZE_MIN_BYTES	100
#define SIZE_MAX_BYTES	(1024 * 1024)
#define SAMPLE_EVERY	1000

/* Columns of loop_sizes: how the sets ended, and what the samples showed. */
enum
{
	SIZES_STORED, SIZES_TOO_LARGE, SIZES_NO_ROOM, SIZES_SAMPLES, SIZES_OVER, SIZES_BYTES,
	SIZES_COLUMNS
};

/* Whether more is used than was given: blocks in use and free ones must fit the arena. */
static bool
over_budget(void)
{
	CpgStoreSpace space;
	CpgStoreUse use;

	cpg_store_space(loop_store, &space);
	cpg_store_use(loop_store, 0, &use);
	return use.bytes + space.free > space.arena || space.arena > space.total;
}

/* Set a value of len bytes under a new key; returns the column to count it in. */
static int
set_value(int number, const char *data, Size len)
{
	int64		now = cpg_clock_now();
	CpgItem		item = loop_item(data, len, now);
	char		name[LOOP_KEY_LEN];
	CpgKey		key;

	loop_key_text(number, name);
	cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
	switch (cpg_store_put(loop_store, &key, &item, CPG_PUT_SET, now))
	{
		case CPG_PUT_STORED:
			return SIZES_STORED;
		case CPG_PUT_TOO_LARGE:
			return SIZES_TOO_LARGE;
		default:
			return SIZES_NO_ROOM;
	}
}

/* An error if the store is not sound: sums of a broken one prove nothing. */
static void
check_store(void)
{
	CpgStoreSpace space;
	CpgProblem	problem;

	cpg_store_space(loop_store, &space);
	for (int i = 0; i < space.npartitions; i++)
	{
		if (cpg_store_check(loop_store, i, &problem, 1) > 0)
			elog(ERROR, "partition %d: %s (" INT64_FORMAT ")", i, problem.text, problem.detail);
	}
}

/*
 * Set values of 100 bytes to 1 MB under ever new keys; after every so many
 * sets, a sample of what is in use.
 */
Datum
loop_sizes(PG_FUNCTION_ARGS)
{
	int			sets = PG_GETARG_INT32(0);
	char	   *data = palloc(SIZE_MAX_BYTES);
	int64		counts[SIZES_COLUMNS] = {0};
	pg_prng_state random;
	TupleDesc	desc;
	Datum		row[SIZES_COLUMNS];
	bool		nulls[SIZES_COLUMNS] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	pg_prng_seed(&random, PG_GETARG_INT32(1));
	memset(data, 'x', SIZE_MAX_BYTES);
	for (int i = 0; i < sets; i++)
	{
		Size		len = (Size) (SIZE_MIN_BYTES * pow((double) SIZE_MAX_BYTES / SIZE_MIN_BYTES,
													   pg_prng_double(&random)));

		CHECK_FOR_INTERRUPTS();
		counts[set_value(i, data, len)]++;
		counts[SIZES_BYTES] += len;
		if (i % SAMPLE_EVERY == 0)
		{
			counts[SIZES_SAMPLES]++;
			counts[SIZES_OVER] += over_budget();
		}
	}
	check_store();
	for (int i = 0; i < SIZES_COLUMNS; i++)
		row[i] = Int64GetDatum(counts[i]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls)));
}
