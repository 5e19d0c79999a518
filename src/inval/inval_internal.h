/*-------------------------------------------------------------------------
 *
 * inval_internal.h
 *	  The list of what a transaction will do to the cache at its commit.
 *
 * An append-only array of operations.  Each has a subject, a key or a cell of
 * the guard; a table leads from a subject to its newest operation, and each
 * operation to the one before of the same subject.  A mark for each open
 * subtransaction says where its operations begin: its commit drops the mark,
 * its abort cuts the array there, taking the operations out of their chains.
 *
 * All of it is the backend's own memory, in a context that is reset at the end
 * of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_INTERNAL_H
#define CPG_INVAL_INTERNAL_H

#include "inval/inval.h"

typedef enum CpgPendingKind
{
	CPG_PENDING_PUT,			/* set the variant (role, no fingerprint) */
	CPG_PENDING_KILL,			/* invalidate all variants of the key */
	CPG_PENDING_STALE,			/* make them stale */
	CPG_PENDING_TOUCH,			/* new expiry for the variant */
	CPG_PENDING_CELL,			/* bump the cell */
	CPG_PENDING_SOFT			/* soften the cell */
} CpgPendingKind;

typedef struct CpgPending
{
	/* what all have and cells need, in one cache line */
	CpgPendingKind kind;
	int			before;			/* operation on the same subject, or -1 */
	int			before_in_cell; /* PUT and KILL: on the cell of the key, or -1 */
	int			fence;			/* index of its fence, once up */
	CpgCell		cell;			/* of CELL and SOFT */
	uint32		generation;		/* of CELL and SOFT: of the namespace whose it
								 * is, else 0 */
	const char *name;			/* of its tag or table, for other servers, or
								 * NULL */
	uint16		name_len;
	bool		refused;		/* PUT: its mode forbids it, known at commit */
	bool		astray;			/* its namespace is another one by now */
	/* from here on not set for cells */
	CpgPutMode	mode;			/* PUT */
	CpgKey		key;			/* its text is ours */
	CpgItem    *item;			/* PUT; all of it in one piece of memory */
	Size		item_bytes;
	CpgFrameJob frame;			/* PUT: for Redis, if it has bytes */
	int64		expiry;			/* TOUCH */
} CpgPending;

typedef struct CpgPendingList
{
	CpgPending *op;
	int			count;
	int			room;
	int			last_put;		/* index of the newest PUT, or -1 */
	int			last_cell;		/* ... CELL */
	int			kills;			/* number of KILL operations */
	int			cells;
	Size		bytes;			/* of keys and items */
	uint32		assignments;	/* of numbers to namespaces, at the first
								 * operation */
} CpgPendingList;

extern CpgPendingList cpg_pending;

/* Whether an operation needs a fence on the cell of its key. */
static inline bool
cpg_pending_is_of_key(const CpgPending *op)
{
	return op->kind == CPG_PENDING_PUT || op->kind == CPG_PENDING_KILL;
}

/* Whether an operation is on a cell instead of a key. */
static inline bool
cpg_pending_is_of_cell(const CpgPending *op)
{
	return op->kind == CPG_PENDING_CELL || op->kind == CPG_PENDING_SOFT;
}

/* pending.c */
extern CpgPending *cpg_pending_put(const CpgKey *key, const CpgItem *item, CpgPutMode mode);
extern void cpg_pending_frame(CpgPending *op, const CpgFrameJob *frame);
extern void cpg_pending_key(CpgPendingKind kind, const CpgKey *key, int64 expiry);
extern void cpg_pending_cell(CpgCell cell, const char *name, Size len);
extern void cpg_pending_soft_cell(CpgCell cell, const char *name, Size len);
extern int	cpg_pending_head_of_key(const CpgKey *key);
extern int	cpg_pending_head_of_cell(CpgCell cell);
extern MemoryContext cpg_pending_context(void);
extern void cpg_pending_commit_sub(int level);
extern void cpg_pending_abort_sub(int level);
extern void cpg_pending_reset(void);

/* overlay.c */
typedef enum CpgOverlayState
{
	CPG_OVERLAY_NONE,			/* nothing of the own transaction matters */
	CPG_OVERLAY_VALUE,			/* an own set: see op */
	CPG_OVERLAY_GONE			/* invalidated by the own transaction */
} CpgOverlayState;

typedef struct CpgOverlay
{
	CpgOverlayState state;
	CpgPending *op;
	int64		expiry;			/* of an own touch, else 0 */
} CpgOverlay;

extern CpgOverlay cpg_overlay_find(const CpgKey *key);
extern bool cpg_overlay_hides(const CpgCell *cells, int ncells);
extern bool cpg_overlay_outlived(int index);
extern void cpg_overlay_value(const CpgPending *op, bool with_datum, CpgValue *value);

/* inval.c */
extern void cpg_inval_refuse_sealed(CpgCell cell);

/* commit.c */
extern void cpg_commit_fence_late(CpgPending *op);
extern bool cpg_commit_fenced(void);
extern CpgCell *cpg_commit_cells(int *count);
extern void cpg_commit_raise_cells(const CpgCell *cells, int count, bool roles);

extern bool cpg_commit_is_ours(CpgCell cell, uint64 number);

/* apply.c */
extern void cpg_commit_find_astray(void);
extern void cpg_commit_mark_dead(int64 now);
extern void cpg_commit_apply(uint64 number, int64 now);

/* broadcast.c */
extern void cpg_broadcast_prepare(void);
extern void cpg_broadcast_late(const CpgPending *op);
extern uint64 cpg_broadcast_commit(void);
extern void cpg_broadcast_forget(void);
extern bool cpg_broadcast_is_global(CpgCell cell, Oid database);

/* usage.c */
extern void cpg_usage_catch_up(void);
extern void cpg_usage_before_commit(void);
extern void cpg_usage_after_end(void);

/* twophase.c */
extern void cpg_twophase_prepare(void);
extern bool cpg_twophase_add(CpgCell cell);
extern void cpg_twophase_hand_over(void);
extern void cpg_twophase_release(void);

#endif							/* CPG_INVAL_INTERNAL_H */
