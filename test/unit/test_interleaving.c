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
#define TABLE_BITS	24

typedef enum Step
{
	END,
	RAISE_TABLE,				/* writers: PRE_COMMIT */
	RAISE_KEY,
	FENCED_AT,
	VISIBLE,
	MARK,						/* COMMIT */
	DRAW,
	LOWER_TABLE,
	LOWER_KEY,
	DISPUTE,
	STAMP,						/* loads */
	SNAPSHOT,
	LOCK,						/* loads and sets: put */
	WRITE,
	BEGIN_READ,					/* the reader */
	COPY,
	CHECK_TABLE,
	CHECK_KEY,
	RECHECK
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
	[CHANGES_TABLE] = {RAISE_TABLE, VISIBLE, DRAW, LOWER_TABLE, END},
	[KILLS_KEY] = {RAISE_KEY, VISIBLE, MARK, DRAW, LOWER_KEY, END},
	[CHANGES_BOTH] = {RAISE_TABLE, RAISE_KEY, VISIBLE, MARK, DRAW, LOWER_KEY, LOWER_TABLE, END},
	[SETS_KEY] = {RAISE_KEY, FENCED_AT, VISIBLE, MARK, DRAW, LOWER_KEY, DISPUTE, LOCK, WRITE, END},
	[LOADS] = {STAMP, SNAPSHOT, LOCK, WRITE, END},
	[READS] = {BEGIN_READ, COPY, CHECK_TABLE, CHECK_KEY, RECHECK, END},
	[ABSENT] = {END}
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
	Cell		table;
	Cell		key;
	uint8		present;		/* entry */
	uint8		dead;
	uint8		stamp;
	uint8		value;
	uint8		must;			/* what the reader has to see */
	uint8		unused[3];
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
raise(Model *m, CpgCell cell)
{
	return m->omit == OMIT_FENCE ? cpg_guard_read(m->guard, cell) : cpg_guard_raise(m->guard, cell);
}

static uint64
lower(Model *m, CpgCell cell, uint64 number)
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
	s->disturbed = 1;
}

static void
step_of_writer(Model *m, State *s, int i, Step step)
{
	Actor	   *a = &s->actor[i];

	switch (step)
	{
		case RAISE_TABLE:
			(void) raise(m, m->table_cell);
			break;
		case RAISE_KEY:
			a->before = as_cell(raise(m, m->key_cell));
			break;
		case FENCED_AT:
			a->stamp = (uint8) cpg_guard_stamp(m->guard);
			break;
		case VISIBLE:
			s->visible |= 1 << i;
			a->value = s->visible;
			break;
		case MARK:
			if (m->omit == OMIT_MARK)
				break;
			s->dead = s->present;
			s->disturbed = 1;
			break;
		case DRAW:
			a->number = (uint8) cpg_guard_draw(m->guard);
			break;
		case LOWER_TABLE:
			(void) lower(m, m->table_cell, a->number);
			break;
		case LOWER_KEY:
			a->contended = cpg_guard_contended(as_number(a->before), lower(m, m->key_cell, a->number));
			break;
		default:
			elog(ERROR, "no step of a writer: %d", step);
	}
}

/* The reader is done: its answer is a hit, or it would look again. */
static void
judge(Model *m, const State *s, const Actor *a)
{
	if (!s->disturbed && (s->must & ~a->value) != 0)
		m->stale = true;
}

/* False if the reader has a miss. */
static bool
step_of_reader(Model *m, State *s, Actor *a, Step step)
{
	switch (step)
	{
		case BEGIN_READ:
			s->must = s->visible;
			return true;
		case COPY:
			a->stamp = s->stamp;
			a->value = s->value;
			s->disturbed = 0;
			return s->present && !s->dead;
		case CHECK_TABLE:
			return cpg_guard_valid(m->guard, m->table_cell, a->stamp);
		case CHECK_KEY:
			return !cpg_guard_pending(m->guard, m->key_cell);
		default:
			judge(m, s, a);
			return true;
	}
}

