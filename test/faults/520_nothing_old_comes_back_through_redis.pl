# What keeps an invalidated value from coming back through Redis, played step by
# step, each with its negative control: with the mechanism switched off the old
# value is served.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use CachePg;
use Races;
use RedisServer;

my $redis = start_redis();
my %settings = (
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.bus_heartbeat' => '50ms',
	'cachepg.bus_silence' => '700ms');
my $a = race_cluster('a', %settings, 'cachepg.server_name' => 'a', -streaming => 1);
my $b = race_cluster('b', %settings, 'cachepg.server_name' => 'b', 'cachepg.l2_home' => 'a');

sub on
{
	my ($node, @statements) = @_;

	return $node->safe_psql('postgres', join '; ', @statements);
}

sub get { return qq{SELECT cache_get('s:$_[0]', '')} }

# Give a key a value on a, and let Redis have it.
sub set_on_a
{
	my ($key, $value) = @_;

	on($a, "SELECT cache_set('s:$key', '$value'::text)");
	for (1 .. 500)
	{
		return if redis($redis, 'GET', "cachepg:default:v:postgres:s:$key") =~ /$value/;
		sleep(0.01);
	}
	die "Redis did not get $key";
}

on($_, q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)}) for $a, $b;
ok(comes($b, 'SELECT current FROM cache_bus', 't'), 'b hears of a');

# 1. Redis keeps what was invalidated: as if a deletion had been lost, or an old
# file been read.  The cells of the frame say no.
sub resurrect
{
	my ($node) = @_;

	set_on_a('r', 'old');
	redis($redis, 'COPY', 'cachepg:default:v:postgres:s:r', 'kept', 'REPLACE');
	on($a, q{SELECT cache_invalidate('s:r')});
	ok(comes($b, get('r'), ''), 'b has heard of it');
	redis($redis, 'COPY', 'kept', 'cachepg:default:v:postgres:s:r', 'REPLACE');
	on($_, q{SELECT cache_set('s:other', 1)}) for $node;
	return on($node, get('r'));
}

is(resurrect($a), '', 'the home refuses what it invalidated');
is(without($a, 'l2-cells', sub { resurrect($a) }), 'old', 'control: without a look at the cells it would not');
is(resurrect($b), '', 'another server refuses it');
{
	set_on_a('r', 'old');
	redis($redis, 'COPY', 'cachepg:default:v:postgres:s:r', 'kept', 'REPLACE');
	on($a, q{SELECT cache_invalidate('s:r')});
	ok(comes($b, get('r'), ''), 'b has heard of it');
	redis($redis, 'COPY', 'kept', 'cachepg:default:v:postgres:s:r', 'REPLACE');
	is(without($b, 'l2-cells', sub { on($b, get('r')) }), 'old', 'control: without a look at the mirror it would not');
	on($b, q{SELECT cache_clear('s')});
}

# 2. The invalidation is heard of between the look at the mirror and the moment
# in which the value is kept here.
#
#	 reader on b								subscriber on b
#	 own stamp, GET, cells are valid
#											the home's invalidation
#	 keeps the value, with the stamp
sub overtaken
{
	my $reader = session($b);

	set_on_a('o', 'old');
	stops($reader, get('o'), 'l2-accepted');
	my $heard = on($b, 'SELECT messages FROM cache_bus');
	on($a, q{SELECT cache_invalidate('s:o')}, q{SELECT cache_set('s:after', 'x'::text)});
	ok(comes($b, get('after'), 'x'), 'b has heard of what came after');
	is(resume($reader, 'l2-accepted'), 'old', 'the reader gets what was valid when it looked');
	close_session($reader);
	redis($redis, 'DEL', 'cachepg:default:v:postgres:s:o');
	return on($b, get('o'));
}

on($b, q{SELECT cache_namespace_alter('s', max_entries => 100)});
is(overtaken(), '', 'nobody after it does');
is(without($b, 'l2-stamp-order', sub { overtaken() }), 'old', 'control: with a stamp from after the GET they would');
on($b, q{SELECT cache_clear('s')});

