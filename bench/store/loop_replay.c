/*-------------------------------------------------------------------------
 *
 * loop_replay.c
 *	  Hit ratio of a trace: get, and on a miss set, of entries of equal size.
 *
 * A trace is a file of keys as big-endian unsigned 32-bit numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "clock.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "loop.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "store/arena.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(loop_replay);

#define VALUE_BYTES 512
#define HEADER_BYTES 56

/* A store that holds just so many entries of VALUE_BYTES. */
static CpgSharedStore *
store_of(int entries, CpgEviction eviction)
{
	Size		block = cpg_arena_block_size(HEADER_BYTES + LOOP_KEY_LEN + VALUE_BYTES);
	Size		size = entries * block + 256 * 1024;

	for (;;)
	{
		CpgSharedStore *store = loop_private_store(size, block, eviction);
		CpgStoreSpace space;

		/* one more block is kept free than what is in use */
		cpg_store_space(store, &space);
		if ((int) ((space.free - CPG_ARENA_BLOCK_MIN) / block) == entries)
			return store;
		size = (Size) ((int64) size + ((int64) entries * (int64) block -
									   (int64) space.free + CPG_ARENA_BLOCK_MIN +
									   (int64) block / 2));
	}
}

static bool
access_key(CpgSharedStore *store, uint32 number, int64 now, char *buffer)
{
	CpgValue	value = {.buffer = buffer,.buffer_size = VALUE_BYTES + VARHDRSZ};
	CpgItem		item = loop_item(buffer + VARHDRSZ, VALUE_BYTES, now);
	char		name[LOOP_KEY_LEN];
	CpgKey		key;

	loop_key_text(number, name);
	cpg_key_init(&key, store, 0, name, LOOP_KEY_LEN);
	if (cpg_store_get(store, &key, now, &value) == CPG_HIT)
		return true;
	(void) cpg_store_put(store, &key, &item, CPG_PUT_SET, now);
	return false;
}

Datum
loop_replay(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		lru = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "lru") == 0;
	int			entries = PG_GETARG_INT32(2);
	CpgSharedStore *store = store_of(entries, lru ? CPG_EVICTION_LRU : CPG_EVICTION_S3FIFO);
	char	   *buffer = palloc0(VALUE_BYTES + VARHDRSZ);
	FILE	   *file = AllocateFile(path, PG_BINARY_R);
	int64		now = cpg_clock_now();
	int64		accesses = 0;
	int64		hits = 0;
	uint32		number;
	TupleDesc	desc;
	Datum		row[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open trace \"%s\": %m", path)));
	while (fread(&number, sizeof(number), 1, file) == 1)
	{
		CHECK_FOR_INTERRUPTS();
		hits += access_key(store, pg_ntoh32(number), now, buffer);
		accesses++;
	}
	FreeFile(file);
	row[0] = Int64GetDatum(accesses);
	row[1] = Int64GetDatum(hits);
	row[2] = Int32GetDatum(entries);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls)));
}
