--
-- Namespaces: policy, limits, views, and what rollbacks and re-creation leave.
--

-- the default namespace is there, with the defaults
SELECT name, owner = current_user::regrole AS own, ttl, negative_ttl, jitter, scope, max_entries, max_bytes, privileges
FROM cache_namespaces;
SELECT count(*) FROM cachepg_namespace;

SELECT cache_namespace_create('ns');
SELECT cache_namespace_create('full', ttl => '1 hour', negative_ttl => '1 min', jitter => 0.25, scope => 'shared',
							  max_entries => 100, max_bytes => 100000);
SELECT name, ttl, negative_ttl, jitter, scope, max_entries, max_bytes, hits, misses, sets, loads
FROM cache_namespaces WHERE name <> 'default' ORDER BY name COLLATE "C";
SELECT name, ttl, negative_ttl, jitter, scope, max_entries, max_bytes FROM cachepg_namespace ORDER BY name COLLATE "C";

-- the part before the first colon decides, if there is a namespace of that name
SELECT cache_set('ns:1', 'in ns'), cache_set('nsx:1', 'default'), cache_set('ns', 'default'), cache_set('NS:1', 'default'),
	   cache_set(':ns:1', 'default'), cache_set('ns::', 'in ns'), cache_set('full:ns:1', 'in full'), cache_set('default:1', 'default');
SELECT namespace, key, cache_get(key, '') FROM cache_entries WHERE key ~ 'ns|^default' ORDER BY key COLLATE "C";
SELECT name, sets FROM cache_namespaces WHERE name <> 'default' ORDER BY name COLLATE "C";

