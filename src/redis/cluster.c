/*-------------------------------------------------------------------------
 *
 * cluster.c
 *	  Redis Cluster: asking for its nodes, and going where they redirect.
 *
 * Asked is whoever answers first, CLUSTER SLOTS for the slots and CLUSTER SHARDS,
 * which servers before 7.0 do not have, for nodes without any.
 *
 * MOVED is followed and remembered, ASK is followed once, TRYAGAIN and
 * CLUSTERDOWN are tried again after a pause.  None of these has executed the
 * command, so any command may be sent again.  All that ends with the deadline of
 * the call or after HOPS_MAX commands; then the latest reply stays.
 *
 * Only nodes of the topology are connected to: what a redirection names has to
 * be one, if necessary after asking again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "common/pg_prng.h"
#include "fault.h"
#include "guc.h"
#include "redis/redis_internal.h"
#include "utils/memutils.h"

#define HOPS_MAX	8
#define PORT_MAX	65535

typedef struct Ranges
{
	int			count;
	int			max;
	CpgTopologyRange *range;
} Ranges;

/* A host as a node announces it; none means that of the node that was asked. */
static bool
take_host(const char *data, size_t len, int asked, char *host)
{
	const CpgUrl *url = cpg_redis_url(asked);

	if (len == 0)
		return url->kind != CPG_URL_UNIX && strlcpy(host, url->host, CPG_URL_HOST_SIZE) > 0;
	if (len >= CPG_URL_HOST_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		/* strchr finds the end of its string, too */
		if (data[i] == '\0' || (!isalnum((unsigned char) data[i]) && strchr("-._:", data[i]) == NULL))
			return false;
		host[i] = (char) pg_tolower((unsigned char) data[i]);
	}
	host[len] = '\0';
	return true;
}

static bool
is_text(const CpgRedisReply *reply, const char *text)
{
	return reply->type == CPG_REDIS_STRING && strcmp(reply->data, text) == 0;
}

static bool
take_address(const CpgRedisReply *host, const CpgRedisReply *port, int asked, CpgTopologyAddress *address)
{
	if (host->type != CPG_REDIS_STRING && host->type != CPG_REDIS_NIL)
		return false;
	if (port->type != CPG_REDIS_INTEGER || port->integer < 1 || port->integer > PORT_MAX)
		return false;
	address->port = (int) port->integer;
	return take_host(host->data, host->type == CPG_REDIS_STRING ? host->len : 0, asked, address->host);
}

static CpgTopologyRange *
next_range(Ranges *ranges)
{
	if (ranges->count == ranges->max)
	{
		ranges->max *= 2;
		ranges->range = repalloc(ranges->range, sizeof(CpgTopologyRange) * ranges->max);
	}
	return &ranges->range[ranges->count];
}

/* Whether two numbers are a range of slots: both are 64 bits of somebody else's. */
static bool
are_slots(const CpgRedisReply *first, const CpgRedisReply *last)
{
	return first->type == CPG_REDIS_INTEGER && last->type == CPG_REDIS_INTEGER &&
		first->integer >= 0 && first->integer <= last->integer && last->integer < CPG_SHARD_SLOTS;
}

/* Of CLUSTER SLOTS: first slot, last slot, [host, port, ...] of the master, replicas. */
static void
take_slots(const CpgRedisReply *reply, int asked, Ranges *ranges)
{
	for (int i = 0; reply->type == CPG_REDIS_ARRAY && i < reply->count; i++)
	{
		const CpgRedisReply *item = reply->items[i].items;
		CpgTopologyRange *range = next_range(ranges);

		if (reply->items[i].type != CPG_REDIS_ARRAY || reply->items[i].count < 3 ||
			!are_slots(&item[0], &item[1]) || item[2].type != CPG_REDIS_ARRAY || item[2].count < 2)
			continue;
		range->first = (int) item[0].integer;
		range->last = (int) item[1].integer;
		if (take_address(&item[2].items[0], &item[2].items[1], asked, &range->address))
			ranges->count++;
	}
}

