/*-------------------------------------------------------------------------
 *
 * rendezvous.c
 *	  Weighted rendezvous hashing.  See shard.h.
 *
 * The best of -w / ln(u) is the least of -log2(u) / w, which is compared by
 * multiplying crosswise.  Where all weights are the same, that is the greatest
 * hash, and no logarithm is needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/hash.h"
#include "port/pg_bitutils.h"
#include "shard/shard_internal.h"

/* FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo), its bits mixed at the end. */
uint64
cpg_shard_hash(const char *data, size_t len)
{
	uint64		h = UINT64CONST(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8) data[i]) * UINT64CONST(0x100000001b3);
	return cpg_hash_mix(h);
}

/*
 * -log2(hash / 2^64) in units of 2^-32, at least 1.
 *
 * Digit by digit: squaring a number between 1 and 2 doubles its logarithm, whose
 * next binary digit is whether the square reaches 2.  A hash of 0 counts as 1.
 */
uint64
cpg_shard_log(uint64 hash)
{
	int			high = pg_leftmost_one_pos64(hash | 1);
	uint64		m = ((hash | (hash == 0)) << (63 - high)) >> 32;
	uint64		digits = 0;

	/* m is in units of 2^-31 */
	for (int i = 0; i < 32; i++)
	{
		uint64		square = m * m;
		int			digit = (int) (square >> 63);

		m = square >> (31 + digit);
		digits = digits << 1 | (uint64) digit;
	}
	return ((uint64) (64 - high) << 32) - digits;
}

/* The number of the key's node.  Of equal ones, which hardly exist, the first. */
int
cpg_rendezvous_choose(const CpgShardMap *map, const char *key, size_t len)
{
	uint64		hash = cpg_shard_hash(key, len);
	uint64		best_score = 0;
	int			best = 0;

	for (int i = 0; i < map->nnodes; i++)
	{
		const CpgShardNode *node = &map->nodes[i];
		uint64		score = cpg_hash_combine(node->hash, hash);
		bool		better;

		if (!map->weighted)
			better = score > best_score;
		else
		{
			/* 39 bits of logarithm and 10 of weight */
			score = cpg_shard_log(score);
			better = score * (uint64) map->nodes[best].weight < best_score * (uint64) node->weight;
		}
		if (i == 0 || better)
		{
			best = i;
			best_score = score;
		}
	}
	return best;
}
