/*-------------------------------------------------------------------------
 *
 * refresh.h
 *	  Refreshes by background workers: the queue of requests and the crew.
 *
 * Whoever sees that a value is due for renewal puts a request into a fixed
 * queue in shared memory and goes on with the value he has.  Workers, a few for
 * the server, each connected to one database, take requests from it, the most
 * popular keys first.  The launcher starts them where there is work.
 *
 * A request is bytes to this room: who writes and reads them is
 * fetch/request.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_REFRESH_REFRESH_H
#define CPG_REFRESH_REFRESH_H

#include "datatype/timestamp.h"
#include "storage/latch.h"

#define CPG_REQUEST_MAX	8192	/* bytes */
#define CPG_CREW_MAX	32

typedef struct CpgSharedRefresh CpgSharedRefresh;

/* A request taken from the queue. */
typedef struct CpgRequest
{
	uint64		tag;
	Oid			login;
	Oid			role;
	uint32		len;
	char		data[CPG_REQUEST_MAX];
} CpgRequest;

typedef enum CpgWorkerState
{
	CPG_WORKER_NONE,
	CPG_WORKER_STARTING,
	CPG_WORKER_IDLE,
	CPG_WORKER_LOADING
} CpgWorkerState;

/* One place of the crew, as seen at a moment. */
typedef struct CpgWorkerView
{
	CpgWorkerState state;
	int			pid;
	Oid			database;
	TimestampTz since;			/* of the state */
	uint64		done;			/* requests */
	uint64		failed;
} CpgWorkerView;

/* queue.c */
extern Size cpg_refresh_size(Size memory);
extern void cpg_refresh_init(CpgSharedRefresh *refresh, Size memory, int tranche);
typedef enum CpgTaken
{
	CPG_TAKEN,
	CPG_TAKEN_NONE,
	CPG_TAKEN_OTHER_ROLE		/* there are only requests of others */
} CpgTaken;

extern bool cpg_queue_put(uint64 tag, Oid login, Oid role, int64 until, int popularity,
						  const char *data, uint32 len);
extern bool cpg_queue_full(void);
extern CpgTaken cpg_queue_take(Oid database, Oid login, Oid role, int64 now, CpgRequest *request);
extern int	cpg_queue_length(Oid database);
extern Oid	cpg_queue_next_database(Oid after);
extern void cpg_queue_forget(Oid database);

/* crew.c */
extern bool cpg_crew_available(void);
extern void cpg_crew_launcher_begin(Latch *latch);
extern void cpg_crew_launcher_end(void);
extern void cpg_crew_call(Oid database);
extern int	cpg_crew_reserve(Oid database, int limit);
extern void cpg_crew_release(int place);
extern bool cpg_crew_join(int place, Oid *database);
extern void cpg_crew_state(int place, CpgWorkerState state);
extern void cpg_crew_count(int place, bool failed);
extern void cpg_crew_leave(int place);
extern bool cpg_crew_must_leave(int place);
extern int	cpg_crew_size(Oid database);
extern bool cpg_crew_others_wait(Oid database);
extern void cpg_crew_dismiss_idle(void);
extern void cpg_crew_blocked(bool blocked);
extern void cpg_crew_vacate(Oid database);
extern bool cpg_crew_closed(Oid database);
extern void cpg_crew_view(int place, CpgWorkerView *view);

/* vacate.c */
struct Node;
extern void cpg_refresh_before(const struct Node *stmt);

#endif							/* CPG_REFRESH_REFRESH_H */
