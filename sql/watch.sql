-- cache_watch: rows that change invalidate keys and tags.
-- "gone" lists what a change took away; every list is also the negative
-- control of its neighbours, since all keys of the board are set before.
CREATE FUNCTION board(keys text[], tagged text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_set(k, 1) FROM unnest(keys) k;
	PERFORM cache_set('t:' || t, 1, tags => ARRAY[t]) FROM unnest(tagged) t;
END $$;
-- the keys that are not there any more, and again all of them for the next step
CREATE FUNCTION gone(keys text[], tagged text[] DEFAULT '{}') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	result text[] := (SELECT coalesce(array_agg(k ORDER BY k COLLATE "C"), '{}')
					  FROM (SELECT unnest(keys) UNION ALL SELECT 't:' || unnest(tagged)) a(k) WHERE NOT cache_exists(k));
BEGIN
	PERFORM board(keys, tagged);
	RETURN result;
END $$;

SELECT cache_namespace_create('u', scope => 'shared');
SELECT cache_namespace_create('o', scope => 'shared');
CREATE TABLE users (id int PRIMARY KEY, name text, "odd col" text, born date, at timestamptz, yes boolean, tenant uuid);
SELECT cache_watch('users', 'u:{id}', 'o:{name}');
SELECT * FROM cache_watches;
SELECT tgenabled, tgtype, pg_get_triggerdef(oid) ~ 'AFTER INSERT OR DELETE OR UPDATE ON public.users FOR EACH ROW' AS form
FROM pg_trigger WHERE tgrelid = 'users'::regclass;

\set keys '''{u:1,u:2,u:3,u:4,other}'',''{o:a,o:b,o:c,o:d}'''
SELECT board(:keys);
-- the test can fail: nothing happened, nothing is gone
SELECT gone(:keys);

-- every kind of write
INSERT INTO users (id, name) VALUES (1, 'a');
SELECT gone(:keys);
INSERT INTO users (id, name) VALUES (2, 'b'), (3, 'c');
SELECT gone(:keys);
UPDATE users SET name = 'd' WHERE id = 1;
SELECT gone(:keys);
UPDATE users SET id = 4 WHERE id = 3;
SELECT gone(:keys);
DELETE FROM users WHERE id = 4;
SELECT gone(:keys);
INSERT INTO users (id, name) VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET name = 'c';
SELECT gone(:keys);
INSERT INTO users (id, name) VALUES (2, 'x') ON CONFLICT DO NOTHING;
SELECT gone(:keys);
MERGE INTO users USING (VALUES (1), (3)) v(id) ON v.id = users.id
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id);
SELECT gone(:keys);
COPY users (id, name) FROM stdin;
4	b
\.
SELECT gone(:keys);
WITH gone AS (DELETE FROM users WHERE id = 4 RETURNING id) SELECT count(*) FROM gone;
SELECT gone(:keys);
UPDATE users SET name = name WHERE false;
SELECT gone(:keys);

-- with the transaction: others see it at commit, a rollback leaves no trace
BEGIN;
UPDATE users SET name = 'a' WHERE id = 2;
SELECT cache_exists('u:2'), cache_exists('u:1');
ROLLBACK;
SELECT gone(:keys);
BEGIN;
UPDATE users SET name = 'a' WHERE id = 2;
SAVEPOINT s;
DELETE FROM users WHERE id = 3;
ROLLBACK TO s;
COMMIT;
SELECT gone(:keys);

-- replica role, and a session that has the cache off
SET session_replication_role = replica;
UPDATE users SET name = 'a' WHERE id = 2;
RESET session_replication_role;
SELECT gone(:keys);
SET cachepg.enabled = off;
UPDATE users SET name = 'a' WHERE id = 2;
RESET cachepg.enabled;
SELECT gone(:keys);

-- TRUNCATE takes the namespace, and all tags with its name in front
SELECT board('{o:x}');
TRUNCATE users;
SELECT gone(:keys), cache_exists('o:x');
BEGIN;
TRUNCATE users;
ROLLBACK;
SELECT gone(:keys);

