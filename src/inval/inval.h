/*-------------------------------------------------------------------------
 *
 * inval.h
 *	  Every change of the cache, as one record.
 *
 * All writes come through here, so that when they take effect is decided in
 * one place.  At present that is at once; sets of a transaction that rolls
 * back are therefore seen by others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_INVAL_H
#define CPG_INVAL_INVAL_H

#include "policy/namespace.h"
#include "store/store.h"

typedef enum CpgWriteOp
{
	CPG_WRITE_PUT,				/* key, item, mode */
	CPG_WRITE_DELETE,			/* key */
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
	int64		expiry;
	int64		now;
} CpgWrite;

/* What became of a write. */
typedef struct CpgWritten
{
	CpgPutResult put;			/* of CPG_WRITE_PUT */
	bool		found;			/* a valid entry was there: delete, touch */
} CpgWritten;

extern CpgWritten cpg_inval_write(const CpgWrite *record);

#endif							/* CPG_INVAL_INVAL_H */
