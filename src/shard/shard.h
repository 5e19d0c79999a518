/*-------------------------------------------------------------------------
 *
 * shard.h
 *	  Which of several servers keeps a key.
 *
 * Rendezvous, the default: each server gets a score for the key, made of the
 * hashes of both, and the best one wins (D. Thaler, C. V. Ravishankar, "Using
 * name-based mappings to increase hit rates", 1998).  With weights the score is
 * -weight / ln(u), u being the hash as a number between 0 and 1.  A server that
 * joins takes its share from all others and moves nothing else.  Time is linear
 * in the servers, which are few.
 *
 * Ketama, for sharing servers with clients that know nothing else: 160 points
 * per server on a ring of 2^32, made by MD5 of "name-0" to "name-39", four
 * points each; the key's server is that of the first point at or after its own
 * MD5.  As libmemcached (KETAMA_WEIGHTED) and spymemcached do it, if the name is
 * what they use.  With weights a server has its share of 160 points per server,
 * rounded down to a multiple of 4; with less than a fortieth of the average
 * weight it has none, and gets no keys.
 *
 * Slots are those of Redis Cluster, which is told where they are.
 *
 * What is computed is the same on every machine: integers only, bytes read one
 * by one, logarithms in fixed point.  Hashes have no secret: whoever chooses
 * keys can send them all to one server.
 *
 * Pure: the caller owns all memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_SHARD_SHARD_H
#define CPG_SHARD_SHARD_H

#define CPG_SHARD_NODES_MAX		1000
#define CPG_SHARD_WEIGHT_MAX	1000
#define CPG_SHARD_SLOTS			16384
#define CPG_SHARD_POINTS		160 /* of a server with average weight */

typedef enum CpgShardMethod
{
	CPG_SHARD_RENDEZVOUS,
	CPG_SHARD_KETAMA,
	CPG_SHARD_CLUSTER			/* by slots: there is no map */
} CpgShardMethod;

/* The caller sets name and weight; names are unique. */
typedef struct CpgShardNode
{
	const char *name;
	int			weight;			/* 1 to CPG_SHARD_WEIGHT_MAX */
	uint64		hash;			/* of the name; set by cpg_shard_init() */
} CpgShardNode;

typedef struct CpgShardPoint
{
	uint32		at;
	int32		node;
} CpgShardPoint;

/* Read only once it is made; points into memory of the caller. */
typedef struct CpgShardMap
{
	CpgShardMethod method;
	const CpgShardNode *nodes;
	int			nnodes;
	bool		weighted;		/* not all weights are the same */
	const CpgShardPoint *points;	/* ketama: ascending */
	int			npoints;
} CpgShardMap;

extern int	cpg_shard_points(const CpgShardNode *nodes, int nnodes);
extern void cpg_shard_init(CpgShardMap *map, CpgShardMethod method,
						   CpgShardNode *nodes, int nnodes, CpgShardPoint *points);
extern int	cpg_shard_choose(const CpgShardMap *map, const char *key, size_t len);
extern void cpg_shard_shares(const CpgShardMap *map, int64 keys, int64 *counts);
extern double cpg_shard_plan(const CpgShardMap *from, const CpgShardMap *to, int64 keys);
extern int	cpg_shard_slot(const char *key, size_t len);

extern uint64 cpg_shard_hash(const char *data, size_t len);
extern uint64 cpg_shard_log(uint64 hash);

#endif							/* CPG_SHARD_SHARD_H */
