/*-------------------------------------------------------------------------
 *
 * redis.c
 *	  cache_redis, cache_redis_ping, cache_redis_nodes, cache_redis_locate and
 *	  cache_redis_plan.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/row.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "error.h"
#include "fault.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "guc.h"
#include "redis/redis.h"
#include "utils/array.h"
#include "utils/json.h"

PG_FUNCTION_INFO_V1(cachepg_cache_redis);
PG_FUNCTION_INFO_V1(cachepg_cache_redis_locate);
PG_FUNCTION_INFO_V1(cachepg_cache_redis_ping);
PG_FUNCTION_INFO_V1(cachepg_cache_redis_plan);
PG_FUNCTION_INFO_V1(cachepg_redis_nodes);

#define PLAN_KEYS		100000
#define ARGUMENTS_MAX	1024

/*
 * Commands that make no sense through a connection that lives for one call
 * (subscriptions, transactions, its own settings), that wait, or that
 * administrate the server.  Sorted.
 */
static const char *const refused_commands[] =
{
	"ACL", "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP",
	"BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "CLIENT", "CLUSTER", "CONFIG", "DEBUG",
	"DISCARD", "EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "EXEC", "FAILOVER", "FCALL",
	"FCALL_RO", "FLUSHALL", "FUNCTION", "HELLO", "LATENCY", "MIGRATE", "MODULE", "MONITOR",
	"MULTI", "PFDEBUG", "PFSELFTEST", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "QUIT", "READONLY",
	"READWRITE", "REPLCONF", "REPLICAOF", "RESET", "RESTORE-ASKING", "SAVE", "SCRIPT", "SELECT",
	"SHUTDOWN", "SLAVEOF", "SLOWLOG", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SWAPDB", "SYNC",
	"UNSUBSCRIBE", "UNWATCH", "WAIT", "WAITAOF", "WATCH"
};

static bool
is_refused(const char *command, int argc, const char **argv)
{
	for (int i = 0; i < lengthof(refused_commands); i++)
	{
		if (pg_strcasecmp(command, refused_commands[i]) == 0)
			return true;
	}
	/* these wait only if they are told to */
	if (pg_strcasecmp(command, "XREAD") != 0 && pg_strcasecmp(command, "XREADGROUP") != 0)
		return false;
	for (int i = 1; i < argc; i++)
	{
		if (pg_strcasecmp(argv[i], "STREAMS") == 0)
			break;
		if (pg_strcasecmp(argv[i], "BLOCK") == 0)
			return true;
	}
	return false;
}

static void
require_servers(void)
{
	cpg_require_preload();
	if (!cpg_redis_configured())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no Redis server is configured"),
				 errhint("Set \"cachepg.redis_servers\".")));
}

static int
code_of(CpgRedisStatus status)
{
	switch (status)
	{
		case CPG_REDIS_UNAVAILABLE:
		case CPG_REDIS_CONFIGURATION:
			return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
		case CPG_REDIS_VIOLATION:
			return ERRCODE_PROTOCOL_VIOLATION;
		case CPG_REDIS_NO_SLOT:
			return ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
		default:
			return ERRCODE_CONNECTION_FAILURE;
	}
}

/*
 * What an error of the server begins with.  The rest is not shown: it may
 * repeat keys and arguments.
 */
static char *
error_word(const CpgRedisReply *reply)
{
	size_t		n = 0;

	while (n < reply->len && n < 24 && reply->data[n] >= 'A' && reply->data[n] <= 'Z')
		n++;
	return n == 0 ? pstrdup("ERR") : pnstrdup(reply->data, n);
}

/* Text as it came, or in hexadecimal if it is none of this database's encoding. */
static char *
readable(const CpgRedisReply *reply)
{
	char	   *hex;

	if (pg_verify_mbstr(GetDatabaseEncoding(), reply->data, (int) reply->len, true))
		return reply->data;
	hex = palloc(reply->len * 2 + 3);
	hex[0] = '\\';
	hex[1] = 'x';
	hex[2 + hex_encode(reply->data, reply->len, hex + 2)] = '\0';
	return hex;
}

