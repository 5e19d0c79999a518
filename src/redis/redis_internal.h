/*-------------------------------------------------------------------------
 *
 * redis_internal.h
 *	  What the files of the Redis client share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_REDIS_REDIS_INTERNAL_H
#define CPG_REDIS_REDIS_INTERNAL_H

#include <sys/socket.h>
#include <hiredis/hiredis.h>

#include "lib/stringinfo.h"
#include "redis/redis.h"
#include "storage/latch.h"
#include "wire/resp.h"

typedef enum CpgRedisLane
{
	CPG_REDIS_LANE_CALL,
	CPG_REDIS_LANE_STREAM,
	CPG_REDIS_LANE_OWN
} CpgRedisLane;

#define CPG_REDIS_LANES	3

/*
 * A connection.  It is dirty from the first byte of a command on until all
 * replies to it have been read; what finds it dirty closes it, because what
 * arrives next could be an answer to something else.
 *
 * What is malloc'd (reader, raw and tls) and what is counted (the descriptor, the
 * place among all connections of the server) is given back by
 * cpg_connection_close and nowhere else.
 */
typedef struct CpgConnection
{
	int			node;
	CpgRedisLane lane;
	bool		counted;		/* has a place among all connections */
	bool		acquired;		/* has told fd.c of its descriptor */
	bool		dirty;
	int			fd;				/* -1: none */
	int			expected;		/* replies that are to come */
	int			complete;		/* replies in the reader */
	int64		used;			/* when it was last of use */
	uint32		events;			/* what the set waits for at the socket */
	int			position;		/* of the socket in the set */
	uint32		wants;			/* what to wait for, after EAGAIN */
	struct ssl_st *tls;			/* NULL: none */
	WaitEventSet *set;
	StringInfoData out;			/* commands */
	CpgResp		limiter;
	redisReader *reader;
	void	   *raw;			/* reply that is being copied */
} CpgConnection;

typedef struct CpgRedisAddress
{
	struct sockaddr_storage address;
	socklen_t	len;
} CpgRedisAddress;


/* Leave of a breaker to call a node. */
typedef struct CpgRedisTicket
{
	int			node;			/* -1: none */
	uint32		breaker;
	int64		began;			/* us; negative: how long it takes says
								 * nothing */
} CpgRedisTicket;

typedef struct CpgSharedTopology CpgSharedTopology;

/* Where a node of Redis Cluster says that one of them is. */
typedef struct CpgTopologyAddress
{
	char		host[CPG_URL_HOST_SIZE];	/* empty: none */
	int			port;
} CpgTopologyAddress;

/* Slots of a node, none if first is greater than last. */
typedef struct CpgTopologyRange
{
	int			first;
	int			last;
	CpgTopologyAddress address;
} CpgTopologyRange;

typedef struct CpgTopologyNodes
{
	uint32		version;
	int			count;			/* with gaps */
	CpgTopologyAddress node[CPG_REDIS_NODES_MAX];
} CpgTopologyNodes;

/* servers.c */
extern void cpg_redis_refresh(void);
extern const CpgUrl *cpg_redis_seeds(int *count);
extern int	cpg_redis_find(const char *host, int port);

/* stream.c */
extern void cpg_stream_forget(int node);
extern void cpg_stream_forget_all(void);

/* call.c */
extern bool cpg_call_pause(int attempt, int64 deadline);
extern CpgRedisStatus cpg_call_node(int node, const CpgRedisCommand *commands, int count, unsigned flags,
									int64 deadline, CpgRedisReply *replies);

/* cluster.c */
extern void cpg_cluster_refresh(void);
extern CpgRedisStatus cpg_cluster_follow(int node, const CpgRedisCommand *command, unsigned flags,
										 int64 deadline, CpgRedisReply *reply);

/* topology.c */
extern Size cpg_topology_size(void);
extern void cpg_topology_init(CpgSharedTopology *topology, int tranche);
extern void cpg_topology_want(void);
extern bool cpg_topology_claim(bool wanted);
extern void cpg_topology_take(const CpgUrl *seeds, int nseeds, CpgTopologyNodes *nodes);
extern bool cpg_topology_has_changed(uint32 version);
extern int	cpg_topology_node_of(int slot);
extern void cpg_topology_learn(int slot, int node);
extern bool cpg_topology_apply(const CpgUrl *seeds, int nseeds, const CpgTopologyRange *ranges, int count);

/* connection.c */
extern CpgRedisStatus cpg_connection_get(int node, CpgRedisLane lane, int64 deadline, CpgConnection **result);
extern CpgConnection *cpg_connection_find(int node, CpgRedisLane lane);
extern void cpg_connection_close(CpgConnection *conn);
extern void cpg_connection_close_node(int node);
extern void cpg_connection_close_all(void);

/* address.c */
extern int	cpg_redis_addresses(int node, const CpgUrl *url, CpgRedisAddress *addresses);

#define CPG_REDIS_PASSWORD_SIZE 1025

/* tls.c */
extern CpgRedisStatus cpg_tls_begin(CpgConnection *conn, const char *host, int64 deadline);
extern ssize_t cpg_tls_receive(CpgConnection *conn, char *data, size_t size);
extern ssize_t cpg_tls_send(CpgConnection *conn, const char *data, size_t size);
extern bool cpg_tls_is_quiet(CpgConnection *conn);
extern void cpg_tls_end(CpgConnection *conn);

/* exchange.c */
typedef enum CpgWaitResult
{
	CPG_WAIT_READY,
	CPG_WAIT_TIMEOUT,
	CPG_WAIT_LATCH
} CpgWaitResult;

extern CpgWaitResult cpg_redis_wait(CpgConnection *conn, uint32 events, int64 deadline, bool connecting, bool look_up);
extern void cpg_redis_pause(int64 until);
extern void cpg_exchange_restore_latch(void);
extern void cpg_exchange_append(CpgConnection *conn, const CpgRedisCommand *command);
extern CpgRedisStatus cpg_exchange_send(CpgConnection *conn, int64 deadline);
extern CpgRedisStatus cpg_exchange_receive(CpgConnection *conn, int64 deadline, bool look_up, CpgRedisReply *reply);
extern bool cpg_exchange_is_quiet(CpgConnection *conn);

/* reply.c */
extern void cpg_reply_copy(const redisReply *raw, CpgRedisReply *reply);

/* nodes.c */
extern CpgSharedTopology *cpg_node_topology(void);
extern void cpg_node_assign(const CpgUrl *urls, int count);
extern bool cpg_node_admit(int node, CpgRedisTicket *ticket);
extern void cpg_node_tell(CpgRedisTicket *ticket, bool failed, bool timed_out, const char *error);
extern void cpg_node_forget(CpgRedisTicket *ticket);
extern void cpg_node_forget_problem(void);
extern void cpg_node_report_problem(const char *format,...) pg_attribute_printf(1, 2);
extern void cpg_node_numbers(int node, CpgRedisNumbers *numbers);
extern bool cpg_node_take_place(void);
extern bool cpg_node_is_crowded(void);
extern void cpg_node_give_place(void);

#endif							/* CPG_REDIS_REDIS_INTERNAL_H */
