--
-- What is returned but not kept, each with its reason; what is kept by TTL only;
-- what a load inside of another one hands on.
--
CREATE SCHEMA un;
SET search_path = un, public;
SELECT cache_namespace_create('un', ttl => '1 hour'), cache_namespace_create('inner', ttl => '1 hour');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE TABLE o (id int);
CREATE SEQUENCE seq;
CREATE TABLE counted (reason text PRIMARY KEY, n bigint);
-- reasons counted since the last call, and whether the key was kept
CREATE FUNCTION since(key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SELECT concat_ws(' ', string_agg(m.reason, ' ' ORDER BY m.reason), CASE WHEN cache_exists('un:' || key) THEN '- kept' ELSE '- not kept' END) INTO result
	FROM cache_misses_by_reason m LEFT JOIN counted c ON c.reason = m.reason
	WHERE m.namespace = 'un' AND m.count > coalesce(c.n, 0) AND m.reason NOT IN ('absent', 'loader_changed') AND m.reason NOT LIKE 'invalidated%';
	INSERT INTO counted SELECT m.reason, m.count FROM cache_misses_by_reason m WHERE namespace = 'un' ON CONFLICT (reason) DO UPDATE SET n = excluded.n;
	RETURN result;
END $$;

-- negative control
SELECT cache_fetch('un:ok', 'SELECT count(*) FROM t');
SELECT since('ok');

-- isolation
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cache_fetch('un:rr', 'SELECT count(*) FROM t');
COMMIT;
SELECT since('rr');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT cache_fetch('un:ser', 'SELECT count(*) FROM t');
COMMIT;
SELECT since('ser');
-- what is cached is not read there, unless asked for
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cache_exists('un:ok'), cache_get('un:ok'), (cache_entry('un:ok')).why;
SET LOCAL cachepg.snapshot_reads = on;
SELECT cache_exists('un:ok'), cache_get('un:ok');
COMMIT;
SELECT since('ok');

-- the transaction wrote before, or while it loaded: also in a savepoint that was rolled back
BEGIN;
INSERT INTO o VALUES (1);
SELECT cache_fetch('un:wrote', 'SELECT count(*) FROM t');
COMMIT;
SELECT since('wrote');
BEGIN;
SAVEPOINT s;
INSERT INTO o VALUES (1);
ROLLBACK TO s;
SELECT cache_fetch('un:wrote2', 'SELECT count(*) FROM t');
COMMIT;
SELECT since('wrote2');
CREATE FUNCTION writes() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN INSERT INTO o VALUES (2); RETURN (SELECT count(*) FROM o); END $$;
SELECT cache_fetch('un:writes', 'SELECT writes() > 0');
SELECT since('writes');
CREATE FUNCTION locks() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM t FOR UPDATE; RETURN 1; END $$;
SELECT cache_fetch('un:locks', 'SELECT locks()');
SELECT since('locks');
SELECT cache_fetch('un:nextval', $$SELECT nextval('un.seq') > 0$$);
SELECT since('nextval');
-- the transaction invalidated what the value depends on, without having written
BEGIN;
SELECT cache_invalidate_tag('un:tag');
SELECT cache_fetch('un:tagged', 'SELECT 1', tags => ARRAY['un:tag']), cache_fetch('un:untagged', 'SELECT 1');
COMMIT;
SELECT since('tagged'), cache_exists('un:untagged');
BEGIN;
SELECT cache_delete('un:deleted');
SELECT cache_fetch('un:deleted', 'SELECT 1');
COMMIT;
SELECT since('deleted');
BEGIN;
SELECT cache_clear('un');
SELECT cache_fetch('un:cleared', 'SELECT 1');
COMMIT;
SELECT since('cleared');
-- the loader read what its own transaction set
BEGIN;
SELECT cache_set('inner:own', 5);
SELECT cache_fetch('un:own', $$SELECT cache_get('inner:own', 0) + 1$$);
ROLLBACK;
SELECT since('own');

-- temporary tables
CREATE TEMP TABLE tmp (a int);
SELECT cache_fetch('un:temp', 'SELECT count(*) FROM tmp');
SELECT since('temp');
DROP TABLE tmp;

-- a cursor that was opened before the load
CREATE FUNCTION fetches() RETURNS text LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'cur'; v text; BEGIN FETCH c INTO v; RETURN v; END $$;
BEGIN;
DECLARE cur CURSOR FOR SELECT v FROM t ORDER BY id;
SELECT cache_fetch('un:portal', 'SELECT fetches()');
COMMIT;
SELECT since('portal');
-- one that it opened itself
CREATE FUNCTION opens() RETURNS text LANGUAGE plpgsql AS $$ DECLARE c CURSOR FOR SELECT v FROM t ORDER BY id; w text; BEGIN OPEN c; FETCH c INTO w; CLOSE c; RETURN w; END $$;
SELECT cache_fetch('un:opens', 'SELECT opens()');
SELECT since('opens');
UPDATE t SET v = 'ONE' WHERE id = 1;
SELECT cache_fetch('un:opens', 'SELECT opens()');

-- what tells one session from another
CREATE TABLE inputs (n serial, query text);
INSERT INTO inputs (query) VALUES ('SELECT pg_backend_pid() > 0'), ('SELECT inet_client_addr()'), ('SELECT txid_current_if_assigned()'), ('SELECT pg_current_snapshot() IS NULL'),
	('SELECT pg_my_temp_schema() > 0'), ('SELECT count(*) FROM t WHERE id < pg_backend_pid()'), ('SELECT f_pid() > 0'), ('SELECT pg_trigger_depth()'), ('SELECT current_query() IS NULL'),
	('SELECT count(*) FROM v_pid');
CREATE FUNCTION f_pid() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN pg_backend_pid(); END $$;
CREATE VIEW v_pid AS SELECT pg_backend_pid();
DO $$
DECLARE
	i inputs;
BEGIN
	FOR i IN SELECT * FROM inputs ORDER BY n LOOP
		PERFORM cache_fetch('un:input' || i.n, i.query);
		COMMIT;
		RAISE NOTICE '%: %', i.query, since('input' || i.n);
		COMMIT;
	END LOOP;
END $$;

-- more tables than an entry can have
DO $$ BEGIN FOR i IN 1..70 LOOP EXECUTE format('CREATE TABLE many%s (a int)', i); END LOOP; END $$;
SELECT string_agg('SELECT a FROM many' || i, ' UNION ALL ') AS q60 FROM generate_series(1, 60) i \gset
SELECT string_agg('SELECT a FROM many' || i, ' UNION ALL ') AS q70 FROM generate_series(1, 70) i \gset
SELECT cache_fetch('un:many60', 'SELECT count(*) FROM (' || :'q60' || ') x');
SELECT since('many60'), cardinality((cache_entry('un:many60')).depends_on);
SELECT cache_fetch('un:many70', 'SELECT count(*) FROM (' || :'q70' || ') x');
SELECT since('many70');
-- partitions count as their tree
CREATE TABLE parts (k int) PARTITION BY LIST (k);
DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('CREATE TABLE part%s PARTITION OF parts FOR VALUES IN (%s)', i, i); END LOOP; END $$;
SELECT cache_fetch('un:parts', 'SELECT count(*) FROM parts');
SELECT since('parts');
INSERT INTO part77 VALUES (77);
SELECT cache_exists('un:parts'), cache_fetch('un:parts', 'SELECT count(*) FROM parts');
INSERT INTO parts VALUES (99);
SELECT cache_exists('un:parts'), cache_fetch('un:parts', 'SELECT count(*) FROM parts');

-- no privilege to write: the value is the caller's alone
CREATE ROLE regress_un;
GRANT USAGE ON SCHEMA un TO regress_un;
SELECT cache_namespace_grant('un', 'regress_un', 'read');
SET ROLE regress_un;
SELECT cache_fetch('un:reader', 'SELECT 1');
RESET ROLE;
SELECT since('reader');

-- parallel plans of a load are tracked
CREATE FUNCTION parallel_reader(int) RETURNS bigint LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN RETURN (SELECT count(*) FROM t) + $1; END $$;
CREATE TABLE big AS SELECT i FROM generate_series(1, 1000) i;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT cache_fetch('un:parallel', 'SELECT sum(i) FROM big');
SELECT since('parallel'), (cache_entry('un:parallel')).depends_on;
UPDATE big SET i = 2 WHERE i = 1;
SELECT cache_fetch('un:parallel', 'SELECT sum(i) FROM big');
-- but not what functions do in the workers
SELECT cache_fetch('un:parallel2', 'SELECT sum(parallel_reader(i)) > 0 FROM big WHERE i < 4');
SELECT since('parallel2');
SELECT cache_fetch('un:ok', 'SELECT count(*) FROM t');
SELECT sum(length(cache_get('un:ok')::text)) FROM big;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- kept by TTL only, and shown
CREATE TABLE untracked (n serial, query text);
INSERT INTO untracked (query) VALUES ('SELECT count(*) > 0 FROM pg_class'), ('SELECT last_value FROM seq'), ('SELECT now() IS NULL'), ('SELECT random() < 0'), ('SELECT clock_timestamp() IS NULL'),
	('SELECT count(*) > 0 FROM pg_tables'), ('SELECT format(''%s'', to_jsonb(v)) FROM t WHERE id = 2'), ('SELECT count(*) FROM t WHERE now() IS NULL');
DO $$
DECLARE
	u untracked;
BEGIN
	FOR u IN SELECT * FROM untracked ORDER BY n LOOP
		PERFORM cache_fetch('un:untracked' || u.n, u.query);
		COMMIT;
		RAISE NOTICE '%: % %', u.query, (cache_entry('un:untracked' || u.n)).depends_on, since('untracked' || u.n);
		COMMIT;
	END LOOP;
END $$;

--
-- Loads inside of loads, and reads of the cache
--
CREATE FUNCTION invalid(VARIADIC keys text[]) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(k, ' ' ORDER BY i) FROM unnest(keys) WITH ORDINALITY u (k, i) WHERE NOT cache_exists(k) $$;
CREATE PROCEDURE load_all() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_set('inner:set', 1, tags => ARRAY['inner:tag']);
	COMMIT;
	PERFORM cache_fetch('un:fetch', $q$SELECT cache_fetch('inner:f', 'SELECT count(*) FROM t', tags => ARRAY['inner:ft'])$q$);
	PERFORM cache_fetch('un:get', $q$SELECT cache_get('inner:set', 0)$q$);
	PERFORM cache_fetch('un:exists', $q$SELECT cache_exists('inner:set')$q$);
	PERFORM cache_fetch('un:many', $q$SELECT count(*) FROM cache_get_many(ARRAY['inner:set', 'inner:absent'])$q$);
	PERFORM cache_fetch('un:miss', $q$SELECT cache_get('inner:miss', 0)$q$);
	PERFORM cache_fetch('un:deep', $q$SELECT cache_fetch('un:deep2', $r$SELECT cache_fetch('un:deep3', 'SELECT count(*) FROM t')$r$)$q$);
	PERFORM cache_fetch('un:nested_ttl', $q$SELECT cache_fetch('inner:ttl', 'SELECT count(*) FROM t', consistency => 'ttl')$q$);
	PERFORM cache_fetch('un:alone', 'SELECT count(*) FROM o');
	COMMIT;
END $$;
CREATE TABLE changes (n serial, change text);
INSERT INTO changes (change) VALUES ('INSERT INTO t VALUES ((SELECT max(id) + 1 FROM t), NULL)'), ('SELECT cache_invalidate_tag(''inner:ft'')'), ('SELECT cache_invalidate_tag(''inner:tag'')'),
	('SELECT cache_delete(''inner:set'')'), ('SELECT cache_set(''inner:set'', 2)'), ('SELECT cache_set(''inner:miss'', 2)'), ('SELECT cache_invalidate(''un:deep3'')'), ('SELECT cache_invalidate(''inner:f'')'),
	('SELECT cache_clear(''inner'')'), ('INSERT INTO o VALUES (1)'), ('SELECT 1');
DO $$
DECLARE
	c changes;
	wanted text;
BEGIN
	FOR c IN SELECT * FROM changes ORDER BY n LOOP
		-- all loaded, the inner ones with the outer
		CALL load_all();
		EXECUTE c.change;
		COMMIT;
		wanted := invalid('un:fetch', 'un:get', 'un:exists', 'un:many', 'un:miss', 'un:deep', 'un:deep2', 'un:deep3', 'un:nested_ttl', 'un:alone');
		RAISE NOTICE '%: %', c.change, wanted;
		PERFORM cache_clear('un'), cache_clear('inner');
		COMMIT;
		-- once more, the inner ones taken from the cache
		CALL load_all();
		PERFORM cache_delete('un:fetch'), cache_delete('un:nested_ttl'), cache_delete('un:deep');
		COMMIT;
		CALL load_all();
		IF invalid('un:fetch', 'un:get', 'un:exists', 'un:many', 'un:miss', 'un:deep', 'un:nested_ttl', 'un:alone') IS NOT NULL THEN
			RAISE WARNING 'not kept: %', invalid('un:fetch', 'un:get', 'un:exists', 'un:many', 'un:miss', 'un:deep', 'un:nested_ttl', 'un:alone');
		END IF;
		EXECUTE c.change;
		COMMIT;
		IF invalid('un:fetch', 'un:get', 'un:exists', 'un:many', 'un:miss', 'un:deep', 'un:deep2', 'un:deep3', 'un:nested_ttl', 'un:alone') IS DISTINCT FROM wanted THEN
			RAISE WARNING 'from the cache: %', invalid('un:fetch', 'un:get', 'un:exists', 'un:many', 'un:miss', 'un:deep', 'un:deep2', 'un:deep3', 'un:nested_ttl', 'un:alone');
		END IF;
		PERFORM cache_clear('un'), cache_clear('inner');
		COMMIT;
	END LOOP;
END $$;
-- the shortest life is everybody's
SELECT cache_fetch('un:life', $$SELECT cache_fetch('inner:short', 'SELECT 1', ttl => '1 min')$$), cache_ttl('un:life') <= '1 min' AS short;
SELECT cache_delete('un:life');
SELECT cache_fetch('un:life', $$SELECT cache_fetch('inner:short', 'SELECT 1', ttl => '1 min')$$), cache_ttl('un:life') <= '1 min' AS short;
SELECT cache_fetch('un:life2', $$SELECT cache_fetch('inner:long', 'SELECT 1', ttl => '1 day')$$), cache_ttl('un:life2') <= '1 hour' AS own;
-- what the inner one may not keep, the outer one may not; what is not tracked there, is not here
SELECT cache_fetch('un:nested_pid', $$SELECT cache_fetch('inner:pid', 'SELECT pg_backend_pid() > 0')$$);
SELECT since('nested_pid'), cache_exists('inner:pid');
SELECT cache_fetch('un:nested_time', $$SELECT cache_fetch('inner:time', 'SELECT now() IS NULL')$$), (cache_entry('un:nested_time')).depends_on;
-- a stale value inside
SELECT cache_fetch('inner:stale', 'SELECT 1');
SELECT cache_expire('inner:stale');
SELECT cache_fetch('un:of_stale', $$SELECT cache_get('inner:stale')$$);
SELECT since('of_stale');
SELECT (cache_entry('un:nested_time')).tags;
-- a failed inner load does not count
CREATE FUNCTION survives() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM cache_fetch('inner:fails', 'SELECT 1 / 0 FROM o'); RETURN 0; EXCEPTION WHEN division_by_zero THEN RETURN 1; END $$;
SELECT cache_fetch('un:survives', 'SELECT survives()');
SELECT since('survives');

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA un CASCADE;
SELECT cache_namespace_drop('un'), cache_namespace_drop('inner');
DROP ROLE regress_un;
