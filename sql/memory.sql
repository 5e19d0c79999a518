--
-- Memory full: sets evict or are dropped and counted, reads never fail, the
-- budget holds.  Fills the cache of the server, up to 512 MB.
--
SELECT cache_namespace_create('m'), cache_namespace_create('kept', max_entries => 10);
-- a value that tells its key and length
CREATE FUNCTION value_of(k text, bytes int) RETURNS text LANGUAGE sql AS $$
	SELECT left(repeat(md5(k), bytes / 32 + 1), bytes);
$$;
CREATE FUNCTION within_budget() RETURNS boolean LANGUAGE sql AS $$
	SELECT entry_bytes + free_bytes <= memory AND payload_bytes + free_bytes + overhead_bytes = memory AND free_bytes >= 0 FROM cache_stats;
$$;

-- a quarter more than fits, of one size; every read is right or a miss
DO $$
DECLARE
	total	bigint := (SELECT least(memory, 512 * 1024 * 1024) FROM cache_stats);
	wrong	int := 0;
	hits	int := 0;
	v		text;
BEGIN
	FOR i IN 1..total * 5 / 4 / 16000 LOOP
		PERFORM cache_set('m:' || i, value_of('m:' || i, 16000));
		COMMIT;
		v := cache_get('m:' || i - i % 100, 'absent');
		IF v = value_of('m:' || i - i % 100, 16000) THEN
			hits := hits + 1;
		ELSIF v <> 'absent' THEN
			wrong := wrong + 1;
		END IF;
	END LOOP;
	RAISE NOTICE 'wrong: %, some hits: %', wrong, hits > 500;
END $$;
SELECT within_budget(), evictions > 0 AS evictions FROM cache_stats;
SELECT * FROM cachepg_check();

-- sizes from a byte to beyond the cap
DO $$
DECLARE
	cap		float8 := (SELECT memory / partitions / 8 FROM cache_stats);
	total	bigint := (SELECT least(memory, 512 * 1024 * 1024) FROM cache_stats);
	written	bigint := 0;
	wrong	int := 0;
	hits	int := 0;
	n		int := 0;
	size	int;
	k		text;
	v		text;
BEGIN
	PERFORM setseed(0.25);
	WHILE written < total LOOP
		n := n + 1;
		size := exp(random() ^ 3 * ln(cap * 1.2));
		k := 'm:' || (n % 500);
		PERFORM cache_set(k, value_of(k, size));
		COMMIT;
		written := written + size;
		k := 'm:' || (random() * 500)::int;
		v := cache_get(k, '');
		IF v <> '' THEN
			hits := hits + 1;
			wrong := wrong + (v <> value_of(k, length(v)))::int;
		END IF;
		IF n % 500 = 0 AND NOT within_budget() THEN
			RAISE EXCEPTION 'beyond the budget after % sets', n;
		END IF;
	END LOOP;
	RAISE NOTICE 'wrong: %, some hits: %', wrong, hits > 20;
END $$;
SELECT reason, count > 0 AS counted FROM cache_misses_by_reason WHERE namespace = 'm' AND reason = 'too_large';
SELECT * FROM cachepg_check();

-- a set is readable at once, before the commit and after, however full memory is; an entry of 0 bytes is no problem
DO $$
DECLARE
	lost	int := 0;
BEGIN
	FOR i IN 1..5000 LOOP
		PERFORM cache_set('m:last' || i, i), cache_set('m:empty' || i, '');
		lost := lost + (cache_get('m:last' || i, 0) <> i)::int;
		COMMIT;
		lost := lost + (cache_get('m:last' || i, 0) <> i)::int + (cache_get('m:empty' || i, 'x') <> '')::int;
	END LOOP;
	RAISE NOTICE 'lost: %', lost;
END $$;
-- a fetch returns its value, kept or not
SELECT count(*) FROM generate_series(1, 2000) i
WHERE cache_fetch('m:f' || i, 'SELECT repeat($1, 1000)', ROW(i::text)) <> to_jsonb(repeat(i::text, 1000));

-- a bounded namespace is left in peace by the flood of another one
SELECT cache_set('kept:' || i, i) FROM generate_series(1, 10) i OFFSET 9;
DO $$
BEGIN
	FOR i IN 1..(SELECT least(memory, 512 * 1024 * 1024) * 5 / 4 / 16000 FROM cache_stats) LOOP
		PERFORM cache_set('m:flood' || i, value_of('m:' || i, 16000));
		COMMIT;
	END LOOP;
END $$;
SELECT count(*) FROM generate_series(1, 10) i WHERE cache_get('kept:' || i, 0) = i;

-- the first limit of a namespace, and the end of the last one, hold for what replaces older values
SELECT cache_namespace_create('flips');
SELECT count(cache_fetch('flips:' || i, 'SELECT 1')) FROM generate_series(1, 200) i;
SELECT cache_namespace_alter('flips', max_entries => 10);
SELECT count(cache_fetch('flips:' || i, 'SELECT 1')) FROM generate_series(1, 200) i;
SELECT count(*) FROM cache_entries WHERE namespace = 'flips' AND state = 'fresh';
SELECT cache_namespace_alter('flips', max_bytes => 1000, reset => '{max_entries}');
SELECT count(cache_fetch('flips:' || i, 'SELECT 1')) FROM generate_series(1, 200) i;
SELECT count(*) BETWEEN 1 AND 10 AS few FROM cache_entries WHERE namespace = 'flips' AND state = 'fresh';
SELECT cache_namespace_alter('flips', reset => '{max_bytes}');
SELECT count(cache_fetch('flips:' || i, 'SELECT 1')) FROM generate_series(1, 200) i;
SELECT count(*) FROM cache_entries WHERE namespace = 'flips' AND state = 'fresh';
SELECT * FROM cachepg_check();
SELECT cache_namespace_drop('flips');

-- more namespaces than the server has numbers for: those beyond are not cached, and nothing fails
SELECT count(cache_namespace_create('many' || i)) FROM generate_series(1, current_setting('cachepg.max_namespaces')::int + 10) i;
SELECT count(cache_set('many' || i || ':k', i)) = count(*) FROM generate_series(1, current_setting('cachepg.max_namespaces')::int + 10) i;
SELECT count(*) FILTER (WHERE cache_get('many' || i || ':k', 0) NOT IN (0, i)) AS wrong,
	   count(*) FILTER (WHERE cache_exists('many' || i || ':k')) BETWEEN 1 AND current_setting('cachepg.max_namespaces')::int - 2 AS some,
	   count(*) FILTER (WHERE (SELECT why FROM cache_entry('many' || i || ':k')) = 'disabled') >= 10 AS others
FROM generate_series(1, current_setting('cachepg.max_namespaces')::int + 10) i;
SELECT cache_fetch('many' || current_setting('cachepg.max_namespaces')::int + 10 || ':f', 'SELECT 1'), cache_incr('many' || current_setting('cachepg.max_namespaces')::int + 10 || ':n', 5);
SELECT count(cache_namespace_drop(name)) > 10 AS dropped FROM cache_namespaces WHERE name LIKE 'many%';
-- their numbers are free again
SELECT cache_namespace_create('again');
SELECT cache_set('again:k', 1), cache_get('again:k', 0);

SELECT cache_namespace_drop(n) FROM unnest(ARRAY['m', 'kept', 'again']) n;
SELECT within_budget();
DROP FUNCTION value_of, within_budget;
SELECT * FROM cachepg_check();
