/* cachepg 0.1: SQL objects. Functions are thin; the code is in src/api. */
\echo Use "CREATE EXTENSION cachepg" to load this file. \quit

-- ---------------------------------------------------------------------
-- Catalog: what pg_dump carries
-- ---------------------------------------------------------------------

CREATE TABLE cachepg_namespace
(
	name			text PRIMARY KEY CHECK (name ~ '^[^:]{1,63}$'),
	owner			regrole NOT NULL,
	ttl				interval,
	negative_ttl	interval,
	jitter			double precision,
	scope			text,
	max_entries		bigint,
	max_bytes		bigint,
	consistency		text,
	adhoc			text,
	vary_by			text[],
	loader			text,
	soft_ttl		interval,
	stale_for		interval,
	beta			double precision,
	adaptive		boolean,
	min_ttl			interval,
	max_ttl			interval,
	load_timeout	interval,
	soft_timeout	interval,
	wait_timeout	interval,
	on_wait_timeout	text,
	max_loads		integer,
	retry_after		interval,
	fallback		jsonb,
	stale_on		text[],
	breaker			boolean,
	breaker_window	integer,
	breaker_min_calls	integer,
	breaker_ratio	double precision,
	breaker_slow	double precision,
	breaker_open	interval,
	warm_after_crash	boolean,
	l2				boolean,
	l2_ttl			interval,
	codec			text,
	compress_above	integer,
	load_lock		boolean,
	id				uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE cachepg_namespace IS
'Policy of each cache namespace; NULL means the built-in default. Change it with cache_namespace_create, _alter and _drop.';
COMMENT ON COLUMN cachepg_namespace.id IS
'Tells a namespace from an earlier one of the same name, whose entries it must not see';
REVOKE ALL ON cachepg_namespace FROM PUBLIC;

CREATE TABLE cachepg_namespace_acl
(
	namespace		text NOT NULL,
	grantee			regrole NOT NULL,
	privilege		text NOT NULL CHECK (privilege IN ('read', 'write', 'invalidate', 'admin')),
	PRIMARY KEY (namespace, grantee, privilege)
);
COMMENT ON TABLE cachepg_namespace_acl IS
'Privileges on cache namespaces; grantee 0 is PUBLIC. Change it with cache_namespace_grant and cache_namespace_revoke.';
REVOKE ALL ON cachepg_namespace_acl FROM PUBLIC;

CREATE TABLE cachepg_watch
(
	id				uuid PRIMARY KEY,
	relation		regclass NOT NULL,
	key_template	text,
	tag_template	text,
	creator			regrole NOT NULL,
	CHECK (key_template IS NOT NULL OR tag_template IS NOT NULL)
);
COMMENT ON TABLE cachepg_watch IS
'Watched tables: a trigger with the id as its argument does what the row says. Change it with cache_watch and cache_unwatch.';
REVOKE ALL ON cachepg_watch FROM PUBLIC;

-- A role that is gone would be dumped as a number, which may be somebody else's
-- where the dump is restored.
SELECT pg_catalog.pg_extension_config_dump('cachepg_namespace',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('cachepg_namespace_acl',
	'WHERE grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = grantee)');
SELECT pg_catalog.pg_extension_config_dump('cachepg_watch', '');

CREATE FUNCTION cachepg_catalog_changed() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_catalog_changed() IS
'Trigger function: makes every session reread the namespace catalog after a change';
REVOKE ALL ON FUNCTION cachepg_catalog_changed() FROM PUBLIC;

CREATE TRIGGER cachepg_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON cachepg_namespace EXECUTE FUNCTION cachepg_catalog_changed();
CREATE TRIGGER cachepg_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON cachepg_namespace_acl EXECUTE FUNCTION cachepg_catalog_changed();
CREATE TRIGGER cachepg_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON cachepg_watch EXECUTE FUNCTION cachepg_catalog_changed();
-- also where session_replication_role suppresses ordinary triggers
ALTER TABLE cachepg_namespace ENABLE ALWAYS TRIGGER cachepg_changed;
ALTER TABLE cachepg_namespace_acl ENABLE ALWAYS TRIGGER cachepg_changed;
ALTER TABLE cachepg_watch ENABLE ALWAYS TRIGGER cachepg_changed;

-- ---------------------------------------------------------------------
-- Plain cache
-- ---------------------------------------------------------------------

CREATE FUNCTION cache_set(key text, value anyelement, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_set';
COMMENT ON FUNCTION cache_set(text, anyelement, interval, text[]) IS
'Store a value of any type under a key (1 to 512 bytes); needs write on the namespace';

CREATE FUNCTION cache_set(key text, value text, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_set_text';
COMMENT ON FUNCTION cache_set(text, text, interval, text[]) IS
'Store a text value under a key (1 to 512 bytes); needs write on the namespace';

CREATE FUNCTION cache_get(key text) RETURNS jsonb
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_get_jsonb';
COMMENT ON FUNCTION cache_get(text) IS
'The value under a key as jsonb, whatever its type, or NULL; needs read on the namespace';

CREATE FUNCTION cache_get(key text, if_absent anyelement) RETURNS anyelement
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_get';
COMMENT ON FUNCTION cache_get(text, anyelement) IS
'The value under a key in the type of if_absent, which is returned on a miss; needs read on the namespace';

CREATE FUNCTION cache_get(key text, if_absent text) RETURNS text
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_get_text';
COMMENT ON FUNCTION cache_get(text, text) IS
'The text value under a key, or if_absent on a miss; needs read on the namespace';

CREATE FUNCTION cache_get_many(keys text[], OUT key text, OUT value jsonb) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_get_many';
COMMENT ON FUNCTION cache_get_many(text[]) IS
'The values under many keys as jsonb; keys that are not cached give no row; needs read on each namespace';

CREATE FUNCTION cache_set_many(keys text[], vals anyarray, ttl interval DEFAULT NULL) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_set_many';
COMMENT ON FUNCTION cache_set_many(text[], anyarray, interval) IS
'Store vals[i] under keys[i]; returns how many were stored; needs write on each namespace';

CREATE FUNCTION cache_add(key text, value anyelement, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_add';
COMMENT ON FUNCTION cache_add(text, anyelement, interval, text[]) IS
'Store a value only if the key holds none; true if stored; needs write on the namespace';

CREATE FUNCTION cache_add(key text, value text, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_add_text';
COMMENT ON FUNCTION cache_add(text, text, interval, text[]) IS
'Store a text value only if the key holds none; true if stored; needs write on the namespace';

CREATE FUNCTION cache_replace(key text, value anyelement, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_replace';
COMMENT ON FUNCTION cache_replace(text, anyelement, interval, text[]) IS
'Store a value only if the key holds one; true if stored; needs write on the namespace';

CREATE FUNCTION cache_replace(key text, value text, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_replace_text';
COMMENT ON FUNCTION cache_replace(text, text, interval, text[]) IS
'Store a text value only if the key holds one; true if stored; needs write on the namespace';

CREATE FUNCTION cache_delete(key text) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_delete';
COMMENT ON FUNCTION cache_delete(text) IS
'Drop the entries of a key, those of other roles included; true if the caller could have read one; needs invalidate or write';

CREATE FUNCTION cache_exists(key text) RETURNS boolean
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_exists';
COMMENT ON FUNCTION cache_exists(text) IS
'Whether a read of the key would hit; needs read on the namespace';

CREATE FUNCTION cache_ttl(key text) RETURNS interval
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_ttl';
COMMENT ON FUNCTION cache_ttl(text) IS
'Remaining lifetime of the entry, NULL if there is none; needs read on the namespace';

CREATE FUNCTION cache_touch(key text, ttl interval) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_touch';
COMMENT ON FUNCTION cache_touch(text, interval) IS
'Give the entry a new lifetime counted from now; true if there was one; needs write on the namespace';

CREATE FUNCTION cache_incr(key text, delta bigint DEFAULT 1, ttl interval DEFAULT NULL) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_incr';
COMMENT ON FUNCTION cache_incr(text, bigint, interval) IS
'Add delta to an integer entry (a new one starts at 0) and return the sum; keeps the remaining lifetime; not transactional; needs write';

CREATE FUNCTION cache_entry(key text, OUT state text, OUT type regtype, OUT bytes bigint,
							OUT age interval, OUT ttl_left interval, OUT soft_left interval,
							OUT delta interval, OUT hits bigint, OUT tags text[],
							OUT depends_on text[], OUT why text) RETURNS record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_entry';
COMMENT ON FUNCTION cache_entry(text) IS
'What the cache holds under a key and why a read would or would not hit; hits are estimated; needs read on the namespace';

CREATE FUNCTION cache_invalidate(key text) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text) IS
'At commit, drop the entries of a key for every role and loader; true if the caller could have read one; needs invalidate';

CREATE FUNCTION cache_invalidate_tag(tag text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_invalidate_tag';
COMMENT ON FUNCTION cache_invalidate_tag(text) IS
'At commit, drop all entries of this database that carry a tag, however many; needs invalidate on the namespace named before its first colon, else on the default one';

CREATE FUNCTION cache_expire(key text) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_expire';
COMMENT ON FUNCTION cache_expire(text) IS
'At commit, make the entries of a key stale: the next cache_fetch loads them anew, until then they may be served; needs invalidate';

CREATE FUNCTION cache_expire_tag(tag text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_expire_tag';
COMMENT ON FUNCTION cache_expire_tag(text) IS
'At commit, make stale all entries of this database that carry a tag; privileges as cache_invalidate_tag';

CREATE FUNCTION cache_clear(namespace text DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_clear';
COMMENT ON FUNCTION cache_clear(text) IS
'Drop everything in a namespace (needs invalidate), or without argument in the whole database (superuser only); O(1)';

-- ---------------------------------------------------------------------
-- Watched tables
-- ---------------------------------------------------------------------

CREATE FUNCTION cache_watch(table_name regclass, key_template text DEFAULT NULL, tag_template text DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_watch';
COMMENT ON FUNCTION cache_watch(regclass, text, text) IS
'Invalidate the keys and tags that templates such as users:{id} make of each row inserted, updated or deleted; needs TRIGGER on the table and invalidate on the namespaces';

CREATE FUNCTION cache_unwatch(table_name regclass, key_template text DEFAULT NULL, tag_template text DEFAULT NULL) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_unwatch';
COMMENT ON FUNCTION cache_unwatch(regclass, text, text) IS
'Remove the watches of a table that have these templates, NULL for any; returns their number; for the owner of the table and who made them';

CREATE FUNCTION cachepg_watch_row() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_watch_row() IS
'Trigger function of watches; does nothing in triggers that cache_watch did not make';

CREATE VIEW cache_watches (table_name, key_template, tag_template, creator) AS
	SELECT w.relation, w.key_template, w.tag_template, w.creator
	FROM cachepg_watch w JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) w.relation
	WHERE pg_catalog.has_table_privilege(c.oid, 'TRIGGER') OR pg_catalog.pg_has_role(w.creator, 'USAGE');
COMMENT ON VIEW cache_watches IS
'The watches of tables on which the current role has the privilege TRIGGER, and those it made';
GRANT SELECT ON cache_watches TO PUBLIC;

-- ---------------------------------------------------------------------
-- Read-through
-- ---------------------------------------------------------------------

CREATE FUNCTION cache_fetch(key text, query text, args record DEFAULT NULL, ttl interval DEFAULT NULL,
							soft_ttl interval DEFAULT NULL, beta double precision DEFAULT NULL,
							tags text[] DEFAULT NULL, consistency text DEFAULT NULL) RETURNS jsonb
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_record';
COMMENT ON FUNCTION cache_fetch(text, text, record, interval, interval, double precision, text[], text) IS
'The cached result of a query, which is run with args bound to $1, $2, ... on a miss; needs read, and write to publish';

CREATE FUNCTION cache_fetch(key text, query text, args text[], ttl interval DEFAULT NULL,
							soft_ttl interval DEFAULT NULL, beta double precision DEFAULT NULL,
							tags text[] DEFAULT NULL, consistency text DEFAULT NULL) RETURNS jsonb
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_text';
COMMENT ON FUNCTION cache_fetch(text, text, text[], interval, interval, double precision, text[], text) IS
'As cache_fetch with a record, with arguments as text in the types that the query infers; for drivers';

CREATE FUNCTION cache_fetch(key text) RETURNS jsonb
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_loader';
COMMENT ON FUNCTION cache_fetch(text) IS
'The cached result of the loader of the key''s namespace, which runs as the namespace''s owner on a miss; needs read';

CREATE FUNCTION cache_fetch_many(keys text[], OUT key text, OUT value jsonb) RETURNS SETOF record
	LANGUAGE c PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_many';
COMMENT ON FUNCTION cache_fetch_many(text[]) IS
'The values under many keys by the loaders of their namespaces, which are called once for all misses if they take a text[]; needs read on each';

CREATE FUNCTION cache_query(rowtype anyelement, key text, query text, args record DEFAULT NULL,
							ttl interval DEFAULT NULL, soft_ttl interval DEFAULT NULL,
							beta double precision DEFAULT NULL, tags text[] DEFAULT NULL,
							consistency text DEFAULT NULL) RETURNS SETOF anyelement
	LANGUAGE c PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_query_record';
COMMENT ON FUNCTION cache_query(anyelement, text, text, record, interval, interval, double precision, text[], text) IS
'The cached rows of a query, in the type of rowtype, as in NULL::users; else as cache_fetch';

CREATE FUNCTION cache_query(rowtype anyelement, key text, query text, args text[],
							ttl interval DEFAULT NULL, soft_ttl interval DEFAULT NULL,
							beta double precision DEFAULT NULL, tags text[] DEFAULT NULL,
							consistency text DEFAULT NULL) RETURNS SETOF anyelement
	LANGUAGE c PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_query_text';
COMMENT ON FUNCTION cache_query(anyelement, text, text, text[], interval, interval, double precision, text[], text) IS
'As cache_query with a record, with arguments as text in the types that the query infers; for drivers';

CREATE FUNCTION cache_warm(query text) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_warm';
COMMENT ON FUNCTION cache_warm(text) IS
'Load the keys that a query returns: key text, or for namespaces without a loader also query text and args text[]; returns how many are there now; see cache_progress_warm';

-- ---------------------------------------------------------------------
-- Namespaces
-- ---------------------------------------------------------------------

CREATE FUNCTION cache_namespace_create(name text, ttl interval DEFAULT NULL, negative_ttl interval DEFAULT NULL,
									   jitter double precision DEFAULT NULL, scope text DEFAULT NULL,
									   max_entries bigint DEFAULT NULL, max_bytes bigint DEFAULT NULL,
									   consistency text DEFAULT NULL, adhoc text DEFAULT NULL,
									   vary_by text[] DEFAULT NULL, loader text DEFAULT NULL,
									   soft_ttl interval DEFAULT NULL, stale_for interval DEFAULT NULL,
									   beta double precision DEFAULT NULL, adaptive boolean DEFAULT NULL,
									   min_ttl interval DEFAULT NULL, max_ttl interval DEFAULT NULL,
									   load_timeout interval DEFAULT NULL, soft_timeout interval DEFAULT NULL,
									   wait_timeout interval DEFAULT NULL, on_wait_timeout text DEFAULT NULL,
									   max_loads integer DEFAULT NULL, retry_after interval DEFAULT NULL,
									   fallback jsonb DEFAULT NULL, stale_on text[] DEFAULT NULL, breaker boolean DEFAULT NULL,
									   breaker_window integer DEFAULT NULL, breaker_min_calls integer DEFAULT NULL,
									   breaker_ratio double precision DEFAULT NULL, breaker_slow double precision DEFAULT NULL,
									   breaker_open interval DEFAULT NULL, warm_after_crash boolean DEFAULT NULL,
									   l2 boolean DEFAULT NULL, l2_ttl interval DEFAULT NULL, codec text DEFAULT NULL,
									   compress_above integer DEFAULT NULL, load_lock boolean DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_create';
COMMENT ON FUNCTION cache_namespace_create(text, interval, interval, double precision, text, bigint, bigint, text, text, text[], text, interval, interval, double precision, boolean, interval, interval, interval, interval, interval, text, integer, interval, jsonb, text[], boolean, integer, integer, double precision, double precision, interval, boolean, boolean, interval, text, integer, boolean) IS
'Define a namespace owned by the caller; keys "name:..." belong to it; NULL means the default';
REVOKE ALL ON FUNCTION cache_namespace_create(text, interval, interval, double precision, text, bigint, bigint, text, text, text[], text, interval, interval, double precision, boolean, interval, interval, interval, interval, interval, text, integer, interval, jsonb, text[], boolean, integer, integer, double precision, double precision, interval, boolean, boolean, interval, text, integer, boolean) FROM PUBLIC;

CREATE FUNCTION cache_namespace_alter(name text, ttl interval DEFAULT NULL, negative_ttl interval DEFAULT NULL,
									  jitter double precision DEFAULT NULL, scope text DEFAULT NULL,
									  max_entries bigint DEFAULT NULL, max_bytes bigint DEFAULT NULL,
									  consistency text DEFAULT NULL, adhoc text DEFAULT NULL,
									  vary_by text[] DEFAULT NULL, loader text DEFAULT NULL,
									  soft_ttl interval DEFAULT NULL, stale_for interval DEFAULT NULL,
									  beta double precision DEFAULT NULL, adaptive boolean DEFAULT NULL,
									  min_ttl interval DEFAULT NULL, max_ttl interval DEFAULT NULL,
									  load_timeout interval DEFAULT NULL, soft_timeout interval DEFAULT NULL,
									  wait_timeout interval DEFAULT NULL, on_wait_timeout text DEFAULT NULL,
									  max_loads integer DEFAULT NULL, retry_after interval DEFAULT NULL,
									  fallback jsonb DEFAULT NULL, stale_on text[] DEFAULT NULL, breaker boolean DEFAULT NULL,
									  breaker_window integer DEFAULT NULL, breaker_min_calls integer DEFAULT NULL,
									  breaker_ratio double precision DEFAULT NULL, breaker_slow double precision DEFAULT NULL,
									  breaker_open interval DEFAULT NULL, warm_after_crash boolean DEFAULT NULL,
									  l2 boolean DEFAULT NULL, l2_ttl interval DEFAULT NULL, codec text DEFAULT NULL,
									  compress_above integer DEFAULT NULL, load_lock boolean DEFAULT NULL,
									  reset text[] DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_alter';
COMMENT ON FUNCTION cache_namespace_alter(text, interval, interval, double precision, text, bigint, bigint, text, text, text[], text, interval, interval, double precision, boolean, interval, interval, interval, interval, interval, text, integer, interval, jsonb, text[], boolean, integer, integer, double precision, double precision, interval, boolean, boolean, interval, text, integer, boolean, text[]) IS
'Change policy options; NULL leaves an option as it is, names in reset go back to their defaults; needs admin on the namespace';
REVOKE ALL ON FUNCTION cache_namespace_alter(text, interval, interval, double precision, text, bigint, bigint, text, text, text[], text, interval, interval, double precision, boolean, interval, interval, interval, interval, interval, text, integer, interval, jsonb, text[], boolean, integer, integer, double precision, double precision, interval, boolean, boolean, interval, text, integer, boolean, text[]) FROM PUBLIC;

CREATE FUNCTION cache_namespace_drop(name text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_drop';
COMMENT ON FUNCTION cache_namespace_drop(text) IS
'Remove a namespace, its privileges and its entries; needs to be its owner';
REVOKE ALL ON FUNCTION cache_namespace_drop(text) FROM PUBLIC;

CREATE FUNCTION cache_namespace_set_owner(name text, role text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_set_owner';
COMMENT ON FUNCTION cache_namespace_set_owner(text, text) IS
'Give a namespace to another role, which its loader must be fit for; needs to be its owner and a member of that role. EXECUTE is for superusers until granted.';
REVOKE ALL ON FUNCTION cache_namespace_set_owner(text, text) FROM PUBLIC;

CREATE FUNCTION cache_namespace_grant(name text, role text, privilege text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_grant';
COMMENT ON FUNCTION cache_namespace_grant(text, text, text) IS
'Grant read, write, invalidate or admin on a namespace to a role or to "public"; needs admin on the namespace';
REVOKE ALL ON FUNCTION cache_namespace_grant(text, text, text) FROM PUBLIC;

CREATE FUNCTION cache_namespace_revoke(name text, role text, privilege text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_revoke';
COMMENT ON FUNCTION cache_namespace_revoke(text, text, text) IS
'Take back a privilege granted by cache_namespace_grant; needs admin on the namespace';
REVOKE ALL ON FUNCTION cache_namespace_revoke(text, text, text) FROM PUBLIC;

CREATE FUNCTION cachepg_namespaces(OUT name text, OUT owner regrole, OUT ttl interval, OUT negative_ttl interval,
								   OUT jitter double precision, OUT scope text, OUT max_entries bigint,
								   OUT max_bytes bigint, OUT consistency text, OUT adhoc text,
								   OUT vary_by text[], OUT loader text,
								   OUT soft_ttl interval, OUT stale_for interval, OUT beta double precision,
								   OUT adaptive boolean, OUT min_ttl interval, OUT max_ttl interval,
								   OUT load_timeout interval, OUT soft_timeout interval, OUT wait_timeout interval,
								   OUT on_wait_timeout text, OUT max_loads integer, OUT retry_after interval,
								   OUT fallback jsonb, OUT stale_on text[], OUT breaker boolean,
								   OUT breaker_window integer, OUT breaker_min_calls integer,
								   OUT breaker_ratio double precision, OUT breaker_slow double precision,
								   OUT breaker_open interval, OUT warm_after_crash boolean,
								   OUT l2 boolean, OUT l2_ttl interval, OUT codec text,
								   OUT compress_above integer, OUT load_lock boolean,
								   OUT privileges text[],
								   OUT entries bigint, OUT bytes bigint, OUT hits bigint, OUT misses bigint,
								   OUT sets bigint, OUT loads bigint, OUT evictions bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_namespaces() IS 'Rows of the view cache_namespaces';

CREATE VIEW cache_namespaces AS SELECT * FROM cachepg_namespaces();
COMMENT ON VIEW cache_namespaces IS
'The namespaces on which the current role has a privilege, for pg_read_all_stats all: effective policy, own privileges, use';
GRANT SELECT ON cache_namespaces TO PUBLIC;

CREATE VIEW cache_namespace_grants AS
	SELECT a.namespace, CASE WHEN a.grantee = 0 THEN 'public' ELSE a.grantee::text END AS grantee, a.privilege
	FROM cachepg_namespace_acl a
	JOIN cache_namespaces n ON n.name = a.namespace
	WHERE n.privileges @> '{admin}' OR pg_has_role('pg_read_all_stats', 'USAGE');
COMMENT ON VIEW cache_namespace_grants IS
'Privileges granted on the namespaces on which the current role has admin, for pg_read_all_stats on all';
COMMENT ON COLUMN cache_namespace_grants.namespace IS 'Name of the namespace';
COMMENT ON COLUMN cache_namespace_grants.grantee IS 'Name of the role, public for all; the number of a role that was dropped';
COMMENT ON COLUMN cache_namespace_grants.privilege IS 'read, write, invalidate or admin';
GRANT SELECT ON cache_namespace_grants TO PUBLIC;

-- ---------------------------------------------------------------------
-- Seeing
-- ---------------------------------------------------------------------

CREATE FUNCTION cachepg_entries(OUT namespace text, OUT key text, OUT role regrole, OUT state text, OUT type regtype,
								OUT bytes bigint, OUT age interval, OUT ttl_left interval, OUT hits bigint)
	RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_entries() IS 'Rows of the view cache_entries';

CREATE VIEW cache_entries AS SELECT * FROM cachepg_entries();
COMMENT ON VIEW cache_entries IS
'The entries of this database that the current role may read (with admin on a namespace: all of them); not a snapshot';
GRANT SELECT ON cache_entries TO PUBLIC;

CREATE FUNCTION cachepg_stats(OUT memory bigint, OUT partitions integer, OUT eviction text,
							  OUT entries bigint, OUT entry_bytes bigint, OUT payload_bytes bigint, OUT free_bytes bigint,
							  OUT overhead_bytes bigint, OUT hits bigint, OUT misses bigint, OUT hit_ratio double precision,
							  OUT sets bigint, OUT deletes bigint, OUT loads bigint, OUT load_time interval,
							  OUT evictions bigint, OUT expirations bigint, OUT too_large bigint, OUT dropped_sets bigint,
							  OUT unpublished bigint)
	LANGUAGE c PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_stats() IS 'The row of the view cache_stats';

CREATE VIEW cache_stats AS SELECT * FROM cachepg_stats();
COMMENT ON VIEW cache_stats IS 'Memory and counters of the whole server since its start, one row';
REVOKE ALL ON FUNCTION cachepg_stats() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_stats() TO pg_monitor;
GRANT SELECT ON cache_stats TO pg_monitor;

CREATE FUNCTION cachepg_namespace_stats(OUT namespace text, OUT hits bigint, OUT stale_hits bigint, OUT coalesced bigint,
										OUT fallbacks bigint, OUT loads bigint, OUT loads_failed bigint,
										OUT load_timeouts bigint, OUT wait_timeouts bigint, OUT retries_throttled bigint,
										OUT breaker_refused bigint, OUT early_refreshes bigint, OUT refreshes_queued bigint,
										OUT refreshes_changed bigint, OUT refreshes_unchanged bigint,
										OUT refreshes_wasted bigint, OUT refreshes_failed bigint,
										OUT l2_hits bigint, OUT l2_misses bigint, OUT l2_refused bigint,
										OUT l2_unavailable bigint, OUT l2_writes bigint, OUT l2_dropped bigint,
										OUT load_time interval)
	RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_namespace_stats() IS 'Rows of the view cache_namespace_stats';

CREATE VIEW cache_namespace_stats AS SELECT * FROM cachepg_namespace_stats();
COMMENT ON VIEW cache_namespace_stats IS
'How cache_fetch got its answers, per namespace on which the current role has a privilege, since the server''s start';
GRANT SELECT ON cache_namespace_stats TO PUBLIC;

CREATE FUNCTION cachepg_breakers(OUT namespace text, OUT state text, OUT calls integer, OUT failure_ratio double precision,
								 OUT opened bigint, OUT last_opened timestamptz, OUT refused bigint,
								 OUT next_attempt timestamptz) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_breakers() IS 'Rows of the view cache_breakers';

CREATE VIEW cache_breakers AS SELECT * FROM cachepg_breakers();
COMMENT ON VIEW cache_breakers IS
'The circuit breakers of the namespaces on which the current role has a privilege; calls are those in the window';
GRANT SELECT ON cache_breakers TO PUBLIC;

CREATE FUNCTION cache_breaker_reset(namespace text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_breaker_reset';
COMMENT ON FUNCTION cache_breaker_reset(text) IS
'Close the circuit breaker of a namespace and forget the outcomes it has seen; at once; needs admin on the namespace';
REVOKE ALL ON FUNCTION cache_breaker_reset(text) FROM PUBLIC;

CREATE FUNCTION cachepg_workers(OUT pid integer, OUT database text, OUT state text, OUT since timestamptz,
								OUT refreshes bigint, OUT failed bigint, OUT queued bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_workers() IS 'Rows of the view cache_workers';
REVOKE ALL ON FUNCTION cachepg_workers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_workers() TO pg_monitor;

CREATE VIEW cache_workers AS SELECT * FROM cachepg_workers();
COMMENT ON VIEW cache_workers IS
'The background workers that load values, with the requests that wait for their database';
GRANT SELECT ON cache_workers TO pg_monitor;

CREATE FUNCTION cachepg_progress_warm(OUT pid integer, OUT database text, OUT started timestamptz, OUT keys_expected bigint,
									  OUT keys_done bigint, OUT keys_loaded bigint, OUT keys_failed bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_progress_warm() IS 'Rows of the view cache_progress_warm';

CREATE VIEW cache_progress_warm AS SELECT * FROM cachepg_progress_warm();
COMMENT ON VIEW cache_progress_warm IS 'Running calls of cache_warm; keys_expected is the planner''s estimate';
GRANT SELECT ON cache_progress_warm TO PUBLIC;

CREATE FUNCTION cachepg_bus(OUT server text, OUT home text, OUT epoch text, OUT active boolean, OUT messages bigint,
							OUT unsent_bytes bigint, OUT unsent_databases bigint, OUT values_queued bigint,
							OUT values_dropped bigint, OUT current boolean, OUT silent interval) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_bus() IS 'Row of the view cache_bus';
REVOKE ALL ON FUNCTION cachepg_bus() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_bus() TO pg_monitor;

CREATE VIEW cache_bus AS SELECT * FROM cachepg_bus();
COMMENT ON VIEW cache_bus IS
'This server''s part of the bus through Redis: what is unsent, and whether it hears of the home whose values it uses; no row without Redis';
GRANT SELECT ON cache_bus TO pg_monitor;

CREATE FUNCTION cachepg_misses_by_reason(OUT namespace text, OUT reason text, OUT count bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_misses_by_reason() IS 'Rows of the view cache_misses_by_reason';

CREATE VIEW cache_misses_by_reason AS SELECT * FROM cachepg_misses_by_reason();
COMMENT ON VIEW cache_misses_by_reason IS
'Why reads did not hit and loads were not kept, per namespace on which the current role has a privilege';
GRANT SELECT ON cache_misses_by_reason TO PUBLIC;

CREATE FUNCTION cache_redis(command text, VARIADIC args text[] DEFAULT '{}') RETURNS text
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_redis';
COMMENT ON FUNCTION cache_redis(text, text[]) IS
'Send a command to the Redis server that keeps its first argument, taken as a key, and return the reply; at once; superuser by default';
REVOKE ALL ON FUNCTION cache_redis(text, text[]) FROM PUBLIC;

CREATE FUNCTION cache_redis_ping(OUT node text, OUT ok boolean, OUT latency interval, OUT error text) RETURNS SETOF record
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_redis_ping';
COMMENT ON FUNCTION cache_redis_ping() IS
'Connect to each Redis server and ask for a sign of life; latency includes connecting';
REVOKE ALL ON FUNCTION cache_redis_ping() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_redis_ping() TO pg_monitor;

CREATE FUNCTION cachepg_redis_nodes(OUT node text, OUT address text, OUT weight integer, OUT breaker text, OUT opened bigint,
									OUT refused bigint, OUT calls bigint, OUT errors bigint, OUT timeouts bigint,
									OUT latency interval, OUT last_error text, OUT last_error_at timestamptz,
									OUT version text) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_redis_nodes() IS 'Rows of the view cache_redis_nodes';
REVOKE ALL ON FUNCTION cachepg_redis_nodes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_redis_nodes() TO pg_monitor;

CREATE VIEW cache_redis_nodes AS SELECT * FROM cachepg_redis_nodes();
COMMENT ON VIEW cache_redis_nodes IS
'The Redis servers of cachepg.redis_servers, with their circuit breakers and how calls of this server went';
GRANT SELECT ON cache_redis_nodes TO pg_monitor;

CREATE FUNCTION cache_redis_locate(key text) RETURNS text
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_redis_locate';
COMMENT ON FUNCTION cache_redis_locate(text) IS
'The Redis server that keeps a Redis key; NULL if there are no servers';
REVOKE ALL ON FUNCTION cache_redis_locate(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_redis_locate(text) TO pg_monitor;

CREATE FUNCTION cache_redis_plan(servers text[], OUT server text, OUT share double precision, OUT planned double precision,
								 OUT moves double precision) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_redis_plan';
COMMENT ON FUNCTION cache_redis_plan(text[]) IS
'What share of all keys each Redis server has, would have with another list of servers, and would take over from others';
REVOKE ALL ON FUNCTION cache_redis_plan(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_redis_plan(text[]) TO pg_monitor;

CREATE FUNCTION cachepg_check(OUT partition integer, OUT problem text, OUT detail bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_check() IS
'Verify every structure and sum of the store; no row means sound. Locks one partition at a time; superuser by default';
REVOKE ALL ON FUNCTION cachepg_check() FROM PUBLIC;

CREATE FUNCTION cachepg_version(OUT extension text, OUT library text) RETURNS record
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_version() IS 'Version of the SQL objects and of the loaded library';
