# Two servers, one Redis: b takes what a wrote, and a commit on a takes it away
# from b; so it does with what b loaded itself.  Whatever happens to Redis, to the
# stream or to a, b serves nothing that a invalidated.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(time sleep);

my $redis = start_redis();
my %settings = (
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.bus_heartbeat' => '50ms',
	'cachepg.bus_silence' => '1s');
my $a = new_cluster('a', %settings, 'cachepg.server_name' => 'a');
my $b = new_cluster('b', %settings, 'cachepg.server_name' => 'b', 'cachepg.l2_home' => 'a');

sub on
{
	my ($node, @statements) = @_;

	return $node->safe_psql('postgres', join '; ', @statements);
}

sub count_of
{
	my ($node, $what) = @_;

	return on($node, "SELECT $what FROM cache_namespace_stats WHERE namespace = 's'");
}

sub current
{
	ok(wait_until($b, 'SELECT coalesce(bool_and(current), false) FROM cache_bus'), shift // 'b is current');
	return;
}

# Until a query on b gives a value; the seconds it took.
sub until_b
{
	my ($query, $value) = @_;
	my $began = time;

	while (time - $began < 30)
	{
		return time - $began if on($b, $query) eq $value;
	}
	return undef;
}

# Does a value that a makes reach b?  One made before b is sure of a again is
# refused for good, so it is made again until one arrives.
sub travels
{
	my ($key) = @_;
	my $began = time;

	for (my $value = 1; time - $began < 30; $value++)
	{
		on($a, qq{SELECT cache_set('$key', '$value'::text)});
		sleep(0.05);
		return 1 if on($b, qq{SELECT cache_get('$key', '')}) eq $value;
	}
	return 0;
}

for my $node ($a, $b)
{
	on($node, q{CREATE TABLE item (id int PRIMARY KEY, name text)}, q{INSERT INTO item VALUES (1, 'one')},
		q{SELECT cache_namespace_create('s', scope => 'shared', adhoc => 'shared')});
}
on($b, q{UPDATE item SET name = 'b''s one'});
current();

# values travel
my $fetch = q{SELECT cache_fetch('s:item', 'SELECT name FROM item WHERE id = 1') #>> '{}'};

on($a, q{SELECT cache_set('s:set', 'from a'::text, tags => ARRAY['s:tag'])});
ok(defined until_b(q{SELECT cache_get('s:set', '')}, 'from a'), 'what a sets is there for b');
is(on($a, $fetch), 'one', 'a loads');
until_b(q{SELECT 1}, 1);
sleep(0.2);
is(on($b, $fetch), 'one', 'b takes what a loaded, instead of loading');
my $hits = count_of($b, 'l2_hits');
is(on($b, $fetch), 'one', 'and keeps it');
is(count_of($b, 'l2_hits'), $hits, '... in its own memory');

# so do invalidations
for my $case (
	[ 'a key', q{SELECT cache_invalidate('s:set')} ],
	[ 'a deletion', q{SELECT cache_delete('s:set')} ],
	[ 'a tag', q{SELECT cache_invalidate_tag('s:tag')} ],
	[ 'a namespace', q{SELECT cache_clear('s')} ],
	[ 'everything', q{SELECT cache_clear()} ],
	[ 'an expired key', q{SELECT cache_expire('s:set')} ])
{
	my ($what, $statement) = @$case;

	on($a, q{SELECT cache_set('s:set', 'again'::text, tags => ARRAY['s:tag'])});
	ok(defined until_b(q{SELECT cache_get('s:set', '')}, 'again'), "before $what is invalidated on a, b has it");
	on($a, $statement);
	ok(defined until_b(q{SELECT cache_get('s:set', '')}, ''), "$what invalidated on a is gone on b");
}
is(on($b, $fetch), 'b\'s one', 'b loads what it is not given');

# what b says of the home's values the home says again
for my $case (
	[ 'a tag', q{SELECT cache_invalidate_tag('s:tag')} ],
	[ 'an expired tag', q{SELECT cache_expire_tag('s:tag')} ])
{
	my ($what, $statement) = @$case;

	on($a, q{SELECT cache_set('s:set', 'retold'::text, tags => ARRAY['s:tag'])});
	ok(defined until_b(q{SELECT cache_get('s:set', '')}, 'retold'), "before $what is invalidated on b, b has it");
	on($b, $statement);
	ok(defined until_b(q{SELECT cache_get('s:set', '')}, ''), "$what invalidated on b takes the home's value from it");
}
on($a, q{UPDATE item SET name = 'uno' WHERE id = 1});
on($b, q{ALTER TABLE item DISABLE TRIGGER ALL}, q{UPDATE item SET name = 'b''s uno'});
is(on($a, $fetch), 'uno', 'a loads again');
ok(defined until_b($fetch, 'uno'), 'and b has it, after a change of the table on a');
on($a, q{UPDATE item SET name = 'due' WHERE id = 1});
ok(defined until_b($fetch, q{b's uno}), 'a change on a takes it from b');

# what b loaded itself depends on tables by their names
on($b, q{SELECT cache_fetch('s:own', 'SELECT count(*) FROM item')});
my $loads = count_of($b, 'loads');
on($b, q{SELECT cache_fetch('s:own', 'SELECT count(*) FROM item')});
is(count_of($b, 'loads'), $loads, 'b keeps what it loads');
on($a, q{INSERT INTO item VALUES (2, 'two')});
ok(defined until_b(q{SELECT (SELECT loads FROM cache_namespace_stats WHERE namespace = 's') > } . $loads .
		q{ FROM cache_fetch('s:own', 'SELECT count(*) FROM item')}, 't'), 'a change of a table of that name on a invalidates it');

# a prepared transaction, a subtransaction, a rolled-back one
on($a, q{SELECT cache_set('s:set', 'kept'::text)});
until_b(q{SELECT cache_get('s:set', '')}, 'kept');
on($a, 'BEGIN', q{SELECT cache_invalidate('s:set')}, 'ROLLBACK');
on($a, 'BEGIN', 'SAVEPOINT x', q{SELECT cache_invalidate('s:set')}, 'ROLLBACK TO x', q{SELECT cache_set('s:mark', 1)}, 'COMMIT');
until_b(q{SELECT cache_get('s:mark', 0)}, '1');
is(on($b, q{SELECT cache_get('s:set', '')}), 'kept', 'what is rolled back takes nothing away');

# a falls silent
on($a, q{SELECT cache_set('s:set', 'before'::text)});
until_b(q{SELECT cache_get('s:set', '')}, 'before');
my ($pid) = on($a, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg broadcaster'});
kill 'STOP', $pid;
ok(defined until_b(q{SELECT cache_get('s:set', '')}, ''), 'b serves nothing of a that has fallen silent');
is(on($b, 'SELECT current FROM cache_bus'), 'f', 'and says so');
on($a, q{SELECT cache_invalidate('s:set')});
kill 'CONT', $pid;
current('a is heard of again');
is(on($b, q{SELECT cache_get('s:set', '')}), '', 'what a invalidated meanwhile is gone');
ok(travels('s:set2'), 'and values travel again');

# messages are lost
on($a, q{SELECT cache_set('s:lost', 'before'::text)});
until_b(q{SELECT cache_get('s:lost', '')}, 'before');
($pid) = on($b, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg subscriber'});
kill 'STOP', $pid;
on($a, q{SELECT cache_invalidate('s:lost')});
sleep(0.3);
redis($redis, 'DEL', 'cachepg:default:bus');
kill 'CONT', $pid;
current('b hears of a again');
ok(travels('s:gap'), 'after a gap values travel again');
is(on($b, q{SELECT cache_get('s:lost', '')}), '', 'what was invalidated in the gap is gone');

# more messages wait than one reply may hold
$b->append_conf('postgresql.conf', q{cachepg.redis_max_reply = '128kB'});
$b->reload;
on($a, q{SELECT cache_set('s:many', 'before'::text)});
until_b(q{SELECT cache_get('s:many', '')}, 'before');
($pid) = on($b, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg subscriber'});
kill 'STOP', $pid;
on($a, "SELECT cache_invalidate('s:' || repeat('x', 450) || i) FROM generate_series(1, 45) i") for 1 .. 40;
on($a, q{SELECT cache_invalidate('s:many')});
sleep(1.2);
kill 'CONT', $pid;
current('b gets through many long messages');
is(on($b, q{SELECT cache_get('s:many', '')}), '', 'and knows what the last one says');
ok(travels('s:long'), 'then values travel again');

# Redis is away, and comes back empty
on($a, q{SELECT cache_set('s:away', 'before'::text)});
until_b(q{SELECT cache_get('s:away', '')}, 'before');
stop_redis($redis);
ok(defined until_b(q{SELECT cache_get('s:away', '')}, ''), 'without Redis b serves nothing of a');
on($a, q{SELECT cache_invalidate('s:away')});
is(on($a, $fetch), 'due', 'a goes on');
restart_redis($redis);
current('both are back');
is(on($b, q{SELECT cache_get('s:away', '')}), '', 'what was invalidated without Redis is gone');
ok(travels('s:back'), 'and values travel again');

# Redis answers reads, but takes no writes: full, or a replica after a failover
for my $case (
	[ 'full', [ 'CONFIG', 'SET', 'maxmemory', '1' ], [ 'CONFIG', 'SET', 'maxmemory', '0' ] ],
	[ 'read-only', [ 'REPLICAOF', '127.0.0.1', '1' ], [ 'REPLICAOF', 'NO', 'ONE' ] ])
{
	my ($what, $begin, $end) = @$case;

	on($a, q{SELECT cache_set('s:full', 'before'::text)});
	until_b(q{SELECT cache_get('s:full', '')}, 'before');
	redis($redis, @$begin);
	on($a, q{SELECT cache_invalidate('s:full')});
	is(on($a, q{SELECT cache_get('s:full', '')}), '', "with Redis $what the home is right");
	ok(defined until_b(q{SELECT cache_get('s:full', '')}, ''), '... and b serves nothing of it');
	redis($redis, @$end);
	current('... until Redis takes writes again');
	is(on($b, q{SELECT cache_get('s:full', '')}), '', 'what was invalidated meanwhile is gone');
}
like(slurp_file($a->logfile), qr/could not tell other servers of invalidations: OOM\n.*Attempt 1, retrying in \d+ ms/s, 'attempts are logged, with the code of the error alone');
like(slurp_file($a->logfile), qr/tells other servers of invalidations again.*Recovered after \d+ attempts/s, 'so is the recovery');

# a begins a new life; until b has heard of it, that is for as long as a may be
# silent, it goes on with the old one
$a->stop('immediate');
$a->start;
ok(travels('s:new'), 'what a sets after a crash travels');
is(on($b, q{SELECT cache_get('s:back', '')}), '', '... and nothing of its old life is served then');

# two servers of one name would not hear of each other
my $c = new_cluster('c', %settings, 'cachepg.server_name' => 'a');
my $said = qr/another server of the cachepg cluster has the name "a"/;

$_->wait_for_log($said) for $a, $c;
ok(1, 'both servers of one name say so');
$c->stop;

check_store($_) for $a, $b;
$_->stop for $a, $b;
done_testing();
