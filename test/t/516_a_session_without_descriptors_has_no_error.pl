# A session that may open no more files, or one more, cannot connect to Redis:
# reads are misses, a command says why, the server is not blamed.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../faults";
use CachePg;
use FakeRedis qw(start_redis stop_redis);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races qw(session run pid_of close_session);
use Test::More;

plan skip_all => 'no redis-server' unless -x '/usr/bin/redis-server';
plan skip_all => 'no prlimit' unless -x '/usr/bin/prlimit';

my $redis = start_redis();
my $node = new_cluster('poor', 'cachepg.redis_servers' => "unix://$redis->{socket}?name=a", 'cachepg.redis_timeout' => '2s',
	'cachepg.server_name' => 'a');

$node->safe_psql('postgres', q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)});
$node->safe_psql('postgres', q{SELECT cache_set('s:k', 1), cache_set('s:other', 1)});
my $read = q{SELECT cache_get('s:k', 0)};
my $evict = q{SELECT cache_get('s:other', 0)};
# the other value is there when the broadcaster has sent it
ok(wait_until($node, "$evict = 1 AND cache_get('s:k', 0) = 1"), 'both values are in Redis');

# with_files(SESSION, N, STATEMENT...): what a session gets that may open N more.
sub with_files
{
	my ($s, $more, @statements) = @_;
	my $pid = pid_of($s);
	my ($free) = grep { !-e "/proc/$pid/fd/$_" } 0 .. 1000;
	my ($before) = run_command([ 'prlimit', '--pid', $pid, '--nofile', '--output=SOFT', '--noheadings' ]);

	system_or_bail('prlimit', '--pid', $pid, '--nofile=' . ($free + $more) . ':');
	my @got = map { run($s, $_) } @statements;
	system_or_bail('prlimit', '--pid', $pid, '--nofile=' . ($before =~ /(\d+)/)[0] . ':');
	return @got;
}

one_value($node, $evict);
my $s = session($node);
is(run($s, $evict), '1', 'a session that has not needed Redis so far');
is(run($s, q{SELECT cache_redis('PING')}), 'PONG', '... nor keeps a connection');
for my $more (0, 1)
{
	my ($value, $said) = with_files($s, $more, $read, q{SELECT cache_redis('PING')});

	is($value, '0', "a miss with room for $more files");
	like($said, qr/Redis server "a" failed: too many files are open/, '... and a command says why');
}
is(run($s, $read), '1', 'afterwards it comes from Redis again');
is(one_value($node, 'SELECT breaker, errors FROM cache_redis_nodes'), 'closed|0', 'the server is not said to fail');
close_session($s);
check_store($node);
$node->stop;
stop_redis($redis);
done_testing();
