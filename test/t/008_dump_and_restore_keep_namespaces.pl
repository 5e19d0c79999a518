# pg_dump carries namespaces and grants, in every format, also that of an
# altered default namespace, and what is restored can be dumped again.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('dump');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $contents = q{
	SELECT 'namespace', name, owner::text, ttl::text, negative_ttl::text, jitter::text, scope, max_entries::text, max_bytes::text
	FROM cachepg_namespace
	UNION ALL
	SELECT 'grant', namespace, CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::text END, privilege, '', '', '', '', ''
	FROM cachepg_namespace_acl
	ORDER BY 1, 2, 3, 4};

$node->safe_psql('postgres', q{
	CREATE ROLE "odd role's" CREATEDB;
	CREATE ROLE app;
	GRANT EXECUTE ON FUNCTION cache_namespace_create TO "odd role's";
	SET ROLE "odd role's";
	SELECT cache_namespace_create('every', ttl => '1 day 02:03:04.5', negative_ttl => '1 s', jitter => 0.25,
		scope => 'shared', max_entries => 10, max_bytes => 1000000);
	RESET ROLE;
	SELECT cache_namespace_create(E'odd "name''s \\ \t');
	SELECT cache_namespace_create('none');
	SELECT cache_namespace_alter('default', ttl => '11 min');
	SELECT cache_namespace_grant('every', 'app', p) FROM unnest('{read,write,invalidate}'::text[]) p;
	SELECT cache_namespace_grant('every', 'public', 'read');
	SELECT cache_namespace_grant('default', 'app', 'admin');
	CREATE TABLE pair (a int, b text);
	CREATE SCHEMA other});
my $original = one_value($node, $contents);
is(() = $original =~ /^namespace/mg, 4, 'four namespaces are to be kept');

# check_restored(DATABASE): the same catalog, and it works.
sub check_restored
{
	my ($database) = @_;

	is(one_value($node, $contents, $database), $original, "$database: namespaces and grants are the same");
	is( one_value($node, q{
		SET ROLE app;
		SELECT cache_set('every:1', 1), cache_set('anything', 2);
		SELECT cache_get('every:1', 0), cache_get('anything', 0), cache_ttl('anything') > '10 min'}, $database),
		"|\n1|2|t", "$database: they are in force");
	fails_with($node, q{SET ROLE app; SELECT cache_get('none:1')}, '42501', qr/permission denied for cache namespace "none"/,
		"$database: what was not granted is not", $database);
	return;
}
check_restored('postgres');

# restore(FROM, TO, FORMAT)
sub restore
{
	my ($from, $to, $format) = @_;
	my $file = "$dir/$to.$format";

	$node->safe_psql('postgres', "CREATE DATABASE $to");
	$node->command_ok([ 'pg_dump', "--format=$format", '-f', $file, $from ], "$from: dump, format $format");
	$node->command_ok(
		$format eq 'plain'
		? [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file, $to ]
		: [ 'pg_restore', '--exit-on-error', '-d', $to, $file ],
		"$to: restored");
	check_restored($to);
	return;
}
restore('postgres', 'first', 'plain');
restore('first', 'second', 'custom');
restore('second', 'third', 'directory');

# --clean over what is there, in one transaction
$node->command_ok([ 'pg_dump', '--clean', '--if-exists', '--format=custom', '-f', "$dir/clean", 'first' ], 'dump with --clean');
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--single-transaction', '-d', 'first', "$dir/clean" ],
	'restored over itself');
check_restored('first');

# Data only, as tools that split schema and data do, and a schema of its own.
$node->command_ok([ 'pg_dump', '--section=pre-data', '--format=custom', '-f', "$dir/pre", 'second' ], 'dump of the schema');
$node->command_ok([ 'pg_dump', '--section=data', '--format=custom', '-f', "$dir/data", 'second' ], 'dump of the data');
$node->safe_psql('postgres', 'CREATE DATABASE parts');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'parts', "$dir/pre" ], 'schema restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'parts', "$dir/data" ], 'data restored');
check_restored('parts');

$node->safe_psql('postgres', 'CREATE DATABASE schemas');
$node->safe_psql('schemas', q{
	CREATE SCHEMA "the cache";
	CREATE EXTENSION cachepg SCHEMA "the cache";
	SELECT "the cache".cache_namespace_create('mine', ttl => '3 min');
	SELECT "the cache".cache_namespace_grant('mine', 'app', 'read')});
