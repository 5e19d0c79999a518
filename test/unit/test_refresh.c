/*-------------------------------------------------------------------------
 *
 * test_refresh.c
 *	  Tests of early refresh and adaptive lifetimes.
 *
 * Early refresh is compared with the closed form of its law.  Readers come at
 * random (Poisson) with a rate r; t before the expiry one triggers with
 * probability e^(-t/(beta delta)).  The first to trigger is early by
 * beta delta (ln(r beta delta) + gamma) on average, gamma being Euler's
 * constant, and on average e^(1/beta) trigger from then until delta later,
 * when the first has stored its value.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "core/refresh.h"
#include "harness.h"

PG_FUNCTION_INFO_V1(test_xfetch_law);
PG_FUNCTION_INFO_V1(test_xfetch_edges);
PG_FUNCTION_INFO_V1(test_xfetch_possible);
PG_FUNCTION_INFO_V1(test_delta_average);
PG_FUNCTION_INFO_V1(test_adaptive);

/* So long that milliseconds are as good as a continuous time. */
#define DELTA_MS	100000.0
#define PER_DELTA	50.0		/* readers in that time */
#define GAMMA		0.57721566490153286
#define TOLERANCE	0.05

/* What is measured over many expiries. */
typedef struct Law
{
	double		size;			/* mean size of a stampede */
	double		gap;			/* mean time from its first to the expiry, ms */
} Law;

static double
uniform(pg_prng_state *random)
{
	return 1 - pg_prng_double(random);
}

static Law
closed_form(double beta)
{
	Law			law;

	law.size = exp(1 / beta);
	law.gap = beta * DELTA_MS * (log(PER_DELTA * beta) + GAMMA);
	return law;
}

/*
 * One expiry, at time 0, of an entry created at the negative of lifetime.
 * Readers are looked at from begin on.
 */
static void
simulate_expiry(pg_prng_state *random, double beta, double begin, double lifetime, Law *sum)
{
	double		t = begin;
	double		end = INFINITY;

	while (true)
	{
		int64		now;

		t -= log(uniform(random)) * DELTA_MS / PER_DELTA;
		if (t >= end)
			break;
		now = (int64) floor(t);

		if (!cpg_xfetch_due(now, (int64) -lifetime, 0, (uint32) (DELTA_MS * 1000), beta, uniform(random)))
			continue;
		sum->size++;
		if (end == INFINITY)
		{
			sum->gap -= t;
			end = t + DELTA_MS;
		}
	}
}

static Law
simulate(double beta, int expiries, int64 seed)
{
	/* a reader before this triggers in 6 of a million expiries */
	double		begin = -beta * DELTA_MS * (log(PER_DELTA * beta) + 12);
	Law			law = {0, 0};
	pg_prng_state random;

	pg_prng_seed(&random, seed);
	for (int i = 0; i < expiries; i++)
		/* the lifetime is so long that half of it does not cut the gap */
		simulate_expiry(&random, beta, begin, -3 * begin, &law);
	law.size /= expiries;
	law.gap /= expiries;
	return law;
}

static bool
near(double measured, double expected)
{
	return fabs(measured / expected - 1) <= TOLERANCE;
}

/*
 * Compares a simulation for one beta with the closed form for another, which
 * should be the same: says what is not within the tolerance.
 */
Datum
test_xfetch_law(PG_FUNCTION_ARGS)
{
	Law			measured = simulate(PG_GETARG_FLOAT8(0), PG_GETARG_INT32(2), PG_GETARG_INT64(3));
	Law			expected = closed_form(PG_GETARG_FLOAT8(1));
	bool		size = near(measured.size, expected.size);
	bool		gap = near(measured.gap, expected.gap);

	elog(DEBUG1, "size %.4f, expected %.4f; gap %.0f ms, expected %.0f ms",
		 measured.size, expected.size, measured.gap, expected.gap);
	PG_RETURN_TEXT_P(cstring_to_text(size && gap ? "ok" :
									 size ? "gap" : gap ? "size" : "size and gap"));
}

