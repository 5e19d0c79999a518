# A commit that hangs in the wait for a synchronous standby has its fences up:
# readers of what it changes go to the source, at once; others have their hits.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $primary = new_cluster('primary', -streaming => 1, 'cachepg.janitor_interval' => '1h');
$primary->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	CREATE TABLE o (v int)});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'");
$primary->reload;
ok(defined wait_until($primary, q{SELECT sync_state = 'sync' FROM pg_stat_replication}), 'the standby is synchronous');

my $fetches = q{SELECT cache_fetch('t', 'SELECT sum(v) FROM t'), cache_fetch('o', 'SELECT count(*) FROM o'), cache_get('set', '')};
my $states = q{SELECT coalesce((cache_entry('t')).why, 'fresh'), coalesce((cache_entry('o')).why, 'fresh')};
$primary->safe_psql('postgres', q{SELECT cache_set('set', 'old')});
is(one_value($primary, $fetches), '1|0|old', 'three values are cached');
is(one_value($primary, $states), 'fresh|fresh', 'and fresh');

$standby->stop('immediate');
my ($run) = start_psql($primary, q{BEGIN; UPDATE t SET v = 2; SELECT cache_set('set', 'new'); COMMIT});
ok(defined wait_until($primary, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')}), 'a commit waits for it');

# Nobody sees the transaction yet.
my $began = Time::HiRes::time();
for my $i (1 .. 20)
{
	is(one_value($primary, $fetches), '1|0|', "read $i") if $i == 1 || $i == 20;
	$primary->safe_psql('postgres', $fetches) if $i > 1 && $i < 20;
}
cmp_ok(Time::HiRes::time() - $began, '<', 20, 'no reader waits');
is(one_value($primary, $states), 'commit_pending|fresh', 'what it changes is bypassed, other keys are hit');
is(one_value($primary, q{SELECT count(*) > 0 FROM cache_misses_by_reason WHERE reason = 'commit_pending' AND count >= 20}), 't', 'with the reason');

# The wait is cancelled: the transaction is committed all the same.
$primary->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
finish_psql($run);
$primary->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$primary->reload;
is(one_value($primary, $fetches), '2|0|new', 'afterwards all is new');
is(one_value($primary, $states), 'fresh|fresh', 'and cached: the fences are down');
check_store($primary);
$primary->stop;
done_testing();
