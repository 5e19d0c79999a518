/*-------------------------------------------------------------------------
 *
 * test_breaker.c
 *	  Tests of the circuit breaker: scenarios, and a comparison with a model.
 *
 * The model keeps a list of outcomes and knows of each call which period it
 * was admitted in; it shares nothing with the breaker.  A fault changes one
 * rule of the model; then the comparison must fail, which shows that it sees
 * that rule.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/breaker.h"
#include "harness.h"

PG_FUNCTION_INFO_V1(test_breaker);
PG_FUNCTION_INFO_V1(test_breaker_model);

/* ---- Scenarios ---- */

/*
 * Steps, in which a letter T names a ticket:
 *
 *	pT qT		a call is admitted, as one that passes or as a probe
 *	-			a call is refused
 *	+T xT ~T	a call succeeds, fails, ends without telling
 *	sN fN		N calls pass and succeed, or fail
 *	C O H		the state is closed, open, half-open
 *	@N			the time is N
 *	>N			the next attempt is at N
 *	!			reset
 *	wN mN		the window is N, the minimum of calls is N
 */
typedef struct Scenario
{
	const char *name;
	const char *steps;
} Scenario;

static const CpgBreakerConfig scenario_config = {
	.window = 10,.min_calls = 4,.ratio = 0.5,.open_ms = 1000,.probe_ms = 200
};

static const Scenario scenarios[] = {
	{"opens at the ratio", "s3 f2 C f1 O -"},
	{"needs the minimum of calls", "f3 C f1 O"},
	{"the minimum may come by a success", "f3 C s1 O"},
	{"the window slides", "s9 f4 C s10 f4 C f1 O"},
	{"refuses for its time", "@100 f4 >1100 @1099 - >1100 @1100 >1100 qa >1300"},
	{"a success closes it, the window is empty", "f4 @1000 qa H +a C >1000 f3 C f1 O >2000"},
	{"a failure opens it again", "f4 @1000 qa xa O >2000 @1999 - @2000 qb H +b C"},
	{"one probe at a time", "f4 @1000 qa - - @1199 - +a C pb"},
	{"a lost probe gives way", "f4 @1000 qa @1199 - @1200 qb H - @1399 - @1400 qc +c C"},
	{"a lost probe that reports is late", "f4 @1000 qa @1200 qb +a H xa H +b C xa +a C f3 C"},
	{"a probe may be late if nobody took over", "f4 @1000 qa @5000 H +a C"},
	{"a cancelled probe gives way at once", "f4 @1000 qa - ~a H >1000 qb - +b C"},
	{"cancelled twice is nothing", "f4 @1000 qa ~a qb ~a - ~b ~b qc - +c C"},
	{"a cancelled call does not count", "pa ~a f3 C f1 O"},
	{"late reports to an open one", "pa pb f4 O xa O +b O >1000 @1000 qc H +c C"},
	{"late reports to a half-open one", "pa pb pc f4 @1000 qd +a H xb H ~c H - +d C"},
	{"late reports to one closed again", "pa f4 @1000 qb +b f3 C xa C f1 O"},
	{"a report to a refused call", "f4 @1000 qa ~a H +z H xz H ~z H"},
	{"reset closes it", "f4 O ! C >0 f3 C f1 O"},
	{"reset forgets the probe", "f4 @1000 qa ! C xa C f3 C f1 O +a O"},
	{"reset forgets calls under way", "f3 pa ! xa C f3 C f1 O"},
	{"a smaller window counts at once", "s5 f4 C w4 f1 O"},
	{"a smaller minimum counts at once", "f3 C m1 s1 O"},
	{"the minimum is at most the window", "w2 m4 f1 C f1 O"},
	{"a window of no size is one", "w0 f1 O"},
	{"a window too large is the largest", "w1000 m1000 s32 f31 C f1 O"},
	{"a clock that went back", "@100000 f4 >101000 @0 - >1000 @1000 qa >1200 @500 - >700 @700 qb +b C"},
	{"time before the start", "@-5000 f4 >-4000 @-4001 - @-4000 qa ~a qb +b C"},
};

