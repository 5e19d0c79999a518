# Watches: pg_dump and restore bring them back working, for partitions too, and
# make none out of triggers written by hand; logical replication invalidates by
# those of the subscriber, TRUNCATE included; a prepared transaction does when
# it is committed; without the preload writes go on and DDL works.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('watch', 'wal_level' => 'logical', 'max_prepared_transactions' => 4);
my $dir = PostgreSQL::Test::Utils::tempdir();

my $tables = q{
	CREATE SCHEMA "the app";
	CREATE TABLE "the app"."users'" (id int PRIMARY KEY, name text);
	CREATE TABLE part (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
	CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
	SELECT cache_namespace_create('u', scope => 'shared');
	SELECT cache_watch('"the app"."users''"', 'u:{id}', 'tag:{name}');
	SELECT cache_watch('part', 'u:{region}:{id}');};
my $triggers = 'FROM pg_trigger WHERE NOT tgisinternal AND tgfoid::regproc::text ~ $$watch_row$$';

$node->safe_psql('postgres', "$tables
	CREATE ROLE plain;
	CREATE TABLE forged (id int);
	CREATE TRIGGER forged AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION cachepg_watch_row('u:{id}')");

# gone(DATABASE, KEY...): which of the keys are not there; then they are again.
sub gone
{
	my ($database, @keys) = @_;
	my $array = "'{" . join(',', @keys) . "}'";
	my $gone = $node->safe_psql($database, "SELECT string_agg(k, ' ') FROM unnest($array\::text[]) k WHERE NOT cache_exists(k)");

	$node->safe_psql($database, "SELECT cache_set(k, 1, tags => CASE k WHEN 'tagged' THEN ARRAY['tag:x'] END) FROM unnest($array\::text[]) k");
	return $gone;
}

my @keys = ('u:1', 'u:2', 'u:a:1', 'u:a:2', 'u:b:1', 'tagged', 'other');

sub check_watches
{
	my ($database, $name) = @_;
	my ($out, $err);

	gone($database, @keys);
	is(gone($database, @keys), '', "$name: nothing is gone before");
	$node->safe_psql($database, q{INSERT INTO "the app"."users'" VALUES (1, 'x')});
	is(gone($database, @keys), 'u:1 tagged', "$name: key and tag");
	$node->safe_psql($database, q{UPDATE "the app"."users'" SET id = 2});
	is(gone($database, @keys), 'u:1 u:2 tagged', "$name: old and new key");
	$node->safe_psql($database, q{INSERT INTO part VALUES (1, 'a')});
	is(gone($database, @keys), 'u:a:1', "$name: row of a partition");
	$node->safe_psql($database, q{CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b'); INSERT INTO part_b VALUES (1, 'b')});
	is(gone($database, @keys), 'u:b:1', "$name: row of a new partition");
	$node->safe_psql($database, q{SET session_replication_role = replica; DELETE FROM part_a});
	is(gone($database, @keys), 'u:a:1', "$name: replica role");
	$node->safe_psql($database, q{TRUNCATE part_a});
	is(gone($database, @keys), 'u:1 u:2 u:a:1 u:a:2 u:b:1', "$name: truncated partition");
	$node->psql($database, q{INSERT INTO forged VALUES (1)}, stderr => \$err);
	is(gone($database, @keys), '', "$name: a forged trigger does nothing");
	like($err, qr/WARNING:  trigger "forged" of relation "forged" does nothing/, "$name: but warns");
	$node->safe_psql($database, q{DROP TABLE part_b; TRUNCATE part, "the app"."users'"});
	gone($database, @keys);
	return;
}
check_watches('postgres', 'original');

for my $format ('plain', 'custom')
{
	my $database = "restored_$format";

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok([ 'pg_dump', "--format=$format", '-f', "$dir/$format", 'postgres' ], "dump, format $format");
	$node->command_ok(
		$format eq 'plain'
		? [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$format", $database ]
		: [ 'pg_restore', '--exit-on-error', '-d', $database, "$dir/$format" ],
		"$database: restored");
	is($node->safe_psql($database, 'SELECT table_name, key_template, tag_template, creator FROM cache_watches ORDER BY 2'),
		qq("the app"."users'"|u:{id}|tag:{name}|postgres\npart|u:{region}:{id}||postgres), "$database: the view");
	check_watches($database, $database);
	is($node->safe_psql($database, q{SELECT cache_unwatch('part'), cache_unwatch('"the app"."users''"')}), '1|1', "$database: unwatch");
	is($node->safe_psql($database, "SELECT string_agg(tgname, ' ') $triggers"), 'forged', "$database: no trigger is left");
}

# A table restored without the extension's data has triggers that are no watches.
$node->safe_psql('postgres', 'CREATE DATABASE alone');
$node->safe_psql('alone', q{CREATE EXTENSION cachepg; SELECT cache_namespace_create('u', scope => 'shared')});
$node->command_ok([ 'pg_dump', '-t', 'part', '-t', 'part_a', '-f', "$dir/alone", 'postgres' ], 'dump of a table alone');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/alone", 'alone' ], 'restored');
gone('alone', @keys);
my $err;
$node->psql('alone', q{INSERT INTO part VALUES (1, 'a')}, stderr => \$err);
like($err, qr/does nothing: it was not made by cache_watch/, 'its trigger says so');
is(gone('alone', @keys), '', 'and does nothing');

# Two-phase commit
$node->safe_psql('postgres', q{BEGIN; INSERT INTO "the app"."users'" VALUES (2, 'x'); PREPARE TRANSACTION 'p'});
is($node->safe_psql('postgres', q{SELECT cache_exists('u:1'), cache_exists('u:2'), cache_exists('tagged')}), 't|f|f', 'prepared: its keys are not served');
$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is(gone('postgres', @keys), 'u:2 tagged', 'committed: they are gone');

# Logical replication
my $source = init_cluster('source', -streaming => 'logical', 'shared_preload_libraries' => undef,
	'cachepg.memory' => undef, 'cachepg.janitor_interval' => undef);
$source->start;
$source->safe_psql('postgres', q{
	CREATE SCHEMA "the app";
	CREATE TABLE "the app"."users'" (id int PRIMARY KEY, name text);
	INSERT INTO "the app"."users'" VALUES (1, 'x');
	CREATE PUBLICATION p FOR TABLE "the app"."users'"});
$node->safe_psql('postgres', q{TRUNCATE "the app"."users'"});
gone('postgres', @keys);
$node->safe_psql('postgres', q(CREATE SUBSCRIPTION s CONNECTION $$) . $source->connstr('postgres') . q($$ PUBLICATION p));
$node->wait_for_subscription_sync($source, 's');
is(gone('postgres', @keys), 'u:1 tagged', 'rows of the initial copy');

# replicated(SQL): runs it on the publisher and waits for it here.
sub replicated
{
	$source->safe_psql('postgres', shift);
	$source->wait_for_catchup('s');
	return;
}
replicated(q{UPDATE "the app"."users'" SET name = 'y'});
is(gone('postgres', @keys), 'u:1 tagged', 'replicated update');
replicated(q{CREATE TABLE unpublished (id int); INSERT INTO unpublished VALUES (1)});
is(gone('postgres', @keys), '', 'what is not replicated');
replicated(q{TRUNCATE "the app"."users'"});
is(gone('postgres', @keys), 'u:1 u:2 u:a:1 u:a:2 u:b:1 tagged', 'replicated TRUNCATE');
$node->safe_psql('postgres', 'DROP SUBSCRIPTION s');
check_store($node);

# Without the preload nothing is cached, and nothing fails.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('postgres', q{
	INSERT INTO "the app"."users'" VALUES (1, 'x');
	UPDATE "the app"."users'" SET id = 2;
	TRUNCATE part;
	INSERT INTO part VALUES (1, 'a');
	DROP TABLE part});
fails_with($node, q{SELECT cache_watch('forged', 'u:{id}')}, '55000', qr/must be loaded/, 'not preloaded');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cache_watches'), '1', 'a dropped table is no longer shown');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cachepg'");
$node->restart;
gone('postgres', @keys);
$node->safe_psql('postgres', q{DELETE FROM "the app"."users'" WHERE id = 2});
is(gone('postgres', @keys), 'u:2 tagged', 'preloaded again');
check_store($node);
done_testing();
