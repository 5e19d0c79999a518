/*-------------------------------------------------------------------------
 *
 * guc_redis.c
 *	  The settings of Redis servers, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "guc.h"
#include "redis/redis.h"
#include "shard/shard.h"
#include "utils/guc.h"
#include "wire/url.h"

char	   *cpg_redis_ca_file = NULL;
char	   *cpg_redis_cert_file = NULL;
int			cpg_redis_connect_timeout = CPG_REDIS_CONNECT_TIMEOUT_DEFAULT;
unsigned	cpg_redis_generation = 1;
char	   *cpg_redis_hmac_key_file = NULL;
int			cpg_redis_idle_timeout = CPG_REDIS_IDLE_TIMEOUT_DEFAULT;
char	   *cpg_redis_key_file = NULL;
int			cpg_redis_max_connections = CPG_REDIS_MAX_CONNECTIONS_DEFAULT;
int			cpg_redis_max_reply = CPG_REDIS_MAX_REPLY_DEFAULT;
char	   *cpg_redis_password_file = NULL;
int			cpg_redis_retries = CPG_REDIS_RETRIES_DEFAULT;
char	   *cpg_redis_servers = NULL;
int			cpg_redis_sharding = CPG_SHARD_RENDEZVOUS;
int			cpg_redis_timeout = CPG_REDIS_TIMEOUT_DEFAULT;
int			cpg_redis_tls_verify = CPG_REDIS_VERIFY_FULL;
char	   *cpg_redis_user = NULL;

static const struct config_enum_entry sharding_options[] = {
	{"rendezvous", CPG_SHARD_RENDEZVOUS, false},
	{"ketama", CPG_SHARD_KETAMA, false},
	{"cluster", CPG_SHARD_CLUSTER, false},
	{NULL, 0, false}
};

static const struct config_enum_entry verify_options[] = {
	{"full", CPG_REDIS_VERIFY_FULL, false},
	{"ca", CPG_REDIS_VERIFY_CA, false},
	{"none", CPG_REDIS_VERIFY_NONE, false},
	{NULL, 0, false}
};

/* Whether a list of servers can be used. */
static bool
check_redis_servers(char **newval, void **extra, GucSource source)
{
	CpgUrl	   *urls;
	int			count = 0;
	CpgUrlFault fault;
	bool		tls = false;

	if (*newval == NULL || (*newval)[0] == '\0')
		return true;
	urls = palloc(sizeof(CpgUrl) * CPG_REDIS_NODES_MAX);
	fault = cpg_url_parse_list(*newval, strlen(*newval), urls, CPG_REDIS_NODES_MAX, &count);
	for (int i = 0; i < count && fault == CPG_URL_FAULT_NONE; i++)
		tls |= urls[i].kind == CPG_URL_TLS;
	pfree(urls);
	if (tls && !cpg_redis_has_tls())
	{
		GUC_check_errcode(ERRCODE_FEATURE_NOT_SUPPORTED);
		GUC_check_errdetail("cachepg was built without OpenSSL; addresses beginning with rediss:// cannot be used.");
		return false;
	}
	if (fault != CPG_URL_FAULT_NONE)
	{
		/* without the value: somebody may have put a password into it */
		GUC_check_errmsg("invalid value for parameter \"cachepg.redis_servers\"");
		GUC_check_errdetail("Address %d of the list: %s.", count + 1, cpg_url_fault_text(fault));
		return false;
	}
	return true;
}

/* Processes look at the number before they use what they know of the servers. */
static void
assign_redis_string(const char *newval, void *extra)
{
	cpg_redis_generation++;
}

static void
assign_redis_enum(int newval, void *extra)
{
	cpg_redis_generation++;
}

