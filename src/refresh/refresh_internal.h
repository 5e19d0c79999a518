/*-------------------------------------------------------------------------
 *
 * refresh_internal.h
 *	  Shared memory of the queue and the crew, for the files of this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_REFRESH_INTERNAL_H
#define CPG_REFRESH_INTERNAL_H

#include "port/atomics.h"
#include "refresh/refresh.h"
#include "storage/lwlock.h"

#define CPG_CLOSED_MAX	8

typedef struct CpgSharedRequest
{
	Oid			database;		/* InvalidOid: free */
	int			popularity;
	uint64		order;			/* of arrival */
	uint64		tag;
	uint32		len;
	char		data[CPG_REQUEST_MAX];
} CpgSharedRequest;

typedef struct CpgSharedWorker
{
	CpgWorkerState state;
	bool		leave;			/* it is to leave when it is idle */
	int			pid;
	Latch	   *latch;
	Oid			database;
	TimestampTz since;
	uint64		done;
	uint64		failed;
} CpgSharedWorker;

/* A database that is being dropped, renamed, moved or copied, or unreachable. */
typedef struct CpgClosed
{
	Oid			database;
	TimestampTz until;
} CpgClosed;

/* All fields are protected by the lock, but for the atomic one. */
struct CpgSharedRefresh
{
	LWLockPadded lock;
	pg_atomic_uint32 waiting;	/* requests in the queue */
	Latch	   *launcher;		/* NULL: there is none, nothing is queued */
	uint64		arrivals;
	CpgSharedWorker worker[CPG_CREW_MAX];
	CpgClosed	closed[CPG_CLOSED_MAX];
	int			size;			/* of the queue */
	CpgSharedRequest request[FLEXIBLE_ARRAY_MEMBER];
};

#endif							/* CPG_REFRESH_INTERNAL_H */
