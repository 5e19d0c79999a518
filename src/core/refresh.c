/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  Early refresh and adaptive lifetimes.  See refresh.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "core/refresh.h"

/* 2^-53: a smaller u is beyond the resolution of any generator of doubles. */
#define LEAST_U		(DBL_EPSILON / 2)

/* Far beyond any time, far enough from overflow to be multiplied by 40. */
#define LARGEST_GAP	1e300

/*
 * How long before the expiry this reader loads, in the unit of delta.  Finite
 * and not negative: u is raised to 2^-53, and a delta, beta or u that makes no
 * sense (negative, above 1, not a number) means no gap.
 */
double
cpg_xfetch_gap(double delta, double beta, double u)
{
	if (!(delta > 0 && beta > 0 && u < 1))
		return 0;
	return Min(delta * beta, LARGEST_GAP) * -log(Max(u, LEAST_U));
}

/*
 * Should this reader load again?  Times in milliseconds.  Always true from the
 * expiry on, never true before half of the lifetime is over.
 */
bool
cpg_xfetch_due(int64 now, int64 created, int64 expiry,
			   uint32 delta_us, double beta, double u)
{
	double		left = (double) expiry - (double) now;
	double		half = ((double) expiry - (double) created) / 2;

	if (now >= expiry)
		return true;
	return left <= Min(cpg_xfetch_gap(delta_us / 1000.0, beta, u), half);
}

/*
 * The moving average of load times after one more of them, which weighs one
 * quarter.  An old average of 0 means that there is none.
 */
uint32
cpg_delta_average(uint32 old_us, uint32 measured_us)
{
	int64		difference = (int64) measured_us - (int64) old_us;

	if (old_us == 0)
		return measured_us;
	/* rounded away from zero, or it would stop short of a steady load time */
	difference += difference > 0 ? 3 : -3;
	return (uint32) (old_us + difference / 4);
}

/*
 * The lifetime that hits justify: the request that loaded and these in a part
 * of max are as frequent as CPG_ADAPTIVE_POPULAR requests in all of it.  So
 * few hits in a short lifetime, which tell nothing, do not keep it short.
 */
static int64
justified_ttl(int64 max, uint32 hits)
{
	if (hits >= CPG_ADAPTIVE_POPULAR - 1)
		return max;
	return max / CPG_ADAPTIVE_POPULAR * (hits + 1);
}

/*
 * The next lifetime of an entry that is loaded again, from the one it had, in
 * milliseconds: half of it if the value changed; else longer by half, up to
 * what its hits justify, or shorter by a quarter, down to that.  Between min
 * and max always; moves by at least 1 ms where these let it.
 */
int64
cpg_adaptive_ttl(int64 current, int64 min, int64 max, bool changed, uint32 hits)
{
	int64		goal;

	min = Max(min, 1);
	max = Max(max, min);
	current = Min(Max(current, min), max);
	if (changed)
		return Max(current - Max(current / 2, 1), min);

	goal = Max(justified_ttl(max, hits), min);
	if (current > goal)
		return Max(current - Max(current / 4, 1), goal);
	return current + Min(Max(current / 2, 1), goal - current);
}
