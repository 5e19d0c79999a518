# Workers of logical replication write without the executor: what they apply and
# what the first synchronization of a table copies invalidates on the subscriber.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use Test::More;

my $publisher = new_cluster('publisher', 'wal_level' => 'logical', -streaming => 'logical', 'max_prepared_transactions' => 5);
my $subscriber = new_cluster('subscriber', 'wal_level' => 'logical', -streaming => 'logical', 'max_prepared_transactions' => 5,
	'max_logical_replication_workers' => 6, 'wal_retrieve_retry_interval' => '50ms',
	# what is not valid stays to be looked at; so many cells that no two tables share one
	'cachepg.janitor_interval' => '1h', 'cachepg.memory' => '512MB');
my $tables = q{
	CREATE TABLE t (id int PRIMARY KEY, v int);
	CREATE TABLE late (id int PRIMARY KEY);
	CREATE TABLE unpublished (id int PRIMARY KEY);
	CREATE TABLE root (k int PRIMARY KEY, v int) PARTITION BY RANGE (k);
	CREATE TABLE leaf1 PARTITION OF root FOR VALUES FROM (0) TO (100);
	CREATE TABLE leaf2 PARTITION OF root FOR VALUES FROM (100) TO (200);
	CREATE TABLE fired (id int)};
$publisher->safe_psql('postgres', $tables);
$subscriber->safe_psql('postgres', "$tables;" . q{
	CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.fired VALUES (1); RETURN NULL; END $$;
	CREATE TRIGGER fire AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
	ALTER TABLE t ENABLE ALWAYS TRIGGER fire;
	SELECT cache_namespace_create('lr', ttl => '1 hour');
	INSERT INTO unpublished VALUES (1)});
my $names = q{unnest('{t,late,unpublished,root,leaf1,leaf2,fired}'::text[]) n};
my $fill = qq{SELECT cache_fetch('lr:' || n, format('SELECT count(*), md5(coalesce(string_agg(x::text, \$\$ \$\$ ORDER BY x::text), \$\$\$\$)) FROM %I x', n)) FROM $names};
my $valid = qq{SELECT string_agg(n, ' ') FROM $names WHERE cache_exists('lr:' || n)};
# names whose cached value, if any, is not what a query gives
my $stale = qq{SELECT string_agg(n, ' ') FROM $names WHERE cache_fetch('lr:' || n, format('SELECT count(*), md5(coalesce(string_agg(x::text, \$\$ \$\$ ORDER BY x::text), \$\$\$\$)) FROM %I x', n))
	<> (SELECT to_jsonb(x) FROM pg_temp.now(n) x)};
my $now = q{CREATE FUNCTION pg_temp.now(n text, OUT count bigint, OUT md5 text) LANGUAGE plpgsql AS $f$
	BEGIN EXECUTE format('SELECT count(*), md5(coalesce(string_agg(x::text, $$ $$ ORDER BY x::text), $$$$)) FROM %I x', n) INTO count, md5; END $f$};

sub filled
{
	$subscriber->safe_psql('postgres', $fill);
	is(one_value($subscriber, $valid), 't late unpublished root leaf1 leaf2 fired', 'all is cached');
	return;
}

# The first copy of a table.
$publisher->safe_psql('postgres', q{
	INSERT INTO t SELECT i, i FROM generate_series(1, 10) i;
	INSERT INTO root SELECT i, i FROM generate_series(0, 190, 10) i;
	CREATE PUBLICATION pub FOR TABLE t, leaf1, leaf2});
filled();
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION pub");
$subscriber->wait_for_subscription_sync($publisher, 'sub');
is(one_value($subscriber, 'SELECT count(*) FROM t'), '10', 'the table is copied');
is(one_value($subscriber, "$now; $stale"), '', 'nothing cached is older than the copy');

sub applies
{
	my ($what, $sql, $wanted) = @_;

	filled();
	$publisher->safe_psql('postgres', $sql);
	$publisher->wait_for_catchup('sub');
	is(one_value($subscriber, $valid), $wanted, "$what: what is left valid");
	is(one_value($subscriber, "$now; $stale"), '', "$what: nothing stale");
	return;
}

