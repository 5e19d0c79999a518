/*-------------------------------------------------------------------------
 *
 * loop.h
 *	  What the benchmark loops share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_BENCH_LOOP_H
#define CPG_BENCH_LOOP_H

#include "common/pg_prng.h"
#include "store/store.h"

#define LOOP_KEY_LEN 16

extern CpgSharedStore *loop_store;
extern CpgSharedGuard *loop_guard;

extern int	loop_tranche(void);
extern void loop_key_text(uint32 number, char *name);
extern CpgSharedStore *loop_private_store(Size size, Size entry_size, CpgEviction eviction);
extern CpgItem loop_item(const char *data, Size len, int64 now);

#endif							/* CPG_BENCH_LOOP_H */
