/*-------------------------------------------------------------------------
 *
 * test_interleaving.c
 *	  Every order in which the steps of commits, loads and a read can happen.
 *
 * One key, whose entry depends on one more cell, "the table".  Up to three
 * writers, two loads and one reader, each a short program; a state is what is
 * shared and where each of them is.  All states that can be reached are
 * visited, depth first.  A value is the set of writers whose commit it
 * contains; a hit is stale if it lacks one that was visible when the read began.
 *
 * Cells, the counter and every decision about them are those of guard.c and
 * guard.h: the two cells of a state are put into a real guard for each step.
 * What is modelled is the order of steps in commit.c, put.c, get.c and fetch.c,
 * and the partition's lock.
 *
 * A mechanism can be left out; then there must be a stale hit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/hash.h"
#include "harness.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(test_interleaving);

#define WRITERS		3
#define ACTORS		6
#define TABLE_BITS	23

typedef enum Step
{
	STEP_END,
	STEP_RAISE_TABLE,			/* writers: PRE_COMMIT */
	STEP_RAISE_KEY,
	STEP_VISIBLE,
	STEP_MARK,					/* COMMIT */
	STEP_DRAW,
	STEP_LOWER_TABLE,
	STEP_LOWER_KEY,
	STEP_DISPUTE,
	STEP_STAMP,					/* loads */
	STEP_SNAPSHOT,
	STEP_LOCK,					/* loads and sets: put */
	STEP_WRITE,
	STEP_COPY,					/* the reader */
	STEP_CHECK_TABLE,
	STEP_CHECK_KEY
} Step;

typedef enum Kind
{
	CHANGES_TABLE,
	KILLS_KEY,
	CHANGES_BOTH,
	SETS_KEY,					/* to a value that depends on the table */
	LOADS,
	READS,
	ABSENT
} Kind;

static const Step program[][10] = {
	[CHANGES_TABLE] = {STEP_RAISE_TABLE, STEP_VISIBLE, STEP_DRAW, STEP_LOWER_TABLE, STEP_END},
	[KILLS_KEY] = {STEP_RAISE_KEY, STEP_VISIBLE, STEP_MARK, STEP_DRAW, STEP_LOWER_KEY, STEP_END},
	[CHANGES_BOTH] = {STEP_RAISE_TABLE, STEP_RAISE_KEY, STEP_VISIBLE, STEP_MARK, STEP_DRAW, STEP_LOWER_KEY, STEP_LOWER_TABLE, STEP_END},
	[SETS_KEY] = {STEP_RAISE_KEY, STEP_VISIBLE, STEP_MARK, STEP_DRAW, STEP_LOWER_KEY, STEP_DISPUTE, STEP_LOCK, STEP_WRITE, STEP_END},
	[LOADS] = {STEP_STAMP, STEP_SNAPSHOT, STEP_LOCK, STEP_WRITE, STEP_END},
	[READS] = {STEP_COPY, STEP_CHECK_TABLE, STEP_CHECK_KEY, STEP_END},
	[ABSENT] = {STEP_END}
};

/* Mechanisms that can be left out. */
typedef enum Omission
{
	OMIT_NOTHING,
	OMIT_FENCE,
	OMIT_STAMP_ORDER,
	OMIT_MAXIMUM,
	OMIT_MARK,
	OMIT_PUT_CHECK,
	OMIT_CONTENTION,
	OMIT_DISPUTE,
	OMISSIONS
} Omission;

static const char *const omission_names[] = {
	"nothing", "fence", "stamp order", "maximum", "mark", "put check", "contention", "dispute"
};

typedef struct Cell
{
	uint8		pending;
	uint8		last;
} Cell;

typedef struct Actor
{
	uint8		at;				/* index into its program */
	uint8		aborted;
	uint8		number;			/* drawn */
	uint8		stamp;
	uint8		value;
	uint8		contended;
	Cell		before;			/* key's cell before it was raised */
} Actor;

/* All bytes count for the hash: no padding. */
typedef struct State
{
	uint8		seq;
	uint8		visible;		/* set of writers */
	uint8		locked;			/* partition's lock */
	uint8		disturbed;		/* entry changed since the reader copied it */
	uint8		aborts;			/* how many writers may still abort */
	uint8		unused[3];
	Cell		table;
	Cell		key;
	uint8		present;		/* entry */
	uint8		dead;
	uint8		stamp;
	uint8		value;
	Actor		actor[ACTORS];
} State;

