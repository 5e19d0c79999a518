/*-------------------------------------------------------------------------
 *
 * refresher.c
 *	  The worker that loads values of one database.
 *
 * It is connected without a role, since roles that may not log in load too, and
 * runs each request in a transaction of its own, read-only, as the role that
 * asked, in a restricted operation, with the login and the settings that it had.
 * It serves one login and role; others get a process of their own.  After ten
 * seconds without work it leaves, and at once when its database is dropped,
 * renamed, moved or copied.
 *
 * Errors end the request.  They are logged at debug level: a loader that fails
 * will fail again, and sessions see it; the counters say how many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "clock.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "refresh/refresh.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
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

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static char *
role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that asked for a refresh does not exist any more")));
	return name;
}

/*
 * Become the session that asked: who logged in, the role that was set, then the
 * one that called, with the settings, which it must be able to set.
 */
static void
become(const CpgRefreshRequest *request)
{
	(void) role_name(request->role);
	set_local("session_authorization", role_name(request->login));
	set_local("role", request->set_role);
	SetUserIdAndSecContext(request->role, SECURITY_LOCAL_USERID_CHANGE);
	cpg_settings_apply(request->settings, request->settings_len);
	SetUserIdAndSecContext(request->role, SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

static void
begin_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactReadOnly = true;
	/* whatever the server's defaults are: else nothing could be kept */
	XactIsoLevel = XACT_READ_COMMITTED;
	XactDeferrable = false;
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "refresh of a cached value");
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

	begin_transaction();
	GetUserIdAndSecContext(&user, &security);
	nest_level = NewGUCNestLevel();
	cpg_request_read(queued->data, queued->len, &request);
	become(&request);

	result = cpg_refresh_perform(queued->tag, &request, &error);

	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(user, security);
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

/*
 * Do what there is to do; false when the worker is to make room for another
 * one: for a database without workers, or for other roles, since a loader can
 * leave things behind in a process, such as connections.
 */
static bool
work(void)
{
	static CpgRequest request;
	static Oid	login = InvalidOid;
	static Oid	role = InvalidOid;
	CpgTaken	taken;

	while ((taken = cpg_queue_take(MyDatabaseId, login, role, cpg_clock_now(), &request)) == CPG_TAKEN)
	{
		login = request.login;
		role = request.role;
		cpg_crew_state(my_place, CPG_WORKER_LOADING);
		cpg_crew_count(my_place, run_safely(&request));
		LockReleaseAll(USER_LOCKMETHOD, true);
		cpg_crew_state(my_place, CPG_WORKER_IDLE);
		CHECK_FOR_INTERRUPTS();
		if (cpg_crew_others_wait(MyDatabaseId))
			return false;
	}
	return taken != CPG_TAKEN_OTHER_ROLE;
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
	while (work() && idle(wait_event))
		;
	/* what came in the meantime is for another one */
	proc_exit(0);
}
