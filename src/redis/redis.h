/*-------------------------------------------------------------------------
 *
 * redis.h
 *	  Commands to the Redis servers of cachepg.redis_servers.
 *
 * A node is one server of that list, named by its place in it; of Redis Cluster
 * the nodes it consists of follow, and leave gaps when they are gone: see
 * cpg_redis_exists.  A number may mean another node after any call of
 * cpg_redis_count and cpg_redis_node_for, which Redis Cluster answers with a
 * redirection.  A process keeps
 * up to three connections to a node: one for calls, one for what sends and
 * receives by itself, and for a moment one of cache_redis.
 *
 * No function here raises an error because of a server or a network: what went
 * wrong is the status.  Errors are those of CHECK_FOR_INTERRUPTS (which does
 * nothing while interrupts are held, so then a call takes until its deadline)
 * and of memory; the connection is closed then.
 *
 * Waits end when a reply, the deadline, a cancel or a termination comes.  They
 * use MyLatch; if it was set meanwhile, it is set again at the end.
 *
 * After a reload with other servers the connections are closed, with what was
 * sent through them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_REDIS_REDIS_H
#define CPG_REDIS_REDIS_H

#include <netinet/in.h>

#include "core/breaker.h"
#include "shard/shard.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "wire/url.h"

#define CPG_REDIS_NODES_MAX		64
#define CPG_REDIS_ADDRESS_SIZE	264 /* host:port or path */
#define CPG_REDIS_ERROR_SIZE	96
#define CPG_REDIS_VERSION_SIZE	24
#define CPG_REDIS_CODE_SIZE		24	/* of the first word of an error */

typedef enum CpgRedisStatus
{
	CPG_REDIS_OK,				/* a reply, perhaps an error of the server */
	CPG_REDIS_NOT_YET,			/* of cpg_redis_receive: nothing so far */
	CPG_REDIS_UNAVAILABLE,		/* no connection could be made */
	CPG_REDIS_LOST,				/* the connection ended before the reply did */
	CPG_REDIS_TIMEOUT,
	CPG_REDIS_BREAKER_OPEN,		/* not tried: it failed lately */
	CPG_REDIS_NO_SLOT,			/* not tried: too many connections or files */
	CPG_REDIS_VIOLATION,		/* not the protocol, or beyond the limits */
	CPG_REDIS_CONFIGURATION		/* files, certificates, AUTH or SELECT */
} CpgRedisStatus;

/* What is asked of the certificate of a server, if TLS is used. */
typedef enum CpgRedisVerify
{
	CPG_REDIS_VERIFY_FULL,		/* known authority, and for this host */
	CPG_REDIS_VERIFY_CA,		/* known authority */
	CPG_REDIS_VERIFY_NONE
} CpgRedisVerify;

typedef enum CpgRedisType
{
	CPG_REDIS_NIL,
	CPG_REDIS_STATUS,
	CPG_REDIS_ERROR,
	CPG_REDIS_INTEGER,
	CPG_REDIS_STRING,
	CPG_REDIS_ARRAY
} CpgRedisType;

/* What an error of a server calls for. */
typedef enum CpgRedisClass
{
	CPG_REDIS_CLASS_NONE,
	CPG_REDIS_CLASS_RETRY,		/* LOADING MASTERDOWN CLUSTERDOWN TRYAGAIN
								 * BUSY */
	CPG_REDIS_CLASS_CONFIGURATION,	/* NOAUTH WRONGPASS NOPERM */
	CPG_REDIS_CLASS_REDIRECT,	/* MOVED ASK */
	CPG_REDIS_CLASS_REFUSED,	/* OOM READONLY MISCONF NOREPLICAS: no writes */
	CPG_REDIS_CLASS_NO_SCRIPT,	/* NOSCRIPT */
	CPG_REDIS_CLASS_OTHER
} CpgRedisClass;

/*
 * Palloc'd where the function that gave it was called, the parts beside it.
 * data ends in NUL and may contain more of them.
 */