/* A value of a map, which RESP2 gives as names and values in turn. */
static const CpgRedisReply *
find_value(const CpgRedisReply *map, const char *name)
{
	static const CpgRedisReply none = {0};

	for (int i = 0; map->type == CPG_REDIS_ARRAY && i + 1 < map->count; i += 2)
	{
		if (is_text(&map->items[i], name))
			return &map->items[i + 1];
	}
	return &none;
}

/* Of CLUSTER SHARDS: masters, as nodes that may have no slots. */
static void
take_shards(const CpgRedisReply *reply, int asked, Ranges *ranges)
{
	for (int i = 0; reply->type == CPG_REDIS_ARRAY && i < reply->count; i++)
	{
		const CpgRedisReply *nodes = find_value(&reply->items[i], "nodes");

		for (int j = 0; nodes->type == CPG_REDIS_ARRAY && j < nodes->count; j++)
		{
			const CpgRedisReply *node = &nodes->items[j];
			CpgTopologyRange *range = next_range(ranges);

			range->first = 1;
			range->last = 0;
			if (is_text(find_value(node, "role"), "master") && is_text(find_value(node, "health"), "online") &&
				take_address(find_value(node, "endpoint"), find_value(node, "port"), asked, &range->address))
				ranges->count++;
		}
	}
}

/* Ask a node; false if it does not know of any slot. */
static bool
ask_node(int node, int64 deadline, Ranges *ranges)
{
	static const char *const slots[] = {"CLUSTER", "SLOTS"};
	static const char *const shards[] = {"CLUSTER", "SHARDS"};
	static const size_t slots_lens[] = {7, 5};
	static const size_t shards_lens[] = {7, 6};
	const CpgRedisCommand commands[] = {{2, (const char **) slots, slots_lens}, {2, (const char **) shards, shards_lens}};
	CpgRedisReply replies[2];

	if (cpg_call_node(node, commands, 2, 0, deadline, replies) != CPG_REDIS_OK)
		return false;
	take_slots(&replies[0], node, ranges);
	if (ranges->count == 0)
		return false;
	take_shards(&replies[1], node, ranges);
	return true;
}

static void
log_outcome(bool found)
{
	if (found)
		ereport(LOG, (errmsg("cachepg: the nodes of Redis Cluster are known")));
	else
		ereport(LOG,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("cachepg: no Redis server tells of the nodes of Redis Cluster"),
				 errdetail("They are asked again when they are needed.")));
}

/* Ask one node after the other, beginning anywhere. */
static void
ask(int64 deadline)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "cachepg Redis Cluster", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Ranges		ranges = {0, 64, palloc(sizeof(CpgTopologyRange) * 64)};
	int			count = cpg_redis_count();
	int			nseeds;
	const CpgUrl *seeds = cpg_redis_seeds(&nseeds);
	int			start = (int) pg_prng_uint64_range(&pg_global_prng_state, 0, Max(count - 1, 0));
	bool		found = false;

	for (int i = 0; i < count && !found && cpg_clock_now() < deadline; i++)
	{
		int			node = (start + i) % count;

		found = cpg_redis_exists(node) && ask_node(node, deadline, &ranges);
	}
	if (cpg_topology_apply(seeds, nseeds, ranges.range, ranges.count))
		log_outcome(found);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	/* take over what has changed */
	(void) cpg_redis_count();
}

/* Ask for the nodes if that is due. */
void
cpg_cluster_refresh(void)
{
	if (cpg_topology_claim(false))
		ask(cpg_clock_now() + cpg_redis_timeout + cpg_redis_connect_timeout);
}

/* The slot and the address in "MOVED slot host:port". */
static bool
read_redirection(const CpgRedisReply *reply, int asked, int *slot, CpgTopologyAddress *address)
{
	const char *host = strchr(reply->data, ' ');
	const char *colon = strrchr(reply->data, ':');
	char	   *end;
	long		number;

	if (host == NULL || colon == NULL)
		return false;
	number = strtol(host, &end, 10);
	if (end == host || *end != ' ' || number < 0 || number >= CPG_SHARD_SLOTS || colon <= end)
		return false;
	*slot = (int) number;
	host = end + 1;
	number = strtol(colon + 1, &end, 10);
	if (*end != '\0' || number < 1 || number > PORT_MAX)
		return false;
	address->port = (int) number;
	return take_host(host, (size_t) (colon - host), asked, address->host);
}

