# Redis Cluster loses masters, each time one of another kind: of values and of
# the bus.  Sessions see misses meanwhile, never errors, and then hits again; a
# server that uses the values of another one serves nothing that is not valid.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use RedisServer;
use Test::More;
use Time::HiRes qw(time sleep);

my @redis = start_redis_cluster(3, 1);
my %settings = (
	'cachepg.redis_servers' => redis_url(@redis[ 0 .. 2 ]),
	'cachepg.redis_sharding' => 'cluster',
	'cachepg.bus_heartbeat' => '100ms',
	'cachepg.bus_silence' => '1s');
my $a = new_cluster('a', %settings, 'cachepg.server_name' => 'a');
my $b = new_cluster('b', %settings, 'cachepg.server_name' => 'b', 'cachepg.l2_home' => 'a');

sub slot_of
{
	my ($key) = @_;
	my ($living) = grep { $_->{run} } @redis;

	return redis($living, 'CLUSTER', 'KEYSLOT', $key);
}

sub living { return grep { $_->{run} } @redis }

# Kill the master of a key.
sub kill_master_of
{
	my ($key) = @_;

	kill_redis(cluster_owner(slot_of($key), living()));
	return;
}

# Seconds until a query gives true, each time without an error.
sub until_true
{
	my ($node, $query) = @_;
	my $began = time;

	while (time - $began < 40)
	{
		return time - $began if $node->safe_psql('postgres', $query) eq 't';
	}
	return undef;
}

sub wait_for
{
	my ($condition) = @_;

	for (1 .. 400)
	{
		return 1 if $condition->();
		sleep 0.05;
	}
	return 0;
}

for my $node ($a, $b)
{
	$node->safe_psql('postgres', q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)});
}
my $set = q{SELECT cache_set('s:k', to_jsonb(%s)) IS NULL};
my $current = q{SELECT coalesce(bool_and(current), false) FROM cache_bus};
my $read = q{SELECT cache_get('s:other') IS NULL AND coalesce(cache_get('s:k', '0'::jsonb) = to_jsonb(%s), false)};
my $key = 'cachepg:default:v:postgres:s:k';

ok(wait_until($b, $current), 'b is current');
$a->safe_psql('postgres', sprintf $set, 1);
ok(defined until_true($b, sprintf $read, 1), 'b reads what a has set');

# One after the other, as the replica that takes over has none itself.
for my $case ([ 2, $key, 'a value' ], [ 3, 'cachepg:default:bus', 'the bus' ])
{
	my ($n, $of, $name) = @$case;
	my $load = start_load($b, 6, 2, "SELECT cache_get('s:k'), cache_get('s:other');\n" => 1);
	my ($messages) = $a->safe_psql('postgres', 'SELECT messages FROM cache_bus');

	kill_master_of($of);
	# what is set before the failover may be lost
	for (1 .. 200)
	{
		$a->safe_psql('postgres', sprintf $set, $n);
		last if $b->safe_psql('postgres', sprintf $read, $n) eq 't';
		sleep 0.1;
	}
	is($b->safe_psql('postgres', sprintf $read, $n), 't', "without the first master of $name values travel again");
	ok(wait_until($b, $current), '... and b is current');
	ok(wait_until($a, "SELECT messages > $messages AND unsent_bytes = 0 FROM cache_bus"), '... and all messages are sent');
	$a->safe_psql('postgres', q{SELECT cache_invalidate('s:k')});
	ok(defined until_true($b, q{SELECT cache_get('s:k') IS NULL}), '... and invalidations reach b');
	my ($status, $done, $err) = finish_load($load);
	is($status, 0, '... and sessions that read meanwhile had no error') or diag $err;
	cmp_ok($done, '>', 0, '... and went on');
	# keep one master of each part: those that fell come back as replicas
	restart_redis($_) for grep { !$_->{run} } @redis;
	ok(wait_for(sub { cluster_whole(@redis) && !grep { !in_sync($_) } @redis }), 'the cluster is whole again');
}

check_store($_) for $a, $b;
$_->stop for $a, $b;
done_testing();
