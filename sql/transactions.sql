--
-- Writes of the cache belong to their transaction: its savepoints, its rollback.
--
SELECT cache_namespace_create('tx', ttl => '1 hour'), cache_namespace_create('txb', max_entries => 3);
-- what this session sees, then what a transaction of its own would
CREATE FUNCTION seen(VARIADIC keys text[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(cache_get('tx:' || k)::text, '-'), ' ' ORDER BY i) FROM unnest(keys) WITH ORDINALITY u (k, i);
$$;
CREATE PROCEDURE reset() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_clear('tx');
	COMMIT;
	PERFORM cache_set('tx:a', 1), cache_set('tx:b', 2, tags => ARRAY['tx:t', 'tx:u']), cache_set('tx:c', 'three', tags => ARRAY['tx:t']), cache_set('tx:n', NULL::int);
END $$;

-- every write, committed and rolled back
CREATE TABLE ops (n serial, op text);
INSERT INTO ops (op) VALUES
	($$cache_set('tx:a', 10)$$), ($$cache_set('tx:new', 5)$$), ($$cache_set('tx:a', NULL::int)$$),
	($$cache_add('tx:a', 10)$$), ($$cache_add('tx:new', 5)$$), ($$cache_replace('tx:a', 10)$$), ($$cache_replace('tx:new', 5)$$),
	($$cache_set_many('{tx:a,tx:new}', ARRAY[8, 9])$$),
	($$cache_delete('tx:a')$$), ($$cache_delete('tx:new')$$), ($$cache_invalidate('tx:b')$$), ($$cache_invalidate_tag('tx:t')$$), ($$cache_invalidate_tag('tx:u')$$),
	($$cache_clear('tx')$$), ($$cache_clear()$$), ($$cache_expire('tx:a')$$), ($$cache_expire_tag('tx:t')$$), ($$cache_touch('tx:a', '5 hours')$$), ($$cache_touch('tx:new', '5 hours')$$);
CREATE TABLE results (op text, returned text, own text, rolled_back text, committed text);
DO $$
DECLARE
	o	ops;
	r	results;
BEGIN
	FOR o IN SELECT * FROM ops ORDER BY n LOOP
		r.op := o.op;
		CALL reset();
		COMMIT;
		EXECUTE 'SELECT ' || o.op INTO r.returned;
		r.own := seen('a', 'b', 'c', 'new');
		ROLLBACK;
		r.rolled_back := seen('a', 'b', 'c', 'new');
		IF cache_ttl('tx:a') > '4 hours' OR (cache_entry('tx:a')).state <> 'fresh' OR (cache_entry('tx:b')).state <> 'fresh' THEN
			RAISE WARNING '% left something', o.op;
		END IF;
		EXECUTE 'SELECT ' || o.op INTO r.returned;
		COMMIT;
		r.committed := concat_ws(' ', seen('a', 'b', 'c', 'new'), 'touched: ' || nullif(cache_ttl('tx:a') > '4 hours', false),
			'stale: ' || (SELECT string_agg(k, ',') FROM unnest(ARRAY['a', 'b', 'c']) k WHERE (cache_entry('tx:' || k)).state = 'stale'));
		INSERT INTO results VALUES (r.*);
		COMMIT;
	END LOOP;
END $$;
SELECT * FROM results;

-- savepoints: inner and outer levels, released and rolled back
CALL reset();
BEGIN;
SELECT cache_set('tx:a', 'outer'), seen('a', 'b', 'c');
SAVEPOINT one;
SELECT cache_set('tx:a', 'one'), cache_delete('tx:b'), seen('a', 'b', 'c');
SAVEPOINT two;
SELECT cache_set('tx:a', 'two'), cache_set('tx:b', 'two'), cache_invalidate_tag('tx:t'), seen('a', 'b', 'c');
SAVEPOINT three;
SELECT cache_clear('tx'), seen('a', 'b', 'c');
SELECT cache_set('tx:a', 'three'), seen('a', 'b', 'c');
ROLLBACK TO three;
SELECT seen('a', 'b', 'c');
RELEASE two;
SELECT seen('a', 'b', 'c');
ROLLBACK TO one;
SELECT seen('a', 'b', 'c');
SELECT cache_set('tx:c', 'one again'), seen('a', 'b', 'c');
RELEASE one;
SELECT seen('a', 'b', 'c');
COMMIT;
SELECT seen('a', 'b', 'c');

-- the same value of an outer level comes back, however often an inner one overwrites it
BEGIN;
SELECT cache_set('tx:a', 0);
DO $$
BEGIN
	FOR i IN 1..1000 LOOP
		BEGIN
			PERFORM cache_set('tx:a', i), cache_set('tx:a', -i), cache_set('tx:s' || i, i), cache_delete('tx:b');
			IF cache_get('tx:a', 0) <> -i OR cache_exists('tx:b') OR cache_get('tx:s' || i, 0) <> i THEN
				RAISE WARNING 'level % does not see its writes', i;
			END IF;
			IF i % 2 = 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			IF cache_get('tx:a', 0) <> 1 - i OR cache_exists('tx:s' || i) THEN
				RAISE WARNING 'level % has not gone', i;
			END IF;
		END;
	END LOOP;
END $$;
SELECT seen('a', 'b', 's1', 's2', 's999', 's1000');
COMMIT;
SELECT seen('a', 'b', 's1', 's2', 's999', 's1000'), count(*) FROM generate_series(1, 1000) i WHERE cache_get('tx:s' || i, 0) = i;

-- a thousand levels
CREATE FUNCTION nest(depth int, undo_from int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_set('tx:deep', depth), cache_set('tx:d' || depth, depth);
	IF depth = 1000 THEN
		RETURN;
	END IF;
	BEGIN
		PERFORM nest(depth + 1, undo_from);
		IF depth = undo_from THEN
			RAISE EXCEPTION 'undo';
		END IF;
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
END $$;
SET max_stack_depth = '7MB';
CALL reset();
SELECT nest(1, 500), seen('deep', 'd1', 'd500', 'd501', 'd1000');
SELECT seen('deep', 'd1', 'd500', 'd501', 'd1000');
RESET max_stack_depth;

-- the order of set and invalidation within a transaction
CALL reset();
BEGIN;
SELECT cache_invalidate_tag('tx:t'), cache_set('tx:b', 'after', tags => ARRAY['tx:t']), cache_set('tx:c', 'before', tags => ARRAY['tx:t']), cache_set('tx:a', 'tagged', tags => ARRAY['tx:u']);
SELECT cache_invalidate_tag('tx:u'), seen('a', 'b', 'c');
COMMIT;
SELECT seen('a', 'b', 'c');
BEGIN;
SELECT cache_set('tx:b', 'x', tags => ARRAY['tx:t']), cache_set('tx:c', 'y'), cache_invalidate_tag('tx:t'), seen('b', 'c');
SELECT cache_set('tx:b', 'z', tags => ARRAY['tx:t']), seen('b', 'c');
COMMIT;
SELECT seen('b', 'c');
BEGIN;
SELECT cache_set('tx:a', 1), cache_clear('tx'), cache_set('tx:b', 2), seen('a', 'b', 'c');
COMMIT;
SELECT seen('a', 'b', 'c');
BEGIN;
SELECT cache_set('tx:a', 1), cache_delete('tx:a'), cache_set('tx:b', 2), cache_delete('tx:b'), cache_set('tx:b', 3), seen('a', 'b');
COMMIT;
SELECT seen('a', 'b');
-- a set value has no tables: writes of them do not concern it
CREATE TABLE written (a int);
BEGIN;
SELECT cache_set('tx:a', 'kept');
INSERT INTO written VALUES (1);
SELECT cache_set('tx:a', 'kept again'), seen('a');
COMMIT;
SELECT seen('a');

-- a worker may load what is stale; while it is at it, nobody asks for more
CREATE FUNCTION becomes_fresh(key text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 500 LOOP
		IF (cache_entry(key)).state = 'fresh' AND NOT EXISTS (SELECT FROM cache_workers WHERE state = 'loading') THEN
			RETURN true;
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
	RETURN false;
END $$;

-- add and replace look at what the own transaction made of the key
BEGIN;
SELECT cache_delete('tx:a'), cache_add('tx:a', 'added'), cache_add('tx:a', 'not'), cache_replace('tx:a', 'replaced'), seen('a');
SELECT cache_delete('tx:a'), cache_replace('tx:a', 'not'), seen('a'), cache_delete('tx:a');
COMMIT;
SELECT seen('a');
-- touch of an own set, of an own deletion, of both; ttl of own
BEGIN;
SELECT cache_set('tx:a', 1, '1 min'), cache_touch('tx:a', '5 hours'), cache_ttl('tx:a') > '4 hours' AS touched, cache_delete('tx:b'), cache_touch('tx:b', '5 hours');
COMMIT;
SELECT cache_ttl('tx:a') > '4 hours' AS touched, seen('a', 'b');
-- incr goes on from what the own transaction set, else it is at once
BEGIN;
SELECT cache_set('tx:i', 10), cache_incr('tx:i', 5), cache_incr('tx:i'), cache_incr('tx:j');
SAVEPOINT s;
SELECT cache_incr('tx:i'), cache_delete('tx:j'), cache_incr('tx:j', 7);
ROLLBACK TO s;
SELECT seen('i', 'j');
ROLLBACK;
SELECT seen('i', 'j');
-- an own value that has expired is none
BEGIN;
SELECT cache_set('tx:short', 1, '1 ms') IS NULL, pg_sleep(0.01) IS NULL;
SELECT seen('short'), (cache_entry('tx:short')).why;
COMMIT;
SELECT seen('short');
-- stale ones are served, and loaded anew by the next fetch
SELECT cache_fetch('tx:f', 'SELECT 1', tags => ARRAY['tx:ft']), (cache_entry('tx:f')).tags;
SELECT cache_expire('tx:f'), cache_expire('tx:none');
SELECT cache_get('tx:f'), (cache_entry('tx:f')).state;
SELECT cache_fetch('tx:f', 'SELECT 1', tags => ARRAY['tx:ft']), becomes_fresh('tx:f');
SELECT cache_expire_tag('tx:ft');
SELECT cache_get('tx:f'), (cache_entry('tx:f')).state;
SELECT cache_fetch('tx:f', 'SELECT 1', tags => ARRAY['tx:ft']), becomes_fresh('tx:f');
SELECT cache_invalidate_tag('tx:ft');
SELECT cache_get('tx:f') IS NULL AS gone, (SELECT reason FROM cache_misses_by_reason WHERE namespace = 'tx' AND reason = 'invalidated_tag');

-- too much for one transaction: an error, and what was before the savepoint stays
SET cachepg.max_pending_bytes = '1MB';
BEGIN;
SELECT cache_set('tx:a', 'small');
SAVEPOINT s;
SELECT count(cache_set('tx:big' || i, repeat('x', 10000))) FROM generate_series(1, 200) i;
ROLLBACK TO s;
SELECT cache_set('tx:b', 'fits again'), count(cache_set('tx:big' || i, repeat('x', 10000))) FROM generate_series(1, 90) i;
SELECT seen('a', 'b'), length(cache_get('tx:big90', ''));
-- overwriting takes no more room
SELECT count(cache_set('tx:big1', repeat('y', 10000))) FROM generate_series(1, 1000) i;
COMMIT;
SELECT seen('a', 'b'), length(cache_get('tx:big90', '')), left(cache_get('tx:big1', ''), 1);
RESET cachepg.max_pending_bytes;

-- more keys than are remembered one by one: all are invalid, and the memory is bounded
SELECT count(cache_set('tx:many' || i, i)) FROM generate_series(1, 1000) i;
SELECT cache_set('txb:other', 1);
BEGIN;
SELECT count(cache_delete('tx:many' || i)) FROM generate_series(1, 40000) i;
SELECT sum(total_bytes) < 8 * 1024 * 1024 AS bounded FROM pg_backend_memory_contexts WHERE name LIKE 'cachepg pending%';
SELECT count(*) FROM generate_series(1, 1000) i WHERE cache_exists('tx:many' || i);
SELECT cache_set('tx:many1', 'set after'), cache_get('tx:many1', '');
SAVEPOINT s;
SELECT count(cache_delete('tx:more' || i)) FROM generate_series(1, 20000) i;
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM generate_series(1, 1000) i WHERE cache_exists('tx:many' || i);
SELECT cache_get('tx:many1', ''), cache_exists('txb:other');
-- likewise tags: beyond, the whole database
SELECT cache_set('tx:last', 1, tags => ARRAY['tx:t40000']);
BEGIN;
SELECT count(cache_invalidate_tag('tx:t' || i)) FROM generate_series(1, 40000) i;
SELECT cache_exists('tx:last');
COMMIT;
SELECT cache_exists('tx:last');

-- tags: at most 16, none empty, none too long; NULL is none
SELECT cache_set('tx:a', 1, tags => ARRAY(SELECT 't' || i FROM generate_series(1, 17) i));
SELECT cache_set('tx:a', 1, tags => ARRAY['']);
SELECT cache_set('tx:a', 1, tags => ARRAY[repeat('x', 256)]);
SELECT cache_set('tx:a', 1, tags => ARRAY[NULL]);
SELECT cache_invalidate_tag(NULL);
SELECT cache_invalidate_tag('');
SELECT cache_expire_tag(repeat('x', 256));
SELECT cache_set('tx:a', 1, tags => ARRAY[]::text[]), cache_set('tx:b', 1, tags => ARRAY(SELECT repeat('x', 254) || chr(65 + i) FROM generate_series(1, 16) i));
SELECT cardinality((cache_entry('tx:b')).tags), (cache_entry('tx:a')).tags;
SELECT cache_invalidate_tag(repeat('x', 254) || 'Q');
SELECT cache_exists('tx:a'), cache_exists('tx:b');

-- errors at the end of a transaction leave no fence behind
CREATE TABLE late (a int UNIQUE DEFERRABLE INITIALLY DEFERRED);
SELECT cache_fetch('tx:late', 'SELECT count(*) FROM late');
BEGIN;
INSERT INTO late VALUES (1), (1);
SELECT cache_set('tx:a', 'never'), cache_delete('tx:b');
COMMIT;
SELECT seen('a'), (cache_entry('tx:late')).state;
SELECT cache_fetch('tx:late', 'SELECT count(*) FROM late'), cache_exists('tx:late');

DROP TABLE ops, results, written, late;
DROP FUNCTION seen, nest, becomes_fresh;
DROP PROCEDURE reset;
SELECT cache_namespace_drop('tx'), cache_namespace_drop('txb');
SELECT * FROM cachepg_check();
