/*-------------------------------------------------------------------------
 *
 * ttl.h
 *	  Lifetimes as SQL intervals.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_POLICY_TTL_H
#define CPG_POLICY_TTL_H

#include "datatype/timestamp.h"

#define CPG_TTL_MAX_DAYS	3653	/* ten years */

extern int64 cpg_ttl_from_interval(const Interval *interval, const char *what);
extern Interval *cpg_ttl_to_interval(int64 milliseconds);

#endif							/* CPG_POLICY_TTL_H */
