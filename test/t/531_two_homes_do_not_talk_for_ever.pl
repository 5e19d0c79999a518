# Two servers of a cluster without l2_home: what one says of everything the other does
# not say again as such, or both would go on for ever; each warns of the other.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use RedisServer;
use Test::More;
use Time::HiRes qw(sleep);

my $redis = start_redis();
my %node = map {
	$_ => new_cluster($_, 'cachepg.redis_servers' => redis_url($redis), 'cachepg.server_name' => $_, 'cachepg.bus_heartbeat' => '100ms')
} qw(a b);

sub entries { return redis($redis, 'XINFO', 'STREAM', 'cachepg:default:bus') =~ /entries-added\n(\d+)/ ? $1 : -1 }

for my $node (values %node)
{
	$node->safe_psql('postgres', q{SELECT cache_set('k', 1)});
}
# a namespace that gets another meaning concerns everything
for my $node (values %node)
{
	$node->safe_psql('postgres', q{SELECT cache_namespace_create('n'); SELECT cache_set('n:k', 1); SELECT cache_namespace_drop('n')});
	$node->safe_psql('postgres', q{SELECT cache_namespace_create('n'); SELECT cache_set('n:k', 1)});
	$node->restart;
	$node->safe_psql('postgres', q{SELECT cache_set('k', 1)});
}
$node{a}->wait_for_log(qr/server "b" of the cachepg cluster writes to Redis as another home/);
ok(1, 'a warns of b');
sleep(1);
my $before = entries();
sleep(2);
my $count = entries() - $before;
cmp_ok($count, '>', 10, 'both are heard of');
cmp_ok($count, '<', 200, '... but for their heartbeats they are silent');

check_store($_) for values %node;
$_->stop for values %node;
done_testing();
