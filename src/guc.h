/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  Settings of cachepg.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_GUC_H
#define CPG_GUC_H

#define CPG_BUS_HEARTBEAT_MIN		10	/* ms */
#define CPG_BUS_HEARTBEAT_DEFAULT	500
#define CPG_BUS_HEARTBEAT_MAX		60000
#define CPG_BUS_SILENCE_MIN			50	/* ms */
#define CPG_BUS_SILENCE_DEFAULT		3000
#define CPG_BUS_SILENCE_MAX			(3600 * 1000)
#define CPG_BUS_STREAM_LENGTH_MIN	100
#define CPG_BUS_STREAM_LENGTH_DEFAULT 100000
#define CPG_BUS_STREAM_LENGTH_MAX	100000000
#define CPG_MEMORY_MIN				4	/* MB */
#define CPG_MEMORY_DEFAULT			128
#define CPG_MEMORY_MAX				(128 * 1024)
#define CPG_DUMP_INTERVAL_DEFAULT	(5 * 60 * 1000) /* ms */
#define CPG_DUMP_INTERVAL_MAX		(24 * 3600 * 1000)
#define CPG_ENTRY_SIZE_MIN			64	/* bytes */
#define CPG_ENTRY_SIZE_DEFAULT		200
#define CPG_ENTRY_SIZE_MAX			(1024 * 1024)
#define CPG_JANITOR_INTERVAL_MIN	10	/* ms */
#define CPG_JANITOR_INTERVAL_DEFAULT 1000
#define CPG_JANITOR_INTERVAL_MAX	(3600 * 1000)
#define CPG_MAX_PENDING_MIN			64	/* kB */
#define CPG_MAX_PENDING_DEFAULT		(64 * 1024)
#define CPG_MAX_PENDING_MAX			(1024 * 1024)
#define CPG_REDIS_CONNECT_TIMEOUT_DEFAULT 200	/* ms */
#define CPG_REDIS_IDLE_TIMEOUT_DEFAULT 60000	/* ms */
#define CPG_REDIS_IDLE_TIMEOUT_MAX	(24 * 3600 * 1000)
#define CPG_REDIS_MAX_CONNECTIONS_DEFAULT 256
#define CPG_REDIS_MAX_CONNECTIONS_MAX 100000
#define CPG_REDIS_MAX_REPLY_MIN		128 /* kB; a message of the bus is half of
										 * it at most */
#define CPG_REDIS_MAX_REPLY_DEFAULT (64 * 1024)
#define CPG_REDIS_MAX_REPLY_MAX		(512 * 1024)
#define CPG_REDIS_RETRIES_DEFAULT	2
#define CPG_REDIS_RETRIES_MAX		20
#define CPG_REDIS_TIMEOUT_MIN		1	/* ms */
#define CPG_REDIS_TIMEOUT_DEFAULT	100
#define CPG_REDIS_TIMEOUT_MAX		(60 * 1000)
#define CPG_REFRESH_TIMEOUT_MIN		10	/* ms */
#define CPG_REFRESH_TIMEOUT_DEFAULT	30000
#define CPG_REFRESH_TIMEOUT_MAX		(24 * 3600 * 1000)
#define CPG_REFRESH_WORKERS_DEFAULT	4
#define CPG_REFRESH_WORKERS_MAX		32
#define CPG_MAX_NAMESPACES_MIN		8
#define CPG_MAX_NAMESPACES_DEFAULT	256
#define CPG_MAX_NAMESPACES_MAX		16384

extern int	cpg_bus_heartbeat;
extern int	cpg_bus_silence;
extern int	cpg_bus_stream_length;
extern char *cpg_cluster;
extern bool cpg_dump;
extern int	cpg_dump_interval;
extern bool cpg_enabled;
extern int	cpg_entry_size;
extern int	cpg_eviction;
extern int	cpg_janitor_interval;
extern char *cpg_l2_home;
extern int	cpg_max_namespaces;
extern int	cpg_max_pending_bytes;
extern int	cpg_memory;
extern char *cpg_redis_ca_file;
extern char *cpg_redis_cert_file;
extern int	cpg_redis_connect_timeout;
extern unsigned cpg_redis_generation;
extern char *cpg_redis_hmac_key_file;
extern int	cpg_redis_idle_timeout;
extern char *cpg_redis_key_file;
extern int	cpg_redis_max_connections;
extern int	cpg_redis_max_reply;
extern char *cpg_redis_password_file;
extern int	cpg_redis_retries;
extern char *cpg_redis_servers;
extern int	cpg_redis_sharding;
extern int	cpg_redis_timeout;
extern int	cpg_redis_tls_verify;
extern char *cpg_redis_user;
extern int	cpg_refresh_timeout;
extern int	cpg_refresh_workers;
extern char *cpg_server_name;
extern bool cpg_snapshot_reads;

extern const char *cpg_eviction_name(int eviction);
extern void cpg_guc_define(void);
extern void cpg_guc_define_redis(void);

#endif							/* CPG_GUC_H */
