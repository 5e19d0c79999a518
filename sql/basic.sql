--
-- The plain cache: set, get and their family.
--

-- typed values, and the text twins for literals without a type
SELECT cache_set('b:int', 42);
SELECT cache_get('b:int', 0), cache_get('b:int');
SELECT cache_set('b:text', 'forty-two');
SELECT cache_get('b:text', ''), cache_get('b:text'), cache_get('b:text', NULL::text);
SELECT cache_set('b:json', '{"a": [1, null]}'::jsonb);
SELECT cache_get('b:json'), cache_get('b:json', NULL::jsonb) -> 'a';
SELECT pg_typeof(cache_get('b:int', 0)), pg_typeof(cache_get('b:text', '')), pg_typeof(cache_get('b:int'));

-- a second set replaces value and type
SELECT cache_set('b:int', 'now text');
SELECT cache_get('b:int', '');
SELECT cache_set('b:int', 42);

-- a miss gives what was passed
SELECT cache_get('b:none'), cache_get('b:none', 'absent'), cache_get('b:none', 7), cache_get('b:none', NULL::int);

-- NULL is a value, not a miss
SELECT cache_set('b:null', NULL::int);
SELECT cache_get('b:null', 5), cache_get('b:null', 'absent'), cache_get('b:null', NULL::numeric), cache_get('b:null');
SELECT cache_exists('b:null'), cache_exists('b:none');

-- NULL keys: reads give NULL or what was passed, writes refuse
SELECT cache_get(NULL), cache_get(NULL, 'absent'), cache_get(NULL, 7), cache_exists(NULL), cache_ttl(NULL);
SELECT cache_entry(NULL);
SELECT count(*) FROM cache_get_many(NULL);
SELECT cache_set(NULL, 1);
SELECT cache_set(NULL, 'x');
SELECT cache_add(NULL, 1);
SELECT cache_replace(NULL, 'x');
SELECT cache_delete(NULL);
SELECT cache_touch(NULL, '1 min');
SELECT cache_incr(NULL);
SELECT cache_fetch(NULL, 'SELECT 1');
SELECT cache_set_many(NULL, ARRAY[1]);
SELECT cache_set_many(ARRAY['b:x'], NULL::int[]);
SELECT cache_set_many(ARRAY['b:x', NULL], ARRAY[1, 2]);
SELECT cache_touch('b:int', NULL);
SELECT cache_incr('b:int', NULL);
SELECT cache_fetch('b:x', NULL);

-- lifetimes: the argument, else the namespace's
SELECT cache_set('b:ttl', 1, '1 hour');
SELECT cache_ttl('b:ttl') BETWEEN '59 min' AND '1 hour' AS an_hour,
	   cache_ttl('b:int') BETWEEN '4 min' AND '5 min' AS five_minutes, cache_ttl('b:none');
SELECT cache_touch('b:ttl', '2 days 1 hour'), cache_touch('b:none', '1 min'), cache_exists('b:none');
SELECT cache_ttl('b:ttl') BETWEEN '2 days 59 min' AND '2 days 1 hour' AS two_days, cache_get('b:ttl', 0);
-- set without a lifetime does not keep the old one
SELECT cache_set('b:ttl', 2);
SELECT cache_ttl('b:ttl') <= '5 min' AS default_again;
-- named arguments in any order
SELECT cache_set(ttl => '10 min', value => 1.5, key => 'b:named');
SELECT cache_get(key => 'b:named', if_absent => 0.0), cache_ttl(key => 'b:named') > '9 min';

-- an expired entry is gone for all purposes
SELECT cache_set('b:short', 1, '1 microsecond');
SELECT pg_sleep(0.01);
SELECT cache_get('b:short', 0), cache_exists('b:short'), cache_ttl('b:short'), cache_touch('b:short', '1 min');
SELECT why IN ('expired', 'absent') AS why FROM cache_entry('b:short');
SELECT cache_replace('b:short', 2), cache_delete('b:short'), cache_add('b:short', 3), cache_get('b:short', 0);

