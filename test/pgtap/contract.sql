-- The SQL contract: what applications and tools may rely on.
BEGIN;
SELECT no_plan();

--
-- Functions: signature, defaults, volatility, strictness, parallel label
--
CREATE TEMP TABLE wanted (name text, arguments text, result text, parallel "char");
INSERT INTO wanted VALUES
	('cache_set', 'key text, value anyelement, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'void', 'u'),
	('cache_set', 'key text, value text, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'void', 'u'),
	('cache_get', 'key text', 'jsonb', 'r'),
	('cache_get', 'key text, if_absent anyelement', 'anyelement', 'r'),
	('cache_get', 'key text, if_absent text', 'text', 'r'),
	('cache_get_many', 'keys text[], OUT key text, OUT value jsonb', 'SETOF record', 'r'),
	('cache_set_many', 'keys text[], vals anyarray, ttl interval DEFAULT NULL::interval', 'bigint', 'u'),
	('cache_add', 'key text, value anyelement, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'boolean', 'u'),
	('cache_add', 'key text, value text, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'boolean', 'u'),
	('cache_replace', 'key text, value anyelement, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'boolean', 'u'),
	('cache_replace', 'key text, value text, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'boolean', 'u'),
	('cache_delete', 'key text', 'boolean', 'u'),
	('cache_exists', 'key text', 'boolean', 'r'),
	('cache_ttl', 'key text', 'interval', 'r'),
	('cache_touch', 'key text, ttl interval', 'boolean', 'u'),
	('cache_incr', 'key text, delta bigint DEFAULT 1, ttl interval DEFAULT NULL::interval', 'bigint', 'u'),
	('cache_entry', 'key text, OUT state text, OUT type regtype, OUT bytes bigint, OUT age interval, OUT ttl_left interval, '
		'OUT soft_left interval, OUT delta interval, OUT hits bigint, OUT tags text[], OUT depends_on text[], OUT why text', 'record', 'r'),
	('cache_invalidate', 'key text', 'boolean', 'u'),
	('cache_invalidate_tag', 'tag text', 'void', 'u'),
	('cache_expire', 'key text', 'boolean', 'u'),
	('cache_expire_tag', 'tag text', 'void', 'u'),
	('cache_clear', 'namespace text DEFAULT NULL::text', 'void', 'u'),
	('cache_watch', 'table_name regclass, key_template text DEFAULT NULL::text, tag_template text DEFAULT NULL::text', 'void', 'u'),
	('cache_unwatch', 'table_name regclass, key_template text DEFAULT NULL::text, tag_template text DEFAULT NULL::text', 'bigint', 'u'),
	('cache_fetch', 'key text, query text, args record DEFAULT NULL::record, ttl interval DEFAULT NULL::interval, '
		'soft_ttl interval DEFAULT NULL::interval, beta double precision DEFAULT NULL::double precision, tags text[] DEFAULT NULL::text[], '
		'consistency text DEFAULT NULL::text', 'jsonb', 'u'),
	('cache_fetch', 'key text, query text, args text[], ttl interval DEFAULT NULL::interval, '
		'soft_ttl interval DEFAULT NULL::interval, beta double precision DEFAULT NULL::double precision, tags text[] DEFAULT NULL::text[], '
		'consistency text DEFAULT NULL::text', 'jsonb', 'u'),
	('cache_fetch', 'key text', 'jsonb', 'u'),
	('cache_fetch_many', 'keys text[], OUT key text, OUT value jsonb', 'SETOF record', 'u'),
	('cache_query', 'rowtype anyelement, key text, query text, args record DEFAULT NULL::record, ttl interval DEFAULT NULL::interval, '
		'soft_ttl interval DEFAULT NULL::interval, beta double precision DEFAULT NULL::double precision, tags text[] DEFAULT NULL::text[], '
		'consistency text DEFAULT NULL::text', 'SETOF anyelement', 'u'),
	('cache_query', 'rowtype anyelement, key text, query text, args text[], ttl interval DEFAULT NULL::interval, '
		'soft_ttl interval DEFAULT NULL::interval, beta double precision DEFAULT NULL::double precision, tags text[] DEFAULT NULL::text[], '
		'consistency text DEFAULT NULL::text', 'SETOF anyelement', 'u'),
	('cache_warm', 'query text', 'bigint', 'u'),
	('cache_redis', 'command text, VARIADIC args text[] DEFAULT ''{}''::text[]', 'text', 'u'),
	('cache_redis_locate', 'key text', 'text', 'r'),
	('cache_redis_ping', 'OUT node text, OUT ok boolean, OUT latency interval, OUT error text', 'SETOF record', 'u'),
	('cache_redis_plan', 'servers text[], OUT server text, OUT share double precision, OUT planned double precision, OUT moves double precision', 'SETOF record', 'r'),
	('cache_breaker_reset', 'namespace text', 'void', 'u'),
	('cache_namespace_create', 'name text, ttl interval DEFAULT NULL::interval, negative_ttl interval DEFAULT NULL::interval, '
		'jitter double precision DEFAULT NULL::double precision, scope text DEFAULT NULL::text, max_entries bigint DEFAULT NULL::bigint, '
		'max_bytes bigint DEFAULT NULL::bigint, consistency text DEFAULT NULL::text, adhoc text DEFAULT NULL::text, '
		'vary_by text[] DEFAULT NULL::text[], loader text DEFAULT NULL::text, soft_ttl interval DEFAULT NULL::interval, stale_for interval DEFAULT NULL::interval, beta double precision DEFAULT NULL::double precision, adaptive boolean DEFAULT NULL::boolean, min_ttl interval DEFAULT NULL::interval, max_ttl interval DEFAULT NULL::interval, load_timeout interval DEFAULT NULL::interval, soft_timeout interval DEFAULT NULL::interval, wait_timeout interval DEFAULT NULL::interval, on_wait_timeout text DEFAULT NULL::text, max_loads integer DEFAULT NULL::integer, retry_after interval DEFAULT NULL::interval, fallback jsonb DEFAULT NULL::jsonb, stale_on text[] DEFAULT NULL::text[], breaker boolean DEFAULT NULL::boolean, breaker_window integer DEFAULT NULL::integer, breaker_min_calls integer DEFAULT NULL::integer, breaker_ratio double precision DEFAULT NULL::double precision, breaker_slow double precision DEFAULT NULL::double precision, breaker_open interval DEFAULT NULL::interval, warm_after_crash boolean DEFAULT NULL::boolean, l2 boolean DEFAULT NULL::boolean, l2_ttl interval DEFAULT NULL::interval, codec text DEFAULT NULL::text, compress_above integer DEFAULT NULL::integer, load_lock boolean DEFAULT NULL::boolean', 'void', 'u'),
	('cache_namespace_alter', 'name text, ttl interval DEFAULT NULL::interval, negative_ttl interval DEFAULT NULL::interval, '
		'jitter double precision DEFAULT NULL::double precision, scope text DEFAULT NULL::text, max_entries bigint DEFAULT NULL::bigint, '
		'max_bytes bigint DEFAULT NULL::bigint, consistency text DEFAULT NULL::text, adhoc text DEFAULT NULL::text, '
		'vary_by text[] DEFAULT NULL::text[], loader text DEFAULT NULL::text, soft_ttl interval DEFAULT NULL::interval, stale_for interval DEFAULT NULL::interval, beta double precision DEFAULT NULL::double precision, adaptive boolean DEFAULT NULL::boolean, min_ttl interval DEFAULT NULL::interval, max_ttl interval DEFAULT NULL::interval, load_timeout interval DEFAULT NULL::interval, soft_timeout interval DEFAULT NULL::interval, wait_timeout interval DEFAULT NULL::interval, on_wait_timeout text DEFAULT NULL::text, max_loads integer DEFAULT NULL::integer, retry_after interval DEFAULT NULL::interval, fallback jsonb DEFAULT NULL::jsonb, stale_on text[] DEFAULT NULL::text[], breaker boolean DEFAULT NULL::boolean, breaker_window integer DEFAULT NULL::integer, breaker_min_calls integer DEFAULT NULL::integer, breaker_ratio double precision DEFAULT NULL::double precision, breaker_slow double precision DEFAULT NULL::double precision, breaker_open interval DEFAULT NULL::interval, warm_after_crash boolean DEFAULT NULL::boolean, l2 boolean DEFAULT NULL::boolean, l2_ttl interval DEFAULT NULL::interval, codec text DEFAULT NULL::text, compress_above integer DEFAULT NULL::integer, load_lock boolean DEFAULT NULL::boolean, reset text[] DEFAULT NULL::text[]', 'void', 'u'),
	('cache_namespace_drop', 'name text', 'void', 'u'),
	('cache_namespace_set_owner', 'name text, role text', 'void', 'u'),
	('cache_namespace_grant', 'name text, role text, privilege text', 'void', 'u'),
	('cache_namespace_revoke', 'name text, role text, privilege text', 'void', 'u');

SELECT is(
	(SELECT concat(pg_get_function_result(p.oid), ' ', provolatile, proisstrict, proparallel, prosecdef, proleakproof)
	 FROM pg_proc p WHERE proname = name AND pg_get_function_arguments(p.oid) = arguments AND pronamespace = 'public'::regnamespace),
	-- volatile, not strict, neither security definer nor leakproof
	concat(result, ' vf', parallel, 'ff'),
	name || '(' || arguments || ')')
FROM wanted;

CREATE TEMP VIEW members AS
	SELECT classid, objid FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cachepg');
SELECT set_eq(
	$$SELECT proname || '(' || pg_get_function_arguments(p.oid) || ')' FROM members JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
	  WHERE proname LIKE 'cache\_%'$$,
	$$SELECT name || '(' || arguments || ')' FROM wanted$$,
	'there are no other functions cache_*');
SELECT set_eq(
	$$SELECT concat(p.oid::regprocedure, ' ', proparallel, provolatile) FROM members JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
	  WHERE proname NOT LIKE 'cache\_%'$$,
	ARRAY['cachepg_breakers() rv', 'cachepg_bus() rv', 'cachepg_catalog_changed() uv', 'cachepg_check() uv', 'cachepg_entries() rv', 'cachepg_misses_by_reason() rv',
		  'cachepg_namespace_stats() rv', 'cachepg_namespaces() rv', 'cachepg_progress_warm() rv', 'cachepg_redis_nodes() rv', 'cachepg_workers() rv', 'cachepg_stats() sv', 'cachepg_version() ss', 'cachepg_watch_row() uv'],
	'the functions cachepg_* and their labels');
SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM members JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
	  WHERE prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') OR probin <> '$libdir/cachepg' OR proisstrict OR proconfig IS NOT NULL$$,
	'all functions are of the library, none is strict');

--
-- Comments
--
SELECT is_empty(
	$$SELECT classid::regclass, objid FROM members
	  WHERE classid IN ('pg_proc'::regclass, 'pg_class'::regclass) AND obj_description(objid, classid::regclass::text::name) IS NULL
		AND (classid <> 'pg_class'::regclass OR (SELECT relkind FROM pg_class c WHERE c.oid = objid) IN ('r', 'v'))$$,
	'every function, table and view has a comment');
SELECT isnt(obj_description((SELECT oid FROM pg_extension WHERE extname = 'cachepg'), 'pg_extension'), NULL, 'and the extension has');
SELECT is_empty(
	$$SELECT attrelid::regclass, attname FROM members JOIN pg_attribute ON classid = 'pg_class'::regclass AND attrelid = objid
	  WHERE attnum > 0 AND NOT attisdropped AND (SELECT relkind FROM pg_class c WHERE c.oid = objid) IN ('r', 'v')
		AND coalesce(col_description(attrelid, attnum), '') !~ '\S'$$,
	'and every column of these');
-- who is not PUBLIC learns from the comment who may
SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM members JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
	  WHERE proname LIKE 'cache\_%'
		AND obj_description(p.oid, 'pg_proc') !~ CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN '^(?!.*EXECUTE is for)'
			WHEN has_function_privilege('pg_monitor', p.oid, 'EXECUTE') THEN 'EXECUTE is for pg_monitor only$'
			ELSE 'EXECUTE is for superusers until granted$' END$$,
	'comments of functions say for whom they are');
SELECT is_empty(
	$$SELECT c.oid::regclass FROM members JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid
	  WHERE relkind = 'v' AND (obj_description(c.oid, 'pg_class') ~ 'for pg_monitor only$') = has_table_privilege('public', c.oid, 'SELECT')$$,
	'and those of views');

--
-- Privileges
--
SELECT function_privs_are('public', 'cache_get', ARRAY['text'], 'public', ARRAY['EXECUTE'], 'PUBLIC may call cache_get');
SELECT is(has_function_privilege('public', p.oid, 'EXECUTE'), false, 'PUBLIC may not call ' || p.oid::regprocedure)
FROM members JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
WHERE proname ~ '^cache_namespace_|^cache_breaker_reset$|^cachepg_(check|stats|workers|bus|catalog_changed|redis_nodes)$|^cache_redis';
SELECT is(has_function_privilege('pg_monitor', 'cachepg_stats()', 'EXECUTE') AND has_table_privilege('pg_monitor', 'cache_stats', 'SELECT'), true,
		  'pg_monitor may see cache_stats');
SELECT is(has_function_privilege('pg_monitor', 'cachepg_workers()', 'EXECUTE') AND has_table_privilege('pg_monitor', 'cache_workers', 'SELECT'), true,
		  'and cache_workers');
SELECT is(has_function_privilege('pg_monitor', 'cachepg_redis_nodes()', 'EXECUTE') AND has_table_privilege('pg_monitor', 'cache_redis_nodes', 'SELECT'), true,
		  'and cache_redis_nodes');
SELECT is(has_function_privilege('pg_monitor', 'cachepg_bus()', 'EXECUTE') AND has_table_privilege('pg_monitor', 'cache_bus', 'SELECT'), true,
		  'and cache_bus');
SELECT is(has_function_privilege('pg_monitor', 'cache_redis(text, text[])', 'EXECUTE'), false, 'but not send commands to Redis');
SELECT is(has_table_privilege('public', c.oid, 'SELECT'), c.relname IN ('cache_namespaces', 'cache_namespace_grants', 'cache_entries', 'cache_misses_by_reason', 'cache_watches',
		  'cache_namespace_stats', 'cache_breakers', 'cache_progress_warm'),
		  'SELECT of PUBLIC on ' || c.oid::regclass)
FROM members JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid AND relkind IN ('r', 'v');
SELECT is(has_table_privilege('public', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'), false, 'nothing else of PUBLIC on ' || c.oid::regclass)
FROM members JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid AND relkind IN ('r', 'v');

--
-- Views
--
CREATE FUNCTION pg_temp.columns_of(relation regclass) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped;
$$;
SELECT is(pg_temp.columns_of('cache_namespaces'),
	'name text, owner regrole, ttl interval, negative_ttl interval, jitter double precision, scope text, max_entries bigint, max_bytes bigint, '
	'consistency text, adhoc text, vary_by text[], loader text, soft_ttl interval, stale_for interval, beta double precision, adaptive boolean, min_ttl interval, max_ttl interval, load_timeout interval, soft_timeout interval, wait_timeout interval, on_wait_timeout text, max_loads integer, retry_after interval, fallback jsonb, stale_on text[], breaker boolean, breaker_window integer, breaker_min_calls integer, breaker_ratio double precision, breaker_slow double precision, breaker_open interval, warm_after_crash boolean, l2 boolean, l2_ttl interval, codec text, compress_above integer, load_lock boolean, privileges text[], entries bigint, bytes bigint, hits bigint, misses bigint, sets bigint, loads bigint, evictions bigint', 'columns of cache_namespaces');
SELECT is(pg_temp.columns_of('cache_namespace_grants'), 'namespace text, grantee text, privilege text', 'columns of cache_namespace_grants');
SELECT is(pg_temp.columns_of('cache_entries'),
	'namespace text, key text, role regrole, state text, type regtype, bytes bigint, age interval, ttl_left interval, hits bigint', 'columns of cache_entries');
SELECT is(pg_temp.columns_of('cache_stats'),
	'memory bigint, partitions integer, eviction text, entries bigint, entry_bytes bigint, payload_bytes bigint, free_bytes bigint, overhead_bytes bigint, '
	'hits bigint, misses bigint, hit_ratio double precision, sets bigint, deletes bigint, loads bigint, load_time interval, evictions bigint, '
	'expirations bigint, too_large bigint, dropped_sets bigint, unpublished bigint', 'columns of cache_stats');
SELECT is(pg_temp.columns_of('cache_misses_by_reason'), 'namespace text, reason text, count bigint', 'columns of cache_misses_by_reason');
SELECT is(pg_temp.columns_of('cache_watches'), 'table_name regclass, key_template text, tag_template text, creator regrole', 'columns of cache_watches');
SELECT is(pg_temp.columns_of('cache_namespace_stats'),
	'namespace text, hits bigint, stale_hits bigint, coalesced bigint, fallbacks bigint, loads bigint, loads_failed bigint, load_timeouts bigint, '
	'wait_timeouts bigint, retries_throttled bigint, breaker_refused bigint, early_refreshes bigint, refreshes_queued bigint, '
	'refreshes_changed bigint, refreshes_unchanged bigint, refreshes_wasted bigint, refreshes_failed bigint, l2_hits bigint, l2_misses bigint, l2_refused bigint, l2_unavailable bigint, l2_writes bigint, l2_dropped bigint, load_time interval',
	'columns of cache_namespace_stats');
SELECT is(pg_temp.columns_of('cache_breakers'),
	'namespace text, state text, calls integer, failure_ratio double precision, opened bigint, last_opened timestamp with time zone, refused bigint, '
	'next_attempt timestamp with time zone', 'columns of cache_breakers');
SELECT is(pg_temp.columns_of('cache_workers'),
	'pid integer, database text, state text, since timestamp with time zone, refreshes bigint, failed bigint, queued bigint', 'columns of cache_workers');
SELECT is(pg_temp.columns_of('cache_redis_nodes'),
	'node text, address text, weight integer, breaker text, opened bigint, refused bigint, calls bigint, errors bigint, timeouts bigint, '
	'latency interval, last_error text, last_error_at timestamp with time zone, version text', 'columns of cache_redis_nodes');
SELECT is(pg_temp.columns_of('cache_bus'),
	'server text, home text, epoch text, active boolean, messages bigint, unsent_bytes bigint, unsent_databases bigint, values_queued bigint, '
	'values_dropped bigint, current boolean, silent interval', 'columns of cache_bus');
SELECT is(pg_temp.columns_of('cache_progress_warm'),
	'pid integer, database text, started timestamp with time zone, keys_expected bigint, keys_done bigint, keys_loaded bigint, keys_failed bigint',
	'columns of cache_progress_warm');
SELECT is(count(*), 1::bigint, 'cache_stats has one row') FROM cache_stats;

--
-- Catalog tables
--
SELECT is(pg_temp.columns_of('cachepg_namespace'),
	'name text, owner regrole, ttl interval, negative_ttl interval, jitter double precision, scope text, max_entries bigint, max_bytes bigint, '
	'consistency text, adhoc text, vary_by text[], loader text, soft_ttl interval, stale_for interval, beta double precision, adaptive boolean, min_ttl interval, max_ttl interval, load_timeout interval, soft_timeout interval, wait_timeout interval, on_wait_timeout text, max_loads integer, retry_after interval, fallback jsonb, stale_on text[], breaker boolean, breaker_window integer, breaker_min_calls integer, breaker_ratio double precision, breaker_slow double precision, breaker_open interval, warm_after_crash boolean, l2 boolean, l2_ttl interval, codec text, compress_above integer, load_lock boolean, id uuid',
	'columns of cachepg_namespace');
SELECT is(pg_temp.columns_of('cachepg_namespace_acl'), 'namespace text, grantee regrole, privilege text', 'columns of cachepg_namespace_acl');
SELECT is(pg_temp.columns_of('cachepg_watch'), 'id uuid, relation regclass, key_template text, tag_template text, creator regrole',
	'columns of cachepg_watch');
SELECT col_is_pk('cachepg_namespace', 'name');
SELECT col_is_pk('cachepg_watch', 'id');
SELECT col_is_pk('cachepg_namespace_acl', ARRAY['namespace', 'grantee', 'privilege']);
SELECT throws_ok($$INSERT INTO cachepg_namespace_acl VALUES ('x', 'pg_monitor', 'execute')$$, '23514', NULL, 'only the four privileges');
SELECT throws_ok($$INSERT INTO cachepg_namespace (name, owner) VALUES ('a:b', 'pg_monitor')$$, '23514', NULL, 'no colon in a name');
SELECT is(array_agg(concat(tgrelid::regclass, ' ', tgenabled) ORDER BY tgrelid::regclass::text), ARRAY['cachepg_namespace A', 'cachepg_namespace_acl A', 'cachepg_watch A'],
		  'changes are announced always') FROM pg_trigger WHERE tgname = 'cachepg_changed';
-- pg_upgrade refuses columns of other reg* types
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class c ON attrelid = c.oid
	WHERE c.oid IN (SELECT objid FROM members) AND relkind = 'r' AND atttypid::regtype::text ~ '^reg' AND atttypid NOT IN ('regclass'::regtype, 'regrole'::regtype, 'regtype'::regtype)$$,
	'no column that pg_upgrade refuses');

--
-- The extension
--
SELECT is((SELECT array_agg(t::regclass::text ORDER BY t::regclass::text) FROM unnest(extconfig) t), ARRAY['cachepg_namespace', 'cachepg_namespace_acl', 'cachepg_watch'],
		  'pg_dump carries the rows of all tables')
FROM pg_extension WHERE extname = 'cachepg';
SELECT is(extcondition, ARRAY['WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)',
		  'WHERE grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = grantee)', ''], 'but those of roles that are gone') FROM pg_extension WHERE extname = 'cachepg';
SELECT is(extrelocatable, false, 'not relocatable') FROM pg_extension WHERE extname = 'cachepg';
SELECT is((superuser, trusted, relocatable, schema, requires)::text, '(t,f,f,,)', 'superuser only, not trusted, not relocatable, no fixed schema, requires nothing')
FROM pg_available_extension_versions v JOIN pg_available_extensions e USING (name) WHERE name = 'cachepg' AND v.version = e.default_version;
SELECT is(installed_version, default_version, 'the newest version is installed') FROM pg_available_extensions WHERE name = 'cachepg';
SELECT is(extension, library, 'library and SQL objects are of one version') FROM cachepg_version();
SELECT is(array_agg(name ORDER BY name),
	ARRAY['cachepg.bus_heartbeat', 'cachepg.bus_silence', 'cachepg.bus_stream_length', 'cachepg.cluster', 'cachepg.dump', 'cachepg.dump_interval', 'cachepg.enabled', 'cachepg.eviction', 'cachepg.expected_entry_size', 'cachepg.janitor_interval', 'cachepg.l2_home', 'cachepg.max_namespaces',
		  'cachepg.max_pending_bytes', 'cachepg.memory', 'cachepg.redis_ca_file', 'cachepg.redis_cert_file', 'cachepg.redis_connect_timeout', 'cachepg.redis_hmac_key_file', 'cachepg.redis_idle_timeout', 'cachepg.redis_key_file', 'cachepg.redis_max_connections',
		  'cachepg.redis_max_reply', 'cachepg.redis_password_file', 'cachepg.redis_retries', 'cachepg.redis_servers', 'cachepg.redis_sharding', 'cachepg.redis_timeout', 'cachepg.redis_tls_verify', 'cachepg.redis_user', 'cachepg.refresh_timeout', 'cachepg.refresh_workers', 'cachepg.server_name', 'cachepg.snapshot_reads'], 'settings')
FROM pg_settings WHERE name LIKE 'cachepg.%';
SELECT is(array_agg(DISTINCT context) FILTER (WHERE name NOT IN ('cachepg.bus_heartbeat', 'cachepg.bus_silence', 'cachepg.bus_stream_length', 'cachepg.dump', 'cachepg.dump_interval', 'cachepg.enabled', 'cachepg.janitor_interval',
		  'cachepg.max_pending_bytes', 'cachepg.redis_ca_file', 'cachepg.redis_cert_file', 'cachepg.redis_connect_timeout', 'cachepg.redis_hmac_key_file', 'cachepg.redis_idle_timeout', 'cachepg.redis_key_file', 'cachepg.redis_max_connections',
		  'cachepg.redis_max_reply', 'cachepg.redis_password_file', 'cachepg.redis_retries', 'cachepg.redis_servers', 'cachepg.redis_sharding', 'cachepg.redis_timeout', 'cachepg.redis_tls_verify', 'cachepg.redis_user', 'cachepg.refresh_timeout', 'cachepg.refresh_workers', 'cachepg.snapshot_reads')), ARRAY['postmaster'], 'what sizes memory needs a restart')
FROM pg_settings WHERE name LIKE 'cachepg.%';
SELECT is(array_agg(name ORDER BY name), ARRAY['cachepg.bus_heartbeat', 'cachepg.bus_silence', 'cachepg.bus_stream_length', 'cachepg.dump', 'cachepg.dump_interval', 'cachepg.janitor_interval', 'cachepg.redis_ca_file', 'cachepg.redis_cert_file', 'cachepg.redis_connect_timeout', 'cachepg.redis_hmac_key_file', 'cachepg.redis_idle_timeout', 'cachepg.redis_key_file', 'cachepg.redis_max_connections',
		  'cachepg.redis_max_reply', 'cachepg.redis_password_file', 'cachepg.redis_retries', 'cachepg.redis_servers', 'cachepg.redis_sharding', 'cachepg.redis_timeout', 'cachepg.redis_tls_verify', 'cachepg.redis_user', 'cachepg.refresh_timeout', 'cachepg.refresh_workers'],
		  'what concerns workers needs a reload')
FROM pg_settings WHERE name LIKE 'cachepg.%' AND context = 'sighup';
SELECT throws_ok('SET cachepg.unknown = 1', '42602', NULL, 'no setting can be made up');
SELECT is((SELECT count(*) FROM pg_roles WHERE rolname ~ 'cache'), 0::bigint, 'no roles are created');

SELECT * FROM finish();
ROLLBACK;
