--
-- Loaders of many keys, and rows of queries.
--
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 20) i;
SELECT cache_namespace_create('calls', ttl => '1 hour'), cache_set('calls:n', 0::bigint);
CREATE FUNCTION load_items(keys text[]) RETURNS TABLE (key text, value jsonb) LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	PERFORM cache_incr('calls:n');
	RETURN QUERY SELECT 'item:' || i.id, to_jsonb(i) FROM item i WHERE 'item:' || i.id = ANY (keys) ORDER BY i.id DESC;
END $$;
CREATE FUNCTION calls() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint := cache_get('calls:n', 0::bigint);
BEGIN
	PERFORM cache_incr('calls:n', -n);
	RETURN n;
END $$;
SELECT cache_namespace_create('item', loader => 'load_items');
SELECT loader FROM cache_namespaces WHERE name = 'item';
-- one call for all keys, in their order; those without a row are NULL; NULL keys give nothing
SELECT * FROM cache_fetch_many(ARRAY['item:3', 'item:1', NULL, 'item:99', 'item:3']);
SELECT calls();
-- hits, and one call for what is missing
SELECT * FROM cache_fetch_many(ARRAY['item:1', 'item:2', 'item:3', 'item:99', 'item:4']);
SELECT calls();
SELECT (e).state, (e).depends_on FROM cache_entry('item:4') e;
SELECT cache_fetch('item:1'), cache_fetch('item:5'), cache_fetch('item:98') IS NULL AS absent;
SELECT calls();
-- what changes is loaded again
UPDATE item SET name = 'changed' WHERE id = 2;
SELECT value ->> 'name' AS name FROM cache_fetch_many(ARRAY['item:1', 'item:2']);
SELECT calls();
SELECT * FROM cache_fetch_many('{}') UNION ALL SELECT * FROM cache_fetch_many(NULL);
SELECT count(*), count(value) FROM cache_fetch_many((SELECT array_agg('item:' || i) FROM generate_series(1, 2500) i));
SELECT calls() AS calls_for_2500_keys;
-- within a transaction that has written each sees its own
BEGIN;
UPDATE item SET name = 'mine' WHERE id = 1;
SELECT value ->> 'name' AS name FROM cache_fetch_many(ARRAY['item:1', 'item:2']);
ROLLBACK;
SELECT value ->> 'name' AS name FROM cache_fetch_many(ARRAY['item:1', 'item:2']);
-- a loader of one key is called for each
CREATE FUNCTION load_one(key text) RETURNS text LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	PERFORM cache_incr('calls:n');
	RETURN upper(key);
END $$;
SELECT cache_namespace_create('one', loader => 'load_one(text)');
SELECT calls() >= 0 AS reset;
SELECT * FROM cache_fetch_many(ARRAY['one:a', 'item:1', 'one:b', 'one:a']);
SELECT calls();
-- errors
SELECT * FROM cache_fetch_many(ARRAY['none']);
SELECT * FROM cache_fetch_many(ARRAY['item:1', '']);
CREATE FUNCTION fails_many(keys text[]) RETURNS TABLE (key text, value int) LANGUAGE sql AS 'SELECT k, 1 / 0 FROM unnest(keys) k';
SELECT cache_namespace_create('fails', loader => 'fails_many', fallback => '"instead"', stale_on => '{22012}');
SELECT * FROM cache_fetch_many(ARRAY['fails:a', 'fails:b']);
SELECT cache_namespace_alter('fails', reset => ARRAY['stale_on']);
-- versions of PostgreSQL word the context and the detail differently
\set VERBOSITY terse
SELECT * FROM cache_fetch_many(ARRAY['fails:c', 'fails:d']);
\set VERBOSITY default
SELECT locktype FROM pg_locks WHERE locktype = 'advisory';
CREATE FUNCTION no_rows(keys text[]) RETURNS text LANGUAGE sql AS 'SELECT 1::text';
SELECT cache_namespace_create('bad', loader => 'no_rows');
SELECT cache_namespace_create('bad', loader => 'no_rows(int)');
-- jitter, lifetimes and negative caching are those of cache_fetch
SELECT cache_namespace_alter('item', ttl => '10 s', negative_ttl => '2 s');
SELECT count(*) FROM cache_fetch_many(ARRAY['item:10', 'item:1000000']);
SELECT extract(epoch FROM cache_ttl('item:10')) BETWEEN 5 AND 10 AS ttl, extract(epoch FROM cache_ttl('item:1000000')) BETWEEN 0 AND 2 AS negative_ttl;

