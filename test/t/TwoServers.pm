# TwoServers: servers a (the home) and b with one Redis, the oracle that watches
# them (test/oracle2), and what can befall them.
package TwoServers;

use strict;
use warnings;

use Exporter 'import';
use File::Copy ();
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use CachePg;
use RedisServer;

our @EXPORT = qw(two_servers build_oracle2 start_oracle2 check_oracle2 finish_oracle2 oracle2_counts disturb
  disturbances record);

# What a follower may be behind: bus_silence, and what the machine may add.
my $silence = 1.0;
my $lag = 2.0;

# two_servers(MAKE): makes them with MAKE(NAME, SETTING => VALUE...).
sub two_servers
{
	my ($make) = @_;
	my $redis = start_redis();
	my %settings = (
		'cachepg.redis_servers' => redis_url($redis),
		'cachepg.bus_heartbeat' => '50ms',
		'cachepg.bus_silence' => int(1000 * $silence) . 'ms');
	my %s = (redis => $redis, taken => 0);
	my ($dir) = __FILE__ =~ m{^(.*)/};

	$s{a} = $make->('a', %settings, 'cachepg.server_name' => 'a');
	$s{b} = $make->('b', %settings, 'cachepg.server_name' => 'b', 'cachepg.l2_home' => 'a');
	for my $name ('a', 'b')
	{
		$s{$name}->command_ok(
			[ 'psql', '-Xq', '-v', 'home=' . ($name eq 'a' ? 'true' : 'false'), '-d', $s{$name}->connstr('postgres'),
				'-f', "$dir/../oracle2/schema.sql" ], "$name is prepared");
	}
	ok(wait_until($s{b}, 'SELECT coalesce(bool_and(current), false) FROM cache_bus'), 'b hears of a');
	return \%s;
}

# build_oracle2: a directory with the programs.
sub build_oracle2
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my ($here) = __FILE__ =~ m{^(.*)/};

	chomp($here = `cd "$here/../oracle2" && pwd`);
	system('env', '-u', 'MAKEFLAGS', 'make', '-s', '-C', $dir, '-f', "$here/Makefile", "PG_CONFIG=$ENV{PG_CONFIG}") == 0
	  or die 'could not build the oracle';
	return $dir;
}

# start_oracle2(SERVERS, DIRECTORY, FILE, OPTION...): what it says goes to the end
# of the file.
sub start_oracle2
{
	my ($s, $dir, $file, @options) = @_;
	my %o = (in => '', file => $file, lines => 0);

	$o{run} = IPC::Run::start([ "$dir/oracle2", '-a', $s->{a}->connstr('postgres'), '-b', $s->{b}->connstr('postgres'),
			'-l', $lag, @options ], '<', \$o{in}, '>>', $file, '2>&1');
	return \%o;
}

# check_oracle2(ORACLE, LABEL): a disturbance is over; true if b recovered.
sub check_oracle2
{
	my ($o, $label) = @_;
	my $line = sprintf '%4d', ++$o->{lines};

	$o->{in} .= "$label\n";
	for (1 .. 2500)
	{
		# not if it has ended by itself
		eval { $o->{run}->pump_nb; 1 } or return 0;
		return $1 eq 'recovered' if slurp_file($o->{file}) =~ /^$line .* (recovered|not recovered)\b.*\n/m;
		last unless $o->{run}->pumpable;
		sleep(0.05);
	}
	return 0;
}

# finish_oracle2(ORACLE): ends it; its exit status.
sub finish_oracle2
{
	my ($o) = @_;

	# servers that were started meanwhile have the pipe open, too
	$o->{in} .= "end\n";
	return $o->{run}->result(0) if eval { $o->{run}->finish; 1 };
	# it has ended by itself
	$o->{run}->kill_kill;
	return 1;
}

# The numbers of a report, by name.
sub oracle2_counts
{
	my ($text) = @_;

	return map { /^([a-z][a-z -]*?):? (\d+)/ ? ($1 => $2) : () } split /\n/, $text;
}

# record(FILE, COMMAND): begins a result with facts about the machine.
sub record
{
	my ($file, $command) = @_;

	chomp(my $date = `date -u '+%Y-%m-%d %H:%M UTC'`);
	chomp(my $kernel = `uname -sr`);
	chomp(my $version = `"$ENV{PG_CONFIG}" --version`);
	my $program = redis_program();
	chomp(my $redis = `$program --version`);
	open my $out, '>', $file or die "could not write $file: $!";
	print $out "command: $command\ndate: $date\nkernel: $kernel\npostgres: $version\nredis: $redis\n";
	close $out or die "could not write $file: $!";
	return;
}

# ---------------------------------------------------------------------
# Disturbances
# ---------------------------------------------------------------------

