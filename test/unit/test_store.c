/*-------------------------------------------------------------------------
 *
 * test_store.c
 *	  Tests of the store where a model is not needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "harness.h"
#include "miscadmin.h"
#include "store/store_internal.h"

PG_FUNCTION_INFO_V1(test_variants);
PG_FUNCTION_INFO_V1(test_bounded);
PG_FUNCTION_INFO_V1(test_cells);
PG_FUNCTION_INFO_V1(test_modes);
PG_FUNCTION_INFO_V1(test_random_sizes);
PG_FUNCTION_INFO_V1(test_damage);

#define MB (1024 * 1024)
#define NOW 1000

static CpgKey
variant(TestStore t, const char *key, Oid role, uint64 fingerprint)
{
	CpgKey		k;

	cpg_key_init(&k, t.store, 0, key, strlen(key));
	k.role = role;
	k.fingerprint = fingerprint;
	k.any_fingerprint = false;
	return k;
}

static CpgPutResult
put_variant(TestStore t, const char *key, Oid role, uint64 fingerprint, const char *value, int64 now)
{
	CpgKey		k = variant(t, key, role, fingerprint);
	CpgItem		item = test_item(value, strlen(value), now, 60000);

	return cpg_store_put(t.store, &k, &item, CPG_PUT_SET, now);
}

/* What a reader gets: the value, or the name of the reason. */
static const char *
get_variant(TestStore t, const char *key, Oid role, uint64 fingerprint, bool any)
{
	static const char *const names[] = {"hit", "absent", "expired", "evicted",
	"key", "namespace", "tag", "table", "schema", "role", "home", "pending", "other loader", "other role"};
	CpgKey		k = variant(t, key, role, fingerprint);
	CpgValue	value = {.buffer = NULL};
	CpgResult	result;

	k.any_fingerprint = any;
	result = cpg_store_get(t.store, &k, NOW + 1000, &value);
	return result == CPG_HIT ? TextDatumGetCString(value.datum) : names[result];
}

#define SAME(a, b) EXPECT(strcmp((a), (b)) == 0)

/* Variants of a key are apart for readers and one for invalidation. */
Datum
test_variants(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(2 * MB, 2, 200, CPG_EVICTION_S3FIFO);
	CpgKey		k;

	put_variant(t, "k", 10, 1, "ten-one", NOW);
	SAME(get_variant(t, "k", 10, 1, false), "ten-one");
	SAME(get_variant(t, "k", 10, 2, false), "other loader");
	SAME(get_variant(t, "k", 11, 1, false), "other role");
	SAME(get_variant(t, "k", 10, 0, true), "ten-one");

	put_variant(t, "k", 10, 2, "ten-two", NOW + 1);
	put_variant(t, "k", 11, 1, "eleven", NOW + 2);
	SAME(get_variant(t, "k", 10, 1, false), "ten-one");
	SAME(get_variant(t, "k", 10, 2, false), "ten-two");
	SAME(get_variant(t, "k", 11, 1, false), "eleven");
	SAME(get_variant(t, "k", 10, 0, true), "ten-two");
	SAME(get_variant(t, "k", 12, 0, true), "other role");
	test_check(t);

	/* rewriting the first variant makes it the newest */
	put_variant(t, "k", 10, 1, "ten-one again", NOW + 3);
	SAME(get_variant(t, "k", 10, 0, true), "ten-one again");
	/* also within the same millisecond, and for one role apart from others */
	put_variant(t, "k", 11, 1, "eleven again", NOW + 3);
	put_variant(t, "k", 10, 2, "ten-two again", NOW + 3);
	SAME(get_variant(t, "k", 10, 0, true), "ten-two again");
	put_variant(t, "k", 10, 1, "ten-one at last", NOW + 3);
	SAME(get_variant(t, "k", 10, 0, true), "ten-one at last");
	SAME(get_variant(t, "k", 11, 0, true), "eleven again");
	EXPECT(test_entries(t) == 3);

	/* who replaces what is a role's marks all of it, whatever computed it */
	k = variant(t, "k", 10, 0);
	EXPECT(cpg_store_mark(t.store, &k, CPG_MARK_DEAD, false));
	SAME(get_variant(t, "k", 10, 1, false), "key");
	SAME(get_variant(t, "k", 10, 2, false), "key");
	SAME(get_variant(t, "k", 11, 1, false), "eleven again");
	k = variant(t, "k", 12, 0);
	EXPECT(!cpg_store_mark(t.store, &k, CPG_MARK_DEAD, false));

	/* whoever invalidates, all variants go; a role is told of its own ones */
	k = variant(t, "k", 12, 0);
	EXPECT(!cpg_store_holds(t.store, &k, NOW));
	EXPECT(cpg_store_mark(t.store, &k, CPG_MARK_DEAD, true));
	SAME(get_variant(t, "k", 10, 1, false), "key");
	SAME(get_variant(t, "k", 10, 2, false), "key");
	SAME(get_variant(t, "k", 11, 1, false), "key");

	/* a ring is bounded, and losing its first member in between harmless */
	for (int i = 0; i < CPG_VARIANTS_MAX + 100; i++)
		put_variant(t, "many", 20 + i, 5, "x", NOW);
	EXPECT(test_entries(t) <= CPG_VARIANTS_MAX + 3);
	SAME(get_variant(t, "many", 20 + CPG_VARIANTS_MAX + 99, 5, false), "x");
	test_check(t);
	for (int i = 0; i < 20000; i++)
		put_variant(t, psprintf("filler%d", i), 0, 0, "0123456789", NOW);
	test_check(t);
	OK;
}

