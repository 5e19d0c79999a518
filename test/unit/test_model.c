/*-------------------------------------------------------------------------
 *
 * test_model.c
 *	  Random operations on the store, each compared with a reference model.
 *
 * All entries have blocks of one size, chosen so that the arena's remainder is
 * a block of its own; then the model knows by counting when the store has to
 * evict, and predicts which entry leaves.  The model is written from the
 * description of the policies, with arrays indexed by key; it shares only the
 * ghost table (which has a test of its own) with the store.
 *
 * A fault changes one rule of the model; then the test must fail, which shows
 * that the comparison sees that rule.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "core/frequency.h"
#include "core/ghost.h"
#include "harness.h"
#include "miscadmin.h"
#include "store/arena.h"

PG_FUNCTION_INFO_V1(test_model);

#define STORE_SIZE	(512 * 1024)
#define KEYS		6000
#define NONE		(-1)
#define KEY_LEN		9

enum
{
	SMALL, MAIN, NQUEUES
};

typedef struct ModelEntry
{
	bool		present;
	bool		dead;			/* invalidated */
	int			queue;
	int			prev;
	int			next;
	int			freq;
	int64		expiry;
	uint32		version;
} ModelEntry;

typedef struct Model
{
	TestStore	t;
	CpgEviction eviction;
	const char *fault;
	ModelEntry	entry[KEYS];
	int			head[NQUEUES];
	int			tail[NQUEUES];
	int			count[NQUEUES];
	Size		block;
	int			capacity;
	Size		arena;
	Size		value_len;
	CpgGhost	ghost;
	uint32	   *ghost_cells;
	int64		now;
	uint32		version;
	pg_prng_state random;
	/* what happened, to be sure that everything did */
	int64		hits;
	int64		evictions;
	int64		promotions;
	int64		ghost_hits;
	int64		expirations;
} Model;

static bool
has_fault(const Model *m, const char *fault)
{
	return strcmp(m->fault, fault) == 0;
}

static void
key_text(int key, char *name)
{
	snprintf(name, KEY_LEN + 1, "key%06d", key);
}

static CpgKey
store_key(Model *m, int key, char *name)
{
	CpgKey		k;

	key_text(key, name);
	cpg_key_init(&k, m->t.store, 1, name, KEY_LEN);
	return k;
}

static void
unlink_key(Model *m, int key)
{
	ModelEntry *e = &m->entry[key];

	if (e->prev != NONE)
		m->entry[e->prev].next = e->next;
	else
		m->head[e->queue] = e->next;
	if (e->next != NONE)
		m->entry[e->next].prev = e->prev;
	else
		m->tail[e->queue] = e->prev;
	m->count[e->queue]--;
}

static void
push_key(Model *m, int key, int queue)
{
	ModelEntry *e = &m->entry[key];

	e->queue = queue;
	e->prev = NONE;
	e->next = m->head[queue];
	if (e->next != NONE)
		m->entry[e->next].prev = key;
	else
		m->tail[queue] = key;
	m->head[queue] = key;
	m->count[queue]++;
}

static void
drop_key(Model *m, int key)
{
	unlink_key(m, key);
	m->entry[key].present = false;
}

static int
total(const Model *m)
{
	return m->count[SMALL] + m->count[MAIN];
}

static bool
valid(const Model *m, int key)
{
	return m->entry[key].present && !m->entry[key].dead && m->entry[key].expiry > m->now;
}

static void
model_evict_s3fifo(Model *m)
{
	for (;;)
	{
		bool		small = m->count[MAIN] == 0 ||
		(m->count[SMALL] > 0 && m->count[SMALL] * m->block > m->arena / 10);
		int			key = m->tail[small ? SMALL : MAIN];
		ModelEntry *e = &m->entry[key];

		if (!valid(m, key))
		{
			drop_key(m, key);
			m->expirations++;
			return;
		}
		if (e->freq >= (small && has_fault(m, "threshold") ? 2 : 1))
		{
			unlink_key(m, key);
			push_key(m, key, MAIN);
			e->freq = small ? 0 : e->freq - 1;
			m->promotions++;
			continue;
		}
		drop_key(m, key);
		m->evictions++;
		if (small && !has_fault(m, "ghost"))
		{
			char		name[KEY_LEN + 1];

			cpg_ghost_insert(&m->ghost, m->ghost_cells, store_key(m, key, name).hash);
		}
		return;
	}
}