static void
define_redis_limits(void)
{
	DefineCustomIntVariable("cachepg.redis_connect_timeout",
							"How long connecting to a Redis server and logging in may take.",
							NULL,
							&cpg_redis_connect_timeout,
							CPG_REDIS_CONNECT_TIMEOUT_DEFAULT,
							CPG_REDIS_TIMEOUT_MIN,
							CPG_REDIS_TIMEOUT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.redis_idle_timeout",
							"How long a session may keep a connection to a Redis server that it does not use.",
							"Looked at when the session needs one again.",
							&cpg_redis_idle_timeout,
							CPG_REDIS_IDLE_TIMEOUT_DEFAULT,
							0,
							CPG_REDIS_IDLE_TIMEOUT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.redis_max_connections",
							"Connections to Redis servers that all processes may have together.",
							"When three quarters are in use, sessions do not keep theirs.",
							&cpg_redis_max_connections,
							CPG_REDIS_MAX_CONNECTIONS_DEFAULT,
							1,
							CPG_REDIS_MAX_CONNECTIONS_MAX,
							PGC_SIGHUP,
							0,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.redis_max_reply",
							"How long a reply of a Redis server may be.",
							"A longer one is not read; its connection is closed.",
							&cpg_redis_max_reply,
							CPG_REDIS_MAX_REPLY_DEFAULT,
							CPG_REDIS_MAX_REPLY_MIN,
							CPG_REDIS_MAX_REPLY_MAX,
							PGC_SIGHUP,
							GUC_UNIT_KB,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.redis_retries",
							"How often a call of a Redis server is tried again, if it can be.",
							"Not after its time is over.",
							&cpg_redis_retries,
							CPG_REDIS_RETRIES_DEFAULT,
							0,
							CPG_REDIS_RETRIES_MAX,
							PGC_SIGHUP,
							0,
							NULL,
							NULL,
							NULL);

	DefineCustomIntVariable("cachepg.redis_timeout",
							"How long a call of a Redis server may take, all attempts together.",
							"Connecting, if needed, is given cachepg.redis_connect_timeout besides.",
							&cpg_redis_timeout,
							CPG_REDIS_TIMEOUT_DEFAULT,
							CPG_REDIS_TIMEOUT_MIN,
							CPG_REDIS_TIMEOUT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL,
							NULL,
							NULL);
}

static void
define_redis_settings(void)
{
	DefineCustomStringVariable("cachepg.redis_password_file",
							   "File with the password for the Redis servers.",
							   "It belongs to the user of the server and has mode 0600.",
							   &cpg_redis_password_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL,
							   assign_redis_string,
							   NULL);

	DefineCustomStringVariable("cachepg.redis_servers",
							   "The Redis servers, as URLs; none if empty.",
							   NULL,
							   &cpg_redis_servers,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   check_redis_servers,
							   assign_redis_string,
							   NULL);

	DefineCustomEnumVariable("cachepg.redis_sharding",
							 "How keys are distributed over the Redis servers.",
							 "ketama is for sharing them with other clients that do so, cluster for Redis Cluster, of which some nodes are named.",
							 &cpg_redis_sharding,
							 CPG_SHARD_RENDEZVOUS,
							 sharding_options,
							 PGC_SIGHUP,
							 0,
							 NULL,
							 assign_redis_enum,
							 NULL);

	DefineCustomStringVariable("cachepg.redis_user",
							   "The user to log in as at Redis servers whose URLs name none.",
							   "If empty, only the password is sent.",
							   &cpg_redis_user,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL,
							   assign_redis_string,
							   NULL);
}

static void
define_redis_tls(void)
{
	DefineCustomStringVariable("cachepg.redis_ca_file",
							   "File with the certificates of authorities that vouch for Redis servers.",
							   "If empty, those that OpenSSL uses by default.",
							   &cpg_redis_ca_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL,
							   assign_redis_string,
							   NULL);

	DefineCustomStringVariable("cachepg.redis_cert_file",
							   "File with the certificate to show to Redis servers that want one.",
							   NULL,
							   &cpg_redis_cert_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL,
							   assign_redis_string,
							   NULL);

	DefineCustomStringVariable("cachepg.redis_key_file",
							   "File with the key of that certificate.",
							   "It belongs to the user of the server and has mode 0600.",
							   &cpg_redis_key_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL,
							   assign_redis_string,
							   NULL);

	DefineCustomEnumVariable("cachepg.redis_tls_verify",
							 "What is asked of the certificate of a Redis server.",
							 "full: a known authority, and that it is for the host of the URL; ca: a known authority.",
							 &cpg_redis_tls_verify,
							 CPG_REDIS_VERIFY_FULL,
							 verify_options,
							 PGC_SIGHUP,
							 GUC_SUPERUSER_ONLY,
							 NULL,
							 assign_redis_enum,
							 NULL);
}

/* Define the settings of Redis servers; called by cpg_guc_define. */
void
cpg_guc_define_redis(void)
{
	define_redis_limits();
	define_redis_settings();
	define_redis_tls();
}