-- names
SELECT cache_namespace_create('');
SELECT cache_namespace_create('a:b');
SELECT cache_namespace_create(repeat('n', 64));
SELECT cache_namespace_create(repeat(chr(228), 32));
SELECT cache_namespace_create(NULL);
SELECT cache_namespace_create('ns');
SELECT cache_namespace_create('default');
SELECT cache_namespace_create(repeat('n', 63)), cache_namespace_create(repeat(chr(228), 31)), cache_namespace_create(' '),
	   cache_namespace_create('O''Brien "%s" \'), cache_namespace_create('Ns');
SELECT cache_set(repeat('n', 63) || ':k', 1), cache_set(repeat(chr(228), 31) || ':k', 2), cache_set(' :k', 3),
	   cache_set('O''Brien "%s" \:k', 4), cache_set('Ns:k', 5);
SELECT namespace, key FROM cache_entries WHERE key ~ ':k$' ORDER BY namespace COLLATE "C";
SELECT cache_namespace_drop(name) FROM cache_namespaces WHERE name NOT IN ('default', 'ns', 'full');

-- options
\set VERBOSITY sqlstate
SELECT cache_namespace_create('bad', colour => 'red');
\set VERBOSITY default
SELECT cache_namespace_create('bad', ttl => '0');
SELECT cache_namespace_create('bad', ttl => '-1 s');
SELECT cache_namespace_create('bad', negative_ttl => '11 years');
SELECT cache_namespace_create('bad', jitter => 1);
SELECT cache_namespace_create('bad', jitter => -0.1);
SELECT cache_namespace_create('bad', jitter => 'NaN');
SELECT cache_namespace_create('bad', scope => 'all');
SELECT cache_namespace_create('bad', codec => 'xml');
SELECT cache_namespace_create('bad', compress_above => -1);
SELECT cache_namespace_create('bad', l2_ttl => '0');
SELECT cache_namespace_create('bad', max_entries => 0);
SELECT cache_namespace_create('bad', max_bytes => -1);
SELECT cache_namespace_alter('ns', ttl => '0');
SELECT cache_namespace_alter('ns', scope => '');
SELECT cache_namespace_alter('ns', reset => ARRAY['ttl', 'color']);
SELECT cache_namespace_alter('ns', reset => ARRAY[NULL]);
SELECT cache_namespace_alter('ns', reset => ARRAY[['ttl'], ['jitter']]);
SELECT cache_namespace_alter('absent', ttl => '1 min');
SELECT cache_namespace_alter(NULL, ttl => '1 min');
SELECT cache_namespace_drop('absent');
SELECT cache_namespace_drop(NULL);
SELECT cache_namespace_drop('default');
SELECT cache_namespace_drop('');
SELECT cache_clear('absent');
SELECT cache_namespace_create('bad', min_ttl => '2 min', max_ttl => '1 min');
SELECT count(*) FROM cache_namespaces WHERE name = 'bad';
-- also with what is there; one of them alone may be beyond the other's default
SELECT cache_namespace_create('odd', min_ttl => '1 day');
SELECT cache_namespace_alter('odd', max_ttl => '1 hour');
SELECT cache_namespace_alter('odd', max_ttl => '2 days'), cache_namespace_alter('odd', min_ttl => '2 days');
SELECT cache_namespace_alter('odd', min_ttl => '3 days');
SELECT cache_namespace_alter('odd', min_ttl => '3 days', reset => '{max_ttl}');
-- what has no effect is said to have none
SELECT cache_namespace_alter('odd', soft_ttl => '5 min'), cache_namespace_alter('odd', ttl => '301 s'), cache_namespace_alter('odd', ttl => '1 min');
SELECT cache_namespace_alter('odd', soft_timeout => '1 s');
SELECT cache_namespace_alter('odd', stale_for => '1 day'), cache_namespace_alter('odd', max_entries => 5);
SELECT cache_namespace_alter('odd', reset => '{stale_for,soft_ttl}');
SELECT cache_namespace_drop('odd');

-- alter: NULL leaves an option, reset takes it to its default
SELECT cache_namespace_alter('full', ttl => '2 hours', max_bytes => 200000);
SELECT ttl, negative_ttl, jitter, scope, max_entries, max_bytes FROM cache_namespaces WHERE name = 'full';
SELECT cache_namespace_alter('full', reset => ARRAY['ttl', 'scope', 'max_entries']);
SELECT l2, l2_ttl, codec, compress_above, load_lock FROM cache_namespaces WHERE name = 'full';
SELECT cache_namespace_alter('full', l2 => false, l2_ttl => '1 hour', codec => 'binary', compress_above => 0, load_lock => true);
SELECT l2, l2_ttl, codec, compress_above, load_lock FROM cache_namespaces WHERE name = 'full';
SELECT cache_namespace_alter('full', reset => ARRAY['l2', 'l2_ttl', 'codec', 'compress_above', 'load_lock']);
SELECT l2, l2_ttl, codec, compress_above, load_lock FROM cache_namespaces WHERE name = 'full';
SELECT ttl, negative_ttl, jitter, scope, max_entries, max_bytes FROM cache_namespaces WHERE name = 'full';
SELECT cache_namespace_alter('full', negative_ttl => '3 min', reset => ARRAY['negative_ttl', 'jitter', 'max_bytes']);
SELECT ttl, negative_ttl, jitter, scope, max_entries, max_bytes FROM cache_namespaces WHERE name = 'full';
SELECT cache_namespace_alter('full'), cache_namespace_alter('full', reset => '{}');
-- effective at once for what is written from now on
SELECT cache_set('ns:ttl', 1), cache_ttl('ns:ttl') <= '5 min' AS five_minutes;
SELECT cache_namespace_alter('ns', ttl => '1 day');
SELECT cache_ttl('ns:ttl') <= '5 min' AS five_minutes, cache_set('ns:ttl', 1), cache_ttl('ns:ttl') > '23 hours' AS day;
SELECT cache_set('ns:ttl', 1, '1 s'), cache_ttl('ns:ttl') <= '1 s' AS argument_wins;
-- the default namespace has a row from its first change on
SELECT cache_namespace_alter('default', ttl => '7 min');
SELECT name, ttl FROM cachepg_namespace WHERE name = 'default';
SELECT cache_get('nsx:1', 'kept or not'), cache_set('d', 1), cache_ttl('d') > '6 min' AS seven_minutes;
SELECT cache_namespace_alter('default', reset => ARRAY['ttl']);
SELECT cache_set('d', 1), cache_ttl('d') <= '5 min' AS five_minutes;

-- jitter shortens lifetimes at random, by at most its fraction
SELECT cache_namespace_create('jit', ttl => '1000 s', jitter => 0.5);
SELECT cache_set_many(array_agg('jit:' || i), array_agg(i)) FROM generate_series(1, 200) i;
SELECT bool_and(cache_ttl('jit:' || i) BETWEEN '490 s' AND '1000 s') AS within, max(cache_ttl('jit:' || i)) - min(cache_ttl('jit:' || i)) > '10 s' AS spread
FROM generate_series(1, 200) i;
SELECT cache_namespace_drop('jit');

-- negative_ttl is the lifetime of "no row"
SELECT cache_namespace_create('neg', ttl => '1 hour', negative_ttl => '1 min');
SELECT cache_fetch('neg:none', 'SELECT 1 WHERE false'), cache_fetch('neg:null', 'SELECT NULL::int'), cache_fetch('neg:some', 'SELECT 1'),
	   cache_fetch('neg:arg', 'SELECT NULL::int', ttl => '10 min');
SELECT k, ttl_left > '55 min' AS hour, ttl_left BETWEEN '50 s' AND '1 min' AS minute, ttl_left BETWEEN '9 min' AND '10 min' AS ten
FROM unnest(ARRAY['neg:none', 'neg:null', 'neg:some', 'neg:arg']) k, cache_entry(k);
SELECT cache_namespace_drop('neg');

--
-- Bounded namespaces: exact LRU
--
SELECT cache_namespace_create('lru', max_entries => 2);
SELECT cache_set('lru:A', 'a');
SELECT cache_set('lru:B', 'b');
SELECT cache_get('lru:A', '');
SELECT cache_set('lru:C', 'c');
SELECT k, cache_exists('lru:' || k), (SELECT why FROM cache_entry('lru:' || k)) FROM unnest(ARRAY['A', 'B', 'C']) k;
-- a replaced entry evicts nobody, and is used by that; looking is no use
SELECT cache_set('lru:A', 'a2'), cache_exists('lru:C'), cache_ttl('lru:C') IS NOT NULL;
SELECT cache_set('lru:D', 'd');
SELECT k FROM unnest(ARRAY['A', 'B', 'C', 'D']) k WHERE cache_exists('lru:' || k);
-- touch and incr are uses
SELECT cache_set('lru:N', 1), cache_set('lru:M', 1);
SELECT cache_incr('lru:N');
SELECT cache_set('lru:O', 1);
SELECT k FROM unnest(ARRAY['N', 'M', 'O']) k WHERE cache_exists('lru:' || k);
SELECT cache_touch('lru:N', '1 min');
SELECT cache_set('lru:P', 1);
SELECT k FROM unnest(ARRAY['N', 'O', 'P']) k WHERE cache_exists('lru:' || k);
SELECT evictions > 0 AS evictions FROM cache_namespaces WHERE name = 'lru';
SELECT count(*) FROM cache_entries WHERE namespace = 'lru';
-- one entry; the limit is that of what is committed
SELECT cache_namespace_alter('lru', max_entries => 1);
SELECT cache_set('lru:A', 1), cache_set('lru:A', 2), cache_get('lru:A', 0), cache_set('lru:B', 3), cache_exists('lru:A'), cache_get('lru:B', 0);
SELECT cache_exists('lru:A'), cache_get('lru:B', 0);
-- exactly the least recently used, compared with a list kept in SQL
SELECT cache_namespace_alter('lru', max_entries => 10);
SELECT cache_clear('lru');
DO $$
DECLARE
	list	int[] := '{}';		-- least recently used first
	k		int;
	hit		boolean;
BEGIN
	PERFORM setseed(0.5);
	FOR i IN 1..3000 LOOP
		k := 1 + random() ^ 2 * 30;
		hit := cache_get('lru:' || k, 0) = k;
		IF hit <> (k = ANY (list)) THEN
			RAISE EXCEPTION 'step %: key % is %, the list is %', i, k, hit, list;
		END IF;
		IF NOT hit THEN
			PERFORM cache_set('lru:' || k, k);
			COMMIT;
		END IF;
		list := array_append(array_remove(list, k), k);
		IF cardinality(list) > 10 THEN
			list := list[2:];
		END IF;
	END LOOP;
END $$;
SELECT count(*) FROM cache_entries WHERE namespace = 'lru';

-- limits in bytes: the sum stays below, what alone exceeds them is not kept
SELECT cache_namespace_create('bytes', max_bytes => 20000);
SELECT cache_set('bytes:' || i, repeat('x', 1000)) FROM generate_series(1, 100) i OFFSET 99;
SELECT count(*) BETWEEN 10 AND 19 AS entries, sum(bytes) <= 20000 AS bytes FROM cache_entries WHERE namespace = 'bytes';
SELECT cache_exists('bytes:100'), cache_exists('bytes:99'), cache_exists('bytes:1');
SELECT cache_set('bytes:large', repeat('x', 30000)), cache_exists('bytes:large'), cache_exists('bytes:100');
SELECT cache_fetch('bytes:fetched', $$SELECT length(repeat('x', 30000)), repeat('x', 30000)$$) ->> 'length' AS length, cache_exists('bytes:fetched');
SELECT reason, count FROM cache_misses_by_reason WHERE namespace = 'bytes' AND reason = 'too_large';
SELECT cache_set('bytes:half', repeat('x', 12000)), cache_exists('bytes:half');
SELECT sum(bytes) <= 20000 AS bytes, count(*) BETWEEN 2 AND 8 AS entries FROM cache_entries WHERE namespace = 'bytes';
-- both limits
SELECT cache_namespace_alter('bytes', max_entries => 3);
SELECT cache_set('bytes:' || i, i) FROM generate_series(1, 5) i OFFSET 4;
SELECT count(*) FROM cache_entries WHERE namespace = 'bytes';
-- and none
SELECT cache_namespace_alter('bytes', reset => ARRAY['max_entries', 'max_bytes']);
SELECT cache_set('bytes:' || i, repeat('x', 1000)) FROM generate_series(1, 100) i OFFSET 99;
SELECT count(*) FROM cache_entries WHERE namespace = 'bytes';
-- variants of fetches count as entries
SELECT cache_namespace_alter('bytes', max_entries => 3);
SELECT cache_fetch('bytes:v', 'SELECT $1', ROW(i)) FROM generate_series(1, 5) i OFFSET 4;
SELECT count(*) FROM cache_entries WHERE namespace = 'bytes';
SELECT cache_namespace_drop('bytes'), cache_namespace_drop('lru');

--
-- Scope: values of one role or of all; changing it hides the others
--
SELECT cache_set('ns:scope', 'of the role');
SELECT cache_namespace_alter('ns', scope => 'shared');
SELECT cache_get('ns:scope', 'none'), cache_set('ns:scope', 'of all'), cache_get('ns:scope', '');
SELECT key, role = current_user::regrole AS own FROM cache_entries WHERE key = 'ns:scope' ORDER BY 2;
SELECT cache_namespace_alter('ns', scope => 'role');
SELECT cache_delete('ns:scope');
SELECT count(*) FROM cache_entries WHERE key = 'ns:scope' AND state <> 'invalidated';

--
-- Transactions
--
-- a namespace created and rolled back, whole or in part
BEGIN;
SELECT cache_namespace_create('rb');
SELECT name FROM cache_namespaces WHERE name = 'rb';
ROLLBACK;
SELECT name FROM cache_namespaces WHERE name = 'rb';
BEGIN;
SAVEPOINT s;
SELECT cache_namespace_create('rb', ttl => '1 hour');
SELECT cache_namespace_create('rb');
ROLLBACK TO s;
SELECT name FROM cache_namespaces WHERE name = 'rb';
SELECT cache_namespace_create('rb', ttl => '2 hours');
SAVEPOINT t;
SELECT cache_namespace_alter('rb', ttl => '3 hours');
SELECT ttl FROM cache_namespaces WHERE name = 'rb';
ROLLBACK TO t;
SELECT ttl FROM cache_namespaces WHERE name = 'rb';
COMMIT;
SELECT ttl FROM cache_namespaces WHERE name = 'rb';
-- an alter rolled back
SELECT cache_set('rb:1', 1);
BEGIN;
SELECT cache_namespace_alter('rb', ttl => '1 min', max_entries => 5);
ROLLBACK;
SELECT ttl, max_entries FROM cache_namespaces WHERE name = 'rb';
SELECT cache_set('rb:1', 1), cache_ttl('rb:1') > '1 hour' AS two_hours;
-- a drop rolled back: the namespace is there, its entries may be gone
BEGIN;
SELECT cache_namespace_drop('rb');
SELECT name FROM cache_namespaces WHERE name = 'rb';
ROLLBACK;
SELECT name, ttl FROM cache_namespaces WHERE name = 'rb';
SELECT cache_set('rb:1', 1), cache_get('rb:1', 0);
-- in a transaction that may not write
BEGIN READ ONLY;
SELECT cache_get('rb:1', 0);
SELECT cache_namespace_create('ro');
ROLLBACK;

-- dropped and made again: nothing of the old one is seen
SELECT cache_set('rb:old', 'old'), cache_fetch('rb:oldf', 'SELECT 1');
SELECT cache_namespace_drop('rb');
SELECT cache_get('rb:old', 'belongs to the default namespace now');
SELECT cache_set('rb:old', 'default');
SELECT cache_namespace_create('rb');
SELECT cache_get('rb:old', 'absent'), cache_exists('rb:oldf'), (SELECT count(*) FROM cache_entries WHERE namespace = 'rb');
SELECT name, sets, hits FROM cache_namespaces WHERE name = 'rb';
SELECT cache_namespace_drop('rb');
SELECT cache_get('rb:old', 'absent');
-- within one transaction
BEGIN;
SELECT cache_namespace_create('rb');
SELECT cache_namespace_drop('rb');
SELECT cache_namespace_create('rb', ttl => '4 hours');
COMMIT;
SELECT ttl FROM cache_namespaces WHERE name = 'rb';
SELECT cache_namespace_drop('rb');

-- changes made in the table itself are noticed, also where triggers are off
UPDATE cachepg_namespace SET ttl = '9 hours' WHERE name = 'ns';
SELECT ttl FROM cache_namespaces WHERE name = 'ns';
SET session_replication_role = replica;
UPDATE cachepg_namespace SET ttl = '8 hours' WHERE name = 'ns';
RESET session_replication_role;
SELECT ttl FROM cache_namespaces WHERE name = 'ns';

--
-- Views
--
SELECT cache_clear();
SELECT count(*) FROM cache_entries WHERE state <> 'invalidated';
SELECT cache_set('ns:a', 1), cache_set('ns:b', 'text'), cache_set('ns:c', NULL::date), cache_get('ns:zz', 0);
SELECT cache_get('ns:a', 0);
SELECT namespace, key, role = current_user::regrole AS own, state, type, bytes > 0 AS bytes, age >= '0' AS age, ttl_left > '7 hours' AS ttl_left, hits
FROM cache_entries WHERE namespace = 'ns' AND state <> 'invalidated' ORDER BY key COLLATE "C";
SELECT reason, count FROM cache_misses_by_reason WHERE namespace = 'ns' ORDER BY 1;
SELECT cache_fetch('ns:stats', 'SELECT 1'), cache_set('ns:toolarge', repeat('x', 100000000));
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cache_fetch('ns:unpublished', 'SELECT 1');
COMMIT;
SELECT memory > 0 AS memory, partitions > 0 AS partitions, eviction IN ('s3fifo', 'lru') AS eviction, entries > 0 AS entries,
	   entry_bytes > payload_bytes AS payload, memory >= payload_bytes + free_bytes + overhead_bytes AS budget, hits > 0 AS hits, misses > 0 AS misses,
	   hit_ratio BETWEEN 0 AND 1 AS hit_ratio, sets > 0 AS sets, deletes > 0 AS deletes, loads > 0 AS loads, load_time > '0' AS load_time,
	   evictions > 0 AS evictions, too_large > 0 AS too_large, unpublished > 0 AS unpublished
FROM cache_stats;

--
-- The extension dropped and made again, renamed with its schema
--
SELECT cache_set('d:old', 'old'), cache_set('ns:old', 'old');
DROP EXTENSION cachepg;
CREATE SCHEMA cacheschema;
CREATE EXTENSION cachepg SCHEMA cacheschema;
SELECT cacheschema.cache_get('d:old', 'absent'), cacheschema.cache_get('ns:old', 'absent');
SELECT count(*) FROM cacheschema.cache_entries WHERE namespace <> 'default' OR key = 'd:old';
SELECT cacheschema.cache_namespace_create('ns');
SELECT cacheschema.cache_get('ns:old', 'absent'), cacheschema.cache_set('ns:new', 'new'), cacheschema.cache_set('d:new', 'new');
ALTER SCHEMA cacheschema RENAME TO "Cache Schema";
SELECT "Cache Schema".cache_get('ns:new', 'absent'), "Cache Schema".cache_get('d:new', 'absent'), "Cache Schema".cache_get('d:old', 'absent');
SELECT "Cache Schema".cache_namespace_alter('ns', ttl => '1 hour'), "Cache Schema".cache_namespace_drop('ns');
ALTER EXTENSION cachepg SET SCHEMA public;
DROP SCHEMA "Cache Schema" CASCADE;
BEGIN;
CREATE EXTENSION cachepg;
SELECT cache_get('d:new', 'absent'), cache_get('d:old', 'absent');
ROLLBACK;
CREATE EXTENSION cachepg;
SELECT cache_get('d:new', 'absent'), cache_get('ns:new', 'absent');
SELECT extension = library AS same_version FROM cachepg_version();
SELECT * FROM cachepg_check();
