--
-- Values of any type: what goes in comes out, and which types match.
--

-- round_trip(TYPE, VALUE): store, ask for the same type, and for jsonb
CREATE FUNCTION round_trip(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	same	boolean;
	json	boolean;
BEGIN
	EXECUTE format('SELECT cache_set(%L, %L::%s)', 't:rt', value, type);
	EXECUTE format('SELECT cache_get(%L, NULL::%s)::text = (%L::%s)::text', 't:rt', type, value, type) INTO same;
	EXECUTE format('SELECT cache_get(%L) = to_jsonb(%L::%s)', 't:rt', value, type) INTO STRICT json;
	RETURN CASE WHEN same AND json THEN 'ok' ELSE format('same %s, jsonb %s', same, json) END;
END $$;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE point3 AS (x int, y int, z int);
CREATE TYPE line3 AS (label text, a point3, b point3, via point3[]);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN short AS varchar(5) NOT NULL;
CREATE DOMAIN grid AS int[] CHECK (array_ndims(VALUE) = 2);
CREATE DOMAIN origin AS point3 CHECK ((VALUE).x = 0);
CREATE TYPE textrange AS RANGE (subtype = text);

-- Strings other than text are taken by the text functions: char(n) loses its blanks.
SELECT type, value, round_trip(type, value)
FROM (VALUES
	('boolean', 'true'), ('boolean', 'false'),
	('smallint', '-32768'), ('int', '-2147483648'), ('bigint', '9223372036854775807'),
	('real', '-0'), ('real', 'NaN'), ('double precision', '-Infinity'), ('double precision', '1e-300'),
	('numeric', '12345678901234567890.0123456789000'), ('numeric', 'NaN'), ('numeric(10,2)', '1.5'), ('numeric', '-Infinity'),
	('money', '12.34'), ('oid', '4294967295'), ('regclass', 'pg_class'), ('xid8', '18446744073709551615'), ('tid', '(7,8)'), ('pg_lsn', 'F/A'),
	('text', ''), ('text', 'é'), ('varchar', 'v'), ('varchar(3)', 'abc'), ('char(5)', 'ab'), ('name', 'n'), ('bytea', '\x00ff'),
	('bit(3)', '101'), ('varbit', ''), ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
	('json', '{"b": 1,   "a": [null]}'), ('jsonb', 'null'), ('jsonb', '{"a": {"b": [1, 2, {"c": null}]}}'),
	('date', 'infinity'), ('time', '23:59:60'), ('timetz', '01:02:03+04'), ('timestamp', '0044-03-15 12:00 BC'),
	('timestamptz', '2026-01-02 03:04:05.678901+09'), ('timestamptz', '-infinity'), ('interval', '-1 year 2 mons -3 days 4.5 s'),
	('point', '(1,2)'), ('box', '((1,2),(3,4))'), ('path', '[(1,2),(3,4)]'), ('polygon', '((0,0),(1,0),(1,1))'), ('circle', '<(1,2),3>'),
	('inet', '192.168.0.1/24'), ('cidr', '10.0.0.0/8'), ('macaddr', '08:00:2b:01:02:03'), ('macaddr8', '08:00:2b:01:02:03:04:05'),
	('tsvector', 'a:1 b:2A'), ('tsquery', 'a & !b'), ('jsonpath', '$.a[*] ? (@ > 1)'), ('aclitem', 'pg_monitor=r/pg_monitor')) v (type, value);

-- arrays: empty, with NULL elements, of several dimensions, with lower bounds, of anything
SELECT type, value, round_trip(type, value)
FROM (VALUES
	('int[]', '{}'), ('int[]', '{1,NULL,3}'), ('int[]', '{{1,2},{3,4}}'), ('int[]', '[2:3][-1:0]={{1,2},{3,NULL}}'),
	('text[]', '{"",NULL,"NULL","a\"b"}'), ('numeric[]', '{1.50,NaN}'), ('timestamptz[]', '{infinity}'),
	('mood[]', '{sad,happy,NULL}'), ('point3[]', '{"(1,2,3)",NULL,"(,,)"}'), ('jsonb[]', '{"{\"a\": 1}","null"}'),
	('int4range[]', '{"[1,5)",empty}'), ('positive[]', '{1,2}'), ('bytea[]', '{"\\x00"}'), ('name[]', '{a,b}')) v (type, value);

-- composites, ranges, enums, domains
SELECT type, value, round_trip(type, value)
FROM (VALUES
	('point3', '(1,,3)'), ('line3', '("a, ""quoted""","(1,2,3)",,"{""(4,5,6)"",NULL}")'),
	('int4range', '[1,10)'), ('numrange', '(,1.5]'), ('int4range', 'empty'), ('tstzrange', '[2026-01-01,)'), ('textrange', '[a,b)'),
	('int4multirange', '{[1,2),[5,9)}'), ('textmultirange', '{[a,b),[x,y)}'),
	('mood', 'happy'), ('positive', '7'), ('grid', '{{1,2},{3,4}}'), ('origin', '(0,1,2)')) v (type, value);

SELECT cache_set('t:line', ROW('l', ROW(1, 2, 3), NULL, ARRAY[ROW(4, 5, 6)::point3])::line3);
SELECT (cache_get('t:line', NULL::line3)).a.y, ((cache_get('t:line', NULL::line3)).via)[1].z, cache_get('t:line') -> 'via';

-- a row of a table, whole, and after the table's own changes that keep the columns
CREATE TABLE users (id int PRIMARY KEY, name text, tags text[], born date DEFAULT '2000-01-01');
INSERT INTO users VALUES (1, 'ann', '{a,b}'), (2, NULL, NULL);
SELECT cache_set('t:user' || id, users) FROM users;
SELECT cache_get('t:user1', NULL::users), (cache_get('t:user2', NULL::users)).born, cache_get('t:user1');
ALTER TABLE users ADD CHECK (id > 0), ALTER name SET DEFAULT 'x';
UPDATE users SET name = 'changed';
SELECT (cache_get('t:user1', NULL::users)).name;

-- toasted values: compressed, out of line, inside composites and arrays
CREATE TABLE big (id int, c text, x text, j jsonb, a text[], r line3);
ALTER TABLE big ALTER x SET STORAGE EXTERNAL;
INSERT INTO big
SELECT 1, repeat('abc', 20000), string_agg(md5(i::text), ''), jsonb_agg(md5(i::text)), array_agg(md5(i::text)),
	   ROW(string_agg(md5(i::text), ''), NULL, NULL, NULL)::line3
FROM generate_series(1, 1000) i;
SELECT pg_column_size(c) < 2000 AS compressed, octet_length(x) FROM big;
SELECT cache_set('t:c', c), cache_set('t:x', x), cache_set('t:j', j), cache_set('t:a', a), cache_set('t:r', r), cache_set('t:big', big) FROM big;
SELECT cache_get('t:c', '') = c, cache_get('t:x', '') = x, cache_get('t:j') = j, cache_get('t:a', NULL::text[]) = a,
	   cache_get('t:r', NULL::line3) = r, cache_get('t:big', NULL::big) = big.*
FROM big;
-- nothing of the value lies in the table
CREATE TEMP TABLE expected AS SELECT md5(big::text) AS sum, md5(x) AS x FROM big;
TRUNCATE big;
SELECT md5(cache_get('t:big', NULL::big)::text) = sum, md5(cache_get('t:x', '')) = x FROM expected;
DROP TABLE expected;
-- short values with a one-byte header in the table
CREATE TEMP TABLE small (t text, b bytea, n numeric);
INSERT INTO small VALUES ('short', '\x01', 1.5);
SELECT cache_set('t:st', t), cache_set('t:sb', b), cache_set('t:sn', n) FROM small;
SELECT cache_get('t:st', ''), cache_get('t:sb', ''::bytea), cache_get('t:sn', 0.0);

-- expanded arrays and records of PL/pgSQL
DO $$
DECLARE
	a	int[] := '{}';
	t	text[] := ARRAY[repeat('x', 3000)];
	r	line3;
	u	users;
BEGIN
	FOR i IN 1..1000 LOOP
		a[i] := i;
	END LOOP;
	t[2] := repeat('y', 100);
	PERFORM cache_set('t:ea', a), cache_set('t:et', t);
	a[1] := -1;
	RAISE NOTICE '% %', array_length(cache_get('t:ea', NULL::int[]), 1), (cache_get('t:ea', NULL::int[]))[1];
	RAISE NOTICE '% %', length((cache_get('t:et', NULL::text[]))[1]), length((cache_get('t:et', NULL::text[]))[2]);
	r.label := repeat('l', 5000);
	r.a.y := 5;
	r.via := ARRAY[ROW(1, 2, 3)::point3];
	PERFORM cache_set('t:er', r);
	r.a.y := 6;
	RAISE NOTICE '% %', (cache_get('t:er', NULL::line3)).a.y, length((cache_get('t:er', NULL::line3)).label);
	SELECT * INTO u FROM users WHERE id = 1;
	u.tags[3] := 'c';
	PERFORM cache_set('t:eu', u);
	RAISE NOTICE '%', cache_get('t:eu', NULL::users);
	a := cache_get('t:ea', a);
	a[1001] := 1001;
	RAISE NOTICE '% %', cardinality(a), cardinality(cache_get('t:ea', a));
END $$;

--
-- Which stored types match which asked types
--
SELECT cache_set('t:i2', 7::smallint), cache_set('t:i4', 70000), cache_set('t:i8', 5000000000), cache_set('t:i8s', -3::bigint);
-- integers of any width, while in range
SELECT cache_get('t:i2', 0::smallint), cache_get('t:i2', 0), cache_get('t:i2', 0::bigint),
	   cache_get('t:i4', 0::bigint), cache_get('t:i8s', 0::smallint), cache_get('t:i8s', 0);
SELECT cache_get('t:i4', 0::smallint);
SELECT cache_get('t:i8', 0);
SELECT cache_get('t:i2', 0::numeric);
SELECT cache_get('t:i2', true);
SELECT cache_get('t:i2', '');
-- binary-coercible
SELECT cache_set('t:v', 'vc'::varchar), cache_set('t:t', 'tt'::text), cache_set('t:cidr', '10.0.0.0/8'::cidr),
	   cache_set('t:c5', 'ab'::char(5)), cache_set('t:name', 'nm'::name), cache_set('t:b', '\x01'::bytea);
SELECT cache_get('t:v', ''::text), cache_get('t:t', ''::varchar), cache_get('t:cidr', NULL::inet), cache_get('t:t', ''::varchar(1));
SELECT cache_get('t:i4', 0::oid);
-- strings of all types are text
SELECT DISTINCT e.type FROM unnest(ARRAY['t:v', 't:t', 't:c5', 't:name']) k, cache_entry(k) e;
SELECT cache_get('t:name', '');
SELECT cache_get('t:c5', '');
SELECT cache_get('t:b', '');
SELECT cache_get('t:j', NULL::json);
SELECT cache_get('t:a', NULL::varchar[]) IS NOT NULL;
SELECT cache_get('t:ea', NULL::bigint[]);
SELECT cache_get('t:line', NULL::point3);
SELECT cache_get('t:user1', NULL::big);
-- domains: over the base type, after the checks; NULL matches all
SELECT cache_set('t:pos', 5), cache_set('t:neg', -5), cache_set('t:dom', 6::positive), cache_set('t:nul', NULL::text);
SELECT cache_get('t:pos', 1::positive), pg_typeof(cache_get('t:pos', 1::positive)), cache_get('t:dom', 0), cache_get('t:dom', 1::positive),
	   cache_get('t:i2', 1::positive), cache_get('t:nul', 1::positive);
SELECT cache_get('t:neg', 1::positive);
SELECT cache_get('t:i8', 1::positive);
SELECT cache_get('t:v', 'x'::short), cache_get('t:dom');
SELECT cache_get('t:ea', '{{1}}'::grid);
SELECT cache_set('t:origin', ROW(0, 1, 2)::point3), cache_set('t:notorigin', ROW(1, 1, 2)::point3);
SELECT cache_get('t:origin', NULL::origin);
SELECT cache_get('t:notorigin', NULL::origin);
-- a check added later holds for values written before
ALTER DOMAIN positive ADD CONSTRAINT even CHECK (VALUE % 2 = 0);
SELECT cache_set('t:four', 4::positive), cache_get('t:four', NULL::positive), cache_get('t:dom', NULL::positive);
ALTER DOMAIN positive ADD CONSTRAINT large CHECK (VALUE > 4);
SELECT cache_get('t:dom', NULL::positive);
SELECT cache_get('t:four', NULL::positive);
-- everything is readable as jsonb
SELECT cache_get('t:four'), cache_get('t:neg'), cache_get('t:b'), cache_get('t:name'), cache_get('t:nul');

-- what has no meaning in another session
SELECT cache_set('t:rec', ROW(1, 'x'));
SELECT cache_set('t:rec', ARRAY[ROW(1, 'x'), ROW(2, 'y')]);
SELECT cache_add('t:rec', ROW(1)), cache_replace('t:rec', ROW(1));
SELECT cache_set_many(ARRAY['t:rec'], ARRAY[ROW(1, 'x')]);
SELECT cache_set('t:rec', u) FROM (SELECT 1 AS a, 2 AS b) u;
ANALYZE pg_namespace;
SELECT cache_set('t:rec', stavalues1) FROM pg_statistic LIMIT 1;
SELECT cache_set('t:rec', NULL);
SELECT cache_get('t:rec', '');
SELECT cache_exists('t:recnot');
-- on reading, a record is as good as its type
SELECT cache_get('t:origin', ROW(1, 2)), cache_get('t:none', ROW(1, 2));
SELECT cache_get('t:i4', ROW(1, 2));

-- with cache_set_many they keep their type
SELECT cache_set_many(ARRAY['t:c5'], ARRAY['ab'::char(5)]), cache_set_many(ARRAY['t:name'], ARRAY['nm'::name]);
SELECT cache_set_many(ARRAY['t:char'], ARRAY['c'::"char"]);
SELECT cache_get('t:c5'), cache_get('t:name'), cache_get('t:char');
SELECT cache_get('t:c5', '');
SELECT cache_get('t:name', '');

DROP FUNCTION round_trip;
DROP TABLE users, big;
DROP TYPE line3, textrange, mood CASCADE;
DROP DOMAIN positive, short, grid, origin;
DROP TYPE point3;
-- of the values only those of built-in types are left
SELECT cache_get('t:line'), cache_get('t:user1'), cache_get('t:dom'), cache_get('t:origin', 'gone'), cache_get('t:neg');

SELECT * FROM cachepg_check();
