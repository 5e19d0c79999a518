# Without shared_preload_libraries the extension can be created and a dump
# restored; every function that needs shared memory says what to do.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = init_cluster('bare', 'shared_preload_libraries' => undef);
$node->start;

my ($status, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION cachepg');
is($status, 0, 'CREATE EXTENSION works');
like($err, qr/WARNING:  cachepg is not loaded, its functions will not work yet/, '... with a warning');
like($err, qr/HINT:  Add cachepg to "shared_preload_libraries" and restart the server/, '... that says what to do');

# A call of each function of the extension, from its argument types.
my @calls = split /\n/, $node->safe_psql('postgres', q{
	SELECT format('SELECT %s(%s)', p.proname, (
		SELECT string_agg(CASE WHEN p.provariadic <> 0 AND n = p.pronargs THEN 'VARIADIC ' ELSE '' END || CASE t::regtype::text
				WHEN 'anyelement' THEN '1'
				WHEN 'anyarray' THEN 'ARRAY[1]'
				WHEN 'record' THEN 'ROW(1)'
				WHEN 'text[]' THEN quote_literal('{k}') || '::text[]'
				WHEN 'interval' THEN quote_literal('1 s') || '::interval'
				WHEN 'jsonb' THEN quote_literal('1') || '::jsonb'
				WHEN 'text' THEN quote_literal('k') || '::text'
				ELSE '1::' || t::regtype END, ', ' ORDER BY n)
		FROM unnest(p.proargtypes) WITH ORDINALITY a(t, n)))
	FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cachepg') AND d.deptype = 'e'
	AND p.prorettype <> 'trigger'::regtype AND p.proname <> 'cachepg_version'
	ORDER BY p.oid});
cmp_ok(scalar(@calls), '>', 20, 'there are functions to call');
for my $call (@calls)
{
	fails_with($node, $call, '55000',
		qr/cachepg must be loaded via "shared_preload_libraries".*HINT:  Add the line shared_preload_libraries = 'cachepg' to postgresql.conf/s,
		$call);
}

for my $view (qw(cache_namespaces cache_entries cache_stats cache_misses_by_reason))
{
	fails_with($node, "SELECT * FROM $view", '55000', qr/must be loaded via/, $view);
}
is($node->safe_psql('postgres', 'SELECT extension = library FROM cachepg_version()'), 't',
	'cachepg_version works: it is what one asks when something is wrong');

# A dump of a server that preloads it can be restored here, and with the
# library the namespaces are in force.
my $source = new_cluster('source');
$source->safe_psql('postgres', q{
	SELECT cache_namespace_create('kept', ttl => '7 min', max_entries => 3)});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$source->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'dump of a server with the library');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'restored' ], 'restored without it');
is($node->safe_psql('restored', 'SELECT name, ttl, max_entries FROM cachepg_namespace'), 'kept|00:07:00|3',
	'the namespace is there');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cachepg'");
$node->restart;
is($node->safe_psql('restored', q{SELECT name, ttl FROM cache_namespaces WHERE name = 'kept'}), 'kept|00:07:00',
	'with the library it is in force');
$node->safe_psql('restored', q{SELECT cache_set('kept:a', 1)});
is($node->safe_psql('restored', q{SELECT cache_get('kept:a', 0)}), '1', 'and caches');
check_store($node, 'restored');
check_store($source);
done_testing();
