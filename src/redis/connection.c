/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  The connections of this process: made, kept, closed.
 *
 * One per node and lane (see CpgRedisLane).  It is made when it is needed,
 * without ever blocking, and kept until it has been idle for
 * cachepg.redis_idle_timeout, which is looked at when it is needed again, or
 * until the process ends.  All processes together have no more than
 * cachepg.redis_max_connections; when three quarters of them are taken, a
 * connection is closed after its call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "guc.h"
#include "miscadmin.h"
#include "redis/redis_internal.h"
#include "redis/secret.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

/* CLUSTER SLOTS and XREAD of a thousand entries have many. */
#define ELEMENTS_MAX	65536

static CpgConnection *connections[CPG_REDIS_LANES][CPG_REDIS_NODES_MAX];

/* Give everything back that a connection has; it can be opened again. */
void
cpg_connection_close(CpgConnection *conn)
{
	if (conn->set != NULL)
		FreeWaitEventSet(conn->set);
	conn->set = NULL;
	if (conn->tls != NULL)
		cpg_tls_end(conn);
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
	if (conn->acquired)
		ReleaseExternalFD();
	conn->acquired = false;
	if (conn->raw != NULL)
		freeReplyObject(conn->raw);
	conn->raw = NULL;
	if (conn->reader != NULL)
		redisReaderFree(conn->reader);
	conn->reader = NULL;
	if (conn->counted)
		cpg_node_give_place();
	conn->counted = false;
	conn->dirty = false;
	conn->expected = conn->complete = 0;
	/* the handshake may have been left with a password in it */
	explicit_bzero(conn->out.data, conn->out.len);
	resetStringInfo(&conn->out);
}

/* Close all connections to a node. */
void
cpg_connection_close_node(int node)
{
	for (int lane = 0; lane < CPG_REDIS_LANES; lane++)
	{
		if (connections[lane][node] != NULL)
			cpg_connection_close(connections[lane][node]);
	}
}

void
cpg_connection_close_all(void)
{
	for (int node = 0; node < CPG_REDIS_NODES_MAX; node++)
		cpg_connection_close_node(node);
}

static void
close_at_exit(int code, Datum arg)
{
	cpg_connection_close_all();
}

/* The connection of a lane; NULL unless it is open. */
CpgConnection *
cpg_connection_find(int node, CpgRedisLane lane)
{
	CpgConnection *conn = connections[lane][node];

	return conn != NULL && conn->fd >= 0 ? conn : NULL;
}

static CpgConnection *
allocate(int node, CpgRedisLane lane)
{
	static bool watching = false;
	CpgConnection *conn = connections[lane][node];

	if (!watching)
		before_shmem_exit(close_at_exit, (Datum) 0);
	watching = true;
	if (conn == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		conn = palloc0(sizeof(CpgConnection));
		conn->node = node;
		conn->lane = lane;
		conn->fd = -1;
		initStringInfo(&conn->out);
		connections[lane][node] = conn;
		MemoryContextSwitchTo(old);
	}
	return conn;
}

/* Two descriptors: that of the socket, and that of the set of events. */
static bool
acquire_descriptors(CpgConnection *conn)
{
	conn->acquired = AcquireExternalFD();
	if (!conn->acquired || !AcquireExternalFD())
		return false;
	/* the set acquires it again by itself */
	ReleaseExternalFD();
	return true;
}

static void
set_limits(CpgConnection *conn)
{
	CpgRespLimits limits;

	cpg_resp_default_limits(&limits);
	limits.bulk = limits.reply = (int64) cpg_redis_max_reply * 1024;
	limits.elements = limits.total = ELEMENTS_MAX;
	limits.depth = CPG_RESP_DEPTH_MAX - 1;
	cpg_resp_init(&conn->limiter, &limits);
}

/* Begin to connect; errno tells what is wrong if that fails at once. */
static bool
open_socket(CpgConnection *conn, const CpgRedisAddress *address)
{
	int			family = address->address.ss_family;
	int			on = 1;

	conn->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		return false;
	if (family != AF_UNIX)
	{
		(void) setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void) setsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	return connect(conn->fd, (const struct sockaddr *) &address->address, address->len) == 0 ||
		errno == EINPROGRESS || errno == EINTR;
}

