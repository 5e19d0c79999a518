# What a commit invalidates is told of whoever is broadcaster, and what
# arrives late is not taken for news.  Each with its negative control.
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

sub comes
{
	my ($node, $query, $value, $seconds) = @_;
	my $end = time + ($seconds // 20);

	while (time < $end)
	{
		return 1 if on($node, $query) eq $value;
		sleep(0.01);
	}
	return 0;
}

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

# 1. A broadcaster ends between sending a message and noting that it did; there is
# more to tell by then.
sub ends_in_between
{
	my $pid = worker();

	give('n', 'old');
	on($a, "SELECT cachepg_fault_arm('bus-half-sent', 'wait', $pid)", q{SELECT cache_invalidate('k:other')});
	ok(comes($a, q{SELECT cachepg_fault_waiting('bus-half-sent') > 0}, 't'), 'it has sent a message');
	on($a, q{SELECT cache_invalidate('k:n')}, "SELECT pg_terminate_backend($pid)",
		q{SELECT cachepg_fault_disarm('bus-half-sent')});
	ok(comes($a, qq{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cachepg broadcaster' AND pid <> $pid}, '1'),
		'another takes its place');
	give('mark', 'x' . time);
	hears();
	return on($b, get('n'));
}

is(ends_in_between(), '', 'what its successor says first is heard');
is(without($a, 'bus-numbers', sub { ends_in_between() }), 'old', 'control: not if it gave a number again');
on($_, 'SELECT cache_clear()') for $a, $b;

# 2. Redis stands still with a message before it; when it goes on a's broadcaster
# does not, which has more to tell.
sub arrives_late
{
	my $pid = worker();

	give('l', 'old');
	kill 'STOP', $s->{redis}{pid};
	on($a, q{SELECT cache_invalidate('k:other')});
	sleep(0.3);
	kill 'STOP', $pid;
	on($a, q{SELECT cache_invalidate('k:l')});
	ok(comes($b, 'SELECT current FROM cache_bus', 'f'), 'b hears nothing any more');
	kill 'CONT', $s->{redis}{pid};
	my $served = comes($b, get('l'), 'old', 0.8);
	kill 'CONT', $pid;
	hears();
	return $served;
}

is(arrives_late(), 0, 'an old message does not make b believe that it is current');
is(without($b, 'bus-late', sub { arrives_late() }), 1, 'control: or it serves what is old');

check_store($_) for $a, $b;
$_->stop for $a, $b;
done_testing();
