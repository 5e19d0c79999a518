/*-------------------------------------------------------------------------
 *
 * test_restore.c
 *	  Copying entries out of a store and into another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "harness.h"
#include "store/store_internal.h"

PG_FUNCTION_INFO_V1(test_export);
PG_FUNCTION_INFO_V1(test_restore);

#define MB (1024 * 1024)
#define NOW 1000
#define FIRST 1					/* stamp of the guard's beginning */

static const bool all[TEST_NAMESPACES] = {true, true, true, true, true, true, true, true};
static const bool none[TEST_NAMESPACES];

typedef struct Copy
{
	int			count;
	uint64		restored;

	CpgPutResult result;		/* of the last one */
} Copy;

static CpgKey
key_of(TestStore t, const CpgListed *is, bool bounded)
{
	CpgKey		k;

	cpg_key_init(&k, t.store, is->ns, is->key, is->key_len);
	k.role = is->role;
	k.fingerprint = is->fingerprint;
	k.any_fingerprint = false;
	k.bounded = bounded;
	return k;
}

/* Copy all that is valid from one store to another, as warm/ does. */
static Copy
copy_all(TestStore from, TestStore to, bool ordered, uint64 max_entries)
{
	static CpgListedRef refs[100000];
	Copy		copy = {0, 0, CPG_PUT_STORED};
	CpgStoreSpace space;
	CpgExported e;

	memset(&e, 0, sizeof(e));
	e.buffer = palloc(16);
	e.buffer_size = 16;
	cpg_store_space(from.store, &space);
	for (int p = 0; p < space.npartitions; p++)
	{
		uint32		n = ordered ? cpg_store_refs_ordered(from.store, p, refs, lengthof(refs))
		: cpg_store_refs(from.store, p, all, refs, lengthof(refs));

		EXPECT(n == cpg_store_count(from.store, p));
		for (uint32 i = 0; i < n; i++)
		{
			CpgItem		item;
			CpgKey		k;

			EXPECT(cpg_store_export(from.store, p, refs[i], NOW, &e));
			if (e.is.state != CPG_HIT)
				continue;
			item = test_item(e.buffer, e.is.value.len, e.is.value.created, 60000);
			item.stamp = FIRST;
			item.max_entries = max_entries;
			k = key_of(to, &e.is, max_entries > 0);
			copy.result = cpg_store_restore(to.store, &k, &item, &e.standing);
			copy.restored += copy.result == CPG_PUT_STORED;

			copy.count++;
		}
	}
	return copy;
}

/* What is exported is what was put: value, frequency, order, state of the key. */
Datum
test_export(PG_FUNCTION_ARGS)
{
	TestStore	t = test_store(2 * MB, 1, 200, CPG_EVICTION_LRU);
	CpgListedRef refs[8];
	CpgExported e;
	CpgKey		k;

	test_put(t, 0, "a", "short", NOW);
	test_put(t, 0, "b", psprintf("%01000d", 7), NOW);
	for (int i = 0; i < 100; i++)
		test_get(t, 0, "a", NOW);

	/* newest first: "a" was read last */
	EXPECT(cpg_store_refs_ordered(t.store, 0, refs, lengthof(refs)) == 2);
	memset(&e, 0, sizeof(e));
	e.buffer = palloc(16);
	e.buffer_size = 16;
	EXPECT(cpg_store_export(t.store, 0, refs[0], NOW, &e));
	EXPECT(e.is.state == CPG_HIT && e.is.key_len == 1 && e.is.key[0] == 'a');
	EXPECT(e.is.value.len == 5 && memcmp(e.buffer, "short", 5) == 0);
	EXPECT(e.standing.frequency > 20 && e.standing.latest && !e.standing.stale);
	EXPECT(cpg_store_export(t.store, 0, refs[1], NOW, &e));
	EXPECT(e.is.value.len == 1000 && e.buffer_size >= 1000 && e.buffer[999] == '7');
	EXPECT(cpg_store_refs_ordered(t.store, 0, refs, 1) == 1);
	EXPECT(cpg_store_refs(t.store, 0, all, refs, 1) == 1);
	EXPECT(cpg_store_refs(t.store, 0, none, refs, lengthof(refs)) == 0);

	/* while its key is being invalidated, and when it is gone */
	EXPECT(cpg_store_refs_ordered(t.store, 0, refs, lengthof(refs)) == 2);
	cpg_key_init(&k, t.store, 0, "a", 1);
	cpg_guard_raise(t.guard, cpg_cell_key(t.guard, k.hash));
	EXPECT(cpg_store_export(t.store, 0, refs[0], NOW, &e) && e.is.state == CPG_MISS_COMMIT_PENDING);
	cpg_store_mark(t.store, &k, CPG_MARK_DEAD, true);
	cpg_guard_lower(t.guard, cpg_cell_key(t.guard, k.hash), cpg_guard_draw(t.guard));
	EXPECT(cpg_store_export(t.store, 0, refs[0], NOW, &e) && e.is.state == CPG_MISS_INVALIDATED_KEY);
	EXPECT(cpg_store_export(t.store, 0, refs[1], NOW + 60000, &e) && e.is.state == CPG_MISS_EXPIRED);
	for (int i = 0; i < 20000; i++)
		test_put(t, 1, psprintf("filler%d", i), "0123456789", NOW);
	EXPECT(!cpg_store_export(t.store, 0, refs[0], NOW, &e) || e.is.key[0] == 'f');
	test_check(t);
	OK;
}

