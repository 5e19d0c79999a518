-- load.sql: the files of catalogue.pl into tables, with the indexes that the
-- question needs. Run in the directory of the files.

CREATE TABLE package
(
	id				integer NOT NULL,
	name			text NOT NULL,
	installed_size	bigint NOT NULL		-- kB
);
CREATE TABLE dependency
(
	package			integer NOT NULL,
	needs			integer NOT NULL
);

\copy package from 'package.tsv'
\copy dependency from 'dependency.tsv'

ALTER TABLE package ADD PRIMARY KEY (id) INCLUDE (name, installed_size);
ALTER TABLE dependency ADD PRIMARY KEY (package, needs);
VACUUM ANALYZE package, dependency;

CREATE EXTENSION cachepg;
SELECT cache_namespace_create('closure', ttl => '10 minutes', scope => 'shared');
