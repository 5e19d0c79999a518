# A Redis server is taken out, its values are invalidated or replaced on others,
# and it returns with what it had: none of that is served.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use RedisServer;
use Test::More;
use Time::HiRes qw(sleep);

my @redis = map { start_redis() } 1 .. 3;
my $node = new_cluster(
	'sharded',
	'cachepg.redis_servers' => redis_url(@redis),
	'cachepg.server_name' => 'a');

sub sql { return $node->safe_psql('postgres', join '; ', @_) }

# Use some of the servers from now on.
sub use_servers
{
	my $url = redis_url(@_);

	$node->append_conf('postgresql.conf', "cachepg.redis_servers = '$url'");
	$node->reload;
	ok(wait_until($node, "SELECT current_setting('cachepg.redis_servers') = '$url'"), scalar(@_) . ' servers are used');
	return;
}

sub keys_of
{
	my ($server) = @_;

	return map { /:v:postgres:(s:\d+)$/ ? $1 : () } split /\n/, redis($server, 'KEYS', 'cachepg:*');
}

# Until all values are in Redis.
sub wait_for_values
{
	my ($count) = @_;

	for (1 .. 500)
	{
		my $sum = 0;

		$sum += keys_of($_) for @redis;
		return if $sum >= $count;
		sleep(0.02);
	}
	die 'Redis did not get all values';
}

sql(q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)},
	q{SELECT cache_set('s:' || i, i) FROM generate_series(1, 60) i});
wait_for_values(60);
my @kept = keys_of($redis[2]);
cmp_ok(scalar @kept, '>', 5, 'the third server has some of the values');
my ($deleted, $replaced, $left) = @kept;
is(sql("SELECT cache_get('$left', 0)"), substr($left, 2), 'which are served');

use_servers(@redis[ 0, 1 ]);
is(sql("SELECT cache_get('$left', 0)"), substr($left, 2), 'the last one read is still here');
is(sql("SELECT cache_get('$deleted', 0)"), '0', 'others on the server that was taken out are misses');
sql("SELECT cache_delete('$deleted')", "SELECT cache_set('$replaced', -1)", q{SELECT cache_set('s:other', 0)});

use_servers(@redis);
is(sql("SELECT cache_get('$deleted', 0)"), '0', 'what was deleted meanwhile does not come back');
# what it was replaced by may have been sent after the return
like(sql("SELECT cache_get('$replaced', 0)"), qr/^(?:0|-1)$/, 'nor what was replaced');
is(sql("SELECT cache_get('$left', 0)"), substr($left, 2), 'what is still right is served again');

check_store($node);
$node->stop;
done_testing();
