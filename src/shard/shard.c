/*-------------------------------------------------------------------------
 *
 * shard.c
 *	  Maps from keys to nodes, and what changing one would move.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shard/shard_internal.h"

/*
 * Make a map.
 *
 * There is at least one node.  For ketama points has room for
 * cpg_shard_points(); otherwise it is not used.  nodes, their names and points
 * have to stay as long as the map.
 */
void
cpg_shard_init(CpgShardMap *map, CpgShardMethod method,
			   CpgShardNode *nodes, int nnodes, CpgShardPoint *points)
{
	Assert(nnodes > 0 && nnodes <= CPG_SHARD_NODES_MAX);
	Assert(method != CPG_SHARD_CLUSTER);
	memset(map, 0, sizeof(*map));
	map->method = method;
	map->nodes = nodes;
	map->nnodes = nnodes;
	for (int i = 0; i < nnodes; i++)
	{
		Assert(nodes[i].weight >= 1 && nodes[i].weight <= CPG_SHARD_WEIGHT_MAX);
		nodes[i].hash = cpg_shard_hash(nodes[i].name, strlen(nodes[i].name));
		if (nodes[i].weight != nodes[0].weight)
			map->weighted = true;
	}
	if (method == CPG_SHARD_KETAMA)
	{
		map->npoints = cpg_ketama_build(nodes, nnodes, points);
		map->points = points;
	}
}

/* The number of the node that keeps a key. */
int
cpg_shard_choose(const CpgShardMap *map, const char *key, size_t len)
{
	if (map->nnodes == 1)
		return 0;
	if (map->method == CPG_SHARD_KETAMA)
		return cpg_ketama_choose(map, key, len);
	return cpg_rendezvous_choose(map, key, len);
}

/* Key number i of the sample that stands for all keys. */
static size_t
sample_key(int64 i, char *key, size_t size)
{
	return (size_t) snprintf(key, size, "sample:" INT64_FORMAT, i);
}

/* How many of a sample of so many keys would each node keep? */
void
cpg_shard_shares(const CpgShardMap *map, int64 keys, int64 *counts)
{
	char		key[32];

	memset(counts, 0, sizeof(*counts) * (size_t) map->nnodes);
	for (int64 i = 0; i < keys; i++)
		counts[cpg_shard_choose(map, key, sample_key(i, key, sizeof(key)))]++;
}

/*
 * Which share of a sample of so many keys, at least one, would be on a node of
 * another name?
 */
double
cpg_shard_plan(const CpgShardMap *from, const CpgShardMap *to, int64 keys)
{
	int64		moved = 0;
	char		key[32];

	Assert(keys > 0);
	for (int64 i = 0; i < keys; i++)
	{
		size_t		len = sample_key(i, key, sizeof(key));
		const char *before = from->nodes[cpg_shard_choose(from, key, len)].name;
		const char *after = to->nodes[cpg_shard_choose(to, key, len)].name;

		if (strcmp(before, after) != 0)
			moved++;
	}
	return (double) moved / (double) keys;
}
