--
-- Foreign tables: by TTL, and by what this server writes to them.  The server is
-- this one.
--
CREATE EXTENSION postgres_fdw;
SELECT cache_namespace_create('fdw', ttl => '1 hour');
CREATE TABLE here (id int PRIMARY KEY, v int);
INSERT INTO here VALUES (1, 1);
SELECT format('CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
	trim(split_part(current_setting('unix_socket_directories'), ',', 1)), current_setting('port'), current_database()) AS command \gset
\set ECHO none
:command;
\set ECHO all
CREATE USER MAPPING FOR CURRENT_USER SERVER self OPTIONS (password_required 'false');
CREATE FOREIGN TABLE there (id int, v int) SERVER self OPTIONS (table_name 'here');
CREATE VIEW over_there AS SELECT * FROM there;
CREATE TABLE pt (id int, v int) PARTITION BY LIST (id);
CREATE TABLE pt1 PARTITION OF pt FOR VALUES IN (1);
CREATE TABLE far (id int, v int);
CREATE FOREIGN TABLE pt2 PARTITION OF pt FOR VALUES IN (2) SERVER self OPTIONS (table_name 'far');
CREATE TABLE changes (n serial, change text);
INSERT INTO changes (change) VALUES ('INSERT INTO there VALUES (2, 2)'), ('UPDATE there SET v = 3 WHERE id = 1'), ('UPDATE there SET v = v + length(pg_typeof(v)::text)'), ('INSERT INTO over_there VALUES (3, 3)'), ('DELETE FROM there WHERE id = 2'),
	('COPY there FROM PROGRAM $$echo "4,4"$$ (FORMAT csv)'), ('TRUNCATE there'), ('INSERT INTO pt VALUES (2, 1)'), ('INSERT INTO pt1 VALUES (1, 1)'), ('INSERT INTO pt2 VALUES (2, 1)'),
	-- nobody notices
	('INSERT INTO here VALUES (100, 1)'), ('INSERT INTO far VALUES (2, 1)'), ('SELECT count(*) FROM there');
CREATE TABLE results (change text, invalid text);
DO $$
DECLARE
	c changes;
BEGIN
	FOR c IN SELECT * FROM changes ORDER BY n LOOP
		PERFORM cache_fetch('fdw:there', 'SELECT count(*), sum(v) FROM there'), cache_fetch('fdw:view', 'SELECT count(*), sum(v) FROM over_there'), cache_fetch('fdw:here', 'SELECT count(*), sum(v) FROM here'),
			cache_fetch('fdw:pt', 'SELECT count(*) FROM pt'), cache_fetch('fdw:pt2', 'SELECT count(*) FROM pt2');
		COMMIT;
		EXECUTE c.change;
		COMMIT;
		INSERT INTO results SELECT c.change, string_agg(k, ' ' ORDER BY i) FROM unnest(ARRAY['there', 'view', 'here', 'pt', 'pt2']) WITH ORDINALITY u (k, i) WHERE NOT cache_exists('fdw:' || k);
		COMMIT;
	END LOOP;
END $$;
SELECT * FROM results;
SELECT k, (cache_entry('fdw:' || k)).depends_on FROM unnest(ARRAY['there', 'view', 'here', 'pt', 'pt2']) k;
-- the own transaction sees what it wrote
BEGIN;
INSERT INTO there VALUES (200, 1);
SELECT cache_fetch('fdw:there', 'SELECT count(*) FROM there WHERE id = 200'), (cache_entry('fdw:there')).why;
ROLLBACK;
-- a function in C that is not immutable cannot be looked into
SELECT cache_fetch('fdw:c', 'SELECT postgres_fdw_disconnect_all() IS NULL'), (cache_entry('fdw:c')).depends_on;

SET client_min_messages = warning;
DROP TABLE changes, results, pt, far, here CASCADE;
DROP EXTENSION postgres_fdw CASCADE;
SELECT cache_namespace_drop('fdw');