/* Whatever comes in, the gap is finite and no load is earlier than half of life. */
static void
expect_sane(double delta, double beta, double u)
{
	double		gap = cpg_xfetch_gap(delta, beta, u);

	EXPECT(isfinite(gap) && gap >= 0);
	if (delta >= 0 && delta <= PG_UINT32_MAX)
	{
		uint32		delta_us = (uint32) delta;

		EXPECT(cpg_xfetch_due(2000, 1000, 2000, delta_us, beta, u));
		EXPECT(cpg_xfetch_due(PG_INT64_MAX, 1000, 2000, delta_us, beta, u));
		EXPECT(!cpg_xfetch_due(1499, 1000, 2000, delta_us, beta, u));
		EXPECT(!cpg_xfetch_due(PG_INT64_MIN, 1000, 2000, delta_us, beta, u));
		EXPECT(!cpg_xfetch_due(1000, 3000, 2000, delta_us, beta, u));
		EXPECT(!cpg_xfetch_due(0, PG_INT64_MAX, PG_INT64_MAX, delta_us, beta, u));
		EXPECT(!cpg_xfetch_due(-2, PG_INT64_MIN, PG_INT64_MAX, 0, beta, u));
		EXPECT(cpg_xfetch_possible(2000, 2000, delta_us, beta));
		EXPECT(cpg_xfetch_possible(PG_INT64_MAX, PG_INT64_MIN, delta_us, beta));
	}
}

Datum
test_xfetch_edges(PG_FUNCTION_ARGS)
{
	double		odd[] = {0, -0.0, 1, -1, 5e-324, 1e-20, 0.5, 2, 1e6, PG_UINT32_MAX, 1e308, -1e308, INFINITY, -INFINITY, NAN};

	for (int i = 0; i < lengthof(odd); i++)
		for (int j = 0; j < lengthof(odd); j++)
			for (int k = 0; k < lengthof(odd); k++)
				expect_sane(odd[i], odd[j], odd[k]);

	EXPECT(cpg_xfetch_gap(100, 1, 1) == 0);
	EXPECT(fabs(cpg_xfetch_gap(100, 2, exp(-1)) - 200) < 1e-9);
	EXPECT(fabs(cpg_xfetch_gap(100, 1, 0) - 100 * 53 * log(2)) < 1e-9);
	EXPECT(cpg_xfetch_gap(100, 1, -1) == cpg_xfetch_gap(100, 1, 0));
	EXPECT(cpg_xfetch_gap(100, 1, NAN) == 0);

	/* without a delta or a beta there is nothing before the expiry */
	EXPECT(!cpg_xfetch_due(1999, 1000, 2000, 0, 1, 0));
	EXPECT(!cpg_xfetch_due(1999, 1000, 2000, PG_UINT32_MAX, 0, 0));
	EXPECT(!cpg_xfetch_due(1999, 1000, 2000, PG_UINT32_MAX, -1, 0));
	EXPECT(!cpg_xfetch_due(1999, 1000, 2000, PG_UINT32_MAX, NAN, 0));
	EXPECT(!cpg_xfetch_possible(1999, 2000, 0, 1));
	EXPECT(!cpg_xfetch_possible(1999, 2000, PG_UINT32_MAX, 0));

	/* a loader slower than the lifetime: the gap is half of it */
	EXPECT(cpg_xfetch_due(1500, 1000, 2000, PG_UINT32_MAX, 1, 0.5));
	/* delta is in microseconds: e^-1 makes 10 ms of 10000 */
	EXPECT(cpg_xfetch_due(1990, 1000, 2000, 10000, 1, exp(-1.001)));
	EXPECT(!cpg_xfetch_due(1989, 1000, 2000, 10000, 1, exp(-1.001)));
	OK;
}

/* The cheap test never says no where the full one may say yes. */
Datum
test_xfetch_possible(PG_FUNCTION_ARGS)
{
	int			due = 0;
	int			possible = 0;
	pg_prng_state random;

	pg_prng_seed(&random, 3);
	for (int i = 0; i < 200000; i++)
	{
		int64		left = (int64) exp(uniform(&random) * 15);
		int64		lifetime = left + (int64) exp(uniform(&random) * 20);
		uint32		delta_us = (uint32) exp(uniform(&random) * 22);
		double		beta = uniform(&random) * 4;

		/* down to 0 as well as near to 1 */
		double		u = pow(uniform(&random), uniform(&random) * 60);
		bool		may = cpg_xfetch_possible(0, left, delta_us, beta);

		possible += may;
		if (cpg_xfetch_due(0, left - lifetime, left, delta_us, beta, u))
		{
			due++;
			EXPECT(may);
		}
	}
	EXPECT(due > 10000 && possible > due && possible < 190000);
	OK;
}

