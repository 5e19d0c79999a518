/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  All settings but those of Redis servers, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "guc.h"
#include "miscadmin.h"
#include "store/store.h"
#include "utils/guc.h"

int			cpg_bus_heartbeat = CPG_BUS_HEARTBEAT_DEFAULT;
int			cpg_bus_silence = CPG_BUS_SILENCE_DEFAULT;
int			cpg_bus_stream_length = CPG_BUS_STREAM_LENGTH_DEFAULT;
char	   *cpg_cluster = "default";
bool		cpg_dump = true;
int			cpg_dump_interval = CPG_DUMP_INTERVAL_DEFAULT;
bool		cpg_enabled = true;
int			cpg_entry_size = CPG_ENTRY_SIZE_DEFAULT;
int			cpg_eviction = CPG_EVICTION_S3FIFO;
int			cpg_janitor_interval = CPG_JANITOR_INTERVAL_DEFAULT;
char	   *cpg_l2_home = "";
int			cpg_max_namespaces = CPG_MAX_NAMESPACES_DEFAULT;
int			cpg_max_pending_bytes = CPG_MAX_PENDING_DEFAULT;
int			cpg_memory = CPG_MEMORY_DEFAULT;
int			cpg_refresh_timeout = CPG_REFRESH_TIMEOUT_DEFAULT;
int			cpg_refresh_workers = CPG_REFRESH_WORKERS_DEFAULT;
char	   *cpg_server_name = "";
bool		cpg_snapshot_reads = false;

#define NAME_MAX_LEN 32
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static const struct config_enum_entry eviction_options[] = {
	{"s3fifo", CPG_EVICTION_S3FIFO, false},
	{"lru", CPG_EVICTION_LRU, false},
	{NULL, 0, false}
};

/* Name of an eviction policy as in cachepg.eviction. */
const char *
cpg_eviction_name(int eviction)
{
	for (const struct config_enum_entry *e = eviction_options; e->name != NULL; e++)
	{
		if (e->val == eviction)
			return e->name;
	}
	return "?";
}

/* Names become parts of keys in Redis and fields of messages. */
static bool
check_name(char **newval, void **extra, GucSource source)
{
	Size		len = strlen(*newval);

	if (len <= NAME_MAX_LEN && strspn(*newval, NAME_CHARACTERS) == len)
		return true;
	GUC_check_errdetail("Names consist of up to %d letters, digits, \"_\" and \"-\".", NAME_MAX_LEN);
	return false;
}

static bool
check_cluster(char **newval, void **extra, GucSource source)
{
	if (**newval != '\0')
		return check_name(newval, extra, source);
	GUC_check_errdetail("The name of a cluster cannot be empty.");
	return false;
}

static void
define_bus_settings(void)
{
	DefineCustomIntVariable("cachepg.bus_heartbeat",
							"How often a server tells the others that it has nothing to tell.",
							NULL,
							&cpg_bus_heartbeat,
							CPG_BUS_HEARTBEAT_DEFAULT,
							CPG_BUS_HEARTBEAT_MIN,
							CPG_BUS_HEARTBEAT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.bus_silence",
							"How long another server may be silent before its values are served no more.",
							"The bound on the age of what another server has invalidated.",
							&cpg_bus_silence,
							CPG_BUS_SILENCE_DEFAULT,
							CPG_BUS_SILENCE_MIN,
							CPG_BUS_SILENCE_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.bus_stream_length",
							"How many messages the stream in Redis keeps, about.",
							"A server that was away for longer forgets what it had of others.",
							&cpg_bus_stream_length,
							CPG_BUS_STREAM_LENGTH_DEFAULT,
							CPG_BUS_STREAM_LENGTH_MIN,
							CPG_BUS_STREAM_LENGTH_MAX,
							PGC_SIGHUP,
							0,
							NULL,
							NULL,
							NULL);
}

static void
define_seal_settings(void)
{
	DefineCustomStringVariable("cachepg.redis_hmac_key_file",
							   "File with the key by which servers of a cluster know each other's values.",
							   "Empty: values carry no HMAC.",
							   &cpg_redis_hmac_key_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL,
							   NULL,
							   NULL);
}

static void
define_cluster_settings(void)
{
	DefineCustomStringVariable("cachepg.cluster",
							   "Name of the servers that share what is in Redis.",
							   "Part of every key there.",
							   &cpg_cluster,
							   "default",
							   PGC_POSTMASTER,
							   0,
							   check_cluster,
							   NULL,
							   NULL);

	DefineCustomStringVariable("cachepg.l2_home",
							   "Name of the server whose values in Redis this one uses.",
							   "Empty: its own.  Only a home writes values to Redis.",
							   &cpg_l2_home,
							   "",
							   PGC_POSTMASTER,
							   0,
							   check_name,
							   NULL,
							   NULL);

	DefineCustomStringVariable("cachepg.server_name",
							   "Name of this server among those of its cluster.",
							   "Empty: the system identifier.",
							   &cpg_server_name,
							   "",
							   PGC_POSTMASTER,
							   0,
							   check_name,
							   NULL,
							   NULL);
}

