/*-------------------------------------------------------------------------
 *
 * text.h
 *	  The text of a column's value in a key or tag.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WATCH_TEXT_H
#define CPG_WATCH_TEXT_H

#include "fmgr.h"
#include "lib/stringinfo.h"

typedef enum CpgTextForm
{
	CPG_TEXT_TEXT,				/* is text, or like it */
	CPG_TEXT_INT2,
	CPG_TEXT_INT4,
	CPG_TEXT_INT8,
	CPG_TEXT_CAST,				/* by the function of the cast to text */
	CPG_TEXT_OUTPUT,			/* by an output function that no setting
								 * changes */
	CPG_TEXT_PINNED				/* by one that settings may change */
} CpgTextForm;

typedef struct CpgTextOf
{
	CpgTextForm form;
	FmgrInfo	function;
} CpgTextOf;

extern void cpg_text_prepare(Oid type, CpgTextOf *text, MemoryContext context);
extern void cpg_text_append(CpgTextOf *text, Datum value, StringInfo to);

#endif							/* CPG_WATCH_TEXT_H */
