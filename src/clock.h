/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  The clock of the cache: milliseconds of CLOCK_BOOTTIME.
 *
 * It never goes back, is the same for all processes, and counts the time a
 * machine sleeps, so that a lifetime is an upper bound on age.  It is read
 * once per call, before any lock; the layers below take it as an argument.
 *
 * Reading it takes as long as a tenth of a hit.  So a process keeps what it
 * read until the coarse clock, which is cheap, ticks (every 1 to 10 ms; it also
 * ticks when the machine wakes up), and readers are ahead by the length of a
 * tick: an entry expires that much too early, never too late.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CLOCK_H
#define CPG_CLOCK_H

#include <time.h>

/* The exact time: for what is written. */
static inline int64
cpg_clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A time that is at most two ticks ahead: for reads. */
static inline int64
cpg_clock_read(void)
{
	static struct timespec tick = {0, 0};
	static int64 ahead = 0;
	struct timespec coarse;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
	if (unlikely(coarse.tv_nsec != tick.tv_nsec || coarse.tv_sec != tick.tv_sec))
	{
		struct timespec resolution;

		clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
		tick = coarse;
		ahead = cpg_clock_now() + resolution.tv_nsec / 1000000 + 1;
	}
	return ahead;
}

#endif							/* CPG_CLOCK_H */
