/*-------------------------------------------------------------------------
 *
 * shard_internal.h
 *	  What the files of this room share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_SHARD_SHARD_INTERNAL_H
#define CPG_SHARD_SHARD_INTERNAL_H

#include "shard/shard.h"

#define CPG_MD5_LEN 16

extern void cpg_md5(const char *data, size_t len, uint8 *digest);

extern int	cpg_rendezvous_choose(const CpgShardMap *map, const char *key, size_t len);

extern int	cpg_ketama_build(const CpgShardNode *nodes, int nnodes, CpgShardPoint *points);
extern int	cpg_ketama_choose(const CpgShardMap *map, const char *key, size_t len);

#endif							/* CPG_SHARD_SHARD_INTERNAL_H */