-- delete
SELECT cache_delete('b:short'), cache_delete('b:short'), cache_exists('b:short');

-- add stores only where there is nothing, replace only where there is something
SELECT cache_add('b:add', 1), cache_add('b:add', 2), cache_get('b:add', 0);
SELECT cache_add('b:addt', 'one'), cache_add('b:addt', 'two'), cache_get('b:addt', '');
SELECT cache_replace('b:add', 3), cache_replace('b:absent', 3), cache_get('b:add', 0), cache_exists('b:absent');
SELECT cache_replace('b:addt', 'three', ttl => '1 hour'), cache_get('b:addt', ''), cache_ttl('b:addt') > '50 min';
-- a NULL value is something
SELECT cache_add('b:null', 1), cache_replace('b:null', NULL::text), cache_exists('b:null');
-- they may change the type
SELECT cache_replace('b:add', 'text now'), cache_get('b:add', '');

-- incr: any integer width, starts at 0
SELECT cache_incr('b:n'), cache_incr('b:n'), cache_incr('b:n', 40), cache_incr('b:n', -2), cache_get('b:n', 0::bigint);
SELECT cache_set('b:n2', 10::smallint), cache_set('b:n4', 10), cache_set('b:n8', 10::bigint);
SELECT cache_incr('b:n2', 5), cache_incr('b:n4', -15), cache_incr('b:n8', 5000000000);
SELECT cache_get('b:n2', 0::smallint), cache_get('b:n4', 0), cache_get('b:n8', 0::bigint);
SELECT type FROM cache_entry('b:n2');
-- up to the limit of the width and not beyond, the entry unchanged
SELECT cache_incr('b:n2', 32767 - 15);
SELECT cache_incr('b:n2');
SELECT cache_incr('b:n2', -65535);
SELECT cache_incr('b:n2', -65536);
SELECT cache_incr('b:n4', 2147483647 + 6);
SELECT cache_set('b:n8', 9223372036854775807);
SELECT cache_incr('b:n8');
SELECT cache_incr('b:n8', -1), cache_incr('b:n8', (-9223372036854775808)::bigint);
SELECT cache_incr('b:n8', -9223372036854775807);
SELECT cache_get('b:n2', 0), cache_get('b:n4', 0), cache_get('b:n8', 0::bigint);
-- what is no integer
SELECT cache_incr('b:text');
SELECT cache_incr('b:null');
SELECT cache_incr('b:named');
SELECT cache_incr('b:json');
-- ttl of a new counter only; later calls keep what remains
SELECT cache_incr('b:nt', 1, '1 hour'), cache_incr('b:nt', 1, '1 day'), cache_incr('b:nt');
SELECT cache_ttl('b:nt') BETWEEN '59 min' AND '1 hour' AS kept;

-- many at once
SELECT cache_set_many(ARRAY['b:m1', 'b:m2', 'b:m3'], ARRAY[1, NULL, 3], '1 hour');
SELECT * FROM cache_get_many(ARRAY['b:m3', 'b:none', NULL, 'b:m2', 'b:m1', 'b:m3', 'b:text']);
SELECT cache_ttl('b:m2') > '59 min';
SELECT cache_set_many(ARRAY['b:m1'], ARRAY['{"x": 1}'::jsonb]), cache_get('b:m1');
SELECT cache_set_many('{}', '{}'::int[]), (SELECT count(*) FROM cache_get_many('{}'));
-- the same key twice: the last one stays
SELECT cache_set_many(ARRAY['b:m1', 'b:m1'], ARRAY['first', 'last']), cache_get('b:m1', '');
SELECT cache_set_many(ARRAY['b:m1', 'b:m2'], ARRAY[1]);
SELECT cache_set_many(ARRAY[['b:m1'], ['b:m2']], ARRAY[1, 2]);
SELECT cache_set_many(ARRAY['b:m1', 'b:m2'], ARRAY[[1], [2]]);
SELECT * FROM cache_get_many(ARRAY[['b:m1'], ['b:m2']]);
SELECT cache_get('b:m1', '');
-- more than fits into one batch, arrays with another lower bound
SELECT cache_set_many(array_agg('b:bulk' || i), array_agg(i)) FROM generate_series(1, 5000) i;
SELECT count(*), sum(value::int) FROM cache_get_many((SELECT array_agg('b:bulk' || i) FROM generate_series(1, 5000) i));
SELECT cache_set_many('[5:6]={b:lb1,b:lb2}', '[-1:0]={7,8}'::int[]), cache_get('b:lb1', 0), cache_get('b:lb2', 0);