typedef struct Player
{
	CpgBreaker	breaker;
	CpgBreakerConfig config;
	int64		now;
	uint32		ticket['z' + 1];
} Player;

static CpgBreakerVerdict
admit(Player *p, char name)
{
	return cpg_breaker_admit(&p->breaker, &p->config, p->now, &p->ticket[(int) name]);
}

static void
report(Player *p, char name, bool failed)
{
	cpg_breaker_record(&p->breaker, &p->config, p->now, p->ticket[(int) name], failed);
}

/* Calls that pass and end at once. */
static bool
call(Player *p, int calls, bool failed)
{
	while (calls-- > 0)
	{
		if (admit(p, '.') != CPG_BREAKER_PASS)
			return false;
		report(p, '.', failed);
	}
	return true;
}

static bool
expect_step(const Player *p, const char *step)
{
	switch (step[0])
	{
		case 'C':
			return p->breaker.state == CPG_BREAKER_CLOSED;
		case 'O':
			return p->breaker.state == CPG_BREAKER_OPEN;
		case 'H':
			return p->breaker.state == CPG_BREAKER_HALF_OPEN;
		case '>':
			return cpg_breaker_retry_at(&p->breaker, p->now) == strtol(step + 1, NULL, 10);
	}
	return false;
}

static void
configure(Player *p, const char *step)
{
	long		number = strtol(step + 1, NULL, 10);

	switch (step[0])
	{
		case '@':
			p->now = number;
			break;
		case 'w':
			p->config.window = (int) number;
			break;
		case 'm':
			p->config.min_calls = (int) number;
			break;
	}
}

/* Plays a step; false if the breaker does not do what it says. */
static bool
play(Player *p, const char *step)
{
	switch (step[0])
	{
		case 'p':
			return admit(p, step[1]) == CPG_BREAKER_PASS;
		case 'q':
			return admit(p, step[1]) == CPG_BREAKER_PROBE;
		case '-':
			return admit(p, '.') == CPG_BREAKER_REFUSE && p->ticket['.'] == 0;
		case '+':
		case 'x':
			report(p, step[1], step[0] == 'x');
			return true;
		case '~':
			cpg_breaker_cancel(&p->breaker, p->ticket[(int) step[1]]);
			return true;
		case 's':
		case 'f':
			return call(p, (int) strtol(step + 1, NULL, 10), step[0] == 'f');
		case '!':
			cpg_breaker_reset(&p->breaker);
			return true;
		case '@':
		case 'w':
		case 'm':
			configure(p, step);
			return true;
	}
	return expect_step(p, step);
}

static Player
new_player(void)
{
	Player		p;

	memset(&p, 0, sizeof(p));
	p.config = scenario_config;
	cpg_breaker_init(&p.breaker);
	return p;
}

static void
play_scenario(const Scenario *scenario)
{
	Player		p = new_player();
	char	   *steps = pstrdup(scenario->steps);
	char	   *rest = NULL;

	for (char *step = strtok_r(steps, " ", &rest); step; step = strtok_r(NULL, " ", &rest))
	{
		if (!play(&p, step))
			elog(ERROR, "%s: step %d of \"%s\" is not so", scenario->name,
				 (int) (step - steps), scenario->steps);
	}
}

/* What a thousand sessions do at the moment when refusal ends. */
static void
expect_one_probe(void)
{
	Player		p = new_player();
	int			probes = 0;

	call(&p, 4, true);
	p.now = 1000;
	for (int i = 0; i < 1000; i++)
		probes += admit(&p, '.') != CPG_BREAKER_REFUSE;
	EXPECT(probes == 1);
	EXPECT(p.breaker.refused == 999 && p.breaker.opened == 1 && p.breaker.last_opened == 0);
}

