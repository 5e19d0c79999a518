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

/* What came of a refresh by a worker. */
typedef enum CpgRefreshed
{
	CPG_REFRESHED_CHANGED,
	CPG_REFRESHED_UNCHANGED,
	CPG_REFRESHED_WASTED,		/* not needed any more, or not kept */
	CPG_REFRESHED_FAILED
} CpgRefreshed;

/* A request for a worker. */
typedef struct CpgRefreshRequest
{
	CpgFetch	fetch;
	Oid			login;			/* who had logged in */
	Oid			role;			/* who asked */
	const char *set_role;		/* the setting "role" */
	uint64		fingerprint;
	uint64		identity;
	int64		created;		/* of the value that is due */
	const char *settings;
	Size		settings_len;
	CpgQueryMemo *memo;
} CpgRefreshRequest;

/* request.c */
extern void cpg_request_read(const char *data, Size len, CpgRefreshRequest *request);

/* early.c */
extern void cpg_refresh_gave_up(uint64 tag);
extern CpgRefreshed cpg_refresh_perform(uint64 tag, CpgRefreshRequest *request, ErrorData **error);

/* many.c */
extern void cpg_fetch_many(text **keys, int count, Datum *values, bool *nulls);

/* fetch.c */
extern Datum cpg_fetch(CpgFetch *fetch, bool *isnull);

#endif							/* CPG_FETCH_FETCH_H */
