--
-- A value whose type has changed since it was stored is a miss, with the
-- reason type_changed, never a crash or a wrong row.
--

CREATE TYPE inner_t AS (i int, t text);
CREATE TYPE outer_t AS (n inner_t, m text);
CREATE DOMAIN inner_d AS inner_t;
CREATE TYPE inner_r AS RANGE (subtype = inner_t);
CREATE TABLE tab (id int, a text, n inner_t, d inner_d);

-- makes rows of the types as they are at the moment
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	i1	jsonb := '{"i": 1, "t": "one"}';
	i2	jsonb := '{"i": 2, "t": "two"}';
BEGIN
	EXECUTE $x$
		SELECT cache_set('c:inner', vi), cache_set('c:outer', vo), cache_set('c:array', ARRAY[vi, NULL]), cache_set('c:array2', ARRAY[vo]),
			   cache_set('c:domain', vd), cache_set('c:range', inner_r(vi, vj)), cache_set('c:multi', inner_r_multirange(inner_r(vi, vj))),
			   cache_set('c:tab', vt), cache_set('c:null', NULL::inner_t), cache_set('c:int', 1)
		FROM (SELECT jsonb_populate_record(NULL::inner_t, $1) AS vi, jsonb_populate_record(NULL::inner_t, $2) AS vj,
					 jsonb_populate_record(NULL::outer_t, jsonb_build_object('m', 'm', 'n', $1)) AS vo,
					 jsonb_populate_record(NULL::inner_d, $1) AS vd,
					 jsonb_populate_record(NULL::tab, jsonb_build_object('id', 1, 'a', 'a', 'n', $1, 'd', $2)) AS vt) v $x$
		USING i1, i2;
END $$;
-- what is readable, through each function that reads
CREATE FUNCTION show() RETURNS TABLE (key text, value jsonb, "exists" boolean, has_ttl boolean, state text, why text) LANGUAGE sql AS $$
	SELECT 'c:' || k, cache_get('c:' || k), cache_exists('c:' || k), cache_ttl('c:' || k) IS NOT NULL, e.state, e.why
	FROM unnest(ARRAY['inner', 'outer', 'array', 'array2', 'domain', 'range', 'multi', 'tab', 'null', 'int']) k, cache_entry('c:' || k) e;
$$;
CREATE FUNCTION changed() RETURNS bigint LANGUAGE sql AS $$
	SELECT coalesce((SELECT count FROM cache_misses_by_reason WHERE namespace = 'default' AND reason = 'type_changed'), 0);
$$;

SELECT fill();
SELECT * FROM show();
SELECT changed() AS before \gset

-- an attribute added, seen through everything that contains the type
ALTER TYPE inner_t ADD ATTRIBUTE x int CASCADE;
SELECT * FROM show();
SELECT cache_get('c:inner', NULL::inner_t), cache_get('c:outer', NULL::outer_t), cache_get('c:array', '{}'::inner_t[]), cache_get('c:tab', NULL::tab);
SELECT count(*) FROM cache_get_many(ARRAY['c:inner', 'c:outer', 'c:array', 'c:tab']);
SELECT changed() > :before AS counted;
-- to add and replace it is absent, too
SELECT cache_replace('c:inner', 1), cache_add('c:inner', ROW(1, 'one', 1)::inner_t), cache_get('c:inner'), cache_add('c:inner', 2);
SELECT cache_delete('c:outer'), cache_exists('c:outer');

-- renamed, retyped, dropped
SELECT fill();
ALTER TYPE inner_t RENAME ATTRIBUTE x TO y CASCADE;
SELECT key FROM show() WHERE value IS NOT NULL;
SELECT fill();
ALTER TYPE outer_t ALTER ATTRIBUTE m TYPE varchar(10);
SELECT key FROM show() WHERE value IS NOT NULL;
SELECT fill();
ALTER TYPE outer_t ALTER ATTRIBUTE m TYPE varchar(20);
SELECT key FROM show() WHERE value IS NOT NULL;
SELECT fill();
ALTER TYPE inner_t DROP ATTRIBUTE y CASCADE;
SELECT key FROM show() WHERE value IS NOT NULL;

