/*-------------------------------------------------------------------------
 *
 * namespace.h
 *	  Namespaces as a session sees them: policy and privileges.
 *
 * A copy of the catalog tables cachepg_namespace and cachepg_namespace_acl,
 * read at the first use and again after they changed.  A pointer to a
 * CpgNamespace holds until the next cpg_namespace_resolve, _find or _list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_POLICY_NAMESPACE_H
#define CPG_POLICY_NAMESPACE_H

#include "codec/codec.h"
#include "policy/registry.h"
#include "session/settings.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#define CPG_DEFAULT_TTL				INT64CONST(300000)	/* ms */
#define CPG_DEFAULT_NEGATIVE_TTL	INT64CONST(10000)
#define CPG_DEFAULT_LOAD_TIMEOUT	INT64CONST(5000)
#define CPG_DEFAULT_WAIT_MARGIN		INT64CONST(1000)
#define CPG_DEFAULT_RETRY_AFTER		INT64CONST(1000)
#define CPG_DEFAULT_MAX_LOADS		8
#define CPG_DEFAULT_BETA			1.0
#define CPG_DEFAULT_BREAKER_WINDOW	50
#define CPG_DEFAULT_BREAKER_CALLS	20
#define CPG_DEFAULT_BREAKER_RATIO	0.5
#define CPG_DEFAULT_BREAKER_SLOW	0.8
#define CPG_DEFAULT_BREAKER_OPEN	INT64CONST(10000)
#define CPG_DEFAULT_COMPRESS_ABOVE	2048
#define CPG_ADAPTIVE_RANGE			4	/* default: a quarter to four times
										 * ttl */

typedef enum CpgPrivilege
{
	CPG_PRIVILEGE_READ = 1,
	CPG_PRIVILEGE_WRITE = 2,
	CPG_PRIVILEGE_INVALIDATE = 4,
	CPG_PRIVILEGE_ADMIN = 8,
	CPG_PRIVILEGE_OWNER = 16
} CpgPrivilege;

#define CPG_PRIVILEGES_GRANTABLE 15

typedef struct CpgGrant
{
	Oid			grantee;		/* 0: PUBLIC */
	uint8		privileges;
} CpgGrant;

typedef struct CpgNamespace
{
	char		name[CPG_NAMESPACE_NAME_SIZE];
	uint8		name_len;
	Oid			owner;
	uint64		identity;		/* tells it from an earlier one of that name */
	/* policy, defaults filled in; times in milliseconds */
	int64		ttl;
	int64		negative_ttl;
	double		jitter;
	bool		shared;			/* scope: values for all roles, or one per
								 * role */
	bool		ttl_only;		/* consistency: lifetime alone, or commit */
	bool		adhoc_shared;	/* in shared scope: results of queries too */
	CpgVary		vary;
	char	   *loader;			/* signature of its function, or NULL */
	int64		max_entries;	/* 0: no limit */
	int64		max_bytes;
	/* when values are loaded again; see docs/stampede.md */
	int64		soft_ttl;		/* 0: none */
	int64		stale_for;		/* 0: expired values are not served */
	double		beta;			/* of XFetch; 0: off */
	bool		adaptive;		/* lifetimes between the next two */
	int64		min_ttl;
	int64		max_ttl;
	/* how long for, how many at once, what if it fails */
	int64		load_timeout;
	int64		soft_timeout;	/* 0: none */
	int64		wait_timeout;
	bool		load_on_wait_timeout;	/* else an error */
	int			max_loads;
	int64		retry_after;
	Jsonb	   *fallback;		/* NULL: none */
	int		   *stale_on;		/* SQLSTATEs that count as the source's */
	int			nstale_on;
	/* circuit breaker */
	bool		breaker;
	int			breaker_window;
	int			breaker_min_calls;
	double		breaker_ratio;
	double		breaker_slow;	/* share of load_timeout */
	int64		breaker_open;
	bool		warm_after_crash;
	/* the second level, Redis */
	bool		l2;
	int64		l2_ttl;			/* 0: none, the value's own lifetime */
	uint8		codec;			/* see cpg_namespace_codec() */
	int			compress_above; /* bytes; 0: never */
	bool		load_lock;		/* one load in all servers */
	/* privileges */
	CpgGrant   *grants;
	int			ngrants;
	Oid			checked_role;	/* whose privileges the next field has */
	uint32		checked_epoch;
	uint8		privileges;
	/* number in the store, valid while the generation is */
	int			number;
	uint32		generation;
	/* the loader's function, looked up at the first use and after changes */
	uint32		loader_epoch;	/* 0: not looked up */
	Oid			loader_function;
	uint64		loader_version;
} CpgNamespace;

