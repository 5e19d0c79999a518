/*-------------------------------------------------------------------------
 *
 * fault.c
 *	  Points at which tests stop a process, make it fail, or switch off a
 *	  mechanism.  See fault.h.  Not part of the normal build.
 *
 * A small table in shared memory, apart from the cache's own, holds what is
 * armed.  The functions that arm have no SQL declaration in the extension;
 * test/faults declares them.
 *
 * Concurrency: arming and disarming hold a spinlock; who reaches a point reads
 * without it.  A row's name is written before its action and only while the
 * action is "none", so that a reader who sees an action sees its name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "fault.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#define ROWS		32
#define NAME_SIZE	40
#define POLL		1000		/* us */
#define DELAY_MAX	4000		/* us */
#define DELAY_SHARE	4			/* one in so many passes is delayed */

typedef enum Action
{
	ACTION_NONE,
	ACTION_WAIT,
	ACTION_ERROR,
	ACTION_SKIP,
	ACTION_DELAY				/* for load tests: a random time, now and then */
} Action;

typedef struct Row
{
	char		name[NAME_SIZE];
	int			pid;			/* only of this process; 0: of any */
	pg_atomic_uint32 action;
	pg_atomic_uint32 wakes;		/* how often it was woken */
	pg_atomic_uint32 waiting;	/* processes stopped here */
} Row;

typedef struct Faults
{
	slock_t		lock;
	ConditionVariable arrived;	/* a process has stopped at a point */
	pg_atomic_uint32 armed;		/* rows in use */
	Row			row[ROWS];
} Faults;

static Faults *faults = NULL;
static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;

PG_FUNCTION_INFO_V1(cachepg_fault_arm);
PG_FUNCTION_INFO_V1(cachepg_fault_disarm);
PG_FUNCTION_INFO_V1(cachepg_fault_wake);
PG_FUNCTION_INFO_V1(cachepg_fault_await);
PG_FUNCTION_INFO_V1(cachepg_fault_waiting);

static void
request(void)
{
	if (prev_request_hook)
		prev_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Faults)));
}

