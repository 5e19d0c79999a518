/*-------------------------------------------------------------------------
 *
 * inval.h
 *	  Every change of the cache, as one record; what a transaction will
 *	  invalidate; and reads that respect both.
 *
 * All writes come through here.  A record waits until its transaction commits:
 * others see nothing of it before, and nothing at all if it, or the savepoint
 * it belongs to, is rolled back.  The own session sees its records at once.
 * Fills and immediate sets do not wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_INVAL_H
#define CPG_INVAL_INVAL_H

#include "bus/frames.h"
#include "policy/key.h"
#include "stats/stats.h"
#include "store/store.h"

typedef enum CpgWriteOp
{
	CPG_WRITE_PUT,				/* key, item, mode; CPG_PUT_FILL acts at once */
	CPG_WRITE_INVALIDATE,		/* key: all its variants */
	CPG_WRITE_EXPIRE,			/* key: make all its variants stale */
	CPG_WRITE_TOUCH,			/* key, expiry */
	CPG_WRITE_CLEAR_NAMESPACE,	/* ns */
	CPG_WRITE_CLEAR_DATABASE
} CpgWriteOp;

typedef struct CpgWrite
{
	CpgWriteOp	op;
	CpgNamespace *ns;			/* attached */
	CpgKey		key;
	CpgItem		item;
	CpgPutMode	mode;
	bool		immediate;		/* PUT: not with the transaction, but at once */
	int64		expiry;
	int64		now;
	const CpgFrameJob *frame;	/* PUT: for Redis, or NULL; copied */
} CpgWrite;

/* What became of a write. */
typedef struct CpgWritten
{
	CpgPutResult put;			/* of CPG_WRITE_PUT: as far as one can know */
	bool		found;			/* the session saw a valid entry: others */
} CpgWritten;

/* inval.c */
extern CpgWritten cpg_inval_write(const CpgWrite *record);
extern void cpg_inval_key(const CpgKey *key);
extern void cpg_inval_refuse_in_recovery(void);
extern void cpg_inval_cell(CpgCell cell);
extern void cpg_inval_named_cell(CpgCell cell, const char *name, Size len);
extern void cpg_inval_soft_cell(CpgCell cell, const char *name, Size len);
extern void cpg_inval_roles(void);
extern void cpg_inval_leave_recovery(void);
extern void cpg_inval_install(void);
extern void cpg_commit_watch(void);

/* broadcast.c */
extern void cpg_inval_elsewhere(const CpgKey *key);

/* read.c */
typedef struct CpgRead
{
	bool		hit;
	CpgCounter	why;			/* reason of a miss */
} CpgRead;

typedef enum CpgOwn
{
	CPG_OWN_NONE,				/* the transaction did not change the key */
	CPG_OWN_VALUE,				/* it set it */
	CPG_OWN_GONE				/* it invalidated it, or the set is expired */
} CpgOwn;

extern CpgOwn cpg_inval_own(const CpgKey *key, int64 now, CpgValue *value);
extern CpgRead cpg_inval_get(CpgNamespace *ns, const CpgKey *key, int64 now, CpgValue *value);
extern CpgRead cpg_inval_peek(CpgNamespace *ns, const CpgKey *key, int64 now, CpgValue *value);

/* pending.c */
extern bool cpg_inval_pending(void);
extern int	cpg_inval_changes(void);
extern bool cpg_inval_many_cells(void);

/* overlay.c */
extern bool cpg_inval_hides(const CpgKey *key, const CpgCell *cells, int ncells);

#endif							/* CPG_INVAL_INVAL_H */
