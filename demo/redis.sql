-- redis.sql: what both servers of demo/redis get: a table, namespaces, and the
-- two ends of the measurements.

CREATE EXTENSION cachepg;
CREATE TABLE product
(
	id		integer PRIMARY KEY,
	name	text NOT NULL,
	price	numeric NOT NULL
);
INSERT INTO product SELECT i, 'Product ' || i, i % 100 FROM generate_series(1, 1000) i;
VACUUM ANALYZE product;
SELECT cache_namespace_create('product', scope => 'shared', adhoc => 'shared', ttl => '1 hour');
SELECT cache_namespace_create('spread', scope => 'shared', adhoc => 'shared', ttl => '1 hour');

CREATE TABLE told (round integer, at numeric);
CREATE TABLE heard (round integer, at numeric);

-- On A: sets the number of a round, leaves others time to take it, invalidates
-- it, and notes when the COMMIT has returned.
CREATE PROCEDURE tell(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	times	timestamptz[] := '{}';
BEGIN
	FOR n IN 1 .. rounds LOOP
		PERFORM cache_set('product:round', n);
		COMMIT;
		PERFORM pg_sleep(0.02);
		PERFORM cache_invalidate('product:round');
		COMMIT;
		times := times || clock_timestamp();
	END LOOP;
	PERFORM cache_set('product:round', rounds + 1);
	COMMIT;
	INSERT INTO told SELECT n, extract(epoch FROM t) FROM unnest(times) WITH ORDINALITY AS x(t, n);
END $$;

-- On B: takes each round's number, and notes when it is gone.
CREATE PROCEDURE hear(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	times	timestamptz[] := '{}';
	round	integer := 0;
	got		integer;
	until	timestamptz := clock_timestamp() + interval '3 minutes';
BEGIN
	WHILE clock_timestamp() < until LOOP
		got := cache_get('product:round', 0);
		EXIT WHEN got > rounds;
		IF got <= round THEN
			PERFORM pg_sleep(0.001);
			CONTINUE;
		END IF;
		round := got;
		WHILE cache_get('product:round', 0) = round AND clock_timestamp() < until LOOP
		END LOOP;
		times[round] := clock_timestamp();
	END LOOP;
	INSERT INTO heard SELECT n, extract(epoch FROM times[n]) FROM generate_series(1, rounds) n WHERE times[n] IS NOT NULL;
END $$;

-- On B: reads the offer until it is the new one. Gives the number of reads, when
-- the old one was seen last before it was dropped, when the new one was seen, and
-- how often the old one was seen in between.
CREATE FUNCTION watch_offer(OUT reads bigint, OUT last_old numeric, OUT first_new numeric, OUT old_again bigint)
LANGUAGE plpgsql AS $$
DECLARE
	offer	text;
	dropped	boolean := false;
	until	timestamptz := clock_timestamp() + interval '1 minute';
BEGIN
	reads := 0;
	old_again := 0;
	WHILE clock_timestamp() < until LOOP
		offer := cache_get('product:offer', '');
		reads := reads + 1;
		IF offer = 'old' AND dropped THEN
			old_again := old_again + 1;
		ELSIF offer = 'old' THEN
			last_old := extract(epoch FROM clock_timestamp());
		ELSIF offer = 'new' THEN
			first_new := extract(epoch FROM clock_timestamp());
			EXIT;
		ELSE
			dropped := true;
		END IF;
		PERFORM pg_sleep(0.001);
	END LOOP;
END $$;

-- On A: loads many values, not all at once: what Redis does not get in time is
-- not written there.
CREATE PROCEDURE spread(keys integer) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_clear('spread');
	COMMIT;
	FOR i IN 1 .. keys LOOP
		PERFORM cache_fetch('spread:' || i, 'SELECT $1', ROW(i));
		IF i % 100 = 0 THEN
			COMMIT;
			PERFORM pg_sleep(0.01);
		END IF;
	END LOOP;
END $$;