static void
startup(void)
{
	bool		found;

	if (prev_startup_hook)
		prev_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	faults = ShmemInitStruct("cachepg faults", sizeof(Faults), &found);
	if (!found)
	{
		memset(faults, 0, sizeof(*faults));
		SpinLockInit(&faults->lock);
		ConditionVariableInit(&faults->arrived);
		pg_atomic_init_u32(&faults->armed, 0);
		for (int i = 0; i < ROWS; i++)
		{
			pg_atomic_init_u32(&faults->row[i].action, ACTION_NONE);
			pg_atomic_init_u32(&faults->row[i].wakes, 0);
			pg_atomic_init_u32(&faults->row[i].waiting, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Stands for another extension whose callback works in PRE_COMMIT after ours:
 * if "late-write" is armed with "skip", calls the test's function
 * cachepg_fault_late().
 */
static void
write_late(XactEvent event, void *arg)
{
	if ((event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) ||
		!cpg_fault_skips("late-write"))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	if (SPI_execute("SELECT cachepg_fault_late()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not call cachepg_fault_late");
	SPI_finish();
	PopActiveSnapshot();
}

/*
 * Ask for shared memory; called once, by _PG_init in the postmaster, before
 * the library's own callbacks are registered: the last registered runs first.
 */
void
cpg_fault_install(void)
{
	RegisterXactCallback(write_late, NULL);
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}

/* The armed row of this name, NULL if there is none for this process. */
static Row *
find_armed(const char *name)
{
	if (faults == NULL || pg_atomic_read_u32(&faults->armed) == 0)
		return NULL;
	for (int i = 0; i < ROWS; i++)
	{
		Row		   *row = &faults->row[i];

		if (pg_atomic_read_u32(&row->action) == ACTION_NONE)
			continue;
		pg_read_barrier();
		if (strcmp(row->name, name) == 0 && (row->pid == 0 || row->pid == MyProcPid))
			return row;
	}
	return NULL;
}

/* Wait until the row is woken or disarmed, or time is up. */
static void
wait_at(Row *row, bool may_fail)
{
	uint32		wakes = pg_atomic_read_u32(&row->wakes);

	pg_atomic_fetch_add_u32(&row->waiting, 1);
	ConditionVariableBroadcast(&faults->arrived);
	for (int64 waited = 0; waited < CPG_FAULT_WAIT_MAX * INT64CONST(1000); waited += POLL)
	{
		if (pg_atomic_read_u32(&row->wakes) != wakes)
			break;
		if (may_fail && INTERRUPTS_CAN_BE_PROCESSED() && InterruptPending)
		{
			pg_atomic_fetch_sub_u32(&row->waiting, 1);
			CHECK_FOR_INTERRUPTS();
			pg_atomic_fetch_add_u32(&row->waiting, 1);
		}
		pg_usleep(POLL);
	}
	pg_atomic_fetch_sub_u32(&row->waiting, 1);
}

static void
delay(void)
{
	if (pg_prng_uint64(&pg_global_prng_state) % DELAY_SHARE == 0)
		pg_usleep((long) (pg_prng_uint64(&pg_global_prng_state) % DELAY_MAX));
}

/* A process is at a point: it waits, fails or is delayed, if that is armed. */
void
cpg_fault_reach(const char *point, bool may_fail)
{
	Row		   *row = find_armed(point);
	uint32		action = row == NULL ? ACTION_NONE : pg_atomic_read_u32(&row->action);

	if (action == ACTION_WAIT)
		wait_at(row, may_fail);
	else if (action == ACTION_DELAY)
		delay();
	else if (action == ACTION_ERROR && may_fail)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("injected error at \"%s\"", point)));
}

/* Whether a mechanism is switched off. */
bool
cpg_fault_skips(const char *mechanism)
{
	Row		   *row = find_armed(mechanism);

	return row != NULL && pg_atomic_read_u32(&row->action) == ACTION_SKIP;
}

static Action
action_of(const char *name)
{
	static const char *const names[] = {"none", "wait", "error", "skip", "delay"};

	for (int i = ACTION_WAIT; i <= ACTION_DELAY; i++)
	{
		if (strcmp(names[i], name) == 0)
			return (Action) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the action of a fault is \"wait\", \"error\", \"skip\" or \"delay\"")));
}

static Row *
find_named(const char *name)
{
	for (int i = 0; i < ROWS; i++)
	{
		if (pg_atomic_read_u32(&faults->row[i].action) != ACTION_NONE &&
			strcmp(faults->row[i].name, name) == 0)
			return &faults->row[i];
	}
	return NULL;
}

static bool
arm_locked(const char *name, Action action, int pid)
{
	if (find_named(name) != NULL)
		return false;
	for (int i = 0; i < ROWS; i++)
	{
		Row		   *row = &faults->row[i];

		if (pg_atomic_read_u32(&row->action) != ACTION_NONE)
			continue;
		strlcpy(row->name, name, NAME_SIZE);
		row->pid = pid;
		pg_write_barrier();
		pg_atomic_write_u32(&row->action, action);
		pg_atomic_fetch_add_u32(&faults->armed, 1);
		return true;
	}
	return false;
}

/* cachepg_fault_arm(point text, action text, pid integer) */
Datum
cachepg_fault_arm(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Action		action = action_of(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	int			pid = PG_GETARG_INT32(2);
	bool		armed;

	SpinLockAcquire(&faults->lock);
	armed = strlen(name) < NAME_SIZE && arm_locked(name, action, pid);
	SpinLockRelease(&faults->lock);
	if (!armed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("fault \"%s\" is armed already, or there are too many", name)));
	PG_RETURN_VOID();
}

/* Let go who waits at a point, and disarm it if so wished. */
static void
release(const char *name, bool disarm)
{
	Row		   *row;

	SpinLockAcquire(&faults->lock);
	row = find_named(name);
	if (row != NULL)
	{
		if (disarm)
		{
			pg_atomic_write_u32(&row->action, ACTION_NONE);
			pg_atomic_fetch_sub_u32(&faults->armed, 1);
		}
		pg_atomic_fetch_add_u32(&row->wakes, 1);
	}
	SpinLockRelease(&faults->lock);
}

/* cachepg_fault_disarm(point text) */
Datum
cachepg_fault_disarm(PG_FUNCTION_ARGS)
{
	release(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	PG_RETURN_VOID();
}

/* cachepg_fault_wake(point text): who waits goes on, the next one will wait */
Datum
cachepg_fault_wake(PG_FUNCTION_ARGS)
{
	release(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	PG_RETURN_VOID();
}

static bool
is_anyone_at(const char *point)
{
	Row		   *row = find_named(point);

	return row != NULL && pg_atomic_read_u32(&row->waiting) > 0;
}

/* cachepg_fault_await(point text) -> whether a process has stopped there, once it has */
Datum
cachepg_fault_await(PG_FUNCTION_ARGS)
{
	char	   *point = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		timed_out = false;

	ConditionVariablePrepareToSleep(&faults->arrived);
	while (!is_anyone_at(point) && !timed_out)
		timed_out = ConditionVariableTimedSleep(&faults->arrived, CPG_FAULT_WAIT_MAX,
												PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
	PG_RETURN_BOOL(!timed_out);
}

/* cachepg_fault_waiting(point text) -> number of processes stopped there */
Datum
cachepg_fault_waiting(PG_FUNCTION_ARGS)
{
	Row		   *row = find_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	PG_RETURN_INT32(row == NULL ? 0 : (int) pg_atomic_read_u32(&row->waiting));
}
