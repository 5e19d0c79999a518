/*-------------------------------------------------------------------------
 *
 * breaker.h
 *	  A circuit breaker: keeps calls away from a source that fails.
 *
 * Closed, it lets all calls pass and remembers the latest outcomes.  When at
 * least min_calls of them are known and the failures among them reach a ratio,
 * it opens: calls are refused for open_ms.  Then it is half-open: one call at a
 * time is let through as a probe.  Its success closes the breaker with an empty
 * window, its failure opens it again.
 *
 * A probe has a deadline.  One that never reports, because its process was
 * killed, loses its permit there to the next call; so a half-open breaker
 * cannot stay so for ever while there are calls (it could in resilience4j,
 * issue 903).
 *
 * Each call gets a ticket, which names the closed period or the probe that it
 * belongs to.  Outcomes count only there: a call admitted before the breaker
 * opened says nothing about the source of today, whenever it ends.
 *
 * A changed configuration takes effect with the next call, but makes a wait
 * under way only shorter, never longer.  After a step back of the clock a wait
 * ends at most the configured time after the next call.
 *
 * Pure: the caller holds a lock, owns the memory and passes the time, in
 * milliseconds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CORE_BREAKER_H
#define CPG_CORE_BREAKER_H

#define CPG_BREAKER_WINDOW_MAX 64	/* bits of CpgBreaker.outcomes */

typedef enum CpgBreakerState
{
	CPG_BREAKER_CLOSED,
	CPG_BREAKER_OPEN,
	CPG_BREAKER_HALF_OPEN
} CpgBreakerState;

typedef enum CpgBreakerVerdict
{
	CPG_BREAKER_PASS,
	CPG_BREAKER_PROBE,
	CPG_BREAKER_REFUSE
} CpgBreakerVerdict;

/* Values out of range are cut to it. */
typedef struct CpgBreakerConfig
{
	int			window;			/* outcomes remembered, 1 to 64 */
	int			min_calls;		/* outcomes needed to judge, 1 to window */
	double		ratio;			/* of failures; above 1 it never opens */
	int64		open_ms;		/* at least 1 */
	int64		probe_ms;		/* at least 1 */
} CpgBreakerConfig;

/*
 * 56 bytes.  The window is kept while the breaker is open and half-open, to
 * show what opened it.
 */
typedef struct CpgBreaker
{
	uint64		outcomes;		/* bit 0 the latest; 1 is a failure */
	int64		until;			/* open: end of refusal; half-open: deadline
								 * of the probe, or the least time without one */
	int64		last_opened;	/* when, if opened > 0 */
	uint64		refused;		/* calls, ever */
	uint32		opened;			/* times, ever */
	uint32		serial;			/* latest number given to a closed period or a
								 * probe, never 0 */
	uint32		probe;			/* the probe in progress, or 0; only half-open */
	int			filled;			/* outcomes in the window */
	CpgBreakerState state;
} CpgBreaker;

extern void cpg_breaker_init(CpgBreaker *breaker);
extern CpgBreakerVerdict cpg_breaker_admit(CpgBreaker *breaker, const CpgBreakerConfig *config,
										   int64 now, uint32 *ticket);
extern void cpg_breaker_record(CpgBreaker *breaker, const CpgBreakerConfig *config,
							   int64 now, uint32 ticket, bool failed);
extern void cpg_breaker_cancel(CpgBreaker *breaker, uint32 ticket);
extern void cpg_breaker_reset(CpgBreaker *breaker);
extern int64 cpg_breaker_retry_at(const CpgBreaker *breaker, int64 now);
extern double cpg_breaker_failure_ratio(const CpgBreaker *breaker, int *calls);

#endif							/* CPG_CORE_BREAKER_H */
