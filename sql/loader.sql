--
-- Registered loaders: cache_fetch(key) runs the function of the namespace as its owner.
--
SET client_min_messages = warning;
CREATE ROLE regress_cpg_owner;
CREATE ROLE regress_cpg_reader;
CREATE ROLE regress_cpg_other;
RESET client_min_messages;
CREATE SCHEMA app AUTHORIZATION regress_cpg_owner;
GRANT EXECUTE ON FUNCTION cache_namespace_create, cache_namespace_alter, cache_namespace_grant TO regress_cpg_owner, regress_cpg_other;
SET ROLE regress_cpg_owner;
CREATE TABLE app.users (id int PRIMARY KEY, name text, born timestamptz);
INSERT INTO app.users VALUES (1, 'Ann', '2000-01-02 03:04+00'), (2, 'Bob', NULL);
CREATE FUNCTION app.load_user(key text) RETURNS app.users LANGUAGE sql AS
	$$ SELECT u FROM app.users u WHERE id = split_part(key, ':', 2)::int $$;
SELECT cache_namespace_create('users', scope => 'shared', loader => 'app.load_user');
SELECT cache_namespace_grant('users', 'regress_cpg_reader', 'read');
SELECT name, loader FROM cache_namespaces WHERE name = 'users';

-- who may only read gets, and keeps, what the owner's function loads; he may use neither schema, table nor function
RESET ROLE;
SET ROLE regress_cpg_reader;
SELECT cache_fetch('users:1');
SELECT cache_fetch('users:1'), cache_get('users:1') IS NOT NULL AS gotten, (SELECT state FROM cache_entry('users:1'));
SELECT cache_fetch('users:3') IS NULL AS nobody, cache_exists('users:3');
SELECT app.load_user('users:1');
RESET ROLE;
SET ROLE regress_cpg_other;
SELECT cache_fetch('users:1');
SELECT cache_fetch('users:absent');
RESET ROLE;
SELECT key, role, state FROM cache_entries WHERE namespace = 'users' ORDER BY key;
SELECT depends_on FROM cache_entry('users:1');
-- it is never older than its tables, nor than its function
UPDATE app.users SET name = 'Anna' WHERE id = 1;
SELECT cache_fetch('users:1');
CREATE OR REPLACE FUNCTION app.load_user(key text) RETURNS app.users LANGUAGE sql AS
	$$ SELECT id, upper(name), born FROM app.users u WHERE id = split_part(key, ':', 2)::int $$;
SELECT cache_fetch('users:1');
-- keys and functions that do not fit
SELECT cache_fetch('users:x');
SELECT cache_fetch('plain');
SELECT cache_fetch(NULL);
SELECT cache_fetch('');

