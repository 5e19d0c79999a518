--
-- What invalidates everything loaded, what a role's part of it, and what
-- nothing at all.
--
CREATE SCHEMA sc;
SET search_path = sc, public;
SELECT cache_namespace_create('sc', ttl => '1 hour');
SELECT cache_namespace_grant('sc', 'public', p) FROM unnest(ARRAY['read', 'write']) p;
CREATE TABLE t (id int PRIMARY KEY, v text, w int);
CREATE TABLE o (id int);
-- a tree whose cells are not those of the other tables: they are hashed
DO $$
BEGIN
	FOR attempt IN 1..20 LOOP
		CREATE TABLE root (k int) PARTITION BY LIST (k);
		CREATE TABLE leaf PARTITION OF root FOR VALUES IN (1);
		COMMIT;
		PERFORM cache_fetch('sc:t', 'SELECT count(*) FROM sc.t'), cache_fetch('sc:o', 'SELECT count(*) FROM sc.o');
		COMMIT;
		DELETE FROM root WHERE false;
		COMMIT;
		EXIT WHEN cache_exists('sc:t') AND cache_exists('sc:o');
		DROP TABLE root;
	END LOOP;
END $$;
CREATE TABLE loose (k int);
CREATE TABLE inherits (id int NOT NULL, v text, w int);
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE VIEW w AS SELECT 1 AS a;
CREATE TYPE enum_t AS ENUM ('a');
CREATE TYPE composite_t AS (a int);
CREATE DOMAIN domain_t AS int;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE INDEX t_v ON t (v);
CREATE SEQUENCE seq;

-- entries of three roles, whose cells are not the same: they are hashed
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
DECLARE
	r	text;
BEGIN
	PERFORM cache_fetch('sc:t', 'SELECT count(*) FROM sc.t'), cache_fetch('sc:o', 'SELECT count(*) FROM sc.o');
	PERFORM cache_fetch('sc:root', 'SELECT count(*) FROM sc.root'), cache_fetch('sc:ttl', 'SELECT count(*) FROM sc.t', consistency => 'ttl'), cache_set('sc:set', 1);
	COMMIT;
	FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'regress\_sc\__' ORDER BY 1 LOOP
		EXECUTE format('SET ROLE %I', r);
		PERFORM cache_fetch('sc:' || r, 'SELECT 1');
		COMMIT;
		RESET ROLE;
	END LOOP;
