/*-------------------------------------------------------------------------
 *
 * nodes.c
 *	  What the whole server knows of each node, in shared memory.
 *
 * A node has a place, found by its address.  Places are given in
 * cpg_redis_refresh; when none is free, the one that was given longest ago and
 * is not of the present list is taken, with a new generation.  A process that
 * still uses an older list notices that and counts nothing.
 *
 * Locks: the LWLock for addresses, generations and the order of places; the
 * spinlock of a place for all else in it, and to see that its generation is
 * still the expected one.
 *
 * A breaker opens at the third failed call in a row, for half a second, and
 * twice as long each time its probe fails.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "guc.h"
#include "portability/instr_time.h"
#include "redis/redis_internal.h"
#include "shmem.h"
#include "storage/spin.h"

#define BREAKER_CALLS	3
#define OPEN_FIRST		500		/* ms */
#define OPEN_DOUBLINGS	5
#define PROBE_MARGIN	1000	/* ms */
#define LATENCY_WEIGHT	8

typedef struct CpgSharedRedisNode
{
	slock_t		lock;
	uint32		generation;		/* both locks to change, one to read; 0: free */
	uint64		given;			/* LWLock */
	int			failed_probes;	/* since it was closed */
	CpgRedisView view;
	CpgRedisNumbers numbers;
} CpgSharedRedisNode;

struct CpgSharedRedis
{
	LWLock		lock;
	uint64		clock;			/* LWLock; counts places given */
	pg_atomic_uint32 connections;
	CpgSharedRedisNode node[CPG_REDIS_NODES_MAX];
};

/* The places of this process' list. */
static struct
{
	int			place;
	uint32		generation;		/* 0: none, the node is gone */
	char		name[CPG_URL_NAME_SIZE];
}			mine[CPG_REDIS_NODES_MAX];

/* What went wrong in the latest attempt, more exactly than a status says. */
static char problem[CPG_REDIS_ERROR_SIZE];

Size
cpg_redis_size(void)
{
	return MAXALIGN(sizeof(CpgSharedRedis)) + cpg_topology_size();
}

/* It lies behind the nodes. */
CpgSharedTopology *
cpg_node_topology(void)
{
	return (CpgSharedTopology *) ((char *) cpg_redis + MAXALIGN(sizeof(CpgSharedRedis)));
}

void
cpg_redis_init(CpgSharedRedis *redis, int tranche)
{
	memset(redis, 0, sizeof(*redis));
	LWLockInitialize(&redis->lock, tranche);
	pg_atomic_init_u32(&redis->connections, 0);
	for (int i = 0; i < CPG_REDIS_NODES_MAX; i++)
		SpinLockInit(&redis->node[i].lock);
	cpg_topology_init((CpgSharedTopology *) ((char *) redis + MAXALIGN(sizeof(CpgSharedRedis))), tranche);
}

/* ---------------------------------------------------------------------
 * Places
 * ---------------------------------------------------------------------
 */

static void
address_of(const CpgUrl *url, char *address)
{
	const char *format = strchr(url->host, ':') ? "[%s]:%d" : "%s:%d";

	if (url->kind == CPG_URL_UNIX)
		strlcpy(address, url->host, CPG_REDIS_ADDRESS_SIZE);
	else
		snprintf(address, CPG_REDIS_ADDRESS_SIZE, format, url->host, url->port);
}

static int
find_place_locked(const char *address)
{
	for (int i = 0; i < CPG_REDIS_NODES_MAX; i++)
	{
		if (cpg_redis->node[i].generation != 0 &&
			strcmp(cpg_redis->node[i].view.address, address) == 0)
			return i;
	}
	return -1;
}

/* A free place, or else the oldest; there are as many as nodes in a list. */
static int
make_place_locked(const char *address)
{
	CpgSharedRedisNode *node;
	int			oldest = 0;

	for (int i = 1; i < CPG_REDIS_NODES_MAX; i++)
	{
		if (cpg_redis->node[i].given < cpg_redis->node[oldest].given)
			oldest = i;
	}
	node = &cpg_redis->node[oldest];
	SpinLockAcquire(&node->lock);
	if (++node->generation == 0)
		node->generation = 1;
	node->failed_probes = 0;
	memset(&node->view, 0, sizeof(node->view));
	memset(&node->numbers, 0, sizeof(node->numbers));
	memcpy(node->view.address, address, strlen(address));
	cpg_breaker_init(&node->view.breaker);
	SpinLockRelease(&node->lock);
	return oldest;
}