typedef struct Model
{
	Omission	omit;
	Kind		kind[ACTORS];
	CpgSharedGuard *guard;
	CpgCell		table_cell;
	CpgCell		key_cell;
	uint64	   *seen;			/* hashes of states */
	uint64		states;
	bool		stale;
} Model;

static uint64
as_number(Cell cell)
{
	return cell.pending * CPG_GUARD_PENDING + cell.last;
}

static Cell
as_cell(uint64 number)
{
	Cell		cell = {(uint8) (number >> CPG_GUARD_LAST_BITS), (uint8) number};

	return cell;
}

/* Have the real guard be in this state, or the state be that of the guard. */
static void
enter(Model *m, const State *s)
{
	pg_atomic_write_u64(&m->guard->seq, s->seq);
	pg_atomic_write_u64(&m->guard->cell[m->table_cell], as_number(s->table));
	pg_atomic_write_u64(&m->guard->cell[m->key_cell], as_number(s->key));
}

static void
leave(Model *m, State *s)
{
	s->seq = (uint8) pg_atomic_read_u64(&m->guard->seq);
	s->table = as_cell(cpg_guard_read(m->guard, m->table_cell));
	s->key = as_cell(cpg_guard_read(m->guard, m->key_cell));
}

static uint64
raise_cell(Model *m, CpgCell cell)
{
	return m->omit == OMIT_FENCE ? cpg_guard_read(m->guard, cell) : cpg_guard_raise(m->guard, cell);
}

static uint64
lower_cell(Model *m, CpgCell cell, uint64 number)
{
	uint64		old;

	if (m->omit == OMIT_FENCE)
		(void) cpg_guard_raise(m->guard, cell);
	if (m->omit != OMIT_MAXIMUM)
		return cpg_guard_lower(m->guard, cell, number);
	old = cpg_guard_read(m->guard, cell);
	pg_atomic_write_u64(&m->guard->cell[cell],
						((old - CPG_GUARD_PENDING) & ~CPG_GUARD_LAST_MASK) | number);
	return old;
}

/* Whether a set is published as far as its cells are concerned. */
static bool
undisputed(Model *m, const Actor *a)
{
	if (m->omit != OMIT_CONTENTION &&
		(a->contended || !cpg_guard_valid(m->guard, m->key_cell, a->number)))
		return false;
	return m->omit == OMIT_DISPUTE || cpg_guard_valid(m->guard, m->table_cell, a->stamp);
}

static void
write_entry(Model *m, State *s, Actor *a, Kind kind)
{
	uint8		stamp = kind == SETS_KEY ? a->number : a->stamp;

	s->locked = 0;
	if (kind == LOADS && s->present && !s->dead && s->stamp > stamp &&
		cpg_guard_valid(m->guard, m->table_cell, s->stamp))
		return;
	s->present = 1;
	s->dead = 0;
	s->stamp = stamp;
	s->value = a->value;
	s->disturbed = s->actor[ACTORS - 1].at > 0;
}

static void
step_of_writer(Model *m, State *s, int i, Step step)
{
	Actor	   *a = &s->actor[i];

	switch (step)
	{
		case STEP_RAISE_TABLE:
			(void) raise_cell(m, m->table_cell);
			break;
		case STEP_RAISE_KEY:
			a->before = as_cell(raise_cell(m, m->key_cell));
			break;
		case STEP_VISIBLE:
			/* taken by sets when fences are up: at the latest now */
			a->stamp = (uint8) cpg_guard_stamp(m->guard);
			s->visible |= 1 << i;
			a->value = s->visible;
			break;
		case STEP_MARK:
			if (m->omit == OMIT_MARK)
				break;
			s->dead = s->present;
			s->disturbed = s->actor[ACTORS - 1].at > 0;
			break;
		case STEP_DRAW:
			a->number = (uint8) cpg_guard_draw(m->guard);
			break;
		case STEP_LOWER_TABLE:
			(void) lower_cell(m, m->table_cell, a->number);
			break;
		case STEP_LOWER_KEY:
			a->contended = cpg_guard_contended(as_number(a->before), lower_cell(m, m->key_cell, a->number));
			break;
		default:
			elog(ERROR, "no step of a writer: %d", step);
	}
}

