# A hot standby has a cache of its own that reads fill; namespaces come with
# replication; promotion keeps the cache in order.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', -streaming => 1);
$primary->safe_psql('postgres', q{
	CREATE ROLE app;
	CREATE TABLE book (id int PRIMARY KEY, title text);
	INSERT INTO book SELECT i, 'title ' || i FROM generate_series(1, 100) i;
	GRANT SELECT ON book TO app;
	SELECT cache_namespace_create('book', ttl => '1 hour', scope => 'shared');
	SELECT cache_namespace_grant('book', 'app', p) FROM unnest('{read,write}'::text[]) p;
	SELECT cache_set('book:set', 1)});

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

my $fetch = q{SELECT cache_fetch('book:' || id, 'SELECT title FROM book WHERE id = $1', ROW(id)) #>> '{}'
	FROM generate_series(1, 100) id};

is(one_value($standby, q{SELECT pg_is_in_recovery(), entries FROM cache_stats}), 't|0', 'the standby has a cache of its own');
ok( defined wait_until($standby, q{
	SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg janitor')}), 'and a janitor');
is(one_value($standby, q{SELECT cache_get('book:set', 0), cache_exists('book:set'), cache_ttl('book:set') IS NULL}), '0|f|t',
	'entries of the primary are not seen');
is(one_value($standby, q{SELECT (cache_entry('book:set')).state IS NOT NULL}), 't', 'status functions work');

my $expected = one_value($standby, q{SELECT title FROM book ORDER BY id});
is(one_value($standby, $fetch), $expected, 'a fetch loads');
is(one_value($standby, $fetch), $expected, 'a fetch gives the same again');
is(one_value($standby, "SET ROLE app; $fetch"), $expected, 'to another role too');
cmp_ok(one_value($standby, q{SELECT loads FROM cache_namespaces WHERE name = 'book'}), '>=', 100, 'loads are counted');
check_store($standby);

# Namespaces and grants follow the primary.
$primary->safe_psql('postgres', q{
	SELECT cache_namespace_create('late', ttl => '3 min');
	SELECT cache_namespace_revoke('book', 'app', 'read')});
$primary->wait_for_catchup($standby);
is(one_value($standby, q{SELECT ttl FROM cache_namespaces WHERE name = 'late'}), '00:03:00', 'a new namespace arrives');
fails_with($standby, "SET ROLE app; $fetch", '42501', qr/permission denied for cache namespace "book"/,
	'a revoked privilege too');
fails_with($standby, q{SELECT cache_namespace_create('here')}, '25006', qr/read-only transaction/,
	'namespaces cannot be made on a standby');

# Promotion under load.
my $load = start_load($standby, 600, 4, q{
\set k random(1, 100)
SELECT cache_fetch('book:' || :k, 'SELECT title FROM book WHERE id = $1', ROW(:k)), cache_get('book:' || :k);
} => 1);
my $loaded = q{SELECT hits + misses > 1000 + %d FROM cache_stats};
ok(defined wait_until($standby, sprintf($loaded, 0)), 'the standby is busy');
$standby->promote;
is(one_value($standby, 'SELECT pg_is_in_recovery()'), 'f', 'promoted');
my $now = one_value($standby, 'SELECT hits + misses FROM cache_stats');
ok(defined wait_until($standby, sprintf($loaded, $now)), 'its sessions go on');
$standby->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'load'});
my ($status, $done, $err) = finish_load($load);
unlike($err, qr/ERROR:/, 'no statement failed');

$standby->safe_psql('postgres', q{
	SELECT cache_set('book:new', 5);
	SELECT cache_namespace_create('here')});
is(one_value($standby, q{SELECT cache_get('book:new', 0)}), '5', 'writes work after promotion');
is(one_value($standby, $fetch), $expected, 'fetches too');
ok( defined wait_until($standby, q{
	SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg janitor')}), 'the janitor is there');
unlike(slurp_file($standby->logfile), qr/PANIC|TRAP:|was terminated by signal/, 'nothing died');
check_store($standby);
check_store($primary);
done_testing();
