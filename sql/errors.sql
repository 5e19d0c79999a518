--
-- Bad input: SQLSTATE and text of each refusal, and that it changes nothing.
--
CREATE FUNCTION fails(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	state := 'none';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	detail := nullif(detail, '');
	hint := nullif(hint, '');
END $$;
\pset null -
\pset expanded on

-- keys: empty, too long, no text at all
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_get('')$$, $$SELECT cache_get('', 1)$$, $$SELECT cache_get('', '')$$, $$SELECT cache_set('', 1)$$, $$SELECT cache_exists('')$$,
	$$SELECT cache_fetch('', 'SELECT 1')$$, $$SELECT * FROM cache_get_many(ARRAY['ok', ''])$$, $$SELECT cache_incr('')$$, $$SELECT cache_delete('')$$]) q, fails(q) f;
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_get(repeat('k', 513))$$, $$SELECT cache_set(repeat('k', 513), 1)$$, $$SELECT cache_set(repeat(chr(233), 257), 1)$$,
	$$SELECT cache_fetch(repeat('k', 100000), 'SELECT 1')$$, $$SELECT cache_delete(repeat('k', 1000000))$$, $$SELECT cache_entry(repeat('k', 513))$$]) q, fails(q) f;
SELECT (fails($$SELECT cache_set(repeat(chr(233), 256), 'just fits')$$)).state, cache_get(repeat(chr(233), 256), '');
-- a key out of a table, toasted and compressed
CREATE TEMP TABLE keys AS SELECT repeat('k', 512) AS fits, repeat('k', 100000) AS long;
SELECT cache_set(fits, 1), cache_get(fits, 0), cache_get(repeat('k', 512), 0) FROM keys;
SELECT (fails('SELECT cache_get(long) FROM keys')).*;
DROP TABLE keys;

-- lifetimes
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_set('e', 1, '0')$$, $$SELECT cache_set('e', 1, '-1 s')$$, $$SELECT cache_set('e', 1, '-1 day 23 hours')$$, $$SELECT cache_set('e', 1, '-178000000 years')$$,
	$$SELECT cache_touch('e', '0')$$, $$SELECT cache_incr('e', 1, '0')$$, $$SELECT cache_add('e', 1, '0')$$, $$SELECT cache_replace('e', 1, '0')$$,
	$$SELECT cache_set_many(ARRAY['e'], ARRAY[1], '0')$$, $$SELECT cache_fetch('e', 'SELECT 1', NULL::record, '0')$$, $$SELECT cache_fetch('e', 'SELECT 1', NULL::text[], '0')$$]) q, fails(q) f;
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_set('e', 1, '11 years')$$, $$SELECT cache_set('e', 1, '178000000 years')$$, $$SELECT cache_set('e', 1, '2562047788 hours')$$,
	$$SELECT cache_set('e', 1, '2147483647 days')$$, $$SELECT cache_touch('e', '11 years')$$]) q, fails(q) f;
SELECT cache_exists('e'), (fails($$SELECT cache_set('e', 1, '10 years')$$)).state, cache_ttl('e') > '3599 days' AS ten_years;
SELECT (fails($$SELECT cache_set('e', 1, '1 year -364 days -23 hours')$$)).state, (fails($$SELECT cache_set('e', 1, '0.000001 s')$$)).state;

-- another type than stored
SELECT cache_set('e:t', 'text'), cache_set('e:i', 70000);
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_get('e:t', 1)$$, $$SELECT cache_get('e:i', '')$$, $$SELECT cache_get('e:i', 1::smallint)$$, $$SELECT cache_get('e:i', NULL::pg_class)$$,
	$$SELECT cache_incr('e:t')$$]) q, fails(q) f;
-- values that have no meaning elsewhere, or no type
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_set('e', ROW(1, 2))$$, $$SELECT cache_set('e', ARRAY[ROW(1, 2)])$$, $$SELECT cache_add('e', ROW(1, 2))$$, $$SELECT cache_replace('e', ROW(1, 2))$$,
	$$SELECT cache_set_many(ARRAY['e'], ARRAY[ROW(1, 2)])$$]) q, fails(q) f;
-- a literal of unknown type is text
SELECT (fails($$SELECT cache_set('e', NULL)$$)).state, (SELECT type FROM cache_entry('e'));

