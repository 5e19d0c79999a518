# With load_lock, nobody takes a lock that would stay: not on a standby, which has no
# broadcaster, and not while the server of Redis that has the bus is down, though the
# one that has the lock is well.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Cluster;
use RedisServer;
use Test::More;
use Time::HiRes qw(sleep time);

my @redis = (start_redis(), start_redis());
my $home = new_cluster(
	'home', -streaming => 1,
	'cachepg.redis_servers' => redis_url(@redis),
	'cachepg.server_name' => 'a',
	'cachepg.bus_heartbeat' => '50ms',
	'cachepg.bus_silence' => '500ms');

$home->safe_psql('postgres', q{SELECT cache_namespace_create('t', scope => 'shared', adhoc => 'shared', load_lock => true, consistency => 'ttl')});
$home->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($home, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "cachepg.server_name = 'b'\ncachepg.l2_home = 'a'");
$standby->start;
$home->wait_for_catchup($standby);
ok(wait_until($standby, 'SELECT current FROM cache_bus'), 'the standby hears of its primary');

sub fetch { return qq{SELECT cache_fetch('t:$_[0]', 'SELECT 7')} }

sub locks
{
	return join ' ', grep { $_ ne '' } map { redis($_, 'KEYS', 'cachepg:default:l:*') } grep { $_->{run} } @redis;
}

# The server where something lies, as the number in @redis.
sub place_of
{
	my ($key) = @_;
	my $at = one_value($home, qq{SELECT cache_redis_locate('$key')});

	return $at =~ /$redis[0]{port}/ ? 0 : 1;
}

# A key whose lock is on a server.
sub key_on
{
	my ($place) = @_;

	for my $i (1 .. 100)
	{
		$home->safe_psql('postgres', fetch("k$i"));
		until_redis(sub { grep { redis($_, 'KEYS', "cachepg:default:v:*t:k$i#*") ne '' } @redis });
		my ($name) = map { redis($_, 'KEYS', "cachepg:default:v:*t:k$i#*") =~ /(\S+)/ ? $1 : () } @redis;

		(my $lock = $name) =~ s/:v:/:l:/;
		return "k$i" if place_of($lock) == $place;
	}
	die 'no such key';
}

is($standby->safe_psql('postgres', fetch('standby')), '7', 'the standby loads');
is(locks(), '', '... and takes no lock');

my $bus = place_of('cachepg:default:bus');
my $key = key_on(1 - $bus);

ok(until_redis(sub { locks() eq '' }), 'the home gives its locks up');
stop_redis($redis[$bus]);
# what it gives up while it finds that out is given up, too
for my $pause (0, 0.2, 1.5)
{
	sleep($pause);
	$home->safe_psql('postgres', "SELECT cache_invalidate('t:$key')");
	my $began = time;

	is($home->safe_psql('postgres', fetch($key)), '7', 'without the bus the home loads');
	cmp_ok(time - $began, '<', 3, '... in time');
}
ok(until_redis(sub { locks() eq '' }), '... and leaves no lock');

check_store($_) for $home, $standby;
$_->stop for $standby, $home;
done_testing();