static void
model_evict(Model *m)
{
	if (m->eviction == CPG_EVICTION_LRU)
	{
		m->evictions++;
		drop_key(m, m->tail[MAIN]);
	}
	else
		model_evict_s3fifo(m);
}

static void
to_head(Model *m, int key)
{
	if (m->eviction != CPG_EVICTION_LRU || has_fault(m, "recency"))
		return;
	unlink_key(m, key);
	push_key(m, key, MAIN);
}

static void
model_use(Model *m, int key)
{
	m->entry[key].freq = Min(m->entry[key].freq + 1, CPG_FREQUENCY_MAX);
	to_head(m, key);
}

static void
model_put(Model *m, int key, int64 expiry)
{
	ModelEntry *e = &m->entry[key];
	char		name[KEY_LEN + 1];

	while (total(m) >= m->capacity)
		model_evict(m);
	if (e->present)
		model_use(m, key);
	else
	{
		uint64		hash = store_key(m, key, name).hash;
		bool		known = m->eviction == CPG_EVICTION_S3FIFO &&
		cpg_ghost_remove(&m->ghost, m->ghost_cells, hash, m->count[MAIN]);

		m->ghost_hits += known;
		e->present = true;
		e->freq = 0;
		push_key(m, key, known || m->eviction == CPG_EVICTION_LRU ? MAIN : SMALL);
	}
	e->dead = false;
	e->expiry = expiry;
	e->version = ++m->version;
}

/* The value of a version: its number, repeated. */
static void
fill_value(const Model *m, uint32 version, char *value)
{
	for (Size i = 0; i < m->value_len; i++)
		value[i] = (char) (version >> (i % 4 * 8));
}

static void
do_put(Model *m, int key, CpgPutMode mode)
{
	char		name[KEY_LEN + 1];
	CpgKey		k = store_key(m, key, name);
	int64		ttl = (int64) pg_prng_uint64_range(&m->random, 1, 20000);
	char		value[1024];
	bool		expected = mode == CPG_PUT_SET || (mode == CPG_PUT_ADD) != valid(m, key);
	CpgItem		item;

	fill_value(m, m->version + 1, value);
	item = test_item(value, m->value_len, m->now, ttl);
	EXPECT(cpg_store_put(m->t.store, &k, &item, mode, m->now) ==
		   (expected ? CPG_PUT_STORED : CPG_PUT_REFUSED));
	if (expected)
		model_put(m, key, m->now + ttl);
}

static void
do_get(Model *m, int key)
{
	char		name[KEY_LEN + 1];
	CpgKey		k = store_key(m, key, name);
	char		buffer[1024 + VARHDRSZ];
	char		expected[1024];
	CpgValue	value = {.buffer = buffer,.buffer_size = sizeof(buffer)};
	bool		hit = cpg_store_get(m->t.store, &k, m->now, &value) == CPG_HIT;

	EXPECT(hit == valid(m, key));
	if (!hit)
		return;
	m->hits++;
	fill_value(m, m->entry[key].version, expected);
	EXPECT(value.len == m->value_len && value.expiry == m->entry[key].expiry);
	EXPECT(memcmp(VARDATA(buffer), expected, m->value_len) == 0);
	model_use(m, key);
}

/* As a commit ends a key: what is there keeps its place, and serves nobody. */
static void
do_kill(Model *m, int key)
{
	char		name[KEY_LEN + 1];
	CpgKey		k = store_key(m, key, name);

	EXPECT(cpg_store_holds(m->t.store, &k, m->now) == valid(m, key));
	EXPECT(cpg_store_mark(m->t.store, &k, CPG_MARK_DEAD, true) == m->entry[key].present);
	m->entry[key].dead = m->entry[key].present;
}

static void
do_touch(Model *m, int key)
{
	char		name[KEY_LEN + 1];
	CpgKey		k = store_key(m, key, name);
	int64		expiry = m->now + (int64) pg_prng_uint64_range(&m->random, 1, 20000);

	EXPECT(cpg_store_touch(m->t.store, &k, expiry, m->now) == valid(m, key));
	if (valid(m, key))
	{
		m->entry[key].expiry = expiry;
		to_head(m, key);
	}
}

