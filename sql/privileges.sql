--
-- Privileges on namespaces: every function, every role, on hits and misses.
--
SET client_min_messages = warning;
CREATE ROLE regress_cpg_owner;
CREATE ROLE regress_cpg_admin;
CREATE ROLE regress_cpg_read;
CREATE ROLE regress_cpg_write;
CREATE ROLE regress_cpg_invalidate;
CREATE ROLE regress_cpg_none;
CREATE ROLE regress_cpg_group;
CREATE ROLE regress_cpg_member IN ROLE regress_cpg_group;
CREATE ROLE regress_cpg_noinherit NOINHERIT IN ROLE regress_cpg_group;
CREATE ROLE "regress_cpg_o'dd";
RESET client_min_messages;

--
-- What PUBLIC may execute.  A new function does not belong here unless it
-- checks privileges on namespaces itself.
--
SELECT p.oid::regprocedure AS public_functions
FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cachepg') AND d.deptype = 'e'
	  AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure AS granted_function, a.grantee::regrole
FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid, aclexplode(p.proacl) a
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cachepg') AND d.deptype = 'e' AND a.grantee NOT IN (0, p.proowner);
SELECT c.oid::regclass AS relation, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee, a.privilege_type
FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid, aclexplode(c.relacl) a
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cachepg') AND d.deptype = 'e' AND a.grantee <> c.relowner
ORDER BY 1, 2;

--
-- Helpers: run a statement as a role
--
CREATE FUNCTION attempt(role text, statement text, privileged text DEFAULT 'yes') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result	text;
	message	text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement INTO result;
	SET LOCAL ROLE NONE;
	RETURN CASE WHEN privileged = 'yes' THEN 'yes' ELSE coalesce(result, 'NULL') END;
EXCEPTION
	WHEN insufficient_privilege THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
		RETURN CASE WHEN privileged = 'yes' THEN 'no' ELSE message END;
	WHEN others THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
		RETURN SQLSTATE || ' ' || message;
END $$;
CREATE TABLE statements (n serial, statement text);
INSERT INTO statements (statement) VALUES
	($$SELECT cache_get('%s:k')$$), ($$SELECT cache_get('%s:k', 0)$$), ($$SELECT cache_get('%s:k', '')$$),
	($$SELECT count(*) FROM cache_get_many(ARRAY['%s:k'])$$),
	($$SELECT cache_exists('%s:k')$$), ($$SELECT cache_ttl('%s:k')$$), ($$SELECT state FROM cache_entry('%s:k')$$),
	($$SELECT cache_fetch('%s:k', 'SELECT 1')$$), ($$SELECT cache_fetch('%s:k', 'SELECT $1', ARRAY['x'])$$),
	($$SELECT cache_set('%s:k', 1)$$), ($$SELECT cache_set('%s:k', 'x')$$), ($$SELECT cache_set_many(ARRAY['%s:k'], ARRAY[1])$$),
	($$SELECT cache_add('%s:k', 1)$$), ($$SELECT cache_add('%s:k', 'x')$$), ($$SELECT cache_replace('%s:k', 1)$$), ($$SELECT cache_replace('%s:k', 'x')$$),
	($$SELECT cache_touch('%s:k', '1 min')$$), ($$SELECT cache_incr('%s:n')$$),
	($$SELECT cache_delete('%s:k')$$), ($$SELECT cache_invalidate('%s:k')$$), ($$SELECT cache_expire('%s:k')$$), ($$SELECT cache_clear('%s')$$),
	($$SELECT cache_namespace_alter('%s', jitter => 0)$$), ($$SELECT cache_namespace_alter('%s', scope => 'role')$$),
	($$SELECT cache_namespace_grant('%s', 'regress_cpg_read', 'read')$$), ($$SELECT cache_namespace_revoke('%s', 'regress_cpg_none', 'read')$$),
	($$SELECT cache_namespace_drop('%s')$$), ($$SELECT cache_clear()$$), ($$SELECT * FROM cachepg_check()$$), ($$SELECT cache_namespace_create('%s')$$),
	($$SELECT entries FROM cache_stats$$), ($$SELECT count(*) FROM cachepg_namespace$$), ($$SELECT count(*) FROM cachepg_namespace_acl$$);

