/*-------------------------------------------------------------------------
 *
 * breaker.c
 *	  State machine of the circuit breaker.  See breaker.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/breaker.h"
#include "port/pg_bitutils.h"

StaticAssertDecl(sizeof(CpgBreaker) <= 64, "a breaker has to fit into a cache line");

/* A new number for a period or a probe.  0 is no ticket. */
static uint32
next_serial(CpgBreaker *b)
{
	if (++b->serial == 0)
		b->serial = 1;
	return b->serial;
}

/* The time some milliseconds after now, at least one. */
static int64
after(int64 now, int64 ms)
{
	ms = Max(ms, 1);
	return now > PG_INT64_MAX - ms ? PG_INT64_MAX : now + ms;
}

static void
close_breaker(CpgBreaker *b)
{
	b->state = CPG_BREAKER_CLOSED;
	b->probe = 0;
	b->filled = 0;
	next_serial(b);
}

static void
open_breaker(CpgBreaker *b, const CpgBreakerConfig *config, int64 now)
{
	b->state = CPG_BREAKER_OPEN;
	b->probe = 0;
	b->until = after(now, config->open_ms);
	b->last_opened = now;
	b->opened++;
}

/* Add an outcome to the window, which then has its configured size at most. */
static void
remember(CpgBreaker *b, int window, bool failed)
{
	b->outcomes = (b->outcomes << 1) | (failed ? 1 : 0);
	b->filled = Min(b->filled + 1, window);
}

static int
failures(const CpgBreaker *b)
{
	/* a shift by all 64 bits would be undefined */
	if (b->filled == 0)
		return 0;
	return pg_popcount64(b->outcomes & (PG_UINT64_MAX >> (CPG_BREAKER_WINDOW_MAX - b->filled)));
}

/* A ratio of 0 or less still takes a failure to open. */
static bool
fails_too_often(const CpgBreaker *b, int min_calls, double ratio)
{
	int			failed = failures(b);

	/* divided, not multiplied: 0.55 * 20 is more than 11 */
	return b->filled >= min_calls && failed > 0 && (double) failed / b->filled >= ratio;
}

/*
 * A closed breaker with an empty history, in memory that no ticket refers to
 * yet.
 */
void
cpg_breaker_init(CpgBreaker *b)
{
	memset(b, 0, sizeof(*b));
	close_breaker(b);
}

/*
 * May a call go to the source?  PASS and PROBE: it may, and the caller hands
 * the ticket back with cpg_breaker_record or cpg_breaker_cancel.  REFUSE: it
 * may not, the ticket is 0.
 */
CpgBreakerVerdict
cpg_breaker_admit(CpgBreaker *b, const CpgBreakerConfig *config, int64 now, uint32 *ticket)
{
	int64		longest;

	if (b->state == CPG_BREAKER_CLOSED)
	{
		*ticket = b->serial;
		return CPG_BREAKER_PASS;
	}

	longest = b->state == CPG_BREAKER_OPEN ? config->open_ms : config->probe_ms;
	b->until = Min(b->until, after(now, longest));
	if (now < b->until)
	{
		b->refused++;
		*ticket = 0;
		return CPG_BREAKER_REFUSE;
	}

	b->state = CPG_BREAKER_HALF_OPEN;
	b->until = after(now, config->probe_ms);
	b->probe = *ticket = next_serial(b);
	return CPG_BREAKER_PROBE;
}

/*
 * A call has ended.  Its outcome counts if its ticket is of the present closed
 * period or of the probe in progress; a probe may be late as long as no other
 * has taken its permit.
 */
void
cpg_breaker_record(CpgBreaker *b, const CpgBreakerConfig *config,
				   int64 now, uint32 ticket, bool failed)
{
	if (b->state == CPG_BREAKER_CLOSED && ticket == b->serial)
	{
		int			window = Min(Max(config->window, 1), CPG_BREAKER_WINDOW_MAX);
		int			min_calls = Min(Max(config->min_calls, 1), window);

		remember(b, window, failed);
		if (fails_too_often(b, min_calls, config->ratio))
			open_breaker(b, config, now);
	}
	else if (b->probe != 0 && ticket == b->probe)
	{
		if (failed)
			open_breaker(b, config, now);
		else
			close_breaker(b);
	}
}

/*
 * A call has ended without telling anything about the source: its user gave up,
 * or the error was not the source's.  A probe's permit goes to the next call.
 */
void
cpg_breaker_cancel(CpgBreaker *b, uint32 ticket)
{
	if (b->probe != 0 && ticket == b->probe)
	{
		b->probe = 0;
		b->until = PG_INT64_MIN;
	}
}

/*
 * Close it with an empty window.  Counters stay, and so does the numbering:
 * calls under way do not count in the new period.
 */
void
cpg_breaker_reset(CpgBreaker *b)
{
	close_breaker(b);
}

/*
 * When the next call may be admitted, as things stand: now, at the end of the
 * refusal, or when the permit of the probe in progress expires.  The probe may
 * change that either way before.
 */
int64
cpg_breaker_retry_at(const CpgBreaker *b, int64 now)
{
	return b->state == CPG_BREAKER_CLOSED ? now : Max(b->until, now);
}

/* Failures per outcome in the window, 0 if it is empty, and its outcomes. */
double
cpg_breaker_failure_ratio(const CpgBreaker *b, int *calls)
{
	*calls = b->filled;
	return b->filled == 0 ? 0 : (double) failures(b) / b->filled;
}