-- tables: columns added (with and without a default), renamed, dropped and added again
SELECT fill();
ALTER TABLE tab ADD c int DEFAULT 7;
SELECT cache_get('c:tab', NULL::tab), cache_get('c:tab'), (SELECT why FROM cache_entry('c:tab'));
SELECT cache_set('c:tab', ROW(1, 'a', NULL, NULL, 8)::tab);
SELECT cache_get('c:tab', NULL::tab);
ALTER TABLE tab RENAME c TO cc;
SELECT cache_get('c:tab', NULL::tab);
SELECT cache_set('c:tab', ROW(1, 'a', NULL, NULL, 8)::tab);
ALTER TABLE tab DROP a;
SELECT cache_get('c:tab', NULL::tab);
SELECT cache_set('c:tab', ROW(1, NULL, NULL, 8)::tab);
SELECT cache_get('c:tab', NULL::tab), cache_get('c:tab');
ALTER TABLE tab ADD a text;
SELECT cache_get('c:tab', NULL::tab);
SELECT cache_set('c:tab', ROW(1, NULL, NULL, 8, 'again')::tab);
SELECT cache_get('c:tab', NULL::tab);
-- back in the same transaction, or rolled back: the value is what it was
BEGIN;
ALTER TABLE tab ADD b text;
SELECT cache_get('c:tab', NULL::tab);
ROLLBACK;
SELECT cache_get('c:tab', NULL::tab);
-- the type name says nothing: a table of the same name and columns is another type
DROP TABLE tab;
CREATE TABLE tab (id int, a text, n inner_t, d inner_d);
SELECT fill();
SELECT cache_get('c:tab', NULL::tab);
DROP TABLE tab;
CREATE TABLE tab (id int, a text, n inner_t, d inner_d);
SELECT cache_get('c:tab', NULL::tab), cache_get('c:tab');
-- rewriting a table does not change its type
SELECT cache_set('c:tab', ROW(1, 'a', NULL, NULL)::tab);
VACUUM FULL tab;
TRUNCATE tab;
SELECT cache_get('c:tab', NULL::tab);

-- enums: values added and renamed are the same type, the label is the current one
CREATE TYPE color AS ENUM ('red', 'green');
SELECT cache_set('c:enum', 'red'::color), cache_set('c:enums', '{red,green}'::color[]);
ALTER TYPE color ADD VALUE 'blue' BEFORE 'red';
ALTER TYPE color RENAME VALUE 'red' TO 'crimson';
SELECT cache_get('c:enum', NULL::color), cache_get('c:enums'), cache_get('c:enum', 'blue'::color) > 'blue'::color;
DROP TYPE color;
CREATE TYPE color AS ENUM ('red', 'green');
SELECT cache_get('c:enum', NULL::color), cache_get('c:enums'), (SELECT why FROM cache_entry('c:enum'));

-- domains: dropped and made again
CREATE DOMAIN dom AS int;
SELECT cache_set('c:dom', 1::dom), cache_set('c:doms', ARRAY[1, 2]::dom[]);
DROP DOMAIN dom;
SELECT cache_get('c:dom'), cache_get('c:doms'), cache_get('c:dom', 0), cache_get('c:doms', '{}'::int[]);
CREATE DOMAIN dom AS int;
SELECT cache_get('c:dom', 0::dom);

-- in a function whose plan is kept, and in another one's type check
CREATE FUNCTION reader() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN cache_get('c:tab', NULL::tab)::text;
END $$;
SELECT reader();
ALTER TABLE tab ADD z int;
SELECT reader();
SELECT cache_set('c:tab', ROW(1, 'a', NULL, NULL, 26)::tab);
SELECT reader();

-- names of types in another schema
CREATE SCHEMA other;
ALTER TABLE tab SET SCHEMA other;
SELECT cache_get('c:tab', NULL::other.tab);
ALTER TABLE other.tab RENAME TO tab2;
SELECT cache_get('c:tab', NULL::other.tab2);

DROP SCHEMA other CASCADE;
SELECT type::text ~ '^\d+$' AS number, state, why FROM cache_entry('c:tab');
SELECT type::text ~ '^\d+$' AS number, state FROM cache_entries WHERE key = 'c:tab';
DROP FUNCTION fill, show, changed, reader;
DROP DOMAIN dom;
DROP TYPE color, outer_t, inner_t CASCADE;
SELECT cache_get('c:inner'), cache_get('c:array'), cache_get('c:domain'), cache_get('c:range'), cache_get('c:multi');
SELECT * FROM cachepg_check();