-- without EXECUTE the administrative functions are closed, whoever owns the namespace
SELECT attempt('regress_cpg_owner', $$SELECT cache_namespace_create('p')$$, 'message');
GRANT EXECUTE ON FUNCTION cache_namespace_create, cache_namespace_alter, cache_namespace_drop, cache_namespace_grant, cache_namespace_revoke
	TO regress_cpg_owner, regress_cpg_admin, regress_cpg_read, regress_cpg_write, regress_cpg_invalidate;
SELECT attempt('regress_cpg_owner', $$SELECT cache_namespace_create('p')$$);
SELECT cache_namespace_grant('p', 'regress_cpg_' || p, p) FROM unnest(ARRAY['admin', 'read', 'write', 'invalidate']) p;

-- the matrix: with the key absent, then with it cached
CREATE VIEW matrix AS
SELECT statement,
	   attempt('regress_cpg_owner', s) AS owner, attempt('regress_cpg_admin', s) AS admin, attempt('regress_cpg_read', s) AS read,
	   attempt('regress_cpg_write', s) AS write, attempt('regress_cpg_invalidate', s) AS invalidate, attempt('regress_cpg_none', s) AS none
FROM (SELECT n, statement, format(statement, 'p') AS s FROM statements ORDER BY n) q;
SELECT * FROM matrix WHERE statement !~ 'drop|create';
SELECT * FROM matrix WHERE statement ~ 'create';
CREATE TEMP TABLE cold AS SELECT attempt(r, format(statement, 'p'), 'message') AS message, r, n
FROM statements, unnest(ARRAY['regress_cpg_read', 'regress_cpg_write', 'regress_cpg_invalidate', 'regress_cpg_none']) r
WHERE cache_delete('p:k') IS NOT NULL AND statement ~ ':k';
SELECT attempt(r, $$SELECT cache_set('p:k', 1)$$), attempt(r, $$SELECT cache_set('p:n', 1)$$) FROM unnest(ARRAY['regress_cpg_owner', 'regress_cpg_write', 'regress_cpg_admin']) r;
-- nobody who is refused learns whether the key is there
SELECT DISTINCT message FROM cold WHERE message ~ 'denied';
SELECT n, r, message AS cold, attempt(r, format(statement, 'p'), 'message') AS warm
FROM cold JOIN statements USING (n)
WHERE message ~ 'denied' AND attempt(r, format(statement, 'p'), 'message') <> message;
-- to end an entry without the right to read it tells nothing
SELECT attempt('regress_cpg_owner', $$SELECT cache_namespace_alter('p', scope => 'shared')$$);
SELECT f, r, attempt('regress_cpg_owner', $$SELECT cache_set('p:s', 1)$$), attempt(r, format('SELECT %I(%L)', f, 'p:s'), 'value')
FROM unnest(ARRAY['cache_expire', 'cache_delete', 'cache_invalidate']) f, unnest(ARRAY['regress_cpg_invalidate', 'regress_cpg_owner']) r;
SELECT attempt('regress_cpg_owner', $$SELECT cache_namespace_alter('p', scope => 'role')$$);
-- only the owner drops, and only the owner shares
SELECT attempt(r, $$SELECT cache_namespace_drop('p')$$, 'message') FROM unnest(ARRAY['regress_cpg_admin', 'regress_cpg_read']) r;
SELECT attempt('regress_cpg_admin', $$SELECT cache_namespace_alter('p', scope => 'shared')$$, 'message');
-- a missing namespace is no secret of those who may administrate
SELECT attempt('regress_cpg_admin', $$SELECT cache_namespace_alter('absent', ttl => '1 min')$$, 'message'), attempt('regress_cpg_none', $$SELECT cache_clear('absent')$$, 'message');