static void
fill_set(CpgConnection *conn)
{
	CPG_FAULT("redis-set");
	conn->set = CPG_WAIT_EVENT_SET_NEW(3);
	AddWaitEventToSet(conn->set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(conn->set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	conn->events = WL_SOCKET_WRITEABLE;
	conn->position = AddWaitEventToSet(conn->set, conn->events, conn->fd, NULL, NULL);
}

/*
 * Whether there is a descriptor for a set.  Making one would tell too, with an
 * error that leaves some memory behind.
 */
static bool
is_descriptor_left(const CpgConnection *conn)
{
	int			fd = dup(conn->fd);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * Make the set of events; false if that cannot be done.  PostgreSQL raises an
 * error then, which nobody shall have because of Redis.
 */
static bool
make_set(CpgConnection *conn)
{
	MemoryContext context = CurrentMemoryContext;
	uint32		holdoffs = InterruptHoldoffCount;
	volatile bool made = false;

	if (!is_descriptor_left(conn))
		return false;
	PG_TRY();
	{
		fill_set(conn);
		made = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		/* which an error takes for over */
		InterruptHoldoffCount = holdoffs;
	}
	PG_END_TRY();
	return made;
}

static bool
has_connected(CpgConnection *conn)
{
	int			problem = 0;
	socklen_t	len = sizeof(problem);

	return getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &problem, &len) == 0 && problem == 0;
}

/* This is about the process or the machine, not about the node. */
static CpgRedisStatus
report_scarcity(void)
{
	cpg_node_report_problem("%s", "too many files are open");
	return CPG_REDIS_NO_SLOT;
}

static CpgRedisStatus
connect_to(CpgConnection *conn, const CpgRedisAddress *address, int64 deadline)
{
	if (!cpg_node_take_place())
		return CPG_REDIS_NO_SLOT;
	conn->counted = true;
	if (!acquire_descriptors(conn))
		return report_scarcity();
	conn->reader = redisReaderCreate();
	if (conn->reader == NULL)
		return CPG_REDIS_UNAVAILABLE;
	if (!open_socket(conn, address))
		return errno == EMFILE || errno == ENFILE ? report_scarcity() : CPG_REDIS_UNAVAILABLE;
	set_limits(conn);
	if (!make_set(conn))
		return report_scarcity();
	if (cpg_redis_wait(conn, WL_SOCKET_WRITEABLE, deadline, true, false) == CPG_WAIT_TIMEOUT)
		return CPG_REDIS_TIMEOUT;
	return has_connected(conn) ? CPG_REDIS_OK : CPG_REDIS_UNAVAILABLE;
}

/* One command of the handshake, which has to be answered with OK. */
static CpgRedisStatus
demand(CpgConnection *conn, int argc, const char **argv, int64 deadline)
{
	size_t		lens[3];
	CpgRedisCommand command = {argc, argv, lens};
	CpgRedisReply reply;
	CpgRedisStatus status;
	char		code[CPG_REDIS_CODE_SIZE];

	for (int i = 0; i < argc; i++)
		lens[i] = strlen(argv[i]);
	resetStringInfo(&conn->out);
	cpg_exchange_append(conn, &command);
	status = cpg_exchange_send(conn, deadline);
	if (status == CPG_REDIS_OK)
		status = cpg_exchange_receive(conn, deadline, false, &reply);
	/* there may be a password in it */
	explicit_bzero(conn->out.data, conn->out.len);
	resetStringInfo(&conn->out);
	if (status != CPG_REDIS_OK)
		return status;
	if (reply.type != CPG_REDIS_ERROR)
		return CPG_REDIS_OK;
	cpg_reply_code(&reply, code, sizeof(code));
	cpg_node_report_problem("%s refused: %s", argv[0], code[0] ? code : "ERR");
	return reply.class == CPG_REDIS_CLASS_RETRY ? CPG_REDIS_UNAVAILABLE : CPG_REDIS_CONFIGURATION;
}

/* The password is read for each connection, so a new one is used from then on. */
static CpgRedisStatus
authenticate(CpgConnection *conn, const CpgUrl *url, int64 deadline)
{
	char		password[CPG_REDIS_PASSWORD_SIZE] = "";
	const char *user = url->user[0] ? url->user : cpg_redis_user;
	const char *problem;
	CpgRedisStatus status = CPG_REDIS_CONFIGURATION;

	if (cpg_redis_password_file[0] == '\0' && user[0] == '\0')
		return CPG_REDIS_OK;

	/*
	 * a user may need no password; Redis wants one in the command all the
	 * same
	 */
	if (cpg_redis_password_file[0] == '\0' ||
		cpg_secret_read(cpg_redis_password_file, password, sizeof(password), &problem))
	{
		const char *with_user[] = {"AUTH", user, password};
		const char *without[] = {"AUTH", password};

		status = user[0] ? demand(conn, 3, with_user, deadline) : demand(conn, 2, without, deadline);
	}
	else
		cpg_node_report_problem("the password file cannot be used: %s", problem);
	explicit_bzero(password, sizeof(password));
	return status;
}

static CpgRedisStatus
shake_hands(CpgConnection *conn, const CpgUrl *url, int64 deadline)
{
	CpgRedisStatus status = CPG_REDIS_OK;

	if (url->kind == CPG_URL_TLS)
		status = cpg_tls_begin(conn, url->host, deadline);
	if (status == CPG_REDIS_OK)
		status = authenticate(conn, url, deadline);
	if (status == CPG_REDIS_OK && url->db != 0)
	{
		char		db[12];
		const char *argv[] = {"SELECT", db};

		snprintf(db, sizeof(db), "%d", url->db);
		status = demand(conn, 2, argv, deadline);
	}
	return status;
}

/*
 * Nodes that are found have database 0, and most servers no other in a cluster.
 * The settings come one by one, so the check of none of them can see this.
 */
static bool
is_database_possible(const CpgUrl *url)
{
	if (cpg_redis_sharding != CPG_SHARD_CLUSTER || url->db == 0)
		return true;
	cpg_node_report_problem("%s", "in Redis Cluster the database must be 0");
	return false;
}

/*
 * Try one address after the other.  Those that are left share the time that is
 * left, so that one that swallows everything does not keep the next from being
 * tried.  TIMEOUT if one of them did that and none can be reached.
 */
static CpgRedisStatus
open_connection(CpgConnection *conn, int64 deadline)
{
	const CpgUrl *url = cpg_redis_url(conn->node);
	CpgRedisAddress addresses[CPG_REDIS_ADDRESSES_MAX];
	int			count;
	CpgRedisStatus worst = CPG_REDIS_UNAVAILABLE;

	if (!is_database_possible(url))
		return CPG_REDIS_CONFIGURATION;
	count = cpg_redis_addresses(conn->node, url, addresses);
	deadline = Min(deadline, cpg_clock_now() + cpg_redis_connect_timeout);
	for (int i = 0; i < count; i++)
	{
		int			left = count - i;
		int64		now = cpg_clock_now();
		int64		share = (deadline - now + left - 1) / left;
		CpgRedisStatus status = connect_to(conn, &addresses[i], now + share);

		if (status == CPG_REDIS_OK)
			return shake_hands(conn, url, deadline);
		cpg_connection_close(conn);
		if (status == CPG_REDIS_NO_SLOT)
			return status;
		if (status == CPG_REDIS_TIMEOUT)
			worst = status;
	}
	return worst;
}

/* Whether a connection that is open can carry another command. */
static bool
is_usable(CpgConnection *conn)
{
	if (conn->dirty)
		return CPG_SKIP("redis-dirty");
	return cpg_clock_now() - conn->used < cpg_redis_idle_timeout && cpg_exchange_is_quiet(conn);
}

/*
 * A connection to a node, with nothing sent through it.  If it is not OK there
 * is none, and nothing is held.
 */
CpgRedisStatus
cpg_connection_get(int node, CpgRedisLane lane, int64 deadline, CpgConnection **result)
{
	CpgConnection *conn = allocate(node, lane);
	CpgRedisStatus status = CPG_REDIS_OK;

	*result = conn;
	cpg_node_forget_problem();
	if (conn->fd >= 0 && !is_usable(conn))
		cpg_connection_close(conn);
	if (conn->fd < 0)
	{
		status = open_connection(conn, deadline);
		if (status != CPG_REDIS_OK)
			cpg_connection_close(conn);
	}
	return status;
}