/* Ratios and times at the edge of their range. */
static void
expect_edges(void)
{
	Player		p = new_player();
	int			calls;

	EXPECT(cpg_breaker_failure_ratio(&p.breaker, &calls) == 0 && calls == 0);
	call(&p, 2, false);
	call(&p, 1, true);
	EXPECT(cpg_breaker_failure_ratio(&p.breaker, &calls) == 1.0 / 3 && calls == 3);

	/* a ratio of 0 opens at the first failure, one that is none never does */
	p.config.ratio = 0;
	cpg_breaker_reset(&p.breaker);
	EXPECT(call(&p, 10, false) && call(&p, 1, true) && p.breaker.state == CPG_BREAKER_OPEN);
	p.config.ratio = 1.01;
	cpg_breaker_reset(&p.breaker);
	EXPECT(call(&p, 1000, true));
	p.config.ratio = DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum("NaN")));
	EXPECT(call(&p, 1000, true));

	/* a ratio that is no binary fraction is reached exactly */
	p.config = (CpgBreakerConfig)
	{
		.window = 20,.min_calls = 20,.ratio = 0.55,.open_ms = 1000,.probe_ms = 200
	};
	cpg_breaker_reset(&p.breaker);
	EXPECT(call(&p, 9, false) && call(&p, 11, true) && p.breaker.state == CPG_BREAKER_OPEN);
	cpg_breaker_reset(&p.breaker);
	p.config = scenario_config;
	p.config.min_calls = 1;

	/* no overflow, and a moment of refusal in any case */
	p.config.ratio = 1;
	p.config.open_ms = PG_INT64_MAX;
	p.now = PG_INT64_MAX - 1;
	EXPECT(call(&p, 1, true) && admit(&p, '.') == CPG_BREAKER_REFUSE);
	EXPECT(cpg_breaker_retry_at(&p.breaker, p.now) == PG_INT64_MAX);
	p.config.open_ms = PG_INT64_MIN;
	p.now = PG_INT64_MIN;
	EXPECT(admit(&p, '.') == CPG_BREAKER_REFUSE);
	p.now++;
	EXPECT(admit(&p, '.') == CPG_BREAKER_PROBE);

	/* numbers start again without the one that means none */
	p.breaker.serial = PG_UINT32_MAX;
	cpg_breaker_reset(&p.breaker);
	EXPECT(admit(&p, 'a') == CPG_BREAKER_PASS && p.ticket['a'] == 1);
}

Datum
test_breaker(PG_FUNCTION_ARGS)
{
	for (int i = 0; i < lengthof(scenarios); i++)
		play_scenario(&scenarios[i]);
	expect_one_probe();
	expect_edges();
	OK;
}

/* ---- Comparison with a model ---- */

#define CALLS	24				/* under way at the same time, at most */
#define LIST	1000			/* outcomes in one period, at most */

typedef struct Call
{
	bool		busy;
	bool		probe;
	int			period;			/* of the model, at admission */
	uint32		ticket;
} Call;

typedef struct Model
{
	CpgBreakerState state;
	int			period;			/* counts changes of state and probes */
	bool		probing;		/* is there a probe with a permit? */
	int64		until;			/* end of refusal, or of the permit */
	bool		outcome[LIST];	/* of the last closed period, oldest first */
	int			outcomes;
	int64		opened;
	int64		refused;
} Model;

typedef struct Run
{
	const char *fault;
	bool		calm;			/* time does not go back, the configuration
								 * stays */
	pg_prng_state random;
	CpgBreaker	breaker;
	CpgBreakerConfig config;
	Model		model;
	Call		call[CALLS];
	int64		now;
	/* seen from outside, for what must hold in calm runs */
	int			probe;			/* its number, or -1 */
	int64		probe_since;
	int64		opened_at;
	/* what happened, to be sure that everything did */
	int			probes;
	int			lost_probes;
	int			cancelled_probes;
	int			late[3];		/* reports without effect, by state */
	int			closed;
	int			reopened;
} Run;

static bool
has_fault(const Run *run, const char *fault)
{
	return strcmp(run->fault, fault) == 0;
}

static int
below(Run *run, int n)
{
	return (int) (pg_prng_uint64(&run->random) % n);
}

