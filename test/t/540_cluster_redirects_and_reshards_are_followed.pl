# Redis Cluster of three nodes, of which one is named: values are on all of
# them, and stay hits while slots move; nobody sees an error.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use RedisServer;
use Test::More;

my @redis = start_redis_cluster(3, 0);
my $node = new_cluster(
	'cluster',
	'cachepg.redis_servers' => redis_url($redis[0]),
	'cachepg.redis_sharding' => 'cluster',
	'cachepg.redis_timeout' => '2s',
	'cachepg.server_name' => 'a',
	'cachepg.bus_heartbeat' => '100ms');
my $keys = 200;

sub value { return one_value($node, $_[0]) }

sub stat_of { return value("SELECT $_[0] FROM cache_namespace_stats WHERE namespace = 's'") }

# Until every value is in Redis.
sub wait_values
{
	for (1 .. 500)
	{
		my $n = 0;

		$n += () = redis($_, 'KEYS', 'cachepg:default:v:*:s:k*') =~ /s:k/g for @redis;
		return 1 if $n >= $keys;
		Time::HiRes::sleep(0.02);
	}
	return 0;
}

# Evict all and read all: how many came, and how many of them from Redis.
sub read_all
{
	value(q{SELECT cache_get('s:k100')});
	my $before = stat_of('l2_hits');
	my $right = value(q{SELECT count(*) FROM generate_series(1, 200) i WHERE cache_get('s:k' || i, '0'::jsonb) = to_jsonb(i)});

	return $right . ' ' . (stat_of('l2_hits') - $before);
}

sub slot_of { return redis($redis[0], 'CLUSTER', 'KEYSLOT', $_[0]) }

value(q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)});
value(q{SELECT count(cache_set('s:k' || i, to_jsonb(i))) FROM generate_series(1, 200) i});
ok(wait_values(), 'all values are in the cluster');
is(value(q{SELECT count(*) FROM cache_redis_nodes}), 3, 'all three nodes are known');
is(value(q{SELECT count(*) FROM cache_redis_ping() WHERE ok}), 3, '... and answer');
cmp_ok(redis($_, 'DBSIZE'), '>', 30, 'a node has its part') for @redis;
my $located = value(q{SELECT string_agg(cache_redis_locate('cachepg:default:v:postgres:s:k' || i), ' ' ORDER BY i) FROM generate_series(1, 200) i});
my @wrong = grep { (split / /, $located)[ $_ - 1 ] ne '127.0.0.1:' . cluster_owner(slot_of("cachepg:default:v:postgres:s:k$_"), @redis)->{port} } 1 .. 30;
is("@wrong", '', 'cache_redis_locate names the right ones');
is(value(q{SELECT cache_redis_locate('a{x}') = cache_redis_locate('b{x}') AND cache_redis_locate('{}a') IS NOT NULL}), 't', 'hash tags count');
is(read_all(), '200 200', 'evicted values come back from all nodes');
fails_with($node, q{SELECT * FROM cache_redis_plan('{redis://h}')}, '0A000', qr/distributes keys by itself/, 'no plan for a cluster');
is(value(q{SELECT cache_redis('SET', 'x', '1')}), 'OK', 'commands of users go to the right node');

# The process at hand knows no more than its seed.
is(value(q{SELECT count(*) FROM generate_series(1, 50) i WHERE cache_redis('GET', 'cachepg:default:v:postgres:s:k' || i) IS NOT NULL}), 50, '... each');

# A slot on its way.
my $key = 'cachepg:default:v:postgres:s:k1';
my $slot = slot_of($key);
my $from = cluster_owner($slot, @redis);
my ($to) = grep { $_ != $from } @redis;

cluster_move($slot, $from, $to, 'open');
is(read_all(), '200 200', 'a slot that is about to move');
cluster_move($slot, $from, $to, 'keys');
like(redis($from, 'GET', $key), qr/ASK $slot 127.0.0.1:$to->{port}/, 'its keys are somewhere else');
is(value(q{SELECT cache_get('s:k2') IS NOT NULL AND cache_get('s:k1') = '1'}), 't', 'ASK is followed');
is(value("SELECT cache_redis_locate('$key')"), "127.0.0.1:$from->{port}", '... and not remembered');
value(q{SELECT cache_set('s:k1', '"new"'::jsonb)});
ok(wait_until($node, qq{SELECT cache_get('s:k2') IS NOT NULL AND cache_get('s:k1', '0'::jsonb) = '"new"'}), 'writes follow it too');
cluster_move($slot, $from, $to, 'close');
is(value(q{SELECT cache_get('s:k2') IS NOT NULL AND cache_get('s:k1') = '"new"'}), 't', 'MOVED is followed');
is(value("SELECT cache_redis_locate('$key')"), "127.0.0.1:$to->{port}", '... and remembered');
value(q{SELECT cache_set('s:k1', '1'::jsonb)});
ok(wait_until($node, q{SELECT cache_get('s:k2') IS NOT NULL AND cache_get('s:k1', '0'::jsonb) = '1'}), 'writes go there');
is(read_all(), '200 200', 'all values are there');