--
-- cache_query
--
SELECT cache_namespace_create('q');
SELECT * FROM cache_query(NULL::item, 'q:all', 'SELECT * FROM item WHERE id < $1 ORDER BY id', ROW(4));
SELECT * FROM cache_query(NULL::item, 'q:all', 'SELECT * FROM item WHERE id < $1 ORDER BY id', ROW(4));
SELECT hits, loads FROM cache_namespace_stats WHERE namespace = 'q';
SELECT i.name FROM cache_query(NULL::item, 'q:rows', 'SELECT i FROM item i WHERE id = $1', args => ARRAY['7']) i;
SELECT cache_query(0, 'q:ids', 'SELECT id FROM item WHERE id < 3 ORDER BY 1');
SELECT cache_query(NULL::text, 'q:null', 'SELECT NULL::text') IS NULL AS null_row;
SELECT count(*) AS none FROM cache_query(0, 'q:none', 'SELECT id FROM item WHERE id < 0') i;
SELECT (cache_entry('q:none')).state, (cache_entry('q:ids')).type, cache_get('q:ids');
-- rows of the same key as other types are other values
SELECT cache_query(NULL::bigint, 'q:ids', 'SELECT 42::bigint');
-- a changed row type
ALTER TABLE item ADD extra int DEFAULT 5;
SELECT * FROM cache_query(NULL::item, 'q:all', 'SELECT * FROM item WHERE id < $1 ORDER BY id', ROW(4));
-- errors
SELECT cache_query(0, 'q:bad', 'SELECT name FROM item');
SELECT * FROM cache_query(NULL::item, 'q:bad', 'SELECT id, name FROM item');
\set VERBOSITY terse
SELECT * FROM cache_query(NULL::item, 'q:bad', 'SELECT name, id, extra FROM item');
\set VERBOSITY default
SELECT cache_query(ARRAY[1], 'q:bad', 'SELECT ARRAY[1]');
SELECT cache_query(NULL, 'q:bad', 'SELECT 1');

--
-- cache_warm
--
SELECT cache_clear('item'), calls() >= 0 AS reset;
SELECT cache_warm($$SELECT 'item:' || i FROM generate_series(1, 1500) i$$);
SELECT calls();
SELECT loads AS loads_before FROM cache_namespaces WHERE name = 'item' \gset
SELECT cache_warm($$SELECT 'item:' || i FROM generate_series(1, 1500) i$$);
-- but for a key that shares its cell with the counter of calls
SELECT calls() <= 1 AS hardly_called, loads - :loads_before <= 2 AS all_were_there FROM cache_namespaces WHERE name = 'item';
SELECT cache_warm($$SELECT 'q:w' || i, 'SELECT $1::int * 2', ARRAY[i::text] FROM generate_series(1, 10) i$$);
SELECT cache_get('q:w10'), cache_warm($$SELECT 'q:w0', 'SELECT 0'$$), cache_get('q:w0');
-- what fails is counted, the others are loaded
SELECT cache_warm($$VALUES ('q:w20', 'SELECT 1'), ('q:w21', 'SELECT 1 / 0'), ('q:w22', 'SELECT 1'), (NULL, 'SELECT 1'), ('q:w23', NULL)$$);
SELECT cache_exists('q:w20'), cache_exists('q:w21'), cache_exists('q:w22');
SELECT cache_warm($$VALUES ('item:1'), ('fails:1'), ('item:2')$$);
-- who cancels means all of it, also in the first attempt with all keys
CREATE FUNCTION sleeps(keys text[]) RETURNS TABLE (key text, value int) LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	PERFORM cache_incr('calls:n'), pg_sleep(2);
	RETURN QUERY SELECT k, 1 FROM unnest(keys) k;
END $$;
SELECT cache_namespace_create('sleeps', loader => 'sleeps'), calls() >= 0 AS reset;
\set VERBOSITY terse
SET statement_timeout = '200ms';
SELECT cache_warm($$SELECT 'sleeps:' || i FROM generate_series(1, 3) i$$);
RESET statement_timeout;
SELECT calls(), cache_exists('sleeps:3');
SET statement_timeout = '200ms';
SELECT cache_warm($$SELECT 'q:s' || i, 'SELECT pg_sleep(2)' FROM generate_series(1, 3) i$$);
-- who catches that finds the transaction as it was
DO $$
BEGIN
	CREATE TEMP TABLE undone ();
	PERFORM cache_warm($q$SELECT 'sleeps:' || i FROM generate_series(1, 3) i$q$);
EXCEPTION WHEN query_canceled THEN
	RAISE NOTICE '%, table %', SQLERRM, to_regclass('pg_temp.undone');
END $$;
RESET statement_timeout;
\set VERBOSITY default
SELECT calls();
-- errors
SELECT cache_warm(NULL);
SELECT cache_warm('SELECT 1');
SELECT cache_warm('SELECT ''a'', 1');
SELECT cache_warm('DELETE FROM item');
SELECT cache_warm('SELECT 1; SELECT 2');
SELECT * FROM cache_progress_warm;

DROP FUNCTION load_items, sleeps, calls, load_one, fails_many, no_rows;
DROP TABLE item;
SELECT count(cache_namespace_drop(name)) FROM cache_namespaces WHERE name <> 'default';
SELECT * FROM cachepg_check();
