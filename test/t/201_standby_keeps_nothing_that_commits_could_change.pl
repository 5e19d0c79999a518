# On a hot standby no callback tells of replayed commits: namespaces of
# consistency commit are bypassed, those of consistency ttl work, writes raise an
# error.  Promotion drops what was cached before it.  A loader that is cancelled
# by a recovery conflict leaves nothing behind.
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
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	CREATE TABLE doomed (v int);
	SELECT cache_namespace_create('exact', ttl => '1 hour'), cache_namespace_create('lax', ttl => '1 hour', consistency => 'ttl')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = 0');
$standby->start;
$primary->wait_for_catchup($standby);

my $exact = q{SELECT cache_fetch('exact:v', 'SELECT sum(v) FROM t')};
my $lax = q{SELECT cache_fetch('lax:v', 'SELECT sum(v) FROM t')};
is(one_value($standby, "$exact; $exact; SELECT cache_exists('exact:v'), (cache_entry('exact:v')).why"), "1\n1\nf|recovery", 'what commits could change is not kept');
is(one_value($standby, "$lax; $lax; SELECT cache_exists('lax:v')"), "1\n1\nt", 'what ends by TTL is');
is(one_value($standby, q{SELECT string_agg(namespace || ' ' || reason, ', ' ORDER BY namespace, reason) FROM cache_misses_by_reason
	WHERE reason LIKE '%recovery'}), 'exact not_kept_in_recovery, exact recovery', 'both reasons are counted');

# The primary commits; the standby follows.
$primary->safe_psql('postgres', 'UPDATE t SET v = 2');
$primary->wait_for_catchup($standby);
is(one_value($standby, $exact), '2', 'a commit is seen as soon as it is replayed');
is(one_value($standby, $lax), '1', 'and by TTL only later');

for my $write (q{cache_set('exact:k', 1)}, q{cache_set('lax:k', 1)}, q{cache_add('lax:k', 1)}, q{cache_delete('lax:v')}, q{cache_invalidate('lax:v')},
	q{cache_invalidate_tag('lax:tag')}, q{cache_expire('lax:v')}, q{cache_expire_tag('lax:tag')}, q{cache_touch('lax:v', '1 h')}, q{cache_clear('lax')},
	q{cache_clear()}, q{cache_incr('lax:n')})
{
	fails_with($standby, "SELECT $write", '25006', qr/during recovery/, $write);
}
is(one_value($standby, $lax), '1', 'none of them did anything');

# A conflict with recovery cancels the loader, which waits at a gate.
my $gate = $standby->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(201)');
my ($run) = start_psql($standby, q{SELECT cache_fetch('lax:doomed', 'SELECT count(*), pg_advisory_xact_lock_shared(201)::text FROM doomed')});
ok(defined wait_until($standby, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'advisory')}), 'a loader runs on the standby');
$primary->safe_psql('postgres', 'DROP TABLE doomed');
$primary->wait_for_catchup($standby);
my ($result) = finish_psql($run);
like($result->[2], qr/ERROR:  40001/, 'it is cancelled as any query');
$gate->quit;
is(one_value($standby, q{SELECT cache_exists('lax:doomed')}), 'f', 'nothing of it is kept');
is(one_value($standby, q{SELECT cache_fetch('lax:doomed', 'SELECT 5'); SELECT cache_exists('lax:doomed')}), "5\nt", 'its key is free');
is(one_value($standby, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', 'and no lock is left');
check_store($standby);

# Promotion.
$primary->stop;
$standby->promote;
is(one_value($standby, q{SELECT cache_get('lax:v')}), '', 'what the standby had cached is gone after promotion');
is(one_value($standby, q{SELECT count(*) FROM cache_entries WHERE state = 'fresh'}), '0', 'all of it');
is(one_value($standby, "$exact; $exact; SELECT cache_exists('exact:v')"), "2\n2\nt", 'and all is cached from now on');
$standby->safe_psql('postgres', q{UPDATE t SET v = 3; SELECT cache_set('lax:k', 1)});
is(one_value($standby, $exact), '3', 'commits are noticed');
is(one_value($standby, q{SELECT cache_get('lax:k', 0)}), '1', 'writes work');
check_store($standby);
$standby->stop;
done_testing();
