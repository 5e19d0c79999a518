/*-------------------------------------------------------------------------
 *
 * dumper.c
 *	  The worker of the warm restart: loads the dump of the last shutdown, writes
 *	  that of the next, and in between those for after a crash.
 *
 * One for the server, started when it accepts writes; a standby has none.
 *
 * At a shutdown the server tells background workers to stop and waits for
 * them before it writes its last checkpoint.  The dumper first waits until all
 * sessions are gone, so that their last commits count; then it seals the guard
 * and dumps.  The sessions of walsenders stay, as they do until the end: what
 * they would still invalidate is refused by the seal.
 *
 * Somebody may also stop this worker alone, with pg_terminate_backend.  Then
 * the server's pid file does not say that it is stopping, and nothing is
 * dumped; the worker comes back after a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "guard/guard.h"
#include "guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "shmem.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/pidfile.h"
#include "utils/wait_event.h"
#include "warm/warm.h"
#include "worker/register.h"
#include "worker/worker.h"

#define PID_FILE		"postmaster.pid"
#define RESTART_SECONDS 5
#define POLL_INTERVAL	10		/* ms */
#define OTHERS_WAIT		2000	/* ms, for other workers with a database */

/* Register the dumper; called once, by _PG_init in the postmaster. */
void
cpg_dumper_register(void)
{
	cpg_worker_add("dumper", BgWorkerStart_RecoveryFinished, RESTART_SECONDS);
}

/* Whether the whole server stops: the postmaster says so before it signals anyone. */
static bool
server_stops(void)
{
	FILE	   *file = AllocateFile(PID_FILE, "r");
	char		line[MAXPGPATH] = "";
	int			number = 0;

	if (file == NULL)
		return false;
	while (number < LOCK_FILE_LINE_PM_STATUS && fgets(line, sizeof(line), file) != NULL)
		number++;
	FreeFile(file);
	return number == LOCK_FILE_LINE_PM_STATUS &&
		strncmp(line, PM_STATUS_STOPPING, strlen(PM_STATUS_STOPPING)) == 0;
}

/* Count the sessions of clients, and other processes that work in a database. */
static void
count_others(int *sessions, int *others)
{
	int			count;

	*sessions = *others = 0;
	pgstat_clear_backend_activity_snapshot();
	count = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= count; i++)
	{
		const PgBackendStatus *status = &CPG_BACKEND_STATUS(i)->backendStatus;

		if (status->st_backendType == B_BACKEND)
			(*sessions)++;
		else if (status->st_backendType != B_WAL_SENDER && OidIsValid(status->st_databaseid))
			(*others)++;
	}
}

/*
 * Wait until nobody is left who could change the cache.  For sessions as long
 * as it takes, since the server does the same.
 */
static void
wait_for_others(uint32 wait_event)
{
	int64		began = cpg_clock_now();
	int			sessions;
	int			others;

	for (;;)
	{
		count_others(&sessions, &others);
		if (sessions == 0 && (others == 0 || cpg_clock_now() - began > OTHERS_WAIT))
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_INTERVAL,
						 wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Wait for something to do; true if a dump for after a crash is due. */
static bool
wait_until_due(int64 last, uint32 wait_event)
{
	bool		periodic = cpg_dump && cpg_dump_interval > 0;
	int64		left = last + cpg_dump_interval - cpg_clock_now();
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	if (periodic)
	{
		if (left <= 0)
			return true;
		events |= WL_TIMEOUT;
	}
	else
		cpg_warm_forget(CPG_DUMP_CRASH);
	(void) WaitLatch(MyLatch, events, periodic ? (long) left : -1L, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	return false;
}

static void
dump_at_shutdown(uint32 wait_event)
{
	static const volatile sig_atomic_t never = false;

	if (!cpg_dump || !server_stops())
		return;
	if (!CPG_SKIP("dump-wait"))
		wait_for_others(wait_event);
	cpg_guard_seal(cpg_guard);
	cpg_warm_dump(CPG_DUMP_SHUTDOWN, &never);
	CPG_FAULT_WAIT("dump-written");
}

/* Main loop.  SIGUSR1 keeps its standard handler, so barriers are answered. */
void
cachepg_dumper_main(Datum arg)
{
	uint32		wait_event;
	int64		last;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	wait_event = CPG_WAIT_EVENT_NEW("CachePgDumper");
	cpg_warm_load(&ShutdownRequestPending);
	last = cpg_clock_now();
	while (!ShutdownRequestPending)
	{
		if (!wait_until_due(last, wait_event))
			continue;
		cpg_warm_dump(CPG_DUMP_CRASH, &ShutdownRequestPending);
		last = cpg_clock_now();
	}
	dump_at_shutdown(wait_event);

	/* 0 would mean that it is never started again; see the janitor */
	proc_exit(1);
}