/* A part of an array: JSON, with errors as strings. */
static void
append_json(StringInfo out, const CpgRedisReply *reply)
{
	switch (reply->type)
	{
		case CPG_REDIS_NIL:
			appendStringInfoString(out, "null");
			break;
		case CPG_REDIS_INTEGER:
			appendStringInfo(out, INT64_FORMAT, reply->integer);
			break;
		case CPG_REDIS_ARRAY:
			appendStringInfoChar(out, '[');
			for (int i = 0; i < reply->count; i++)
			{
				if (i > 0)
					appendStringInfoString(out, ", ");
				append_json(out, &reply->items[i]);
			}
			appendStringInfoChar(out, ']');
			break;
		default:
			escape_json(out, readable(reply));
			break;
	}
}

static text *
reply_text(const CpgRedisReply *reply)
{
	StringInfoData out;

	if (reply->type == CPG_REDIS_STRING || reply->type == CPG_REDIS_STATUS)
		return cstring_to_text(readable(reply));
	initStringInfo(&out);
	append_json(&out, reply);
	return cstring_to_text_with_len(out.data, out.len);
}

/* Command and arguments as Redis gets them. */
static int
collect_arguments(text *command, ArrayType *array, const char **argv, size_t *lens)
{
	Datum	   *items;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &count);
	if (count >= ARGUMENTS_MAX)
		cpg_error_bad_argument("a command can have at most %d arguments", ARGUMENTS_MAX - 1);
	argv[0] = text_to_cstring(command);
	lens[0] = strlen(argv[0]);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			cpg_error_null_argument("argument of a command");
		argv[i + 1] = text_to_cstring(DatumGetTextPP(items[i]));
		lens[i + 1] = strlen(argv[i + 1]);
	}
	return count + 1;
}

/* Whatever node the first argument, taken as a key, is on gets the command. */
Datum
cachepg_cache_redis(PG_FUNCTION_ARGS)
{
	const char *argv[ARGUMENTS_MAX];
	size_t		lens[ARGUMENTS_MAX];
	CpgRedisReply reply;
	CpgRedisStatus status;
	unsigned	flags = CPG_SKIP("redis-own") ? CPG_REDIS_IDEMPOTENT : CPG_REDIS_OWN;
	int			node;
	int			argc;

	require_servers();
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("command");
	if (PG_ARGISNULL(1))
		cpg_error_null_argument("arguments of a command");
	argc = collect_arguments(PG_GETARG_TEXT_PP(0), PG_GETARG_ARRAYTYPE_P(1), argv, lens);
	if (is_refused(argv[0], argc, argv))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this command of Redis cannot be used here"),
				 errdetail("Commands that wait, that change the state of a connection, that run scripts or that administrate the server are refused.")));
	node = argc > 1 ? cpg_redis_node_for(argv[1], lens[1]) : 0;
	status = cpg_redis_call(node, argc, argv, lens, flags, -1, &reply);
	if (status != CPG_REDIS_OK)
		ereport(ERROR,
				(errcode(code_of(status)),
				 errmsg("Redis server \"%s\" failed: %s", cpg_redis_url(node)->name, cpg_redis_problem(status))));
	if (reply.type == CPG_REDIS_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("Redis server \"%s\" answered with an error: %s", cpg_redis_url(node)->name, error_word(&reply))));
	if (reply.type == CPG_REDIS_NIL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(reply_text(&reply));
}

/* The name of the server that keeps a Redis key; NULL if there is none. */
Datum
cachepg_cache_redis_locate(PG_FUNCTION_ARGS)
{
	text	   *key;

	cpg_require_preload();
	if (PG_ARGISNULL(0) || !cpg_redis_configured())
		PG_RETURN_NULL();
	key = PG_GETARG_TEXT_PP(0);
	PG_RETURN_TEXT_P(cstring_to_text(cpg_redis_url(cpg_redis_node_for(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)))->name));
}

/* Find a field of the answer to INFO. */
static bool
find_field(const CpgRedisReply *info, const char *field, char *value, size_t size)
{
	const char *at = info->data;

	while ((at = strstr(at, field)) != NULL)
	{
		size_t		n = 0;

		at += strlen(field);
		/* printed in a view, so nothing but what versions consist of */
		while (n < size - 1 && (isalnum((unsigned char) at[n]) || at[n] == '.' || at[n] == '-'))
		{
			value[n] = at[n];
			n++;
		}
		value[n] = '\0';
		return n > 0;
	}
	return false;
}

