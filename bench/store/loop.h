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
#include "fmgr.h"
#include "port/atomics.h"
#include "store/store.h"

#define LOOP_KEY_LEN 16
#define LOOP_TOGETHER_MAX 8

/* Gets n keys by their numbers, which hits it returns. */
typedef int64 (*LoopGetKeys) (const uint32 *numbers, int n, void *state);

extern CpgSharedStore *loop_store;
extern CpgSharedGuard *loop_guard;
extern pg_atomic_uint64 *loop_gates;	/* for 1 to LOOP_TOGETHER_MAX
										 * processes */

extern Size loop_wait_size(void);
extern void loop_wait_init(void *at, bool found);
extern void loop_key_text(uint32 number, char *name);
extern CpgSharedStore *loop_private_store(Size size, Size entry_size, CpgEviction eviction);
extern Datum loop_timed(FunctionCallInfo fcinfo, LoopGetKeys get_keys, void *state);
extern CpgItem loop_item(const char *data, Size len, int64 now);

#endif							/* CPG_BENCH_LOOP_H */
