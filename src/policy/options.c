/*-------------------------------------------------------------------------
 *
 * options.c
 *	  The policy of a namespace as it is written in SQL.
 *
 * One row for each option: it is an argument of cache_namespace_create and
 * _alter, a column of cachepg_namespace and a column of the view
 * cache_namespaces, in this order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "error.h"
#include "policy/namespace.h"
#include "policy/ttl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#define VARY_BY_MAX		16
#define STALE_ON_MAX	64

#define AT(field) offsetof(CpgNamespace, field)
#define BIG 2147483647.0

const CpgOption cpg_options[CPG_NOPTIONS] = {
	{"ttl", CPG_OPTION_TIME, AT(ttl)},
	{"negative_ttl", CPG_OPTION_TIME, AT(negative_ttl)},
	{"jitter", CPG_OPTION_NUMBER, AT(jitter), false, 0, 0.99},
	{"scope", CPG_OPTION_CHOICE, AT(shared), true, 0, 0, {"role", "shared"}},
	{"max_entries", CPG_OPTION_SIZE, AT(max_entries)},
	{"max_bytes", CPG_OPTION_SIZE, AT(max_bytes)},
	{"consistency", CPG_OPTION_CHOICE, AT(ttl_only), false, 0, 0, {"commit", "ttl"}},
	{"adhoc", CPG_OPTION_CHOICE, AT(adhoc_shared), true, 0, 0, {"role", "shared"}},
	{"vary_by", CPG_OPTION_VARY_BY, 0, true},
	{"loader", CPG_OPTION_LOADER, 0, true},
	{"soft_ttl", CPG_OPTION_TIME, AT(soft_ttl)},
	{"stale_for", CPG_OPTION_TIME, AT(stale_for)},
	{"beta", CPG_OPTION_NUMBER, AT(beta), false, 0, 100},
	{"adaptive", CPG_OPTION_SWITCH, AT(adaptive)},
	{"min_ttl", CPG_OPTION_TIME, AT(min_ttl)},
	{"max_ttl", CPG_OPTION_TIME, AT(max_ttl)},
	{"load_timeout", CPG_OPTION_TIME, AT(load_timeout)},
	{"soft_timeout", CPG_OPTION_TIME, AT(soft_timeout)},
	{"wait_timeout", CPG_OPTION_TIME, AT(wait_timeout)},
	{"on_wait_timeout", CPG_OPTION_CHOICE, AT(load_on_wait_timeout), false, 0, 0, {"error", "load"}},
	{"max_loads", CPG_OPTION_COUNT, AT(max_loads), false, 1, BIG},
	{"retry_after", CPG_OPTION_TIME, AT(retry_after)},
	{"fallback", CPG_OPTION_FALLBACK},
	{"stale_on", CPG_OPTION_STALE_ON},
	{"breaker", CPG_OPTION_SWITCH, AT(breaker)},
	{"breaker_window", CPG_OPTION_COUNT, AT(breaker_window), false, 1, 64},
	{"breaker_min_calls", CPG_OPTION_COUNT, AT(breaker_min_calls), false, 1, 64},
	{"breaker_ratio", CPG_OPTION_NUMBER, AT(breaker_ratio), false, 0.01, 1},
	{"breaker_slow", CPG_OPTION_NUMBER, AT(breaker_slow), false, 0.01, 1},
	{"breaker_open", CPG_OPTION_TIME, AT(breaker_open)},
	{"warm_after_crash", CPG_OPTION_SWITCH, AT(warm_after_crash)},
	{"l2", CPG_OPTION_SWITCH, AT(l2)},
	{"l2_ttl", CPG_OPTION_TIME, AT(l2_ttl)},
	{"codec", CPG_OPTION_CHOICE, AT(codec), false, 0, 0, {"json", "msgpack", "binary"}},
	{"compress_above", CPG_OPTION_COUNT, AT(compress_above), false, 0, BIG},
	{"load_lock", CPG_OPTION_SWITCH, AT(load_lock)},
};

static inline void *
field_of(const CpgOption *option, const CpgNamespace *ns)
{
	return (char *) ns + option->offset;
}

/* The policy of a namespace for which nothing is set; its name is. */
void
cpg_options_default(CpgNamespace *ns)
{
	ns->ttl = CPG_DEFAULT_TTL;
	ns->negative_ttl = CPG_DEFAULT_NEGATIVE_TTL;
	ns->beta = CPG_DEFAULT_BETA;
	ns->load_timeout = CPG_DEFAULT_LOAD_TIMEOUT;
	ns->max_loads = CPG_DEFAULT_MAX_LOADS;
	ns->retry_after = CPG_DEFAULT_RETRY_AFTER;
	/* what has no source in common has no breaker in common */
	ns->breaker = strcmp(ns->name, CPG_DEFAULT_NAMESPACE) != 0;
	ns->breaker_window = CPG_DEFAULT_BREAKER_WINDOW;
	ns->breaker_min_calls = CPG_DEFAULT_BREAKER_CALLS;
	ns->breaker_ratio = CPG_DEFAULT_BREAKER_RATIO;
	ns->breaker_slow = CPG_DEFAULT_BREAKER_SLOW;
	ns->breaker_open = CPG_DEFAULT_BREAKER_OPEN;
	ns->l2 = true;
	ns->compress_above = CPG_DEFAULT_COMPRESS_ABOVE;
	ns->vary.all = true;
}