applies('INSERT', 'INSERT INTO t VALUES (11, 11)', 'late unpublished root leaf1 leaf2');
applies('UPDATE', 'UPDATE t SET v = 0 WHERE id = 3', 'late unpublished root leaf1 leaf2 fired');
applies('UPDATE of the key', 'UPDATE t SET id = 100 WHERE id = 4', 'late unpublished root leaf1 leaf2 fired');
applies('DELETE', 'DELETE FROM t WHERE id = 1', 'late unpublished root leaf1 leaf2 fired');
applies('a leaf', 'INSERT INTO root VALUES (5, 5)', 't late unpublished leaf2 fired');
applies('two leaves', 'UPDATE root SET k = k + 100 WHERE k = 5', 't late unpublished fired');
applies('unpublished', 'INSERT INTO unpublished VALUES (1)', 't late unpublished root leaf1 leaf2 fired');
applies('TRUNCATE', 'TRUNCATE t', 'late unpublished root leaf1 leaf2 fired');
applies('TRUNCATE of a leaf', 'TRUNCATE leaf2', 't late unpublished leaf1 fired');
applies('a large transaction', 'INSERT INTO t SELECT i, i FROM generate_series(1, 5000) i', 'late unpublished root leaf1 leaf2');

# A table that is added later.
filled();
$publisher->safe_psql('postgres', 'INSERT INTO late VALUES (1); ALTER PUBLICATION pub ADD TABLE late');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION sub REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($publisher, 'sub');
is(one_value($subscriber, 'SELECT count(*) FROM late'), '1', 'a late table is copied');
is(one_value($subscriber, "$now; $stale"), '', 'nothing cached is older than its copy');

# A table leaves while a change of it is being applied: the worker waits for another table.
$publisher->safe_psql('postgres', 'CREATE TABLE waits (id int PRIMARY KEY, v int); INSERT INTO waits VALUES (1, 1); ALTER PUBLICATION pub ADD TABLE waits');
$subscriber->safe_psql('postgres', 'CREATE TABLE waits (id int PRIMARY KEY, v int)');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION sub REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($publisher, 'sub');
my $gate = $subscriber->background_psql('postgres');
$gate->query_safe('BEGIN; SELECT * FROM waits FOR UPDATE');
$publisher->safe_psql('postgres', 'BEGIN; UPDATE t SET v = v + 1; UPDATE waits SET v = 2; COMMIT');
ok(defined wait_until($subscriber, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'logical%worker' AND wait_event_type = 'Lock')}),
	'the worker waits within a transaction');
$publisher->safe_psql('postgres', 'ALTER PUBLICATION pub DROP TABLE t');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION sub REFRESH PUBLICATION');
is(one_value($subscriber, q{SELECT count(*) FROM pg_subscription_rel WHERE srrelid = 't'::regclass}), '0', 'a table that it has written leaves');
filled();
$gate->query_safe('COMMIT');
$gate->quit;
$publisher->wait_for_catchup('sub');
is(one_value($subscriber, 'SELECT v FROM waits'), '2', 'it goes on');
unlike(one_value($subscriber, $valid), qr/^t /, 'what it had written is invalid');
is(one_value($subscriber, "$now; $stale"), '', 'nothing cached is older');

# Published by the root, applied through it.
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION sub; TRUNCATE t, root, late');
$publisher->safe_psql('postgres', q{DROP PUBLICATION pub; TRUNCATE t, root, late;
	CREATE PUBLICATION pub FOR TABLE t, root WITH (publish_via_partition_root = true)});
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION pub WITH (two_phase = true, streaming = on)");
$subscriber->wait_for_subscription_sync($publisher, 'sub');
applies('the root', 'INSERT INTO root VALUES (1, 1), (101, 1)', 't late unpublished fired');
applies('a row that moves', 'UPDATE root SET k = 102 WHERE k = 1', 't late unpublished fired');
applies('DELETE by the root', 'DELETE FROM root WHERE k = 101', 't late unpublished fired');
applies('TRUNCATE of the root', 'TRUNCATE root', 't late unpublished fired');

# Prepared by the apply worker, which has no utility hook.
filled();
$publisher->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES (1, 1); PREPARE TRANSACTION 'two'});
$publisher->wait_for_catchup('sub');
is(one_value($subscriber, 'SELECT count(*) FROM pg_prepared_xacts'), '1', 'the worker has prepared a transaction');
is(one_value($subscriber, q{SELECT (cache_entry('lr:t')).why}), 'commit_pending', 'what it wrote is fenced');
is(one_value($subscriber, "$now; $stale"), '', 'nothing stale while it is prepared');
$publisher->safe_psql('postgres', q{COMMIT PREPARED 'two'});
$publisher->wait_for_catchup('sub');
is(one_value($subscriber, "$now; $stale"), '', 'nor after its end');
is(one_value($subscriber, q{SELECT cache_fetch('lr:t', 'SELECT count(*) FROM t')}), '1', 'its row is there');
ok(defined wait_until($subscriber, qq{SELECT count(*) = 7 FROM ($fill) x} ) && one_value($subscriber, $valid) =~ /^t /, 'and the table is cached again');

check_store($subscriber);
$subscriber->stop;
$publisher->stop;
done_testing();
