/*-------------------------------------------------------------------------
 *
 * servers.c
 *	  The servers of cachepg.redis_servers, as this process knows them.
 *
 * The list is parsed again when a setting of it has changed, at the next call.
 * Then all connections are closed: a node's number may mean another server.
 *
 * Of Redis Cluster these are the seeds, which are asked for its nodes; those
 * have the numbers that topology.c gives them, behind the seeds.  What the first
 * seed says about user and TLS goes for them too.
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
static int	nseeds = 0;			/* the first of them */
static uint32 topology = 0;		/* version that the others are of */
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

/* The URL of a node of Redis Cluster; without a name if there is none. */
static void
make_url(const CpgTopologyAddress *address, CpgUrl *url)
{
	const char *format = strchr(address->host, ':') ? "[%s]:%d" : "%s:%d";

	memset(url, 0, sizeof(*url));
	if (address->host[0] == '\0')
		return;
	url->kind = urls[0].kind == CPG_URL_UNIX ? CPG_URL_TCP : urls[0].kind;
	strlcpy(url->host, address->host, sizeof(url->host));
	url->port = address->port;
	url->weight = CPG_URL_WEIGHT_DEFAULT;
	strlcpy(url->user, urls[0].user, sizeof(url->user));
	snprintf(url->name, sizeof(url->name), format, address->host, address->port);
}

/* See to it that the nodes behind the seeds are those that are known now. */
static void
take_topology(void)
{
	CpgTopologyNodes *nodes;

	if (nseeds == 0 || !cpg_topology_has_changed(topology))
		return;
	nodes = palloc(sizeof(*nodes));
	cpg_topology_take(urls, nseeds, nodes);
	for (int i = nseeds; i < Max(nodes->count, nurls); i++)
	{
		CpgUrl		url;

		make_url(&nodes->node[i], &url);
		if (i < nurls && strcmp(url.name, urls[i].name) == 0)
			continue;
		cpg_connection_close_node(i);
		cpg_stream_forget(i);
		urls[i] = url;
	}
	nurls = Max(nodes->count, nurls);
	cpg_node_assign(urls, nurls);
	topology = nodes->version;
	pfree(nodes);
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
	{
		take_topology();
		return;
	}
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
	nseeds = cpg_redis_sharding == CPG_SHARD_CLUSTER ? nurls : 0;
	topology = 0;
	old = MemoryContextSwitchTo(context);
	if (nseeds == 0)
		cpg_redis_make_map(urls, nurls, &map);
	MemoryContextSwitchTo(old);
	cpg_node_assign(urls, nurls);
	generation = cpg_redis_generation;
	take_topology();
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

/* Whether there is a node of a number. */
bool
cpg_redis_exists(int node)
{
	return node >= 0 && node < cpg_redis_count() && urls[node].name[0] != '\0';
}

/* The address of a node; valid until the settings change. */
const CpgUrl *
cpg_redis_url(int node)
{
	Assert(node >= 0 && node < nurls);
	return &urls[node];
}

/* The servers of the setting, if they are of Redis Cluster. */
const CpgUrl *
cpg_redis_seeds(int *count)
{
	*count = nseeds;
	return urls;
}

/* The node at an address; negative if there is none. */
int
cpg_redis_find(const char *host, int port)
{
	for (int i = 0; i < nurls; i++)
	{
		if (urls[i].name[0] != '\0' && urls[i].port == port && pg_strcasecmp(urls[i].host, host) == 0)
			return i;
	}
	return -1;
}

static bool
is_local(const CpgUrl *url)
{
	return url->kind == CPG_URL_UNIX || strncmp(url->host, "127.", 4) == 0 ||
		strcmp(url->host, "::1") == 0 || strcmp(url->host, "localhost") == 0;
}

/*
 * Whether the bytes of a node stay on this machine.  Of Redis Cluster another
 * one may have answered, so all have to be here.
 */
bool
cpg_redis_is_local(int node)
{
	if (nseeds == 0)
		return is_local(cpg_redis_url(node));
	for (int i = 0; i < nurls; i++)
	{
		if (urls[i].name[0] != '\0' && !is_local(&urls[i]))
			return false;
	}
	return true;
}

/* The node of a slot; if none is known, one that knows more. */
static int
node_of_slot(int slot)
{
	int			node;

	cpg_cluster_refresh();
	node = cpg_topology_node_of(slot);
	return cpg_redis_exists(node) ? node : slot % nseeds;
}

/*
 * The node that keeps a key; there must be one.  Of Redis Cluster this may ask
 * for the nodes, which takes as long as a call and raises the same errors.
 */
int
cpg_redis_node_for(const char *key, size_t len)
{
	int			count = cpg_redis_count();

	if (nseeds > 0)
		return node_of_slot(cpg_shard_slot(key, len));
	return count < 2 ? 0 : cpg_shard_choose(&map, key, len);
}
