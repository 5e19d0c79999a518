# With load_lock a server that missed a value, or did not find it when it looked
# for it last, may get the lock of its load just after another server's load has
# ended.  Then the value is there, and is looked for once more.  But only what was
# left since it was asked for is taken.  With either switched off the control gets
# the other result.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;
use RedisServer;

my $redis = start_redis();
my %settings = ('cachepg.redis_servers' => redis_url($redis), 'cachepg.bus_heartbeat' => '50ms');
my %node = (
	a => race_cluster('a', %settings, 'cachepg.server_name' => 'a'),
	map { $_ => race_cluster($_, %settings, 'cachepg.server_name' => $_, 'cachepg.l2_home' => 'a') } qw(b c));
my %s = map { $_ => session($node{$_}) } sort keys %node;

for my $name (sort keys %node)
{
	$node{$name}->safe_psql('postgres', join '; ',
		q{CREATE FUNCTION load_some(keys text[]) RETURNS TABLE (key text, value jsonb) LANGUAGE sql
			AS $$SELECT k, to_jsonb(k || '!') FROM unnest(keys) k$$},
		q{SELECT cache_namespace_create('m', loader => 'load_some', load_lock => true, consistency => 'ttl')},
		q{SELECT cache_namespace_create('o', scope => 'shared', adhoc => 'shared', load_lock => true, consistency => 'ttl',
			ttl => '200 ms', wait_timeout => '300 ms')},
		q{SELECT cache_namespace_create('t', scope => 'shared', adhoc => 'shared', load_lock => true, consistency => 'ttl')});
}
ok(comes($node{$_}, 'SELECT current FROM cache_bus', 't'), "$_ hears of a") for qw(b c);

sub loads { return one_value($node{$_[0]}, 'SELECT sum(loads) FROM cache_namespace_stats') }

sub lock_is_free
{
	my ($like) = @_;

	return until_redis(sub { redis($redis, 'KEYS', "cachepg:default:l:*$like*") eq '' });
}

# The late server stops before it asks for the lock, the first one loads; what
# the late one got, and its loads.
sub late_one
{
	my ($late, $first, $sql, $like) = @_;
	my $before = loads($late);

	stops($s{$late}, $sql, 'l2-claiming');
	run($s{$first}, $sql);
	ok(lock_is_free($like), 'the load has ended');
	my $life = life_of($like);
	my $got = resume($s{$late}, 'l2-claiming');
	lock_is_free($like);
	cmp_ok(life_of($like), '<=', $life, 'what was taken is not left again');
	return ($got, loads($late) - $before);
}

# The same if it loads itself: then it leaves what it has loaded.
sub late_one_loads
{
	my ($late, $first, $sql, $like) = @_;
	my $before = loads($late);

	stops($s{$late}, $sql, 'l2-claiming');
	run($s{$first}, $sql);
	lock_is_free($like);
	my $got = resume($s{$late}, 'l2-claiming');
	return ($got, loads($late) - $before);
}

# Of a few values handed over, the longest; 0 if there are none.
sub life_of
{
	my ($like) = @_;
	my @keys = sort split /\n/, redis($redis, 'KEYS', "cachepg:default:h:*$like*");
	my ($longest) = sort { $b <=> $a } map { redis($redis, 'PTTL', $_) } splice(@keys, 0, 3);

	return $longest // 0;
}

sub one { return "SELECT cache_fetch('$_[0]', 'SELECT 7')" }

sub many
{
	my ($from, $to) = @_;

	return qq{SELECT count(*) FILTER (WHERE value = to_jsonb(key || '!')) FROM cache_fetch_many(
		ARRAY(SELECT 'm:' || i FROM generate_series($from, $to) i))};
}

is_deeply([ late_one('c', 'b', one('t:1'), 't:1') ], [ 7, 0 ], 'what one that is not the home handed over');
is_deeply([ late_one('b', 'a', one('t:2'), 't:2') ], [ 7, 0 ], 'what the home wrote');
is_deeply([ late_one('c', 'b', many(1, 40), 'm:') ], [ 40, 0 ], 'many keys handed over');
is_deeply([ late_one('b', 'a', many(41, 80), 'm:') ], [ 40, 0 ], 'many keys that the home wrote');

# some of them
my $before = loads('c');
stops($s{c}, many(101, 140), 'l2-claiming');
run($s{b}, many(121, 160));
ok(lock_is_free('m:'), 'the load has ended');
is(resume($s{c}, 'l2-claiming'), 40, 'many keys of which some were handed over');
is(loads('c') - $before, 20, '... and the others loaded');

# while it waits: it has looked, and found nothing yet
my $c = loads('c');
arm($node{b}, 'fetch-loaded', 'wait', $s{b});
go($s{b}, one('t:3'));
one_value($node{b}, q{SELECT cachepg_fault_await('fetch-loaded')});
go($s{c}, one('t:3'));
ok(comes($node{c}, q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'CachePgLoadLock' OR wait_event = 'Extension'
	AND query LIKE '%t:3%' AND pid <> pg_backend_pid()}, 1), 'another server waits');
arm($node{c}, 'l2-claiming', 'wait', $s{c});
is(one_value($node{c}, q{SELECT cachepg_fault_await('l2-claiming')}), 't', '... and is about to ask for the lock again');
is(resume($s{b}, 'fetch-loaded'), 7, 'the load ends');
ok(lock_is_free('t:3'), '... and its lock is given up');
is(resume($s{c}, 'l2-claiming') . ' ' . (loads('c') - $c), '7 0', '... and is not repeated');

# A value that was handed over before it was asked for is not taken: its life
# would begin anew.  c waits for the second load of b in vain, and loads itself.
run($s{$_}, "INSERT INTO t VALUES (1, ('$_' = 'c')::integer)") for qw(b c);
sub age_of_what_c_gets
{
	my ($key) = @_;
	my $fetch = qq{SELECT cache_fetch('$key', 'SELECT v FROM t')};

	run($s{b}, $fetch);
	ok(until_redis(sub { redis($redis, 'KEYS', "cachepg:default:h:*$key*") ne '' }), 'a value was handed over');
	ok(lock_is_free($key), '... and its lock given up');
	ok(comes($node{b}, "SELECT cache_exists('$key')", 'f'), '... and has expired');
	stops($s{b}, $fetch, 'fetch-loaded');
	my $got = run($s{c}, $fetch);
	resume($s{b}, 'fetch-loaded');
	ok(lock_is_free($key), 'b has ended');
	return $got ? 'new' : 'old';
}
is(age_of_what_c_gets('o:1'), 'new', 'a value handed over earlier is not taken');
is(without($node{c}, 'l2-handed-age', sub { age_of_what_c_gets('o:2') }), 'old', 'control: by its age');

is_deeply([ without($node{c}, 'l2-look-again', sub { late_one_loads('c', 'b', one('t:4'), 't:4') }) ], [ 7, 1 ],
	'control: without another look it would be');
is_deeply([ without($node{b}, 'l2-look-again', sub { late_one_loads('b', 'a', many(201, 240), 'm:') }) ], [ 40, 40 ],
	'control: many keys likewise');

close_session(values %s);
check_store($_) for values %node;
$_->stop for values %node;
done_testing();