static CpgKey
bounded_key(TestStore t, const char *key)
{
	CpgKey		k;

	cpg_key_init(&k, t.store, 3, key, strlen(key));
	k.bounded = true;
	return k;
}

static void
put_bounded(TestStore t, const char *key, Size len, uint64 max_entries, uint64 max_bytes)
{
	char	   *value = palloc0(len);
	CpgItem		item = test_item(value, len, NOW, 60000);
	CpgKey		k = bounded_key(t, key);

	item.max_entries = max_entries;
	item.max_bytes = max_bytes;
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_STORED);
}

static bool
has_bounded(TestStore t, const char *key, bool use)
{
	CpgValue	value = {.buffer = NULL};
	CpgKey		k = bounded_key(t, key);

	if (use)
		return cpg_store_get(t.store, &k, NOW, &value) == CPG_HIT;
	return cpg_store_peek(t.store, &k, NOW, &value) == CPG_HIT;
}

/* Exact LRU inside a bounded namespace, in entries and in bytes. */
Datum
test_bounded(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(2 * MB, 2, 200, CPG_EVICTION_S3FIFO);
	CpgKey		k = bounded_key(t, "D");

	put_bounded(t, "A", 10, 2, 0);
	put_bounded(t, "B", 10, 2, 0);
	EXPECT(has_bounded(t, "A", true));
	put_bounded(t, "C", 10, 2, 0);
	EXPECT(has_bounded(t, "A", false) && !has_bounded(t, "B", false) && has_bounded(t, "C", false));

	/* rewriting makes recent and evicts nobody */
	put_bounded(t, "A", 20, 2, 0);
	EXPECT(has_bounded(t, "C", false));
	put_bounded(t, "D", 10, 2, 0);
	EXPECT(has_bounded(t, "A", false) && !has_bounded(t, "C", false));
	test_check(t);

	/* what is invalidated leaves, and takes no place of a live one */
	EXPECT(cpg_store_mark(t.store, &k, CPG_MARK_DEAD, true));
	EXPECT(test_entries(t) == 1);
	put_bounded(t, "D", 10, 2, 0);
	EXPECT(has_bounded(t, "A", false) && has_bounded(t, "D", false));
	test_check(t);

	/* in bytes: a block of 1000 bytes takes 1064 */
	put_bounded(t, "E", 1000, 0, 3 * 1064);
	put_bounded(t, "F", 1000, 0, 3 * 1064);
	put_bounded(t, "G", 1000, 0, 3 * 1064);
	EXPECT(!has_bounded(t, "A", false) && has_bounded(t, "E", false));
	put_bounded(t, "H", 1000, 0, 3 * 1064);
	EXPECT(!has_bounded(t, "E", false) && has_bounded(t, "F", false));

	/* what fills the rest of the memory leaves them alone */
	for (int i = 0; i < 30000; i++)
		test_put(t, 1, psprintf("filler%d", i), "0123456789", NOW);
	EXPECT(has_bounded(t, "F", false) && has_bounded(t, "G", false) && has_bounded(t, "H", false));
	test_check(t);
	OK;
}

/* An entry is as valid as each cell it depends on. */
Datum
test_cells(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(2 * MB, 2, 200, CPG_EVICTION_S3FIFO);
	CpgCell		cells[] = {20, 30, 40};
	CpgItem		item = test_item("value", 5, NOW, 60000);
	CpgKey		k = variant(t, "k", 0, 0);
	CpgValue	value = {.buffer = NULL};

	item.cells = cells;
	item.ncells = lengthof(cells);
	item.stamp = cpg_guard_stamp(t.guard);
	item.load_time = 7;
	item.soft_ttl = 9;
	item.shape = 11;
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_STORED);
	EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_HIT);
	EXPECT(value.load_time == 7 && value.soft_ttl == 9 && value.shape == 11);
	cpg_guard_bump(t.guard, 31);
	EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_HIT);
	cpg_guard_bump(t.guard, 30);
	EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_MISS_INVALIDATED_ROLE);

	/* a late fill with the old stamp is dead on arrival, a new one lives */
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_FILL, NOW) == CPG_PUT_STORED);
	EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_MISS_INVALIDATED_ROLE);
	item.stamp = cpg_guard_stamp(t.guard);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_FILL, NOW) == CPG_PUT_STORED);
	EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_HIT);

	/* the namespace's own cell */
	cpg_guard_bump(t.guard, 0);
	EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_MISS_INVALIDATED_NAMESPACE);

	/* it counts before all else: a listing must not show such an entry */
	(void) cpg_store_mark(t.store, &k, CPG_MARK_DEAD, true);
	EXPECT(cpg_store_get(t.store, &k, NOW + 1000000, &value) == CPG_MISS_INVALIDATED_NAMESPACE);
	test_check(t);
	OK;
}

