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
#include "policy/key.h"
#include "policy/ttl.h"
#include "utils/timestamp.h"
#include "value/value.h"

/* What a call site remembers between calls, in fn_extra. */
typedef struct CpgCallSite
{
	CpgTypeInfo type;			/* of the argument stored, or asked for */
	CpgDomainState domain;
} CpgCallSite;

extern CpgCallSite *cpg_call_site(FunctionCallInfo fcinfo, Oid typid);
extern CpgCallSite *cpg_call_site_of_argument(FunctionCallInfo fcinfo, int argument);
extern int64 cpg_optional_ttl(FunctionCallInfo fcinfo, int argument);
extern text *cpg_key_argument(FunctionCallInfo fcinfo, int argument);

#endif							/* CPG_API_API_H */
