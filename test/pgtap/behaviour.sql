-- Behaviour that depends on the version of PostgreSQL or on plans, and so does not fit pg_regress.
BEGIN;
SELECT no_plan();

--
-- Infinite intervals exist from 17 on; before, the literal itself is an error
--
CREATE FUNCTION pg_temp.refused(statement text, what text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT CASE WHEN current_setting('server_version_num')::int >= 170000
		   THEN throws_ok(statement, '22023', what || ' must be finite', 'infinite: ' || statement)
		   ELSE throws_ok(statement, '22007', NULL, 'no such interval: ' || statement) END;
$$;
SELECT pg_temp.refused($$SELECT cache_set('b:k', 1, 'infinity')$$, 'ttl');
SELECT pg_temp.refused($$SELECT cache_set('b:k', 1, '-infinity')$$, 'ttl');
SELECT pg_temp.refused($$SELECT cache_touch('b:k', 'infinity')$$, 'ttl');
SELECT pg_temp.refused($$SELECT cache_fetch('b:k', 'SELECT 1', ROW(), 'infinity')$$, 'ttl');
SELECT pg_temp.refused($$SELECT cache_namespace_create('b', negative_ttl => 'infinity')$$, 'negative_ttl');
SELECT is(cache_exists('b:k'), false, 'and nothing is stored');

--
-- Parallel queries: reads run in the leader, writes make a plan serial
--
CREATE TABLE numbers AS SELECT i FROM generate_series(1, 10000) i;
ANALYZE numbers;
SELECT cache_set_many(array_agg('b:' || i), array_agg(i)) FROM numbers;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line	text;
	lines	text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		lines := lines || line || E'\n';
	END LOOP;
	RETURN lines;
END $$;
SELECT matches(pg_temp.plan_of('SELECT count(*) FROM numbers'), 'Gather', 'plans here are parallel');
SELECT matches(pg_temp.plan_of($$SELECT count(cache_get('b:' || i, 0)) FROM numbers WHERE i % 2 = 0$$), 'Gather', 'those that read the cache may be');
SELECT doesnt_match(pg_temp.plan_of($$SELECT count(cache_incr('b:' || i)) FROM numbers$$), 'Gather', 'those that write are not');
SELECT doesnt_match(pg_temp.plan_of($$SELECT count(cache_fetch('b:' || i, 'SELECT 1')) FROM numbers$$), 'Gather', 'nor those that fetch');
SELECT is(sum(cache_get('b:' || i, 0)), sum(i)::bigint, 'reads beside parallel workers are right') FROM numbers WHERE i % 2 = 0;

--
-- A volatile function is called for each row, and once in a subquery
--
CREATE SEQUENCE calls;
CREATE FUNCTION pg_temp.tick(v text) RETURNS text LANGUAGE sql AS $$ SELECT v || nextval('calls') $$;
SELECT is(count(cache_get('b:' || i, 0)), 10000::bigint, 'one call per row') FROM numbers;
CREATE INDEX ON numbers (i);
SET LOCAL enable_seqscan = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT matches(pg_temp.plan_of($$SELECT * FROM numbers WHERE i = (SELECT cache_get('b:7', 0))$$), 'Index', 'the subquery form can use an index');
SELECT is((SELECT count(*) FROM numbers WHERE i = (SELECT cache_get('b:7', 0))), 1::bigint, 'and finds the row');

--
-- Types of calls: polymorphic results in views, functions and prepared statements keep their types
--
CREATE VIEW cached AS SELECT cache_get('b:1', 0) AS n, cache_get('b:t', '') AS t, cache_get('b:a', NULL::int[]) AS a, cache_get('b:r', NULL::numbers) AS r, cache_get('b:1') AS j;
SELECT is((SELECT string_agg(format_type(atttypid, NULL), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'cached'::regclass),
		  'integer text integer[] numbers jsonb', 'types of a view''s columns');
SELECT cache_set('b:t', 'x'), cache_set('b:a', ARRAY[1, 2]), cache_set('b:r', n) FROM numbers n WHERE i = 5;
SELECT is((n, t, a, (r).i, j)::text, '(1,x,"{1,2}",5,1)', 'and their values') FROM cached;
SELECT cache_clear('default');
SELECT is((n, t, a, r, j)::text, '(0,"",,,)', 'and what is given on a miss') FROM cached;

SELECT is_empty('SELECT * FROM cachepg_check()', 'the store is sound');
SELECT * FROM finish();
ROLLBACK;
