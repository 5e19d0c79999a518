/*-------------------------------------------------------------------------
 *
 * fetch.h
 *	  Read-through: the cached result of a query.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_FETCH_FETCH_H
#define CPG_FETCH_FETCH_H

#include "loader/loader.h"

/* fetch.c */
extern Datum cpg_fetch(CpgFetch *fetch, bool *isnull);

#endif							/* CPG_FETCH_FETCH_H */
