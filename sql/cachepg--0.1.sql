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
COMMENT ON COLUMN cachepg_namespace.name IS '1 to 63 bytes without a colon; keys "name:..." belong to the namespace';
COMMENT ON COLUMN cachepg_namespace.owner IS 'Role that made the namespace and has all privileges on it; its loader runs as this role';
COMMENT ON COLUMN cachepg_namespace.ttl IS 'Lifetime of entries for which the call gives none; NULL: 5 minutes';
COMMENT ON COLUMN cachepg_namespace.negative_ttl IS 'Lifetime of a result of cache_fetch without a row, or of NULL; NULL: 10 seconds';
COMMENT ON COLUMN cachepg_namespace.jitter IS 'Fraction of its lifetime, 0 to 0.99, by which an entry is shortened at random; NULL: 0';
COMMENT ON COLUMN cachepg_namespace.scope IS 'Who sees an entry: role, the role that made it; shared, all that may read the namespace; NULL: role';
COMMENT ON COLUMN cachepg_namespace.max_entries IS 'Number of entries above which the least recently used leaves; NULL: no limit';
COMMENT ON COLUMN cachepg_namespace.max_bytes IS 'Bytes of entries, headers included, above which the least recently used leaves; NULL: no limit';
COMMENT ON COLUMN cachepg_namespace.consistency IS 'What ends a value of cache_fetch: commit, also changes of tables it was read from; ttl, its lifetime and invalidations only; NULL: commit';
COMMENT ON COLUMN cachepg_namespace.adhoc IS 'With scope shared, whom results of queries given to cache_fetch are for: role, the role that asked; shared, all; NULL: role';
COMMENT ON COLUMN cachepg_namespace.vary_by IS 'Names of settings, 16 at most, by which loaded values differ; NULL: queries by all settings of your own that have a value, the loader by none';
COMMENT ON COLUMN cachepg_namespace.loader IS 'Function of cache_fetch(key), as schema.function(argument type); NULL: none';
COMMENT ON COLUMN cachepg_namespace.soft_ttl IS 'Age at which cache_fetch has a value loaded anew while it returns the old one; NULL: none';
COMMENT ON COLUMN cachepg_namespace.stale_for IS 'How long after its expiry cache_fetch may serve a value while loading fails, takes too long or is not allowed; NULL: not at all';
COMMENT ON COLUMN cachepg_namespace.beta IS 'How early XFetch loads anew, 0 (never) to 100; NULL: 1';
COMMENT ON COLUMN cachepg_namespace.adaptive IS 'Whether lifetimes adapt to how often values change; NULL: false';
COMMENT ON COLUMN cachepg_namespace.min_ttl IS 'Shortest lifetime with adaptive; NULL: a quarter of ttl';
COMMENT ON COLUMN cachepg_namespace.max_ttl IS 'Longest lifetime with adaptive; NULL: four times ttl';
COMMENT ON COLUMN cachepg_namespace.load_timeout IS 'A load that takes longer is cancelled; NULL: 5 seconds';
COMMENT ON COLUMN cachepg_namespace.soft_timeout IS 'How long a call that has a value to serve by stale_for waits for a worker to load another; NULL: not used, it loads itself';
COMMENT ON COLUMN cachepg_namespace.wait_timeout IS 'How long a call waits for the load of another session, or for one of max_loads to end; NULL: load_timeout + 1 second';
COMMENT ON COLUMN cachepg_namespace.on_wait_timeout IS 'After wait_timeout in vain: error, return an old value, the fallback or the error; load, load all the same; NULL: error';
COMMENT ON COLUMN cachepg_namespace.max_loads IS 'Loads of the namespace at once; NULL: 8';
COMMENT ON COLUMN cachepg_namespace.retry_after IS 'How long a value is not loaded again after a load that failed by fault of the source; NULL: 1 second';
COMMENT ON COLUMN cachepg_namespace.fallback IS 'What cache_fetch and cache_fetch_many return instead of an error of the source; is not kept; NULL: none';
COMMENT ON COLUMN cachepg_namespace.stale_on IS 'SQLSTATEs, 64 at most, that count as errors of the source beside the built-in ones; NULL: none';
COMMENT ON COLUMN cachepg_namespace.breaker IS 'Whether there is a circuit breaker; NULL: true, in the namespace default false';
COMMENT ON COLUMN cachepg_namespace.breaker_window IS 'Latest loads that the circuit breaker looks at, 1 to 64; NULL: 50';
COMMENT ON COLUMN cachepg_namespace.breaker_min_calls IS 'Loads that the circuit breaker needs to judge, 1 to 64, cut to breaker_window; NULL: 20';
COMMENT ON COLUMN cachepg_namespace.breaker_ratio IS 'Share of failed loads at which the circuit breaker opens, 0.01 to 1; NULL: 0.5';
COMMENT ON COLUMN cachepg_namespace.breaker_slow IS 'Share of load_timeout from which on a load counts as failed, 0.01 to 1; NULL: 0.8';
COMMENT ON COLUMN cachepg_namespace.breaker_open IS 'How long the circuit breaker stays open before it lets a load through as a probe; NULL: 10 seconds';
COMMENT ON COLUMN cachepg_namespace.warm_after_crash IS 'Whether entries are dumped from time to time and come back after a crash; NULL: false';
COMMENT ON COLUMN cachepg_namespace.l2 IS 'Whether values are kept in Redis as well; NULL: true';
COMMENT ON COLUMN cachepg_namespace.l2_ttl IS 'Longest lifetime of a value in Redis; NULL: that of the value';
COMMENT ON COLUMN cachepg_namespace.codec IS 'How values are written to Redis: json, msgpack or binary; NULL: json';
COMMENT ON COLUMN cachepg_namespace.compress_above IS 'Bytes above which a value is compressed for Redis, 0: never; NULL: 2048';
COMMENT ON COLUMN cachepg_namespace.load_lock IS 'Whether a load of one server makes those of others wait; NULL: false';
COMMENT ON COLUMN cachepg_namespace.id IS 'Tells a namespace from an earlier one of the same name, whose entries it must not see';
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
COMMENT ON COLUMN cachepg_namespace_acl.namespace IS 'Name of the namespace; default may be without a row in cachepg_namespace';
COMMENT ON COLUMN cachepg_namespace_acl.grantee IS 'Role that has the privilege; 0 is PUBLIC';
COMMENT ON COLUMN cachepg_namespace_acl.privilege IS 'read, write, invalidate or admin; the owner has all without a row';
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
COMMENT ON COLUMN cachepg_watch.id IS 'Argument of the trigger on the table that does the work';
COMMENT ON COLUMN cachepg_watch.relation IS 'The table that is watched';
COMMENT ON COLUMN cachepg_watch.key_template IS 'Makes a key of a row, as users:{id}; NULL if it makes none';
COMMENT ON COLUMN cachepg_watch.tag_template IS 'Makes a tag of a row, as author:{author}; NULL if it makes none';
COMMENT ON COLUMN cachepg_watch.creator IS 'Role that called cache_watch';
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
'Store a value of any type under a key (1 to 512 bytes); others see it at commit. ttl NULL: that of the namespace; tags: 16 at most. Raises 22004 (NULL key), 22023 (bad ttl, empty key), 54000 (key, tag or pending values too large); needs write on the namespace (42501)';