/* namespace.c */
extern CpgNamespace *cpg_namespace_resolve(const char *key, Size len);
extern uint32 cpg_namespace_assignments(void);
extern void cpg_namespace_reread(void);
extern char *cpg_namespace_missing(const CpgNamespace *ns, const char *key, Size len);
extern CpgNamespace *cpg_namespace_find(const char *name);
extern CpgNamespace *cpg_namespace_get(const char *name);
extern CpgNamespace *cpg_namespace_copy(const CpgNamespace *ns);
extern CpgNamespace *cpg_namespace_by_number(int number);
extern int	cpg_namespace_list(CpgNamespace **first);
extern bool cpg_namespace_attach(CpgNamespace *ns);
extern int	cpg_namespace_number(const CpgNamespace *ns, uint32 *generation);

static inline bool
cpg_namespace_bounded(const CpgNamespace *ns)
{
	return ns->max_entries > 0 || ns->max_bytes > 0;
}

/*
 * How long expired values are kept: while they may be served or, to see that a
 * key is asked for again soon and whether its next value differs, for as long as
 * the shortest life.
 */
static inline int64
cpg_namespace_grace(const CpgNamespace *ns)
{
	return ns->adaptive ? Max(ns->stale_for, ns->min_ttl) : ns->stale_for;
}

/* How values are written to Redis. */
static inline CpgFrameCodec
cpg_namespace_codec(const CpgNamespace *ns)
{
	static const CpgFrameCodec codecs[] = {CPG_FRAME_JSON, CPG_FRAME_MSGPACK, CPG_FRAME_BINARY};

	return codecs[ns->codec];
}

/* options.c: policy as it is written in SQL, one row for each option */
typedef enum CpgOptionKind
{
	CPG_OPTION_TIME,			/* interval, int64 milliseconds */
	CPG_OPTION_SIZE,			/* bigint, int64 */
	CPG_OPTION_COUNT,			/* integer, int */
	CPG_OPTION_NUMBER,			/* double precision, double */
	CPG_OPTION_SWITCH,			/* boolean, bool */
	CPG_OPTION_CHOICE,			/* one of some words, uint8: which one; of two
								 * also bool: whether the second */
	CPG_OPTION_VARY_BY,
	CPG_OPTION_LOADER,
	CPG_OPTION_FALLBACK,
	CPG_OPTION_STALE_ON
} CpgOptionKind;

#define CPG_OPTION_WORDS 3

typedef struct CpgOption
{
	const char *name;			/* of the option and of its column */
	CpgOptionKind kind;
	Size		offset;			/* in CpgNamespace */
	bool		owner_only;		/* who administers may not change it */
	double		min;			/* of a number */
	double		max;
	const char *word[CPG_OPTION_WORDS]; /* of a choice; NULL: no more */
} CpgOption;

#define CPG_NOPTIONS 36

extern const CpgOption cpg_options[CPG_NOPTIONS];
extern void cpg_options_default(CpgNamespace *ns);
extern void cpg_options_complete(CpgNamespace *ns);
extern Oid	cpg_option_type(const CpgOption *option);
extern void cpg_option_check(const CpgOption *option, Datum value);
extern void cpg_options_check_together(const CpgNamespace *ns, const bool *given);
extern void cpg_option_read(const CpgOption *option, Datum value, CpgNamespace *ns, MemoryContext context);
extern Datum cpg_option_show(const CpgOption *option, const CpgNamespace *ns, bool *isnull);

/* acl.c */
extern uint8 cpg_namespace_privileges(CpgNamespace *ns);
extern bool cpg_namespace_visible(CpgNamespace *ns);
extern void cpg_namespace_deny(const CpgNamespace *ns, uint8 any_of, const char *missing);
extern void cpg_namespace_require(CpgNamespace *ns, uint8 any_of);
extern const char *cpg_privilege_name(uint8 privilege);
extern uint8 cpg_privilege_parse(const char *name);

/* catalog.c */
typedef struct CpgCatalog
{
	Oid			table;			/* cachepg_namespace */
	Oid			acl_table;
	Oid			watch_table;
	Oid			owner;			/* of the extension */
} CpgCatalog;

extern CpgCatalog cpg_catalog_find(void);
extern char *cpg_catalog_version(void);
extern bool cpg_catalog_read_row(const CpgCatalog *catalog, const char *name, CpgNamespace *ns);
extern CpgNamespace *cpg_catalog_read(const CpgCatalog *catalog, MemoryContext context, int *count);

#endif							/* CPG_POLICY_NAMESPACE_H */
