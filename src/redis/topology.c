/*-------------------------------------------------------------------------
 *
 * topology.c
 *	  The nodes of Redis Cluster and their slots, in shared memory.
 *
 * All processes use what one of them has been told.  A node has a number, which
 * is its own until it is gone; the first numbers are those of the seeds, the
 * servers of the setting.  The table belongs to the seeds that it was made with.
 * A process that has others makes it anew: after a reload that happens to and
 * fro until all processes have the new settings.
 *
 * There is one attempt to ask at a time, and none within a second of the one
 * before: whoever sets the time of it from what it was may ask.
 *
 * Locks: the LWLock for all but atomics and slots, which it takes to change.
 * Slots are read without it: each is a byte, and an old one leads to a node that
 * redirects.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "common/hashfn.h"
#include "fault.h"
#include "guc.h"
#include "redis/redis_internal.h"
#include "shmem.h"

#define ASK_AT_MOST		1000	/* ms between two attempts to ask */
#define ASK_AT_LEAST	60000
#define NO_NODE			0xff

struct CpgSharedTopology
{
	LWLock		lock;
	pg_atomic_uint32 version;	/* of the nodes; 0: never made */
	pg_atomic_uint32 wanted;	/* something does not fit any more */
	pg_atomic_uint64 asked;		/* when; 0: never */
	bool		known;			/* an answer has come */
	bool		failed;			/* the latest attempt */
	uint64		seeds;			/* hash of what it was made with */
	CpgTopologyNodes nodes;		/* version is not used */
	volatile uint8 slot[CPG_SHARD_SLOTS];
};

Size
cpg_topology_size(void)
{
	return sizeof(CpgSharedTopology);
}

void
cpg_topology_init(CpgSharedTopology *topology, int tranche)
{
	memset(topology, 0, sizeof(*topology));
	LWLockInitialize(&topology->lock, tranche);
	pg_atomic_init_u32(&topology->version, 0);
	pg_atomic_init_u32(&topology->wanted, 0);
	pg_atomic_init_u64(&topology->asked, 0);
}

/* Something has been seen that another topology would explain. */
void
cpg_topology_want(void)
{
	if (cpg_redis_sharding == CPG_SHARD_CLUSTER)
		pg_atomic_write_u32(&cpg_node_topology()->wanted, 1);
}

/* Whether this process shall ask now, because it wants to or somebody else does. */
bool
cpg_topology_claim(bool wanted)
{
	CpgSharedTopology *topology = cpg_node_topology();
	uint64		asked = pg_atomic_read_u64(&topology->asked);
	uint64		now = (uint64) cpg_clock_now();
	uint64		pause;

	wanted = wanted || pg_atomic_read_u32(&topology->wanted) != 0;
	pause = wanted ? ASK_AT_MOST : ASK_AT_LEAST;
	if ((asked != 0 && now < asked + pause) || CPG_SKIP("cluster-ask"))
		return false;
	return pg_atomic_compare_exchange_u64(&topology->asked, &asked, Max(now, 1));
}

bool
cpg_topology_has_changed(uint32 version)
{
	return pg_atomic_read_u32(&cpg_node_topology()->version) != version || version == 0;
}

static uint64
hash_of(const CpgUrl *seeds, int nseeds)
{
	uint64		hash = 1;

	for (int i = 0; i < nseeds; i++)
	{
		hash = hash_bytes_extended((const unsigned char *) seeds[i].host, (int) strlen(seeds[i].host), hash);
		hash = hash_bytes_uint32_extended((uint32) seeds[i].port, hash);
	}
	return hash;
}

static void
change_version_locked(CpgSharedTopology *topology)
{
	uint32		version = pg_atomic_read_u32(&topology->version) + 1;

	pg_atomic_write_u32(&topology->version, version == 0 ? 1 : version);
}

/* Begin anew with nothing but seeds. */
static void
reset_locked(CpgSharedTopology *topology, const CpgUrl *seeds, int nseeds)
{
	CpgTopologyNodes *nodes = &topology->nodes;

	memset(nodes, 0, sizeof(*nodes));
	nodes->count = nseeds;
	for (int i = 0; i < nseeds; i++)
	{
		strlcpy(nodes->node[i].host, seeds[i].host, CPG_URL_HOST_SIZE);
		nodes->node[i].port = seeds[i].port;
	}
	for (int i = 0; i < CPG_SHARD_SLOTS; i++)
		topology->slot[i] = NO_NODE;
	topology->seeds = hash_of(seeds, nseeds);
	topology->known = topology->failed = false;
	pg_atomic_write_u64(&topology->asked, 0);
	change_version_locked(topology);
}

