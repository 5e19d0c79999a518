/*-------------------------------------------------------------------------
 *
 * api.h
 *	  Helpers of the SQL-callable functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_API_API_H
#define CPG_API_API_H

#include "fmgr.h"
#include "funcapi.h"
#include "inval/deps.h"
#include "loader/loader.h"
#include "policy/key.h"
#include "policy/ttl.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "value/value.h"

extern Oid	cpg_argument_type(FunctionCallInfo fcinfo, int argument);
extern CpgTypeInfo *cpg_call_site_type(FunctionCallInfo fcinfo, Oid typid);
extern int64 cpg_optional_ttl(FunctionCallInfo fcinfo, int argument);

/* Tags of a value, as cells (each tag's, and those of their groups) and as notes. */
typedef struct CpgTags
{
	int			count;			/* of cells */
	CpgCell		cells[2 * CPG_TAGS_MAX];
	StringInfoData notes;
} CpgTags;

extern void cpg_fetch_arguments(FunctionCallInfo fcinfo, int first, CpgArgsForm form,
								CpgFetch *fetch, CpgTags *tags);
extern void cpg_tags_argument(FunctionCallInfo fcinfo, int argument, CpgTags *tags);
extern CpgRead cpg_peek_key(const text *text_key, int64 now, CpgValue *value);
extern int	cpg_array_elements(ArrayType *array, const char *what, Datum **elements, bool **nulls);
extern text *cpg_key_argument(FunctionCallInfo fcinfo, int argument);

#endif							/* CPG_API_API_H */
