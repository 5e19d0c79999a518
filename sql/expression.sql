--
-- Queries that are one expression: from their second load in a session on they are
-- evaluated without an executor of their own, and nobody can tell.
--
CREATE SCHEMA ex;
SET search_path = ex, public;
SELECT cache_namespace_create('ex', ttl => '1 hour');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION read_t(int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT v FROM t WHERE id = $1); END $$;
CREATE FUNCTION read_row(int) RETURNS t LANGUAGE sql AS $$ SELECT t FROM t WHERE id = $1 $$;
CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_user = session_user; END $$;

-- both loads of each query give the same, kept for the same reasons
CREATE TABLE asked (n serial, query text);
INSERT INTO asked (query) VALUES ('SELECT 1'), ('SELECT NULL'), ('SELECT true'), ('SELECT ''x'''), ('SELECT 1.50'), ('SELECT ''[1, 2]''::jsonb'), ('SELECT ''{1,NULL}''::int[]'),
	('SELECT ROW(1, ''x'')'), ('SELECT ROW(1, ''x'')::pair'), ('SELECT repeat(''x'', 9)::varchar(4)'), ('SELECT (ARRAY[7::bigint, 8])[2]'), ('SELECT read_t(1)'), ('SELECT read_row(2)'), ('SELECT (read_row(2)).v'),
	('SELECT CASE WHEN read_t(1) = ''one'' THEN read_t(2) END'), ('SELECT read_t(3)'), ('SELECT who()'), ('SELECT session_user IS NULL'), ('SELECT now() IS NULL'), ('SELECT random() < 0'), ('SELECT current_setting(''work_mem'') IS NULL'),
	('SELECT pg_backend_pid() = 0'), ('SELECT cache_exists(''ex:absent'')'),
	-- not expressions
	('SELECT 1, 2'), ('SELECT generate_series(1, 1)'), ('SELECT count(*)'), ('SELECT (SELECT v FROM t WHERE id = 1)'), ('SELECT 1 WHERE false'), ('SELECT 1 LIMIT 0'), ('SELECT 1 FROM t WHERE false'), ('VALUES (1)');
DO $$
DECLARE
	a		asked;
	j		jsonb[];
	e		text[];
	keys	text[];
BEGIN
	FOR a IN SELECT * FROM asked ORDER BY n LOOP
		keys := ARRAY['ex:' || a.n || ':a', 'ex:' || a.n || ':b'];
		FOR i IN 1 .. 2 LOOP
			j[i] := cache_fetch(keys[i], a.query);
			COMMIT;
			e[i] := (SELECT concat_ws(' ', state, type, why, depends_on) FROM cache_entry(keys[i]));
			COMMIT;
		END LOOP;
		RAISE NOTICE '% -> %: %', a.query, j[1], e[1];
		IF (j[1], e[1]) IS DISTINCT FROM (j[2], e[2]) THEN
			RAISE WARNING '... then %: %', j[2], e[2];
		END IF;
	END LOOP;
END $$;

-- what it depends on invalidates it
UPDATE t SET v = upper(v) WHERE id = 1;
SELECT n, query FROM asked WHERE NOT cache_exists('ex:' || n || ':b') AND cache_exists('ex:1:b') ORDER BY n;
SELECT cache_fetch('ex:12:b', 'SELECT read_t(1)');

-- arguments, with types and as texts
SELECT i, cache_fetch('ex:sum' || i, 'SELECT $1 + $2', ROW(i, 1::bigint)), cache_fetch('ex:text' || i, 'SELECT $1 || read_t($2)', ARRAY['no. ', i::text]),
	cache_fetch('ex:null' || i, 'SELECT $1 IS NULL', ROW(NULL::int)), cache_fetch('ex:same' || i, 'SELECT $1', ROW(ROW(i, 'x')::pair)) FROM generate_series(1, 3) i;