CREATE FUNCTION cache_set(key text, value text, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_set_text';
COMMENT ON FUNCTION cache_set(text, text, interval, text[]) IS
'Store a text value, or a literal without a type, under a key; else as the form for any type; needs write on the namespace (42501)';

CREATE FUNCTION cache_get(key text) RETURNS jsonb
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_get_jsonb';
COMMENT ON FUNCTION cache_get(text) IS
'The value under a key as jsonb, whatever its type; NULL on a miss, for a stored NULL and a NULL key; needs read on the namespace (42501)';

CREATE FUNCTION cache_get(key text, if_absent anyelement) RETURNS anyelement
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_get';
COMMENT ON FUNCTION cache_get(text, anyelement) IS
'The value under a key in the type of if_absent, which is returned on a miss; NULL for a stored NULL. Raises 42804 if the stored type does not fit; needs read on the namespace (42501)';

CREATE FUNCTION cache_get(key text, if_absent text) RETURNS text
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_get_text';
COMMENT ON FUNCTION cache_get(text, text) IS
'The text value under a key, or if_absent on a miss; NULL for a stored NULL. Raises 42804 if the stored type does not fit; needs read on the namespace (42501)';

CREATE FUNCTION cache_get_many(keys text[], OUT key text, OUT value jsonb) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_get_many';
COMMENT ON FUNCTION cache_get_many(text[]) IS
'A row for each key that hits, its value as jsonb, NULL for a stored NULL; keys that are not cached and NULL keys give none; needs read on the namespace of each key (42501)';

CREATE FUNCTION cache_set_many(keys text[], vals anyarray, ttl interval DEFAULT NULL) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_set_many';
COMMENT ON FUNCTION cache_set_many(text[], anyarray, interval) IS
'Store vals[i] under keys[i]; returns how many were kept. ttl NULL: that of the namespace. Raises 22023 (arrays differ in length), 22004 (NULL array or key); needs write on the namespace of each key (42501)';

CREATE FUNCTION cache_add(key text, value anyelement, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_add';
COMMENT ON FUNCTION cache_add(text, anyelement, interval, text[]) IS
'Store a value only if the key has none; true if it was stored, else false. ttl NULL: that of the namespace. Errors as cache_set; needs write on the namespace (42501)';

CREATE FUNCTION cache_add(key text, value text, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_add_text';
COMMENT ON FUNCTION cache_add(text, text, interval, text[]) IS
'Store a text value only if the key has none; true if it was stored, else false. ttl NULL: that of the namespace. Errors as cache_set; needs write on the namespace (42501)';

CREATE FUNCTION cache_replace(key text, value anyelement, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_replace';
COMMENT ON FUNCTION cache_replace(text, anyelement, interval, text[]) IS
'Store a value only if the key has one, of any type; true if it was stored, else false. ttl NULL: that of the namespace. Errors as cache_set; needs write on the namespace (42501)';

CREATE FUNCTION cache_replace(key text, value text, ttl interval DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_replace_text';
COMMENT ON FUNCTION cache_replace(text, text, interval, text[]) IS
'Store a text value only if the key has one, of any type; true if it was stored, else false. ttl NULL: that of the namespace. Errors as cache_set; needs write on the namespace (42501)';

CREATE FUNCTION cache_delete(key text) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_delete';
COMMENT ON FUNCTION cache_delete(text) IS
'At commit, drop the entries of a key for every role and query; true if there was one that the caller could have read. Raises 22004 (NULL key); needs invalidate or write on the namespace (42501)';

CREATE FUNCTION cache_exists(key text) RETURNS boolean
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_exists';
COMMENT ON FUNCTION cache_exists(text) IS
'Whether cache_get would hit, also on a stored NULL; NULL for a NULL key; counts as neither hit nor use; needs read on the namespace (42501)';

CREATE FUNCTION cache_ttl(key text) RETURNS interval
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_ttl';
COMMENT ON FUNCTION cache_ttl(text) IS
'What is left of the entry''s lifetime; NULL if there is no entry, or for a NULL key; needs read on the namespace (42501)';

CREATE FUNCTION cache_touch(key text, ttl interval) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_touch';
COMMENT ON FUNCTION cache_touch(text, interval) IS
'Give the entry a new lifetime counted from now; true if there was one, else false. Raises 22004 (NULL key or ttl), 22023 (bad ttl); needs write on the namespace (42501)';

CREATE FUNCTION cache_incr(key text, delta bigint DEFAULT 1, ttl interval DEFAULT NULL) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_incr';
COMMENT ON FUNCTION cache_incr(text, bigint, interval) IS
'Add delta to an integer entry, which keeps its lifetime, and return the sum; without an entry it starts at 0 as bigint with ttl, NULL: that of the namespace. At once and not undone by a rollback, unless the transaction had set or invalidated the key. Raises 42804 (no integer), 22003 (out of range), 22004 (NULL key or delta); needs write on the namespace (42501)';

CREATE FUNCTION cache_entry(key text, OUT state text, OUT type regtype, OUT bytes bigint,
							OUT age interval, OUT ttl_left interval, OUT soft_left interval,
							OUT delta interval, OUT hits bigint, OUT tags text[],
							OUT depends_on text[], OUT why text) RETURNS record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_entry';
COMMENT ON FUNCTION cache_entry(text) IS
'What the cache holds under a key (state fresh, stale, expired, invalidated or absent) and why a read would miss; bytes as stored, hits are estimated, what does not apply is NULL; NULL for a NULL key; needs read on the namespace (42501)';

CREATE FUNCTION cache_invalidate(key text) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text) IS
'At commit, drop the entries of a key for every role and loader; true if there was one that the caller could have read. Raises 22004 (NULL key); needs invalidate on the namespace (42501)';

CREATE FUNCTION cache_invalidate_tag(tag text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_invalidate_tag';
COMMENT ON FUNCTION cache_invalidate_tag(text) IS
'At commit, drop all entries of this database that carry a tag, however many. Raises 22004 (NULL), 22023 (empty), 54000 (more than 255 bytes); needs invalidate on the namespace named before its first colon, else on the default one (42501)';

CREATE FUNCTION cache_expire(key text) RETURNS boolean
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_expire';
COMMENT ON FUNCTION cache_expire(text) IS
'At commit, make the entries of a key stale: the next cache_fetch has them loaded anew, until then they may be served; true if there was one that the caller could have read. Raises 22004 (NULL key); needs invalidate on the namespace (42501)';

CREATE FUNCTION cache_expire_tag(tag text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_expire_tag';
COMMENT ON FUNCTION cache_expire_tag(text) IS
'At commit, make stale all entries of this database that carry a tag, however many; errors and privileges as cache_invalidate_tag';

CREATE FUNCTION cache_clear(namespace text DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_clear';
COMMENT ON FUNCTION cache_clear(text) IS
'At commit, drop everything in a namespace, however much (needs invalidate), or with NULL, the default, in the whole database (superuser only), else 42501. Raises 42704 (no such namespace)';

-- ---------------------------------------------------------------------
-- Watched tables
-- ---------------------------------------------------------------------

CREATE FUNCTION cache_watch(table_name regclass, key_template text DEFAULT NULL, tag_template text DEFAULT NULL) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_watch';
COMMENT ON FUNCTION cache_watch(regclass, text, text) IS
'Invalidate at commit the key and the tag that templates such as users:{id} make of each row inserted, updated or deleted; NULL: none, but one is needed. Raises 22023 (bad template), 42710 (there already), 42809 and 0A000 (cannot be watched); needs TRIGGER on the table and invalidate on the namespaces (42501)';

CREATE FUNCTION cache_unwatch(table_name regclass, key_template text DEFAULT NULL, tag_template text DEFAULT NULL) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_unwatch';
COMMENT ON FUNCTION cache_unwatch(regclass, text, text) IS
'Remove the watches of a table that have these templates, NULL, the default, for any; returns their number; for the owner of the table and members of the role that made them (42501)';

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
COMMENT ON COLUMN cache_watches.table_name IS 'The table that is watched';
COMMENT ON COLUMN cache_watches.key_template IS 'Template of the key that each row written invalidates; NULL if it makes no keys';
COMMENT ON COLUMN cache_watches.tag_template IS 'Template of the tag that each row written invalidates; NULL if it makes no tags';
COMMENT ON COLUMN cache_watches.creator IS 'Role that called cache_watch';
GRANT SELECT ON cache_watches TO PUBLIC;

-- ---------------------------------------------------------------------
-- Read-through
-- ---------------------------------------------------------------------

CREATE FUNCTION cache_fetch(key text, query text, args record DEFAULT NULL, ttl interval DEFAULT NULL,
							soft_ttl interval DEFAULT NULL, beta double precision DEFAULT NULL,
							tags text[] DEFAULT NULL, consistency text DEFAULT NULL) RETURNS jsonb
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_record';
COMMENT ON FUNCTION cache_fetch(text, text, record, interval, interval, double precision, text[], text) IS
'The cached result of a query, which is run with args bound to $1, $2, ... on a miss: one column as jsonb, several as an object, NULL for no row. ttl, soft_ttl, beta and consistency (commit or ttl) NULL: those of the namespace. Raises what the query raises, 21000 (several rows), 22023 (bad query or argument), 55P03 (time-out), 08000 (circuit breaker open), 42P19 (recursion); needs read on the namespace (42501), and write for the result to be kept';

CREATE FUNCTION cache_fetch(key text, query text, args text[], ttl interval DEFAULT NULL,
							soft_ttl interval DEFAULT NULL, beta double precision DEFAULT NULL,
							tags text[] DEFAULT NULL, consistency text DEFAULT NULL) RETURNS jsonb
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_text';
COMMENT ON FUNCTION cache_fetch(text, text, text[], interval, interval, double precision, text[], text) IS
'As cache_fetch with a record, with arguments as text in the types that the query infers; for drivers; needs read, and write for the result to be kept';

CREATE FUNCTION cache_fetch(key text) RETURNS jsonb
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_loader';
COMMENT ON FUNCTION cache_fetch(text) IS
'The cached result of the loader of the key''s namespace, which runs as the namespace''s owner on a miss; NULL if it finds nothing. Raises what the loader raises, 42704 (no loader), 42883 (loader is gone), 55P03, 08000, 42P19; needs read on the namespace (42501)';

CREATE FUNCTION cache_fetch_many(keys text[], OUT key text, OUT value jsonb) RETURNS SETOF record
	LANGUAGE c PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_fetch_many';
COMMENT ON FUNCTION cache_fetch_many(text[]) IS
'A row for each key, in their order, by the loaders of their namespaces, which are called once for all misses if they take a text[]; a value that there is not is NULL, NULL keys give no row. Errors as cache_fetch(key); needs read on the namespace of each key (42501)';

CREATE FUNCTION cache_query(rowtype anyelement, key text, query text, args record DEFAULT NULL,
							ttl interval DEFAULT NULL, soft_ttl interval DEFAULT NULL,
							beta double precision DEFAULT NULL, tags text[] DEFAULT NULL,
							consistency text DEFAULT NULL) RETURNS SETOF anyelement
	LANGUAGE c PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_query_record';
COMMENT ON FUNCTION cache_query(anyelement, text, text, record, interval, interval, double precision, text[], text) IS
'The cached rows of a query, in the type of rowtype, as in NULL::users; any number of rows. Else as cache_fetch; raises also 42804 (the columns are not those of the type), 0A000 (a type without arrays); needs read, and write for the rows to be kept';

CREATE FUNCTION cache_query(rowtype anyelement, key text, query text, args text[],
							ttl interval DEFAULT NULL, soft_ttl interval DEFAULT NULL,
							beta double precision DEFAULT NULL, tags text[] DEFAULT NULL,
							consistency text DEFAULT NULL) RETURNS SETOF anyelement
	LANGUAGE c PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'cachepg_cache_query_text';
COMMENT ON FUNCTION cache_query(anyelement, text, text, text[], interval, interval, double precision, text[], text) IS
'As cache_query with a record, with arguments as text in the types that the query infers; for drivers; needs read, and write for the rows to be kept';

CREATE FUNCTION cache_warm(query text) RETURNS bigint
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_warm';
COMMENT ON FUNCTION cache_warm(text) IS
'Load the keys that a query returns: key text, or for namespaces without a loader also query text and args text[]; returns how many are there now, a warning tells how many failed; see cache_progress_warm. Raises what the query raises, 22004 (NULL), 22023 (other columns, or no rows by its nature); needs read on the namespaces, and write where queries are given';

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
'Define a namespace owned by the caller; keys "name:..." belong to it; NULL means the default, see the columns of cachepg_namespace. Raises 42710 (exists), 42602 (bad name), 22004 (NULL name), 22023 (out of range), 42704 (unknown setting in vary_by). EXECUTE is for superusers until granted';
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
'Change policy options; NULL leaves an option as it is, names in reset go back to their defaults. Raises 42704 (no such namespace), 22023 (out of range, unknown name in reset); needs admin on the namespace, to set scope, adhoc, vary_by or loader its owner (42501). EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cache_namespace_alter(text, interval, interval, double precision, text, bigint, bigint, text, text, text[], text, interval, interval, double precision, boolean, interval, interval, interval, interval, interval, text, integer, interval, jsonb, text[], boolean, integer, integer, double precision, double precision, interval, boolean, boolean, interval, text, integer, boolean, text[]) FROM PUBLIC;

CREATE FUNCTION cache_namespace_drop(name text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_drop';
COMMENT ON FUNCTION cache_namespace_drop(text) IS
'Remove a namespace, its privileges and its entries. Raises 42704 (no such namespace), 0A000 for default; needs to be its owner (42501). EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cache_namespace_drop(text) FROM PUBLIC;

CREATE FUNCTION cache_namespace_set_owner(name text, role text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_set_owner';
COMMENT ON FUNCTION cache_namespace_set_owner(text, text) IS
'Give a namespace to another role, as which its loader runs then. Raises 42704 (no such namespace or role), 22004 (NULL); needs to be its owner and a member of that role (42501), whose or a superuser''s the loader''s function must be. EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cache_namespace_set_owner(text, text) FROM PUBLIC;

CREATE FUNCTION cache_namespace_grant(name text, role text, privilege text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_grant';
COMMENT ON FUNCTION cache_namespace_grant(text, text, text) IS
'Grant read, write, invalidate or admin on a namespace to a role or to "public". Raises 42704 (no such namespace or role), 22023 (no such privilege), 22004 (NULL); needs admin on the namespace (42501). EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cache_namespace_grant(text, text, text) FROM PUBLIC;

CREATE FUNCTION cache_namespace_revoke(name text, role text, privilege text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_namespace_revoke';
COMMENT ON FUNCTION cache_namespace_revoke(text, text, text) IS
'Take back a privilege granted by cache_namespace_grant, also from a dropped role by its number; nothing happens if it was not there. Errors as there; needs admin on the namespace (42501). EXECUTE is for superusers until granted';
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
COMMENT ON COLUMN cache_namespaces.name IS 'Name of the namespace; keys "name:..." belong to it';
COMMENT ON COLUMN cache_namespaces.owner IS 'Role that has all privileges on it; its loader runs as this role';
COMMENT ON COLUMN cache_namespaces.ttl IS 'Lifetime of entries for which the call gives none';
COMMENT ON COLUMN cache_namespaces.negative_ttl IS 'Lifetime of a result of cache_fetch without a row, or of NULL';
COMMENT ON COLUMN cache_namespaces.jitter IS 'Fraction of its lifetime, 0 to 0.99, by which an entry is shortened at random';
COMMENT ON COLUMN cache_namespaces.scope IS 'Who sees an entry: role, the role that made it; shared, all that may read the namespace';
COMMENT ON COLUMN cache_namespaces.max_entries IS 'Number of entries above which the least recently used leaves; NULL: no limit';
COMMENT ON COLUMN cache_namespaces.max_bytes IS 'Bytes of entries, headers included, above which the least recently used leaves; NULL: no limit';
COMMENT ON COLUMN cache_namespaces.consistency IS 'What ends a value of cache_fetch: commit, also changes of tables it was read from; ttl, its lifetime and invalidations only';
COMMENT ON COLUMN cache_namespaces.adhoc IS 'With scope shared, whom results of queries given to cache_fetch are for: role, the role that asked; shared, all';
COMMENT ON COLUMN cache_namespaces.vary_by IS 'Names of settings, 16 at most, by which loaded values differ; NULL: queries by all settings of your own that have a value, the loader by none';
COMMENT ON COLUMN cache_namespaces.loader IS 'Function of cache_fetch(key), as schema.function(argument type); NULL: none';
COMMENT ON COLUMN cache_namespaces.soft_ttl IS 'Age at which cache_fetch has a value loaded anew while it returns the old one; NULL: none';
COMMENT ON COLUMN cache_namespaces.stale_for IS 'How long after its expiry cache_fetch may serve a value while loading fails, takes too long or is not allowed; NULL: not at all';
COMMENT ON COLUMN cache_namespaces.beta IS 'How early XFetch loads anew, 0 (never) to 100';
COMMENT ON COLUMN cache_namespaces.adaptive IS 'Whether lifetimes adapt to how often values change';
COMMENT ON COLUMN cache_namespaces.min_ttl IS 'Shortest lifetime with adaptive';
COMMENT ON COLUMN cache_namespaces.max_ttl IS 'Longest lifetime with adaptive';
COMMENT ON COLUMN cache_namespaces.load_timeout IS 'A load that takes longer is cancelled';
COMMENT ON COLUMN cache_namespaces.soft_timeout IS 'How long a call that has a value to serve by stale_for waits for a worker to load another; NULL: not used, it loads itself';
COMMENT ON COLUMN cache_namespaces.wait_timeout IS 'How long a call waits for the load of another session, or for one of max_loads to end';
COMMENT ON COLUMN cache_namespaces.on_wait_timeout IS 'After wait_timeout in vain: error, return an old value, the fallback or the error; load, load all the same';
COMMENT ON COLUMN cache_namespaces.max_loads IS 'Loads of the namespace at once';
COMMENT ON COLUMN cache_namespaces.retry_after IS 'How long a value is not loaded again after a load that failed by fault of the source';
COMMENT ON COLUMN cache_namespaces.fallback IS 'What cache_fetch and cache_fetch_many return instead of an error of the source; is not kept; NULL: none';
COMMENT ON COLUMN cache_namespaces.stale_on IS 'SQLSTATEs, 64 at most, that count as errors of the source beside the built-in ones; NULL: none';
COMMENT ON COLUMN cache_namespaces.breaker IS 'Whether there is a circuit breaker';
COMMENT ON COLUMN cache_namespaces.breaker_window IS 'Latest loads that the circuit breaker looks at, 1 to 64';
COMMENT ON COLUMN cache_namespaces.breaker_min_calls IS 'Loads that the circuit breaker needs to judge, 1 to 64, cut to breaker_window';
COMMENT ON COLUMN cache_namespaces.breaker_ratio IS 'Share of failed loads at which the circuit breaker opens, 0.01 to 1';
COMMENT ON COLUMN cache_namespaces.breaker_slow IS 'Share of load_timeout from which on a load counts as failed, 0.01 to 1';
COMMENT ON COLUMN cache_namespaces.breaker_open IS 'How long the circuit breaker stays open before it lets a load through as a probe';
COMMENT ON COLUMN cache_namespaces.warm_after_crash IS 'Whether entries are dumped from time to time and come back after a crash';
COMMENT ON COLUMN cache_namespaces.l2 IS 'Whether values are kept in Redis as well';
COMMENT ON COLUMN cache_namespaces.l2_ttl IS 'Longest lifetime of a value in Redis; NULL: that of the value';
COMMENT ON COLUMN cache_namespaces.codec IS 'How values are written to Redis: json, msgpack or binary';
COMMENT ON COLUMN cache_namespaces.compress_above IS 'Bytes above which a value is compressed for Redis, 0: never';
COMMENT ON COLUMN cache_namespaces.load_lock IS 'Whether a load of one server makes those of others wait';
COMMENT ON COLUMN cache_namespaces.privileges IS 'What the current role may do: read, write, invalidate, admin, owner; may be empty for pg_read_all_stats';
COMMENT ON COLUMN cache_namespaces.entries IS 'Entries in memory, expired ones until they are reclaimed; NULL if the namespace finds no room';
COMMENT ON COLUMN cache_namespaces.bytes IS 'Bytes that these take, headers included; NULL if the namespace finds no room';
COMMENT ON COLUMN cache_namespaces.hits IS 'Reads that found a value which had not expired, since the server''s start; NULL if the namespace finds no room';
COMMENT ON COLUMN cache_namespaces.misses IS 'Reads that did not, since the server''s start; NULL if the namespace finds no room';
COMMENT ON COLUMN cache_namespaces.sets IS 'Values stored, by writes and by cache_fetch, since the server''s start; NULL if the namespace finds no room';
COMMENT ON COLUMN cache_namespaces.loads IS 'Values loaded, by sessions and workers, since the server''s start; NULL if the namespace finds no room';
COMMENT ON COLUMN cache_namespaces.evictions IS 'Entries that had to leave before their time, since the server''s start; NULL if the namespace finds no room';
GRANT SELECT ON cache_namespaces TO PUBLIC;

CREATE VIEW cache_namespace_grants (namespace, grantee, privilege) AS
	SELECT a.namespace, CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'public' ELSE a.grantee::pg_catalog.text END, a.privilege
	FROM cachepg_namespace_acl a
	JOIN cache_namespaces n ON n.name OPERATOR(pg_catalog.=) a.namespace
	WHERE n.privileges OPERATOR(pg_catalog.@>) '{admin}' OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');
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
'The entries of this database that the current role may read (with admin on a namespace: all of them); not a snapshot; looks at every entry of the server';
COMMENT ON COLUMN cache_entries.namespace IS 'Name of the namespace that the key belongs to';
COMMENT ON COLUMN cache_entries.key IS 'The key';
COMMENT ON COLUMN cache_entries.role IS 'Role whose entry it is; NULL if shared';
COMMENT ON COLUMN cache_entries.state IS 'fresh; expired, its lifetime is over; invalidated, never to be read again';
COMMENT ON COLUMN cache_entries.type IS 'Type of the value';
COMMENT ON COLUMN cache_entries.bytes IS 'Bytes of memory that it takes, header included';
COMMENT ON COLUMN cache_entries.age IS 'Time since it was stored';
COMMENT ON COLUMN cache_entries.ttl_left IS 'Time until it expires, zero if it has';
COMMENT ON COLUMN cache_entries.hits IS 'Estimate of its reads, off by 45 % (one standard error)';
GRANT SELECT ON cache_entries TO PUBLIC;

CREATE FUNCTION cachepg_stats(OUT memory bigint, OUT partitions integer, OUT eviction text,
							  OUT entries bigint, OUT entry_bytes bigint, OUT payload_bytes bigint, OUT free_bytes bigint,
							  OUT overhead_bytes bigint, OUT hits bigint, OUT misses bigint, OUT hit_ratio double precision,
							  OUT sets bigint, OUT deletes bigint, OUT loads bigint, OUT load_time interval,
							  OUT evictions bigint, OUT expirations bigint, OUT too_large bigint, OUT dropped_sets bigint,
							  OUT unpublished bigint)
	LANGUAGE c PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_stats() IS 'The row of the view cache_stats; for pg_monitor only';

CREATE VIEW cache_stats AS SELECT * FROM cachepg_stats();
COMMENT ON VIEW cache_stats IS
'Memory and counters of the whole server, one row; those of dropped namespaces are gone; for pg_monitor only';
COMMENT ON COLUMN cache_stats.memory IS 'Bytes of cachepg.memory';
COMMENT ON COLUMN cache_stats.partitions IS 'Parts of the memory that are locked separately';
COMMENT ON COLUMN cache_stats.eviction IS 'How it is chosen what leaves: s3fifo or lru';
COMMENT ON COLUMN cache_stats.entries IS 'Entries in memory';
COMMENT ON COLUMN cache_stats.entry_bytes IS 'Bytes that these take, headers included';
COMMENT ON COLUMN cache_stats.payload_bytes IS 'Of entry_bytes, those of keys and values';
COMMENT ON COLUMN cache_stats.free_bytes IS 'Bytes not in use';
COMMENT ON COLUMN cache_stats.overhead_bytes IS 'Bytes of headers, index and counters: memory - payload_bytes - free_bytes';
COMMENT ON COLUMN cache_stats.hits IS 'Reads that found a value which had not expired, since the server''s start';
COMMENT ON COLUMN cache_stats.misses IS 'Reads that did not, since the server''s start';
COMMENT ON COLUMN cache_stats.hit_ratio IS 'hits / (hits + misses), 0 to 1; NULL before the first read';
COMMENT ON COLUMN cache_stats.sets IS 'Values stored, since the server''s start';
COMMENT ON COLUMN cache_stats.deletes IS 'Keys removed by cache_delete, cache_invalidate and watches, since the server''s start';
COMMENT ON COLUMN cache_stats.loads IS 'Values loaded, by sessions and workers, since the server''s start';
COMMENT ON COLUMN cache_stats.load_time IS 'Time that loads took, summed up since the server''s start';
COMMENT ON COLUMN cache_stats.evictions IS 'Entries that had to leave before their time, since the server''s start';
COMMENT ON COLUMN cache_stats.expirations IS 'Entries reclaimed after their time, since the server''s start';
COMMENT ON COLUMN cache_stats.too_large IS 'Values not kept because of their size, since the server''s start';
COMMENT ON COLUMN cache_stats.dropped_sets IS 'Values not kept because no room could be made, since the server''s start';
COMMENT ON COLUMN cache_stats.unpublished IS 'Values not kept for any reason, these two included, since the server''s start; see cache_misses_by_reason';
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
'How cache_fetch got its answers, per namespace on which the current role has a privilege, for pg_read_all_stats all, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.namespace IS 'Name of the namespace';
COMMENT ON COLUMN cache_namespace_stats.hits IS 'Values found that had not expired, also by cache_get, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.stale_hits IS 'Expired values served within stale_for, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.coalesced IS 'Answers from a load of another session or of a worker that the call waited for, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.fallbacks IS 'Answers from the option fallback, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.loads IS 'Values loaded, by sessions and workers, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.loads_failed IS 'Loads that ended with an error, time-outs aside, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.load_timeouts IS 'Loads that load_timeout ended, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.wait_timeouts IS 'Waits for another session''s load, or for one of max_loads to end, that wait_timeout ended, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.retries_throttled IS 'Calls that did not load since a load had failed within retry_after, or two in succession while they waited, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.breaker_refused IS 'Calls that did not load since the circuit breaker was open, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.early_refreshes IS 'Renewals that XFetch caused, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.refreshes_queued IS 'Requests to workers to load a value anew, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.refreshes_changed IS 'Of these, loaded and kept, with another value, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.refreshes_unchanged IS 'Of these, loaded and kept, with the same value, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.refreshes_wasted IS 'Of these, not needed any more when their turn came, or not kept, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.refreshes_failed IS 'Of these, failed, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.l2_hits IS 'Values taken from Redis and kept here, also by cache_get, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.l2_misses IS 'Reads for which Redis had nothing, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.l2_refused IS 'Reads for which Redis had something not valid any more, or not a sound value of that key and type, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.l2_unavailable IS 'Reads for which Redis could not be asked, or did not answer in time, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.l2_writes IS 'Values given to the worker that writes to Redis, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.l2_dropped IS 'Values not written to Redis, as that worker was behind, since the server''s start';
COMMENT ON COLUMN cache_namespace_stats.load_time IS 'Time that loads took, summed up since the server''s start';
GRANT SELECT ON cache_namespace_stats TO PUBLIC;

CREATE FUNCTION cachepg_breakers(OUT namespace text, OUT state text, OUT calls integer, OUT failure_ratio double precision,
								 OUT opened bigint, OUT last_opened timestamptz, OUT refused bigint,
								 OUT next_attempt timestamptz) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_breakers() IS 'Rows of the view cache_breakers';

CREATE VIEW cache_breakers AS SELECT * FROM cachepg_breakers();
COMMENT ON VIEW cache_breakers IS
'The circuit breakers of the namespaces on which the current role has a privilege, for pg_read_all_stats all; calls are those in the window';
COMMENT ON COLUMN cache_breakers.namespace IS 'Name of the namespace';
COMMENT ON COLUMN cache_breakers.state IS 'closed: loads begin as they come; open: none does; half-open: one at a time, as a probe';
COMMENT ON COLUMN cache_breakers.calls IS 'Outcomes of loads in the window, breaker_window at most; while it is not closed, those that opened it';
COMMENT ON COLUMN cache_breakers.failure_ratio IS 'Share of failures among calls, 0 to 1; NULL without any';
COMMENT ON COLUMN cache_breakers.opened IS 'How often it has opened, since the server''s start';
COMMENT ON COLUMN cache_breakers.last_opened IS 'When it opened last; NULL if never';
COMMENT ON COLUMN cache_breakers.refused IS 'Loads that asked for leave to begin and were refused, since the server''s start';
COMMENT ON COLUMN cache_breakers.next_attempt IS 'When the next load may begin; NULL if it is closed';
GRANT SELECT ON cache_breakers TO PUBLIC;

CREATE FUNCTION cache_breaker_reset(namespace text) RETURNS void
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_breaker_reset';
COMMENT ON FUNCTION cache_breaker_reset(text) IS
'Close the circuit breaker of a namespace and forget the outcomes it has seen; at once. Raises 42704 (no such namespace), 22004 (NULL); needs admin on the namespace (42501). EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cache_breaker_reset(text) FROM PUBLIC;

CREATE FUNCTION cachepg_workers(OUT pid integer, OUT database text, OUT state text, OUT since timestamptz,
								OUT refreshes bigint, OUT failed bigint, OUT queued bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_workers() IS 'Rows of the view cache_workers; for pg_monitor only';
REVOKE ALL ON FUNCTION cachepg_workers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_workers() TO pg_monitor;

CREATE VIEW cache_workers AS SELECT * FROM cachepg_workers();
COMMENT ON VIEW cache_workers IS
'The background workers that load values, with the requests that wait for their database; for pg_monitor only';
COMMENT ON COLUMN cache_workers.pid IS 'Process ID; NULL while it starts';
COMMENT ON COLUMN cache_workers.database IS 'Database that it is connected to';
COMMENT ON COLUMN cache_workers.state IS 'starting, idle or loading';
COMMENT ON COLUMN cache_workers.since IS 'When it came into that state';
COMMENT ON COLUMN cache_workers.refreshes IS 'Requests that it has done with, since it started';
COMMENT ON COLUMN cache_workers.failed IS 'Of these, failed';
COMMENT ON COLUMN cache_workers.queued IS 'Requests that wait for any worker of that database';
GRANT SELECT ON cache_workers TO pg_monitor;

CREATE FUNCTION cachepg_progress_warm(OUT pid integer, OUT database text, OUT started timestamptz, OUT keys_expected bigint,
									  OUT keys_done bigint, OUT keys_loaded bigint, OUT keys_failed bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_progress_warm() IS 'Rows of the view cache_progress_warm';

CREATE VIEW cache_progress_warm AS SELECT * FROM cachepg_progress_warm();
COMMENT ON VIEW cache_progress_warm IS
'Running calls of cache_warm on the server, 16 at most, for everybody';
COMMENT ON COLUMN cache_progress_warm.pid IS 'Process ID of the session';
COMMENT ON COLUMN cache_progress_warm.database IS 'Database of the session';
COMMENT ON COLUMN cache_progress_warm.started IS 'When the call began';
COMMENT ON COLUMN cache_progress_warm.keys_expected IS 'Rows that the planner expects of its query';
COMMENT ON COLUMN cache_progress_warm.keys_done IS 'Keys looked after so far';
COMMENT ON COLUMN cache_progress_warm.keys_loaded IS 'Of these, there now, loaded or found';
COMMENT ON COLUMN cache_progress_warm.keys_failed IS 'Of these, that could not be loaded';
GRANT SELECT ON cache_progress_warm TO PUBLIC;

CREATE FUNCTION cachepg_bus(OUT server text, OUT home text, OUT epoch text, OUT active boolean, OUT messages bigint,
							OUT unsent_bytes bigint, OUT unsent_databases bigint, OUT values_queued bigint,
							OUT values_dropped bigint, OUT current boolean, OUT silent interval) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_bus() IS 'Row of the view cache_bus; for pg_monitor only';
REVOKE ALL ON FUNCTION cachepg_bus() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_bus() TO pg_monitor;

CREATE VIEW cache_bus AS SELECT * FROM cachepg_bus();
COMMENT ON VIEW cache_bus IS
'This server''s part of the bus through Redis: what is unsent, and whether it hears of the home whose values it uses; no row without Redis; for pg_monitor only';
COMMENT ON COLUMN cache_bus.server IS 'Name of this server in its cluster';
COMMENT ON COLUMN cache_bus.home IS 'Server whose values in Redis this one uses: itself, or cachepg.l2_home';
COMMENT ON COLUMN cache_bus.epoch IS '32 hexadecimal digits, others at each start';
COMMENT ON COLUMN cache_bus.active IS 'Whether commits are told to other servers: the broadcaster runs';
COMMENT ON COLUMN cache_bus.messages IS 'Messages that Redis has of this server, since the server''s start';
COMMENT ON COLUMN cache_bus.unsent_bytes IS 'Bytes of records of commits that wait to be sent';
COMMENT ON COLUMN cache_bus.unsent_databases IS 'Databases of which everything is to be invalidated elsewhere, as there was no room for records';
COMMENT ON COLUMN cache_bus.values_queued IS 'Values given to the broadcaster, since the server''s start';
COMMENT ON COLUMN cache_bus.values_dropped IS 'Values that it had no room for and that were not written, since the server''s start';
COMMENT ON COLUMN cache_bus.current IS 'Whether values of the home are served, as no message of it is missing; NULL on a home';
COMMENT ON COLUMN cache_bus.silent IS 'Time since the home was heard of; NULL on a home, and before the first time';
GRANT SELECT ON cache_bus TO pg_monitor;

CREATE FUNCTION cachepg_misses_by_reason(OUT namespace text, OUT reason text, OUT count bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_misses_by_reason() IS 'Rows of the view cache_misses_by_reason';

CREATE VIEW cache_misses_by_reason AS SELECT * FROM cachepg_misses_by_reason();
COMMENT ON VIEW cache_misses_by_reason IS
'Why reads did not hit and loads were not kept, per namespace on which the current role has a privilege, for pg_read_all_stats all, since the server''s start';
COMMENT ON COLUMN cache_misses_by_reason.namespace IS 'Name of the namespace';
COMMENT ON COLUMN cache_misses_by_reason.reason IS 'Why reads missed (as expired, invalidated_table), or values were not kept (as too_large, wrote)';
COMMENT ON COLUMN cache_misses_by_reason.count IS 'How often, since the server''s start; reasons that did not occur have no row';
GRANT SELECT ON cache_misses_by_reason TO PUBLIC;

CREATE FUNCTION cache_redis(command text, VARIADIC args text[] DEFAULT '{}') RETURNS text
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_redis';
COMMENT ON FUNCTION cache_redis(text, text[]) IS
'Send a command to the Redis server that keeps its first argument, taken as a key, and return the reply as text: NULL for nil, arrays as JSON; at once. Raises 55000 (no servers), 0A000 (command refused), 08001 (cannot connect), 08006 (connection lost, or no reply in time), 38000 (Redis reports an error). EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cache_redis(text, text[]) FROM PUBLIC;

CREATE FUNCTION cache_redis_ping(OUT node text, OUT ok boolean, OUT latency interval, OUT error text) RETURNS SETOF record
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cachepg_cache_redis_ping';
COMMENT ON FUNCTION cache_redis_ping() IS
'Connect to each Redis server and ask for a sign of life; latency includes connecting and is NULL if it failed, error is NULL if not. EXECUTE is for pg_monitor only';
REVOKE ALL ON FUNCTION cache_redis_ping() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_redis_ping() TO pg_monitor;

CREATE FUNCTION cachepg_redis_nodes(OUT node text, OUT address text, OUT weight integer, OUT breaker text, OUT opened bigint,
									OUT refused bigint, OUT calls bigint, OUT errors bigint, OUT timeouts bigint,
									OUT latency interval, OUT last_error text, OUT last_error_at timestamptz,
									OUT version text) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_redis_nodes() IS 'Rows of the view cache_redis_nodes; for pg_monitor only';
REVOKE ALL ON FUNCTION cachepg_redis_nodes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cachepg_redis_nodes() TO pg_monitor;

CREATE VIEW cache_redis_nodes AS SELECT * FROM cachepg_redis_nodes();
COMMENT ON VIEW cache_redis_nodes IS
'The Redis servers of cachepg.redis_servers, with their circuit breakers and how calls of this server went; for pg_monitor only';
COMMENT ON COLUMN cache_redis_nodes.node IS 'Name by which keys are distributed';
COMMENT ON COLUMN cache_redis_nodes.address IS 'host:port, or path of the socket';
COMMENT ON COLUMN cache_redis_nodes.weight IS 'Its share of keys relative to the others, 1 to 1000';
COMMENT ON COLUMN cache_redis_nodes.breaker IS 'closed; open: it failed and is left alone; half-open: the next call is let through';
COMMENT ON COLUMN cache_redis_nodes.opened IS 'How often the breaker has opened, since the server''s start or since the address came into the list';
COMMENT ON COLUMN cache_redis_nodes.refused IS 'Calls not tried because the breaker was open, since then';
COMMENT ON COLUMN cache_redis_nodes.calls IS 'Calls that were tried, since then';
COMMENT ON COLUMN cache_redis_nodes.errors IS 'Of these, failed, or answered with an error that concerns the server, as OOM';
COMMENT ON COLUMN cache_redis_nodes.timeouts IS 'Of these, failed for want of a reply in time';
COMMENT ON COLUMN cache_redis_nodes.latency IS 'Time of calls that were answered, retries included, an average in which the latest count most; NULL before the first';
COMMENT ON COLUMN cache_redis_nodes.last_error IS 'The latest error; NULL if there was none';
COMMENT ON COLUMN cache_redis_nodes.last_error_at IS 'When that was; NULL if there was none';
COMMENT ON COLUMN cache_redis_nodes.version IS 'Version of the server; NULL until cache_redis_ping has found it out';
GRANT SELECT ON cache_redis_nodes TO pg_monitor;

CREATE FUNCTION cache_redis_locate(key text) RETURNS text
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_redis_locate';
COMMENT ON FUNCTION cache_redis_locate(text) IS
'Name of the Redis server that keeps a Redis key; NULL if there are no servers, or for a NULL key. EXECUTE is for pg_monitor only';
REVOKE ALL ON FUNCTION cache_redis_locate(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_redis_locate(text) TO pg_monitor;

CREATE FUNCTION cache_redis_plan(servers text[], OUT server text, OUT share double precision, OUT planned double precision,
								 OUT moves double precision) RETURNS SETOF record
	LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cachepg_cache_redis_plan';
COMMENT ON FUNCTION cache_redis_plan(text[]) IS
'What share of all keys, 0 to 1, each Redis server has, would have with another list of servers (URLs), and would take over from others. Raises 22023 (bad URL), 22004 (NULL), 0A000 (Redis Cluster). EXECUTE is for pg_monitor only';
REVOKE ALL ON FUNCTION cache_redis_plan(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_redis_plan(text[]) TO pg_monitor;

CREATE FUNCTION cachepg_check(OUT partition integer, OUT problem text, OUT detail bigint) RETURNS SETOF record
	LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_check() IS
'Verify every structure and sum of the store: a row for each problem, none means sound. Locks one partition at a time, against writers, for milliseconds. EXECUTE is for superusers until granted';
REVOKE ALL ON FUNCTION cachepg_check() FROM PUBLIC;

CREATE FUNCTION cachepg_version(OUT extension text, OUT library text) RETURNS record
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION cachepg_version() IS 'Version of the SQL objects and of the loaded library';
