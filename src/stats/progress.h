/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  How far cache_warm is, for everybody to see.
 *
 * A few places in shared memory, each written by one process.  Where all are in
 * use a process works without showing it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STATS_PROGRESS_H
#define CPG_STATS_PROGRESS_H

#include "datatype/timestamp.h"

#define CPG_PROGRESS_PLACES 16

typedef struct CpgSharedProgress CpgSharedProgress;

typedef struct CpgProgress
{
	int			pid;			/* 0: nothing here */
	Oid			database;
	TimestampTz started;
	int64		expected;		/* keys, as the planner estimates */
	int64		done;
	int64		loaded;
	int64		failed;
} CpgProgress;

extern Size cpg_progress_size(void);
extern void cpg_progress_init(CpgSharedProgress *progress);
extern int	cpg_progress_begin(int64 expected);
extern void cpg_progress_report(int place, int64 done, int64 loaded, int64 failed);
extern void cpg_progress_end(int place);
extern void cpg_progress_read(int place, CpgProgress *copy);

#endif							/* CPG_STATS_PROGRESS_H */