sub pid_of_worker
{
	my ($node, $worker) = @_;
	my $pid = '';

	for (1 .. 600)
	{
		my ($status, $out) = $node->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg $worker'");

		$pid = defined $out ? $out : '';
		last if $status == 0 && $pid ne '';
		sleep(0.05);
	}
	return $pid;
}

sub pause_for
{
	my ($longest) = @_;

	sleep(rand() * $longest);
	return;
}

# Stop a process for a while; sometimes more happens meanwhile.
sub hold
{
	my ($pid, $longest, $meanwhile) = @_;

	return if $pid eq '';
	kill 'STOP', $pid;
	pause_for($longest);
	$meanwhile->() if $meanwhile;
	kill 'CONT', $pid;
	return;
}

sub redis_killed
{
	my ($s) = @_;

	stop_redis($s->{redis});
	unlink "$s->{redis}{dir}/dump.rdb";
	pause_for(2);
	restart_redis($s->{redis});
	return;
}

# The file is of some time ago, values and stream.
sub redis_comes_back_old
{
	my ($s) = @_;

	redis($s->{redis}, 'SAVE');
	pause_for(2.5);
	stop_redis($s->{redis});
	pause_for(1);
	restart_redis($s->{redis});
	return;
}

sub redis_stopped
{
	my ($s) = @_;

	hold($s->{redis}{pid}, 4);
	return;
}

sub broadcaster_ended
{
	my ($s) = @_;
	my $pid = pid_of_worker($s->{a}, 'broadcaster');

	kill 'TERM', $pid if $pid ne '';
	return;
}

sub broadcaster_stopped
{
	my ($s) = @_;

	hold(pid_of_worker($s->{a}, 'broadcaster'), 4);
	return;
}

sub subscriber_ended
{
	my ($s) = @_;
	my $pid = pid_of_worker($s->{b}, 'subscriber');

	kill 'TERM', $pid if $pid ne '';
	return;
}

sub subscriber_stopped
{
	my ($s) = @_;

	hold(pid_of_worker($s->{b}, 'subscriber'), 4);
	return;
}

# Messages that b has not read are gone.
sub messages_lost
{
	my ($s) = @_;

	hold(pid_of_worker($s->{b}, 'subscriber'), 1, sub {
		redis($s->{redis}, rand() < 0.5 ? ('DEL', 'cachepg:default:bus') : ('XTRIM', 'cachepg:default:bus', 'MAXLEN', '1'));
	});
	return;
}

sub stream_deleted
{
	my ($s) = @_;

	redis($s->{redis}, 'DEL', 'cachepg:default:bus');
	return;
}

sub stream_trimmed
{
	my ($s) = @_;

	redis($s->{redis}, 'XTRIM', 'cachepg:default:bus', 'MAXLEN', int(rand(3)));
	return;
}

sub redis_emptied
{
	my ($s) = @_;

	redis($s->{redis}, 'FLUSHALL');
	return;
}

sub connections_cut
{
	my ($s) = @_;

	for (1 .. 1 + int(rand(20)))
	{
		redis($s->{redis}, 'CLIENT', 'KILL', 'TYPE', 'normal');
		pause_for(0.1);
	}
	return;
}

# The server restarts itself, in a new epoch.
sub a_crashed
{
	my ($s) = @_;
	my $pid = pid_of_worker($s->{a}, rand() < 0.5 ? 'broadcaster' : 'janitor');

	crash_restart($s->{a}, $pid) if $pid ne '';
	return;
}

sub a_restarted
{
	my ($s) = @_;

	$s->{a}->restart;
	return;
}

sub b_restarted
{
	my ($s) = @_;

	$s->{b}->stop(rand() < 0.5 ? 'immediate' : 'fast');
	$s->{b}->start;
	return;
}

my %disturbance = (
	'redis killed' => \&redis_killed,
	'redis comes back old' => \&redis_comes_back_old,
	'redis stopped' => \&redis_stopped,
	'redis emptied' => \&redis_emptied,
	'stream deleted' => \&stream_deleted,
	'stream trimmed' => \&stream_trimmed,
	'messages lost' => \&messages_lost,
	'connections cut' => \&connections_cut,
	'broadcaster ended' => \&broadcaster_ended,
	'broadcaster stopped' => \&broadcaster_stopped,
	'subscriber ended' => \&subscriber_ended,
	'subscriber stopped' => \&subscriber_stopped,
	'a crashed' => \&a_crashed,
	'a restarted' => \&a_restarted,
	'b restarted' => \&b_restarted);

sub disturbances { return sort keys %disturbance }

# disturb(SERVERS, NAME): one of them.
sub disturb
{
	my ($s, $name) = @_;

	$disturbance{$name}->($s);
	return;
}

1;
