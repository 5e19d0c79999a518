# pg_upgrade from an older PostgreSQL with cachepg (CPG_OLD_BINDIR, which
# scripts/matrix provides) takes over namespaces, grants and what users built
# with the extension.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old_bindir = $ENV{CPG_OLD_BINDIR};
plan skip_all => 'CPG_OLD_BINDIR names no older PostgreSQL' unless $old_bindir;

my @our_settings = qw(shared_preload_libraries cachepg.memory cachepg.janitor_interval);
(my $old_path = $old_bindir) =~ s{/bin/?$}{};
my $old = init_cluster('old', -install_path => $old_path);
my $new = init_cluster('new');
ok($old->pg_version < $new->pg_version, 'from ' . $old->pg_version . ' to ' . $new->pg_version);

my $contents = q{
	SELECT name, owner, ttl, max_entries, scope FROM cachepg_namespace ORDER BY name;
	SELECT namespace, CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::text END, privilege
		FROM cachepg_namespace_acl ORDER BY 1, 2, 3;
	SELECT * FROM pair ORDER BY a;
	SELECT * FROM calls;
	SELECT * FROM cache_watches;
	SELECT extversion FROM pg_extension WHERE extname = 'cachepg'};

$old->start;
$old->safe_psql('postgres', q{
	CREATE ROLE app;
	-- moves the OIDs of the roles that follow
	CREATE ROLE passing;
	CREATE ROLE keeper;
	DROP ROLE passing;
	CREATE EXTENSION cachepg;
	GRANT EXECUTE ON FUNCTION cache_namespace_create TO keeper;
	SET ROLE keeper;
	SELECT cache_namespace_create('kept', ttl => '7 min', max_entries => 3, scope => 'shared');
	RESET ROLE;
	SELECT cache_namespace_alter('default', ttl => '11 min');
	SELECT cache_namespace_grant('kept', 'app', 'read'), cache_namespace_grant('kept', 'app', 'write');
	SELECT cache_namespace_grant('default', 'public', 'read');
	CREATE TYPE pair_type AS (a int, b text);
	CREATE TABLE pair (a int PRIMARY KEY, b text);
	INSERT INTO pair VALUES (1, 'one'), (2, 'two');
	-- a table with a column of a composite type, functions and views that call us
	CREATE TABLE holder (p pair_type, q pair[]);
	INSERT INTO holder VALUES (ROW(1, 'x'), ARRAY[ROW(2, 'y')::pair]);
	CREATE FUNCTION cached(int) RETURNS pair LANGUAGE sql AS $$ SELECT cache_get('kept:' || $1, NULL::pair) $$;
	CREATE VIEW calls AS SELECT cache_get('nothing', 'there') AS is, (cache_entry('nothing')).state;
	SELECT cache_set('kept:1', pair) FROM pair WHERE a = 1;
	SELECT cache_watch('pair', 'kept:{a}')});
my $before = one_value($old, $contents);
is(one_value($old, q{SELECT cached(1)}), '(1,one)', 'the old server caches');
check_store($old);

$old->safe_psql('postgres', q{CREATE DATABASE second});
$old->safe_psql('second', q{CREATE EXTENSION cachepg; SELECT cache_namespace_create('elsewhere')});
$old->stop;

# upgrade(OLD, NEW, OPTION...): true if pg_upgrade succeeds.
sub upgrade
{
	my ($from, $to, @options) = @_;

	# pg_upgrade writes its scripts into the current directory
	chdir PostgreSQL::Test::Utils::tempdir();
	return $to->run_log([ 'pg_upgrade', '-d', $from->data_dir, '-D', $to->data_dir, '-b', $old_bindir,
		'-B', $to->config_data('--bindir'), '-s', $to->host, '-p', $from->port, '-P', $to->port, @options ]);
}

# The error that ended pg_upgrade; it stands in files that are removed with the
# cluster, so all of them are shown too.
sub upgrade_error
{
	my ($cluster) = @_;
	my $text = join '', map { "$_\n" . slurp_file($_) } glob($cluster->data_dir . '/pg_upgrade_output.d/*/log/*.log');

	note($text);
	my ($error) = $text =~ /^pg_restore: error: (.*)$/m;
	# never equal to that of another cluster
	return $error // 'unknown error of ' . $cluster->name;
}

# plain_upgrade_error(): the error that these two releases give for one table
# without cachepg, '' if there is none.  There is one when the older version's
# minor release is the younger one and writes what the newer version does not
# know yet.
sub plain_upgrade_error
{
	my $from = init_cluster('plain_old', -install_path => $old_path, map { $_ => undef } @our_settings);
	my $to = init_cluster('plain_new', map { $_ => undef } @our_settings);

	$from->start;
	$from->safe_psql('postgres', 'CREATE TABLE plain (a int)');
	$from->stop;
	return upgrade($from, $to) ? '' : upgrade_error($to);
}

ok(upgrade($old, $new, '--check'), 'pg_upgrade --check');
if (!upgrade($old, $new))
{
	is(upgrade_error($new), plain_upgrade_error(), 'pg_upgrade fails only as it does without cachepg');
  SKIP:
	{
		skip 'these two releases of PostgreSQL cannot be upgraded, with or without cachepg', 1;
	}
	done_testing();
	exit;
}
pass('pg_upgrade');

$new->start;
is(one_value($new, $contents), $before, 'namespaces, grants, tables and versions are the same');
is( one_value($new, q{
	SET ROLE app;
	SELECT cache_set('kept:' || i, i) FROM generate_series(1, 4) i;
	SELECT cache_get('kept:1', 0), cache_get('kept:4', 0)}), "\n\n\n\n0|4", 'limits and grants are in force');
fails_with($new, q{SET ROLE app; SELECT cache_set('plain', 1)}, '42501', qr/permission denied for cache namespace "default"/,
	'what was not granted is not');
is(one_value($new, q{SELECT cache_ttl('x') IS NULL, cache_exists('kept:none')}), 't|f', 'the cache is empty of the rest');
$new->safe_psql('postgres', q{SELECT cache_set('kept:1', pair) FROM pair WHERE a = 2});
is(one_value($new, q{SELECT cached(1)}), '(2,two)', 'functions of users work');
$new->safe_psql('postgres', q{UPDATE pair SET b = b WHERE a = 2});
is(one_value($new, q{SELECT cache_exists('kept:1')}), 't', 'a watch does not invalidate what did not change');
$new->safe_psql('postgres', q{UPDATE pair SET b = b WHERE a = 1});
is(one_value($new, q{SELECT cache_exists('kept:1')}), 'f', 'and invalidates what did');
is(one_value($new, q{SELECT name FROM cachepg_namespace}, 'second'), 'elsewhere', 'in the second database too');

# A second upgrade would do the same: dump and restore on the new version.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$new->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'the upgraded database can be dumped');
$new->safe_psql('postgres', 'CREATE DATABASE again');
$new->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'again' ], 'and restored');
is(one_value($new, $contents, 'again'), $before, 'with the same contents');
check_store($new);
done_testing();
