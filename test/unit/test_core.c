/*-------------------------------------------------------------------------
 *
 * test_core.c
 *	  Tests of life, frequency, ghost and guard.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/frequency.h"
#include "core/ghost.h"
#include "core/life.h"
#include "harness.h"

PG_FUNCTION_INFO_V1(test_life);
PG_FUNCTION_INFO_V1(test_frequency);
PG_FUNCTION_INFO_V1(test_ghost);
PG_FUNCTION_INFO_V1(test_guard);

Datum
test_life(PG_FUNCTION_ARGS)
{
	int64		lengths[] = {0, 1, 300000, 524287, 524288, 86400000, INT64CONST(315619200000)};

	for (int i = 0; i < lengthof(lengths); i++)
	{
		int64		created = 123456789;
		uint64		life = cpg_life_pack(created, created + lengths[i]);

		EXPECT(cpg_life_expiry(life) == created + lengths[i]);
		EXPECT(cpg_life_length(life) <= lengths[i]);
		EXPECT(lengths[i] - cpg_life_length(life) <= lengths[i] >> 18);
		if (lengths[i] < 524288)
			EXPECT(cpg_life_created(life) == created);
	}
	/* beyond the range it is cut, not wrapped */
	EXPECT(cpg_life_expiry(cpg_life_pack(0, CPG_LIFE_EXPIRY_MAX + 10)) == CPG_LIFE_EXPIRY_MAX);
	EXPECT(cpg_life_expiry(cpg_life_pack(10, -1)) == 0);
	OK;
}

/* The estimate is right on average and the eviction counter exact. */
Datum
test_frequency(PG_FUNCTION_ARGS)
{
	int			counts[] = {1, 10, 100, 10000};
	pg_prng_state random;

	pg_prng_seed(&random, 1);
	for (int i = 0; i < lengthof(counts); i++)
	{
		double		sum = 0;

		for (int run = 0; run < 2000; run++)
		{
			uint8		freq = 0;

			for (int hit = 0; hit < counts[i]; hit++)
				freq = cpg_frequency_hit(freq, pg_prng_uint32(&random));
			EXPECT((freq & CPG_FREQUENCY_MASK) == Min(counts[i], CPG_FREQUENCY_MAX));
			sum += cpg_frequency_hits(freq);
		}
		sum /= 2000;
		if (sum < counts[i] * 0.9 || sum > counts[i] * 1.1)
			elog(ERROR, "%d hits are estimated as %f on average", counts[i], sum);
	}
	EXPECT(cpg_frequency_hit(UINT8_MAX, 0) == UINT8_MAX);
	OK;
}

Datum
test_ghost(PG_FUNCTION_ARGS)
{
	uint32		nsets = cpg_ghost_sets(40000);
	uint32	   *cells = palloc(nsets * CPG_GHOST_WAYS * sizeof(uint32));
	pg_prng_state random;
	uint64	   *hashes = palloc(20000 * sizeof(uint64));
	int			found = 0;
	int			false_positives = 0;
	CpgGhost	ghost;

	pg_prng_seed(&random, 2);
	cpg_ghost_init(&ghost, cells, nsets);
	for (int i = 0; i < 20000; i++)
	{
		hashes[i] = pg_prng_uint64(&random);
		EXPECT(i < 10 || cpg_ghost_contains(&ghost, cells, hashes[i - 1], 100));
		cpg_ghost_insert(&ghost, cells, hashes[i]);
	}
	/* of the last 3000, nearly all are known; none of those beyond the window */
	for (int i = 17000; i < 20000; i++)
		found += cpg_ghost_contains(&ghost, cells, hashes[i], 3000);
	EXPECT(found > 2900);
	found = 0;
	for (int i = 10000; i < 16900; i++)
		found += cpg_ghost_contains(&ghost, cells, hashes[i], 3000);
	EXPECT(found < 50);
	for (int i = 0; i < 100000; i++)
		false_positives += cpg_ghost_contains(&ghost, cells, pg_prng_uint64(&random), 3000);
	EXPECT(false_positives < 20);
	EXPECT(cpg_ghost_remove(&ghost, cells, hashes[19999], 3000));
	EXPECT(!cpg_ghost_remove(&ghost, cells, hashes[19999], 3000));
	OK;
}

Datum
test_guard(PG_FUNCTION_ARGS)
{
	CpgSharedGuard *guard = palloc(cpg_guard_size(&test_guard_config));
	uint64		before;
	uint64		after;

	cpg_guard_init(guard, &test_guard_config);
	before = cpg_guard_stamp(guard);
	EXPECT(cpg_guard_valid(guard, 1, before));
	cpg_guard_bump(guard, 1);
	after = cpg_guard_stamp(guard);
	EXPECT(!cpg_guard_valid(guard, 1, before));
	EXPECT(cpg_guard_valid(guard, 1, after));
	EXPECT(cpg_guard_valid(guard, 2, before));

	/* a pending invalidation makes every stamp invalid */
	cpg_guard_raise(guard, 1);
	EXPECT(!cpg_guard_valid(guard, 1, after));
	cpg_guard_bump(guard, 1);
	EXPECT(!cpg_guard_valid(guard, 1, cpg_guard_stamp(guard)));
	EXPECT(cpg_guard_pending(guard, 1));
	cpg_guard_lower(guard, 1, cpg_guard_draw(guard));
	EXPECT(!cpg_guard_pending(guard, 1));
	EXPECT(cpg_guard_valid(guard, 1, cpg_guard_stamp(guard)));

	/* an older number never hides a newer one */
	pg_atomic_write_u64(&guard->cell[2], 1000);
	cpg_guard_bump(guard, 2);
	EXPECT(pg_atomic_read_u64(&guard->cell[2]) == 1000);
	OK;
}
