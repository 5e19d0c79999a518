/*-------------------------------------------------------------------------
 *
 * fetch_internal.h
 *	  One call of cache_fetch on its way, for the files of this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_FETCH_INTERNAL_H
#define CPG_FETCH_INTERNAL_H

#include "fetch/fetch.h"
#include "flight/flight.h"
#include "l2/lock.h"

#define CPG_MAY_PUBLISH CPG_NCOUNTERS

/* How a load ended. */
typedef struct CpgOutcome
{
	bool		loaded;
	bool		source_failed;	/* else, if not loaded, the error is the
								 * query's */
	bool		timed_out;
	bool		final;			/* the transaction has to end with the error */
	ErrorData  *error;			/* if not loaded */
	CpgCounter	unkept;			/* why it was not kept, or CPG_MAY_PUBLISH */
} CpgOutcome;

/* What an answer other than a loaded value stands for. */
typedef enum CpgInstead
{
	CPG_INSTEAD_OF_LOAD,		/* which failed; there is an error */
	CPG_INSTEAD_OF_RETRY,		/* another session's load failed lately */
	CPG_INSTEAD_OF_BREAKER,		/* it is open */
	CPG_INSTEAD_OF_WAIT,		/* which took too long */
	CPG_INSTEAD_OF_PERMIT		/* too many loads are in progress */
} CpgInstead;

typedef struct CpgExcuse
{
	CpgInstead	what;
	ErrorData  *error;			/* of the load */
	bool		timed_out;		/* it ran longer than load_timeout */
	bool		final;			/* there can be no other answer than the error */
	int			sqlerrcode;		/* of another session's load */
	int64		retry_at;
} CpgExcuse;

typedef struct CpgCall
{
	const CpgFetch *fetch;
	CpgNamespace *ns;			/* the session's; from a miss on a copy */
	CpgKey		key;
	uint64		identity;		/* for whom the value is */
	uint64		tag;			/* of its flights */
	Oid			role;			/* of its key */
	Oid			function;		/* the registered loader, else InvalidOid */
	bool		ttl_only;		/* its consistency: lifetime alone, or commit */
	CpgCounter	reason;			/* why nothing it loads is kept, or
								 * CPG_MAY_PUBLISH */
	bool		for_session;	/* a worker loads it, for the session that
								 * asked */
	bool		has_old;		/* there was a value, fresh or expired */
	CpgValue	old;
	/* the answer */
	Datum		value;
	bool		isnull;
	CpgExcuse	excuse;			/* for one that is not loaded */
	/* a load */
	Oid			runs_as;
	CpgContext	context;
	uint64		stamp;
	bool		behind;			/* on a standby: what was invalidated is not
								 * replayed yet */
	int			own_changes;	/* uncommitted ones of this transaction before
								 * the load */
	int64		expiry;			/* of the value, kept or not */
	bool		changed;		/* it differs from the old one */
	bool		handable;		/* nothing forbids to share it but its age */
	int64		patience;		/* ms to wait for a permit */
	bool		all_or_nothing; /* if the load fails the call does: no
								 * subtransaction */
	CpgLoad		load;
	CpgLoaded	loaded;
	/* in Redis */
	bool		named;
	CpgL2Name	name;
	int64		asked;			/* when Redis was asked first, else 0; at this
								 * stamp, and */
	uint64		known;			/* with this known to have changed at the home */
	CpgL2Lock	lock;			/* of all servers on its load */
	uint64		position;		/* of the home's clock, before the load */
	bool		awaited;		/* another server was loading it */
	bool		handed;			/* it is what another server loaded */
	/* a load of many keys at once, else NULL */
	ArrayType  *many_keys;
	CpgManyLoaded *many;
} CpgCall;

/* fetch.c */
extern void cpg_call_find_key(CpgCall *call, uint64 identity);
extern void cpg_call_clear(CpgCall *call, const CpgFetch *fetch);
extern void cpg_call_begin(CpgCall *call, const CpgFetch *fetch);
extern bool cpg_call_hit(CpgCall *call);
extern Oid	cpg_call_role(const CpgCall *call, const CpgNamespace *ns);
extern bool cpg_call_read(CpgCall *call, int64 grace, CpgValue *value, CpgRead *read);

/* pipeline.c */
extern void cpg_call_judge(CpgCall *call);
extern void cpg_call_keep(CpgCall *call);
extern bool cpg_call_look_again(CpgCall *call);
extern bool cpg_call_lead(CpgCall *call, CpgFlight *flight);
extern bool cpg_call_may_load(CpgCall *call, CpgFlight *flight);
extern bool cpg_call_load(CpgCall *call, CpgFlight *flight, CpgOutcome *outcome);
extern void cpg_call_loaded(CpgCall *call, CpgFlight *flight, CpgOutcome *outcome);
extern void cpg_call_failed(CpgCall *call, CpgFlight *flight, const CpgOutcome *outcome);
extern void cpg_call_hand_on(const CpgCall *call);
extern void cpg_call_miss(CpgCall *call);

/* early.c: before a value expires */
extern bool cpg_refresh_is_due(const CpgCall *call, int64 now);
extern bool cpg_refresh_queue(CpgCall *call);
extern bool cpg_refresh_early(CpgCall *call);

/* request.c */
extern void cpg_request_write(const CpgCall *call, StringInfo to);

/* load.c */
extern void cpg_load_run(CpgCall *call, CpgOutcome *outcome);

/* publish.c */
extern CpgCounter cpg_publish_reason(const CpgCall *call, CpgNamespace *ns);
extern CpgCounter cpg_publish(CpgCall *call);
extern bool cpg_hand_over(CpgCall *call, const CpgFlight *flight);
extern bool cpg_take_over(CpgCall *call, uint32 number);

/* level2.c */
extern bool cpg_call_from_l2(CpgCall *call, const CpgFlight *flight);
extern void cpg_calls_from_l2(CpgCall **calls, int count, bool *found);
extern void cpg_calls_elsewhere(CpgCall **calls, int count, bool *there);
extern bool cpg_call_elsewhere(CpgCall *call, const CpgFlight *flight);
extern void cpg_call_to_l2(CpgCall *call, const CpgNamespace *ns, const CpgKey *key,
						   const CpgItem *item);

/* serve.c: answers without a load of the own */
extern bool cpg_serve_stale(CpgCall *call);
extern void cpg_serve_instead(CpgCall *call);

#endif							/* CPG_FETCH_INTERNAL_H */
