/*-------------------------------------------------------------------------
 *
 * loop_replay.c
 *	  Hit ratio of a trace: get, and on a miss set, in a store of one partition.
 *
 * A trace is a file of keys as big-endian unsigned 32-bit numbers.  Sizes are
 * either equal ("unit": the store holds so many entries exactly) or "sampled":
 * each key has a size of its own, drawn log-uniformly by a hash of the key, and
 * the store holds so many entries of mean size.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "clock.h"
#include "compat.h"
#include "core/hash.h"
#include "fmgr.h"
#include "funcapi.h"
#include "loop.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "store/arena.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(loop_replay);

#define UNIT_BYTES		512
#define SAMPLE_MIN		64
#define SAMPLE_MAX		4096
#define HEADER_BYTES	56

typedef struct Replay
{
	CpgSharedStore *store;
	bool		sampled;
	char	   *buffer;
	int64		now;
	int64		accesses;
	int64		hits;
	int64		bytes;
	int64		hit_bytes;
} Replay;

/* A store that holds just so many entries with values of value_bytes. */
static CpgSharedStore *
store_of(int entries, Size value_bytes, CpgEviction eviction)
{
	Size		block = cpg_arena_block_size(HEADER_BYTES + LOOP_KEY_LEN + value_bytes);
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

/* The mean of what sampled_size returns. */
static Size
mean_sample(void)
{
	return (Size) ((SAMPLE_MAX - SAMPLE_MIN) / log((double) SAMPLE_MAX / SAMPLE_MIN));
}

static Size
sampled_size(uint32 number)
{
	double		uniform = (double) (cpg_hash_mix(number) >> 11) / (double) (UINT64CONST(1) << 53);

	return (Size) (SAMPLE_MIN * pow((double) SAMPLE_MAX / SAMPLE_MIN, uniform));
}

static void
access_key(Replay *replay, uint32 number)
{
	Size		len = replay->sampled ? sampled_size(number) : UNIT_BYTES;
	CpgValue	value = {.buffer = replay->buffer,.buffer_size = SAMPLE_MAX + VARHDRSZ};
	CpgItem		item = loop_item(replay->buffer + VARHDRSZ, len, replay->now);
	char		name[LOOP_KEY_LEN];
	CpgKey		key;

	loop_key_text(number, name);
	cpg_key_init(&key, replay->store, 0, name, LOOP_KEY_LEN);
	replay->accesses++;
	replay->bytes += len;
	if (cpg_store_get(replay->store, &key, replay->now, &value) == CPG_HIT)
	{
		replay->hits++;
		replay->hit_bytes += len;
	}
	else
		(void) cpg_store_put(replay->store, &key, &item, CPG_PUT_SET, replay->now);
}

static void
read_trace(Replay *replay, const char *path)
{
	FILE	   *file = AllocateFile(path, PG_BINARY_R);
	uint32		number;

	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open trace \"%s\": %m", path)));
	while (fread(&number, sizeof(number), 1, file) == 1)
	{
		CHECK_FOR_INTERRUPTS();
		access_key(replay, pg_ntoh32(number));
	}
	if (ferror(file))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read trace \"%s\": %m", path)));
	FreeFile(file);
}

Datum
loop_replay(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		lru = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "lru") == 0;
	int			entries = PG_GETARG_INT32(2);
	Replay		replay = {0};
	TupleDesc	desc;
	Datum		row[4];
	bool		nulls[4] = {false, false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	replay.sampled = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(3)), "sampled") == 0;
	replay.store = store_of(entries, replay.sampled ? mean_sample() : UNIT_BYTES,
							lru ? CPG_EVICTION_LRU : CPG_EVICTION_S3FIFO);
	replay.buffer = palloc0(SAMPLE_MAX + VARHDRSZ);
	replay.now = cpg_clock_now();
	read_trace(&replay, path);
	row[0] = Int64GetDatum(replay.accesses);
	row[1] = Int64GetDatum(replay.hits);
	row[2] = Int64GetDatum(replay.hit_bytes);
	row[3] = Int64GetDatum(replay.bytes);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row, nulls)));
}
