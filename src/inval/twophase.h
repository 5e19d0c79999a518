/*-------------------------------------------------------------------------
 *
 * twophase.h
 *	  Fences of prepared transactions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_TWOPHASE_H
#define CPG_INVAL_TWOPHASE_H

#include "access/twophase.h"

typedef struct CpgSharedTwophase CpgSharedTwophase;

extern Size cpg_twophase_size(void);
extern void cpg_twophase_init(CpgSharedTwophase *shared, int tranche);
extern void cpg_twophase_resolve(void);
extern bool cpg_twophase_find_out(void);

/*
 * Whether prepared transactions of before a restart or promotion, which have no
 * fences, may still be there and concern this database.
 */
extern bool cpg_twophase_settled;

static inline bool
cpg_twophase_unsettled(void)
{
	if (likely(max_prepared_xacts == 0 || cpg_twophase_settled))
		return false;
	return cpg_twophase_find_out();
}

#endif							/* CPG_INVAL_TWOPHASE_H */
