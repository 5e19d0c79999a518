/*-------------------------------------------------------------------------
 *
 * deadline.c
 *	  Deadlines of loads: what runs longer is cancelled.
 *
 * One timeout of the process serves all of them.  It is set to the nearest
 * deadline and, once that has passed, again and again, in case a loader catches
 * the cancellation and goes on.  It is registered at the first load: a process
 * forgets in its early life what _PG_init would have registered.
 *
 * Where statement_timeout ends earlier nothing is set: then a cancellation is
 * not ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flight/flight.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define REPEAT 100				/* ms */

static CpgDeadline *volatile innermost = NULL;
static TimeoutId timeout = MAX_TIMEOUTS;

/* In a signal handler. */
static void
cancel_load(void)
{
	TimestampTz now = GetCurrentTimestamp();

	for (CpgDeadline *deadline = innermost; deadline != NULL; deadline = deadline->outer)
	{
		if (deadline->at > now)
			continue;
		deadline->passed = true;
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
}

/* Set the timeout to the nearest deadline that has not been set aside. */
static void
arm(void)
{
	TimestampTz nearest = DT_NOEND;

	for (CpgDeadline *deadline = innermost; deadline != NULL; deadline = deadline->outer)
		nearest = Min(nearest, deadline->at);
	if (nearest == DT_NOEND)
		disable_timeout(timeout, false);
	else
		enable_timeout_every(timeout, nearest, REPEAT);
}

/* Begin to measure a load: it is cancelled after so many milliseconds. */
void
cpg_deadline_begin(CpgDeadline *deadline, int64 milliseconds)
{
	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, cancel_load);
	deadline->at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	deadline->passed = false;
	if (get_timeout_active(STATEMENT_TIMEOUT) &&
		get_timeout_finish_time(STATEMENT_TIMEOUT) <= deadline->at)
		deadline->at = DT_NOEND;
	deadline->outer = innermost;
	innermost = deadline;
	arm();
}

/*
 * The load has ended, and those inside of it.  A cancellation of ours that came
 * too late to be noticed is taken back.
 */
void
cpg_deadline_end(CpgDeadline *deadline)
{
	innermost = deadline->outer;
	arm();
	if (deadline->passed && !get_timeout_indicator(STATEMENT_TIMEOUT, false))
		QueryCancelPending = false;
}