/* The node that a redirection leads to; negative if it is none of the cluster. */
static int
find_target(const CpgRedisReply *reply, int asked, int64 deadline, bool *asking)
{
	CpgTopologyAddress address;
	int			slot;
	int			node;

	*asking = reply->len >= 3 && memcmp(reply->data, "ASK", 3) == 0;
	if (!*asking && CPG_SKIP("cluster-moved"))
		return -1;
	if (!read_redirection(reply, asked, &slot, &address))
		return -1;
	node = cpg_redis_find(address.host, address.port);
	if (node < 0)
	{
		cpg_topology_want();
		if (cpg_topology_claim(true))
			ask(deadline);
		/* somebody else may have asked */
		(void) cpg_redis_count();
		node = cpg_redis_find(address.host, address.port);
	}
	if (node >= 0 && !*asking && !CPG_SKIP("cluster-learn"))
		cpg_topology_learn(slot, node);
	return node;
}

/*
 * The node that a reply redirects to; negative if it does not, or not to a node
 * of the cluster.  With asking, ASKING is to be sent before the command.
 */
int
cpg_redis_redirection(int node, const CpgRedisReply *reply, bool *asking)
{
	*asking = false;
	if (cpg_redis_sharding != CPG_SHARD_CLUSTER || reply->type != CPG_REDIS_ERROR ||
		reply->class != CPG_REDIS_CLASS_REDIRECT || !cpg_redis_exists(node))
		return -1;
	return find_target(reply, node, cpg_clock_now() + cpg_redis_timeout, asking);
}

static CpgRedisStatus
send_again(int node, const CpgRedisCommand *command, bool asking, unsigned flags, int64 deadline,
		   CpgRedisReply *reply)
{
	static const char *const word[] = {"ASKING"};
	static const size_t len[] = {6};
	const CpgRedisCommand commands[] = {{1, (const char **) word, len}, *command};
	CpgRedisReply replies[2];
	CpgRedisStatus status;

	if (!asking || CPG_SKIP("cluster-asking"))
		return cpg_call_node(node, command, 1, flags, deadline, reply);
	status = cpg_call_node(node, commands, 2, flags, deadline, replies);
	*reply = replies[1];
	return status;
}

/*
 * Where a command is to be sent that got an error: *node, where it was sent to
 * last, changes if it is to be sent elsewhere from now on.  Negative if there is
 * nothing to be done.
 */
static int
next_node(const CpgRedisReply *reply, int *node, int asked, int attempt, int64 deadline, bool *asking)
{
	int			target;

	*asking = false;
	if (reply->type != CPG_REDIS_ERROR || cpg_clock_now() >= deadline)
		return -1;
	if (reply->class == CPG_REDIS_CLASS_RETRY)
	{
		cpg_topology_want();
		/* a node shall not be blamed for a pause that left it no time */
		return cpg_call_pause(attempt, deadline - cpg_redis_timeout / 4) ? *node : -1;
	}
	if (reply->class != CPG_REDIS_CLASS_REDIRECT)
		return -1;
	target = find_target(reply, asked, deadline, asking);
	if (target >= 0 && !*asking)
		*node = target;
	return target;
}

/*
 * Send a command again as long as the reply says where.  The status is that of
 * the latest attempt; reply may still be a redirection then.
 */
CpgRedisStatus
cpg_cluster_follow(int node, const CpgRedisCommand *command, unsigned flags, int64 deadline,
				   CpgRedisReply *reply)
{
	CpgRedisStatus status = CPG_REDIS_OK;
	int			asked = node;
	bool		extended = false;
	bool		asking;

	for (int hop = 0; hop < HOPS_MAX && status == CPG_REDIS_OK; hop++)
	{
		int			target = next_node(reply, &node, asked, hop, deadline, &asking);

		if (target < 0)
			break;
		/* once, for a connection to be made */
		if (!extended && cpg_connection_find(target, CPG_REDIS_LANE_CALL) == NULL)
		{
			deadline += cpg_redis_connect_timeout;
			extended = true;
		}
		if (!cpg_redis_exists(target))
			break;
		status = send_again(target, command, asking, flags, deadline, reply);
		asked = target;
	}
	return status;
}
