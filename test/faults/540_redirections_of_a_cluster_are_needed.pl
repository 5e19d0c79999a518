# Redis Cluster, with nobody who asks for its slots: that values are hits while
# slots move, and locks of loads are given up, is due to following MOVED and
# ASK.  With each part of that switched off the same check fails.
# It takes long.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../t";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;
use RedisServer;

my @redis = start_redis_cluster(3, 0);
my $node = race_cluster(
	'cluster',
	'cachepg.redis_servers' => redis_url(@redis),
	'cachepg.redis_sharding' => 'cluster',
	'cachepg.redis_timeout' => '2s',
	'cachepg.server_name' => 'a');
my $key = 'cachepg:default:v:postgres:s:k';
my $slot = redis($redis[0], 'CLUSTER', 'KEYSLOT', $key);

sub value { return one_value($node, $_[0]) }

# A slot goes from its owner to another node, as far as the steps say; both.
sub move_slot
{
	my ($what, @steps) = @_;
	my $from = cluster_owner($what, @redis);
	my ($to) = grep { $_ != $from } @redis;

	cluster_move($what, $from, $to, $_) for @steps;
	return ($from, $to);
}

# What is read from Redis, nothing for a miss.
sub reads
{
	return value(q{SELECT cache_get('s:other', 0) * 0 || cache_get('s:k', '-'::text)});
}

sub locate { return value("SELECT cache_redis_locate('$key')") }

sub address { return "127.0.0.1:$_[0]{port}" }

value(q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)});
value(q{SELECT cache_set('s:k', 'v'::text), cache_set('s:other', 0)});
ok(until_redis(sub { grep { redis($_, 'KEYS', $key) } @redis }), 'a value is in the cluster');
is(reads(), '0v', '... and comes from there');
arm($node, 'cluster-ask', 'skip');

# MOVED
my ($from, $to) = move_slot($slot, 'open', 'keys', 'close');
is(without($node, 'cluster-moved', sub { reads() }), '0-', 'control: without following MOVED it would be a miss');
is(without($node, 'cluster-learn', sub { reads() . ' ' . locate() }), '0v ' . address($from), 'control: it could be followed without learning of it');
is(reads() . ' ' . locate(), '0v ' . address($to), 'MOVED is followed and remembered');

# ASK
($from, $to) = move_slot($slot, 'open', 'keys');
is(without($node, 'cluster-asking', sub { reads() }), '0-', 'control: without ASKING it would be a miss');
is(reads() . ' ' . locate(), '0v ' . address($from), 'ASK is followed and not remembered');
cluster_move($slot, $from, $to, 'close');

# Locks.
sub lock_of
{
	my ($server) = @_;

	return redis($server, 'KEYS', 'cachepg:default:l:postgres:x:*');
}

# A load whose lock moves before it ends; whether the lock is still there.
sub lock_stays
{
	my ($name, @steps) = @_;
	my ($gate, $loader) = map { session($node) } 1 .. 2;
	my ($at) = ('');

	run($gate, 'SELECT pg_advisory_lock(1)');
	go($loader, "SELECT cache_fetch('x:$name', 'SELECT 7 FROM pg_advisory_xact_lock_shared(1)')");
	until_redis(sub { ($at) = grep { lock_of($_) } @redis; $at }) or die 'no lock';
	my $moving = redis($redis[0], 'CLUSTER', 'KEYSLOT', lock_of($at));
	my ($old, $new) = move_slot($moving, @steps);
	run($gate, 'SELECT pg_advisory_unlock(1)');
	is(done($loader), '7', 'the load ends');
	my $gone = until_redis(sub { !grep { lock_of($_) } @redis });
	cluster_move($moving, $old, $new, 'close');
	redis($_, 'FLUSHALL') for @redis;
	close_session($gate, $loader);
	return $gone ? 'gone' : 'there';
}

value(q{SELECT cache_namespace_create('x', scope => 'shared', adhoc => 'shared', load_lock => true, load_timeout => '5 min')});
is(lock_stays('a', 'open', 'keys', 'close'), 'gone', 'a lock that has moved is given up');
is(without($node, 'cluster-moved', sub { lock_stays('b', 'open', 'keys', 'close') }), 'there', 'control: without following MOVED it would stay');
is(lock_stays('c', 'open', 'keys'), 'gone', 'one on its way likewise');
is(without($node, 'cluster-asking', sub { lock_stays('d', 'open', 'keys') }), 'there', 'control: without ASKING it would stay');

# The lock moves between the look at it and its deletion.
#
#	 broadcaster								the cluster
#	 WATCH, GET: the token is there
#												the key moves
#	 MULTI, DEL, EXEC: refused; again there
for my $case ([ 'e', 'open', 'keys' ], [ 'f', 'open', 'keys', 'close' ])
{
	my ($name, @steps) = @$case;
	my $at;

	arm($node, 'lock-watched', 'wait');
	is(value("SELECT cache_fetch('x:$name', 'SELECT 7')"), '7', 'a load');
	is(value(q{SELECT cachepg_fault_await('lock-watched')}), 't', 'its lock has been looked at');
	($at) = grep { lock_of($_) } @redis;
	my $moving = redis($redis[0], 'CLUSTER', 'KEYSLOT', lock_of($at));
	my ($old, $new) = move_slot($moving, @steps);
	disarm($node, 'lock-watched');
	ok(until_redis(sub { !grep { lock_of($_) } @redis }), "it is given up all the same: @steps");
	cluster_move($moving, $old, $new, 'close');
}

check_store($node);
$node->stop;
done_testing();