/* A copy of the nodes that are known with some seeds. */
void
cpg_topology_take(const CpgUrl *seeds, int nseeds, CpgTopologyNodes *nodes)
{
	CpgSharedTopology *topology = cpg_node_topology();

	LWLockAcquire(&topology->lock, LW_EXCLUSIVE);
	if (topology->nodes.count == 0 || topology->seeds != hash_of(seeds, nseeds))
		reset_locked(topology, seeds, nseeds);
	*nodes = topology->nodes;
	nodes->version = pg_atomic_read_u32(&topology->version);
	LWLockRelease(&topology->lock);
}

/* The node of a slot; negative if none is known. */
int
cpg_topology_node_of(int slot)
{
	uint8		node = cpg_node_topology()->slot[slot];

	return node == NO_NODE ? -1 : node;
}

/* A node has said that another one has the slot. */
void
cpg_topology_learn(int slot, int node)
{
	CpgSharedTopology *topology = cpg_node_topology();

	LWLockAcquire(&topology->lock, LW_EXCLUSIVE);
	if (node < topology->nodes.count)
		topology->slot[slot] = (uint8) node;
	LWLockRelease(&topology->lock);
	cpg_topology_want();
}

static int
find_locked(const CpgTopologyNodes *nodes, const CpgTopologyAddress *address)
{
	for (int i = 0; i < nodes->count; i++)
	{
		if (nodes->node[i].port == address->port && strcmp(nodes->node[i].host, address->host) == 0)
			return i;
	}
	return -1;
}

/* Give a node a number; negative if there is none left. */
static int
add_locked(CpgTopologyNodes *nodes, const CpgTopologyAddress *address)
{
	int			i = 0;

	while (i < nodes->count && nodes->node[i].host[0] != '\0')
		i++;
	if (i == CPG_REDIS_NODES_MAX)
		return -1;
	nodes->node[i] = *address;
	nodes->count = Max(nodes->count, i + 1);
	return i;
}

/* Take the numbers of nodes that are not there any more; true if there were any. */
static bool
drop_locked(CpgTopologyNodes *nodes, int nseeds, const CpgTopologyRange *ranges, int count)
{
	bool		there[CPG_REDIS_NODES_MAX] = {false};
	bool		changed = false;

	for (int i = 0; i < count; i++)
	{
		int			node = find_locked(nodes, &ranges[i].address);

		if (node >= 0)
			there[node] = true;
	}
	for (int i = nseeds; i < nodes->count; i++)
	{
		if (there[i] || nodes->node[i].host[0] == '\0')
			continue;
		memset(&nodes->node[i], 0, sizeof(nodes->node[i]));
		changed = true;
	}
	return changed;
}

static bool
assign_locked(CpgSharedTopology *topology, const CpgTopologyRange *ranges, int count)
{
	uint8		slot[CPG_SHARD_SLOTS];
	bool		changed = false;

	memset(slot, NO_NODE, sizeof(slot));
	for (int i = 0; i < count; i++)
	{
		int			node = find_locked(&topology->nodes, &ranges[i].address);

		if (node < 0)
		{
			node = add_locked(&topology->nodes, &ranges[i].address);
			changed = changed || node >= 0;
		}
		for (int s = Max(ranges[i].first, 0); s <= Min(ranges[i].last, CPG_SHARD_SLOTS - 1) && node >= 0; s++)
			slot[s] = (uint8) node;
	}
	for (int s = 0; s < CPG_SHARD_SLOTS; s++)
		topology->slot[s] = slot[s];
	return changed;
}

/*
 * An attempt to ask has ended: with what a node knows, or without an answer if
 * there are no ranges.  True if that is another outcome than before.
 */
bool
cpg_topology_apply(const CpgUrl *seeds, int nseeds, const CpgTopologyRange *ranges, int count)
{
	CpgSharedTopology *topology = cpg_node_topology();
	bool		failed = count == 0;
	bool		news;
	bool		changed;

	LWLockAcquire(&topology->lock, LW_EXCLUSIVE);
	if (topology->nodes.count == 0 || topology->seeds != hash_of(seeds, nseeds))
	{
		LWLockRelease(&topology->lock);
		return false;
	}
	news = failed != topology->failed || (!failed && !topology->known);
	topology->failed = failed;
	if (failed)
		cpg_topology_want();
	else
	{
		pg_atomic_write_u32(&topology->wanted, 0);
		topology->known = true;
		changed = drop_locked(&topology->nodes, nseeds, ranges, count);
		if (assign_locked(topology, ranges, count) || changed)
			change_version_locked(topology);
	}
	LWLockRelease(&topology->lock);
	return news;
}