static void
model_open(Run *run)
{
	Model	   *m = &run->model;

	m->state = CPG_BREAKER_OPEN;
	m->probing = false;
	m->until = run->now + run->config.open_ms;
	m->opened++;
	m->period++;
	run->opened_at = run->now;
}

static void
model_close(Run *run)
{
	Model	   *m = &run->model;

	m->state = CPG_BREAKER_CLOSED;
	m->probing = false;
	if (!has_fault(run, "window"))
		m->outcomes = 0;
	m->period++;
}

static CpgBreakerVerdict
model_admit(Run *run)
{
	Model	   *m = &run->model;
	int64		longest;

	if (m->state == CPG_BREAKER_CLOSED)
		return CPG_BREAKER_PASS;
	if (m->state == CPG_BREAKER_OPEN || m->probing)
	{
		longest = run->now + (m->probing ? run->config.probe_ms : run->config.open_ms);
		m->until = Min(m->until, longest);
		if (run->now < m->until || (m->probing && has_fault(run, "deadline")))
		{
			m->refused++;
			return CPG_BREAKER_REFUSE;
		}
	}
	run->lost_probes += m->probing;
	m->state = CPG_BREAKER_HALF_OPEN;
	m->probing = true;
	m->until = run->now + run->config.probe_ms;
	m->period++;
	return CPG_BREAKER_PROBE;
}

/* Keep the latest outcomes only, as many as the window has. */
static void
model_trim(Run *run)
{
	Model	   *m = &run->model;

	while (m->outcomes > run->config.window)
	{
		memmove(m->outcome, m->outcome + 1, (m->outcomes - 1) * sizeof(bool));
		m->outcomes--;
	}
}

static double
model_ratio(const Model *m)
{
	int			failed = 0;

	for (int i = 0; i < m->outcomes; i++)
		failed += m->outcome[i];
	return m->outcomes == 0 ? 0 : (double) failed / m->outcomes;
}

static void
model_record(Run *run, const Call *call, bool failed)
{
	Model	   *m = &run->model;

	if (call->period != m->period && !(has_fault(run, "late") && m->state == CPG_BREAKER_CLOSED))
		run->late[m->state]++;
	else if (call->probe)
	{
		if (failed)
			model_open(run);
		else
			model_close(run);
		run->reopened += failed;
		run->closed += !failed;
	}
	else
	{
		m->outcome[m->outcomes++] = failed;
		model_trim(run);
		if (m->outcomes >= Min(run->config.min_calls, run->config.window) &&
			model_ratio(m) > 0 && model_ratio(m) >= run->config.ratio)
			model_open(run);
	}
}

static void
model_cancel(Run *run, const Call *call)
{
	Model	   *m = &run->model;

	if (call->probe && call->period == m->period)
	{
		run->cancelled_probes++;
		m->probing = false;
		m->period++;
	}
}

/* At most one probe has a permit, and no refusal lasts longer than it may. */
static void
expect_verdict(Run *run, CpgBreakerVerdict verdict, int number)
{
	bool		probing = run->probe >= 0 && run->now < run->probe_since + run->config.probe_ms;

	if (verdict == CPG_BREAKER_PROBE)
		EXPECT(!probing && run->now >= run->opened_at + run->config.open_ms);
	if (verdict == CPG_BREAKER_REFUSE)
		EXPECT(probing || run->now < run->opened_at + run->config.open_ms);
	if (verdict == CPG_BREAKER_PROBE)
	{
		run->probe = number;
		run->probe_since = run->now;
	}
}

static void
step_admit(Run *run, int number)
{
	Call	   *call = &run->call[number];
	CpgBreakerState before = run->breaker.state;
	CpgBreakerVerdict expected = model_admit(run);
	CpgBreakerVerdict verdict;

	verdict = cpg_breaker_admit(&run->breaker, &run->config, run->now, &call->ticket);
	EXPECT(verdict == expected);
	EXPECT((verdict == CPG_BREAKER_PASS) == (before == CPG_BREAKER_CLOSED));
	if (run->calm)
		expect_verdict(run, verdict, number);
	call->busy = verdict != CPG_BREAKER_REFUSE;
	call->probe = verdict == CPG_BREAKER_PROBE;
	call->period = run->model.period;
	run->probes += call->probe;
}