static void
do_sweep(Model *m)
{
	CpgCursor	cursor = {0, 0};

	while (cpg_store_sweep(m->t.store, &cursor, PG_UINT32_MAX / 2, m->now) > 0)
		;
	for (int key = 0; key < KEYS; key++)
	{
		if (m->entry[key].present && !valid(m, key))
			drop_key(m, key);
	}
}

/* Keys are skewed: the square of a uniform number. */
static int
random_key(Model *m)
{
	double		u = pg_prng_double(&m->random);

	return (int) (u * u * KEYS);
}

static void
one_operation(Model *m)
{
	int			dice = pg_prng_uint32(&m->random) % 1000;
	int			key = random_key(m);

	m->now += dice % 3;
	if (dice < 500)
		do_get(m, key);
	else if (dice < 800)
		do_put(m, key, CPG_PUT_SET);
	else if (dice < 870)
		do_put(m, key, CPG_PUT_ADD);
	else if (dice < 930)
		do_put(m, key, CPG_PUT_REPLACE);
	else if (dice < 970)
		do_touch(m, key);
	else
		do_kill(m, key);
}

/* Whether a result of the store is what the model has. */
static bool
is_expected(const Model *m, int key, CpgResult result)
{
	const ModelEntry *e = &m->entry[key];

	if (!e->present)
		return result == CPG_MISS_ABSENT || result == CPG_MISS_EVICTED;
	if (e->expiry <= m->now)
		return result == CPG_MISS_EXPIRED;
	return result == (e->dead ? CPG_MISS_INVALIDATED_KEY : CPG_HIT);
}

/* Every key is where the model has it. */
static void
compare_all(Model *m)
{
	for (int key = 0; key < KEYS; key++)
	{
		char		name[KEY_LEN + 1];
		CpgKey		k = store_key(m, key, name);
		CpgValue	value = {.buffer = NULL};

		EXPECT(is_expected(m, key, cpg_store_peek(m->t.store, &k, m->now, &value)));
		if (m->entry[key].present)
			EXPECT((value.frequency & CPG_FREQUENCY_MASK) == m->entry[key].freq);
	}
	test_check(m->t);
}

/*
 * Choose the length of values so that the arena holds a number of blocks and a
 * remainder that is a block itself.
 */
static void
choose_size(Model *m)
{
	CpgStoreSpace space;

	cpg_store_space(m->t.store, &space);
	m->arena = space.arena;
	for (m->value_len = 200;; m->value_len++)
	{
		m->block = cpg_arena_block_size(56 + KEY_LEN + m->value_len);
		if (space.free % m->block >= CPG_ARENA_BLOCK_MIN)
			break;
	}
	m->capacity = (int) (space.free / m->block);
}

static Model *
new_model(CpgEviction eviction, uint64 seed, const char *fault)
{
	Model	   *m = palloc0(sizeof(Model));
	uint32		sets;

	m->t = test_store(STORE_SIZE, 1, 50, eviction);
	m->eviction = eviction;
	m->fault = fault;
	m->now = 1000000;
	choose_size(m);

	/* as the store sizes its own: one cell for each expected entry */
	sets = cpg_ghost_sets(test_partition_bytes(m->t) / 50 * sizeof(uint32));
	m->ghost_cells = palloc(sets * CPG_GHOST_WAYS * sizeof(uint32));
	cpg_ghost_init(&m->ghost, m->ghost_cells, sets);
	for (int q = 0; q < NQUEUES; q++)
		m->head[q] = m->tail[q] = NONE;
	pg_prng_seed(&m->random, seed);
	return m;
}

Datum
test_model(PG_FUNCTION_ARGS)
{
	CpgEviction eviction = test_eviction(PG_GETARG_TEXT_PP(0));
	int			operations = PG_GETARG_INT32(1);
	Model	   *m = new_model(eviction, (uint64) PG_GETARG_INT64(2),
							  text_to_cstring(PG_GETARG_TEXT_PP(3)));

	for (int i = 0; i < operations; i++)
	{
		CHECK_FOR_INTERRUPTS();
		one_operation(m);
		EXPECT(test_entries(m->t) == (uint64) total(m));
		if (i % 50000 == 49999)
			do_sweep(m);
		if (i % 10000 == 9999)
			compare_all(m);
	}
	EXPECT(m->hits > operations / 20 && m->evictions > operations / 50);
	if (eviction == CPG_EVICTION_S3FIFO)
		EXPECT(m->promotions > 100 && m->ghost_hits > 100 && m->expirations > 100);
	OK;
}