/* Give each node of a list its place; those without a name need none. */
void
cpg_node_assign(const CpgUrl *urls, int count)
{
	char		address[CPG_REDIS_ADDRESS_SIZE];

	LWLockAcquire(&cpg_redis->lock, LW_EXCLUSIVE);
	/* those that are there first, so that they are not the oldest */
	for (int round = 0; round < 2; round++)
	{
		for (int i = 0; i < count; i++)
		{
			int			place;

			mine[i].generation = round == 0 ? 0 : mine[i].generation;
			if (urls[i].name[0] == '\0')
				continue;
			address_of(&urls[i], address);
			place = find_place_locked(address);
			if (place < 0 && round == 0)
				continue;
			if (place < 0)
				place = make_place_locked(address);
			cpg_redis->node[place].given = ++cpg_redis->clock;
			mine[i].place = place;
			mine[i].generation = cpg_redis->node[place].generation;
			strlcpy(mine[i].name, urls[i].name, sizeof(mine[i].name));
		}
	}
	LWLockRelease(&cpg_redis->lock);
}

/* The place of a node, locked; NULL if it is somebody else's by now. */
static CpgSharedRedisNode *
lock_node(int node)
{
	CpgSharedRedisNode *place = &cpg_redis->node[mine[node].place];

	if (mine[node].generation == 0)
		return NULL;
	SpinLockAcquire(&place->lock);
	if (place->generation == mine[node].generation)
		return place;
	SpinLockRelease(&place->lock);
	return NULL;
}

/* ---------------------------------------------------------------------
 * Breakers and counters
 * ---------------------------------------------------------------------
 */

static int64
microseconds(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

static void
configure(const CpgSharedRedisNode *node, CpgBreakerConfig *config)
{
	config->window = config->min_calls = BREAKER_CALLS;
	config->ratio = 1.0;
	config->open_ms = OPEN_FIRST << Min(node->failed_probes, OPEN_DOUBLINGS);
	config->probe_ms = cpg_redis_timeout + cpg_redis_connect_timeout + PROBE_MARGIN;
}

/*
 * Ask whether a node may be called.  If so the ticket is given back with
 * cpg_node_tell or cpg_node_forget.
 */
bool
cpg_node_admit(int node, CpgRedisTicket *ticket)
{
	CpgSharedRedisNode *place = lock_node(node);
	CpgBreakerConfig config;
	CpgBreakerVerdict verdict;

	ticket->node = -1;
	ticket->began = microseconds();
	cpg_node_forget_problem();
	if (place == NULL)
		return true;
	configure(place, &config);
	verdict = cpg_breaker_admit(&place->view.breaker, &config, cpg_clock_now(), &ticket->breaker);
	SpinLockRelease(&place->lock);
	if (verdict == CPG_BREAKER_REFUSE)
	{
		cpg_topology_want();
		return false;
	}
	ticket->node = node;
	return true;
}

/* One line for each change, whoever makes it. */
static void
log_change(int node, bool failed, const char *error)
{
	if (failed)
		ereport(LOG,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("cachepg: Redis server \"%s\" fails, it is left alone for a while", mine[node].name),
				 errdetail("The latest of its failures: %s.", error)));
	else
		ereport(LOG, (errmsg("cachepg: Redis server \"%s\" answers again", mine[node].name)));
}

static void
count(CpgRedisView *view, int64 took, bool timed_out, const char *error)
{
	view->calls++;
	if (error != NULL)
	{
		view->errors++;
		view->timeouts += timed_out ? 1 : 0;
		strlcpy(view->error, error, sizeof(view->error));
		view->error_at = 0;
	}
	else if (took < 0)
		return;
	else if (view->latency == 0)
		view->latency = Max(took, 1);
	else
		view->latency += (took - view->latency) / LATENCY_WEIGHT;
}

/*
 * A call that was admitted has ended.  An error is text without anything of the
 * command; there may be one that is no failure of the node, and there is one if
 * it failed.
 */
