--
-- Identity: nobody reads what was computed for someone else.
--
SET client_min_messages = warning;
CREATE ROLE regress_cpg_a;
CREATE ROLE regress_cpg_b;
CREATE ROLE regress_cpg_owner;
RESET client_min_messages;
GRANT CREATE ON SCHEMA public TO regress_cpg_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;

-- rows of two roles and two tenants
CREATE TABLE docs (id int PRIMARY KEY, who name, login name, tenant text);
INSERT INTO docs SELECT row_number() OVER (), w, l, t
FROM unnest(ARRAY['regress_cpg_a', 'regress_cpg_b']) w, unnest(ARRAY['regress_cpg_a', 'regress_cpg_b', session_user]) l, unnest(ARRAY['x', 'y']) t;
ALTER TABLE docs OWNER TO regress_cpg_owner;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON docs TO regress_cpg_a, regress_cpg_b;
-- what PL/pgSQL evaluates by itself no walk over a plan can see
CREATE FUNCTION tenant() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('app.tenant', true); END $$;
CREATE POLICY mine ON docs USING (who = current_user AND login = session_user AND tenant = tenant());
CREATE FUNCTION definer_docs() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS
	$$ SELECT string_agg(id::text, ',' ORDER BY id) FROM docs $$;
ALTER FUNCTION definer_docs OWNER TO regress_cpg_a;

