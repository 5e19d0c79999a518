/*-------------------------------------------------------------------------
 *
 * harness.h
 *	  What unit tests share: a private store and expectations.
 *
 * A test returns the text 'ok' or raises an error that says what did not hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_TEST_HARNESS_H
#define CPG_TEST_HARNESS_H

#include "common/pg_prng.h"
#include "fmgr.h"
#include "store/store.h"
#include "utils/builtins.h"

#define EXPECT(condition) \
	do { \
		if (!(condition)) \
			elog(ERROR, "line %d: does not hold: %s", __LINE__, #condition); \
	} while (0)

#define OK PG_RETURN_TEXT_P(cstring_to_text("ok"))

typedef struct TestStore
{
	CpgSharedStore *store;
	CpgSharedGuard *guard;
} TestStore;

#define TEST_NAMESPACES 8

extern const CpgGuardConfig test_guard_config;

extern TestStore test_store(Size size, int partitions, Size entry_size, CpgEviction eviction);
extern CpgEviction test_eviction(text *name);
extern void test_check(TestStore t);
extern CpgItem test_item(const char *data, Size len, int64 now, int64 ttl);
extern CpgPutResult test_put(TestStore t, uint16 ns, const char *key, const char *value, int64 now);
extern const char *test_get(TestStore t, uint16 ns, const char *key, int64 now);
extern uint64 test_entries(TestStore t);
extern Size test_partition_bytes(TestStore t);

#endif							/* CPG_TEST_HARNESS_H */
