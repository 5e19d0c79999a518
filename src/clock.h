/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  The clock of the cache: milliseconds of CLOCK_BOOTTIME.
 *
 * It never goes back, is the same for all processes, and counts the time a
 * machine sleeps, so that a lifetime is an upper bound on age.  It is read
 * once per call, before any lock; the layers below take it as an argument.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CLOCK_H
#define CPG_CLOCK_H

#include <time.h>

static inline int64
cpg_clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif							/* CPG_CLOCK_H */
