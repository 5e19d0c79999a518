/*-------------------------------------------------------------------------
 *
 * crew.c
 *	  The workers: places, who is in them, and how they are called and sent
 *	  away.
 *
 * The launcher reserves a place before it starts a worker, which joins it; a
 * worker that could not start leaves it to the launcher to release the place.
 *
 * A database that is dropped, renamed, moved or copied must have no other
 * sessions: its workers are terminated and none is started there for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "guc.h"
#include "miscadmin.h"
#include "refresh/refresh_internal.h"
#include "shmem.h"
#include "utils/timestamp.h"

#define CLOSED_FOR	10000		/* ms; PostgreSQL waits 5 s for others to
								 * leave */
#define UNREACHABLE_FOR 60000	/* ms, after a worker could not be started or
								 * connect */

/* Whether requests of this database find somebody who takes them. */
bool
cpg_crew_available(void)
{
	return cpg_refresh_workers > 0 && cpg_refresh->launcher != NULL && !cpg_crew_closed(MyDatabaseId);
}

void
cpg_crew_launcher_begin(Latch *latch)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		/* a launcher before this one reserved it, and will not hear of it */
		if (cpg_refresh->worker[i].state == CPG_WORKER_STARTING && cpg_refresh->worker[i].pid == 0)
			memset(&cpg_refresh->worker[i], 0, sizeof(CpgSharedWorker));
	}
	cpg_refresh->launcher = latch;
	LWLockRelease(&cpg_refresh->lock.lock);
}

void
cpg_crew_launcher_end(void)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	cpg_refresh->launcher = NULL;
	LWLockRelease(&cpg_refresh->lock.lock);
}

/* Wake an idle worker of a database, else the launcher. */
void
cpg_crew_call(Oid database)
{
	Latch	   *latch;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	latch = cpg_refresh->launcher;
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		CpgSharedWorker *worker = &cpg_refresh->worker[i];

		if (worker->database == database && worker->state == CPG_WORKER_IDLE && !worker->leave)
			latch = worker->latch;
	}
	if (latch != NULL)
		SetLatch(latch);
	LWLockRelease(&cpg_refresh->lock.lock);
}

static void
set_state_locked(CpgSharedWorker *worker, CpgWorkerState state)
{
	worker->state = state;
	worker->since = GetCurrentTimestamp();
}

/* A place for a new worker, -1 if there are so many. */
int
cpg_crew_reserve(Oid database, int limit)
{
	int			place = -1;
	int			used = 0;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		if (cpg_refresh->worker[i].state != CPG_WORKER_NONE)
			used++;
		else if (place < 0)
			place = i;
	}
	if (used >= limit)
		place = -1;
	if (place >= 0)
	{
		CpgSharedWorker *worker = &cpg_refresh->worker[place];

		memset(worker, 0, sizeof(*worker));
		worker->database = database;
		set_state_locked(worker, CPG_WORKER_STARTING);
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return place;
}

/* Give a place back. */
void
cpg_crew_release(int place)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	memset(&cpg_refresh->worker[place], 0, sizeof(CpgSharedWorker));
	LWLockRelease(&cpg_refresh->lock.lock);
}

static bool
closed_locked(Oid database)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < CPG_CLOSED_MAX; i++)
	{
		if (cpg_refresh->closed[i].database == database && cpg_refresh->closed[i].until > now)
			return true;
	}
	return false;
}

/* Take the place reserved for this worker; false if it is not wanted any more. */
bool
cpg_crew_join(int place, Oid *database)
{
	CpgSharedWorker *worker = &cpg_refresh->worker[place];
	bool		wanted;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	wanted = worker->state == CPG_WORKER_STARTING && !closed_locked(worker->database);
	if (wanted)
	{
		worker->pid = MyProcPid;
		worker->latch = MyLatch;
		*database = worker->database;
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return wanted;
}

void
cpg_crew_state(int place, CpgWorkerState state)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	set_state_locked(&cpg_refresh->worker[place], state);
	LWLockRelease(&cpg_refresh->lock.lock);
}

/* Count a request that this worker has done with. */
void
cpg_crew_count(int place, bool failed)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	cpg_refresh->worker[place].done++;
	if (failed)
		cpg_refresh->worker[place].failed++;
	LWLockRelease(&cpg_refresh->lock.lock);
}

static void
close_locked(Oid database, int milliseconds)
{
	CpgClosed  *oldest = &cpg_refresh->closed[0];

	for (int i = 1; i < CPG_CLOSED_MAX; i++)
	{
		if (cpg_refresh->closed[i].until < oldest->until)
			oldest = &cpg_refresh->closed[i];
	}
	oldest->database = database;
	oldest->until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
}

/*
 * This worker ends; the launcher may have work for another one.  One that never
 * began to work could not connect to its database: to try again at once would
 * be to fail again at once.
 */
void
cpg_crew_leave(int place)
{
	CpgSharedWorker *worker = &cpg_refresh->worker[place];

	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	if (worker->pid == MyProcPid)
	{
		if (worker->state == CPG_WORKER_STARTING)
			close_locked(worker->database, UNREACHABLE_FOR);
		memset(worker, 0, sizeof(CpgSharedWorker));
	}
	if (cpg_refresh->launcher != NULL && pg_atomic_read_u32(&cpg_refresh->waiting) > 0)
		SetLatch(cpg_refresh->launcher);
	LWLockRelease(&cpg_refresh->lock.lock);
}

/* Whether this worker was asked to leave. */
bool
cpg_crew_must_leave(int place)
{
	bool		leave;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	leave = cpg_refresh->worker[place].leave;
	LWLockRelease(&cpg_refresh->lock.lock);
	return leave;
}

/* Workers of a database, those that are starting included. */
int
cpg_crew_size(Oid database)
{
	int			n = 0;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		if (cpg_refresh->worker[i].state != CPG_WORKER_NONE && cpg_refresh->worker[i].database == database)
			n++;
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return n;
}

/* Ask one idle worker to leave its place to another database. */
void
cpg_crew_dismiss_idle(void)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		CpgSharedWorker *worker = &cpg_refresh->worker[i];

		if (worker->state != CPG_WORKER_IDLE)
			continue;
		worker->leave = true;
		SetLatch(worker->latch);
		break;
	}
	LWLockRelease(&cpg_refresh->lock.lock);
}

/* Start no worker in a database for a while: none can be. */
void
cpg_crew_close(Oid database)
{
	cpg_queue_forget(database);
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	close_locked(database, UNREACHABLE_FOR);
	LWLockRelease(&cpg_refresh->lock.lock);
}

/* Send the workers of a database away and start none there for a while. */
void
cpg_crew_vacate(Oid database)
{
	cpg_queue_forget(database);
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	close_locked(database, CLOSED_FOR);
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		CpgSharedWorker *worker = &cpg_refresh->worker[i];

		if (worker->state != CPG_WORKER_NONE && worker->database == database && worker->pid != 0)
			kill(worker->pid, SIGTERM);
	}
	LWLockRelease(&cpg_refresh->lock.lock);
}

/* Whether no worker may be started in a database now. */
bool
cpg_crew_closed(Oid database)
{
	bool		closed;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	closed = closed_locked(database);
	LWLockRelease(&cpg_refresh->lock.lock);
	return closed;
}

void
cpg_crew_view(int place, CpgWorkerView *view)
{
	CpgSharedWorker *worker = &cpg_refresh->worker[place];

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	view->state = worker->state;
	view->pid = worker->pid;
	view->database = worker->database;
	view->since = worker->since;
	view->done = worker->done;
	view->failed = worker->failed;
	LWLockRelease(&cpg_refresh->lock.lock);
}