Datum
test_delta_average(PG_FUNCTION_ARGS)
{
	uint32		targets[] = {1, 7, 1000, PG_UINT32_MAX};
	uint32		average = 0;

	EXPECT(cpg_delta_average(0, 0) == 0);
	EXPECT(cpg_delta_average(400, 800) == 500);
	EXPECT(cpg_delta_average(800, 400) == 700);
	EXPECT(cpg_delta_average(800, 800) == 800);
	EXPECT(cpg_delta_average(PG_UINT32_MAX, 0) == PG_UINT32_MAX / 4 * 3 + 2);

	/* it comes to any steady load time exactly, from below and from above */
	for (int i = 0; i < lengthof(targets); i++)
	{
		average = cpg_delta_average(i % 2 == 0 ? 0 : 1, targets[i]);
		EXPECT(i % 2 != 0 || average == targets[i]);
		for (int n = 0; n < 100; n++)
			average = cpg_delta_average(average, targets[i]);
		EXPECT(average == targets[i]);
		for (int n = 0; n < 100; n++)
			average = cpg_delta_average(average, 5);
		EXPECT(average == 5);
	}
	OK;
}

/* A lifetime somewhere in the whole range, small ones as often as large. */
static int64
random_time(pg_prng_state *random)
{
	int64		time = (int64) (pg_prng_uint64(random) >> (1 + pg_prng_uint32(random) % 63));

	return pg_prng_uint32(random) % 8 == 0 ? -time : time;
}

/* Bounds, movement and order of the results for one set of arguments. */
static void
expect_adapted(int64 current, int64 min, int64 max, uint32 hits)
{
	int64		low = Max(min, 1);
	int64		high = Max(max, low);
	int64		from = Min(Max(current, low), high);
	int64		changed = cpg_adaptive_ttl(current, min, max, true, hits);
	int64		unchanged = cpg_adaptive_ttl(current, min, max, false, hits);

	EXPECT(changed >= low && changed <= from);
	EXPECT(changed < from || from == low);
	EXPECT(unchanged >= changed && unchanged >= low && unchanged <= high);
	if (hits >= CPG_ADAPTIVE_POPULAR - 1)
		EXPECT(unchanged > from || from == high);
	if (hits == 0 && from > high / 10)
		EXPECT(unchanged < from || from == low);
	if (hits < PG_UINT32_MAX)
		EXPECT(cpg_adaptive_ttl(current, min, max, false, hits + 1) >= unchanged);
	if (current < PG_INT64_MAX)
	{
		EXPECT(cpg_adaptive_ttl(current + 1, min, max, true, hits) >= changed);
		EXPECT(cpg_adaptive_ttl(current + 1, min, max, false, hits) >= unchanged);
	}
}

/*
 * The lifetime after many reloads of an entry that is hit at a steady rate,
 * given as hits in the longest lifetime, a day.
 */
static int64
settled(int64 ttl, bool changed, int64 hits_per_day)
{
	const int64 day = 86400000;

	for (int i = 0; i < 200; i++)
		ttl = cpg_adaptive_ttl(ttl, 1000, day, changed, (uint32) (ttl * hits_per_day / day));
	return ttl;
}

Datum
test_adaptive(PG_FUNCTION_ARGS)
{
	int64		edges[] = {PG_INT64_MIN, -1, 0, 1, 2, 3, 4, 1000, PG_INT64_MAX - 1, PG_INT64_MAX};
	uint32		hits[] = {0, 1, 3, 8, 9, PG_UINT32_MAX - 1, PG_UINT32_MAX};
	pg_prng_state random;

	pg_prng_seed(&random, 4);
	for (int i = 0; i < lengthof(edges); i++)
		for (int j = 0; j < lengthof(edges); j++)
			for (int k = 0; k < lengthof(edges); k++)
				for (int h = 0; h < lengthof(hits); h++)
					expect_adapted(edges[i], edges[j], edges[k], hits[h]);
	for (int i = 0; i < 100000; i++)
		expect_adapted(random_time(&random), random_time(&random), random_time(&random),
					   pg_prng_uint32(&random) % 12);

	EXPECT(cpg_adaptive_ttl(1000, 1, 5000, true, 100) == 500);
	EXPECT(cpg_adaptive_ttl(1000, 1, 5000, false, 100) == 1500);
	EXPECT(cpg_adaptive_ttl(1000, 1, 5000, false, 0) == 750);
	EXPECT(cpg_adaptive_ttl(1000, 1, 5000, false, 1) == 1000);

	/* what changes lives as short as allowed, however popular it is */
	EXPECT(settled(60000, true, 1000000) == 1000);
	/* what does not lives as long, from the shortest lifetime too */
	EXPECT(settled(60000, false, 1000000) == 86400000);
	EXPECT(settled(1000, false, 10) == 86400000);
	/* but what is hardly ever hit for a part of that */
	EXPECT(settled(86400000, false, 0) == 8640000);
	EXPECT(settled(1000, false, 0) == 8640000);
	EXPECT(settled(86400000, false, 3) == 8640000);
	OK;
}
