/*-------------------------------------------------------------------------
 *
 * loop_wait.c
 *	  Sessions that wait for a condition variable, and their release.
 *
 * What bench/parts/flights compares the followers of a load with: nothing but
 * the wake-up and the answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "loop.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "utils/wait_event.h"

PG_FUNCTION_INFO_V1(loop_wait);
PG_FUNCTION_INFO_V1(loop_release);

typedef struct Wait
{
	ConditionVariable released;
	pg_atomic_uint32 round;
} Wait;

static Wait *shared;

Size
loop_wait_size(void)
{
	return sizeof(Wait);
}

void
loop_wait_init(void *at, bool found)
{
	shared = at;
	if (found)
		return;
	ConditionVariableInit(&shared->released);
	pg_atomic_init_u32(&shared->round, 0);
}

/* Wait for the next release. */
Datum
loop_wait(PG_FUNCTION_ARGS)
{
	uint32		round = pg_atomic_read_u32(&shared->round);

	ConditionVariablePrepareToSleep(&shared->released);
	while (pg_atomic_read_u32(&shared->round) == round)
		ConditionVariableSleep(&shared->released, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
	PG_RETURN_INT32(0);
}

Datum
loop_release(PG_FUNCTION_ARGS)
{
	pg_atomic_fetch_add_u32(&shared->round, 1);
	ConditionVariableBroadcast(&shared->released);
	PG_RETURN_INT32(0);
}
