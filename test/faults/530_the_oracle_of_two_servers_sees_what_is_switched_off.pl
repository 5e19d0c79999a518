# Negative controls of the oracle for two servers: with each mechanism switched
# off it finds stale reads, with all of them on it does not.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use CachePg;
use Races;
use RedisServer;
use TwoServers;

my $programs = build_oracle2();
my $s = two_servers(\&race_cluster);
my $dir = PostgreSQL::Test::Utils::tempdir();
my $runs = 0;

# Run the oracle, with disturbances, until it finds something or the time is up;
# the kinds of what it found.
sub found
{
	my ($seconds, @disturbances) = @_;
	my $file = "$dir/" . ++$runs;
	my $oracle = start_oracle2($s, $programs, $file, '-1', '-r', 4);
	my $end = time + $seconds;

	while (time < $end && slurp_file($file) !~ /^violation: /m)
	{
		sleep(0.3);
		disturb($s, $_) for @disturbances;
		# what b must not serve any more then is found sooner
		check_oracle2($oracle, 'check') if !@disturbances;
	}
	finish_oracle2($oracle);
	my %kinds = map { /^violation: ([^:]+):/ ? ($1 => 1) : () } split /\n/, slurp_file($file);
	$_->safe_psql('postgres', 'SELECT cache_clear()') for $s->{a}, $s->{b};
	return join ', ', sort keys %kinds;
}

# With a mechanism off on some servers.
sub control
{
	my ($mechanism, $where, @disturbances) = @_;
	my @nodes = map { $s->{$_} } split //, $where;

	arm($_, $mechanism, 'skip') for @nodes;
	my $kinds = found(25, @disturbances);
	disarm($_, $mechanism) for @nodes;
	isnt($kinds, '', "without $mechanism on $where it finds something") and note($kinds);
	return;
}

# the reads that are overtaken
arm($s->{b}, $_, 'delay') for 'l2-accepted', 'l2-answered';

is(found(4, 'messages lost'), '', 'with everything on it finds nothing') or diag(slurp_file("$dir/$runs"));
control('l2-cells', 'a');
control('l2-cells', 'b', 'redis comes back old');
control('l2-stamp-order', 'b');
control('bus-records', 'a');
control('bus-suspend', 'b', 'broadcaster stopped');
control('bus-gaps', 'b', 'messages lost');

check_store($s->{$_}) for 'a', 'b';
$s->{$_}->stop for 'a', 'b';
done_testing();