-- errors say where, and leave nothing behind
SELECT cache_fetch('ex:error' || i, 'SELECT 12 / ($1 - 2)', ROW(i)) FROM generate_series(1, 2) i;
SELECT cache_fetch('ex:error3', 'SELECT 12 / ($1 - 2)', ROW(3));
SELECT cache_fetch('ex:error4', 'SELECT 12 / ($1 - 2)', ARRAY['four']);

-- it sees what functions have become, and rights that are gone
CREATE OR REPLACE FUNCTION read_t(int) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'new ' || $1 $$;
SELECT cache_fetch('ex:12:b', 'SELECT read_t(1)');
SELECT cache_fetch('ex:12:c', 'SELECT read_t(1)');
CREATE ROLE regress_ex;
GRANT USAGE ON SCHEMA ex TO regress_ex;
GRANT SELECT ON t TO regress_ex;
SELECT cache_namespace_grant('ex', 'regress_ex', p) FROM unnest('{read,write}'::text[]) p;
SET ROLE regress_ex;
SELECT cache_fetch('ex:right' || i, 'SELECT read_row($1) IS NULL', ROW(0)) FROM generate_series(1, 2) i;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION read_row FROM PUBLIC;
SET ROLE regress_ex;
SELECT cache_fetch('ex:right3', 'SELECT read_row($1) IS NULL', ROW(0));
RESET ROLE;

-- a load may replace the plan that is being evaluated
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n = 0 THEN
		RETURN 0;
	END IF;
	FOR i IN 1 .. 100 LOOP
		PERFORM cache_fetch('ex:other' || n || ':' || i, 'SELECT ' || i);
	END LOOP;
	RETURN 1 + (cache_fetch('ex:deep' || n - 1, 'SELECT deep($1)', ROW(n - 1)) #>> '{}')::int;
END $$;
SELECT cache_fetch('ex:deep0', 'SELECT deep($1)', ROW(0)), cache_fetch('ex:deep5', 'SELECT deep($1)', ROW(5));

-- so may what fetches while a plan is made, or while arguments are read; the planner calls functions that are not volatile
CREATE FUNCTION planned(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
	FOR i IN 1 .. 400 LOOP
		PERFORM cache_fetch(format('ex:planned%s:%s', n, i), format('SELECT id + %s FROM t WHERE id = 1', n * 1000 + i));
	END LOOP;
	IF n = 3 THEN
		RAISE EXCEPTION 'not this one';
	END IF;
	RETURN n;
END $$;
SELECT i, cache_fetch('ex:plan' || i, format('SELECT %s + count(*) FROM t WHERE id <= planned(%1$s)', i)) FROM generate_series(1, 2) i;
-- nor is one left that could not be made, twice
SELECT cache_fetch('ex:plan3', 'SELECT 3 + count(*) FROM t WHERE id <= planned(3)');
SELECT cache_fetch('ex:plan3', 'SELECT 3 + count(*) FROM t WHERE id <= planned(3)');
SELECT i, cache_fetch('ex:plan' || i, format('SELECT %s + count(*) FROM t WHERE id <= planned(%1$s)', i)) FROM generate_series(4, 5) i;
CREATE FUNCTION checked(n int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 400 LOOP
		PERFORM cache_fetch(format('ex:checked%s:%s', n, i), format('SELECT $1::int + %s', n * 1000 + i), ARRAY['7']);
	END LOOP;
	RETURN n <> 3;
END $$;
CREATE DOMAIN slow AS int CHECK (checked(value));
SELECT i, cache_fetch('ex:check' || i, 'SELECT $1::slow', ARRAY[i::text]) FROM generate_series(1, 2) i;
SELECT cache_fetch('ex:check3', 'SELECT $1::slow', ARRAY['3']);
SELECT i, cache_fetch('ex:check' || i, 'SELECT $1::slow', ARRAY[i::text]) FROM generate_series(4, 5) i;
SELECT i, cache_fetch('ex:rows' || i, 'SELECT id FROM t WHERE id = $1::slow', ARRAY[i::text]) FROM unnest('{1,2,1}'::int[]) i;

SELECT cache_namespace_drop('ex');
SET client_min_messages = warning;
DROP SCHEMA ex CASCADE;
DROP ROLE regress_ex;
