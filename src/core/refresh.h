/*-------------------------------------------------------------------------
 *
 * refresh.h
 *	  When to load an entry again: early refresh and adaptive lifetimes.
 *
 * Early refresh is XFetch: a reader loads again while
 * now + delta * beta * -ln(u) >= expiry, with u uniform in (0,1] and delta the
 * time that loading takes.  With many readers the first one to do so is early
 * by delta * beta * (ln(rate * beta * delta) + 0.577) on average, and
 * e^(1/beta) readers start before the first of them is done, whatever the rate
 * is.  The gap is cut to half of the lifetime: a value that takes longer to
 * load than to expire would else be loaded all the time.
 *
 * Source: A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal probabilistic
 * cache stampede prevention", PVLDB 8(8), 2015.
 *
 * Adaptive lifetimes rest on what file and web caches found: what has not
 * changed for long will hardly change soon.  V. Cate, "Alex - a global
 * filesystem", USENIX File System Workshop, 1992, lets an object live for a
 * fraction of its age; J. Gwertzman, M. Seltzer, "World-Wide Web cache
 * consistency", USENIX Annual Technical Conference, 1996, compare that with
 * fixed lifetimes and with invalidation.  A lifetime that grows by half at
 * each reload without a change comes to the same, half of the age, and needs
 * no memory of the age.  How far it grows depends on the hits: a long lifetime
 * of an entry that is hardly used makes it old and saves nothing.
 *
 * Pure: time and randomness are passed in, arithmetic stays finite for any
 * argument.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CORE_REFRESH_H
#define CPG_CORE_REFRESH_H

/* No -ln(u) is larger: that of 2^-53, the least u that counts, is 36.7. */
#define CPG_XFETCH_REACH		40.0

/*
 * An entry is popular if it would be asked for this often in the longest
 * lifetime: nine of ten requests would then be spared a load.
 */
#define CPG_ADAPTIVE_POPULAR	10

extern double cpg_xfetch_gap(double delta, double beta, double u);
extern bool cpg_xfetch_due(int64 now, int64 created, int64 expiry,
						   uint32 delta_us, double beta, double u);
extern uint32 cpg_delta_average(uint32 old_us, uint32 measured_us);
extern int64 cpg_adaptive_ttl(int64 current, int64 min, int64 max,
							  bool changed, uint32 hits);

/*
 * Could cpg_xfetch_due be true for some u?  Times in milliseconds.  For each
 * hit: spares drawing u and taking its logarithm far from the expiry.
 */
static inline bool
cpg_xfetch_possible(int64 now, int64 expiry, uint32 delta_us, double beta)
{
	return now >= expiry ||
		(double) expiry - (double) now <= CPG_XFETCH_REACH / 1000 * beta * delta_us;
}

#endif							/* CPG_CORE_REFRESH_H */