-- the error says who can help, in SQL that is safe to copy
SET ROLE regress_cpg_none;
SELECT cache_get('p:k');
SELECT cache_set('p:k', 1);
SELECT cache_delete('p:k');
SELECT cache_get('default');
SELECT cache_clear('p');
SELECT cache_clear();
RESET ROLE;
SELECT cache_namespace_create('it''s "x"');
SET ROLE "regress_cpg_o'dd";
SELECT cache_get('it''s "x":k');
RESET ROLE;
SELECT cache_namespace_drop('it''s "x"');

-- no namespace has a grant to PUBLIC unless somebody makes one
SELECT count(*) FROM cachepg_namespace_acl WHERE grantee = 0;
SELECT attempt('regress_cpg_none', $$SELECT cache_namespace_grant('p', 'public', 'read')$$, 'message');
SELECT attempt('regress_cpg_admin', $$SELECT cache_namespace_grant('p', 'public', 'read')$$);
SELECT attempt('regress_cpg_none', $$SELECT cache_exists('p:k')$$), attempt('regress_cpg_none', $$SELECT cache_set('p:k', 1)$$);
SELECT attempt('regress_cpg_admin', $$SELECT cache_namespace_revoke('p', 'public', 'read')$$);
SELECT attempt('regress_cpg_none', $$SELECT cache_exists('p:k')$$);

-- grants: of anything by admins, of nothing by others; bad names
SELECT cache_namespace_grant('p', 'regress_cpg_none', 'execute');
SELECT cache_namespace_grant('p', 'regress_cpg_none', 'owner');
SELECT cache_namespace_grant('p', 'regress_cpg_none', '');
SELECT cache_namespace_grant('p', 'regress_cpg_absent', 'read');
SELECT cache_namespace_grant('p', 'PUBLIC', 'read');
SELECT cache_namespace_grant('absent', 'regress_cpg_none', 'read');
SELECT cache_namespace_grant(NULL, 'regress_cpg_none', 'read');
SELECT cache_namespace_grant('p', NULL, 'read');
SELECT cache_namespace_revoke('p', 'regress_cpg_none', NULL);
SELECT cache_namespace_revoke('p', 'regress_cpg_none', 'read'), cache_namespace_grant('p', 'regress_cpg_read', 'READ'), cache_namespace_grant('p', 'regress_cpg_read', 'read');
SELECT namespace, grantee, privilege FROM cachepg_namespace_acl ORDER BY grantee::text COLLATE "C";

-- groups, members and membership changes
SELECT cache_namespace_grant('p', 'regress_cpg_group', 'read');
SELECT r, attempt(r, $$SELECT cache_exists('p:k')$$) FROM unnest(ARRAY['regress_cpg_group', 'regress_cpg_member', 'regress_cpg_noinherit', 'regress_cpg_none']) r;
SET ROLE regress_cpg_none;
SELECT cache_get('p:k', 0);
RESET ROLE;
GRANT regress_cpg_group TO regress_cpg_none;
SET ROLE regress_cpg_none;
SELECT cache_get('p:k', 0);
RESET ROLE;
REVOKE regress_cpg_group FROM regress_cpg_none;
SET ROLE regress_cpg_none;
SELECT cache_get('p:k', 0);
RESET ROLE;
-- in one transaction
BEGIN;
GRANT regress_cpg_group TO regress_cpg_none;
SET LOCAL ROLE regress_cpg_none;
SELECT cache_get('p:k', 0);
ROLLBACK;
SET ROLE regress_cpg_none;
SELECT cache_get('p:k', 0);
RESET ROLE;
-- what belongs to the role of the owner
GRANT regress_cpg_owner TO regress_cpg_none;
SELECT attempt('regress_cpg_none', $$SELECT cache_clear('p')$$);
REVOKE regress_cpg_owner FROM regress_cpg_none;
ALTER ROLE regress_cpg_none SUPERUSER;
SELECT attempt('regress_cpg_none', $$SELECT cache_clear('p')$$);
ALTER ROLE regress_cpg_none NOSUPERUSER;
SELECT attempt('regress_cpg_none', $$SELECT cache_clear('p')$$);