/* Whether a read that begins now and hits would be a stale hit. */
static bool
is_obsolete(const State *s)
{
	return s->present && !s->dead && (s->visible & ~s->value) != 0;
}

/*
 * False if the reader has a miss.  It begins when it copies the entry: had it
 * begun before, less would be expected of it.  It compares the entry's version
 * when it has checked the key's cell: had it done so later, more would count
 * as disturbed.
 */
static bool
step_of_reader(Model *m, State *s, Actor *a, Step step)
{
	switch (step)
	{
		case STEP_COPY:
			a->stamp = s->stamp;
			s->disturbed = 0;
			return true;
		case STEP_CHECK_TABLE:
			return !s->disturbed && cpg_guard_valid(m->guard, m->table_cell, a->stamp);
		default:
			if (!s->disturbed && !cpg_guard_pending(m->guard, m->key_cell))
				m->stale = true;
			return false;
	}
}

/* Loads; and the last steps of sets.  False if nothing is to be stored. */
static bool
step_of_put(Model *m, State *s, Actor *a, Kind kind, Step step)
{
	switch (step)
	{
		case STEP_STAMP:
			a->stamp = (uint8) cpg_guard_stamp(m->guard);
			return true;
		case STEP_SNAPSHOT:
			a->value = s->visible;
			return true;
		case STEP_DISPUTE:
			return undisputed(m, a);
		case STEP_LOCK:
			s->locked = 1;
			if (m->omit == OMIT_PUT_CHECK ||
				cpg_guard_valid(m->guard, m->key_cell, kind == SETS_KEY ? a->number : a->stamp))
				return true;
			s->locked = 0;
			return false;
		default:
			write_entry(m, s, a, kind);
			return true;
	}
}

static Step
step_at(const Model *m, const Actor *a, int i)
{
	Step		step = program[m->kind[i]][a->at];

	if (m->omit == OMIT_STAMP_ORDER && step == STEP_STAMP)
		return STEP_SNAPSHOT;
	if (m->omit == OMIT_STAMP_ORDER && step == STEP_SNAPSHOT)
		return STEP_STAMP;
	return step;
}

/* Go on with an actor that did its step; "over" if nothing more is to do. */
static void
advance_actor(Model *m, State *s, int i, bool over)
{
	Actor	   *a = &s->actor[i];

	do
	{
		a->at++;
	} while (a->aborted && (step_at(m, a, i) == STEP_MARK || step_at(m, a, i) == STEP_DISPUTE ||
							step_at(m, a, i) == STEP_LOCK || step_at(m, a, i) == STEP_WRITE));
	if (!over && step_at(m, a, i) != STEP_END)
		return;
	/* what it knew does not matter any more: fewer states */
	memset(a, 0, sizeof(*a));
	while (program[m->kind[i]][a->at] != STEP_END)
		a->at++;
}

/* Let one actor do its next step; false if it has to wait. */
static bool
do_step(Model *m, State *s, int i)
{
	Actor	   *a = &s->actor[i];
	Step		step = step_at(m, a, i);
	bool		go_on = true;

	if (s->locked && (step == STEP_MARK || step == STEP_LOCK))
		return false;
	if (step == STEP_COPY && !is_obsolete(s))
		return false;
	enter(m, s);
	if (step >= STEP_COPY)
		go_on = step_of_reader(m, s, a, step);
	else if (step >= STEP_DISPUTE)
		go_on = step_of_put(m, s, a, m->kind[i], step);
	else
		step_of_writer(m, s, i, step);
	leave(m, s);
	if (m->kind[i] == READS && !go_on)
		s->disturbed = 0;
	advance_actor(m, s, i, !go_on);
	return true;
}

/* Whether a state was not seen before; remembers it. */
static bool
is_new(Model *m, const State *s)
{
	uint64		hash = 0x9e3779b97f4a7c15;
	uint64		mask = (UINT64CONST(1) << TABLE_BITS) - 1;
	uint64		at;

	StaticAssertStmt(sizeof(State) % sizeof(uint64) == 0, "states are hashed by words");
	for (int i = 0; i < sizeof(State) / sizeof(uint64); i++)
	{
		uint64		word;

		memcpy(&word, (const char *) s + i * sizeof(word), sizeof(word));
		hash = cpg_hash_mix(hash ^ word) + i;
	}
	hash |= 1;
	for (at = hash >> (64 - TABLE_BITS); m->seen[at] != 0; at = (at + 1) & mask)
	{
		if (m->seen[at] == hash)
			return false;
	}
	if (m->states++ > mask / 2)
		elog(ERROR, "too many states");
	m->seen[at] = hash;
	return true;
}

