/*-------------------------------------------------------------------------
 *
 * fetch.h
 *	  Read-through: the cached result of a query.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_FETCH_FETCH_H
#define CPG_FETCH_FETCH_H

#include "guard/guard.h"
#include "utils/array.h"

#define CPG_FETCH_ARGS_MAX 1000

/* Arguments of a query: known types with values, or texts to be read. */
typedef struct CpgArgs
{
	int			count;
	Oid		   *types;			/* InvalidOid: as the query infers */
	Datum	   *values;			/* of unknown type: a C string */
	bool	   *nulls;
} CpgArgs;

typedef struct CpgFetch
{
	text	   *key;
	text	   *query;
	CpgArgs		args;
	int64		ttl;			/* milliseconds, 0: the namespace's */
	const CpgCell *tags;		/* cells of its tags */
	int			ntags;
	const char *notes;			/* names of its tags */
	uint32		notes_len;
	bool		ttl_only;		/* consistency asked for, if it was */
	bool		has_consistency;
} CpgFetch;

/* args.c */
extern void cpg_args_from_record(Datum record, CpgArgs *args);
extern void cpg_args_from_array(ArrayType *array, CpgArgs *args);
extern uint64 cpg_args_hash(const CpgArgs *args, uint64 seed);
extern void cpg_args_bind(const char *query, CpgArgs *args);

/* loader.c */
typedef struct CpgLoaded
{
	Datum		value;			/* jsonb, in the caller's memory context */
	bool		isnull;
	int64		microseconds;
} CpgLoaded;

extern void cpg_loader_run(const CpgFetch *fetch, CpgLoaded *loaded);

/* fingerprint.c */
extern uint64 cpg_fetch_fingerprint(const CpgFetch *fetch);

/* fetch.c */
extern Datum cpg_fetch(CpgFetch *fetch, bool *isnull);

#endif							/* CPG_FETCH_FETCH_H */
