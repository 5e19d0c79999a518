/*
 * The tables of the oracle, and how its writers write.
 *
 * Each table has rows 1 to n of a version that every commit raises by one.
 * write_WAY(i, step) raises the version of row i in one of the ways in which
 * the cache learns of a change, and returns it.  Who will roll back takes a
 * step of 10^9: nobody may ever see such a version.
 */
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cachepg;
SELECT cache_namespace_create('o', ttl => '1 hour', negative_ttl => '1 hour');
SELECT cache_namespace_create('x', ttl => '1 hour');
SELECT cache_namespace_create('junk', ttl => '1 hour');

-- ---------------------------------------------------------------------
-- Automatic dependencies, by all kinds of statements
-- ---------------------------------------------------------------------

CREATE TABLE plain (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO plain SELECT i, 1 FROM generate_series(1, 8) i;

CREATE FUNCTION write_plain(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	SELECT version + step INTO v FROM plain WHERE id = i FOR UPDATE;
	-- another deleted the row that we waited for and inserted a new one
	IF v IS NULL THEN
		RETURN NULL;
	END IF;
	CASE v % 4
		WHEN 0 THEN
			INSERT INTO plain VALUES (i, v) ON CONFLICT (id) DO UPDATE SET version = excluded.version;
		WHEN 1 THEN
			DELETE FROM plain WHERE id = i;
			INSERT INTO plain VALUES (i, v);
		WHEN 2 THEN
			WITH changed AS (UPDATE plain SET version = v WHERE id = i RETURNING 1)
			SELECT count(*) + v - 1 INTO v FROM changed;
		ELSE
			UPDATE plain SET version = v WHERE id = i;
	END CASE;
	RETURN v;
END $$;

-- All rows again, each with a new version.
CREATE FUNCTION reload_plain(OUT id int, OUT version bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	kept plain[];
BEGIN
	LOCK TABLE plain IN ACCESS EXCLUSIVE MODE;
	SELECT array_agg(p) INTO kept FROM plain p;
	TRUNCATE plain;
	RETURN QUERY INSERT INTO plain SELECT k.id, k.version + 1 FROM unnest(kept) k RETURNING id, version;
END $$;

-- ---------------------------------------------------------------------
-- ... through views and functions
-- ---------------------------------------------------------------------

CREATE TABLE viewed (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO viewed SELECT i, 1 FROM generate_series(1, 8) i;
CREATE VIEW shown AS SELECT id, version FROM viewed;
CREATE FUNCTION version_shown(i int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT version FROM shown WHERE id = i);
END $$;

CREATE FUNCTION write_viewed(i int, step bigint) RETURNS bigint LANGUAGE sql AS $$
	UPDATE shown SET version = version + step WHERE id = i RETURNING version
$$;

-- ---------------------------------------------------------------------
-- ... of a partition tree, where rows may move between leaves
-- ---------------------------------------------------------------------

CREATE TABLE parts (id int, leaf int, version bigint NOT NULL, PRIMARY KEY (id, leaf)) PARTITION BY LIST (leaf);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parts SELECT i, i % 2, 1 FROM generate_series(1, 8) i;

CREATE FUNCTION write_parts(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	IF (SELECT version FROM parts WHERE id = i) % 2 = 0 THEN
		UPDATE parts SET version = version + step WHERE id = i RETURNING version INTO v;
	ELSE
		EXECUTE format('UPDATE parts_%s SET version = version + $2 WHERE id = $1 RETURNING version', i % 2)
			INTO v USING i, step;
	END IF;
	RETURN v;
END $$;

CREATE FUNCTION reattach_parts(OUT id int, OUT version bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	ALTER TABLE parts DETACH PARTITION parts_1;
	RETURN QUERY UPDATE parts_1 SET version = version + 1 RETURNING id, version;
	ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1);
END $$;

CREATE TABLE moving (id int, side int, version bigint NOT NULL, PRIMARY KEY (id, side)) PARTITION BY LIST (side);
CREATE TABLE moving_0 PARTITION OF moving FOR VALUES IN (0);
CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1);
INSERT INTO moving SELECT i, 0, 1 FROM generate_series(1, 8) i;

CREATE FUNCTION write_moving(i int, step bigint) RETURNS bigint LANGUAGE sql AS $$
	UPDATE moving SET side = 1 - side, version = version + step WHERE id = i RETURNING version
$$;

-- ---------------------------------------------------------------------
-- ... of two tables written together, and through a nested fetch
-- ---------------------------------------------------------------------

CREATE TABLE pair_a (id int PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE pair_b (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO pair_a SELECT i, 1 FROM generate_series(1, 8) i;
INSERT INTO pair_b SELECT i, 1 FROM generate_series(1, 8) i;

CREATE FUNCTION write_pair(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	UPDATE pair_a SET version = version + step WHERE id = i RETURNING version INTO v;
	UPDATE pair_b SET version = v WHERE id = i;
	RETURN v;
END $$;

CREATE TABLE deep (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO deep SELECT i, 1 FROM generate_series(1, 8) i;

CREATE FUNCTION write_deep(i int, step bigint) RETURNS bigint LANGUAGE sql AS $$
	UPDATE deep SET version = version + step WHERE id = i RETURNING version
$$;

-- ---------------------------------------------------------------------
-- ... in a namespace that comes and goes
-- ---------------------------------------------------------------------

CREATE TABLE spaced (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO spaced SELECT i, 1 FROM generate_series(1, 8) i;

CREATE FUNCTION write_spaced(i int, step bigint) RETURNS bigint LANGUAGE sql AS $$
	UPDATE spaced SET version = version + step WHERE id = i RETURNING version
$$;

-- ---------------------------------------------------------------------
-- Values set with the transaction that changes the row
-- ---------------------------------------------------------------------

CREATE TABLE stamped (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO stamped SELECT i, 1 FROM generate_series(1, 16) i;

CREATE FUNCTION write_stamped(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	UPDATE stamped SET version = version + step WHERE id = i RETURNING version INTO v;
	CASE v % 3
		WHEN 0 THEN PERFORM cache_set('o:stamped:' || i, v);
		WHEN 1 THEN PERFORM cache_set_many(ARRAY['o:stamped:' || i], ARRAY[v]);
		ELSE
			PERFORM cache_delete('o:stamped:' || i);
			PERFORM cache_set('o:stamped:' || i, v);
	END CASE;
	RETURN v;
END $$;

-- ---------------------------------------------------------------------
-- Invalidated by key and by tag, tables not tracked
-- ---------------------------------------------------------------------

CREATE TABLE keyed (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO keyed SELECT i, 1 FROM generate_series(1, 16) i;

CREATE FUNCTION write_keyed(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	UPDATE keyed SET version = version + step WHERE id = i RETURNING version INTO v;
	PERFORM cache_invalidate('o:keyed:' || i);
	RETURN v;
END $$;

CREATE TABLE tagged (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO tagged SELECT i, 1 FROM generate_series(1, 16) i;

CREATE FUNCTION write_tagged(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	UPDATE tagged SET version = version + step WHERE id = i RETURNING version INTO v;
	PERFORM cache_invalidate_tag('o:tagged' || i % 4);
	RETURN v;
END $$;

-- ---------------------------------------------------------------------
-- Functions that are replaced
-- ---------------------------------------------------------------------

CREATE TABLE replaced (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO replaced SELECT i, 1 FROM generate_series(1, 2) i;
CREATE FUNCTION replaced_1() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION replaced_2() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1::bigint; END';

CREATE FUNCTION write_replaced(i int, step bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	UPDATE replaced SET version = version + step WHERE id = i RETURNING version INTO v;
	IF i = 1 THEN
		EXECUTE format('CREATE OR REPLACE FUNCTION replaced_1() RETURNS bigint LANGUAGE sql AS %L',
					   format('SELECT %s::bigint', v));
	ELSE
		EXECUTE format('CREATE OR REPLACE FUNCTION replaced_2() RETURNS bigint LANGUAGE plpgsql AS %L',
					   format('BEGIN RETURN %s::bigint; END', v));
	END IF;
	RETURN v;
END $$;