/* Loads; and the last steps of sets.  False if nothing is to be stored. */
static bool
step_of_put(Model *m, State *s, Actor *a, Kind kind, Step step)
{
	switch (step)
	{
		case STAMP:
			a->stamp = (uint8) cpg_guard_stamp(m->guard);
			return true;
		case SNAPSHOT:
			a->value = s->visible;
			return true;
		case DISPUTE:
			return undisputed(m, a);
		case LOCK:
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

	if (m->omit == OMIT_STAMP_ORDER && step == STAMP)
		return SNAPSHOT;
	if (m->omit == OMIT_STAMP_ORDER && step == SNAPSHOT)
		return STAMP;
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
	} while (a->aborted && (step_at(m, a, i) == MARK || step_at(m, a, i) == DISPUTE ||
							step_at(m, a, i) == LOCK || step_at(m, a, i) == WRITE));
	if (!over && step_at(m, a, i) != END)
		return;
	/* what it knew does not matter any more: fewer states */
	memset(a, 0, sizeof(*a));
	while (program[m->kind[i]][a->at] != END)
		a->at++;
}

/* Let one actor do its next step; false if it has to wait. */
static bool
do_step(Model *m, State *s, int i)
{
	Actor	   *a = &s->actor[i];
	Step		step = step_at(m, a, i);
	bool		go_on = true;

	if (s->locked && (step == MARK || step == LOCK))
		return false;
	enter(m, s);
	if (step >= BEGIN_READ)
		go_on = step_of_reader(m, s, a, step);
	else if (step >= DISPUTE)
		go_on = step_of_put(m, s, a, m->kind[i], step);
	else
		step_of_writer(m, s, i, step);
	leave(m, s);
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

static void
explore(Model *m, const State *s)
{
	bool		writers_over = true;

	if (m->stale || !is_new(m, s))
		return;
	if ((m->states & 0xffff) == 0)
		CHECK_FOR_INTERRUPTS();
	/* after the only read nothing can go wrong any more */
	if (step_at(m, &s->actor[ACTORS - 1], ACTORS - 1) == END)
		return;
	for (int i = 0; i < ACTORS; i++)
	{
		State		next = *s;
		Step		step = step_at(m, &s->actor[i], i);

		if (step == END)
			continue;
		writers_over &= i >= WRITERS;
		if (do_step(m, &next, i))
			explore(m, &next);
		if (step != VISIBLE)
			continue;
		/* instead of committing it may abort */
		next = *s;
		next.actor[i].aborted = 1;
		advance_actor(m, &next, i, false);
		explore(m, &next);
	}
	if (writers_over && (s->table.pending != 0 || s->key.pending != 0))
		elog(ERROR, "a fence is still up when all writers are done");
}

/* Explore with these writers. */
static void
run(Model *m, Kind a, Kind b, Kind c, int loads)
{
	State		s;

	memset(&s, 0, sizeof(s));
	s.seq = 1;
	m->kind[0] = a;
	m->kind[1] = b;
	m->kind[2] = c;
	m->kind[3] = LOADS;
	m->kind[4] = loads > 1 ? LOADS : ABSENT;
	m->kind[5] = READS;
	memset(m->seen, 0, sizeof(uint64) << TABLE_BITS);
	explore(m, &s);
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
	for (int a = CHANGES_TABLE; a <= SETS_KEY && !m.stale; a++)
	{
		for (int b = a; b <= SETS_KEY && !m.stale; b++)
		{
			for (int c = b; c <= SETS_KEY && !m.stale; c++)
			{
				m.states = 0;
				run(&m, a, b, c, 2);
				states += m.states;
				elog(DEBUG1, "writers %d %d %d: %llu states", a, b, c, (unsigned long long) m.states);
			}
		}
	}
	PG_RETURN_TEXT_P(cstring_to_text(m.stale ? "stale" : psprintf("%llu states", (unsigned long long) states)));
}
