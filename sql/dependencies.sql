--
-- Dependencies are found: each kind of write, against each way to read.
--
CREATE SCHEMA dep;
SET search_path = dep, public;
SELECT cache_namespace_create('dep', ttl => '1 hour');

--
-- Tables, each with cells of its own: cells are hashed, and tables that share
-- one would spoil the negative controls.  A table that shares is made again.
--
CREATE TABLE base (name text PRIMARY KEY);

CREATE PROCEDURE make(name text, definition text) LANGUAGE plpgsql AS $$
DECLARE
	t		text;
	shares	boolean;
BEGIN
	FOR attempt IN 1..10 LOOP
		EXECUTE definition;
		COMMIT;
		shares := false;
		FOR t IN SELECT b.name FROM base b LOOP
			PERFORM cache_fetch('dep:new', format('SELECT count(*) FROM ONLY %I', make.name)), cache_fetch('dep:old', format('SELECT count(*) FROM ONLY %I', t));
			COMMIT;
			EXECUTE format('DELETE FROM ONLY %I WHERE false', make.name);
			COMMIT;
			shares := shares OR NOT cache_exists('dep:old');
			PERFORM cache_fetch('dep:new', format('SELECT count(*) FROM ONLY %I', make.name)), cache_fetch('dep:old', format('SELECT count(*) FROM ONLY %I', t));
			COMMIT;
			EXECUTE format('DELETE FROM ONLY %I WHERE false', t);
			COMMIT;
			shares := shares OR NOT cache_exists('dep:new');
		END LOOP;
		IF NOT shares THEN
			INSERT INTO base VALUES (make.name);
			RETURN;
		END IF;
		EXECUTE format('DROP TABLE %I CASCADE', make.name);
	END LOOP;
	RAISE EXCEPTION 'table % shares a cell again and again', name;
END $$;