-- foreign keys
CREATE TABLE orders (id int, user_id int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE);
SELECT cache_watch('orders', 'o:{user_id}:{id}');
INSERT INTO users (id) VALUES (1), (2);
INSERT INTO orders VALUES (10, 1), (20, 2), (30, NULL);
\set keys '''{u:1,u:2,u:3,o:1:10,o:2:20,o::30,o:30}'''
SELECT board(:keys);
DELETE FROM users WHERE id = 1;
SELECT gone(:keys);
UPDATE users SET id = 3 WHERE id = 2;
SELECT gone(:keys);
TRUNCATE users CASCADE;
SELECT gone(:keys);
-- a NULL makes no key
INSERT INTO orders VALUES (40, NULL);
SELECT gone(:keys);
SELECT cache_unwatch('orders'), cache_unwatch('orders');
DROP TABLE orders;

-- what templates can say
SELECT cache_watch('users', 'u:{{{id}}}{odd col}');
INSERT INTO users (id, "odd col") VALUES (1, 'a"b{x}');
SELECT board('{"u:{1}a\"b{x}",u:1}');
UPDATE users SET id = id;
SELECT gone('{"u:{1}a\"b{x}",u:1}');
SELECT cache_unwatch('users', 'u:{{{id}}}{odd col}');
SELECT cache_watch('users', 'all users');
SELECT board('{all users,another}');
UPDATE users SET name = 'z';
SELECT gone('{all users,another}');
TRUNCATE users;
SELECT gone('{all users,another}');
SELECT cache_unwatch('users', 'all users');
-- a value with a colon must not reach a namespace that the template does not name
SELECT cache_watch('users', '{name}');
SELECT board('{u:9,plain,no:space}');
INSERT INTO users (id, name) VALUES (1, 'u:9'), (2, 'plain'), (3, 'no:space'), (4, ''), (5, repeat('x', 600));
SELECT gone('{u:9,plain,no:space}');
SELECT cache_unwatch('users', '{name}');
TRUNCATE users;

-- text does not depend on settings
SELECT cache_watch('users', 'u:{born}/{at}/{yes}/{tenant}');
INSERT INTO users VALUES (1, '', '', '2001-02-03', '2001-02-03 04:05:06+00', true, '00000000-0000-0000-0000-000000000001');
\set keys '''{u:2001-02-03/2001-02-03 04:05:06+00/true/00000000-0000-0000-0000-000000000001}'''
SELECT board(:keys);
SET DateStyle = 'German, DMY';
SET TimeZone = 'America/New_York';
UPDATE users SET name = 'w';
SELECT gone(:keys);
SHOW DateStyle;
RESET DateStyle;
RESET TimeZone;
CREATE TYPE mood AS ENUM ('fine');
CREATE DOMAIN code AS char(4);
CREATE TABLE kinds (m mood, c code, i inet, f float8, n numeric, b bytea, s smallint, l bigint, r interval, a int[], "char" "char");
SELECT cache_watch('kinds', 'u:{m},{c},{i},{f},{n},{b},{s},{l},{r},{a},{char}');
SELECT board(ARRAY['u:fine,ab,10.0.0.1/32,0.1,1.50,\x00ff,-1,-9000000000,1 day,{1,2},z']);
SET bytea_output = escape;
SET extra_float_digits = -3;
SET IntervalStyle = iso_8601;
INSERT INTO kinds VALUES ('fine', 'ab', '10.0.0.1', 0.1, 1.50, '\x00ff', -1, -9000000000, '1 day', '{1,2}', 'z');
RESET bytea_output;
RESET extra_float_digits;
RESET IntervalStyle;
SELECT gone(ARRAY['u:fine,ab,10.0.0.1/32,0.1,1.50,\x00ff,-1,-9000000000,1 day,{1,2},z']);
-- that is what ::text gives
SELECT format('%s,%s,%s', c::text, i::text, "char"::text) FROM kinds;

-- dropping the table takes its watches along, and what their templates name
SELECT board('{u:1}');
DROP TABLE kinds;
SELECT gone('{u:1}');
SELECT count(*) FROM cachepg_watch;