/* A call ends: it reports, tells nothing, or its process dies. */
static void
step_end(Run *run, int number)
{
	Call	   *call = &run->call[number];
	int			kind = below(run, 10);
	bool		failed = below(run, 100) < 40;

	if (kind < 7)
	{
		model_record(run, call, failed);
		cpg_breaker_record(&run->breaker, &run->config, run->now, call->ticket, failed);
	}
	else if (kind == 7)
	{
		model_cancel(run, call);
		cpg_breaker_cancel(&run->breaker, call->ticket);
	}
	if (kind <= 7 && run->probe == number)
		run->probe = -1;
	call->busy = false;
}

static void
step_configure(Run *run)
{
	run->config.window = 1 + below(run, CPG_BREAKER_WINDOW_MAX);
	run->config.min_calls = 1 + below(run, 20);
	run->config.ratio = below(run, 11) / 10.0;
	run->config.open_ms = 1 + below(run, 100);
	run->config.probe_ms = 1 + below(run, 50);
}

static void
step_reset(Run *run)
{
	model_close(run);
	cpg_breaker_reset(&run->breaker);
	run->probe = -1;
}

static void
compare(const Run *run)
{
	const CpgBreaker *b = &run->breaker;
	const Model *m = &run->model;
	int64		retry_at = run->now;
	int			calls;

	EXPECT(b->state == m->state);
	EXPECT((b->probe != 0) == m->probing);
	EXPECT(b->opened == m->opened && b->refused == m->refused);
	EXPECT(cpg_breaker_failure_ratio(b, &calls) == model_ratio(m));
	EXPECT(calls == m->outcomes);
	if (m->state == CPG_BREAKER_OPEN || m->probing)
		retry_at = Max(m->until, run->now);
	EXPECT(cpg_breaker_retry_at(b, run->now) == retry_at);
}

static void
random_step(Run *run)
{
	int			number = below(run, CALLS);
	int			kind = below(run, 1000);

	if (kind < 250)
		run->now += below(run, 10);
	else if (kind < 253 && !run->calm)
		run->now -= below(run, 200);
	else if (kind < 256 && !run->calm)
		step_configure(run);
	else if (kind < 258)
		step_reset(run);
	else if (run->call[number].busy)
		step_end(run, number);
	else
		step_admit(run, number);
}

Datum
test_breaker_model(PG_FUNCTION_ARGS)
{
	int			steps = PG_GETARG_INT32(0);
	Run		   *run = palloc0(sizeof(Run));

	run->calm = PG_GETARG_BOOL(2);
	run->fault = text_to_cstring(PG_GETARG_TEXT_PP(3));
	run->config = (CpgBreakerConfig)
	{
		.window = 20,.min_calls = 5,.ratio = 0.5,.open_ms = 40,.probe_ms = 15
	};
	run->probe = -1;
	pg_prng_seed(&run->random, PG_GETARG_INT64(1));
	cpg_breaker_init(&run->breaker);
	for (int i = 0; i < steps; i++)
	{
		random_step(run);
		compare(run);
	}
	elog(DEBUG1, "%d probes, %d lost, %d cancelled; %d closed, %d reopened; late %d %d %d",
		 run->probes, run->lost_probes, run->cancelled_probes, run->closed, run->reopened,
		 run->late[0], run->late[1], run->late[2]);
	EXPECT(run->probes > steps / 500 && run->lost_probes > steps / 10000);
	EXPECT(run->cancelled_probes > steps / 10000);
	EXPECT(run->closed > steps / 2000 && run->reopened > steps / 2000);
	for (int i = 0; i < lengthof(run->late); i++)
		EXPECT(run->late[i] > steps / 2000);
	OK;
}