/* The two loads are alike: which is which makes no other state. */
static void
sort_loads(State *s)
{
	Actor	   *loads = &s->actor[WRITERS];
	Actor		first = loads[0];

	if (memcmp(&loads[0], &loads[1], sizeof(Actor)) <= 0)
		return;
	loads[0] = loads[1];
	loads[1] = first;
}

static void
explore(Model *m, const State *s)
{
	bool		writers_over = true;

	/* a copy that is obsolete already cannot be a hit */
	if (m->stale || s->disturbed || !is_new(m, s))
		return;
	if ((m->states & 0xffff) == 0)
		CHECK_FOR_INTERRUPTS();
	/* after the only read nothing can go wrong any more */
	if (step_at(m, &s->actor[ACTORS - 1], ACTORS - 1) == STEP_END)
		return;
	for (int i = 0; i < ACTORS; i++)
	{
		State		next = *s;
		Step		step = step_at(m, &s->actor[i], i);

		if (step == STEP_END)
			continue;
		writers_over &= i >= WRITERS;
		if (do_step(m, &next, i))
		{
			sort_loads(&next);
			explore(m, &next);
		}
		if (step != STEP_VISIBLE || s->aborts == 0)
			continue;
		/* instead of committing it may abort */
		next = *s;
		next.aborts--;
		next.actor[i].aborted = 1;
		advance_actor(m, &next, i, false);
		explore(m, &next);
	}
	if (writers_over && (s->table.pending != 0 || s->key.pending != 0))
		elog(ERROR, "a fence is still up when all writers are done");
}

/* Explore with these writers; adds to the number of states. */
static void
run(Model *m, Kind a, Kind b, Kind c, int aborts, uint64 *states)
{
	State		s;

	memset(&s, 0, sizeof(s));
	s.seq = 1;
	s.aborts = (uint8) aborts;
	m->kind[0] = a;
	m->kind[1] = b;
	m->kind[2] = c;
	m->kind[3] = LOADS;
	m->kind[4] = LOADS;
	m->kind[5] = READS;
	memset(m->seen, 0, sizeof(uint64) << TABLE_BITS);
	m->states = 0;
	if (!m->stale)
		explore(m, &s);
	*states += m->states;
	elog(DEBUG1, "writers %d %d %d: " UINT64_FORMAT " states", a, b, c, m->states);
}

static Omission
omission(const char *name)
{
	for (int i = 0; i < OMISSIONS; i++)
	{
		if (strcmp(omission_names[i], name) == 0)
			return (Omission) i;
	}
	elog(ERROR, "unknown mechanism %s", name);
}

/*
 * test_interleaving(mechanism left out): "stale", or the number of states
 * visited without a stale hit.
 */
Datum
test_interleaving(PG_FUNCTION_ARGS)
{
	Model		m = {.omit = omission(text_to_cstring(PG_GETARG_TEXT_PP(0)))};
	uint64		states = 0;

	m.guard = palloc(cpg_guard_size(&test_guard_config));
	cpg_guard_init(m.guard, &test_guard_config);
	m.table_cell = m.guard->first[CPG_CELL_TABLE];
	m.key_cell = m.guard->first[CPG_CELL_KEY];
	m.seen = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(uint64) << TABLE_BITS);
	for (int a = CHANGES_TABLE; a <= SETS_KEY; a++)
	{
		for (int b = a; b <= SETS_KEY; b++)
		{
			run(&m, a, b, ABSENT, 2, &states);

			/*
			 * three of them with fewer kinds: there would be 50 million
			 * states
			 */
			for (int c = b; c <= SETS_KEY && a != CHANGES_BOTH && b != CHANGES_BOTH; c++)
				run(&m, a, b, c, 0, &states);
		}
	}
	PG_RETURN_TEXT_P(cstring_to_text(m.stale ? "stale" : psprintf("%llu states", (unsigned long long) states)));
}
