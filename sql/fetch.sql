--
-- cache_fetch: the result of a query, loaded once.
--
SELECT cache_namespace_create('f');
-- a loader that tells when it runs
CREATE FUNCTION load(v anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'load %', v;
	RETURN v;
END $$;
CREATE TABLE items (id int PRIMARY KEY, name text, price numeric);
INSERT INTO items VALUES (1, 'one', 1.50), (2, 'two', NULL), (3, NULL, 3);

--
-- Results
--
-- one column gives that value
SELECT cache_fetch('f:1', 'SELECT load(name) FROM items WHERE id = 1');
SELECT cache_fetch('f:1', 'SELECT load(name) FROM items WHERE id = 1');
SELECT cache_get('f:1'), cache_get('f:1', NULL::jsonb), pg_typeof(cache_fetch('f:1', 'SELECT load(name) FROM items WHERE id = 1'));
-- several columns give an object
SELECT cache_fetch('f:2', 'SELECT *, load(id) AS loaded FROM items WHERE id = 2');
SELECT cache_fetch('f:2', 'SELECT *, load(id) AS loaded FROM items WHERE id = 2');
-- no row gives NULL, which is kept
SELECT cache_fetch('f:3', 'SELECT load(id) FROM (SELECT load(0)) l (l), items WHERE id = 99 + l');
SELECT cache_fetch('f:3', 'SELECT load(id) FROM (SELECT load(0)) l (l), items WHERE id = 99 + l') IS NULL AS is_null;
SELECT cache_exists('f:3'), cache_get('f:3', '"absent"'::jsonb) IS NULL AS null_value;
-- so does a NULL
SELECT cache_fetch('f:4', 'SELECT name FROM items WHERE load(id) = 3');
-- no column at all
SELECT cache_fetch('f:5', 'SELECT');
SELECT cache_fetch('f:5', 'SELECT FROM items WHERE id = 1');
-- more than one row
SELECT cache_fetch('f:6', 'SELECT id FROM items');
SELECT cache_exists('f:6');
SELECT cache_fetch('f:6', 'SELECT jsonb_agg(i ORDER BY id) FROM items i');
-- values of all kinds as jsonb
SELECT cache_fetch('f:7', $$SELECT 1::smallint AS s, 1.50 AS n, true AS b, 'x'::text AS t, NULL AS u, DATE '2026-01-02' AS d, '{1,NULL}'::int[] AS a,
	ROW(1, 'x') AS r, '{"k": []}'::jsonb AS j, '[1,2)'::int4range AS g, '\x00'::bytea AS y, i AS i FROM items i WHERE id = 1$$);
SELECT cache_fetch('f:8', 'SELECT ROW(1, 2)'), cache_fetch('f:9', 'SELECT ARRAY[ROW(1, 2), ROW(3, 4)]'), cache_fetch('f:10', 'SELECT i FROM items i WHERE id = 1'),
	   cache_fetch('f:11', $$SELECT '{"a": 1}'::json$$), cache_fetch('f:12', $$SELECT 'null'::jsonb$$);
SELECT type, delta > '0' AS delta, ttl_left <= '5 min' AS ttl_left FROM cache_entry('f:7');
SELECT cache_fetch('f:13', 'SELECT 1', ttl => '1 hour'), cache_ttl('f:13') > '59 min';
SELECT cache_fetch('f:13', 'SELECT 1', NULL::text[], '2 hours'), cache_ttl('f:13') <= '1 hour' AS not_loaded_again;
-- WITH, VALUES, TABLE
SELECT cache_fetch('f:14', 'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT sum(n) FROM r'),
	   cache_fetch('f:15', 'VALUES (7)'), cache_fetch('f:16', 'TABLE items LIMIT 1'), cache_fetch('f:17', 'SELECT 1;  -- trailing');

--
-- Arguments
--
SELECT cache_fetch('f:a1', 'SELECT name FROM items WHERE id = $1', ROW(1)), cache_fetch('f:a1', 'SELECT name FROM items WHERE id = $1', ROW(2)),
	   cache_fetch('f:a1', 'SELECT name FROM items WHERE id = $1', ARRAY['1']), cache_fetch('f:a1', 'SELECT name FROM items WHERE id = $1', args => '{2}'::text[]);
-- types: those of the record, and as inferred for unknown ones
SELECT cache_fetch('f:a2', 'SELECT pg_typeof($1) AS a, pg_typeof($2) AS b, pg_typeof($3) AS c', ROW(1, 1.5, now()));
SELECT cache_fetch('f:a2', 'SELECT pg_typeof($1) AS a, pg_typeof($2) AS b, $3 + 1 AS c', ROW('x'::name, 1::bigint, '41'));
SELECT cache_fetch('f:a2', 'SELECT pg_typeof($1 + 1) AS a, $2 || ''x'' AS b, $3::date AS c, $4 = ANY ($5::int[]) AS d', ARRAY['1', 'y', '2026-01-02', '3', '{2,3}']);
SELECT cache_fetch('f:a2', 'SELECT $1::items', ROW(ROW(5, 'five', 0)::items)), cache_fetch('f:a2', 'SELECT $1', ROW(ARRAY[1, 2])),
	   cache_fetch('f:a2', 'SELECT ($1).name', ROW((SELECT i FROM items i WHERE id = 1)));
-- a row of a table with dropped columns has the others as arguments
CREATE TABLE columns (a int, gone text, b int);
INSERT INTO columns VALUES (1, 'x', 2);
ALTER TABLE columns DROP gone, ADD c text DEFAULT 'added';
SELECT cache_fetch('f:a2', 'SELECT $1 AS a, $2 AS b, $3 AS c', col) FROM columns col;
DROP TABLE columns;
-- text that looks like SQL stays text
SELECT cache_fetch('f:a3', 'SELECT $1::text', ROW($$'; DROP TABLE items; --$$)), cache_fetch('f:a3', 'SELECT $1::text', ARRAY[$$x' OR 'a'='a$$]);
-- NULLs, also in place of all arguments; empty ones
SELECT cache_fetch('f:a4', 'SELECT $1::int IS NULL AS a, $2::text IS NULL AS b', ROW(NULL, NULL::text)), cache_fetch('f:a4', 'SELECT coalesce($1, ''was null'')', ARRAY[NULL]),
	   cache_fetch('f:a4', 'SELECT 1', NULL::record), cache_fetch('f:a4', 'SELECT 2', '{}'::text[]), cache_fetch('f:a4', 'SELECT 3', ROW());
-- used twice, in other order, only inside
SELECT cache_fetch('f:a5', 'SELECT $2 - $1 + $2', ROW(1, 10)), cache_fetch('f:a5', 'SELECT (SELECT max(id) FROM items WHERE id < $1)', ROW(3)),
	   cache_fetch('f:a5', 'WITH c AS (SELECT $1::int AS x) SELECT x FROM c', ROW(4)), cache_fetch('f:a5', 'SELECT 1 LIMIT $1', ROW(1)),
	   cache_fetch('f:a5', 'SELECT count(*) FROM generate_series(1, $1) g WHERE g > $2', ROW(5, 2));
-- too few, too many
SELECT cache_fetch('f:a6', 'SELECT $1 + $2', ROW(1));
SELECT cache_fetch('f:a6', 'SELECT $1 + 1', ROW(1, 2));
SELECT cache_fetch('f:a6', 'SELECT $1 + 1');
SELECT cache_fetch('f:a6', 'SELECT 1', ARRAY['x']);
SELECT cache_fetch('f:a6', 'SELECT $3', ROW(1));
SELECT cache_fetch('f:a6', 'SELECT 1', array_agg('x'::text)) FROM generate_series(1, 1001);
-- not as the query wants them
SELECT cache_fetch('f:a7', 'SELECT $1 + 1', ARRAY['x']);
SELECT cache_fetch('f:a7', 'SELECT $2::int', ROW('x', 1));
SELECT cache_fetch('f:a7', 'SELECT $2::int', ARRAY['x', '1']);
SELECT cache_fetch('f:a7', 'SELECT $1', ARRAY[['x'], ['y']]);
SELECT cache_fetch('f:a7', 'SELECT $1 || 1', ROW(true));
SELECT cache_fetch('f:a7', 'SELECT to_jsonb($1)', ROW(ROW(1, 2)));
SELECT cache_fetch('f:a7', 'SELECT to_jsonb($1)', ROW(ARRAY[ROW(1, 2)]));
SELECT cache_exists('f:a6'), cache_exists('f:a7');
-- toasted and compressed ones are compared by value
CREATE TABLE long (t text, u text);
INSERT INTO long SELECT repeat('abc', 10000), string_agg(md5(i::text), '') FROM generate_series(1, 300) i;
SELECT cache_fetch('f:a8', 'SELECT load(length($1)), length($2)', ROW(t, u)) FROM long;
SELECT cache_fetch('f:a8', 'SELECT load(length($1)), length($2)', ROW(repeat('abc', 10000), string_agg(md5(i::text), ''))) FROM generate_series(1, 300) i;
-- from PL/pgSQL variables and prepared statements
DO $$
DECLARE
	wanted	int := 1;
	i		items;
BEGIN
	RAISE NOTICE '%', cache_fetch('f:a9', 'SELECT name FROM items WHERE id = $1', ROW(wanted));
	SELECT * INTO i FROM items WHERE id = 2;
	RAISE NOTICE '%', cache_fetch('f:a9', 'SELECT $1 || $2', ROW(i.name, i.id));
	RAISE NOTICE '%', cache_fetch('f:a9', 'SELECT $1::int + coalesce($3, 0) || $2', i);
END $$;
PREPARE fetch_it(text, text) AS SELECT cache_fetch($1, 'SELECT name FROM items WHERE id = $1', ARRAY[$2]);
EXECUTE fetch_it('f:a9', '1');
EXECUTE fetch_it('f:a9', '2');
DEALLOCATE fetch_it;

--
-- A fetch never takes what another query or other arguments made
--
SELECT cache_fetch('f:v', 'SELECT load(1)');
SELECT cache_fetch('f:v', 'SELECT load(2)');
SELECT cache_fetch('f:v', 'SELECT  load(2)');
SELECT cache_fetch('f:v', 'SELECT load($1)', ROW(1));
SELECT cache_fetch('f:v', 'SELECT load($1)', ROW(2));
SELECT cache_fetch('f:v', 'SELECT load($1)', ROW(1::bigint));
SELECT cache_fetch('f:v', 'SELECT load($1)', ROW(NULL::int));
SELECT cache_fetch('f:v', 'SELECT load($1 || $2)', ROW('ab'::text, 'c'::text));
SELECT cache_fetch('f:v', 'SELECT load($1 || $2)', ROW('a'::text, 'bc'::text));
SELECT cache_fetch('f:v', 'SELECT load($1)', ROW(1.0));
SELECT cache_fetch('f:v', 'SELECT load($1)', ROW(1.00));
-- now all of them are there
SELECT cache_fetch('f:v', 'SELECT load(1)'), cache_fetch('f:v', 'SELECT load(2)'), cache_fetch('f:v', 'SELECT load($1)', ROW(1)), cache_fetch('f:v', 'SELECT load($1)', ROW(2)),
	   cache_fetch('f:v', 'SELECT load($1)', ROW(NULL::int)), cache_fetch('f:v', 'SELECT load($1 || $2)', ROW('a'::text, 'bc'::text)), cache_fetch('f:v', 'SELECT load($1)', ROW(1.00));
SELECT count(*) FROM cache_entries WHERE key = 'f:v';
-- cache_get gives the newest, a set is newer; the fetches keep their own until it is committed
SELECT cache_get('f:v');
SELECT cache_set('f:v', 'set'), cache_get('f:v'), cache_fetch('f:v', 'SELECT load(1)');
SELECT count(*) FROM cache_entries WHERE key = 'f:v' AND state <> 'invalidated';
SELECT cache_get('f:v'), cache_fetch('f:v', 'SELECT load(2)');
SELECT cache_namespace_create('f_max', max_entries => 10);
SELECT cache_fetch('f_max:v', 'SELECT 1'), cache_fetch('f_max:v', 'SELECT 2');
SELECT cache_set('f_max:v', 3);
SELECT state, cache_get(key) FROM cache_entries WHERE key = 'f_max:v';
SELECT cache_namespace_drop('f_max');
-- a delete removes all
SELECT cache_delete('f:v');
SELECT count(*) FROM cache_entries WHERE key = 'f:v' AND state <> 'invalidated';
SELECT cache_get('f:v', 'absent');
SELECT cache_fetch('f:v', 'SELECT load(1)');
SELECT cache_get('f:v', NULL::jsonb), (SELECT why FROM cache_entry('f:v'));
-- the reason of a miss beside another's value
SELECT cache_fetch('f:v', 'SELECT load(3)');
SELECT reason FROM cache_misses_by_reason WHERE namespace = 'f' AND reason = 'loader_changed';
-- the newest is the one written last, whatever the lifetimes
SELECT cache_fetch('f:n', 'SELECT 1', ROW(), '3600.7 days'), cache_set('f:n', 'set'), cache_get('f:n');
SELECT cache_fetch('f:n', 'SELECT 2', ROW(), '3600.7 days'), cache_get('f:n'), cache_set('f:n', 'set again'), cache_get('f:n');
-- neither set nor fetch takes the other's place
SELECT cache_set('f:w', 1);
SELECT cache_fetch('f:w', 'SELECT load(2)');
SELECT cache_fetch('f:w', 'SELECT load(2)'), cache_delete('f:w');

--
-- What was loaded with another consistency is another value
--
SELECT cache_fetch('f:c', 'SELECT count(*) FROM items', consistency => 'ttl');
INSERT INTO items VALUES (4, 'four', 4);
SELECT cache_fetch('f:c', 'SELECT count(*) FROM items'), cache_fetch('f:c', 'SELECT count(*) FROM items', consistency => 'commit'),
	   cache_fetch('f:c', 'SELECT count(*) FROM items', consistency => 'ttl');
-- a read without a query gets the newest
SELECT cache_get('f:c'), (SELECT count(*) FROM cache_entries WHERE key = 'f:c' AND state = 'fresh');
DELETE FROM items WHERE id = 4;
SELECT cache_fetch('f:c', 'SELECT count(*) FROM items', consistency => 'ttl'), cache_fetch('f:c', 'SELECT count(*) FROM items');
-- that of the namespace counts where the call says nothing, by whatever function
CREATE FUNCTION count_items(keys text[]) RETURNS TABLE (key text, n bigint) LANGUAGE sql AS 'SELECT k, (SELECT count(*) FROM public.items) FROM unnest(keys) k';
SELECT cache_namespace_create('f_ttl', consistency => 'ttl', loader => 'count_items(text[])');
SELECT cache_fetch('f_ttl:1', 'SELECT count(*) FROM items'), cache_fetch('f_ttl:2'), (SELECT value FROM cache_fetch_many('{f_ttl:3}')), cache_warm($$VALUES ('f_ttl:4')$$);
INSERT INTO items VALUES (4, 'four', 4);
SELECT cache_fetch('f_ttl:1', 'SELECT count(*) FROM items'), cache_fetch('f_ttl:1', 'SELECT count(*) FROM items', consistency => 'commit'),
	   cache_fetch('f_ttl:2'), (SELECT value FROM cache_fetch_many('{f_ttl:3}')), cache_fetch('f_ttl:4');
SELECT cache_namespace_alter('f_ttl', consistency => 'commit');
SELECT cache_fetch('f_ttl:1', 'SELECT count(*) FROM items'), cache_fetch('f_ttl:2'), (SELECT value FROM cache_fetch_many('{f_ttl:3}')), cache_warm($$VALUES ('f_ttl:4')$$);
SELECT cache_fetch('f_ttl:4');
SELECT cache_namespace_drop('f_ttl');
DROP FUNCTION count_items;
DELETE FROM items WHERE id = 4;

--
-- What changes the meaning of a query or how its result is written is part of it
--
CREATE SCHEMA s1;
CREATE TABLE s1.t AS SELECT 's1' AS name;
CREATE SCHEMA s2;
CREATE TABLE s2.t AS SELECT 's2' AS name;
SET search_path = s1, public;
SELECT cache_fetch('f:s', 'SELECT name FROM t');
SET search_path = s2, public;
SELECT cache_fetch('f:s', 'SELECT name FROM t');
SET search_path = s1, public;
SELECT cache_fetch('f:s', 'SELECT name FROM t');
RESET search_path;
SELECT cache_fetch('f:s', 'SELECT name FROM t');
-- also beyond the paths one meets
DO $$
BEGIN
	FOR i IN 1..80 LOOP
		EXECUTE format('CREATE SCHEMA many%s', i);
	END LOOP;
END $$;
SELECT string_agg('many' || i, ', ') AS many FROM generate_series(1, 80) i \gset
SET search_path = :many, s1, public;
SELECT cache_fetch('f:s', 'SELECT load(name) FROM t');
SELECT cache_fetch('f:s', 'SELECT load(name) FROM t');
SET search_path = :many, s2, public;
SELECT cache_fetch('f:s', 'SELECT load(name) FROM t');
RESET search_path;
DO $$
BEGIN
	FOR i IN 1..80 LOOP
		EXECUTE format('DROP SCHEMA many%s', i);
	END LOOP;
END $$;
DROP TABLE s1.t, s2.t;
DROP SCHEMA s1, s2;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SELECT cache_fetch('f:tz', $$SELECT TIMESTAMPTZ '2026-06-01 12:00+00'::text$$), cache_fetch('f:in', $$SELECT INTERVAL '1 day 2 hours'::text$$), cache_fetch('f:by', $$SELECT '\x01'::bytea::text$$),
	   cache_fetch('f:fl', 'SELECT (0.1::float8 + 0.2)::text'), cache_fetch('f:ds', $$SELECT '1/2/2003'::date$$);
SET TimeZone = 'Asia/Tokyo';
SELECT cache_fetch('f:tz', $$SELECT TIMESTAMPTZ '2026-06-01 12:00+00'::text$$);
SET DateStyle = 'German';
SELECT cache_fetch('f:tz', $$SELECT TIMESTAMPTZ '2026-06-01 12:00+00'::text$$);
SET DateStyle = 'ISO, MDY';
SELECT cache_fetch('f:ds', $$SELECT '1/2/2003'::date$$);
SET DateStyle = 'ISO, DMY';
SELECT cache_fetch('f:ds', $$SELECT '1/2/2003'::date$$);
SET IntervalStyle = 'iso_8601';
SELECT cache_fetch('f:in', $$SELECT INTERVAL '1 day 2 hours'::text$$);
SET bytea_output = 'escape';
SELECT cache_fetch('f:by', $$SELECT '\x01'::bytea::text$$);
SET extra_float_digits = 0;
SELECT cache_fetch('f:fl', 'SELECT (0.1::float8 + 0.2)::text');
RESET TimeZone;
RESET DateStyle;
RESET IntervalStyle;
RESET bytea_output;
RESET extra_float_digits;

--
-- What is loaded where others could not see the same is not kept
--
CREATE FUNCTION unpublished(reason text) RETURNS bigint LANGUAGE sql AS $$
	SELECT coalesce((SELECT count FROM cache_misses_by_reason m WHERE namespace = 'f' AND m.reason = unpublished.reason), 0);
$$;
-- a transaction that has written
BEGIN;
INSERT INTO items VALUES (4, 'uncommitted', 4);
SELECT cache_fetch('f:p1', 'SELECT load(name) FROM items WHERE id = 4'), cache_exists('f:p1');
SELECT cache_fetch('f:p1', 'SELECT load(name) FROM items WHERE id = 4');
ROLLBACK;
SELECT cache_exists('f:p1'), unpublished('wrote');
SELECT cache_fetch('f:p1', 'SELECT load(name) FROM items WHERE id = 4') IS NULL AS not_there;
-- in a subtransaction that was rolled back, the transaction has an id all the same
BEGIN;
SAVEPOINT s;
INSERT INTO items VALUES (4, 'uncommitted', 4);
ROLLBACK TO s;
SELECT cache_fetch('f:p2', 'SELECT load(1)'), cache_exists('f:p2');
COMMIT;
-- isolation levels with one snapshot: others may be ahead
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cache_fetch('f:p3', 'SELECT load(1)'), cache_exists('f:p3');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT cache_fetch('f:p3', 'SELECT load(1)'), cache_exists('f:p3');
COMMIT;
SELECT cache_exists('f:p3'), unpublished('isolation');
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SELECT cache_fetch('f:p3', 'SELECT load(1)');
SELECT cache_fetch('f:p3', 'SELECT load(1)');
COMMIT;
-- temporary tables
CREATE TEMP TABLE scratch AS SELECT 1 AS n;
SELECT cache_fetch('f:p4', 'SELECT load(n) FROM scratch');
SELECT cache_exists('f:p4'), unpublished('temp_table');
DROP TABLE scratch;
-- a loader that writes
CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS $$ UPDATE items SET price = price WHERE id = 1 RETURNING id $$;
SELECT cache_fetch('f:p5', 'SELECT writes()'), cache_exists('f:p5');
SELECT cache_fetch('f:p6', 'UPDATE items SET name = ''ONE'' WHERE id = 1 RETURNING name'), cache_exists('f:p6');
SELECT name FROM items WHERE id = 1;
SELECT cache_fetch('f:p6', 'DELETE FROM items WHERE id > $1 RETURNING id', ROW(1));
SELECT count(*) FROM items;
SELECT unpublished('wrote');
BEGIN READ ONLY;
SELECT cache_fetch('f:p6', 'UPDATE items SET name = name WHERE id = 1 RETURNING name');
ROLLBACK;
-- too large a value is returned, not kept, and counted
SELECT cache_namespace_alter('f', max_bytes => 100000);
SELECT length(cache_fetch('f:p7', 'SELECT repeat(load(''x''::text), 200000)')::text), cache_exists('f:p7');
SELECT length(cache_fetch('f:p7', 'SELECT repeat(load(''x''::text), 200000)')::text), unpublished('too_large');
SELECT cache_namespace_alter('f', reset => ARRAY['max_bytes']);

--
-- Errors of the query are raised as they are, and nothing is kept
--
SELECT cache_fetch('f:e', 'SELECT 1 / $1', ROW(0));
SELECT cache_fetch('f:e', 'SELEKT 1');
SELECT cache_fetch('f:e', 'SELECT * FROM absent');
SELECT cache_fetch('f:e', 'SELECT $1 +', ROW(1));
SELECT cache_fetch('f:e', 'SELECT $1::int', ARRAY['x']);
SELECT cache_fetch('f:e', '');
SELECT cache_fetch('f:e', ' -- nothing');
SELECT cache_fetch('f:e', 'SELECT 1; SELECT 2');
SELECT cache_fetch('f:e', 'CREATE TABLE made (x int)');
SELECT to_regclass('made');
SELECT cache_fetch('f:e', 'INSERT INTO items VALUES (9)');
SELECT count(*) FROM items WHERE id = 9;
SELECT cache_fetch('f:e', 'COMMIT');
SELECT cache_fetch('f:e', 'COPY items TO STDOUT');
SELECT cache_fetch('f:e', 'SET DateStyle = ISO');
SELECT cache_fetch('f:e', 'DO $x$ BEGIN END $x$');
SELECT cache_fetch('f:e', 'DECLARE c CURSOR FOR SELECT 1');
SELECT cache_exists('f:e');
SELECT cache_fetch('f:e', 'SHOW server_encoding') IS NOT NULL AS shown;
DO $$
BEGIN
	PERFORM cache_fetch('f:caught', 'SELECT load(1) / 0');
EXCEPTION WHEN division_by_zero THEN
	RAISE NOTICE 'caught, %', cache_fetch('f:caught', 'SELECT load(1)');
END $$;
SELECT cache_fetch('f:caught', 'SELECT load(1)');

-- a loader that fetches, even its own key, and one that changes its namespace
CREATE FUNCTION nested(n int) RETURNS int LANGUAGE sql AS $$
	SELECT CASE WHEN n = 0 THEN 0 ELSE 1 + cache_fetch('f:nest', 'SELECT nested($1)', ROW(n - 1))::int END;
$$;
SELECT cache_fetch('f:nest', 'SELECT nested($1)', ROW(5));
SELECT count(*) FROM cache_entries WHERE key = 'f:nest';
CREATE FUNCTION drops() RETURNS int LANGUAGE sql AS $$ SELECT cache_namespace_drop('g'); SELECT 1 $$;
SELECT cache_namespace_create('g');
SELECT cache_fetch('g:1', 'SELECT drops()');
SELECT cache_fetch('g:1', 'SELECT load(2)');

-- off: loads each time
SET cachepg.enabled = off;
SELECT cache_fetch('f:caught', 'SELECT load(1)');
SELECT cache_fetch('f:caught', 'SELECT load(1)');
RESET cachepg.enabled;

SELECT loads > 50 AS loads, hits > 10 AS hits FROM cache_namespaces WHERE name = 'f';
SELECT cache_namespace_drop('f');
DROP TABLE items, long CASCADE;
DROP FUNCTION load, unpublished, writes, nested, drops;
SELECT * FROM cachepg_check();
