/*-------------------------------------------------------------------------
 *
 * harness.c
 *	  What unit tests share.  See harness.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "harness.h"
#include "storage/lwlock.h"
#include "store/store_internal.h"

PG_MODULE_MAGIC;

const CpgGuardConfig test_guard_config = {
	.namespaces = TEST_NAMESPACES,.tables = 16,.tags = 16,.keys = 4096,.seed = 7
};

/* A store in private memory; the locks in it are real but never contended. */
TestStore
test_store(Size size, int partitions, Size entry_size, CpgEviction eviction)
{
	static int	tranche = 0;
	CpgStoreConfig config;
	TestStore	t;

	if (tranche == 0)
	{
		tranche = LWLockNewTrancheId();
		LWLockRegisterTranche(tranche, "CachePgTest");
	}
	memset(&config, 0, sizeof(config));
	config.size = size;
	config.npartitions = partitions;
	config.max_namespaces = TEST_NAMESPACES;
	config.entry_size = entry_size;
	config.eviction = eviction;
	config.seed = 42;
	config.tranche = tranche;
	EXPECT(size >= cpg_store_min_size(&config));

	t.guard = palloc(cpg_guard_size(&test_guard_config));
	cpg_guard_init(t.guard, &test_guard_config);
	t.store = (CpgSharedStore *) CACHELINEALIGN(
												MemoryContextAllocExtended(CurrentMemoryContext, size + PG_CACHE_LINE_SIZE, MCXT_ALLOC_HUGE));
	cpg_store_init(t.store, &config, t.guard);
	return t;
}

CpgEviction
test_eviction(text *name)
{
	return strcmp(text_to_cstring(name), "lru") == 0 ? CPG_EVICTION_LRU : CPG_EVICTION_S3FIFO;
}

/* All partitions must be sound. */
void
test_check(TestStore t)
{
	CpgStoreSpace space;
	CpgProblem	problem;

	cpg_store_space(t.store, &space);
	for (int i = 0; i < space.npartitions; i++)
	{
		if (cpg_store_check(t.store, i, &problem, 1) > 0)
			elog(ERROR, "partition %d: %s (" INT64_FORMAT ")", problem.partition,
				 problem.text, problem.detail);
	}
}

CpgItem
test_item(const char *data, Size len, int64 now, int64 ttl)
{
	CpgItem		item;

	memset(&item, 0, sizeof(item));
	item.data = data;
	item.len = len;
	item.typid = TEXTOID;
	item.kind = CPG_KIND_VARLENA;
	item.created = now;
	item.expiry = now + ttl;
	return item;
}

/* Store a text for a minute. */
CpgPutResult
test_put(TestStore t, uint16 ns, const char *key, const char *value, int64 now)
{
	CpgItem		item = test_item(value, strlen(value), now, 60000);
	CpgKey		k;

	item.stamp = cpg_guard_stamp(t.guard);
	cpg_key_init(&k, t.store, ns, key, strlen(key));
	return cpg_store_put(t.store, &k, &item, CPG_PUT_SET, now);
}

/* The text under a key, or NULL. */
const char *
test_get(TestStore t, uint16 ns, const char *key, int64 now)
{
	CpgValue	value = {.buffer = NULL};
	CpgKey		k;

	cpg_key_init(&k, t.store, ns, key, strlen(key));
	if (cpg_store_get(t.store, &k, now, &value) != CPG_HIT)
		return NULL;
	return TextDatumGetCString(value.datum);
}

uint64
test_entries(TestStore t)
{
	uint64		entries = 0;

	for (uint16 ns = 0; ns < TEST_NAMESPACES; ns++)
	{
		CpgStoreUse use;

		cpg_store_use(t.store, ns, &use);
		entries += use.entries;
	}
	return entries;
}

/* Bytes of one partition, tables and arena together. */
Size
test_partition_bytes(TestStore t)
{
	return t.store->partition_stride;
}