# The slot of the bus, with its messages.
my $bus = slot_of('cachepg:default:bus');
$from = cluster_owner($bus, @redis);
($to) = grep { $_ != $from } @redis;
for my $step ('open', 'keys', 'close')
{
	my $messages = value('SELECT max(messages) FROM cache_bus');

	cluster_move($bus, $from, $to, $step);
	value(q{SELECT cache_invalidate('s:other')});
	ok(wait_until($node, "SELECT max(messages) > $messages AND sum(unsent_bytes) = 0 FROM cache_bus"), "the bus goes on: $step")
	  or diag value('SELECT * FROM cache_bus');
}

# The lock of a load whose slot moves meanwhile is given up where it is then.
sub locks_of
{
	my ($server) = @_;

	return grep { /:l:postgres:x:/ } split /\n/, redis($server, 'KEYS', 'cachepg:default:l:*');
}

sub move_lock
{
	my ($key, @steps) = @_;
	my ($gate) = my @loads = start_psql($node, 'SELECT pg_advisory_lock(1); SELECT pg_sleep(60)');
	my $at;

	ok(wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 1}), 'a gate');
	push @loads, start_psql($node, "SELECT cache_fetch('x:$key', 'SELECT 7 FROM pg_advisory_xact_lock_shared(1)')");
	for (1 .. 500)
	{
		($at) = grep { locks_of($_) } @redis;
		last if $at;
		Time::HiRes::sleep(0.02);
	}
	ok($at, 'a load has its lock');
	my ($lock) = locks_of($at);
	my ($next) = grep { $_ != $at } @redis;
	cluster_move(slot_of($lock), $at, $next, $_) for @steps;
	is(join(' ', locks_of($at), locks_of($next)), $lock, 'it moves');
	is((locks_of($next))[0], $lock, '... to another node');
	value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()});
	is((finish_psql(@loads))[1][1], "7\n", 'the load ends');
	for (1 .. 500)
	{
		last unless locks_of($next);
		Time::HiRes::sleep(0.02);
	}
	cluster_move(slot_of($lock), $at, $next, 'close');
	return join ' ', map { locks_of($_) } @redis;
}

value(q{SELECT cache_namespace_create('x', scope => 'shared', adhoc => 'shared', load_lock => true, load_timeout => '5 min')});
is(move_lock('asked', 'open', 'keys'), '', 'a lock is given up through ASK');
is(move_lock('moved', 'open', 'keys', 'close'), '', '... and through MOVED');

# Many slots, while many read.
my ($out, $err) = ('', '');
my $load = start_load($node, 8, 3, q{\set i random(1, 200)
SELECT 1 / (cache_get('s:k' || :i, '0'::jsonb) IN (to_jsonb(:i), '0'))::int;
} => 1);
my $unavailable = stat_of('l2_unavailable');
my $misses = stat_of('l2_misses');
my $id = redis($redis[2], 'CLUSTER', 'MYID');
ok(IPC::Run::run(
		[ 'redis-cli', '--cluster', 'reshard', "127.0.0.1:$redis[0]{port}", '--cluster-from', 'all', '--cluster-to', $id,
			'--cluster-slots', '3000', '--cluster-yes' ],
		'<', \undef, '>', \$out, '2>', \$err), 'a live reshard') or diag substr $out, -500;
my ($status, $done, $said) = finish_load($load);
is($status, 0, 'no session had an error or a wrong value') or diag $said;
cmp_ok($done, '>', 0, '... and they went on');
is(stat_of('l2_unavailable'), $unavailable, 'no session noticed');
is(stat_of('l2_misses'), $misses, '... and none missed anything');
is(read_all(), '200 200', 'all values are there');
is(value(q{SELECT sum(errors) FROM cache_redis_nodes WHERE last_error NOT IN ('MOVED', 'ASK', 'TRYAGAIN')} ), '', 'no node is said to fail');
check_store($node);
$node->stop;
done_testing();