static void
define_memory_settings(void)
{
	DefineCustomEnumVariable("cachepg.eviction",
							 "Which entries leave when memory is full.",
							 "s3fifo resists scans and scales; lru keeps strict recency order in each partition.",
							 &cpg_eviction,
							 CPG_EVICTION_S3FIFO,
							 eviction_options,
							 PGC_POSTMASTER,
							 0,
							 NULL,
							 NULL,
							 NULL);

	DefineCustomIntVariable("cachepg.expected_entry_size",
							"Expected size of an entry: key, value and about 84 bytes.",
							"Sizes the index; smaller entries than expected run out of slots before memory is full.",
							&cpg_entry_size,
							CPG_ENTRY_SIZE_DEFAULT,
							CPG_ENTRY_SIZE_MIN,
							CPG_ENTRY_SIZE_MAX,
							PGC_POSTMASTER,
							GUC_UNIT_BYTE,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.max_namespaces",
							"Number of namespaces, over all databases, that can be in use at once.",
							"Keys of further namespaces are not cached.",
							&cpg_max_namespaces,
							CPG_MAX_NAMESPACES_DEFAULT,
							CPG_MAX_NAMESPACES_MIN,
							CPG_MAX_NAMESPACES_MAX,
							PGC_POSTMASTER,
							0,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.memory",
							"Shared memory of the cache, everything included.",
							NULL,
							&cpg_memory,
							CPG_MEMORY_DEFAULT,
							CPG_MEMORY_MIN,
							CPG_MEMORY_MAX,
							PGC_POSTMASTER,
							GUC_UNIT_MB,
							NULL,
							NULL,
							NULL);
}

static void
define_dump_settings(void)
{
	DefineCustomBoolVariable("cachepg.dump",
							 "Whether entries outlive a restart of the server.",
							 "Those that no commit could make wrong are written at shutdown and loaded at start.",
							 &cpg_dump,
							 true,
							 PGC_SIGHUP,
							 0,
							 NULL,
							 NULL,
							 NULL);

	DefineCustomIntVariable("cachepg.dump_interval",
							"Time between two dumps of namespaces with warm_after_crash.",
							"Zero writes none.",
							&cpg_dump_interval,
							CPG_DUMP_INTERVAL_DEFAULT,
							0,
							CPG_DUMP_INTERVAL_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
}

static void
define_worker_settings(void)
{
	DefineCustomIntVariable("cachepg.janitor_interval",
							"Time between two rounds of the janitor worker.",
							"It reclaims expired entries and keeps a little memory free.",
							&cpg_janitor_interval,
							CPG_JANITOR_INTERVAL_DEFAULT,
							CPG_JANITOR_INTERVAL_MIN,
							CPG_JANITOR_INTERVAL_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.refresh_workers",
							"Background workers, for the whole server, that load values before they expire.",
							"They count towards max_worker_processes; one database uses all but one of them.  0: the session that finds a value due loads it itself.",
							&cpg_refresh_workers,
							CPG_REFRESH_WORKERS_DEFAULT,
							0,
							CPG_REFRESH_WORKERS_MAX,
							PGC_SIGHUP,
							0,
							NULL,
							NULL,
							NULL);
}

/*
 * Settings with which a server must not start if they have a mistake: PostgreSQL
 * would only warn and take the default, in which a server shares the values of
 * others, or of none.
 */
static const char *const strict[] = {"cachepg.cluster", "cachepg.redis_servers", "cachepg.server_name"};

/* What the strict settings were given, before they are defined. */
static void
note_strict(char **given)
{
	for (int i = 0; i < lengthof(strict); i++)
	{
		const char *value = GetConfigOption(strict[i], true, false);

		given[i] = value == NULL ? NULL : pstrdup(value);
	}
}

/* End the start of a server one of whose strict settings was refused. */
static void
refuse_start(char **given)
{
	for (int i = 0; i < lengthof(strict) && process_shared_preload_libraries_in_progress; i++)
	{
		/* the value may hold a password that does not belong there */
		if (given[i] != NULL && strcmp(given[i], GetConfigOption(strict[i], false, false)) != 0)
			ereport(FATAL,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for parameter \"%s\"", strict[i]),
					 errhint("The warning before this message says why.")));
	}
}

/* Define all settings; called once, by _PG_init. */
void
cpg_guc_define(void)
{
	char	   *given[lengthof(strict)];

	note_strict(given);
	define_bus_settings();
	define_dump_settings();
	define_seal_settings();

	DefineCustomBoolVariable("cachepg.enabled",
							 "Whether the cache is used.",
							 "When off, reads miss, loads run and are not kept, and writes invalidate their keys.",
							 &cpg_enabled,
							 true,
							 PGC_SUSET,
							 0,
							 NULL,
							 NULL,
							 NULL);

	define_worker_settings();

	DefineCustomIntVariable("cachepg.max_pending_bytes",
							"Memory of a transaction for values to be cached at its commit.",
							"A set beyond it raises an error.",
							&cpg_max_pending_bytes,
							CPG_MAX_PENDING_DEFAULT,
							CPG_MAX_PENDING_MIN,
							CPG_MAX_PENDING_MAX,
							PGC_USERSET,
							GUC_UNIT_KB,
							NULL,
							NULL,
							NULL);

	cpg_guc_define_redis();

	DefineCustomIntVariable("cachepg.refresh_timeout",
							"How long a background worker may take to load a value.",
							"A namespace's load_timeout holds too if it is shorter.",
							&cpg_refresh_timeout,
							CPG_REFRESH_TIMEOUT_DEFAULT,
							CPG_REFRESH_TIMEOUT_MIN,
							CPG_REFRESH_TIMEOUT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomBoolVariable("cachepg.snapshot_reads",
							 "Whether REPEATABLE READ and SERIALIZABLE transactions read from the cache.",
							 "What they read may be newer than their snapshot.",
							 &cpg_snapshot_reads,
							 false,
							 PGC_USERSET,
							 0,
							 NULL,
							 NULL,
							 NULL);

	/*
	 * The size of shared memory is settled when the server starts.  Without
	 * preload these settings are unknown but no mistake.
	 */
	if (process_shared_preload_libraries_in_progress)
	{
		define_cluster_settings();
		define_memory_settings();
		MarkGUCPrefixReserved("cachepg");
	}
	refuse_start(given);
}
