# With load_lock servers agree on who loads, one key or many: the home writes what
# it loads to Redis, others hand it over, if the value is of consistency ttl.  A lock whose
# holder died expires; one that belongs to somebody else stays.  Without Redis
# everybody loads.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use RedisServer;
use Test::More;
use Time::HiRes qw(time);

my $redis = start_redis();
my %settings = ('cachepg.redis_servers' => redis_url($redis), 'cachepg.bus_heartbeat' => '50ms');
my %node = (
	a => new_cluster('a', %settings, 'cachepg.server_name' => 'a'),
	map { $_ => new_cluster($_, %settings, 'cachepg.server_name' => $_, 'cachepg.l2_home' => 'a') } qw(b c));

sub on
{
	my ($node, @statements) = @_;

	return $node{$node}->safe_psql('postgres', join '; ', @statements);
}

# Loads so far, on all servers.
sub loads
{
	my $sum = 0;

	$sum += on($_, q{SELECT sum(loads) FROM cache_namespace_stats}) for sort keys %node;
	return $sum;
}

# Loads wait until all who are to ask have asked.
sub close_gates
{
	my (@names) = @_;
	my @gates = map { [ $node{$_}, start_psql($node{$_}, 'SELECT pg_advisory_lock(1); SELECT pg_sleep(600)') ] } @names;

	wait_until($node{$_}, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 1}) or die "no gate on $_"
	  for @names;
	return @gates;
}