void
cpg_node_tell(CpgRedisTicket *ticket, bool failed, bool timed_out, const char *error)
{
	int64		took = ticket->began < 0 ? -1 : microseconds() - ticket->began;
	TimestampTz now = error ? GetCurrentTimestamp() : 0;
	int			node = ticket->node;
	CpgSharedRedisNode *place;
	CpgBreakerConfig config;
	CpgBreakerState before;
	CpgBreakerState after;

	ticket->node = -1;
	if (node < 0 || (place = lock_node(node)) == NULL)
		return;
	if (failed)
		cpg_topology_want();
	if (error != NULL && problem[0])
		error = problem;
	configure(place, &config);
	before = place->view.breaker.state;
	cpg_breaker_record(&place->view.breaker, &config, cpg_clock_now(), ticket->breaker, failed);
	after = place->view.breaker.state;
	if (after == CPG_BREAKER_CLOSED)
		place->failed_probes = 0;
	else if (before == CPG_BREAKER_HALF_OPEN && after == CPG_BREAKER_OPEN)
		place->failed_probes++;
	count(&place->view, took, timed_out, error);
	if (error != NULL)
		place->view.error_at = now;
	SpinLockRelease(&place->lock);
	if (before == CPG_BREAKER_CLOSED && after == CPG_BREAKER_OPEN)
		log_change(node, true, error ? error : "unknown");
	else if (before != CPG_BREAKER_CLOSED && after == CPG_BREAKER_CLOSED)
		log_change(node, false, NULL);
}

/* A call that was admitted has ended without saying anything about the node. */
void
cpg_node_forget(CpgRedisTicket *ticket)
{
	CpgSharedRedisNode *place;

	if (ticket->node >= 0 && (place = lock_node(ticket->node)) != NULL)
	{
		cpg_breaker_cancel(&place->view.breaker, ticket->breaker);
		SpinLockRelease(&place->lock);
	}
	ticket->node = -1;
}

/* Another attempt begins, about which nothing has been said. */
void
cpg_node_forget_problem(void)
{
	problem[0] = '\0';
}

/* Say more exactly what the failure is that will be told of next. */
void
cpg_node_report_problem(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
}

/* A failed status of the latest call of this process, as exactly as known. */
const char *
cpg_redis_problem(CpgRedisStatus status)
{
	return problem[0] ? problem : cpg_redis_status_text(status);
}

/* ---------------------------------------------------------------------
 * What is known of nodes
 * ---------------------------------------------------------------------
 */

void
cpg_node_numbers(int node, CpgRedisNumbers *numbers)
{
	CpgSharedRedisNode *place = lock_node(node);

	numbers->count = 0;
	if (place == NULL)
		return;
	*numbers = place->numbers;
	SpinLockRelease(&place->lock);
}

/* The resolver has found a node's addresses. */
void
cpg_redis_set_numbers(int node, const CpgRedisNumbers *numbers)
{
	CpgSharedRedisNode *place = lock_node(node);

	if (place == NULL)
		return;
	place->numbers = *numbers;
	SpinLockRelease(&place->lock);
}

/* A copy of what is known of a node; empty if its place is lost. */
void
cpg_redis_view(int node, CpgRedisView *view)
{
	CpgSharedRedisNode *place = lock_node(node);

	memset(view, 0, sizeof(*view));
	if (place == NULL)
		return;
	*view = place->view;
	SpinLockRelease(&place->lock);
}

void
cpg_redis_set_version(int node, const char *version)
{
	CpgSharedRedisNode *place = lock_node(node);

	if (place == NULL)
		return;
	strlcpy(place->view.version, version, sizeof(place->view.version));
	SpinLockRelease(&place->lock);
}

/* ---------------------------------------------------------------------
 * Connections of all processes
 * ---------------------------------------------------------------------
 */

/* Count a connection to be made; false if there are too many. */
bool
cpg_node_take_place(void)
{
	if (pg_atomic_add_fetch_u32(&cpg_redis->connections, 1) <= cpg_redis_max_connections)
		return true;
	pg_atomic_sub_fetch_u32(&cpg_redis->connections, 1);
	return false;
}

void
cpg_node_give_place(void)
{
	pg_atomic_sub_fetch_u32(&cpg_redis->connections, 1);
}

/* Whether places are so scarce that none should be kept for later. */
bool
cpg_node_is_crowded(void)
{
	return cpg_redis_connections() > cpg_redis_max_connections - cpg_redis_max_connections / 4;
}

int
cpg_redis_connections(void)
{
	return (int) pg_atomic_read_u32(&cpg_redis->connections);
}
