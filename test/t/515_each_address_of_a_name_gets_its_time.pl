# A name with two addresses, of which the first swallows what is sent to it: the
# second is tried while there is time.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../faults";
use CachePg;
use FakeRedis qw(fake_redis fake_stop fake_count);
use IO::Socket::IP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races qw(session run close_session);
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no IPv6' unless IO::Socket::IP->new(Listen => 1, LocalHost => '::1', Proto => 'tcp');

# A listener whose queue is full: whoever else connects gets no answer.
sub black_hole
{
	my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', Proto => 'tcp', Listen => 1) or die "could not listen: $!";
	my @waiting;

	listen $listener, 0 or die "could not listen: $!";
	for (1 .. 20)
	{
		my $peer = IO::Socket::IP->new(
			PeerHost => '127.0.0.1', PeerPort => $listener->sockport, Proto => 'tcp', Timeout => 0.3);

		return { listener => $listener, port => $listener->sockport, waiting => \@waiting } unless $peer;
		push @waiting, $peer;
	}
	die 'the queue of a listener is never full';
}

my $hole = black_hole();
my $fake = fake_redis('::1', $hole->{port});
my $node = new_cluster('patient', 'cachepg.redis_timeout' => '1s', 'cachepg.redis_connect_timeout' => '2s');

# not at the start: then no worker of cachepg connects
$node->append_conf('postgresql.conf', "cachepg.redis_servers = 'redis://localhost:$hole->{port}?name=a'");
$node->reload;
ok(wait_until($node, q{SELECT count(*) = 1 FROM cache_redis_nodes}), 'a server with two addresses');

my $s = session($node);
my $began = time;
is(run($s, q{SELECT cache_redis('GET', 'k')}), 'k', 'the second address answers');
my $took = time - $began;
cmp_ok($took, '>', 0.9, '... after the first has had half of the time');
cmp_ok($took, '<', 1.9, '... and no more');
is(fake_count($fake, 'connections'), 1, '... with one connection');
fake_stop($fake);
$began = time;
like(run($s, q{SELECT cache_redis('GET', 'k')}), qr/failed: no reply in time/, 'without the second nobody answers');
cmp_ok(time - $began, '<', 1.9, '... and it is not tried again');
close_session($s);
check_store($node);
$node->stop;
done_testing();