END $$;
CREATE FUNCTION valid_for(r text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	valid boolean;
BEGIN
	EXECUTE format('SET ROLE %I', r);
	valid := cache_exists('sc:' || r);
	RESET ROLE;
	RETURN valid;
END $$;
CREATE FUNCTION invalid() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(k, ' ' ORDER BY i) FROM (
		SELECT i, k FROM unnest(ARRAY['t', 'o', 'root', 'ttl', 'set']) WITH ORDINALITY k (k, i) WHERE NOT cache_exists('sc:' || k)
		UNION ALL
		SELECT 9, string_agg(right(rolname, 1), '+' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'regress\_sc\__' AND NOT valid_for(rolname)) k;
$$;
-- until the next role's cell is that of no other role
CREATE FUNCTION skip_oids() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	o	oid;
BEGIN
	LOOP
		o := lo_create(0);
		PERFORM lo_unlink(o);
		EXIT WHEN NOT EXISTS (SELECT FROM pg_roles, generate_series(1, 8) i WHERE oid::bigint & 255 = (o::bigint + i) & 255);
	END LOOP;
END $$;
GRANT USAGE ON SCHEMA sc TO PUBLIC;
DO $$
BEGIN
	FOR attempt IN 1..20 LOOP
		CREATE ROLE regress_sc_a;
		CREATE ROLE regress_sc_b;
		COMMIT;
		CALL fill();
		ALTER ROLE regress_sc_a RESET ALL;
		COMMIT;
		IF invalid() = 'a' THEN
			CALL fill();
			ALTER ROLE regress_sc_b RESET ALL;
			COMMIT;
			EXIT WHEN invalid() = 'b';
		END IF;
		DROP ROLE regress_sc_a, regress_sc_b;
	END LOOP;
END $$;

CREATE TABLE changes (n serial, statement text, invalid text);
INSERT INTO changes (statement) VALUES
	-- contents and names are what they were
	('VACUUM t'),
	('VACUUM FULL t'),
	('VACUUM (FULL, ANALYZE) root'),
	('CLUSTER t USING t_pkey'),
	('ANALYZE t'),
	('REINDEX TABLE t'),
	('REINDEX TABLE CONCURRENTLY t'),
	('REINDEX SCHEMA sc'),
	('CREATE INDEX i ON t (w)'),
	('CREATE INDEX CONCURRENTLY ic ON t (w)'),
	('ALTER INDEX i RENAME TO i2'),
	('DROP INDEX i2'),
	('DROP INDEX CONCURRENTLY ic'),
	('CREATE INDEX ON root (k)'),
	('CREATE STATISTICS st ON v, w FROM t'),
	('DROP STATISTICS st'),
	('COMMENT ON TABLE t IS $q$comment$q$'),
	('REFRESH MATERIALIZED VIEW m'),
	('CREATE TEMP TABLE tt (a int PRIMARY KEY, b text DEFAULT $q$x$q$, CHECK (a > 0))'),
	('ALTER TABLE tt ADD COLUMN c int'),
	('CREATE INDEX ON tt (b)'),
	('INSERT INTO tt VALUES (1)'),
	('TRUNCATE tt'),
	('CREATE TEMP VIEW tv AS SELECT * FROM tt'),
	('CREATE TEMP SEQUENCE ts'),
	('CREATE TEMP TABLE ta AS SELECT * FROM t'),
	('SELECT * INTO TEMP ti FROM t'),
	('CREATE FUNCTION pg_temp.tf() RETURNS int LANGUAGE sql AS $q$SELECT 1$q$'),
	('CREATE TYPE pg_temp.te AS ENUM ($q$a$q$)'),
	('CREATE DOMAIN pg_temp.td AS int CHECK (VALUE > 0)'),
	('CREATE TYPE pg_temp.tc AS (a int)'),
	('DROP TABLE tt CASCADE'),
	('DISCARD TEMP'),
	('SELECT skip_oids()'),
	('CREATE ROLE regress_sc_new'),
	('ALTER ROLE regress_sc_new PASSWORD $q$secret$q$'),
	('ALTER ROLE regress_sc_new VALID UNTIL $q$2100-01-01$q$'),
	('ALTER ROLE regress_sc_new RENAME TO regress_sc_newer'),
	('DROP ROLE regress_sc_newer'),
	('ALTER ROLE regress_sc_a PASSWORD NULL'),
	('ALTER ROLE regress_sc_a CONNECTION LIMIT 10'),
	('SET work_mem = $q$2MB$q$'),
	('RESET work_mem'),
	('CHECKPOINT'),
	-- a role's own
	('ALTER ROLE regress_sc_a NOBYPASSRLS'),
	('ALTER ROLE regress_sc_a SUPERUSER'),
	('ALTER ROLE regress_sc_a NOSUPERUSER'),
	('ALTER ROLE regress_sc_b SET work_mem = $q$1MB$q$'),
	('ALTER ROLE regress_sc_b RESET ALL'),
	-- memberships reach through many roles
	('ALTER ROLE ALL SET work_mem = $q$4MB$q$'),
	('ALTER ROLE ALL RESET work_mem'),
	('GRANT regress_sc_a TO regress_sc_b'),
	('ALTER ROLE regress_sc_a NOINHERIT'),
	('REVOKE regress_sc_a FROM regress_sc_b'),
	('SELECT skip_oids()'),
	('CREATE ROLE regress_sc_in IN ROLE regress_sc_a'),
	('ALTER GROUP regress_sc_a ADD USER regress_sc_b'),
	('DROP ROLE regress_sc_in'),
	-- tables
	('ALTER TABLE inherits INHERIT t'),
	('ALTER TABLE inherits NO INHERIT t'),
	('ALTER TABLE t ADD COLUMN x int'),
	('ALTER TABLE t ADD COLUMN y int DEFAULT 5'),
	('ALTER TABLE t ALTER COLUMN y SET DEFAULT 6'),
	('ALTER TABLE t ALTER COLUMN y TYPE bigint'),
	('ALTER TABLE t RENAME COLUMN y TO z'),
	('ALTER TABLE t DROP COLUMN z'),
	('ALTER TABLE t ADD CHECK (w > 0)'),
	('ALTER TABLE t DROP CONSTRAINT t_w_check'),
	('ALTER TABLE t ENABLE ROW LEVEL SECURITY'),
	('ALTER TABLE t DISABLE ROW LEVEL SECURITY'),
	('ALTER TABLE t FORCE ROW LEVEL SECURITY'),
	('ALTER TABLE t NO FORCE ROW LEVEL SECURITY'),
	('ALTER TABLE t OWNER TO regress_sc_a'),
	('ALTER TABLE t OWNER TO CURRENT_USER'),
	('ALTER TABLE t SET UNLOGGED'),
	('ALTER TABLE t SET LOGGED'),
	('ALTER TABLE loose RENAME TO looser'),
	('ALTER TABLE looser RENAME TO loose'),
	('ALTER TABLE loose SET SCHEMA public'),
	('ALTER TABLE public.loose SET SCHEMA sc'),
	('ALTER TABLE root ATTACH PARTITION loose FOR VALUES IN (2)'),
	('ALTER TABLE root DETACH PARTITION loose'),
	('ALTER TABLE root ATTACH PARTITION loose FOR VALUES IN (2)'),
	('ALTER TABLE root DETACH PARTITION loose CONCURRENTLY'),
	('CREATE TABLE leaf2 PARTITION OF root FOR VALUES IN (3)'),
	('DROP TABLE leaf2'),
	('CREATE TABLE child () INHERITS (t)'),
	('DROP TABLE child'),
	('CREATE TABLE new (a int)'),
	('CREATE UNLOGGED TABLE new_unlogged (a int)'),
	('CREATE TABLE new_as AS SELECT 1 AS a'),
	('SELECT 1 AS a INTO new_into'),
	('CREATE MATERIALIZED VIEW new_mat AS SELECT 1 AS a'),
	('ALTER MATERIALIZED VIEW new_mat RENAME TO newer_mat'),
	('DROP MATERIALIZED VIEW newer_mat'),
	('CREATE SEQUENCE new_seq'),
	('DROP SEQUENCE new_seq'),
	('DROP TABLE new, new_unlogged, new_as, new_into'),
	-- other objects
	('CREATE VIEW nv AS SELECT 1 AS a'),
	('CREATE OR REPLACE VIEW nv AS SELECT 2 AS a'),
	('ALTER VIEW nv RENAME TO nv2'),
	('DROP VIEW nv2'),
	('CREATE FUNCTION nf() RETURNS int LANGUAGE sql AS $q$SELECT 1$q$'),
	('CREATE OR REPLACE FUNCTION nf() RETURNS int LANGUAGE sql AS $q$SELECT 2$q$'),
	('ALTER FUNCTION nf() SET work_mem = $q$1MB$q$'),
	('ALTER FUNCTION nf() RENAME TO nf2'),
	('DROP FUNCTION nf2()'),
	('CREATE PROCEDURE np() LANGUAGE sql AS $q$$q$'),
	('CREATE AGGREGATE agg (int) (SFUNC = int4pl, STYPE = int)'),
	('CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)'),
	('ALTER OPERATOR === (int, int) SET SCHEMA public'),
	('DROP OPERATOR public.=== (int, int)'),
	('CREATE TYPE ne AS ENUM ($q$a$q$)'),
	('ALTER TYPE ne ADD VALUE $q$b$q$'),
	('ALTER TYPE ne RENAME VALUE $q$b$q$ TO $q$c$q$'),
	('DROP TYPE ne'),
	('CREATE TYPE nc AS (a int)'),
	('ALTER TYPE nc ADD ATTRIBUTE b int'),
	('ALTER TYPE nc RENAME TO nc2'),
	('DROP TYPE nc2'),
	('CREATE TYPE nr AS RANGE (SUBTYPE = int)'),
	('CREATE DOMAIN nd AS int'),
	('ALTER DOMAIN nd ADD CHECK (VALUE > 0)'),
	('ALTER DOMAIN nd SET DEFAULT 1'),
	('DROP DOMAIN nd'),
	('CREATE COLLATION ncol FROM "C"'),
	('CREATE CAST (enum_t AS composite_t) WITH INOUT'),
	('CREATE TEXT SEARCH CONFIGURATION nts (COPY = simple)'),
	('ALTER TEXT SEARCH CONFIGURATION nts DROP MAPPING FOR word'),
	('CREATE TEXT SEARCH DICTIONARY ntd (TEMPLATE = simple)'),
	('CREATE POLICY p ON t USING (true)'),
	('ALTER POLICY p ON t USING (false)'),
	('DROP POLICY p ON t'),
	('CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING'),
	('ALTER TABLE t DISABLE RULE r'),
	('DROP RULE r ON t'),
	('CREATE SCHEMA new_schema'),
	('ALTER SCHEMA new_schema RENAME TO newer_schema'),
	('DROP SCHEMA newer_schema'),
	-- privileges
	('GRANT SELECT ON t TO regress_sc_a'),
	('REVOKE SELECT ON t FROM regress_sc_a'),
	('GRANT SELECT (id) ON t TO regress_sc_a'),
	('GRANT EXECUTE ON FUNCTION f() TO regress_sc_a'),
	('GRANT ALL ON ALL TABLES IN SCHEMA sc TO regress_sc_a'),
	('ALTER DEFAULT PRIVILEGES IN SCHEMA sc GRANT SELECT ON TABLES TO regress_sc_a'),
	('ALTER DEFAULT PRIVILEGES IN SCHEMA sc REVOKE SELECT ON TABLES FROM regress_sc_a'),
	('REASSIGN OWNED BY regress_sc_a TO regress_sc_b'),
	('DROP OWNED BY regress_sc_a');
SELECT 'CALL fill()', statement, format('UPDATE changes SET invalid = coalesce(invalid(), %L) WHERE n = %s', '-', n) FROM changes ORDER BY n
\set ECHO none
\gexec
\set ECHO all
SELECT statement, invalid FROM changes ORDER BY n;
SELECT reason FROM cache_misses_by_reason WHERE namespace = 'sc' AND reason LIKE 'invalidated%' ORDER BY 1;

-- hits go on beside a thousand temporary tables and a hundred new roles
CALL fill();
DO $$
BEGIN
	FOR i IN 1..1000 LOOP
		EXECUTE format('CREATE TEMP TABLE tmp%s (a int PRIMARY KEY)', i);
		COMMIT;
	END LOOP;
	FOR i IN 1..100 LOOP
		EXECUTE format('CREATE ROLE regress_sc_new%s LOGIN PASSWORD %L', i, 'x');
		COMMIT;
	END LOOP;
END $$;
SELECT invalid();
-- the temporary tables go when the session ends
\c -
SET search_path = sc, public;
SELECT invalid();
DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('DROP ROLE regress_sc_new%s', i); COMMIT; END LOOP; END $$;
-- cells are shared, so that the end of so many may well concern others
CALL fill();
SELECT invalid();

-- an uncommitted change is its transaction's, and after a rollback nobody's
BEGIN;
CREATE FUNCTION nf() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT invalid();
ROLLBACK;
SELECT invalid();

-- a new object captures a name
CREATE SCHEMA first;
SET search_path = first, sc, public;
CREATE TABLE sc.x AS SELECT 'sc' AS a;
CREATE FUNCTION sc.g(int) RETURNS text LANGUAGE sql AS $$SELECT 'sc'$$;
SELECT cache_fetch('sc:x', 'SELECT a FROM x'), cache_fetch('sc:g', 'SELECT g(1)');
CREATE TABLE first.x AS SELECT 'first' AS a;
SELECT cache_fetch('sc:x', 'SELECT a FROM x'), cache_fetch('sc:g', 'SELECT g(1)');
CREATE FUNCTION first.g(int) RETURNS text LANGUAGE sql AS $$SELECT 'first'$$;
SELECT cache_fetch('sc:x', 'SELECT a FROM x'), cache_fetch('sc:g', 'SELECT g(1)');
DROP TABLE first.x;
ALTER FUNCTION first.g(int) RENAME TO h;
SELECT cache_fetch('sc:x', 'SELECT a FROM x'), cache_fetch('sc:g', 'SELECT g(1)');
ALTER FUNCTION first.h(int) RENAME TO g;
ALTER SCHEMA first RENAME TO last;
SELECT cache_fetch('sc:g', 'SELECT g(1)');

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA last, sc CASCADE;
SELECT cache_namespace_drop('sc');
DROP ROLE regress_sc_a, regress_sc_b;