-- entries belong to the role that wrote them
SELECT cache_namespace_grant('p', r, p) FROM unnest(ARRAY['regress_cpg_read', 'regress_cpg_write']) r, unnest(ARRAY['read', 'write']) p;
SET ROLE regress_cpg_read;
SELECT cache_set('p:own', 'of read');
RESET ROLE;
SET ROLE regress_cpg_write;
SELECT cache_get('p:own', 'nothing'), (SELECT why FROM cache_entry('p:own')), cache_add('p:own', 'of write'), cache_get('p:own', '');
SELECT count(*) FROM cache_misses_by_reason WHERE reason = 'other_role';
SELECT key, role, state FROM cache_entries;
RESET ROLE;
SET ROLE regress_cpg_read;
SELECT cache_get('p:own', 'nothing');
SELECT key, role, state FROM cache_entries;
RESET ROLE;
-- who administrates sees that they exist, and deletes them
SET ROLE regress_cpg_admin;
SELECT key, role, state FROM cache_entries WHERE key = 'p:own' ORDER BY role::text COLLATE "C";
SELECT cache_get('p:own', 'nothing'), (SELECT why FROM cache_entry('p:own')), cache_delete('p:own');
SELECT reason FROM cache_misses_by_reason WHERE reason = 'other_role';
SELECT count(*) FROM cache_entries WHERE key = 'p:own' AND state <> 'invalidated';
RESET ROLE;
-- superusers too have their own
SELECT cache_set('p:own', 'of superuser');
SELECT attempt('regress_cpg_owner', $$SELECT cache_get('p:own', 'nothing')$$, 'value');

-- views show what one has a privilege on
SELECT cache_namespace_create('q');
SELECT r, attempt(r, 'SELECT string_agg(name || privileges::text, '' '') FROM cache_namespaces', 'value') AS namespaces,
	   attempt(r, $$SELECT count(*) FROM cache_entries WHERE state <> 'invalidated'$$, 'value') AS entries,
	   attempt(r, 'SELECT count(DISTINCT namespace) FROM cache_misses_by_reason', 'value') AS misses
FROM unnest(ARRAY['regress_cpg_owner', 'regress_cpg_admin', 'regress_cpg_read', 'regress_cpg_invalidate', 'regress_cpg_member', 'regress_cpg_none']) r;
GRANT pg_monitor TO regress_cpg_none;
SELECT attempt('regress_cpg_none', 'SELECT memory > 0 FROM cache_stats', 'value'), attempt('regress_cpg_none', $$SELECT count(*) FROM cache_entries WHERE state <> 'invalidated'$$, 'value');
REVOKE pg_monitor FROM regress_cpg_none;

-- the role is the current one: functions of their owner
CREATE FUNCTION definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT cache_get('p:def', 0) $$;
CREATE FUNCTION invoker() RETURNS int LANGUAGE sql SECURITY INVOKER AS $$ SELECT cache_get('p:def', 0) $$;
ALTER FUNCTION definer() OWNER TO regress_cpg_owner;
SELECT attempt('regress_cpg_owner', $$SELECT cache_set('p:def', 7)$$);
SELECT r, attempt(r, 'SELECT definer()', 'value') AS definer, attempt(r, 'SELECT invoker()', 'value') AS invoker
FROM unnest(ARRAY['regress_cpg_owner', 'regress_cpg_read', 'regress_cpg_none']) r;
-- switched back and forth within a statement
SET ROLE regress_cpg_read;
SELECT cache_set('p:def', 8);
SELECT cache_get('p:def', 0), definer(), cache_get('p:def', 0), definer();
RESET ROLE;

