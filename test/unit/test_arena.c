/*-------------------------------------------------------------------------
 *
 * test_arena.c
 *	  Random allocations compared with a list of what was handed out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "harness.h"
#include "store/arena.h"

PG_FUNCTION_INFO_V1(test_arena);

#define ARENA_SIZE (1024 * 1024)
#define BLOCKS_MAX 4096

typedef struct Block
{
	CpgRef		ref;
	Size		size;
	uint8		fill;
} Block;

static Size
random_size(pg_prng_state *random)
{
	return (Size) 1 << pg_prng_uint64_range(random, 0, 15) |
		pg_prng_uint64_range(random, 0, 300);
}

static void
verify(const char *base, const Block *block)
{
	const uint8 *data = cpg_arena_pointer(base, block->ref);

	for (Size i = 0; i < block->size; i++)
	{
		if (data[i] != block->fill)
			elog(ERROR, "block of %zu bytes was overwritten at %zu", block->size, i);
	}
}

Datum
test_arena(PG_FUNCTION_ARGS)
{
	int			operations = PG_GETARG_INT32(0);
	char	   *base = palloc(ARENA_SIZE);
	CpgArena   *arena = palloc(sizeof(CpgArena));
	Block	   *blocks = palloc(BLOCKS_MAX * sizeof(Block));
	int			n = 0;
	int			refused = 0;
	Size		all_free;
	pg_prng_state random;

	pg_prng_seed(&random, (uint64) PG_GETARG_INT64(1));
	cpg_arena_init(arena, base, ARENA_SIZE);
	all_free = arena->free_bytes;
	for (int i = 0; i < operations; i++)
	{
		bool		alloc = n == 0 || (n < BLOCKS_MAX && pg_prng_uint32(&random) % 100 < 52);

		if (alloc)
		{
			Size		size = random_size(&random);
			CpgRef		ref = cpg_arena_alloc(arena, base, size);

			if (ref == 0)
			{
				refused++;
				ref = cpg_arena_alloc_largest(arena, base, size);
				if (ref == 0)
					continue;
				size = Min(size, cpg_arena_room(base, ref));
			}
			EXPECT(cpg_arena_room(base, ref) >= size);
			EXPECT((Size) ref * CPG_ARENA_UNIT + size <= ARENA_SIZE);
			blocks[n] = (Block)
			{
				ref, size, (uint8) pg_prng_uint32(&random)
			};
			memset(cpg_arena_pointer(base, ref), blocks[n].fill, size);
			n++;
		}
		else
		{
			int			victim = pg_prng_uint32(&random) % n;

			verify(base, &blocks[victim]);
			cpg_arena_free(arena, base, blocks[victim].ref);
			blocks[victim] = blocks[--n];
		}
		if (i % 1000 == 0)
		{
			const char *problem = cpg_arena_check(arena, base);

			if (problem != NULL)
				elog(ERROR, "after %d operations: %s", i, problem);
		}
	}
	EXPECT(refused > 0);		/* or the arena was never full */
	while (n > 0)
	{
		verify(base, &blocks[--n]);
		cpg_arena_free(arena, base, blocks[n].ref);
	}
	EXPECT(cpg_arena_check(arena, base) == NULL);
	EXPECT(arena->free_bytes == all_free);
	EXPECT(cpg_arena_largest(arena, base) == all_free - CPG_ARENA_HEADER);
	OK;
}