/* Fill in the defaults that follow from other options. */
void
cpg_options_complete(CpgNamespace *ns)
{
	if (ns->wait_timeout == 0)
		ns->wait_timeout = ns->load_timeout + CPG_DEFAULT_WAIT_MARGIN;
	if (ns->min_ttl == 0)
		ns->min_ttl = Max(ns->ttl / CPG_ADAPTIVE_RANGE, 1);
	if (ns->max_ttl == 0)
		ns->max_ttl = ns->ttl * CPG_ADAPTIVE_RANGE;
	ns->max_ttl = Max(ns->max_ttl, ns->min_ttl);
}

/* The SQL type of an option. */
Oid
cpg_option_type(const CpgOption *option)
{
	switch (option->kind)
	{
		case CPG_OPTION_TIME:
			return INTERVALOID;
		case CPG_OPTION_SIZE:
			return INT8OID;
		case CPG_OPTION_COUNT:
			return INT4OID;
		case CPG_OPTION_NUMBER:
			return FLOAT8OID;
		case CPG_OPTION_SWITCH:
			return BOOLOID;
		case CPG_OPTION_CHOICE:
		case CPG_OPTION_LOADER:
			return TEXTOID;
		case CPG_OPTION_VARY_BY:
		case CPG_OPTION_STALE_ON:
			return TEXTARRAYOID;
		case CPG_OPTION_FALLBACK:
			return JSONBOID;
	}
	pg_unreachable();
}

/* The elements of a text array; NULLs are "". */
static char **
words_of(Datum array, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	char	  **words;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, count);
	words = palloc(Max(*count, 1) * sizeof(char *));
	for (int i = 0; i < *count; i++)
		words[i] = nulls[i] ? pstrdup("") : TextDatumGetCString(elements[i]);
	return words;
}

static void
check_range(const CpgOption *option, double value)
{
	if (!(value >= option->min && value <= option->max))
		cpg_error_bad_argument(option->max == BIG ? "%s must be at least %g" : "%s must be between %g and %g",
							   option->name, option->min, option->max);
}

/* The number of a word among those of a choice, -1 if it is none of them. */
static int
choice_of(const CpgOption *option, const char *value)
{
	for (int i = 0; i < CPG_OPTION_WORDS && option->word[i] != NULL; i++)
	{
		if (strcmp(value, option->word[i]) == 0)
			return i;
	}
	return -1;
}

static void
check_choice(const CpgOption *option, const char *value)
{
	if (choice_of(option, value) >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s \"%s\"", option->name, value),
			 option->word[2] == NULL ? errhint("It is either %s or %s.", option->word[0], option->word[1]) :
			 errhint("It is %s, %s or %s.", option->word[0], option->word[1], option->word[2])));
}

/* A codec must be one that this library was built with. */
static void
check_codec(const char *name)
{
	if (strcmp(name, "msgpack") == 0 && !cpg_codec_available(CPG_FRAME_MSGPACK))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("codec \"%s\" is not supported by this build", name),
				 errdetail("It was built without libmsgpack-c.")));
}

static void
check_array(const CpgOption *option, Datum value, int limit)
{
	int			count = ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(value)), ARR_DIMS(DatumGetArrayTypeP(value)));

	if (ARR_NDIM(DatumGetArrayTypeP(value)) > 1)
		cpg_error_bad_argument("%s must be a one-dimensional array", option->name);
	if (count > limit)
		cpg_error_bad_argument("too many %s in %s: %d, the limit is %d",
							   option->kind == CPG_OPTION_VARY_BY ? "settings" : "elements",
							   option->name, count, limit);
}