CALL make('plain', 'CREATE TABLE plain (id int PRIMARY KEY, v int)');
CALL make('other', 'CREATE TABLE other (id int PRIMARY KEY, v int)');
CALL make('parent', 'CREATE TABLE parent (id int PRIMARY KEY)');
CALL make('cascaded', 'CREATE TABLE cascaded (id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)');
CALL make('nulled', 'CREATE TABLE nulled (id int REFERENCES parent ON DELETE SET NULL ON UPDATE SET NULL)');
CALL make('source', 'CREATE TABLE source (id int)');
CALL make('target', 'CREATE TABLE target (id int)');
CALL make('ruled', 'CREATE TABLE ruled (id int)');
CALL make('ruled_log', 'CREATE TABLE ruled_log (id int)');
CALL make('instead', 'CREATE TABLE instead (id int)');
CALL make('mat', 'CREATE TABLE mat (id int)');
CALL make('inh', 'CREATE TABLE inh (id int)');
CALL make('inh_child', 'CREATE TABLE inh_child () INHERITS (inh)');
DO $$ BEGIN DELETE FROM base WHERE name LIKE 'inh%'; END $$;
-- the members of a tree share its cell
CALL make('root', 'CREATE TABLE root (k int, l int) PARTITION BY RANGE (k);
	CREATE TABLE mid PARTITION OF root FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (l);
	CREATE TABLE leaf PARTITION OF mid FOR VALUES FROM (0) TO (100);
	CREATE TABLE leaf2 PARTITION OF mid FOR VALUES FROM (100) TO (200);
	CREATE TABLE leaf3 PARTITION OF root FOR VALUES FROM (100) TO (200)');

INSERT INTO plain SELECT i, i FROM generate_series(1, 100) i;
INSERT INTO parent SELECT generate_series(1, 100);
INSERT INTO cascaded SELECT generate_series(1, 50);
INSERT INTO nulled SELECT generate_series(51, 100);
INSERT INTO root SELECT i, i FROM generate_series(0, 99) i;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO target VALUES (1); RETURN NULL; END $$;
CREATE TRIGGER fires AFTER INSERT ON source FOR EACH ROW EXECUTE FUNCTION fires();
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (NEW.id);
CREATE VIEW instead_view AS SELECT 1 AS id;
CREATE FUNCTION acts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO instead VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER acts INSTEAD OF INSERT ON instead_view FOR EACH ROW EXECUTE FUNCTION acts();
CREATE MATERIALIZED VIEW matview AS SELECT id FROM mat;
CREATE UNIQUE INDEX ON matview (id);

--
-- Ways to read, with the tables they depend on
--
CREATE VIEW view1 AS SELECT * FROM plain;
CREATE VIEW view2 AS SELECT count(*) AS n FROM view1;
CREATE FUNCTION inlined() RETURNS SETOF plain LANGUAGE sql STABLE AS 'SELECT * FROM plain';
CREATE FUNCTION not_inlined() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER AS 'SELECT count(*) FROM plain';
CREATE FUNCTION static() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM plain; RETURN n; END $$;
CREATE FUNCTION dynamic() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN EXECUTE 'SELECT count(*) FROM plain' INTO n; RETURN n; END $$;
CREATE FUNCTION swallows() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	BEGIN
		SELECT count(*) INTO n FROM plain;
		RAISE EXCEPTION 'after the read';
	EXCEPTION WHEN raise_exception THEN
		RETURN n;
	END;
END $$;
CREATE FUNCTION loops() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint := 0; r plain;
BEGIN
	FOR r IN SELECT * FROM plain LOOP n := n + 1; END LOOP;
	RETURN n;
END $$;
-- a plan kept from earlier, generic from its sixth execution on
SELECT static() FROM generate_series(1, 10) OFFSET 9;
PREPARE count_plain(int) AS SELECT count(*) FROM plain WHERE id <> $1;
CREATE TABLE reads (name text PRIMARY KEY, query text, tables text[]);
INSERT INTO reads VALUES
	('plain',			'SELECT count(*) FROM plain', '{plain}'),
	('view',			'SELECT count(*) FROM view1', '{plain}'),
	('view on view',	'SELECT n FROM view2', '{plain}'),
	('inlined',			'SELECT count(*) FROM inlined()', '{plain}'),
	('sql function',	'SELECT not_inlined()', '{plain}'),
	('static',			'SELECT static()', '{plain}'),
	('dynamic',			'SELECT dynamic()', '{plain}'),
	('swallows',		'SELECT swallows()', '{plain}'),
	('loops',			'SELECT loops()', '{plain}'),
	('cte',				'WITH c AS MATERIALIZED (SELECT * FROM plain) SELECT count(*) FROM c', '{plain}'),
	('subquery',		'SELECT (SELECT count(*) FROM plain)', '{plain}'),
	('eliminated',		'SELECT count(*) FROM plain WHERE false', '{plain}'),
	('join removed',	'SELECT count(*) FROM other LEFT JOIN plain USING (id)', '{plain,other}'),
	('executed',		'EXECUTE count_plain(0)', '{plain}'),
	('other',			'SELECT count(*) FROM other', '{other}'),
	('parent',			'SELECT count(*) FROM parent', '{parent}'),
	('cascaded',		'SELECT count(*) FROM cascaded', '{cascaded}'),
	('nulled',			'SELECT count(*) FROM nulled', '{nulled}'),
	('source',			'SELECT count(*) FROM source', '{source}'),
	('target',			'SELECT count(*) FROM target', '{target}'),
	('ruled',			'SELECT count(*) FROM ruled', '{ruled}'),
	('ruled_log',		'SELECT count(*) FROM ruled_log', '{ruled_log}'),
	('instead',			'SELECT count(*) FROM instead', '{instead}'),
	('matview',			'SELECT count(*) FROM matview', '{matview}'),
	('inh',				'SELECT count(*) FROM inh', '{inh,inh_child}'),
	('inh_child',		'SELECT count(*) FROM inh_child', '{inh_child}'),
	('root',			'SELECT count(*) FROM root', '{root,mid,leaf,leaf2,leaf3}'),
	('mid',				'SELECT count(*) FROM mid', '{root,mid,leaf,leaf2}'),
	('leaf',			'SELECT count(*) FROM leaf', '{root,mid,leaf}'),
	('leaf2',			'SELECT count(*) FROM leaf2', '{root,mid,leaf2}'),
	('leaf3',			'SELECT count(*) FROM leaf3', '{root,leaf3}'),
	('pruned',			'SELECT count(*) FROM root WHERE k = 1 AND l = 1', '{root,mid,leaf}');

CREATE PROCEDURE read_all() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_fetch('dep:' || name, query) FROM reads;
	PERFORM cache_fetch('dep:ttl', 'SELECT count(*) FROM plain, root, matview', consistency => 'ttl');
	COMMIT;
END $$;
CREATE FUNCTION invalid() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(name, ', ' ORDER BY name COLLATE "C") FROM (SELECT name FROM reads UNION ALL SELECT 'ttl') r WHERE NOT cache_exists('dep:' || name);
$$;
CALL read_all();
SELECT invalid();
SELECT (cache_entry('dep:join removed')).depends_on, (cache_entry('dep:pruned')).depends_on, (cache_entry('dep:swallows')).depends_on, (cache_entry('dep:ttl')).depends_on;

--
-- Writes, with the tables they change; {} is a write that is none
--
CREATE TABLE writes (n serial, name text, statement text, tables text[]);
INSERT INTO writes (name, statement, tables) VALUES
	('INSERT',				'INSERT INTO plain VALUES (1001, 1)', '{plain}'),
	('UPDATE',				'UPDATE plain SET v = 0 WHERE id = 1', '{plain}'),
	('DELETE',				'DELETE FROM plain WHERE id = 1', '{plain}'),
	('ON CONFLICT',			'INSERT INTO plain VALUES (2, 2) ON CONFLICT (id) DO UPDATE SET v = 3', '{plain}'),
	('UPDATE FROM',			'UPDATE plain SET v = 0 FROM other WHERE plain.id = other.id', '{plain}'),
	('RETURNING in CTE',	'WITH d AS (DELETE FROM plain WHERE id = 3 RETURNING id) SELECT * FROM d', '{plain}'),
	('two in CTE',			'WITH d AS (DELETE FROM plain WHERE id = 4 RETURNING id) INSERT INTO target SELECT id FROM d', '{plain,target}'),
	('unread CTE',			'WITH d AS (DELETE FROM plain WHERE id = 5) SELECT 1', '{plain}'),
	('MERGE',				'MERGE INTO plain p USING (SELECT 6 AS id) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET v = 7 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 0)', '{plain}'),
	('MERGE in root',		'MERGE INTO root r USING (SELECT 7 AS k) s ON r.k = s.k WHEN MATCHED THEN UPDATE SET l = 7 WHEN NOT MATCHED THEN INSERT VALUES (s.k, 0)', '{root,mid,leaf,leaf2,leaf3}'),
	('COPY',				$q$COPY plain (id) FROM PROGRAM 'echo 2000'$q$, '{plain}'),
	('COPY to root',		$q$COPY root (k, l) FROM PROGRAM 'echo 1,1' (FORMAT csv)$q$, '{root,mid,leaf,leaf2,leaf3}'),
	('COPY to leaf',		$q$COPY leaf (k, l) FROM PROGRAM 'echo 1,1' (FORMAT csv)$q$, '{leaf}'),
	('COPY with trigger',	$q$COPY source (id) FROM PROGRAM 'echo 1'$q$, '{source,target}'),
	('COPY TO',				$q$COPY plain TO PROGRAM 'cat > /dev/null'$q$, '{}'),
	('updatable view',		'INSERT INTO view1 VALUES (1002, 1)', '{plain}'),
	('FK check',			'INSERT INTO cascaded VALUES (1)', '{cascaded}'),
	('FK ON UPDATE',		'UPDATE parent SET id = -id WHERE id IN (1, 51)', '{parent,cascaded,nulled}'),
	('FK ON DELETE',		'DELETE FROM parent WHERE id IN (-1, 52)', '{parent,cascaded,nulled}'),
	('trigger',				'INSERT INTO source VALUES (1)', '{source,target}'),
	('rule',				'INSERT INTO ruled VALUES (1)', '{ruled,ruled_log}'),
	('INSTEAD OF',			'INSERT INTO instead_view VALUES (1)', '{instead}'),
	('source of matview',	'INSERT INTO mat SELECT count(*) FROM mat', '{mat}'),
	('REFRESH',				'REFRESH MATERIALIZED VIEW matview', '{matview}'),
	('REFRESH CONCURRENTLY', 'REFRESH MATERIALIZED VIEW CONCURRENTLY matview', '{matview}'),
	('parent of children',	'UPDATE inh SET id = 1', '{inh,inh_child}'),
	('ONLY parent',			'UPDATE ONLY inh SET id = 1', '{inh}'),
	('child',				'INSERT INTO inh_child VALUES (1)', '{inh_child}'),
	('root',				'INSERT INTO root VALUES (1, 1)', '{root,mid,leaf,leaf2,leaf3}'),
	('mid',					'INSERT INTO mid VALUES (1, 1)', '{mid,leaf,leaf2}'),
	('leaf',				'INSERT INTO leaf VALUES (1, 1)', '{leaf}'),
	('leaf2',				'INSERT INTO leaf2 VALUES (1, 101)', '{leaf2}'),
	('row moves',			'UPDATE root SET k = k + 100 WHERE k = 7', '{root,mid,leaf,leaf2,leaf3}'),
	('row moves in mid',	'UPDATE mid SET l = l + 100 WHERE k = 8', '{mid,leaf,leaf2}'),
	('DELETE of root',		'DELETE FROM root WHERE k = 9', '{root,mid,leaf,leaf2,leaf3}'),
	('nested function',		'SELECT writer()', '{plain}'),
	('dynamic',				'SELECT dynamic_writer()', '{plain}'),
	('swallowed',			'SELECT swallowing_writer()', '{target}'),
	('DO',					'DO $q$ BEGIN INSERT INTO plain VALUES (3001); END $q$', '{plain}'),
	('CALL',				'CALL writing_procedure()', '{plain}'),
	('EXECUTE',				'EXECUTE insert_plain(4001)', '{plain}'),
	('EXPLAIN',				'EXPLAIN INSERT INTO plain VALUES (5001)', '{}'),
	('EXPLAIN ANALYZE',		'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) INSERT INTO plain VALUES (5002)', '{plain}'),
	('EXPLAIN EXECUTE',		'EXPLAIN EXECUTE insert_plain(5003)', '{}'),
	('EXPLAIN ANALYZE EXECUTE', 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) EXECUTE insert_plain(5004)', '{plain}'),
	('FOR UPDATE',			'SELECT * FROM plain FOR UPDATE', '{}'),
	('LOCK',				'LOCK TABLE plain IN EXCLUSIVE MODE', '{}'),
	('TRUNCATE',			'TRUNCATE plain', '{plain}'),
	('TRUNCATE CASCADE',	'TRUNCATE parent CASCADE', '{parent,cascaded,nulled}'),
	('TRUNCATE leaf',		'TRUNCATE leaf', '{leaf}'),
	('TRUNCATE root',		'TRUNCATE root', '{root,mid,leaf,leaf2,leaf3}'),
	('TRUNCATE children',	'TRUNCATE inh', '{inh,inh_child}');
CREATE FUNCTION writer() RETURNS void LANGUAGE sql AS 'INSERT INTO plain VALUES (3002)';
CREATE FUNCTION dynamic_writer() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'INSERT INTO plain VALUES ($1)' USING 3003; END $$;
-- what a rolled back part wrote was not written
CREATE FUNCTION swallowing_writer() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO target VALUES (1);
	BEGIN
		INSERT INTO plain VALUES (3004);
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
END $$;
CREATE PROCEDURE writing_procedure() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO plain VALUES (3005); END $$;
PREPARE insert_plain(int) AS INSERT INTO plain VALUES ($1);

--
-- Each write: rolled back, all stays fresh; committed, what reads a table it
-- changed is invalid and the rest fresh.  Before the end the own session does
-- not see the cached values of what it changed.
--
CREATE PROCEDURE try(role text, INOUT wrong int) LANGUAGE plpgsql AS $$
DECLARE
	w		writes;
	wanted	text;
	own		text;
	others	text;
BEGIN
	FOR w IN SELECT * FROM writes ORDER BY n LOOP
		CALL read_all();
		EXECUTE format('SET session_replication_role = %I', role);
		IF invalid() IS NOT NULL THEN
			RAISE WARNING '%: cannot be cached: %', w.name, invalid();
		END IF;
		SELECT string_agg(r.name, ', ' ORDER BY r.name COLLATE "C") INTO wanted FROM reads r WHERE r.tables && w.tables;
		EXECUTE w.statement;
		own := invalid();
		ROLLBACK;
		IF own IS DISTINCT FROM wanted OR invalid() IS NOT NULL THEN
			wrong := wrong + 1;
			RAISE WARNING E'%: own session: %\nwanted: %\nafter rollback: %', w.name, own, wanted, invalid();
		END IF;
		CALL read_all();
		EXECUTE format('SET session_replication_role = %I', role);
		EXECUTE w.statement;
		COMMIT;
		others := invalid();
		IF others IS DISTINCT FROM wanted THEN
			wrong := wrong + 1;
			RAISE WARNING E'%: invalid: %\nwanted: %', w.name, others, wanted;
		END IF;
	END LOOP;
	RESET session_replication_role;
END $$;
CALL try('origin', 0);
SELECT reason FROM cache_misses_by_reason WHERE namespace = 'dep' AND reason LIKE 'invalidated%' ORDER BY 1;
-- triggers, rules and foreign keys do not act; the rest does
TRUNCATE plain, parent, root CASCADE;
INSERT INTO parent VALUES (1), (51), (52);
UPDATE writes SET tables = array_remove(array_remove(tables, 'ruled_log'), CASE WHEN name LIKE 'FK%' OR name IN ('trigger', 'COPY with trigger') THEN 'target' END);
UPDATE writes SET tables = '{parent}' WHERE name IN ('FK ON UPDATE', 'FK ON DELETE');
DELETE FROM writes WHERE name IN ('INSTEAD OF');
CALL try('replica', 0);

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA dep CASCADE;
SELECT cache_namespace_drop('dep');