static void
put_at(TestStore t, const char *key, Oid role, uint64 fingerprint, const char *value)
{
	CpgItem		item = test_item(value, strlen(value), NOW, 60000);
	CpgKey		k;

	cpg_key_init(&k, t.store, 0, key, strlen(key));
	k.role = role;
	k.fingerprint = fingerprint;
	k.any_fingerprint = false;
	item.stamp = cpg_guard_stamp(t.guard);
	EXPECT(cpg_store_put(t.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_STORED);
}

/* What was put or invalidated in the new store wins over what is restored. */
static void
test_precedence(void)
{
	TestStore	from = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	TestStore	to = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	CpgKey		k;

	for (const char *c = "abcdefgh"; *c != '\0'; c++)
		test_put(from, 0, pnstrdup(c, 1), "old", NOW);
	test_put(to, 0, "a", "new", NOW);
	/* put and dead; invalidated; being invalidated */
	test_put(to, 0, "b", "new", NOW);
	cpg_key_init(&k, to.store, 0, "b", 1);
	cpg_store_mark(to.store, &k, CPG_MARK_DEAD, true);
	cpg_key_init(&k, to.store, 0, "c", 1);
	cpg_guard_bump(to.guard, cpg_cell_key(to.guard, k.hash));
	cpg_key_init(&k, to.store, 0, "d", 1);
	cpg_guard_raise(to.guard, cpg_cell_key(to.guard, k.hash));
	EXPECT(copy_all(from, to, false, 0).restored == 4);
	EXPECT(strcmp(test_get(to, 0, "a", NOW), "new") == 0);
	for (const char *c = "bcd"; *c != '\0'; c++)
		EXPECT(test_get(to, 0, pnstrdup(c, 1), NOW) == NULL);
	EXPECT(strcmp(test_get(to, 0, "h", NOW), "old") == 0);
	/* again: all is there */
	EXPECT(copy_all(from, to, false, 0).restored == 0);
	test_check(to);

	/* a namespace that was cleared */
	to = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	cpg_guard_bump(to.guard, 0);
	EXPECT(copy_all(from, to, false, 0).restored == 0 && test_entries(to) == 0);
}

/* Variants come back as one ring, of which the newest is the newest. */
static void
test_rings(void)
{
	TestStore	from = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	TestStore	to = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);

	put_at(from, "k", 0, 1, "one");
	put_at(from, "k", 0, 2, "two");
	put_at(from, "k", 0, 3, "three");
	put_at(from, "k", 0, 2, "two again");
	put_at(from, "k", 9, 1, "of nine");
	EXPECT(copy_all(from, to, true, 0).restored == 4);
	EXPECT(strcmp(test_get(to, 0, "k", NOW), "two again") == 0);
	test_check(to);

	/* unless the new store has a newer one */
	to = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	put_at(to, "k", 0, 7, "newest");
	EXPECT(copy_all(from, to, false, 0).restored == 4);
	EXPECT(strcmp(test_get(to, 0, "k", NOW), "newest") == 0);
	EXPECT(test_entries(to) == 5);
	test_check(to);
}

/* The limits of a namespace hold, and its order is kept. */
static void
test_limits(void)
{
	TestStore	from = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	TestStore	to = test_store(2 * MB, 1, 200, CPG_EVICTION_S3FIFO);
	CpgItem		item = test_item("x", 1, NOW, 60000);
	CpgKey		k;

	item.max_entries = 3;
	for (const char *c = "abc"; *c != '\0'; c++)
	{
		cpg_key_init(&k, from.store, 0, c, 1);
		k.bounded = true;
		item.stamp = cpg_guard_stamp(from.guard);
		EXPECT(cpg_store_put(from.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_STORED);
	}
	EXPECT(copy_all(from, to, true, 2).restored == 2);
	EXPECT(test_entries(to) == 2);
	for (const char *c = "abc"; *c != '\0'; c++)
	{
		cpg_key_init(&k, to.store, 0, c, 1);
		k.bounded = true;
		EXPECT(cpg_store_holds(to.store, &k, NOW) == (*c != 'a'));
	}
	/* the oldest is still the first to go */
	cpg_key_init(&k, to.store, 0, "n", 1);
	k.bounded = true;
	item.max_entries = 2;
	EXPECT(cpg_store_put(to.store, &k, &item, CPG_PUT_SET, NOW) == CPG_PUT_STORED);
	cpg_key_init(&k, to.store, 0, "b", 1);
	k.bounded = true;
	EXPECT(!cpg_store_holds(to.store, &k, NOW));
	test_check(to);
}

Datum
test_restore(PG_FUNCTION_ARGS)
{
	TestStore	from = test_store(8 * MB, 2, 100, CPG_EVICTION_S3FIFO);
	TestStore	to;
	Copy		copy;

	test_precedence();
	test_rings();
	test_limits();

	/* into less memory: what fits, and nothing that is there has to leave */
	for (int i = 0; i < 40000; i++)
		test_put(from, 1, psprintf("filler%d", i), psprintf("value %d", i), NOW);
	to = test_store(2 * MB, 1, 100, CPG_EVICTION_LRU);
	for (int i = 0; i < 100; i++)
		test_put(to, 2, psprintf("own%d", i), "0123456789", NOW);
	copy = copy_all(from, to, true, 0);
	EXPECT(copy.restored > 1000 && copy.restored < copy.count);
	EXPECT(copy.result == CPG_PUT_NO_ROOM);
	EXPECT(test_entries(to) == copy.restored + 100);
	for (int i = 0; i < 100; i++)
		EXPECT(test_get(to, 2, psprintf("own%d", i), NOW) != NULL);
	test_check(to);
	/* the store works on */
	for (int i = 0; i < 40000; i++)
		test_put(to, 1, psprintf("again%d", i), "0123456789", NOW);
	test_check(to);
	OK;
}