-- arguments that must be there, arrays that do not match
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_set(NULL, 1)$$, $$SELECT cache_touch('e', NULL)$$, $$SELECT cache_incr('e', NULL)$$, $$SELECT cache_fetch('e', NULL)$$,
	$$SELECT cache_set_many(NULL, ARRAY[1])$$, $$SELECT cache_set_many(ARRAY['e', 'f'], ARRAY[1])$$, $$SELECT cache_set_many(ARRAY[['e']], ARRAY[1])$$,
	$$SELECT * FROM cache_get_many(ARRAY[['e']])$$]) q, fails(q) f;

-- integers out of range
SELECT cache_set('e:n', 32767::smallint);
SELECT (fails($$SELECT cache_incr('e:n')$$)).*, cache_get('e:n', 0);
SELECT cache_set('e:n', 9223372036854775807);
SELECT (fails($$SELECT cache_incr('e:n', 9223372036854775807)$$)).*;

-- namespaces
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_namespace_create('a:b')$$, $$SELECT cache_namespace_create('default')$$, $$SELECT cache_namespace_create('e', ttl => '0')$$,
	$$SELECT cache_namespace_create('e', jitter => 1)$$, $$SELECT cache_namespace_create('e', scope => 'x')$$, $$SELECT cache_namespace_create('e', max_entries => 0)$$,
	$$SELECT cache_namespace_create('e', max_bytes => -1)$$,
	$$SELECT cache_namespace_alter('e', ttl => '1 s')$$, $$SELECT cache_namespace_alter('default', reset => ARRAY['colour'])$$, $$SELECT cache_namespace_drop('e')$$,
	$$SELECT cache_namespace_drop('default')$$, $$SELECT cache_clear('e')$$, $$SELECT cache_namespace_grant('default', 'public', 'own')$$]) q, fails(q) f;
SELECT (fails($$SELECT cache_namespace_create('e', colour => 1)$$)).state;
-- the trigger function is none for others
SELECT (fails('SELECT cachepg_catalog_changed()')).*;
CREATE TABLE plain (x int);
CREATE TRIGGER harmless AFTER INSERT ON plain EXECUTE FUNCTION cachepg_catalog_changed();
INSERT INTO plain VALUES (1);
DROP TABLE plain;

-- queries of fetches
SELECT q, f.* FROM unnest(ARRAY[
	$$SELECT cache_fetch('e:f', 'SELECT 1 UNION SELECT 2')$$, $$SELECT cache_fetch('e:f', '')$$, $$SELECT cache_fetch('e:f', 'SELECT 1; SELECT 2')$$,
	$$SELECT cache_fetch('e:f', 'SELECT $1', ROW())$$, $$SELECT cache_fetch('e:f', 'SELECT 1', ROW(1))$$, $$SELECT cache_fetch('e:f', 'SELECT $2::int', ARRAY['1', '2'])$$,
	$$SELECT cache_fetch('e:f', 'CREATE SCHEMA s')$$, $$SELECT cache_fetch('e:f', 'ROLLBACK')$$, $$SELECT cache_fetch('e:f', 'SELECT $1', ARRAY[['x']])$$,
	$$SELECT cache_fetch('e:f', 'SELECT 1/0')$$, $$SELECT cache_fetch('e:f', 'SELECT to_jsonb($1)', ROW(ROW(1)))$$]) q, fails(q) f;
\pset expanded off

-- a value that is too large is no error: it is not kept, and nor is the one before it
SELECT cache_namespace_create('big', max_bytes => 50000);
SELECT cache_set('big:k', 'small'), cache_get('big:k', '');
SELECT cache_set('big:k', repeat('x', 60000)), cache_get('big:k', 'absent');
SELECT cache_set('big:k', 'small'), cache_replace('big:k', repeat('x', 60000)), cache_exists('big:k'), cache_add('big:k', repeat('x', 60000));
SELECT cache_set_many(ARRAY['big:k', 'big:l'], ARRAY[repeat('x', 60000), 'small']), cache_exists('big:k'), cache_get('big:l', '');
SELECT length(cache_fetch('big:f', $$SELECT repeat('x', 60000)$$)::text), cache_exists('big:f');
SELECT reason, count FROM cache_misses_by_reason WHERE namespace = 'big' AND reason = 'too_large';
SELECT cache_namespace_drop('big');
-- larger than the cap of the whole cache, others stay
SELECT cache_set('e:stays', 1), cache_set('e:huge', repeat('x', (memory / 8)::int)) FROM cache_stats;
SELECT cache_exists('e:huge'), cache_get('e:stays', 0);

SELECT cache_delete(k) FROM unnest(ARRAY['e:n', 'e:t', 'e:i', 'e:stays', 'e']) k;
DROP FUNCTION fails;
SELECT * FROM cachepg_check();