static void
note_version(int node, const CpgRedisReply *info)
{
	char		version[CPG_REDIS_VERSION_SIZE];

	/* a user may be forbidden to ask */
	if (info->type != CPG_REDIS_STRING)
		return;
	if (find_field(info, "\nvalkey_version:", version, sizeof(version)) ||
		find_field(info, "\nredis_version:", version, sizeof(version)))
		cpg_redis_set_version(node, version);
}

static void
emit_ping(FunctionCallInfo fcinfo, int node)
{
	static const char *const ping[] = {"PING"};
	static const char *const info[] = {"INFO", "server"};
	static const size_t lens[] = {4, 6};
	const CpgRedisCommand commands[] = {{1, (const char **) ping, lens}, {2, (const char **) info, lens}};
	CpgRedisReply replies[2];
	CpgRedisStatus status;
	instr_time	began;
	instr_time	took;
	CpgRow		row = {0};
	bool		ok;

	INSTR_TIME_SET_CURRENT(began);
	status = cpg_redis_pipeline(node, commands, 2, CPG_REDIS_OWN, -1, replies);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	ok = status == CPG_REDIS_OK && replies[0].type == CPG_REDIS_STATUS;
	if (ok)
		note_version(node, &replies[1]);
	cpg_row_add_text(&row, cpg_redis_url(node)->name);
	cpg_row_add(&row, BoolGetDatum(ok));
	if (ok)
		cpg_row_add_duration(&row, (int64) INSTR_TIME_GET_MICROSEC(took));
	else
		cpg_row_add_null(&row);
	if (ok)
		cpg_row_add_null(&row);
	else if (status != CPG_REDIS_OK)
		cpg_row_add_text(&row, cpg_redis_problem(status));
	else
		cpg_row_add_text(&row, error_word(&replies[0]));
	cpg_row_emit(fcinfo, &row);
}

/* Connect to each node, whatever its breaker says, and ask for a sign of life. */
Datum
cachepg_cache_redis_ping(PG_FUNCTION_ARGS)
{
	int			count;

	cpg_row_begin_set(fcinfo);
	count = cpg_redis_count();
	for (int i = 0; i < count; i++)
	{
		if (cpg_redis_exists(i))
			emit_ping(fcinfo, i);
	}
	return (Datum) 0;
}

static const char *
state_name(const CpgBreaker *breaker, int64 now)
{
	if (breaker->state == CPG_BREAKER_CLOSED)
		return "closed";
	return breaker->state == CPG_BREAKER_OPEN && breaker->until > now ? "open" : "half-open";
}

static void
emit_node(FunctionCallInfo fcinfo, int node)
{
	const CpgUrl *url = cpg_redis_url(node);
	int64		now = cpg_clock_now();
	CpgRedisView view;
	CpgRow		row = {0};

	cpg_redis_view(node, &view);
	cpg_row_add_text(&row, url->name);
	cpg_row_add_text(&row, view.address);
	cpg_row_add(&row, Int32GetDatum(url->weight));
	cpg_row_add_text(&row, state_name(&view.breaker, now));
	cpg_row_add_int(&row, view.breaker.opened);
	cpg_row_add_int(&row, view.breaker.refused);
	cpg_row_add_int(&row, view.calls);
	cpg_row_add_int(&row, view.errors);
	cpg_row_add_int(&row, view.timeouts);
	if (view.latency > 0)
		cpg_row_add_duration(&row, (int64) view.latency);
	else
		cpg_row_add_null(&row);
	cpg_row_add_text(&row, view.error[0] ? view.error : NULL);
	if (view.error[0])
		cpg_row_add(&row, TimestampTzGetDatum(view.error_at));
	else
		cpg_row_add_null(&row);
	cpg_row_add_text(&row, view.version[0] ? view.version : NULL);
	cpg_row_emit(fcinfo, &row);
}