sub open_gates
{
	for my $gate (@_)
	{
		my ($server, $run) = @$gate;

		one_value($server, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'});
		finish_psql($run);
	}
	return;
}

sub all_wait
{
	my ($name, $sql, $sessions) = @_;

	return wait_until($node{$name}, qq{SELECT count(*) = $sessions FROM pg_stat_activity
		WHERE query = \$sql\$$sql\$sql\$ AND state = 'active' AND wait_event IS NOT NULL});
}

# What sessions got, sorted.
sub results
{
	return join ',', sort { $a cmp $b } map { $_->[1] =~ /(\S+)/ ? $1 : 'nothing' } finish_psql(@_);
}

# Run a query on some servers, in so many sessions each, all at once; what they
# got, and how many loads that took.
sub at_once
{
	my ($sql, $sessions, @names) = @_;
	my $before = loads();
	my @gates = close_gates(@names);
	my @running = map { start_psql($node{$_}, ($sql) x $sessions) } @names;

	all_wait($_, $sql, $sessions) or die "they do not wait on $_" for @names;
	open_gates(@gates);
	return (results(@running), loads() - $before);
}

# The same where nothing needs to be loaded.
sub found_at_once
{
	my ($sql, $sessions, @names) = @_;
	my $before = loads();

	return (results(map { start_psql($node{$_}, ($sql) x $sessions) } @names), loads() - $before);
}

sub fetch
{
	my ($key) = @_;

	return "SELECT cache_fetch('$key', 'SELECT 7 FROM pg_advisory_xact_lock_shared(1)')";
}

# How many of some keys of the namespace m have the right value.
sub count_right
{
	my ($first, $last) = @_;

	return qq{SELECT count(*) FILTER (WHERE value = to_jsonb(key || '!')) FROM cache_fetch_many(
		ARRAY(SELECT 'm:' || i FROM generate_series($first, $last) i))};
}

for my $name (sort keys %node)
{
	on($name, q{CREATE FUNCTION load_some(keys text[]) RETURNS TABLE (key text, value jsonb) LANGUAGE sql
		AS $$SELECT k, to_jsonb(k || '!') FROM unnest(keys) k, pg_advisory_xact_lock_shared(1)$$},
		q{SELECT cache_namespace_create('m', loader => 'load_some', load_lock => true, consistency => 'ttl', wait_timeout => '1 min')});
	on($name, q{SELECT cache_namespace_create('x', scope => 'shared', adhoc => 'shared', load_lock => true)},
		q{SELECT cache_namespace_create('t', scope => 'shared', adhoc => 'shared', load_lock => true, consistency => 'ttl', wait_timeout => '1 min')},
		q{SELECT cache_namespace_create('n', scope => 'shared', adhoc => 'shared', consistency => 'ttl')});
}
ok(wait_until($node{$_}, 'SELECT current FROM cache_bus'), "$_ hears of a") for qw(b c);

my $ten = join ',', (7) x 10;
my $fifteen = join ',', (7) x 15;

is_deeply([ at_once(fetch('n:1'), 5, qw(a b c)) ], [ $fifteen, 3 ], 'without the lock each server loads once');
is_deeply([ at_once(fetch('t:1'), 5, qw(b c)) ], [ $ten, 1 ], 'with it one of two that are not the home');
is_deeply([ at_once(fetch('t:2'), 5, 'a') ], [ join(',', (7) x 5), 1 ], 'the home alone');
is_deeply([ found_at_once(fetch('t:2'), 5, qw(b c)) ], [ $ten, 0 ], 'which the others take');

# many keys at once
is_deeply([ at_once(count_right(1, 40), 1, 'a') ], [ '40', 40 ], 'the home loads many keys');
until_redis(sub { my @there = split /\n/, redis($redis, 'KEYS', 'cachepg:default:v:*m:*'); @there >= 40 });
my $calls = on('b', 'SELECT calls FROM cache_redis_nodes', count_right(1, 40), 'SELECT calls FROM cache_redis_nodes');
my ($calls_before, $right, $calls_after) = split /\n/, $calls;
is($right, 40, 'another server takes them');
cmp_ok($calls_after - $calls_before, '<', 15, '... in few round trips');
is_deeply([ found_at_once(count_right(1, 40), 1, qw(b c)) ], [ '40,40', 0 ], '... instead of loading them');
is_deeply([ at_once(count_right(41, 60), 1, qw(b c)) ], [ '20,20', 20 ], 'two that are not the home load each of many keys once');
my $loads = loads();
my @gates = close_gates(qw(b c));
my @overlapping = (start_psql($node{b}, count_right(61, 80)), start_psql($node{c}, count_right(71, 90)));
all_wait('b', count_right(61, 80), 1);
all_wait('c', count_right(71, 90), 1);
open_gates(@gates);
is(results(@overlapping), '20,20', 'keys of which another server loads some');
is(loads() - $loads, 30, '... are loaded once');

# a holder that is gone
redis($redis, 'SET', 'cachepg:default:l:postgres:x:y', 'somebody');
my ($key) = grep { /t:1/ } split /\n/, redis($redis, 'KEYS', 'cachepg:default:h:*');
ok($key, 'a result was handed over');
(my $lock = $key) =~ s/:h:/:l:/;
ok(locks_are_free(), 'locks are given up');
redis($redis, 'SET', $lock, 'somebody', 'PX', 1500);
on($_, q{SELECT cache_invalidate('t:1')}) for qw(a b c);
redis($redis, 'DEL', $key);
my $began = time;
is((found_at_once(fetch('t:1'), 5, 'b'))[0], join(',', (7) x 5), 'a lock whose holder died expires');
cmp_ok(time - $began, '>', 1.2, '... and not before');

# a lock that another one has got meanwhile
on('b', q{SELECT cache_invalidate('t:1')});
redis($redis, 'DEL', $key);
@gates = close_gates('b');
my ($slow) = start_psql($node{b}, fetch('t:1'));
until_redis(sub { redis($redis, 'EXISTS', $lock) eq '1' });
redis($redis, 'SET', $lock, 'somebody else', 'PX', 60000);
open_gates(@gates);
finish_psql($slow);
# the next thing that b sends comes after the attempt to give it up
on('b', q{SELECT cache_fetch('t:3', 'SELECT 1')});
until_redis(sub { redis($redis, 'KEYS', 'cachepg:default:h:*t:3*') ne '' });
is(redis($redis, 'GET', $lock), 'somebody else', 'a lock that belongs to somebody else stays');
redis($redis, 'DEL', $lock);

# Redis is away
stop_redis($redis);
is_deeply([ at_once(fetch('t:4'), 5, qw(b c)) ], [ $ten, 2 ], 'without Redis each server loads');

check_store($_) for values %node;
$_->stop for values %node;
done_testing();

sub locks_are_free
{
	return until_redis(sub { redis($redis, 'KEYS', 'cachepg:default:l:*#*') eq '' });
}
