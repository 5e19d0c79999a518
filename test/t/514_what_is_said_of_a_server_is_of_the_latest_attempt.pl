# What went wrong at a Redis server is told as it was at the latest attempt, not
# at an earlier one.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../faults";
use CachePg;
use FakeRedis qw(fake_redis fake_mode fake_stop);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races qw(session run close_session);
use Test::More;

my $fake = fake_redis();
my $node = new_cluster('told', 'cachepg.redis_timeout' => '1s', 'cachepg.redis_connect_timeout' => '1s');
my $file = PostgreSQL::Test::Utils::tempdir() . '/password';

# A command that fails, with what it says.
sub says { return run($_[0], q{SELECT cache_redis('GET', 'k')}) =~ /failed: (.*)/ ? $1 : 'nothing' }

sub last_error { return one_value($node, q{SELECT last_error FROM cache_redis_nodes WHERE node = 'a'}) }

append_to_file($file, "secret\n");
chmod oct 600, $file;
# not at the start: then no worker of cachepg connects
$node->append_conf('postgresql.conf', "cachepg.redis_servers = 'redis://127.0.0.1:$fake->{port}?name=a'\ncachepg.redis_password_file = '$file'");
$node->reload;
ok(wait_until($node, q{SELECT count(*) = 1 FROM cache_redis_nodes}), 'one server');

my $s = session($node);

# The first attempt may be repeated, the second may not.
for my $case ([ 'close', 'the connection was lost' ], [ 'hang', 'no reply in time' ])
{
	my ($mode, $text) = @$case;

	fake_mode($fake, "once $mode", "-LOADING not yet\r\n");
	is(says($s), $text, "LOADING, then: $mode");
	is(last_error(), $text, '... as the view says');
}
fake_mode($fake, 'raw', "-LOADING not yet\r\n");
is(says($s), 'AUTH refused: LOADING', 'LOADING each time');
is(last_error(), 'AUTH refused: LOADING', '... as the view says');
close_session($s);
check_store($node);
$node->stop;
fake_stop($fake);
done_testing();
