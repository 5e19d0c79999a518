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

#define SIZE_MAX_BYTES (1024 * 1024)

/*
 * Set values of 100 bytes to 1 MB under ever new keys; counts refusals, and
 * samples after every 1000 sets whether the bytes in use exceed the arena.
 */
Datum
loop_sizes(PG_FUNCTION_ARGS)
{
	int			sets = PG_GETARG_INT32(0);
	char	   *data = palloc(SIZE_MAX_BYTES);
	int64		stored = 0;
	int64		samples = 0;
	int64		over = 0;
	pg_prng_state random;
	TupleDesc	desc;
	Datum		row[4];
	bool		nulls[4] = {false, false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	pg_prng_seed(&random, PG_GETARG_INT32(1));
	memset(data, 'x', SIZE_MAX_BYTES);
	for (int i = 0; i < sets; i++)
	{
		Size		len = (Size) (100 * pow(SIZE_MAX_BYTES / 100.0, pg_prng_double(&random)));
		int64		now = cpg_clock_now();
		CpgItem		item = loop_item(data, len, now);
		char		name[LOOP_KEY_LEN];
		CpgKey		key;

		CHECK_FOR_INTERRUPTS();
		loop_key_text(i, name);
		cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
		stored += cpg_store_put(loop_store, &key, &item, CPG_PUT_SET, now) == CPG_PUT_STORED;
		if (i % 1000 == 0)
		{
			CpgStoreSpace space;
			CpgStoreUse use;

			cpg_store_space(loop_store, &space);
			cpg_store_use(loop_store, 0, &use);
			samples++;
			over += use.bytes + space.free > space.arena;
		}
	}
	row[0] = Int64GetDatum(stored);
	row[1] = Int64GetDatum(sets - stored);
	row[2] = Int64GetDatum(samples);
	row[3] = Int64GetDatum(over);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls)));
}
