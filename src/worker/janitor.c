/*-------------------------------------------------------------------------
 *
 * janitor.c
 *	  The worker that reclaims dead entries and keeps headroom.
 *
 * One for the server, connected to no database but known to pg_stat_activity
 * and to the functions that signal back ends.  Each round it looks at one
 * part in ROUND_SHARE of the index and evicts, partition by partition, what is
 * missing to the headroom.  A round in which much was dead is followed by the
 * next one at once.
 *
 * It also lowers the fences of prepared transactions that have ended, and takes
 * values of another server out of use when that has been silent for too long.
 *
 * It holds one partition lock at a time, for a few dozen entries, and keeps
 * nothing that its death could damage.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/mirror.h"
#include "clock.h"
#include "compat.h"
#include "guc.h"
#include "inval/twophase.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "store/store.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
#include "worker/register.h"
#include "worker/worker.h"

#define ROUND_SHARE		32		/* a full sweep takes so many rounds */
#define STEP_BUCKETS	16		/* under one hold of the lock */
#define STEP_EVICTIONS	32
#define EVICTIONS_MAX	4096	/* per partition and round */
#define RESTART_SECONDS 5

/* Register the janitor; called once, by _PG_init in the postmaster. */
void
cpg_worker_register(void)
{
	/*
	 * the earliest time at which one may ask for a connection, on standbys
	 * too
	 */
	cpg_worker_add("janitor", BgWorkerStart_ConsistentState, RESTART_SECONDS);
}

/* Sweep one part of the index; returns how many entries were dead. */
static uint32
sweep_part(CpgCursor *cursor, uint32 buckets)
{
	uint32		removed = 0;

	for (uint32 done = 0; done < buckets; done += STEP_BUCKETS)
	{
		CHECK_FOR_INTERRUPTS();
		removed += cpg_store_sweep(cpg_store, cursor, STEP_BUCKETS, cpg_clock_now());
	}
	return removed;
}

static void
make_headroom(int npartitions)
{
	for (int i = 0; i < npartitions; i++)
	{
		uint32		evicted = 0;
		uint32		step;

		do
		{
			CHECK_FOR_INTERRUPTS();
			step = cpg_store_make_headroom(cpg_store, i, STEP_EVICTIONS, cpg_clock_now());
			evicted += step;
		} while (step == STEP_EVICTIONS && evicted < EVICTIONS_MAX);
	}
}

/* Main loop.  SIGUSR1 keeps its standard handler, so barriers are answered. */
void
cachepg_janitor_main(Datum arg)
{
	CpgCursor	cursor = {0, 0};
	CpgStoreSpace space;
	uint32		share;
	uint32		wait_event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	cpg_store_space(cpg_store, &space);
	share = cpg_store_buckets(cpg_store) / ROUND_SHARE + STEP_BUCKETS;
	wait_event = CPG_WAIT_EVENT_NEW("CachePgJanitor");

	while (!ShutdownRequestPending)
	{
		uint32		removed = sweep_part(&cursor, share);

		make_headroom(space.npartitions);
		cpg_twophase_resolve();
		/* the subscriber may hang */
		if (cpg_mirror_exists() && !cpg_mirror_current(cpg_clock_now()))
			cpg_mirror_suspend();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 removed > share ? 1 : cpg_janitor_interval, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	/*
	 * 0 would mean that it is never started again, also after
	 * pg_terminate_backend
	 */
	proc_exit(1);
}
