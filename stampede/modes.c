/*-------------------------------------------------------------------------
 *
 * modes.c
 *	  The modes: what each client sends, and the policy of its namespace.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stampede.h"

/*
 * A mode without traffic releases its clients when the value has expired for
 * certain: the server counts milliseconds, and we learned of the load only
 * when its answer came.
 */
#define AFTER_EXPIRY	(20 * MS)

#define WAIT_STEP	{"stampede_wait", true}
#define SOURCE_STEP {"stampede_source", false}

/* The control is the first. */
const Mode	modes[] = {
	{
		.name = "control",.title = "everybody waits for a timer of the server instead of the source",
		.about = "Each client asks the server to sleep until one common instant, as long after the "
		"release as the source takes. What comes on top of that is what waking so many "
		"sessions costs on this machine.",
		.by_default = true,.steps = {WAIT_STEP},.play = play_burst
	},
	{
		.name = "none",.title = "no cache: each client runs the query",
		.about = "Each client runs the source query itself.",
		.by_default = true,.steps = {SOURCE_STEP},.play = play_burst
	},
	{
		.name = "naive",.title = "cache_get, on a miss the query and cache_set, as applications do it",
		.about = "Cache-aside with a TTL: cache_get; on a miss the client runs the source query and "
		"stores its result with cache_set. All clients come just after the expiry.",
		.by_default = true,.cached = true,.margin = AFTER_EXPIRY,
		.steps = {{"stampede_naive", false}, SOURCE_STEP, {"stampede_naive_set", true}},
		.play = play_expiry
	},
	{
		.name = "coalescing",.title = "cache_fetch with a ttl: one loads, the others wait for him",
		.about = "cache_fetch with a ttl and beta 0. All clients come just after the expiry: one "
		"becomes the leader and loads, the others wait for his result.",
		.by_default = true,.cached = true,.margin = AFTER_EXPIRY,
		.steps = {{"stampede_coalescing", false}},.play = play_expiry
	},
	{
		.name = "xfetch",.title = "cache_fetch with beta: refreshed before it expires",
		.about = "cache_fetch with beta 1 (XFetch) under steady traffic: one of the requests before "
		"the expiry has the value refreshed by a background worker. All clients come at "
		"the instant at which the value would have expired.",
		.by_default = true,.guards = true,.traffic = true,.cached = true,
		.steps = {{"stampede_xfetch", false}},.play = play_expiry
	},
	{
		.name = "xfetch0",.title = "as xfetch, without workers: one of the clients refreshes",
		.about = "As xfetch on a server with cachepg.refresh_workers = 0: the elected client loads by "
		"itself and is the only one that waits.",
		.guards = true,.traffic = true,.cached = true,
		.steps = {{"stampede_xfetch0", false}},.play = play_expiry
	},
	{
		.name = "soft",.title = "cache_fetch with soft_ttl: the old value while a worker reloads",
		.about = "cache_fetch with soft_ttl (stale-while-revalidate) under steady traffic. All "
		"clients come at the soft expiry: they get the old value while a background "
		"worker loads the new one.",
		.by_default = true,.guards = true,.traffic = true,.cached = true,
		.steps = {{"stampede_soft", false}},.play = play_expiry
	},
	{
		.name = "breaker",.title = "the source dies and recovers: the last value until it does",
		.about = "Steady traffic on a value that expires again and again. The source dies: each "
		"execution hangs (or fails). Clients get the last value (stale_for, soft_timeout); "
		"after some failed loads the breaker opens and only probes reach the source, "
		"until one of them finds it recovered.",
		.by_default = true,.guards = true,.traffic = true,.cached = true,
		.steps = {{"stampede_breaker", false}},.play = play_breaker
	}
};
const int	nmodes = sizeof(modes) / sizeof(modes[0]);

const Mode *
mode_find(const char *name, size_t len)
{
	for (int i = 0; i < nmodes; i++)
	{
		if (strlen(modes[i].name) == len && strncmp(modes[i].name, name, len) == 0)
			return &modes[i];
	}
	return NULL;
}

