# What a commit invalidates is told of whoever is broadcaster, and what
# arrives late is not taken for news, with its negative control.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use CachePg;
use Races;
use RedisServer;
use TwoServers;

my $s = two_servers(\&race_cluster);
my ($a, $b) = @$s{ 'a', 'b' };

sub on
{
	my ($node, @statements) = @_;

	return $node->safe_psql('postgres', join '; ', @statements);
}

sub get { return qq{SELECT cache_get('k:$_[0]', '')} }

# Until b has a new value of a key, and has heard of all before it.
sub give
{
	my ($key, $value) = @_;

	for (1 .. 20)
	{
		on($a, "SELECT cache_set('k:$key', '$value'::text)");
		return if comes($b, get($key), $value, 1);
	}
	die "b did not get $key";
}

sub hears { return ok(comes($b, 'SELECT coalesce(bool_and(current), false) FROM cache_bus', 't'), 'b hears of a') }

sub worker { return on($a, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg broadcaster'}) }

# Until a's broadcaster stands between a message and the beat behind it: there is
# none if there was one just before.
sub has_more_to_tell
{
	for (1 .. 20)
	{
		on($a, q{SELECT cache_invalidate('k:other')});
		return 1 if comes($a, q{SELECT cachepg_fault_waiting('bus-half-sent') > 0}, 't', 1);
	}
	return 0;
}

# 1. A broadcaster ends between sending a message and noting that it did; there is
# more to tell by then.
sub ends_in_between
{
	my $pid = worker();

	give('n', 'old');
	on($a, "SELECT cachepg_fault_arm('bus-half-sent', 'wait', $pid)");
	ok(has_more_to_tell(), 'it has sent a message');
	on($a, q{SELECT cache_invalidate('k:n')}, "SELECT pg_terminate_backend($pid)",
		q{SELECT cachepg_fault_disarm('bus-half-sent')});
	ok(comes($a, qq{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cachepg broadcaster' AND pid <> $pid}, '1'),
		'another takes its place');
	give('mark', 'x' . time);
	hears();
	return on($b, get('n'));
}

is(ends_in_between(), '', 'what its successor says first is heard');
on($_, 'SELECT cache_clear()') for $a, $b;

# 2. Redis stands still for a second with a message before it; when it goes on a's
# broadcaster does not, which has more to tell.  b may serve what it has until four
# seconds after the message was made, not after it was heard.  What it serves half a
# second after that.
sub arrives_late
{
	my $pid = worker();

	give('l', 'old');
	my $began = time;
	kill 'STOP', $s->{redis}{pid};
	on($a, q{SELECT cache_invalidate('k:other')});
	sleep(0.2);
	kill 'STOP', $pid;
	my $end = time + 4.5;
	on($a, q{SELECT cache_invalidate('k:l')});
	sleep(0.1) while time < $began + 1.2;
	kill 'CONT', $s->{redis}{pid};
	sleep(0.01) while time < $end;
	my $served = on($b, get('l'));
	kill 'CONT', $pid;
	hears();
	return $served;
}

on($b, q{ALTER SYSTEM SET cachepg.bus_silence = '4s'});
on($b, 'SELECT pg_reload_conf()');
ok(comes($b, 'SHOW cachepg.bus_silence', '4s'), 'b is patient');
is(arrives_late(), '', 'an old message is no sign of life');
# once may be too few on a machine that is busy
my $served = '';
without($b, 'bus-late', sub { $served ||= arrives_late() for 1 .. 4 });
is($served, 'old', 'control: or it is');

on($b, q{ALTER SYSTEM RESET cachepg.bus_silence}, q{SELECT pg_reload_conf()});
ok(comes($b, 'SHOW cachepg.bus_silence', '1s'), 'b is no longer patient');

# 3. A silent broadcaster has a lot to tell, and is held up again after its first
# messages.  Those were made just now, but what is older may be among the others.
sub begins_to_tell
{
	my $pid = worker();

	give('p', 'old');
	kill 'STOP', $pid;
	on($a, map { "SELECT cache_invalidate('k:$_')" } 1 .. 40, 'p');
	ok(comes($b, get('p'), ''), 'b serves nothing of who is silent');
	on($a, "SELECT cachepg_fault_arm('bus-half-sent', 'wait', $pid)");
	kill 'CONT', $pid;
	ok(comes($a, q{SELECT cachepg_fault_waiting('bus-half-sent') > 0}, 't'), 'a has begun to tell');
	my $served = comes($b, get('p'), 'old', 0.5) ? 'old' : '';
	on($a, q{SELECT cachepg_fault_disarm('bus-half-sent')});
	hears();
	is(on($b, get('p')), '', 'in the end it is gone');
	return $served;
}

is(begins_to_tell(), '', 'nothing is served until all has been told');
is(without($b, 'bus-beats', \&begins_to_tell), 'old', 'control: or it is');

check_store($_) for $a, $b;
$_->stop for $a, $b;
done_testing();