-- what cannot be watched
SELECT cache_unwatch('users', 'u:{born}/{at}/{yes}/{tenant}');
CREATE VIEW v AS SELECT 1 AS id;
CREATE TEMP TABLE tmp (id int);
CREATE FUNCTION refusal(relation regclass, key text, tag text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text;
BEGIN
	PERFORM cache_watch(relation, key, tag);
	RETURN 'none';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', sqlstate || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT coalesce(relation, 'NULL') || ' ' || coalesce(left(key, 10), 'NULL') || ' ' || coalesce(left(tag, 10), 'NULL') || E'\n'
	|| refusal(relation, key, tag)
FROM (VALUES ('users', NULL, NULL), ('users', '', NULL), ('users', 'u:{id', NULL), ('users', 'u:id}', NULL),
	('users', 'u:{}', NULL), ('users', 'u:{i{d}}', NULL), ('users', 'u:{no}', NULL), ('users', 'u:{ID}', NULL), ('users', 'u:{ctid}', NULL),
	('users', '{name}:{id}', NULL), ('users', NULL, '{name}:{id}'), ('users', repeat('x', 513), NULL), ('users', NULL, repeat('x', 256)),
	('users', 'u:{id}', 'o:{name}'), (NULL, 'u', NULL), ('pg_class', 'u:{relname}', NULL), ('v', 'u:{id}', NULL),
	('tmp', 'u:{id}', NULL)) c(relation, key, tag);
-- the same templates apart are other watches
SELECT refusal('users', 'u:{id}', NULL), refusal('users', NULL, 'o:{name}'), cache_unwatch('users');
\pset format aligned
\pset tuples_only off
SELECT cache_watch('users', 'u:{id}', 'o:{name}');
TRUNCATE users;

-- partitions: cloned to those there are and will be; moves touch both
CREATE TABLE part (id int, region text, name text) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
SELECT cache_watch('part', 'u:{region}:{id}');
-- columns in another order
CREATE TABLE part_b (name text, gap int, region text, id int);
ALTER TABLE part_b DROP COLUMN gap;
\set keys '''{u:a:1,u:a:2,u:b:1,u:b:2}'''
SELECT board(:keys);
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
SELECT gone(:keys);
INSERT INTO part VALUES (1, 'a');
SELECT gone(:keys);
INSERT INTO part_b VALUES ('n', 'b', 2);
SELECT gone(:keys);
UPDATE part SET region = 'b' WHERE id = 1;
SELECT gone(:keys);
CREATE TABLE part_c PARTITION OF part FOR VALUES IN ('c');
SELECT gone(:keys);
TRUNCATE part_a;
SELECT gone(:keys);
TRUNCATE part;
SELECT gone(:keys);
INSERT INTO part VALUES (1, 'b');
SELECT gone(:keys);
ALTER TABLE part DETACH PARTITION part_b;
SELECT gone(:keys);
DELETE FROM part_b;
SELECT gone(:keys);
INSERT INTO part_b VALUES ('n', 'b', 2);
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
SELECT gone(:keys);
DROP TABLE part_b;
SELECT gone(:keys);
SELECT key_template FROM cache_watches WHERE table_name = 'part'::regclass;
SELECT cache_unwatch('part');
SELECT gone(:keys);
INSERT INTO part VALUES (1, 'a');
SELECT gone(:keys);
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('part'::regclass, 'part_a'::regclass) AND NOT tgisinternal;
DROP TABLE part;

-- renamed: the table and the trigger may be, a column makes all of the namespace go
INSERT INTO users (id, name) VALUES (1, 'a');
ALTER TABLE users RENAME TO people;
DO $$ DECLARE t text; BEGIN
	FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'people'::regclass LOOP
		EXECUTE format('ALTER TRIGGER %I ON people RENAME TO %I', t, 'my_' || t);
	END LOOP; END $$;
\set keys '''{u:1,u:2,u:3,other}'',''{o:a,o:b}'''
SELECT board(:keys);
UPDATE people SET name = 'b';
SELECT gone(:keys);
ALTER TABLE people RENAME id TO ident;
\set VERBOSITY default
UPDATE people SET name = 'b';
UPDATE people SET name = 'b';
SELECT gone(:keys);
ALTER TABLE people RENAME ident TO id;
UPDATE people SET name = 'b';
SELECT gone(:keys);
ALTER TABLE people DROP COLUMN name;
UPDATE people SET id = 2;
SELECT gone(:keys);
SELECT cache_unwatch('people', tag_template => 'o:{name}');
SELECT table_name, key_template, tag_template FROM cache_watches;
SELECT cache_watch('people', 'u:{id}');
SELECT cache_unwatch('people');
UPDATE people SET id = 1;
SELECT gone(:keys);

-- many keys in one transaction: the namespace instead
SELECT cache_watch('people', 'u:{id}');
INSERT INTO people (id) SELECT generate_series(10, 30000);
SELECT gone(:keys);
SELECT cache_unwatch('people');

-- a trigger made by hand does nothing but warn, whatever its argument
CREATE TABLE forged (id int);
CREATE TRIGGER forged AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION cachepg_watch_row('u:{id}');
INSERT INTO forged VALUES (1);
INSERT INTO forged VALUES (1);
SELECT gone(:keys);
DROP TRIGGER forged ON forged;
SELECT cache_watch('people', 'u:{id}');
-- with the id of another table's watch
DO $$ BEGIN EXECUTE format('CREATE TRIGGER forged AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION cachepg_watch_row(%L)',
	(SELECT id FROM cachepg_watch)); END $$;
INSERT INTO forged VALUES (1);
TRUNCATE forged;
DROP TABLE forged;
SELECT gone(:keys);
-- a copy on the watched table is no more than the watch, and goes without it
DO $$ BEGIN EXECUTE format('CREATE TRIGGER copy AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION cachepg_watch_row(%L)',
	(SELECT id FROM cachepg_watch)); END $$;
DROP TRIGGER copy ON people;
UPDATE people SET id = 1 WHERE id = 1;
SELECT gone(:keys);
CREATE TRIGGER bad BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION cachepg_watch_row('x');
\set VERBOSITY sqlstate
INSERT INTO people (id) VALUES (0);
SELECT cachepg_watch_row();
\set VERBOSITY default
DROP TRIGGER bad ON people;
DO $$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON people', tgname) FROM pg_trigger WHERE tgrelid = 'people'::regclass); END $$;
SELECT count(*) FROM cachepg_watch;

-- privileges
CREATE ROLE regress_cpg_owner;
CREATE ROLE regress_cpg_maker;
CREATE ROLE regress_cpg_writer;
GRANT CREATE ON SCHEMA public TO regress_cpg_owner;
SET ROLE regress_cpg_owner;
CREATE TABLE owned (id int);
GRANT INSERT, TRUNCATE ON owned TO regress_cpg_writer;
\set VERBOSITY terse
SELECT cache_watch('owned', 'u:{id}');
RESET ROLE;
SELECT cache_namespace_grant('u', 'regress_cpg_maker', 'invalidate');
SET ROLE regress_cpg_maker;
SELECT cache_watch('owned', 'u:{id}');
RESET ROLE;
GRANT TRIGGER ON owned TO regress_cpg_maker;
SET ROLE regress_cpg_maker;
SELECT cache_watch('owned', 'o:{id}');
SELECT cache_watch('owned', '{id}');
SELECT cache_watch('owned', 'u:{id}', 'o:{id}');
SELECT cache_watch('owned', 'u:{id}');
SELECT cache_watch('owned', NULL, 'u:{id}');
SELECT * FROM cache_watches ORDER BY 2;
-- who writes needs no privilege on the cache
SET ROLE regress_cpg_writer;
SELECT * FROM cache_watches;
SELECT cache_unwatch('owned');
INSERT INTO owned VALUES (1);
RESET ROLE;
SELECT gone(:keys);
SET ROLE regress_cpg_writer;
TRUNCATE owned;
RESET ROLE;
SELECT gone(:keys);
-- who made it, or owns the table, removes it
SET ROLE regress_cpg_maker;
SELECT cache_unwatch('owned', 'u:{id}');
SET ROLE regress_cpg_owner;
SELECT cache_unwatch('owned');
INSERT INTO owned VALUES (2);
RESET ROLE;
SELECT gone(:keys);

-- in any database, with the extension or without it
DROP TABLE owned, people;
DROP VIEW v;
SELECT count(*) FROM cachepg_watch;
CREATE TABLE last (id int);
SELECT cache_watch('last', 'u:{id}');
DROP EXTENSION cachepg;
SET client_min_messages = warning;
DROP EXTENSION cachepg CASCADE;
RESET client_min_messages;
INSERT INTO last VALUES (1);
TRUNCATE last;
DROP TABLE last;
CREATE EXTENSION cachepg;
SELECT count(*) FROM cachepg_check();
DROP FUNCTION board, gone, refusal;
DROP TYPE mood;
DROP DOMAIN code;
REVOKE CREATE ON SCHEMA public FROM regress_cpg_owner;
DROP ROLE regress_cpg_owner, regress_cpg_maker, regress_cpg_writer;