typedef struct CpgRedisReply
{
	CpgRedisType type;
	CpgRedisClass class;		/* ERROR */
	int64		integer;		/* INTEGER */
	size_t		len;			/* STATUS, ERROR, STRING */
	char	   *data;
	int			count;			/* ARRAY */
	struct CpgRedisReply *items;
} CpgRedisReply;

typedef struct CpgRedisCommand
{
	int			argc;
	const char **argv;
	const size_t *lens;
} CpgRedisCommand;

/* The commands may be sent again if it is unknown whether they were executed. */
#define CPG_REDIS_IDEMPOTENT	1
/* Through a connection of their own, closed afterwards, whatever the breaker says. */
#define CPG_REDIS_OWN			2

/* What is known of a node in the whole server. */
typedef struct CpgRedisView
{
	char		address[CPG_REDIS_ADDRESS_SIZE];
	CpgBreaker	breaker;
	uint64		calls;
	uint64		errors;
	uint64		timeouts;
	double		latency;		/* us, of replies, newer ones weigh more; 0:
								 * none */
	char		error[CPG_REDIS_ERROR_SIZE];	/* the latest, or empty */
	TimestampTz error_at;
	char		version[CPG_REDIS_VERSION_SIZE];	/* found by
													 * cache_redis_ping, or
													 * empty */
} CpgRedisView;

#define CPG_REDIS_ADDRESSES_MAX 4

/* What a host name stands for. */
typedef struct CpgRedisNumbers
{
	int			count;
	struct
	{
		bool		v6;
		union
		{
			struct in_addr v4;
			struct in6_addr v6;
		}			ip;
	}			number[CPG_REDIS_ADDRESSES_MAX];
} CpgRedisNumbers;

typedef struct CpgSharedRedis CpgSharedRedis;

/* servers.c */
extern bool cpg_redis_configured(void);
extern int	cpg_redis_count(void);
extern bool cpg_redis_exists(int node);
extern const CpgUrl *cpg_redis_url(int node);
extern bool cpg_redis_is_local(int node);
extern int	cpg_redis_node_for(const char *key, size_t len);
extern void cpg_redis_make_map(const CpgUrl *servers, int count, CpgShardMap *result);

/* address.c */
extern bool cpg_redis_needs_lookup(int node);

/* cluster.c */
extern int	cpg_redis_redirection(int node, const CpgRedisReply *reply, bool *asking);

/* call.c */
extern CpgRedisStatus cpg_redis_call(int node, int argc, const char **argv, const size_t *lens,
									 unsigned flags, int timeout_ms, CpgRedisReply *reply);
extern CpgRedisStatus cpg_redis_pipeline(int node, const CpgRedisCommand *commands, int count,
										 unsigned flags, int timeout_ms, CpgRedisReply *replies);
extern CpgRedisStatus cpg_redis_send(int node, int argc, const char **argv, const size_t *lens);
extern CpgRedisStatus cpg_redis_receive(int node, int timeout_ms, CpgRedisReply *reply);
extern void cpg_redis_hang_up(int node);
extern bool cpg_redis_connected(int node);
extern const char *cpg_redis_status_text(CpgRedisStatus status);

/* reply.c */
extern void cpg_reply_code(const CpgRedisReply *reply, char *code, size_t size);
extern int64 cpg_redis_reply_time(const CpgRedisReply *reply);

/* tls.c */
extern bool cpg_redis_has_tls(void);

/* nodes.c */
extern Size cpg_redis_size(void);
extern void cpg_redis_init(CpgSharedRedis *redis, int tranche);
extern void cpg_redis_view(int node, CpgRedisView *view);
extern void cpg_redis_set_version(int node, const char *version);
extern int	cpg_redis_connections(void);
extern void cpg_redis_set_numbers(int node, const CpgRedisNumbers *numbers);
extern const char *cpg_redis_problem(CpgRedisStatus status);

#endif							/* CPG_REDIS_REDIS_H */
