/*
 * What the oracle for two servers needs, on both.  home is true on the one whose
 * rows are the truth; the other's have version -1, which its readers ignore, and
 * are kept for a moment only, so that values come from Redis.
 */
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT cache_namespace_create('k', scope => 'shared', ttl => '1 hour');
SELECT cache_namespace_create('e', scope => 'shared', ttl => '1 hour', max_entries => 4);
SELECT cache_namespace_create('m', scope => 'shared', ttl => '1 hour');
SELECT cache_namespace_create('r', scope => 'shared', adhoc => 'shared', consistency => 'ttl',
	ttl => CASE WHEN :home THEN '1 hour' ELSE '20 ms' END::interval);
SELECT cache_namespace_create('t', scope => 'shared', adhoc => 'shared',
	ttl => CASE WHEN :home THEN '1 hour' ELSE '20 ms' END::interval);
SELECT cache_namespace_create('c', scope => 'shared', ttl => '1 hour', max_entries => 1);

CREATE SEQUENCE base;
CREATE TABLE item (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO item SELECT i, CASE WHEN :home THEN 0 ELSE -1 END FROM generate_series(1, 16) i;
SELECT format('CREATE TABLE part%s (version bigint NOT NULL); INSERT INTO part%s VALUES (%s)', i, i,
	CASE WHEN :home THEN 0 ELSE -1 END) FROM generate_series(1, 4) i \gexec