/* A fill never replaces a newer value; ADD and REPLACE look at valid ones. */
Datum
test_modes(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(2 * MB, 1, 200, CPG_EVICTION_LRU);
	CpgItem		item = test_item("a", 1, NOW, 100);
	CpgKey		k = variant(t, "k", 0, 0);
	char	   *large = palloc0(MB);

	item.stamp = 5;
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_REPLACE, NOW) == CPG_PUT_REFUSED);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_ADD, NOW) == CPG_PUT_STORED);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_ADD, NOW) == CPG_PUT_REFUSED);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_REPLACE, NOW) == CPG_PUT_STORED);
	item.stamp = 4;
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_FILL, NOW) == CPG_PUT_REFUSED);
	/* expired: free for ADD, gone for REPLACE, no obstacle for a fill */
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_REPLACE, NOW + 100) == CPG_PUT_REFUSED);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_FILL, NOW + 100) == CPG_PUT_STORED);

	item = test_item(large, MB, NOW, 100);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_TOO_LARGE);
	item = test_item(large, 100, NOW, 100);
	item.max_bytes = 50;
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_TOO_LARGE);
	test_check(t);
	OK;
}

/* Every size finds room at any time, and what is read is what was written. */
Datum
test_random_sizes(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(16 * MB, 1, 200, test_eviction(PG_GETARG_TEXT_PP(0)));
	int			operations = PG_GETARG_INT32(1);
	char	   *data = palloc(2 * MB);
	CpgValue	value = {.buffer = palloc(2 * MB),.buffer_size = 2 * MB};
	pg_prng_state random;
	CpgStoreSpace space;

	pg_prng_seed(&random, (uint64) PG_GETARG_INT64(2));
	for (Size i = 0; i < 2 * MB; i++)
		data[i] = (char) (i * 7 + i / 256);
	for (int i = 0; i < operations; i++)
	{
		/* log-uniform from 100 bytes to 1 MB */
		Size		len = (Size) (100 * pow(10, pg_prng_double(&random) * 4));
		Size		offset = i % 1000;
		char	   *name = psprintf("%d", (int) (pg_prng_uint32(&random) % 5000));
		CpgItem		item = test_item(data + offset, len, NOW, 60000);
		CpgKey		k = variant(t, name, 0, 0);

		CHECK_FOR_INTERRUPTS();
		EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_STORED);
		EXPECT(cpg_store_get(t.store, &k, NOW, &value) == CPG_HIT);
		EXPECT(value.len == len && memcmp(VARDATA(value.buffer), data + offset, len) == 0);
		if (i % 1000 == 0)
			test_check(t);
		pfree(name);
	}
	cpg_store_space(t.store, &space);
	EXPECT(space.free < space.arena / 4);	/* or the store was never full */
	OK;
}

static void
expect_damage(TestStore t, const char *what)
{
	CpgProblem	problem;

	if (cpg_store_check(t.store, 0, &problem, 1) == 0)
		elog(ERROR, "check does not see %s", what);
}

/* The check sees each kind of damage: what cannot fail proves nothing. */
Datum
test_damage(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	CpgSharedPartition *part = cpg_partition(t.store, 0);
	CpgKey		k = variant(t, "b", 0, 0);
	CpgSharedEntry *entry;
	CpgRef		ref;

	put_variant(t, "a", 0, 0, "1", NOW);
	put_variant(t, "b", 0, 0, "2", NOW);
	put_variant(t, "b", 7, 0, "3", NOW);
	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	ref = cpg_index_find_locked(t.store, part, &k);
	LWLockRelease(&part->lock.lock);
	entry = cpg_entry(t.store, part, ref);
	test_check(t);

#define DAMAGE(lvalue, value, what) \
	do { \
		__typeof__(lvalue) good = (lvalue); \
		(lvalue) = (value); \
		expect_damage(t, (what)); \
		(lvalue) = good; \
		test_check(t); \
	} while (0)

	DAMAGE(entry->prev, 0, "a wrong link");
	DAMAGE(entry->slot, entry->slot + 1, "a wrong slot");
	DAMAGE(entry->ring, 0, "a broken ring");
	DAMAGE(part->small.count, 7, "a wrong count");
	DAMAGE(part->small.bytes, 7, "wrong bytes");
	DAMAGE(part->small.tail, ref, "a wrong tail");
	DAMAGE(part->arena.free_bytes, part->arena.free_bytes - 8, "wrong free bytes");
	DAMAGE(cpg_bucket(t.store, part, entry->slot / CPG_BUCKET_SLOTS)->version, 1,
		   "a bucket left in writing");
	DAMAGE(cpg_partition_use(t.store, part, 0)->entries, 9, "wrong sums");
	OK;
}
