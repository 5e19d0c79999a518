/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far cache_warm is.  See progress.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "shmem.h"
#include "stats/progress.h"
#include "storage/ipc.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

struct CpgSharedProgress
{
	slock_t		lock;
	CpgProgress place[CPG_PROGRESS_PLACES];
};

Size
cpg_progress_size(void)
{
	return sizeof(CpgSharedProgress);
}

void
cpg_progress_init(CpgSharedProgress *progress)
{
	memset(progress, 0, sizeof(*progress));
	SpinLockInit(&progress->lock);
}

/* A process that ends has nothing in progress. */
static void
end_all(int code, Datum arg)
{
	SpinLockAcquire(&cpg_progress->lock);
	for (int i = 0; i < CPG_PROGRESS_PLACES; i++)
	{
		if (cpg_progress->place[i].pid == MyProcPid)
			cpg_progress->place[i].pid = 0;
	}
	SpinLockRelease(&cpg_progress->lock);
}

/* Begin to show something; its place, -1 if there is none. */
int
cpg_progress_begin(int64 expected)
{
	static bool watching = false;
	TimestampTz now = GetCurrentTimestamp();
	int			place = -1;

	if (!watching)
		before_shmem_exit(end_all, (Datum) 0);
	watching = true;
	SpinLockAcquire(&cpg_progress->lock);
	for (int i = 0; i < CPG_PROGRESS_PLACES && place < 0; i++)
	{
		if (cpg_progress->place[i].pid == 0)
			place = i;
	}
	if (place >= 0)
	{
		CpgProgress *p = &cpg_progress->place[place];

		memset(p, 0, sizeof(*p));
		p->pid = MyProcPid;
		p->database = MyDatabaseId;
		p->started = now;
		p->expected = expected;
	}
	SpinLockRelease(&cpg_progress->lock);
	return place;
}

void
cpg_progress_report(int place, int64 done, int64 loaded, int64 failed)
{
	if (place < 0)
		return;
	SpinLockAcquire(&cpg_progress->lock);
	cpg_progress->place[place].done = done;
	cpg_progress->place[place].loaded = loaded;
	cpg_progress->place[place].failed = failed;
	SpinLockRelease(&cpg_progress->lock);
}

void
cpg_progress_end(int place)
{
	if (place < 0)
		return;
	SpinLockAcquire(&cpg_progress->lock);
	cpg_progress->place[place].pid = 0;
	SpinLockRelease(&cpg_progress->lock);
}

void
cpg_progress_read(int place, CpgProgress *copy)
{
	SpinLockAcquire(&cpg_progress->lock);
	*copy = cpg_progress->place[place];
	SpinLockRelease(&cpg_progress->lock);
}