-- read alone: a fetch loads and is not kept
SELECT cache_namespace_revoke('p', 'regress_cpg_read', 'write');
SET ROLE regress_cpg_read;
SELECT cache_fetch('p:f', 'SELECT 1'), cache_exists('p:f');
SELECT reason FROM cache_misses_by_reason WHERE namespace = 'p' AND reason = 'no_write_privilege';
RESET ROLE;
-- the query runs as the caller
CREATE TABLE secret AS SELECT 42 AS answer;
SET ROLE regress_cpg_owner;
SELECT cache_fetch('p:secret', 'SELECT answer FROM secret');
RESET ROLE;
SELECT cache_fetch('p:secret', 'SELECT answer FROM secret');
-- and what one role loaded is not for another, shared or not
SELECT cache_namespace_alter('p', scope => 'shared');
SELECT cache_fetch('p:secret', 'SELECT answer FROM secret');
SET ROLE regress_cpg_owner;
SELECT cache_fetch('p:secret', 'SELECT answer FROM secret');
SELECT cache_get('p:secret');
RESET ROLE;
-- row security: each role its rows
ALTER TABLE secret ADD who text DEFAULT 'regress_cpg_write';
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (who = current_user);
GRANT SELECT ON secret TO regress_cpg_read, regress_cpg_write;
SELECT cache_namespace_grant('p', 'regress_cpg_read', 'write');
SELECT r, attempt(r, $$SELECT cache_fetch('p:rls', 'SELECT count(*) FROM secret')$$, 'value') FROM unnest(ARRAY['regress_cpg_read', 'regress_cpg_write', 'regress_cpg_read']) r;
DROP TABLE secret;

-- what comes with the type of a value runs as the owner of the type, not as who reads the value
SELECT cache_namespace_create('code', scope => 'shared'), cache_namespace_grant('code', 'regress_cpg_write', 'write');
GRANT CREATE ON SCHEMA public TO regress_cpg_write;
SET ROLE regress_cpg_write;
CREATE TYPE trap AS ENUM ('set');
CREATE FUNCTION spring(trap) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('application_name', 'sprung', false);
	RETURN to_json(current_user::text);
END $$;
CREATE CAST (trap AS json) WITH FUNCTION spring(trap);
SELECT cache_set('code:one', 'set'::trap), cache_set('code:many', ARRAY['set'::trap]);
RESET ROLE;
SET application_name = 'untouched';
SELECT cache_get('code:one'), cache_get('code:many'), (SELECT jsonb_agg(value ORDER BY key) FROM cache_get_many('{code:one,code:many}'));
SELECT current_user = session_user AS same_user, current_setting('application_name');
-- a reader who names the type has chosen it
SELECT cache_get('code:one', NULL::trap);
DROP CAST (trap AS json);
DROP FUNCTION spring;
DROP TYPE trap;
SELECT cache_get('code:one');
SELECT cache_namespace_drop('code');
REVOKE CREATE ON SCHEMA public FROM regress_cpg_write;

-- the catalog tables are not to be written by others
SELECT attempt('regress_cpg_admin', $$INSERT INTO cachepg_namespace_acl VALUES ('p', 'regress_cpg_none', 'admin') RETURNING 1$$, 'message');
SELECT attempt('regress_cpg_admin', $$UPDATE cachepg_namespace SET owner = 'regress_cpg_admin' RETURNING 1$$, 'message');
SELECT attempt('regress_cpg_admin', $$SET cachepg.enabled = off$$, 'message');

-- the owner dropped: closed for all but superusers, and a new role of that name has no right to it
SELECT cache_namespace_alter('p', scope => 'role');
DROP FUNCTION definer, invoker;
REVOKE ALL ON FUNCTION cache_namespace_create, cache_namespace_alter, cache_namespace_drop, cache_namespace_grant, cache_namespace_revoke
	FROM regress_cpg_owner, regress_cpg_admin, regress_cpg_read, regress_cpg_write, regress_cpg_invalidate;
