# A standby is told by the bus what its primary commits: it serves what the
# primary has put into Redis, also in namespaces of consistency commit, where by
# itself it can keep nothing.  Promoted, it keeps nothing of before.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;

my $redis = start_redis();
my $primary = new_cluster(
	'primary', -streaming => 1, 'max_prepared_transactions' => 5,
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.server_name' => 'a',
	'cachepg.bus_heartbeat' => '50ms',
	'cachepg.bus_silence' => '1s');

$primary->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	SELECT cache_namespace_create('s', scope => 'shared', adhoc => 'shared', ttl => '1 hour')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "cachepg.server_name = 'b'\ncachepg.l2_home = 'a'");
$standby->start;
$primary->wait_for_catchup($standby);
ok(wait_until($standby, 'SELECT current FROM cache_bus'), 'the standby hears of its primary');

my $fetch = q{SELECT cache_fetch('s:v', 'SELECT sum(v) FROM t')};
my $stats = q{SELECT l2_hits, loads FROM cache_namespace_stats WHERE namespace = 's'};

is($primary->safe_psql('postgres', $fetch), '1', 'the primary loads');
ok(comes($standby, "SELECT l2_hits > 0 FROM cache_fetch('s:v', 'SELECT sum(v) FROM t'), cache_namespace_stats WHERE namespace = 's'", 't'),
	'the standby takes it from Redis');
my $before = $standby->safe_psql('postgres', $stats);
is($standby->safe_psql('postgres', "$fetch; $fetch; $stats"), "1\n1\n$before", 'and keeps it: no load, no look at Redis');
is($standby->safe_psql('postgres', q{SELECT cache_exists('s:v')}), 't', 'it is there');

$primary->safe_psql('postgres', 'UPDATE t SET v = 2');
$primary->wait_for_catchup($standby);
ok(comes($standby, $fetch, '2'), 'a commit on the primary takes it away');
is($standby->safe_psql('postgres', q{SELECT cache_exists('s:v')}), 'f', 'what the standby loads itself is not kept');
is($primary->safe_psql('postgres', $fetch), '2', 'the primary loads again');
ok(comes($standby, q{SELECT cache_exists('s:v') FROM cache_fetch('s:v', 'SELECT sum(v) FROM t')}, 't'), 'the standby has that, too');

# what was set
$primary->safe_psql('postgres', q{SELECT cache_set('s:set', 'x'::text)});
ok(comes($standby, q{SELECT cache_get('s:set', '')}, 'x'), 'what the primary sets is there');
$primary->safe_psql('postgres', q{SELECT cache_delete('s:set')});
ok(comes($standby, q{SELECT cache_get('s:set', '')}, ''), 'and goes with it');

# promotion, with a transaction that is prepared; a session has asked before
my $session = $standby->background_psql('postgres');
is($session->query_safe($fetch), '2', 'a session of the standby');
$primary->safe_psql('postgres', q{BEGIN; UPDATE t SET v = 9; PREPARE TRANSACTION 'p'});
$primary->safe_psql('postgres', q{SELECT cache_set('s:old', 'x'::text)});
ok(comes($standby, q{SELECT cache_get('s:old', '')}, 'x'), 'a value of the primary');
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
ok(comes($standby, q{SELECT cache_get('s:old', '')}, ''), 'promoted, the standby does not serve it');
ok(comes($standby, 'SELECT current FROM cache_bus', 'f'), 'the old primary is silent');
is($session->query_safe($fetch), '2', 'the session gets what is committed');
is($session->query_safe(q{SELECT cache_exists('s:v')}), 'f', 'and keeps nothing while a transaction is prepared of which it knows nothing');
$standby->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is($session->query_safe($fetch), '9', 'nor misses its end');
$session->quit;
ok(comes($standby, "SELECT cache_exists('s:v') FROM cache_fetch('s:v', 'SELECT sum(v) FROM t')", 't'), 'then it keeps what it loads');
is($standby->safe_psql('postgres', "$fetch; UPDATE t SET v = 3; $fetch"), "9\n3", 'and serves it');

check_store($standby);
$standby->stop;
done_testing();
