/*-------------------------------------------------------------------------
 *
 * lock.h
 *	  One load of a value in all servers: the lock, and the result for those who
 *	  wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_L2_LOCK_H
#define CPG_L2_LOCK_H

#include "l2/name.h"

typedef enum CpgL2Turn
{
	CPG_L2_TURN_HELD,			/* this process is to load */
	CPG_L2_TURN_BUSY,			/* another one does */
	CPG_L2_TURN_FREE			/* nobody can tell: Redis is away */
} CpgL2Turn;

typedef struct CpgL2Lock
{
	bool		held;
	char	   *key;			/* in Redis */
	Size		key_len;
	char	   *token;
	Size		token_len;
} CpgL2Lock;

/* A value that is to be loaded, and whose turn that is. */
typedef struct CpgL2Claim
{
	const CpgL2Name *name;
	CpgL2Lock  *lock;
	CpgL2Turn	turn;
} CpgL2Claim;

extern void cpg_l2_lock(CpgL2Claim *claims, int count, int64 life);
extern void cpg_l2_unlock(CpgL2Lock *lock);
extern char *cpg_l2_sibling_key(const CpgL2Name *name, char kind);

#endif							/* CPG_L2_LOCK_H */
