/*-------------------------------------------------------------------------
 *
 * servers.c
 *	  The servers of cachepg.redis_servers, as this process knows them.
 *
 * The list is parsed again when a setting of it has changed, at the next call.
 * Then all connections are closed: a node's number may mean another server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "guc.h"
#include "redis/redis_internal.h"
#include "shard/shard.h"
#include "shmem.h"
#include "utils/memutils.h"

static CpgUrl *urls = NULL;
static int	nurls = 0;
static unsigned generation = 0; /* of the settings that urls were made of */
static MemoryContext context = NULL;
static CpgShardMap map;

/*
 * How keys are distributed over some servers, in palloc'd memory; the URLs must
 * stay as long as the map.
 */
void
cpg_redis_make_map(const CpgUrl *servers, int count, CpgShardMap *result)
{
	CpgShardNode *nodes = palloc0(sizeof(CpgShardNode) * Max(count, 1));
	CpgShardPoint *points = NULL;

	memset(result, 0, sizeof(*result));
	for (int i = 0; i < count; i++)
	{
		nodes[i].name = servers[i].name;
		nodes[i].weight = servers[i].weight;
	}
	if (count == 0)
		return;
	if (cpg_redis_sharding == CPG_SHARD_KETAMA)
		points = palloc(sizeof(CpgShardPoint) * Max(cpg_shard_points(nodes, count), 1));
	cpg_shard_init(result, (CpgShardMethod) cpg_redis_sharding, nodes, count, points);
}

/*
 * See to it that the servers are those of the settings.  The setting's check
 * has found the list to be right.
 */
void
cpg_redis_refresh(void)
{
	const char *list = cpg_redis_servers;
	MemoryContext old;

	if (generation == cpg_redis_generation)
		return;
	cpg_connection_close_all();
	cpg_stream_forget_all();
	nurls = 0;
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "cachepg Redis servers", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(context);
	urls = MemoryContextAlloc(context, sizeof(CpgUrl) * CPG_REDIS_NODES_MAX);
	if (list == NULL ||
		cpg_url_parse_list(list, strlen(list), urls, CPG_REDIS_NODES_MAX, &nurls) != CPG_URL_FAULT_NONE)
		nurls = 0;
	old = MemoryContextSwitchTo(context);
	cpg_redis_make_map(urls, nurls, &map);
	MemoryContextSwitchTo(old);
	cpg_node_assign(urls, nurls);
	generation = cpg_redis_generation;
}

/* Whether there are servers at all. */
bool
cpg_redis_configured(void)
{
	return cpg_redis_servers != NULL && cpg_redis_servers[0] != '\0' && cpg_redis_count() > 0;
}

int
cpg_redis_count(void)
{
	if (!cpg_shmem_ready())
		return 0;
	cpg_redis_refresh();
	return nurls;
}

/* The address of a node; valid until the settings change. */
const CpgUrl *
cpg_redis_url(int node)
{
	Assert(node >= 0 && node < nurls);
	return &urls[node];
}

/* The node that keeps a key; there must be one. */
int
cpg_redis_node_for(const char *key, size_t len)
{
	if (cpg_redis_count() < 2)
		return 0;
	return cpg_shard_choose(&map, key, len);
}
