/*-------------------------------------------------------------------------
 *
 * loader.h
 *	  What a fetch is to load, and how: query, arguments, identity, context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_LOADER_LOADER_H
#define CPG_LOADER_LOADER_H

#include "compat.h"
#include "inval/deps.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/plancache.h"

#define CPG_FETCH_ARGS_MAX 1000

/* Arguments of a query: known types with values, or texts to be read. */
typedef struct CpgArgs
{
	int			count;
	Oid		   *types;			/* InvalidOid: as the query infers */
	Datum	   *values;			/* of unknown type: a C string */
	bool	   *nulls;
} CpgArgs;

/* Arguments as they were given; looked into only for a load. */
typedef enum CpgArgsForm
{
	CPG_ARGS_NONE,
	CPG_ARGS_RECORD,
	CPG_ARGS_ARRAY,
	CPG_ARGS_LIST				/* the columns of a record, from another
								 * session */
} CpgArgsForm;

/* The query of a call site and its hash, to compare instead of hashing. */
typedef struct CpgQueryMemo
{
	Size		len;
	uint64		hash;
	char		query[FLEXIBLE_ARRAY_MEMBER];
} CpgQueryMemo;

typedef struct CpgFetch
{
	text	   *key;
	text	   *query;			/* NULL: the namespace's registered loader */
	CpgArgsForm form;
	Datum		args;			/* a record or an array */
	CpgArgs    *list;			/* of CPG_ARGS_LIST */
	CpgQueryMemo **memo;		/* of the call site, may be made anew */
	MemoryContext memo_context;
	int64		ttl;			/* milliseconds, 0: the namespace's */
	int64		soft_ttl;		/* likewise */
	double		beta;			/* of XFetch, if has_beta */
	bool		has_beta;
	Oid			rowtype;		/* of cache_query, else InvalidOid */
	const CpgCell *tags;		/* cells of its tags */
	int			ntags;
	const char *notes;			/* names of its tags */
	uint32		notes_len;
	bool		ttl_only;		/* consistency asked for, if it was */
	bool		has_consistency;
} CpgFetch;

/* args.c */
extern void cpg_args_read(const CpgFetch *fetch, CpgArgs *args);
extern uint64 cpg_args_hash(const CpgFetch *fetch, uint64 seed);
extern void cpg_args_infer(const char *query, CpgArgs *args);
extern void cpg_query_enter(const char *query, ErrorContextCallback *callback);
extern void cpg_query_leave(const ErrorContextCallback *callback);
extern void cpg_args_read_texts(const char *query, CpgArgs *args, const Oid *types);

/* registered.c */
extern char *cpg_registered_parse(const char *loader, Oid owner);
extern Oid	cpg_registered_find(CpgNamespace *ns, const text *key, uint64 *version);
extern char *cpg_registered_query(Oid function);
extern char *cpg_registered_query_many(Oid function);
extern bool cpg_registered_takes_array(Oid function);
extern void cpg_registered_check(Oid function, Oid owner);

/* context.c: whose rights and settings a loader runs with */
typedef struct CpgContext
{
	bool		registered;
	bool		shared;
	const char *name;			/* of the namespace */
	Oid			owner;			/* of the namespace */
	char	   *hidden;			/* settings it does not see, NULL for none */
	CpgVary		vary;
	/* what to go back to */
	Oid			user;
	int			security;
	int			nest_level;
} CpgContext;

extern void cpg_context_prepare(CpgContext *context, const CpgNamespace *ns, bool registered);
extern void cpg_context_enter(CpgContext *context);
extern void cpg_context_leave(const CpgContext *context);
extern void cpg_context_explain(const CpgContext *context, ErrorData *error);

/* run.c */
typedef struct CpgLoaded
{
	Datum		value;			/* in the caller's memory context */
	Oid			type;			/* of it: jsonb, or an array of rows */
	bool		isnull;
	int64		microseconds;
} CpgLoaded;

/* Rows of key and value. */
typedef struct CpgManyLoaded
{
	int			count;
	text	  **keys;			/* in the caller's memory context */
	Datum	   *values;			/* likewise, jsonb */
	bool	   *nulls;
	int64		microseconds;
} CpgManyLoaded;

extern void cpg_loaded_take(CpgLoaded *loaded, Oid type, Datum value, bool isnull, MemoryContext caller);
extern void cpg_loader_run(const char *query, CpgArgs *args, Oid rowtype, CpgLoaded *loaded);
extern void cpg_loader_run_many(const char *query, CpgArgs *args, CpgManyLoaded *loaded);
CPG_NORETURN extern void cpg_loader_refuse(int spi_code);

/* plans.c */
typedef struct CpgPlan CpgPlan;

typedef struct CpgStatement
{
	const char *query;
	CpgArgs    *args;			/* get types and values of them */
	/* found by cpg_plan_find */
	uint64		hash;
	CpgPlan    *plan;			/* that is kept, or NULL */
} CpgStatement;

extern void cpg_plan_find(CpgStatement *statement);
extern bool cpg_plan_evaluate(CpgStatement *statement, CpgLoaded *loaded);
extern int	cpg_plan_execute(CpgStatement *statement, const char *nulls, long limit);

/* expression.c */
extern bool cpg_expression_is_all(const CachedPlan *cached);
extern bool cpg_expression_evaluate(CachedPlanSource *source, const CpgArgs *args, CpgLoaded *loaded);

/* fingerprint.c */
extern uint64 cpg_hash_search_path(uint64 hash);
extern uint64 cpg_fingerprint_of_query(const CpgFetch *fetch, bool ttl_only, uint64 identity);
extern uint64 cpg_fingerprint_of_loader(Oid function, uint64 version, bool ttl_only,
										uint64 identity);

#endif							/* CPG_LOADER_LOADER_H */
