/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The worker that starts refreshers where there is work.
 *
 * One for the server, connected to no database.  It sleeps until a request is
 * queued for which no refresher is awake, or one ends.  Where
 * cachepg.refresh_workers are busy elsewhere an idle one is asked to leave.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "refresh/refresh.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
#include "worker/register.h"
#include "worker/worker.h"

#define RESTART_SECONDS 5
#define ROUND			1000	/* ms */
#define RETRY			5000	/* ms after one could not be started */

static BackgroundWorkerHandle *handles[CPG_CREW_MAX];
static bool start_failed = false;

/* Register the launcher; called once, by _PG_init in the postmaster. */
void
cpg_launcher_register(void)
{
	cpg_worker_add("launcher", BgWorkerStart_ConsistentState, RESTART_SECONDS);
}

/* Start a refresher in the place reserved for it; false if that is impossible. */
static bool
start(int place)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "cachepg", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "cachepg_refresher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "cachepg refresher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "cachepg refresher", sizeof(worker.bgw_type));
	worker.bgw_main_arg = Int32GetDatum(place);
	worker.bgw_notify_pid = MyProcPid;
	if (handles[place] != NULL)
		pfree(handles[place]);
	handles[place] = NULL;
	return RegisterDynamicBackgroundWorker(&worker, &handles[place]);
}

/* Say once that no worker can be started, and once that one can again. */
static void
report(bool started)
{
	if (!started && !start_failed)
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("cachepg could not start a background worker"),
				 errhint("Consider increasing max_worker_processes, or lower cachepg.refresh_workers.")));
	else if (started && start_failed)
		ereport(LOG, (errmsg("cachepg starts background workers again")));
	start_failed = !started;
}

/* Places of workers that have ended, or never came to life. */
static void
clear_places(void)
{
	for (int i = 0; i < CPG_CREW_MAX; i++)
	{
		pid_t		pid;

		if (handles[i] == NULL || GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			continue;
		pfree(handles[i]);
		handles[i] = NULL;
		cpg_crew_release(i);
	}
}

/* Start one refresher for a database; false if no worker can be started. */
static bool
help(Oid database)
{
	int			place = cpg_crew_reserve(database, Min(cpg_refresh_workers, CPG_CREW_MAX));
	bool		started;

	if (place < 0)
	{
		if (cpg_crew_size(database) == 0)
			cpg_crew_dismiss_idle();
		return true;
	}
	started = start(place);
	if (!started)
		cpg_crew_release(place);
	report(started);
	cpg_crew_blocked(!started);
	/* sessions load what was queued */
	if (!started)
		cpg_queue_forget(database);
	return started;
}

/* See to every database of which requests wait; false if something went wrong. */
static bool
look_after_queue(void)
{
	Oid			database = InvalidOid;

	clear_places();
	while (OidIsValid(database = cpg_queue_next_database(database)))
	{
		if (cpg_crew_closed(database))
			cpg_queue_forget(database);
		else if (cpg_queue_length(database) > cpg_crew_size(database) && !help(database))
			return false;
	}
	return true;
}

static void
end_service(int code, Datum arg)
{
	cpg_crew_launcher_end();
}

/* Main loop.  SIGUSR1 keeps its standard handler, so barriers are answered. */
void
cachepg_launcher_main(Datum arg)
{
	uint32		wait_event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wait_event = CPG_WAIT_EVENT_NEW("CachePgLauncher");
	before_shmem_exit(end_service, (Datum) 0);
	/* places of workers that a launcher before this one started */
	for (int i = 0; i < CPG_CREW_MAX; i++)
		handles[i] = NULL;
	cpg_crew_launcher_begin(MyLatch);

	while (!ShutdownRequestPending)
	{
		bool		well = look_after_queue();

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 well ? ROUND : RETRY, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	/* 0 would mean that it is never started again */
	proc_exit(1);
}
