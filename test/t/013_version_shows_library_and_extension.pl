# cachepg_version() tells the versions of the SQL objects and of the library;
# when they differ, and while the extension is dropped and created again under
# load, nothing crashes and no old entry comes back.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('version');

my ($control) = slurp_file($node->config_data('--sharedir') . '/extension/cachepg.control') =~ /default_version = '([^']+)'/;
is(one_value($node, 'SELECT extension, library FROM cachepg_version()'), "$control|$control",
	'library and extension have the version of the control file');
is(one_value($node, q{SELECT extversion FROM pg_extension WHERE extname = 'cachepg'}), $control, 'so has the catalog');

# What an installation looks like whose library was replaced, but not updated.
$node->safe_psql('postgres', q{
	SELECT cache_set('a', 1);
	UPDATE pg_extension SET extversion = '0.0' WHERE extname = 'cachepg'});
is(one_value($node, 'SELECT extension, library FROM cachepg_version()'), "0.0|$control", 'a difference shows');
is(one_value($node, q{SELECT cache_get('a', 0)}), '1', 'the cache works on');
fails_with($node, 'ALTER EXTENSION cachepg UPDATE', '22023', qr/no update path from version "0.0"/,
	'an update without a path is refused');
$node->safe_psql('postgres', "UPDATE pg_extension SET extversion = '$control' WHERE extname = 'cachepg'");
my ($status, $out, $err) = $node->psql('postgres', 'ALTER EXTENSION cachepg UPDATE');
like($err, qr/NOTICE:  version "\Q$control\E" of extension "cachepg" is already installed/, 'an update to the same is none');

# Dropped and created again: old entries are out of reach in both.
$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('mine');
	SELECT cache_set('mine:a', 1)});
$node->safe_psql('postgres', 'DROP EXTENSION cachepg');
fails_with($node, q{SELECT cache_get('a', 0)}, '42883', qr/function cache_get.* does not exist/, 'dropped: no functions');
$node->safe_psql('postgres', 'CREATE EXTENSION cachepg');
is(one_value($node, q{SELECT count(*) FROM cachepg_namespace}), '0', 'created again: no namespaces');
$node->safe_psql('postgres', q{SELECT cache_namespace_create('mine')});

# The same under load.  Statements may fail because an object is gone, for a
# moment, but in no other way.
my $loop = q{
	DO $$ BEGIN
		FOR i IN 1 .. 300 LOOP
			BEGIN
				PERFORM cache_set('k' || i % 50, repeat('x', i * 10)), cache_get('k' || i, ''), cache_incr('n');
				PERFORM cache_fetch('f' || i % 50, 'SELECT 1');
			EXCEPTION WHEN undefined_function OR undefined_table OR undefined_object OR object_not_in_prerequisite_state
				OR internal_error OR datatype_mismatch THEN
				NULL;
			END;
		END LOOP;
	END $$;
};
my $ddl = "DROP EXTENSION cachepg; CREATE EXTENSION cachepg;\n" x 10;
my @results = finish_psql(start_psql($node, $ddl, ($loop) x 6));
is($results[0][2], '', 'the extension was dropped and created ten times under load');
for my $n (1 .. 6)
{
	unlike($results[$n][2], qr/server closed|terminat|FATAL|PANIC/, "session $n lived on");
}
is(one_value($node, q{SELECT cache_set('after', 2); SELECT cache_get('after', 0)}), "\n2", 'and works');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal/, 'nothing died');
check_store($node);
done_testing();