/* Names of settings: application-defined ones, set or not, or PostgreSQL's. */
static void
check_vary_by(Datum value)
{
	int			count;
	char	  **names = words_of(value, &count);

	for (int i = 0; i < count; i++)
	{
		if (names[i][0] == '\0' ||
			(strchr(names[i], '.') == NULL && GetConfigOption(names[i], true, false) == NULL))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("unrecognized setting \"%s\" in vary_by", names[i]),
					 errhint("Name settings of PostgreSQL, or of your application with a dot, as in app.tenant.")));
	}
}

/* Whether a word is an SQLSTATE, which is five digits and upper case letters. */
static bool
is_sqlstate(const char *word)
{
	return strlen(word) == 5 && strspn(word, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5;
}

static int
sqlstate_of(const char *word)
{
	return MAKE_SQLSTATE(word[0], word[1], word[2], word[3], word[4]);
}

static void
check_stale_on(Datum value)
{
	int			count;
	char	  **states = words_of(value, &count);

	for (int i = 0; i < count; i++)
	{
		if (!is_sqlstate(states[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid SQLSTATE \"%s\" in stale_on", states[i]),
					 errhint("An SQLSTATE has five digits or upper case letters, as in P0001.")));
		if (strcmp(states[i], "57014") == 0 || strcmp(states[i], "40001") == 0 ||
			strcmp(states[i], "40P01") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("SQLSTATE \"%s\" cannot be in stale_on", states[i]),
					 errdetail("Cancellations, serialization failures and deadlocks are never hidden.")));
	}
}

/*
 * Raise invalid_parameter_value, or undefined_object for a setting, unless a
 * value is one for the option.
 */
void
cpg_option_check(const CpgOption *option, Datum value)
{
	switch (option->kind)
	{
		case CPG_OPTION_TIME:
			(void) cpg_ttl_from_interval(DatumGetIntervalP(value), option->name);
			break;
		case CPG_OPTION_SIZE:
			if (DatumGetInt64(value) <= 0)
				cpg_error_bad_argument("%s must be greater than zero", option->name);
			break;
		case CPG_OPTION_COUNT:
			check_range(option, DatumGetInt32(value));
			break;
		case CPG_OPTION_NUMBER:
			check_range(option, DatumGetFloat8(value));
			break;
		case CPG_OPTION_CHOICE:
			check_choice(option, TextDatumGetCString(value));
			if (option->offset == AT(codec))
				check_codec(TextDatumGetCString(value));
			break;
		case CPG_OPTION_VARY_BY:
			check_array(option, value, VARY_BY_MAX);
			check_vary_by(value);
			break;
		case CPG_OPTION_STALE_ON:
			check_array(option, value, STALE_ON_MAX);
			check_stale_on(value);
			break;
		case CPG_OPTION_SWITCH:
		case CPG_OPTION_LOADER:
		case CPG_OPTION_FALLBACK:
			break;
	}
}

/* Whether one of two options is given. */
static bool
is_either_given(const bool *given, size_t one, size_t other)
{
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		if (given[i] && (cpg_options[i].offset == one || cpg_options[i].offset == other))
			return true;
	}
	return false;
}

/*
 * Look at options that mean something together, of a policy as its row says, if
 * one of them is given: raise invalid_parameter_value for what cannot be, tell of
 * what has no effect.
 */
void
cpg_options_check_together(const CpgNamespace *ns, const bool *given)
{
	if (is_either_given(given, AT(min_ttl), AT(max_ttl)) &&
		ns->max_ttl != 0 && ns->min_ttl > ns->max_ttl)
		cpg_error_bad_argument("min_ttl must not be greater than max_ttl");
	if (is_either_given(given, AT(soft_ttl), AT(ttl)) && !ns->adaptive && ns->soft_ttl >= ns->ttl)
		ereport(NOTICE,
				(errmsg("soft_ttl has no effect in cache namespace \"%s\"", ns->name),
				 errdetail("It is not shorter than ttl.")));
	if (is_either_given(given, AT(soft_timeout), AT(stale_for)) && ns->soft_timeout != 0 && ns->stale_for == 0)
		ereport(NOTICE,
				(errmsg("soft_timeout has no effect in cache namespace \"%s\"", ns->name),
				 errdetail("Without stale_for there are no expired values to return after it.")));
}

