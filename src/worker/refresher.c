/*-------------------------------------------------------------------------
 *
 * refresher.c
 *	  The worker that loads values of one database.
 *
 * It is connected without a role, since roles that may not log in load too, and
 * runs each request in a transaction of its own, read-only, as the role that
 * asked, in a restricted operation and with the settings that it had.  After
 * ten seconds without work it leaves, and at once when its database is dropped,
 * renamed, moved or copied.
 *
 * Errors end the request.  They are logged at debug level: a loader that fails
 * will fail again, and sessions see it; the counters say how many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "refresh/refresh.h"
#include "stats/stats.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/worker.h"

#define IDLE_MAX	10000		/* ms */

static int	my_place = -1;

static void
leave(int code, Datum arg)
{
	if (my_place >= 0)
		cpg_crew_leave(my_place);
	my_place = -1;
}

/* Become the role that asked. */
static void
become(Oid role)
{
	Oid			user;
	int			security;

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that asked for a refresh does not exist any more")));
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(role, security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

/* Run a request in a transaction; whether it failed. */
static bool
run(const CpgRequest *queued)
{
	CpgRefreshRequest request;
	CpgRefreshed result;
	ErrorData  *error;
	Oid			user;
	int			security;
	int			nest_level;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactReadOnly = true;
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "refresh of a cached value");
	GetUserIdAndSecContext(&user, &security);
	nest_level = NewGUCNestLevel();
	cpg_request_read(queued->data, queued->len, &request);
	cpg_settings_apply(request.settings, request.settings_len);
	become(request.role);

	result = cpg_refresh_perform(queued->tag, &request, &error);

	SetUserIdAndSecContext(user, security);
	AtEOXact_GUC(false, nest_level);
	if (error != NULL)
		ereport(DEBUG1,
				(errcode(error->sqlerrcode),
				 errmsg_internal("refresh of a cached value failed: %s", error->message)));
	PopActiveSnapshot();
	CommitTransactionCommand();
	(void) pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return result == CPG_REFRESHED_FAILED;
}

/* As run, but no error leaves it. */
static bool
run_safely(const CpgRequest *queued)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "cachepg refresh",
												  ALLOCSET_DEFAULT_SIZES);
	volatile bool failed = true;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		failed = run(queued);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		cpg_refresh_gave_up(queued->tag);
		pgstat_report_activity(STATE_IDLE, NULL);
		ereport(DEBUG1,
				(errcode(error->sqlerrcode),
				 errmsg_internal("refresh of a cached value failed: %s", error->message)));
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
	return failed;
}

static void
work(void)
{
	static CpgRequest request;

	while (cpg_queue_take(MyDatabaseId, &request))
	{
		cpg_crew_state(my_place, CPG_WORKER_LOADING);
		cpg_crew_count(my_place, run_safely(&request));
		cpg_crew_state(my_place, CPG_WORKER_IDLE);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Sleep until there may be work; false when it is time to leave. */
static bool
idle(uint32 wait_event)
{
	int			events;

	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   IDLE_MAX, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	return (events & WL_TIMEOUT) == 0 && !cpg_crew_must_leave(my_place);
}

/* Main function.  The argument is the place in the crew. */
void
cachepg_refresher_main(Datum arg)
{
	int			place = DatumGetInt32(arg);
	Oid			database;
	uint32		wait_event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!cpg_crew_join(place, &database))
		proc_exit(0);
	my_place = place;
	before_shmem_exit(leave, (Datum) 0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	wait_event = CPG_WAIT_EVENT_NEW("CachePgRefresher");
	cpg_crew_state(place, CPG_WORKER_IDLE);
	do
	{
		work();
	} while (idle(wait_event));
	/* what came in the meantime is for another one */
	proc_exit(0);
}
