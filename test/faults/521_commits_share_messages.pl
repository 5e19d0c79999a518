# Commits that come while the broadcaster is busy share a message, with the number
# of the last of them; those that set or invalidate keys do not: what they set
# would seem to be older than its own invalidation.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;
use RedisServer;

my $redis = start_redis();
my %settings = ('cachepg.redis_servers' => redis_url($redis), 'cachepg.bus_heartbeat' => '50ms', 'cachepg.bus_silence' => '1min');
my $a = race_cluster('a', %settings, 'cachepg.server_name' => 'a');
my $b = race_cluster('b', %settings, 'cachepg.server_name' => 'b', 'cachepg.l2_home' => 'a');
my $next = 0;

sub on { my ($node, @sql) = @_; return $node->safe_psql('postgres', join '; ', @sql) }

sub drained { return comes($a, q{SELECT unsent_bytes FROM cache_bus}, 0) }

# Commits of a while Redis stands still; how many messages they were.
sub messages_of
{
	my (@commits) = @_;
	my $before = one_value($a, 'SELECT messages FROM cache_bus');

	kill 'STOP', $redis->{pid};
	$a->safe_psql('postgres', "$_;") for @commits;
	kill 'CONT', $redis->{pid};
	ok(drained(), 'Redis has all of them');
	return one_value($a, 'SELECT messages FROM cache_bus') - $before;
}

sub insert { return 'INSERT INTO t VALUES (' . ++$next . ', 1)' }

# What b has, of a key that a set between other commits, or 'nothing'.
sub set_between
{
	my ($key) = @_;

	messages_of(insert(), insert(), "SELECT cache_set('s:$key', 'new'::text)", insert(), "SELECT cache_invalidate('s:$key-')", insert());
	ok(until_redis(sub { redis($redis, 'EXISTS', "cachepg:default:v:postgres:s:$key") eq '1' }), 'its value is in Redis');
	return on($b, "SELECT cache_get('s:$key', 'nothing')");
}

on($_, q{SELECT cache_namespace_create('s', scope => 'shared')}, q{CREATE TABLE u (i integer)}) for $a, $b;
ok(comes($b, 'SELECT current FROM cache_bus', 't'), 'b hears of a');
ok(drained(), 'nothing else is on its way');

# one may be sent, or be about to be, when Redis stands still
my @commits = map { insert() } 1 .. 20;
cmp_ok(messages_of(@commits), '<=', 2, 'twenty commits to a table are two messages');
cmp_ok(without($a, 'bus-together', sub { messages_of(map { insert() } 1 .. 20) }), '>=', 20, 'control: otherwise one each');

# all of them are told: of other tables, too
on($b, q{SELECT cache_fetch('s:t', 'SELECT count(*) FROM t')}, q{SELECT cache_fetch('s:u', 'SELECT count(*) FROM u')});
messages_of(insert(), 'INSERT INTO u VALUES (1)', insert(), insert());
ok(comes($b, qq{SELECT cache_exists('s:$_')}, 'f'), "b has heard of a write to $_") for qw(t u);

is(set_between('k'), 'new', 'what a commit set between others is valid');
is(without($a, 'bus-keys-alone', sub { set_between('l') }), 'nothing', 'control: with the number of a later one it would not be');

check_store($_) for $a, $b;
$_->stop for $a, $b;
done_testing();