# 3. Messages are lost.
sub miss_messages
{
	my ($pid) = on($b, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg subscriber'});

	set_on_a('m', 'old');
	ok(comes($b, get('m'), 'old'), 'b has it');
	kill 'STOP', $pid;
	# the answer to what it has asked, so that it does not get the next message
	set_on_a('answer', 'x' . time);
	on($a, q{SELECT cache_invalidate('s:m')});
	# until a has sent it
	ok(comes($a, 'SELECT unsent_bytes FROM cache_bus', '0'), 'a has told of it');
	redis($redis, 'DEL', 'cachepg:default:bus', 'cachepg:default:v:postgres:s:m');
	set_on_a('mark', 'x' . time);
	kill 'CONT', $pid;
	ok(comes($b, 'SELECT current FROM cache_bus', 't'), 'b hears of a');
	# what was set before that is refused
	set_on_a('mark', 'y' . time);
	ok(comes($b, get('mark'), on($a, get('mark'))), 'and knows of what came after');
	return on($b, get('m'));
}

is(miss_messages(), '', 'after a gap nothing of before is served');
is(without($b, 'bus-gaps', sub { miss_messages() }), 'old', 'control: if gaps went unnoticed it would be');
on($b, q{SELECT cache_clear('s')});

# 4. The home falls silent.
sub fall_silent
{
	my ($pid) = on($a, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg broadcaster'});

	set_on_a('q', 'old');
	ok(comes($b, get('q'), 'old'), 'b has it');
	kill 'STOP', $pid;
	on($a, q{SELECT cache_invalidate('s:q')});
	my $gone = comes($b, get('q'), '', 3);
	kill 'CONT', $pid;
	ok(comes($b, 'SELECT current FROM cache_bus', 't'), 'b hears of a');
	return $gone;
}

is(fall_silent(), 1, 'b serves nothing of a home that is silent');
is(without($b, 'bus-suspend', sub { fall_silent() }), 0, 'control: or it would go on');

# 5. A standby hears of a commit before it has replayed it.
on($a, q{SELECT cache_namespace_create('lax', scope => 'shared', adhoc => 'shared', consistency => 'ttl')},
	q{INSERT INTO t VALUES (1, 1)});
$a->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($a, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "cachepg.server_name = 'c'\ncachepg.l2_home = 'a'");
$standby->start;
$a->wait_for_catchup($standby);
ok(comes($standby, 'SELECT current FROM cache_bus', 't'), 'the standby hears of its primary');

sub remote_marker
{
	my ($old, $new) = @_;
	my $fetch = q{SELECT cache_fetch('lax:v', 'SELECT v FROM t')};

	is(on($standby, $fetch), $old, 'the standby has the old value');
	on($standby, 'SELECT pg_wal_replay_pause()');
	ok(comes($standby, 'SELECT pg_get_wal_replay_pause_state()', 'paused'), 'replay is paused');
	on($a, "UPDATE t SET v = $new", q{SELECT cache_invalidate('lax:v')});
	ok(comes($standby, q{SELECT cache_exists('lax:v')}, 'f'), 'the invalidation arrives before the commit');
	is(on($standby, $fetch), $old, 'a load sees the old row');
	on($standby, 'SELECT pg_wal_replay_resume()');
	$a->wait_for_catchup($standby);
	return on($standby, $fetch);
}

is(remote_marker(1, 2), '2', 'which is not kept');
is(without_on_standby('replay-check', sub { remote_marker(2, 3) }), '2', 'control: or it would be served for long');

# The same if it does not hear of the commit, as its subscriber is not there: it
# has to replay what there was when it heard of its primary again.
sub deaf_standby
{
	my ($old, $new) = @_;
	my $fetch = q{SELECT cache_fetch('lax:d', 'SELECT v FROM t')};
	my $subscriber = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg subscriber'};
	my $pid = on($standby, $subscriber);

	is(on($standby, $fetch), $old, 'the standby has the old value');
	on($standby, 'SELECT pg_wal_replay_pause()');
	ok(comes($standby, 'SELECT pg_get_wal_replay_pause_state()', 'paused'), 'replay is paused');
	kill 'STOP', $pid;
	on($a, "UPDATE t SET v = $new", q{SELECT cache_invalidate('lax:d')});
	ok(comes($a, 'SELECT unsent_bytes FROM cache_bus', '0'), 'a has told of it');
	kill 'TERM', $pid;
	kill 'CONT', $pid;
	ok(comes($standby, "SELECT count(*) FROM ($subscriber) s WHERE pid <> $pid", '1'), 'another subscriber begins');
	ok(comes($standby, 'SELECT current FROM cache_bus', 't'), '... and hears of a');
	is(on($standby, $fetch), $old, 'a load sees the old row');
	on($standby, 'SELECT pg_wal_replay_resume()');
	$a->wait_for_catchup($standby);
	return on($standby, $fetch);
}

is(deaf_standby(3, 4), '4', 'which is not kept either');

# 6. A server whose rows lag behind the home's, as a logical replica's do, has heard
# of a commit, and loads the old row.  It may keep it, as consistency ttl allows;
# the home must not get it.
on($b, q{SELECT cache_namespace_create('lax', scope => 'shared', adhoc => 'shared', consistency => 'ttl')},
	q{INSERT INTO t VALUES (1, 1)});

sub lagging_writer
{
	my ($old, $new) = @_;
	my $fetch = q{SELECT cache_fetch('lax:w', 'SELECT v FROM t')};

	on($b, "UPDATE t SET v = $old", q{SELECT cache_clear('lax')});
	on($a, "UPDATE t SET v = $new", q{SELECT cache_invalidate('lax:w')});
	set_on_a('mark', 'z' . time);
	ok(comes($b, get('mark'), on($a, get('mark'))), 'b has heard of the commit');
	redis($redis, 'DEL', 'cachepg:default:v:postgres:lax:w');
	is(on($b, $fetch), $old, 'and loads the old row');
	# what b's broadcaster had to send before the second of these, it has sent
	for (1 .. 2)
	{
		on($b, q{SELECT cache_invalidate('lax:gate')});
		ok(comes($b, 'SELECT unsent_bytes FROM cache_bus', '0'), 'b has told of an invalidation');
	}
	return on($a, $fetch);
}

is(lagging_writer(10, 11), '11', 'which the home does not get');
is(without($b, 'l2-home-only', sub { lagging_writer(12, 13) }), '12', 'control: if others wrote as the home does it would');

# The standby cannot make the functions, but has them from its primary.
sub without_on_standby
{
	my ($mechanism, $code) = @_;

	return without($standby, $mechanism, $code);
}

check_store($_) for $a, $b;
$_->stop for $standby, $a, $b;
done_testing();