-- entry
SELECT state, type, bytes, age >= '0' AS age, ttl_left <= '5 min' AS ttl_left, soft_left, delta, hits >= 0 AS hits, why
FROM cache_entry('b:int');
SELECT * FROM cache_entry('b:none');
SELECT state, type, bytes, why FROM cache_entry('b:null');
-- looking does not count as use
SELECT hits FROM cache_set('b:unused', 1), cache_entry('b:unused');
SELECT hits FROM cache_entry('b:unused');
SELECT cache_get('b:unused', 0);
SELECT hits FROM cache_entry('b:unused');

-- keys: bytes, not characters; case and blanks matter; '' and NULL differ
SELECT cache_set('b:Key', 1), cache_set('b:key', 2), cache_set('b:key ', 3), cache_set(' b:key', 4), cache_set(':', 5);
SELECT cache_get('b:Key', 0), cache_get('b:key', 0), cache_get('b:key ', 0), cache_get(' b:key', 0), cache_get(':', 0);
SELECT cache_set('b:' || chr(233), 'composed'), cache_set('b:e' || chr(769), 'combining');
SELECT cache_get('b:' || chr(233), ''), cache_get('b:e' || chr(769), '');
SELECT cache_set(E'b:\x01\n\t''"\\', 'control'), cache_get(E'b:\x01\n\t''"\\', '');
SELECT cache_set(repeat('k', 512), 'longest'), cache_get(repeat('k', 512), ''), cache_get(repeat('k', 511), 'shorter');
SELECT cache_set('x', 'one byte'), cache_get('x', '');

-- inside SQL and PL/pgSQL
SELECT sum(cache_get('b:bulk' || i, 0)) FROM generate_series(1, 100) i;
DO $$
DECLARE
	n	int := 0;
BEGIN
	FOR i IN 1..50 LOOP
		PERFORM cache_set('b:loop' || i, i);
		n := n + cache_get('b:loop' || i, 0);
	END LOOP;
	RAISE NOTICE 'sum %', n;
END $$;
PREPARE get(text) AS SELECT cache_get($1, 0);
EXECUTE get('b:int');
EXECUTE get('b:none');
EXECUTE get('b:n4');
DEALLOCATE get;

-- off: reads miss, what is written is not kept and what was there goes, nothing fails
SET cachepg.enabled = off;
SELECT cache_get('b:int', 0), cache_get('b:int'), cache_exists('b:int'), cache_ttl('b:int');
SELECT cache_set('b:off', 1), cache_add('b:off', 1), cache_replace('b:int', 1), cache_delete('b:add'),
	   cache_touch('b:int', '1 h'), cache_incr('b:n', 9), cache_set_many(ARRAY['b:off'], ARRAY[1]);
SELECT state, why FROM cache_entry('b:int');
RESET cachepg.enabled;
SELECT cache_get('b:int', 0), cache_exists('b:off'), cache_exists('b:add'), cache_get('b:n', 0::bigint);

-- clear: the namespace, the whole database
SELECT cache_clear('default');
SELECT cache_get('b:int', 0), cache_exists('b:text'), (SELECT state FROM cache_entry('b:n')) IN ('absent', 'invalidated') AS gone;
SELECT cache_set('b:int', 43), cache_get('b:int', 0);
SELECT cache_clear();
SELECT cache_get('b:int', 0);

SELECT * FROM cachepg_check();