-- The ways to ask, each with the way past the cache.
CREATE TABLE ways (way text, cached text, direct text);
INSERT INTO ways VALUES
	('table', $$SELECT cache_fetch('NS:docs', 'SELECT string_agg(id::text, '','' ORDER BY id) FROM docs')#>>'{}'$$,
			  $$SELECT string_agg(id::text, ',' ORDER BY id) FROM docs$$),
	('arguments', $$SELECT cache_fetch('NS:docs', 'SELECT string_agg(id::text, '','' ORDER BY id) FROM docs WHERE tenant = $1', ROW('x'))#>>'{}'$$,
			  $$SELECT string_agg(id::text, ',' ORDER BY id) FROM docs WHERE tenant = 'x'$$),
	('definer', $$SELECT cache_fetch('NS:docs', 'SELECT definer_docs()')#>>'{}'$$, $$SELECT definer_docs()$$),
	('nested', $$SELECT cache_fetch('NS:outer', $q$SELECT cache_fetch('NS:docs', 'SELECT string_agg(id::text, '','' ORDER BY id) FROM docs')$q$)#>>'{}'$$,
			  $$SELECT string_agg(id::text, ',' ORDER BY id) FROM docs$$),
	('inside', $$SELECT cache_fetch('NS:inside', $q$SELECT fetched_by_a()$q$)#>>'{}'$$, $$SELECT definer_docs()$$);
CREATE FUNCTION fetched_by_a() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
	$$ BEGIN RETURN cache_fetch('i:by_a', 'SELECT string_agg(id::text, '','' ORDER BY id) FROM docs')#>>'{}'; END $$;
ALTER FUNCTION fetched_by_a OWNER TO regress_cpg_a;
SELECT cache_namespace_create('i');
SELECT cache_namespace_grant('i', 'public', p) FROM unnest(ARRAY['read', 'write']) p;

-- A statement as a role, that logged in as another, for a tenant, as pools do.
CREATE FUNCTION as_one(login text, role text, tenant text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result	text;
BEGIN
	PERFORM set_config('session_authorization', login, true), set_config('role', role, true), set_config('app.tenant', tenant, true);
	BEGIN
		EXECUTE statement INTO result;
	EXCEPTION WHEN insufficient_privilege THEN
		result := SQLERRM;
	END;
	RESET ROLE;
	RESET SESSION AUTHORIZATION;
	RETURN result;
END $$;
-- All ways by all of them, several times in turn; what differs from the way past the cache, and the hits.
CREATE FUNCTION matrix(ns text, OUT asked bigint, OUT wrong bigint, OUT hits bigint, OUT gotten_by_others bigint) LANGUAGE plpgsql AS $$
DECLARE
	before	bigint := (SELECT n.hits FROM cache_namespaces n WHERE n.name = ns);
	truth	text;
	got		text;
	c		record;
BEGIN
	SELECT 0, 0, 0 INTO asked, wrong, gotten_by_others;
	FOR c IN
		SELECT l.l, r.r, t.t, w.cached, w.direct, w.way
		FROM generate_series(1, 3) turn, unnest(ARRAY['regress_cpg_a', 'regress_cpg_b', session_user]) l,
			 unnest(ARRAY['regress_cpg_a', 'regress_cpg_b']) r, unnest(ARRAY['x', 'y', '']) t, ways w
		WHERE l.l IN (r.r, session_user)
		ORDER BY turn, w.way, md5(turn || l.l || r.r || t.t)
	LOOP
		truth := as_one(c.l, c.r, c.t, c.direct);
		got := as_one(c.l, c.r, c.t, replace(c.cached, 'NS', ns));
		asked := asked + 1;
		wrong := wrong + (got IS DISTINCT FROM truth)::int;
		-- cache_get shows at most what this one could have loaded
		IF c.way = 'table' THEN
			got := as_one(c.l, c.r, c.t, replace($q$SELECT cache_get('NS:docs')#>>'{}'$q$, 'NS', ns));
			gotten_by_others := gotten_by_others + (got IS NOT NULL AND got IS DISTINCT FROM truth)::int;
		END IF;
	END LOOP;
	-- counters of the session are summed at its end
	hits := (SELECT n.hits FROM cache_namespaces n WHERE n.name = ns) - before;
END $$;

--
-- The matrix, by policy of the namespace
--
SELECT cache_namespace_create('role'), cache_namespace_create('vary', vary_by => '{app.tenant}'), cache_namespace_create('shared', scope => 'shared'),
	   cache_namespace_create('adhoc', adhoc => 'shared'), cache_namespace_create('loose', vary_by => '{}');
SELECT cache_namespace_grant(n, 'public', p) FROM unnest(ARRAY['role', 'vary', 'shared', 'adhoc', 'loose']) n, unnest(ARRAY['read', 'write']) p;
SELECT n, asked, wrong, hits > 0 AS hits, gotten_by_others FROM unnest(ARRAY['role', 'vary', 'shared', 'adhoc']) n, matrix(n);
-- again, with what is cached by now
SELECT n, asked, wrong, gotten_by_others FROM unnest(ARRAY['role', 'vary', 'shared', 'adhoc']) n, matrix(n);
-- the control: if the tenant did not count this would be seen
SELECT wrong > 0 AS wrong, hits > 0 AS hits FROM matrix('loose');
-- a setting that the query names is seen, whatever vary_by says
SELECT as_one(session_user, 'regress_cpg_a', t, $$SELECT cache_fetch('loose:named', 'SELECT current_setting(''app.tenant'')')$$) FROM unnest(ARRAY['x', 'y', 'x']) t;
SELECT reason, count > 0 AS counted FROM cache_misses_by_reason WHERE namespace = 'loose' AND reason = 'session_input';

-- several settings; only those with a value count, in whatever order they came
CREATE PROCEDURE count_loads(statement text) LANGUAGE plpgsql AS $$
DECLARE
	before	bigint := (SELECT sum(loads) FROM cache_namespaces);
BEGIN
	EXECUTE statement;
	COMMIT;
	RAISE NOTICE 'loads: %', (SELECT sum(loads) FROM cache_namespaces) - before;
END $$;
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
SET app.one = '1';
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
SET app.two = '2';
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
RESET app.two;
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
SET app.one = '2';
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
RESET app.one;
CALL count_loads($$SELECT cache_fetch('i:s', 'SELECT 1')$$);
BEGIN;
SET LOCAL app.one = '1';
SELECT cache_fetch('i:s', 'SELECT 1'), (SELECT state FROM cache_entry('i:s'));
ROLLBACK;
-- one that leaves and comes back behind a new one hides none, whatever the order
BEGIN;
SET LOCAL app.usr = 'u';
SELECT cache_fetch('i:whoami', 'SELECT 1');
COMMIT;
BEGIN;
SET LOCAL app.tenant = 't1';
SET LOCAL app.usr = 'u';
SELECT cache_fetch('i:tenant', 'SELECT current_setting(''app.tenant'')');
COMMIT;
BEGIN;
SET LOCAL app.tenant = 't2';
SET LOCAL app.usr = 'u';
SELECT cache_fetch('i:tenant', 'SELECT current_setting(''app.tenant'')'), cache_get('i:tenant');
COMMIT;
SET app.usr = 'u';
SELECT cache_fetch('i:whoami', 'SELECT 1');
SET app.tenant = 't3';
RESET app.usr;
SET app.usr = 'u';
SELECT cache_fetch('i:tenant', 'SELECT current_setting(''app.tenant'')'), cache_get('i:tenant');
RESET app.usr;
RESET app.tenant;
-- with vary_by only the named ones
SET app.one = '1';
CALL count_loads($$SELECT cache_fetch('vary:s', 'SELECT 1')$$);
SET app.one = '2';
CALL count_loads($$SELECT cache_fetch('vary:s', 'SELECT 1')$$);
SET app.tenant = 'x';
CALL count_loads($$SELECT cache_fetch('vary:s', 'SELECT 1')$$);
RESET app.one;
RESET app.tenant;

--
-- Settings of PostgreSQL: each gets what it would compute
--
CREATE TABLE formats (id int, query text, setting text, value text);
INSERT INTO formats VALUES
	(1, $$SELECT timestamptz '2026-03-01 00:00+00'::text$$, 'timezone', 'Asia/Tokyo'), (2, $$SELECT date '2026-03-01'::text$$, 'datestyle', 'German'),
	(3, $$SELECT interval '1 day 2 h'::text$$, 'intervalstyle', 'iso_8601'), (4, $$SELECT '\x00ff'::bytea::text$$, 'bytea_output', 'escape'),
	(5, $$SELECT (0.1::float8 + 0.2::float8)::text$$, 'extra_float_digits', '0'), (6, $$SELECT '{NULL}'::text[] = ARRAY['NULL']$$, 'array_nulls', 'off'),
	(7, $$SELECT count(*) FROM docs WHERE (id + NULL) = NULL$$, 'transform_null_equals', 'on'), (8, $$SELECT 'a\\b'$$, 'standard_conforming_strings', 'off'),
	(9, $$SELECT to_tsvector('the cats')::text$$, 'default_text_search_config', 'english'), (10, $$SELECT xmlelement(name x, '\x00'::bytea)::text$$, 'xmlbinary', 'hex'),
	(11, $$SELECT string_agg(name, ',') FROM unnest(current_schemas(false)) name$$, 'search_path', 'pg_catalog'), (12, $$SELECT (SELECT count(*) FROM docs) || tenant()$$, 'app.tenant', 'x'),
	(13, $$SELECT quote_ident('plain')$$, 'quote_all_identifiers', 'on'), (14, $$SELECT ('2020-01-01 12:00 ' || 'IST')::timestamptz = '2020-01-01 12:00+02'$$, 'timezone_abbreviations', 'India');
CREATE FUNCTION formats_differ() RETURNS TABLE (query int, differs boolean, right_under_both boolean) LANGUAGE plpgsql AS $$
DECLARE
	f		formats;
	plain	jsonb[];
	cached	jsonb[];
	j		jsonb;
	old		text;
BEGIN
	FOR f IN SELECT * FROM formats ORDER BY id LOOP
		old := current_setting(f.setting, true);
		plain := '{}';
		cached := '{}';
		FOR i IN 0..3 LOOP
			PERFORM set_config(f.setting, CASE WHEN i % 2 = 0 THEN coalesce(old, '') ELSE f.value END, true);
			EXECUTE 'SELECT to_jsonb((' || f.query || '))' INTO j;
			plain := plain || coalesce(j, 'null');
			cached := cached || coalesce(public.cache_fetch('role:format', f.query), 'null');
		END LOOP;
		PERFORM set_config(f.setting, coalesce(old, ''), true);
		query := f.id;
		differs := plain[1] <> plain[2];
		right_under_both := plain = cached;
		RETURN NEXT;
	END LOOP;
END $$;
SET escape_string_warning = off;
SET xmlbinary = base64;
SET default_text_search_config = simple;
SELECT * FROM formats_differ();
RESET escape_string_warning;
RESET xmlbinary;
RESET default_text_search_config;

--
-- Names: a hostile search_path, and temporary tables that hide others
--
CREATE SCHEMA evil;
CREATE TABLE public.price (v int);
INSERT INTO public.price VALUES (10);
CREATE TABLE evil.price (v int);
INSERT INTO evil.price VALUES (666);
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'captured' $$;
CREATE FUNCTION evil.never(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.never);
SELECT cache_fetch('role:path', 'SELECT v FROM price'), cache_fetch('role:path', 'SELECT lower(''ABC'')'), cache_fetch('role:path', 'SELECT 1 = 2');
SET search_path = evil, pg_catalog, public;
SELECT cache_fetch('role:path', 'SELECT v FROM price'), cache_fetch('role:path', 'SELECT lower(''ABC'')'), cache_fetch('role:path', 'SELECT 1 = 2');
RESET search_path;
SELECT cache_fetch('role:path', 'SELECT v FROM price'), cache_fetch('role:path', 'SELECT lower(''ABC'')'), cache_fetch('role:path', 'SELECT 1 = 2');
CREATE TEMP TABLE other (v int);
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS hit;
SELECT reason FROM cache_misses_by_reason WHERE namespace = 'role' AND reason LIKE 'temp%';
CREATE TEMP TABLE price (v int);
INSERT INTO pg_temp.price VALUES (-1);
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS hidden;
SELECT cache_fetch('role:path', 'SELECT v FROM public.price') AS qualified;
SELECT reason, count > 0 AS counted FROM cache_misses_by_reason WHERE namespace = 'role' AND reason LIKE 'temp%' ORDER BY 1;
-- gone, rolled back, back
BEGIN;
DROP TABLE pg_temp.price;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS permanent;
ROLLBACK;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS hidden;
ALTER TABLE pg_temp.price RENAME TO renamed;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS permanent;
ALTER TABLE renamed RENAME TO price;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS hidden;
DROP TABLE pg_temp.price;
CREATE TEMP VIEW price AS SELECT -2 AS v;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS hidden;
DROP VIEW pg_temp.price;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS permanent, (SELECT count(*) FROM cache_misses_by_reason WHERE namespace = 'role' AND reason = 'temp_table') AS counted;
BEGIN;
CREATE TEMP TABLE price (v int) ON COMMIT DROP;
INSERT INTO pg_temp.price VALUES (-3);
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS hidden;
COMMIT;
SELECT cache_fetch('role:path', 'SELECT v FROM price') AS permanent;
-- one that comes to hide by what others make
CREATE TABLE public.other (v int);
INSERT INTO public.other VALUES (10);
SELECT cache_fetch('role:path', 'SELECT count(*) FROM other') AS hidden;
SELECT state FROM cache_entry('role:path');
DROP TABLE public.other, pg_temp.other;

--
-- Shared results of queries
--
SELECT cache_namespace_alter('adhoc', scope => 'shared');
CREATE TABLE news (id int);
INSERT INTO news VALUES (1), (2);
GRANT SELECT ON news TO regress_cpg_a;
SELECT as_one('regress_cpg_a', 'regress_cpg_a', '', $$SELECT cache_fetch('adhoc:news', 'SELECT count(*) FROM news')$$);
-- who cannot read the table reads what the owner of the namespace shares
SELECT as_one('regress_cpg_b', 'regress_cpg_b', '', $$SELECT cache_fetch('adhoc:news', 'SELECT count(*) FROM news')$$),
	   as_one('regress_cpg_b', 'regress_cpg_b', '', $$SELECT cache_fetch('shared:news', 'SELECT count(*) FROM news')$$);
SELECT role, count(*) FROM cache_entries WHERE key = 'adhoc:news' GROUP BY 1;
-- but not for another tenant
SELECT as_one('regress_cpg_b', 'regress_cpg_b', 'x', $$SELECT cache_fetch('adhoc:news', 'SELECT count(*) FROM news')$$);
-- filtered results are refused, not cached
\set VERBOSITY default
SET ROLE regress_cpg_a;
SELECT cache_fetch('adhoc:docs', 'SELECT count(*) FROM docs');
SELECT cache_fetch('shared:docs', 'SELECT count(*) FROM docs');
SHOW row_security;
RESET ROLE;
-- also where the caller's role or login is seen otherwise
SELECT as_one(l, l, '', $$SELECT cache_fetch('adhoc:who', 'SELECT current_user')$$), as_one(l, l, '', $$SELECT cache_fetch('adhoc:who', 'SELECT session_user')$$),
	   as_one(l, l, '', $$SELECT cache_fetch('adhoc:who', 'SELECT has_table_privilege(''news'', ''select'')')$$)
FROM unnest(ARRAY['regress_cpg_a', 'regress_cpg_b']) l;
SELECT count(*) FROM cache_entries WHERE key = 'adhoc:who';
-- a nested value of one role is not for all, a hit neither
SELECT as_one(l, l, '', $$SELECT cache_fetch('adhoc:nested', $q$SELECT cache_fetch('role:who', 'SELECT current_user')$q$)$$) FROM unnest(ARRAY['regress_cpg_a', 'regress_cpg_a', 'regress_cpg_b']) l;
-- only the owner shares
SELECT cache_namespace_grant('adhoc', 'regress_cpg_a', 'admin');
GRANT EXECUTE ON FUNCTION cache_namespace_alter TO regress_cpg_a;
SET ROLE regress_cpg_a;
SELECT cache_namespace_alter('adhoc', adhoc => 'shared');
SELECT cache_namespace_alter('adhoc', vary_by => '{}');
SELECT cache_namespace_alter('adhoc', loader => 'tenant');
SELECT cache_namespace_alter('adhoc', reset => '{adhoc,vary_by,loader}');
RESET ROLE;
SELECT name, scope, adhoc, vary_by, loader FROM cache_namespaces WHERE name IN ('adhoc', 'vary', 'loose') ORDER BY name;
REVOKE EXECUTE ON FUNCTION cache_namespace_alter FROM regress_cpg_a;
SELECT cache_namespace_alter('adhoc', adhoc => 'all');
SELECT cache_namespace_alter('adhoc', vary_by => '{work_mem,no_such}');
SELECT cache_namespace_alter('adhoc', vary_by => ARRAY[NULL]);
SELECT cache_namespace_alter('adhoc', vary_by => array_agg('a.b' || i)) FROM generate_series(1, 17) i;

--
-- What tells sessions apart is not kept; clocks and random numbers are, by TTL
--
CREATE FUNCTION session_stuff() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN pg_backend_pid() - pg_backend_pid(); END $$;
CREATE TABLE inputs (id serial, query text);
INSERT INTO inputs (query) VALUES ('SELECT pg_backend_pid()'), ('SELECT inet_client_addr()'), ('SELECT session_stuff()'), ('SELECT current_setting(''work_mem'')'),
	('SELECT current_setting(''server_version_num'')'), ('SELECT set_config(''app.x'', ''1'', true)'), ('SELECT count(*) FROM pg_settings WHERE name = ''x'''),
	('SELECT session_user'), ('SELECT current_user'), ('SELECT current_schema'), ('SELECT current_catalog'), ('SELECT now()'), ('SELECT current_date'),
	('SELECT random()'), ('SELECT $1::timestamptz'), ('SELECT 1'), ('SELECT 1 LIMIT (SELECT pg_backend_pid())'),
	('SELECT (SELECT count(*) FROM news WHERE id = length(session_user))'), ('SELECT current_timestamp FROM generate_series(1, 1)'), ('SELECT pg_trigger_depth()');
DO $$
DECLARE
	i	inputs;
BEGIN
	FOR i IN SELECT * FROM inputs ORDER BY id LOOP
		PERFORM cache_fetch('role:in' || i.id, i.query, CASE WHEN i.query ~ '\$1' THEN ARRAY['2026-01-01'] ELSE '{}' END);
		COMMIT;
	END LOOP;
END $$;
SELECT query, state, depends_on FROM inputs, cache_entry('role:in' || id) ORDER BY id;
-- PL/pgSQL does not report again what it evaluated before in a transaction
BEGIN;
SELECT session_stuff();
SELECT cache_fetch('role:again', 'SELECT session_stuff()');
SELECT state FROM cache_entry('role:again');
COMMIT;
-- the role that is set belongs to the identity, but not in a function of somebody else, where it is the caller's
CREATE FUNCTION set_role(setting text) RETURNS text LANGUAGE sql SECURITY DEFINER AS
	$$ SELECT cache_fetch('role:set:' || setting, 'SELECT current_setting(''' || setting || ''')')#>>'{}' $$;
CREATE FUNCTION set_role_within() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT cache_fetch('role:within', 'SELECT read_role()')#>>'{}' $$;
CREATE FUNCTION read_role() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT current_setting('role') $$;
ALTER FUNCTION set_role OWNER TO regress_cpg_owner;
ALTER FUNCTION set_role_within OWNER TO regress_cpg_owner;
ALTER FUNCTION read_role OWNER TO regress_cpg_a;
SELECT r, as_one(session_user, r, '', $$SELECT cache_fetch('role:set', 'SELECT current_setting(''role'')')$$) AS own, as_one(session_user, r, '', $$SELECT set_role('role')$$),
	as_one(session_user, r, '', $$SELECT set_role_within()$$) FROM unnest(ARRAY['regress_cpg_a', 'regress_cpg_b', 'regress_cpg_a']) r;
SELECT r, as_one(session_user, r, '', $$SELECT set_role('is_superuser')$$) = as_one(session_user, r, '', $$SELECT current_setting('is_superuser')$$) AS right
FROM unnest(ARRAY['regress_cpg_a', session_user, 'regress_cpg_a']) r;
SELECT key, role FROM cache_entries WHERE key ~ '^role:(set|within)' ORDER BY key, role::text;

--
-- Key poisoning: one's query is not another's
--
SELECT cache_namespace_alter('adhoc', adhoc => 'shared');
SELECT as_one('regress_cpg_b', 'regress_cpg_b', '', $$SELECT cache_fetch('adhoc:user:1', 'SELECT ''evil''')$$),
	   as_one('regress_cpg_a', 'regress_cpg_a', '', $$SELECT cache_fetch('adhoc:user:1', 'SELECT ''good''')$$);
SELECT cache_namespace_revoke('adhoc', 'public', 'write');
SELECT as_one('regress_cpg_b', 'regress_cpg_b', '', $$SELECT cache_fetch('adhoc:user:2', 'SELECT ''evil''')$$),
	   as_one('regress_cpg_b', 'regress_cpg_b', '', $$SELECT cache_exists('adhoc:user:2')$$);
-- keys are what they are: no two of these are the same
CREATE TABLE keys (n serial, key text);
INSERT INTO keys (key) VALUES ('role:b:c'), ('role:b'), ('role::b'), ('role'), ('role:'), ('roleb:c'), ('role:é'), (E'role:e\u0301'), (E'role:a\r\nDEL x'), ('role:NULL'), ('role:1'), ('role:01'), ('Role:b:c'), (' role:b:c');
SELECT count(cache_set(key, n)) FROM keys;
SELECT count(*) FROM keys WHERE cache_get(key, -1) = n;
-- so are arguments
SELECT count(DISTINCT f) FROM (VALUES (cache_fetch('role:args', 'SELECT $1 || ''|'' || $2', ARRAY['a', 'b:c'])), (cache_fetch('role:args', 'SELECT $1 || ''|'' || $2', ARRAY['a:b', 'c'])),
	(cache_fetch('role:args', 'SELECT coalesce($1, ''null'') || ''|'' || $2', ARRAY[NULL, 'c'])), (cache_fetch('role:args', 'SELECT coalesce($1, ''null'') || ''|'' || $2', ARRAY['', 'c'])),
	(cache_fetch('role:args', 'SELECT coalesce($1, ''null'') || ''|'' || $2', ARRAY['NULL', 'c']))) v (f);

DELETE FROM keys;
SELECT cache_namespace_drop(n) FROM unnest(ARRAY['i', 'role', 'vary', 'shared', 'adhoc', 'loose']) n;
DROP TABLE docs, ways, formats, inputs, keys, news, public.price;
DROP SCHEMA evil CASCADE;
DROP FUNCTION tenant, definer_docs, fetched_by_a, as_one, matrix, formats_differ, session_stuff, set_role, set_role_within, read_role;
DROP PROCEDURE count_loads;
REVOKE ALL ON SCHEMA public FROM regress_cpg_owner;
DROP ROLE regress_cpg_a, regress_cpg_b, regress_cpg_owner;
SELECT * FROM cachepg_check();