DROP ROLE regress_cpg_owner;
SELECT r, attempt(r, $$SELECT cache_exists('p:k')$$) FROM unnest(ARRAY['regress_cpg_admin', 'regress_cpg_read']) r;
CREATE ROLE regress_cpg_owner;
SELECT attempt('regress_cpg_owner', $$SELECT cache_exists('p:k')$$), cache_exists('p:k'), (SELECT owner::text ~ '^\d+$' FROM cache_namespaces WHERE name = 'p');
UPDATE cachepg_namespace SET owner = 'regress_cpg_owner' WHERE name = 'p';
SELECT attempt('regress_cpg_owner', $$SELECT cache_exists('p:k')$$), attempt('regress_cpg_read', $$SELECT cache_exists('p:k')$$);
-- what the owner of a view or of a function may see, others see through it
CREATE TABLE secrets (v int);
INSERT INTO secrets VALUES (1), (2);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON secrets TO regress_cpg_none;
ALTER ROLE regress_cpg_none BYPASSRLS;
CREATE VIEW seen AS SELECT * FROM secrets;
ALTER VIEW seen OWNER TO regress_cpg_none;
GRANT SELECT ON seen TO regress_cpg_write;
CREATE FUNCTION saw() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM secrets';
ALTER FUNCTION saw OWNER TO regress_cpg_none;
SELECT cache_namespace_grant('default', 'regress_cpg_write', p) FROM unnest('{read,write}'::text[]) p;
SELECT attempt('regress_cpg_write', $$SELECT cache_fetch('seen', 'SELECT count(*) FROM seen')$$, ''), attempt('regress_cpg_write', $$SELECT cache_fetch('saw', 'SELECT saw()')$$, '');
ALTER ROLE regress_cpg_none NOBYPASSRLS;
SELECT attempt('regress_cpg_write', $$SELECT cache_fetch('seen', 'SELECT count(*) FROM seen')$$, ''), attempt('regress_cpg_write', $$SELECT cache_fetch('saw', 'SELECT saw()')$$, '');
ALTER ROLE regress_cpg_none SUPERUSER;
SELECT attempt('regress_cpg_write', $$SELECT cache_fetch('seen', 'SELECT count(*) FROM seen')$$, ''), attempt('regress_cpg_write', $$SELECT cache_fetch('saw', 'SELECT saw()')$$, '');
ALTER ROLE regress_cpg_none NOSUPERUSER;
SELECT attempt('regress_cpg_write', $$SELECT cache_fetch('seen', 'SELECT count(*) FROM seen')$$, ''), attempt('regress_cpg_write', $$SELECT cache_fetch('saw', 'SELECT saw()')$$, '');
SELECT cache_namespace_revoke('default', 'regress_cpg_write', p) FROM unnest('{read,write}'::text[]) p;
DROP VIEW seen;
DROP FUNCTION saw;
DROP TABLE secrets;

-- a grantee dropped
DROP ROLE regress_cpg_invalidate;
SELECT attempt('regress_cpg_read', $$SELECT cache_exists('p:k')$$), count(*) FROM cachepg_namespace_acl WHERE grantee::text ~ '^\d+$';

SELECT cache_namespace_drop('p'), cache_namespace_drop('q');
SELECT count(*) FROM cachepg_namespace_acl;
DROP VIEW matrix;
DROP TABLE statements;
DROP FUNCTION attempt;
DROP ROLE regress_cpg_owner, regress_cpg_admin, regress_cpg_read, regress_cpg_write, regress_cpg_none,
	regress_cpg_member, regress_cpg_noinherit, regress_cpg_group, "regress_cpg_o'dd";
SELECT * FROM cachepg_check();