Datum
cachepg_redis_nodes(PG_FUNCTION_ARGS)
{
	int			count;

	cpg_row_begin_set(fcinfo);
	count = cpg_redis_count();
	for (int i = 0; i < count; i++)
	{
		if (cpg_redis_exists(i))
			emit_node(fcinfo, i);
	}
	return (Datum) 0;
}

/* The servers of a planned list. */
static CpgUrl *
parse_plan(ArrayType *array, int *count)
{
	CpgUrl	   *urls = palloc(sizeof(CpgUrl) * CPG_REDIS_NODES_MAX);
	StringInfoData list;
	CpgUrlFault fault;
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	initStringInfo(&list);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			cpg_error_null_argument("server");
		appendStringInfo(&list, "%s\n", text_to_cstring(DatumGetTextPP(items[i])));
	}
	fault = cpg_url_parse_list(list.data, list.len, urls, CPG_REDIS_NODES_MAX, count);
	if (fault != CPG_URL_FAULT_NONE)
		cpg_error_bad_argument("address %d of the list: %s", *count + 1, cpg_url_fault_text(fault));
	return urls;
}

static int
find_server(const CpgUrl *urls, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(urls[i].name, name) == 0)
			return i;
	}
	return -1;
}

typedef struct Moves
{
	int			count;			/* servers of both lists */
	const char *name[2 * CPG_REDIS_NODES_MAX];
	int64		now[2 * CPG_REDIS_NODES_MAX];	/* keys */
	int64		then[2 * CPG_REDIS_NODES_MAX];
	int64		gained[2 * CPG_REDIS_NODES_MAX];
} Moves;

/* Distribute a sample of keys over the present and the planned servers. */
static void
try_plan(Moves *plan, const CpgUrl *present, int npresent, const CpgUrl *planned, int nplanned)
{
	int			place[CPG_REDIS_NODES_MAX];
	CpgShardMap from;
	CpgShardMap to;

	cpg_redis_make_map(present, npresent, &from);
	cpg_redis_make_map(planned, nplanned, &to);
	for (int i = 0; i < npresent; i++)
		plan->name[plan->count++] = present[i].name;
	for (int i = 0; i < nplanned; i++)
	{
		place[i] = find_server(present, npresent, planned[i].name);
		if (place[i] < 0)
		{
			place[i] = plan->count;
			plan->name[plan->count++] = planned[i].name;
		}
	}
	for (int i = 0; i < PLAN_KEYS; i++)
	{
		char		key[24];
		int			len = snprintf(key, sizeof(key), "key:%d", i);
		int			old = npresent > 0 ? cpg_shard_choose(&from, key, len) : -1;
		int			new = nplanned > 0 ? place[cpg_shard_choose(&to, key, len)] : -1;

		if (old >= 0)
			plan->now[old]++;
		if (new >= 0)
			plan->then[new]++;
		if (new >= 0 && new != old)
			plan->gained[new]++;
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

Datum
cachepg_cache_redis_plan(PG_FUNCTION_ARGS)
{
	Moves	   *plan = palloc0(sizeof(Moves));
	CpgUrl	   *planned;
	int			nplanned;
	int			npresent;

	cpg_row_begin_set(fcinfo);
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("list of servers");
	if (cpg_redis_sharding == CPG_SHARD_CLUSTER)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("Redis Cluster distributes keys by itself"),
				 errhint("Plans are for \"cachepg.redis_sharding\" = rendezvous or ketama.")));
	planned = parse_plan(PG_GETARG_ARRAYTYPE_P(0), &nplanned);
	npresent = cpg_redis_count();
	try_plan(plan, npresent > 0 ? cpg_redis_url(0) : NULL, npresent, planned, nplanned);
	for (int i = 0; i < plan->count; i++)
	{
		CpgRow		row = {0};

		cpg_row_add_text(&row, plan->name[i]);
		cpg_row_add(&row, Float8GetDatum((double) plan->now[i] / PLAN_KEYS));
		cpg_row_add(&row, Float8GetDatum((double) plan->then[i] / PLAN_KEYS));
		cpg_row_add(&row, Float8GetDatum((double) plan->gained[i] / PLAN_KEYS));
		cpg_row_emit(fcinfo, &row);
	}
	return (Datum) 0;
}
