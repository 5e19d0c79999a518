/*-------------------------------------------------------------------------
 *
 * ketama.c
 *	  A ring of points, as memcached's clients make it.  See shard.h.
 *
 * libmemcached computes the number of points in floating point and adds 1e-10
 * before it rounds down; here the division is exact.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shard/shard_internal.h"

#define POINTS_PER_DIGEST	4
#define NAME_SIZE			512

/* One of the four points of a digest. */
static uint32
point_of(const uint8 *digest, int i)
{
	const uint8 *at = digest + 4 * i;

	return (uint32) at[3] << 24 | (uint32) at[2] << 16 | (uint32) at[1] << 8 | (uint32) at[0];
}

/* How many digests make the points of a node? */
static int
digests_of(const CpgShardNode *nodes, int nnodes, int node)
{
	int64		total = nodes[0].weight;

	for (int i = 1; i < nnodes; i++)
		total += nodes[i].weight;
	return (int) (CPG_SHARD_POINTS / POINTS_PER_DIGEST * (int64) nnodes * nodes[node].weight / total);
}

/* How many points have all of them?  As many cpg_shard_init() needs room for. */
int
cpg_shard_points(const CpgShardNode *nodes, int nnodes)
{
	int			points = 0;

	for (int i = 0; i < nnodes; i++)
		points += POINTS_PER_DIGEST * digests_of(nodes, nnodes, i);
	return points;
}

static int
compare_points(const void *a, const void *b)
{
	const CpgShardPoint *x = a;
	const CpgShardPoint *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* Fill points with the ring; returns how many there are. */
int
cpg_ketama_build(const CpgShardNode *nodes, int nnodes, CpgShardPoint *points)
{
	int			npoints = 0;

	for (int node = 0; node < nnodes; node++)
	{
		int			digests = digests_of(nodes, nnodes, node);

		for (int i = 0; i < digests; i++)
		{
			uint8		digest[CPG_MD5_LEN];
			char		name[NAME_SIZE];

			snprintf(name, sizeof(name), "%s-%d", nodes[node].name, i);
			cpg_md5(name, strlen(name), digest);
			for (int j = 0; j < POINTS_PER_DIGEST; j++)
			{
				points[npoints].at = point_of(digest, j);
				points[npoints++].node = node;
			}
		}
	}
	qsort(points, (size_t) npoints, sizeof(*points), compare_points);
	return npoints;
}

/* The number of the key's node: that of the first point not before its own. */
int
cpg_ketama_choose(const CpgShardMap *map, const char *key, size_t len)
{
	uint8		digest[CPG_MD5_LEN];
	uint32		at;
	int			low = 0;
	int			high = map->npoints;

	cpg_md5(key, len, digest);
	at = point_of(digest, 0);
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (map->points[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return map->points[low < map->npoints ? low : 0].node;
}