--
-- What it sees: the owner, pinned settings, and of the application's those in vary_by
--
SET ROLE regress_cpg_owner;
CREATE FUNCTION app.sees(key text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN jsonb_build_object('user', current_user, 'tenant', current_setting('app.tenant', true), 'other', current_setting('app.other', true),
		'path', current_setting('search_path'), 'zone', current_setting('timezone'), 'style', current_setting('datestyle'), 'bytea', current_setting('bytea_output'),
		'float', current_setting('extra_float_digits'), 'interval', current_setting('intervalstyle'), 'rls', current_setting('row_security'), 'strings', current_setting('standard_conforming_strings'));
END $$;
SELECT cache_namespace_create('sees', scope => 'shared', loader => 'app.sees(text)', vary_by => '{app.tenant}');
SELECT cache_namespace_grant('sees', 'public', 'read');
RESET ROLE;
SET ROLE regress_cpg_reader;
SET app.tenant = 'x';
SET app.other = 'o';
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SET intervalstyle = 'iso_8601';
SET search_path = app, public;
SELECT jsonb_pretty(cache_fetch('sees:1'));
-- all of it is there again
SELECT current_user, current_setting('app.tenant') AS tenant, current_setting('app.other') AS other, current_setting('timezone') AS zone, current_setting('datestyle') AS style,
	   current_setting('search_path') AS path, current_setting('bytea_output') AS bytea, current_setting('row_security') AS rls;
-- another tenant, no tenant, and back
SET app.tenant = 'y';
SELECT cache_fetch('sees:1')->>'tenant' AS tenant, cache_get('sees:1')->>'tenant' AS gotten;
RESET app.tenant;
SELECT cache_fetch('sees:1')->>'tenant' AS tenant, cache_get('sees:1')->>'tenant' AS gotten;
SET app.tenant = 'x';
SELECT cache_fetch('sees:1')->>'tenant' AS tenant, cache_get('sees:1')->>'tenant' AS gotten, (SELECT count(*) FROM cache_entries WHERE key = 'sees:1') AS seen;
SET app.tenant = 'z';
SELECT cache_get('sees:1'), cache_exists('sees:1'), state, why FROM cache_entry('sees:1');
RESET ALL;
RESET ROLE;
SELECT count(*) FROM cache_entries WHERE key = 'sees:1';
-- settings of PostgreSQL can be named too
SELECT cache_namespace_alter('sees', vary_by => '{timezone}');
SET timezone = 'Asia/Tokyo';
SELECT cache_fetch('sees:2')->>'zone' AS zone;
SET timezone = 'America/Lima';
SELECT cache_fetch('sees:2')->>'zone' AS zone;
RESET timezone;

--
-- A loader that needs what it does not see
--
SET ROLE regress_cpg_owner;
CREATE FUNCTION app.of_tenant(key text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT id FROM app.users WHERE name = current_setting('app.tenant')::text $$;
CREATE FUNCTION app.needs_tenant(key text) RETURNS int LANGUAGE sql AS $$ SELECT current_setting('app.tenant')::int $$;
SELECT cache_namespace_create('tenants', loader => 'app.of_tenant'), cache_namespace_create('needs', loader => 'app.needs_tenant');
SET app.tenant = 'Bob';
SELECT cache_fetch('tenants:1') IS NULL AS nothing;
SELECT state, why FROM cache_entry('tenants:1');
SELECT cache_fetch('needs:1');
SHOW app.tenant;
SELECT cache_namespace_alter('tenants', vary_by => '{app.tenant}');
SELECT cache_fetch('tenants:1');
SELECT state, why FROM cache_entry('tenants:1');
-- in a subtransaction too everything is put back
DO $$
BEGIN
	PERFORM cache_fetch('needs:1');
EXCEPTION WHEN invalid_text_representation THEN
	RAISE NOTICE '% % % %', current_user, current_setting('app.tenant'), current_setting('search_path'), current_setting('row_security');
END $$;
RESET app.tenant;

--
-- What it may not do
--
CREATE FUNCTION app.bad(key text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE split_part(key, ':', 2);
	RETURN 1;
END $$;
SELECT cache_namespace_create('bad', loader => 'app.bad');
SELECT cache_namespace_grant('bad', 'public', 'read');
RESET ROLE;
SELECT cache_fetch('bad:SET ROLE regress_cpg_other');
SELECT cache_fetch('bad:RESET ROLE');
SELECT cache_fetch('bad:SET SESSION AUTHORIZATION regress_cpg_other');
SELECT cache_fetch('bad:CREATE TEMP TABLE t (a int)');
SELECT cache_fetch('bad:SET app.left_behind = 1'), current_setting('app.left_behind', true) AS left_behind;
SELECT current_user = session_user AS back;
-- rights of the caller, here a superuser's, do not count
SET ROLE regress_cpg_reader;
CREATE TEMP TABLE users (id int, name text, born timestamptz);
RESET ROLE;
CREATE TABLE app.secret (v int);
SELECT cache_fetch('bad:SELECT v FROM app.secret');
-- who logged in is none of its business
SELECT cache_fetch('bad:SELECT length(session_user)') AS fetched, state FROM cache_entry('bad:SELECT length(session_user)');

--
-- Results for all are never filtered
--
SET ROLE regress_cpg_owner;
ALTER TABLE app.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON app.users USING (id = 1);
SELECT cache_fetch('users:2') ->> 'id' AS owners_are_exempt;
ALTER TABLE app.users FORCE ROW LEVEL SECURITY;
-- where in the function is told differently by each version
\set SHOW_CONTEXT never
SELECT cache_fetch('users:2');
\set SHOW_CONTEXT errors
SELECT cache_namespace_alter('users', scope => 'role');
SELECT cache_fetch('users:2') IS NULL AS filtered, cache_fetch('users:1') IS NULL AS filtered_too;
ALTER TABLE app.users NO FORCE ROW LEVEL SECURITY;
RESET ROLE;

--
-- Which functions
--
SET ROLE regress_cpg_owner;
CREATE FUNCTION app.two(a text, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.nothing(a text) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION app.rows(a text) RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, length(a) - 6)';
CREATE FUNCTION app."Odd ""name"(a text) RETURNS text LANGUAGE sql AS 'SELECT a';
SELECT cache_namespace_alter('users', loader => 'app.no_such');
SELECT cache_namespace_alter('users', loader => 'app.two');
SELECT cache_namespace_alter('users', loader => 'app.load_user(int)');
SELECT cache_namespace_alter('users', loader => 'app.nothing');
SELECT cache_namespace_alter('users', loader => 'lower');
SELECT cache_fetch('users:ABC');
SELECT cache_namespace_alter('users', loader => 'app."Odd ""name"( text )');
SELECT loader, cache_fetch('users:ABC') FROM cache_namespaces WHERE name = 'users';
SELECT cache_namespace_alter('users', loader => 'app.rows(text)');
SELECT cache_fetch('users:1'), cache_fetch('users:') IS NULL AS none;
SELECT cache_fetch('users:12');
RESET ROLE;
-- another's could be replaced by him
CREATE FUNCTION app.others(a text) RETURNS text LANGUAGE sql AS 'SELECT a';
ALTER FUNCTION app.others OWNER TO regress_cpg_other;
SET ROLE regress_cpg_owner;
SELECT cache_namespace_alter('users', loader => 'app.others');
SELECT cache_namespace_alter('users', loader => 'app.load_user');
RESET ROLE;
ALTER FUNCTION app.load_user OWNER TO regress_cpg_other;
SELECT cache_fetch('users:7');
ALTER FUNCTION app.load_user OWNER TO regress_cpg_owner;
REVOKE EXECUTE ON FUNCTION app.load_user FROM PUBLIC, regress_cpg_owner;
SELECT cache_fetch('users:7');
DROP FUNCTION app.load_user;
SELECT cache_fetch('users:1');
SELECT cache_namespace_alter('users', reset => '{loader}');
SELECT cache_fetch('users:1');

-- a loader that asks the cache: what it is given is the owner's
SET ROLE regress_cpg_owner;
CREATE FUNCTION app.outer_load(key text) RETURNS text LANGUAGE sql AS $$ SELECT public.cache_fetch('sees:3') ->> 'user' || public.cache_fetch('users:q', 'SELECT current_user')::text $$;
SELECT cache_namespace_create('outer', scope => 'shared', loader => 'app.outer_load');
SELECT cache_namespace_grant('outer', 'public', 'read');
RESET ROLE;
SET ROLE regress_cpg_reader;
SELECT cache_fetch('outer:1');
SELECT state FROM cache_entry('outer:1');
RESET ROLE;

SELECT cache_namespace_drop(n) FROM unnest(ARRAY['users', 'sees', 'tenants', 'needs', 'bad', 'outer']) n;
REVOKE ALL ON FUNCTION cache_namespace_create, cache_namespace_alter, cache_namespace_grant FROM regress_cpg_owner, regress_cpg_other;
DROP TABLE pg_temp.users;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP ROLE regress_cpg_owner, regress_cpg_reader, regress_cpg_other;
SELECT * FROM cachepg_check();
