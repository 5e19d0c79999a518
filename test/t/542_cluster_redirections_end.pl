# Nodes of Redis Cluster that redirect in circles, to strangers, or with what is
# no redirection: a call ends in its time, and nobody else is connected to.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use FakeRedis qw(fake_redis fake_mode fake_url);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $fake = fake_redis();
my $stranger = fake_redis();
my $node = new_cluster(
	'redirected',
	'cachepg.redis_servers' => "redis://127.0.0.1:$fake->{port}",
	'cachepg.redis_sharding' => 'cluster',
	'cachepg.redis_timeout' => '500ms',
	'cachepg.redis_connect_timeout' => '500ms',
	'cachepg.bus_heartbeat' => '60s');

sub count_of
{
	my ($of, $what) = @_;
	my $file = "$of->{dir}/$what";

	return -s $file // 0;
}

# What a user's command meets.
sub ends
{
	my ($bytes, $pattern, $name) = @_;

	fake_mode($fake, 'raw', $bytes);
	my $began = time;
	fails_with($node, q{SELECT cache_redis('GET', 'k')}, '38000', $pattern, $name);
	cmp_ok(time - $began, '<', 10, '... in time');
	return;
}

my $slot = 7629;    # of k

# The subscriber asks again at once as long as it is answered.
fake_mode($fake, 'raw', "-ERR\r\n");
ok(wait_until($node, 'SELECT sum(errors) >= 0 FROM cache_redis_nodes'), 'one node');
my $before = count_of($fake, 'commands');
ends("-MOVED $slot 127.0.0.1:$fake->{port}\r\n", qr/MOVED/, 'a circle');
cmp_ok(count_of($fake, 'commands') - $before, '<', 60, '... of few commands, those of workers included');
ends("-ASK $slot 127.0.0.1:$fake->{port}\r\n", qr/ASK/, 'a circle of ASK');
ends("-MOVED $slot 127.0.0.1:$stranger->{port}\r\n", qr/MOVED/, 'to a stranger');
ends("-ASK $slot 127.0.0.1:$stranger->{port}\r\n", qr/ASK/, 'ASK a stranger');
ends("-MOVED $slot $_\r\n", qr/MOVED/, "to '$_'") for '', ':', '?:1', '127.0.0.1', '127.0.0.1:', '127.0.0.1:0', '127.0.0.1:99999', 'a b:1', '127.0.0.1:1x', 'x' x 300 . ':1';
ends("-MOVED $_ 127.0.0.1:$fake->{port}\r\n", qr/MOVED/, "slot $_") for '-1', '16384', '99999999999999999999', 'x';
ends("-MOVED\r\n", qr/MOVED/, 'nothing');
ends("-TRYAGAIN\r\n", qr/TRYAGAIN/, 'never ready');
ends("-CLUSTERDOWN Hash slot not served\r\n", qr/CLUSTERDOWN/, 'never up');
is(count_of($stranger, 'connections'), 0, 'the stranger was left alone');

# Topologies that are none; of some of the numbers 32 bits would be slots, or more.
for my $bytes (
	(map { "*1\r\n*3\r\n:$_->[0]\r\n:$_->[1]\r\n*2\r\n\$1\r\nh\r\n:1\r\n" } [ 0, -4293967296 ], [ 0, -4294967295 ],
		[ -4294967296, 5 ], [ 4294967296, 5 ], [ 5, 4 ], [ 0, '9223372036854775807' ]),
	"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n\$3\r\nh\0h\r\n:1\r\n",
	"*0\r\n", "*1\r\n*0\r\n", "*1\r\n:1\r\n", "*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n\$1\r\nh\r\n:1\r\n",
	"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n\$1\r\nh\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n\$1\r\nh\r\n:0\r\n",
	"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n\$3\r\nh h\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n*-1\r\n:0\r\n", "\$-1\r\n")
{
	fake_mode($fake, 'raw', $bytes);
	my $began = count_of($fake, 'cluster');

	# two commands ask; the first may be of before
	ok(wait_until($node, qq{SELECT cache_redis_locate('k') = '127.0.0.1:$fake->{port}' AND length(pg_read_file('$fake->{dir}/cluster')) >= $began + 4}), 'no topology');
	is(one_value($node, 'SELECT count(*) FROM cache_redis_nodes'), 1, '... gives no nodes');
}

# One that names another node, once without its host, which is the same then.
fake_mode($fake, 'raw', "*2\r\n*3\r\n:0\r\n:7999\r\n*2\r\n\$-1\r\n:$stranger->{port}\r\n"
	  . "*3\r\n:8000\r\n:16383\r\n*2\r\n\$9\r\n127.0.0.1\r\n:$stranger->{port}\r\n");
ok(wait_until($node, qq{SELECT cache_redis_locate('k') = '127.0.0.1:$stranger->{port}'}), 'a topology is believed');
fake_mode($fake, 'raw', "-ERR This instance has cluster support disabled\r\n");
is(one_value($node, q{SELECT cache_redis('GET', 'k')}), 'k', '... and used, also when nobody tells of it any more');
is(one_value($node, q{SELECT name || setting FROM pg_settings WHERE name = 'cachepg.redis_sharding'}), 'cachepg.redis_shardingcluster', 'the setting');

# A database, which a cluster does not have.
my $said = 'in Redis Cluster the database must be 0';
fake_mode($fake, 'echo');
$node->append_conf('postgresql.conf', "cachepg.redis_servers = 'redis://localhost:$fake->{port}/1?name=one'");
$node->reload;
ok(wait_until($node, q{SELECT string_agg(node, ' ') = 'one' FROM cache_redis_nodes}), 'a URL with a database');
# until workers have closed what they had
ok(wait_until($node, qq{SELECT last_error = '$said' AND breaker <> 'closed' FROM cache_redis_nodes}), '... is not used, which the view says');
$before = count_of($fake, 'connections');
is(one_value($node, 'SELECT error FROM cache_redis_ping()'), $said, '... and a ping');
fails_with($node, q{SELECT cache_redis('GET', 'k')}, '08001', qr/Redis server "one" failed: $said/, '... and a command');
is(count_of($fake, 'connections'), $before, '... without a connection');
is(scalar(() = slurp_file($node->logfile) =~ /Redis server "one" fails.*\n.*$said/g), 1, 'one line in the log');
$node->append_conf('postgresql.conf', q{cachepg.redis_sharding = 'rendezvous'});
$node->reload;
ok(wait_until($node, 'SELECT count(*) = 1 FROM cache_redis_nodes'), 'independent servers again');
ok(wait_until($node, 'SELECT ok FROM cache_redis_ping()'), '... have databases');
check_store($node);
$node->stop;
done_testing();