void
mode_key(const Mode *mode, char *key, size_t size)
{
	snprintf(key, size, NAMESPACE "%s:hot", mode->name);
}

/* The policy of the breaker's namespace, as arguments. */
static void
breaker_policy(char *text, size_t size)
{
	const BreakerPlan *plan = &breaker_plan;

	snprintf(text, size,
			 ", beta => 0, stale_for => '%" PRId64 " ms', soft_timeout => '%" PRId64 " ms', "
			 "load_timeout => '%" PRId64 " ms', retry_after => '%" PRId64 " ms', breaker => true, "
			 "breaker_window => %d, breaker_min_calls => %d, breaker_ratio => %g, "
			 "breaker_open => '%" PRId64 " ms'",
			 plan->stale_for_ms, plan->soft_timeout_ms, plan->load_timeout_ms, plan->retry_after_ms,
			 plan->window, plan->min_calls, plan->ratio, plan->open_ms);
}

void
mode_namespace_sql(const Mode *mode, char *sql, size_t size)
{
	char		policy[500] = "";
	bool		breaker = strcmp(mode->name, "breaker") == 0;

	if (breaker)
		breaker_policy(policy, sizeof(policy));
	else if (server.guards)
	{
		/* the source shall time out nowhere else */
		snprintf(policy, sizeof(policy), ", load_timeout => '%" PRId64 " ms'",
				 10 * options.source_ms + 5000);
	}
	snprintf(sql, size, "SELECT cache_namespace_create('" NAMESPACE "%s', ttl => '%" PRId64 " ms'%s)",
			 mode->name, breaker ? breaker_plan.ttl_ms : options.ttl_ms, policy);
}

/* What a mode's cache_fetch has beside the query. */
static void
fetch_arguments(const Mode *mode, char *text, size_t size)
{
	int64_t		ttl = options.ttl_ms;

	if (!server.guards)
		snprintf(text, size, "ttl => '%" PRId64 " ms'", ttl);
	else if (strcmp(mode->name, "soft") == 0)
		snprintf(text, size, "ttl => '%" PRId64 " ms', soft_ttl => '%" PRId64 " ms', beta => 0",
				 2 * ttl, ttl);
	else if (strncmp(mode->name, "xfetch", 6) == 0)
		snprintf(text, size, "ttl => '%" PRId64 " ms', beta => 1", ttl);
	else if (strcmp(mode->name, "breaker") == 0)
		snprintf(text, size, "beta => 0");
	else
		snprintf(text, size, "ttl => '%" PRId64 " ms', beta => 0", ttl);
}

/* The statements of a mode beside stampede_source, in SQL. */
void
mode_prepare_sql(const Mode *mode, char *sql, size_t size)
{
	char		arguments[200];

	if (strcmp(mode->name, "control") == 0)
		snprintf(sql, size, "PREPARE stampede_wait(float8) AS "
				 "SELECT pg_sleep(greatest(0, $1 - extract(epoch FROM clock_timestamp())::float8));");
	else if (strcmp(mode->name, "none") == 0)
		snprintf(sql, size, "%s", "");
	else if (strcmp(mode->name, "naive") == 0)
		snprintf(sql, size, "PREPARE stampede_naive AS SELECT cache_get('" NAMESPACE "naive:hot');"
				 "PREPARE stampede_naive_set(text) AS SELECT "
				 "cache_set('" NAMESPACE "naive:hot', $1::jsonb, ttl => '%" PRId64 " ms');",
				 options.ttl_ms);
	else
	{
		fetch_arguments(mode, arguments, sizeof(arguments));
		snprintf(sql, size, "PREPARE stampede_%s AS "
				 "SELECT cache_fetch('" NAMESPACE "%s:hot', 'SELECT " SOURCE "', %s);",
				 mode->name, mode->name, arguments);
	}
}
