-- Codecs: every value returns as the same bytes, or as what the line says.
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'glücklich');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 10);
CREATE DOMAIN documented AS jsonb CHECK (VALUE ? 'a');
CREATE TYPE pair AS (a integer, b text, c numeric);
CREATE TYPE nest AS (p pair, many pair[], m mood);
CREATE TYPE floats AS RANGE (SUBTYPE = float8);
CREATE FUNCTION trips(value anyelement, OUT "json" text, OUT msgpack text, OUT "binary" text, OUT compressed text) LANGUAGE sql AS $$
	SELECT test_codec_trip(value, 'json'), test_codec_trip(value, 'msgpack'), test_codec_trip(value, 'binary'),
		concat_ws(', ', test_codec_trip(value, 'json', 1), test_codec_trip(value, 'msgpack', 1), test_codec_trip(value, 'binary', 1));
$$;
-- settings that change what types print; nothing of that may be in the bytes
SET datestyle = 'German';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kathmandu';
SET extra_float_digits = -5;
SET bytea_output = 'escape';
SET client_encoding = 'latin1';
\pset format unaligned
SELECT 'boolean' AS type, (trips(v)).* FROM unnest('{t,f}'::boolean[]) v;
SELECT 'int2' AS type, (trips(v)).* FROM unnest('{-32768,0,32767}'::int2[]) v;
SELECT 'int4' AS type, (trips(v)).* FROM unnest('{-2147483648,-1,2147483647}'::int4[]) v;
SELECT 'int8' AS type, (trips(v)).* FROM unnest('{-9223372036854775808,-33,127,128,9223372036854775807}'::int8[]) v;
SELECT 'float8' AS type, (trips(v)).* FROM unnest('{NaN,Infinity,-Infinity,-0,0.1,1e300,5e-324}'::float8[]) v;
SELECT 'float4' AS type, (trips(v)).* FROM unnest('{NaN,0.1,3.4e38}'::float4[]) v;
SELECT 'numeric' AS type, (trips(v)).* FROM unnest('{NaN,Infinity,-Infinity,0,1.50,-0.000,1e1000,12345678901234567890.0123456789}'::numeric[]) v;
SELECT 'text' AS type, (trips(v)).* FROM unnest(ARRAY['', 'plain', E'\x01\x1f\x7f\b\f\n\r\t"\\/', U&'\00e9\4e2d\+01f600', repeat('long ', 1000), ' ', 'null', '12']) v;
SELECT 'varchar' AS type, (trips(v)).* FROM unnest(ARRAY['', 'é']::varchar[]) v;
SELECT 'bpchar' AS type, (trips('a   '::char(5))).*;
SELECT '"char"' AS type, (trips(v)).* FROM unnest(ARRAY['', 'x', '\']::"char"[]) v;
SELECT 'name' AS type, (trips('a name'::name)).*;
SELECT 'bytea' AS type, (trips(v)).* FROM unnest(ARRAY['', '\x00ff5c', repeat('a\\', 500)::bytea]) v;
SELECT 'jsonb' AS type, (trips(v)).* FROM unnest(ARRAY['null', 'true', '1', '-1.50', '1e400', '0.1', '1e-7', '123456789012345678901234567890', '"é\u0001\"\\"', '""', '[]', '{}', '[1, [2, {"a": [null, false, {}]}]]',
	'{"": 1, "b": "x", "aa": {"c": [[]]}, "n": 9223372036854775807}', ('[' || repeat('{"k": [', 100) || repeat(']}', 100) || ']')]::jsonb[]) v;
SELECT 'jsonb, deep' AS type, (trips((repeat('[', 1000) || repeat(']', 1000))::jsonb)).*;
SELECT 'jsonb, long' AS type, (trips((SELECT jsonb_object_agg('key' || i, repeat('v', i % 50) || i) FROM generate_series(1, 20000) i))).*;
SELECT 'json' AS type, (trips(v)).* FROM unnest(ARRAY['{"a" :  1, "a": 2}', ' [ ] ', '"\u0000"']::json[]) v;
SELECT 'timestamptz' AS type, (trips(v)).* FROM unnest('{infinity,-infinity,2024-02-29 12:34:56.789012+05:45,4713-01-01 00:00:00+00 BC,294276-12-31 23:59:59.999999+00}'::timestamptz[]) v;
SELECT 'timestamp' AS type, (trips(v)).* FROM unnest('{infinity,1999-12-31 23:59:59.999999}'::timestamp[]) v;
SELECT 'date' AS type, (trips(v)).* FROM unnest('{infinity,0044-03-15 BC,5874897-12-31}'::date[]) v;
SELECT 'time' AS type, (trips('24:00:00'::time)).* UNION ALL SELECT 'timetz', (trips('12:34:56.7-11'::timetz)).*;
SELECT 'interval' AS type, (trips(v)).* FROM unnest('{-1 year -2 mons +3 days -04:05:06.7,0,178000000 years}'::interval[]) v;
SELECT 'others' AS type, (trips(gen_random_uuid())).* UNION ALL SELECT 'inet', (trips('::1/64'::inet)).* UNION ALL SELECT 'money', (trips('-12.34'::money)).*
	UNION ALL SELECT 'bit', (trips(B'10110'::varbit)).* UNION ALL SELECT 'point', (trips('(1.1,2)'::point)).* UNION ALL SELECT 'tsvector', (trips('''a b'':1A c'::tsvector)).*
	UNION ALL SELECT 'xml', (trips('<a>é</a>'::xml)).* UNION ALL SELECT 'oid', (trips(4711::oid)).*;
SELECT 'references' AS type, (trips('pg_class'::regclass)).* UNION ALL SELECT 'own', (trips('pair'::regtype)).* UNION ALL SELECT 'role', (trips(CURRENT_USER::regrole)).*;
SELECT 'int4[]' AS type, (trips(v)).* FROM (VALUES ('{}'::int4[]), ('{1,NULL,3}'), ('{{1,2},{3,4}}'), ('[2:3][0:1]={{1,2},{3,4}}')) AS a (v);
SELECT 'text[]' AS type, (trips(ARRAY['', 'NULL', NULL, 'a,b', '"', E'\\', '{é}'])).*;
SELECT 'jsonb[]' AS type, (trips(ARRAY['{"a": 1}', NULL]::jsonb[])).*;
SELECT 'ranges' AS type, (trips('[1,10)'::int4range)).* UNION ALL SELECT 'empty', (trips('empty'::tstzrange)).* UNION ALL SELECT 'open', (trips(tstzrange(NULL, '2024-01-01')))
	.* UNION ALL SELECT 'multi', (trips('{[1,2),[5,)}'::int8multirange)).* UNION ALL SELECT 'own', (trips('[0.5,1]'::floats)).*;
SELECT 'enum' AS type, (trips(v)).* FROM unnest(enum_range(NULL::mood)) v;
SELECT 'domains' AS type, (trips(7::positive)).* UNION ALL SELECT 'short', (trips('é"'::short)).* UNION ALL SELECT 'documented', (trips('{"a": [1.0]}'::documented)).*;
SELECT 'composite' AS type, (trips(v)).* FROM unnest(ARRAY[ROW(1, 'x,"(é', 1.50), ROW(NULL, NULL, 'NaN'), ROW(NULL, '', NULL)]::pair[]) WITH ORDINALITY AS a (x, y, z, n), LATERAL (SELECT ROW(x, y, z)::pair AS v) AS b;
SELECT 'nested' AS type, (trips(ROW(ROW(1, 'x', 2), ARRAY[ROW(2, 'y', 3), NULL]::pair[], 'sad')::nest)).*;
SELECT 'composite[]' AS type, (trips(ARRAY[ROW(1, 'x', 2)::pair])).*;
SELECT 'null' AS type, (trips(NULL::pair)).*;
-- what fills the bytes
RESET client_encoding;
SELECT codec, convert_from(payload, 'UTF8') AS payload FROM codec_encode('2024-02-29 12:34:56+05:45'::timestamptz, 'json', 0);
SELECT codec, convert_from(payload, 'UTF8') AS payload FROM codec_encode('{"a": [1, "é"]}'::jsonb, 'json', 0);
SELECT codec, convert_from(payload, 'UTF8') AS payload FROM codec_encode(ROW(1, E'\n', 1.50)::pair, 'json', 0);
SELECT codec, convert_from(payload, 'UTF8') AS payload FROM codec_encode(9007199254740993, 'json', 0);
SELECT codec, convert_from(payload, 'UTF8') AS payload FROM codec_encode('pair'::regtype, 'binary', 0);
SET bytea_output = 'hex';
SELECT codec, payload FROM codec_encode('{"a": [1, -1.5, 0.10, null, true]}'::jsonb, 'msgpack', 0);
SELECT codec, payload FROM codec_encode(258, 'binary', 0);
-- a domain is checked when it is read, and a type that has no such value does not take it
SELECT codec_decode('j', 0, 2, '-7', 100, 0), codec_decode('j', 0, 2, '-7', 100, 1::positive);
SELECT codec_decode('m', 0, 1, '\xf9', 100, 0), codec_decode('m', 0, 1, '\xf9', 100, 1::positive);
SELECT codec_decode('b', 0, 4, '\xfffffff9', 100, 0), codec_decode('b', 0, 4, '\xfffffff9', 100, 1::positive);
SELECT codec_decode('j', 0, 7, '"angry"', 100, 'sad'::mood), codec_decode('j', 0, 5, '"sad"', 100, 'sad'::mood);
-- JSON that others may have written
SELECT codec_decode('j', 0, length(v), v, 1000, ''::text) FROM unnest(ARRAY['"\ud83d\ude00\u00e9\/"', '"\ud83d"', '"\u0000"', '"a', '"a"x', 'a', '"\x"', '1']::text[]) t, convert_to(t, 'UTF8') v;
SELECT codec_decode('j', 0, length(v), v, 1000, '1'::jsonb) FROM unnest(ARRAY[' { "a" : [ 1e2 , -0.5E-1 ] } ', '[1,]', '{"a"}', '{"a":1,}', '[01]', '[1.]', '[.5]', '"\ud800"', '"\u0000"', '1e999999', '[1}', '[', ']', '', 'nul', '[1] 2', '+1', '{1:2}']::text[]) t, convert_to(t, 'UTF8') v;
SELECT codec_decode('j', 0, length(v), v, 1000, ''::text) IS NULL, codec_decode('b', 0, length(v), v, 1000, ''::text) IS NULL
FROM unnest(ARRAY['\x22c328' || '\x22'::bytea, '\x22eda08022', '\x22c022', '\x22f4908080' || '\x22'::bytea, '\x220022']::bytea[]) v;
SELECT codec_decode('j', 0, length(v), v, 1000000, '1'::jsonb) IS NULL AS refused FROM convert_to(repeat('[', 500000), 'UTF8') v;
-- MessagePack that others may have written
SELECT v, codec_decode('m', 0, length(v), v, 1000, '1'::jsonb) FROM unnest(ARRAY['\xca3f800000', '\xcb7ff8000000000000', '\xcfffffffffffffffff', '\xd9026162', '\x81a161c0', '\x8101c0', '\x82a16101a16102',
	'\xc40161', '\xc1', '\xddffffffff', '\xdfffffffff', '\xdbffffffffff', '\x91', '\x9192', '\xa2c328', '\xa100', '\xd401' || '\x37'::bytea, '\xd501' || '\x2e35'::bytea, '\xd40237', '\xc7ff01', '\x0101', '']::bytea[]) v;
SELECT codec_decode('m', 0, length(v), v, 1000000, '1'::jsonb) IS NULL AS refused FROM decode(repeat('91', 500000), 'hex') v;
-- what does not fit together
SELECT codec_decode('x', 0, 1, '1', 100, 1), codec_decode('j', 0, 2, '1', 100, 1), codec_decode('j', 1, 0, '1', 100, 1), codec_decode('j', 0, 3, '100', 2, 1), codec_decode('j', 0, 3, '100', 3, 1);
-- LZ4: what claims to be more or less than it is, or than is allowed, is refused
SELECT codec, flags, raw_len, length(payload) < 10000 AS shrunk, codec_decode(codec, flags, raw_len, payload, 1000002, ''::text) = repeat('x', 1000000) AS same,
	codec_decode(codec, flags, raw_len, payload, 1000001, ''::text) IS NULL AS above_limit, codec_decode(codec, flags, raw_len - 1, payload, 2000000, ''::text) IS NULL AS less,
	codec_decode(codec, flags, raw_len + 1, payload, 2000000, ''::text) IS NULL AS more, codec_decode(codec, flags, 1073741823, payload, 1073741823, ''::text) IS NULL AS much_more,
	codec_decode(codec, flags, raw_len, payload, 100, ''::text) IS NULL AS bomb, codec_decode(codec, 0, raw_len, payload, 2000000, ''::text) IS NULL AS unflagged,
	codec_decode(codec, flags, 0, payload, 2000000, ''::text) IS NULL AS nothing
FROM codec_encode(repeat('x', 1000000), 'json', 2048);
SELECT flags, raw_len = length(payload) AS raw FROM codec_encode(repeat('x', 100), 'json', 102) UNION ALL SELECT flags, raw_len = length(payload) FROM codec_encode(gen_random_uuid()::text, 'json', 10);
-- errors of a type's functions stay inside, but cancellations and the state of the session come through
CREATE FUNCTION not_yet(integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('app.how', true) = 'cancel' THEN RAISE EXCEPTION USING ERRCODE = '57014', MESSAGE = 'cancelled'; END IF;
	IF current_setting('app.how', true) = 'fail' THEN CREATE TABLE left_behind (); PERFORM 1 / 0; END IF;
	RETURN true;
END $$;
CREATE DOMAIN moody AS integer CHECK (not_yet(VALUE));
CREATE TABLE held (v moody);
INSERT INTO held VALUES (NULL);
SELECT codec_decode('j', 0, 1, '7', 100, v) FROM held;
BEGIN;
SET LOCAL app.how = 'fail';
SELECT codec_decode('j', 0, 1, '7', 100, v) FROM held;
SELECT to_regclass('left_behind'), current_setting('datestyle'), current_setting('timezone'), current_setting('intervalstyle');
SET LOCAL app.how = 'cancel';
SELECT codec_decode('j', 0, 1, '7', 100, v) FROM held;
ROLLBACK;
SHOW datestyle;
-- names of types
SELECT test_codec_type(t) AS names, test_codec_find_type(split_part(test_codec_type(t), ' ', 1), split_part(test_codec_type(t), ' ', 2)) = t AS found
FROM unnest('{int4,text,jsonb,int4[],mood,positive,floats}'::regtype[]) t;
SELECT regexp_replace(test_codec_type(t), '#[0-9a-f]{16}$', '#shape') AS names, test_codec_find_type(split_part(test_codec_type(t), ' ', 1), split_part(test_codec_type(t), ' ', 2)) = t AS found
FROM unnest('{pair,nest,pair[]}'::regtype[]) t;
SELECT test_codec_type('nest'::regtype) AS before \gset
ALTER TYPE pair ADD ATTRIBUTE d integer;
SELECT test_codec_find_type(split_part(:'before', ' ', 1), split_part(:'before', ' ', 2)) AS altered, test_codec_find_type('public', 'pair') AS shapeless;
ALTER TYPE pair DROP ATTRIBUTE d;
SELECT test_codec_find_type(split_part(:'before', ' ', 1), split_part(:'before', ' ', 2)) = 'nest'::regtype AS as_before;
CREATE TYPE pg_temp.fleeting AS ENUM ('a');
SELECT test_codec_type('fleeting'::regtype), test_codec_type('record'::regtype), test_codec_type(0), test_codec_type(4294967295);
SELECT test_codec_find_type(s, n) FROM (VALUES ('pg_catalog', 'none'), ('none', 'int4'), ('pg_temp', 'fleeting'), ('pg_catalog', 'record'), ('', 'int4'), ('pg_catalog', ''), ('pg_catalog', repeat('x', 1000)), (repeat('x', 1000), 'int4'), ('pg_catalog', 'int4#0123456789abcdef')) AS a (s, n);
-- hostile bytes
CREATE FUNCTION hostile(value anyelement, times integer) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(test_codec_hostile(value, codec, compress, times, seed), ' ') FROM (VALUES ('json', 0, 1), ('msgpack', 0, 2), ('binary', 0, 3), ('json', 1, 4), ('msgpack', 1, 5), ('binary', 1, 6)) AS a (codec, compress, seed);
$$;
SELECT hostile('{"a": [1, -1.5, "é\u0001x", null, true, 12345678901234567890.5], "bb": {"c": {}}, "cc": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}'::jsonb, 5000);
SELECT hostile('some text, é, and then some; xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'::text, 3000), hostile('\x000102030405'::bytea, 2000), hostile(12345678, 2000), hostile(true, 500);
SELECT hostile(1234.5678::numeric, 2000), hostile(now(), 2000), hostile('1 day'::interval, 1000), hostile('{"a": 1}'::json, 1000), hostile('10.0.0.1'::inet, 1000), hostile(gen_random_uuid(), 500);
SELECT hostile('{{1,2},{3,NULL}}'::int4[], 3000), hostile(ARRAY['a', NULL, 'ccc'], 3000), hostile('{[1,2),[5,)}'::int8multirange, 2000), hostile('''a'':1A b'::tsvector, 2000), hostile('[2024-01-01,)'::tstzrange, 1000);
SELECT hostile(ROW(1, 'x', 2)::pair, 3000), hostile(ROW(ROW(1, 'x', 2), ARRAY[ROW(2, 'y', 3), NULL]::pair[], 'sad')::nest, 2000), hostile('sad'::mood, 500), hostile('{"a": 1}'::documented, 1000), hostile('<a>x</a>'::xml, 1000);
-- a database with another encoding: in Redis it is UTF-8 all the same
CREATE DATABASE codec_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\c codec_latin1
SET client_min_messages = warning;
CREATE EXTENSION cachepg_test;
SET client_encoding = 'UTF8';
SELECT codec, test_codec_trip('é'::text, codec), test_codec_trip('{"é": "ü"}'::jsonb, codec), test_codec_trip(ARRAY['é', 'b'], codec) FROM unnest('{json,msgpack,binary}'::text[]) codec;
SELECT wanted, (codec_encode('é'::text, wanted, 0)).payload FROM unnest('{json,msgpack,binary}'::text[]) wanted;
SELECT codec_decode('j', 0, length(v), v, 100, ''::text), codec_decode('j', 0, length(v), v, 100, '1'::jsonb) FROM unnest(ARRAY['"\u00e9"', '"\u20ac"']) t, convert_to(t, 'UTF8') v;
SELECT codec_decode('b', 0, 3, '\xe282ac', 100, ''::text) IS NULL AS euro, codec_decode('m', 0, 4, '\xa3e282ac', 100, '1'::jsonb) IS NULL AS euro, codec_decode('b', 0, 1, '\xe9', 100, ''::text) IS NULL AS latin1;
CREATE TYPE "é" AS ENUM ('a');
SELECT test_codec_type('"é"'::regtype), test_codec_find_type('public', 'é');
\c regression
CREATE DATABASE codec_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
\c codec_ascii
SET client_min_messages = warning;
CREATE EXTENSION cachepg_test;
SELECT codec, test_codec_trip('plain'::text, codec), test_codec_trip(E'\xe9'::text, codec) AS no_utf8, test_codec_trip(E'\xc3\xa9'::text, codec) AS utf8 FROM unnest('{json,msgpack,binary}'::text[]) codec;
\c regression
DROP DATABASE codec_latin1;
DROP DATABASE codec_ascii;