/* Empty names, which no function writes, are skipped. */
static void
read_vary_by(CpgNamespace *ns, Datum value, MemoryContext context)
{
	int			count;
	char	  **names = words_of(value, &count);

	ns->vary.all = false;
	ns->vary.names = MemoryContextAlloc(context, Max(count, 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		if (names[i][0] != '\0')
			ns->vary.names[ns->vary.count++] = MemoryContextStrdup(context, names[i]);
	}
}

static void
read_stale_on(CpgNamespace *ns, Datum value, MemoryContext context)
{
	int			count;
	char	  **states = words_of(value, &count);

	ns->stale_on = MemoryContextAlloc(context, Max(count, 1) * sizeof(int));
	for (int i = 0; i < count; i++)
	{
		if (is_sqlstate(states[i]))
			ns->stale_on[ns->nstale_on++] = sqlstate_of(states[i]);
	}
}

static void
read_fallback(CpgNamespace *ns, Datum value, MemoryContext context)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);

	ns->fallback = MemoryContextAlloc(context, VARSIZE(jsonb));
	memcpy(ns->fallback, jsonb, VARSIZE(jsonb));
}

/* Take an option from its column; what is kept is in the context. */
void
cpg_option_read(const CpgOption *option, Datum value, CpgNamespace *ns, MemoryContext context)
{
	void	   *field = field_of(option, ns);

	switch (option->kind)
	{
		case CPG_OPTION_TIME:
			*(int64 *) field = cpg_ttl_from_interval(DatumGetIntervalP(value), option->name);
			break;
		case CPG_OPTION_SIZE:
			*(int64 *) field = DatumGetInt64(value);
			break;
		case CPG_OPTION_COUNT:
			*(int *) field = DatumGetInt32(value);
			break;
		case CPG_OPTION_NUMBER:
			*(double *) field = DatumGetFloat8(value);
			break;
		case CPG_OPTION_SWITCH:
			*(bool *) field = DatumGetBool(value);
			break;
		case CPG_OPTION_CHOICE:
			*(uint8 *) field = Max(choice_of(option, TextDatumGetCString(value)), 0);
			break;
		case CPG_OPTION_VARY_BY:
			read_vary_by(ns, value, context);
			break;
		case CPG_OPTION_LOADER:
			ns->loader = MemoryContextStrdup(context, TextDatumGetCString(value));
			break;
		case CPG_OPTION_FALLBACK:
			read_fallback(ns, value, context);
			break;
		case CPG_OPTION_STALE_ON:
			read_stale_on(ns, value, context);
			break;
	}
}

static Datum
array_of(Datum *elements, int count)
{
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
show_vary_by(const CpgNamespace *ns)
{
	Datum	   *names = palloc(Max(ns->vary.count, 1) * sizeof(Datum));

	for (int i = 0; i < ns->vary.count; i++)
		names[i] = CStringGetTextDatum(ns->vary.names[i]);
	return array_of(names, ns->vary.count);
}

static Datum
show_stale_on(const CpgNamespace *ns)
{
	Datum		states[STALE_ON_MAX];
	int			count = Min(ns->nstale_on, STALE_ON_MAX);

	for (int i = 0; i < count; i++)
		states[i] = CStringGetTextDatum(unpack_sql_state(ns->stale_on[i]));
	return array_of(states, count);
}

/* An option as it takes effect; NULL stands for none. */
Datum
cpg_option_show(const CpgOption *option, const CpgNamespace *ns, bool *isnull)
{
	void	   *field = field_of(option, ns);

	*isnull = false;
	switch (option->kind)
	{
		case CPG_OPTION_TIME:
			*isnull = *(int64 *) field == 0;
			return IntervalPGetDatum(cpg_ttl_to_interval(*(int64 *) field));
		case CPG_OPTION_SIZE:
			*isnull = *(int64 *) field == 0;
			return Int64GetDatum(*(int64 *) field);
		case CPG_OPTION_COUNT:
			return Int32GetDatum(*(int *) field);
		case CPG_OPTION_NUMBER:
			return Float8GetDatum(*(double *) field);
		case CPG_OPTION_SWITCH:
			return BoolGetDatum(*(bool *) field);
		case CPG_OPTION_CHOICE:
			return CStringGetTextDatum(option->word[*(uint8 *) field]);
		case CPG_OPTION_VARY_BY:
			*isnull = ns->vary.all;
			return show_vary_by(ns);
		case CPG_OPTION_LOADER:
			*isnull = ns->loader == NULL;
			return *isnull ? (Datum) 0 : CStringGetTextDatum(ns->loader);
		case CPG_OPTION_FALLBACK:
			*isnull = ns->fallback == NULL;
			return PointerGetDatum(ns->fallback);
		case CPG_OPTION_STALE_ON:
			*isnull = ns->nstale_on == 0;
			return show_stale_on(ns);
	}
	pg_unreachable();
}