$node->safe_psql('postgres', 'CREATE DATABASE schemas_again');
$node->command_ok([ 'pg_dump', '-f', "$dir/schemas", 'schemas' ], 'extension in a schema of its own: dump');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/schemas", 'schemas_again' ], 'restored');
is( one_value($node, q{
	SELECT name, ttl, array_agg(privilege) FROM "the cache".cachepg_namespace
	JOIN "the cache".cachepg_namespace_acl ON namespace = name GROUP BY name, ttl}, 'schemas_again'),
	'mine|00:03:00|{read}', 'with its namespaces');
is(one_value($node, q{SELECT "the cache".cache_get('mine:1', 5)}, 'schemas_again'), '5', 'and works without search path');
check_store($node);
# Roles that are dropped leave numbers behind, which mean nothing where a dump is
# restored: another role may have one of them.
$node->safe_psql('postgres', q{
	CREATE DATABASE roles;
	CREATE ROLE leaver;
	CREATE ROLE friend;
	CREATE ROLE heir});
$node->safe_psql('roles', q{
	CREATE EXTENSION cachepg;
	CREATE FUNCTION whose(key text) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
	SELECT cache_namespace_create('left', loader => 'whose', scope => 'shared'), cache_namespace_create('kept');
	SELECT cache_namespace_set_owner('left', 'leaver');
	SELECT cache_namespace_grant('left', 'friend', 'read'), cache_namespace_grant('kept', 'leaver', 'admin');
	GRANT EXECUTE ON FUNCTION cache_namespace_set_owner, cache_namespace_revoke TO friend, heir});
is(one_value($node, q{SET ROLE leaver; SELECT cache_fetch('left:1') #>> '{}'}, 'roles'), 'leaver', 'a loader runs as the new owner');
fails_with($node, q{SET ROLE friend; SELECT cache_namespace_set_owner('left', 'friend')}, '42501',
	qr/must be owner of cache namespace "left"/, 'who reads a namespace cannot take it', 'roles');
fails_with($node, q{GRANT leaver TO heir; SET ROLE heir; SELECT cache_namespace_set_owner('left', 'friend')}, '42501',
	qr/"friend"/, 'nor is it given to who does not want it', 'roles');
is(one_value($node, q{SET ROLE friend; SELECT count(*) FROM cache_namespace_grants}, 'roles'), 0, 'who may only read sees no grants');
is(one_value($node, q{SET ROLE leaver; SELECT string_agg(grantee, ' ' ORDER BY 1) FROM cache_namespace_grants}, 'roles'), 'friend leaver',
	'its owner does, and who has admin');
is(one_value($node, q{GRANT pg_monitor TO friend; SET ROLE friend;
	SELECT (SELECT count(*) FROM cache_namespaces), (SELECT count(*) FROM cache_namespace_stats),
		(SELECT count(*) FROM cache_namespace_grants)}, 'roles'), '3|3|2', 'a role that monitors sees all');
fails_with($node, q{SET ROLE friend; SELECT cache_get('kept:1')}, '42501', qr/permission denied/, 'but no values', 'roles');
$node->safe_psql('roles', 'DROP ROLE leaver');
fails_with($node, q{SET ROLE friend; SELECT cache_get('left:1')}, '42501', qr/permission denied/, 'without its owner it is closed', 'roles');
fails_with($node, q{SELECT cache_fetch('left:2')}, '42704', qr/the owner of the cache namespace.*does not exist any more/s,
	'its loader runs as nobody', 'roles');
$node->command_ok([ 'pg_dump', '-f', "$dir/roles", 'roles' ], 'roles that are gone: dump');
unlike(slurp_file("$dir/roles"), qr/^(?:left\t\d|kept\t\d)/m, 'it has no numbers of roles');
is(one_value($node, q{
	SELECT cache_namespace_set_owner(name, 'heir') FROM cache_namespaces WHERE owner::text ~ '^\d+$';
	SELECT cache_namespace_revoke(namespace, grantee, privilege) FROM cache_namespace_grants WHERE grantee ~ '^\d+$';
	SELECT cache_fetch('left:2') #>> '{}', (SELECT string_agg(namespace || ' ' || grantee, ',') FROM cache_namespace_grants)}, 'roles'),
	"\n\nheir|left friend", 'both can be repaired');
$node->safe_psql('postgres', 'CREATE DATABASE roles2');
$node->safe_psql('roles2', "\\i $dir/roles");
is(one_value($node, q{SELECT count(*) FROM cachepg_namespace_acl}, 'roles2'), 1, 'a grant in a namespace that was left out');
$node->safe_psql('roles2', q{SELECT cache_namespace_create('left')});
is(one_value($node, q{SELECT count(*) FROM cachepg_namespace_acl}, 'roles2'), 0, 'does not come back with one of that name');

done_testing();
