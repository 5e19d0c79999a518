# FakeRedis: Redis servers for tests: real ones on private sockets, and one in
# Perl that misbehaves as told.
package FakeRedis;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use PostgreSQL::Test::Utils;
use RedisServer ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(start_redis stop_redis fake_redis fake_mode fake_stop fake_url fake_count);

my %children;

# start_redis([OPTION...]): a real server on a private socket.
sub start_redis
{
	my @options = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $redis = { dir => $dir, socket => "$dir/redis.sock" };
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		open STDOUT, '>', "$dir/log" or POSIX::_exit(1);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(1);
		exec RedisServer::redis_program(), '--port', '0', '--unixsocket', $redis->{socket}, '--dir', $dir, '--save', '', @options
		  or POSIX::_exit(1);
	}
	$children{$pid} = 1;
	$redis->{pid} = $pid;
	for (1 .. 1000)
	{
		return $redis if -S $redis->{socket};
		sleep 0.01;
	}
	die RedisServer::redis_program() . ' does not start: ' . slurp_file("$dir/log");
}

sub end_child
{
	my ($pid) = @_;

	delete $children{$pid};
	kill 'KILL', $pid;
	waitpid $pid, 0;
	return;
}

sub stop_redis
{
	my ($redis) = @_;

	end_child($redis->{pid});
	unlink $redis->{socket};
	return;
}

# fake_redis([ADDRESS [, PORT]]): a server whose behaviour is what the latest fake_mode() says.
# Each connection reads commands; for the one at hand the mode is read anew:
#
#	echo			the last argument as a bulk string; PING and AUTH right
#	raw BYTES		exactly these bytes (escaped as in Perl), then it goes on
#	once MODE		exactly these bytes, then MODE from the next command on
#	cut N BYTES		the first N of these bytes, then the end
#	stall N [S] [BYTES]	the first N of these bytes, or of what is right; the
#					rest after S seconds, or never
#	drip BYTES		one byte each second
#	hang			silence
#	close			the end, at once
#	late S			as echo, after S seconds
#
# Also counts commands and connections: see the files in its directory.
sub fake_redis
{
	my ($address, $port) = @_;
	my $fake = { dir => PostgreSQL::Test::Utils::tempdir_short() };
	my $listener = IO::Socket::IP->new(
		Listen => 100, LocalHost => $address // '127.0.0.1', LocalPort => $port // 0, Proto => 'tcp', ReuseAddr => 1)
	  or die "could not listen: $!";

	$fake->{port} = $listener->sockport;
	fake_mode($fake, 'echo');
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		$SIG{PIPE} = 'IGNORE';
		eval { serve($fake, $listener); 1 } or print STDERR "fake: $@";
		POSIX::_exit(0);
	}
	$children{$pid} = 1;
	$fake->{pid} = $pid;
	close $listener;
	return $fake;
}

# fake_count(FAKE, 'connections', 'commands' or 'cluster'): how many there were,
# the last of them commands that ask for nodes.
sub fake_count { return -s "$_[0]{dir}/$_[1]" // 0 }

sub fake_url { return "redis://127.0.0.1:$_[0]{port}?name=fake" }

sub fake_stop
{
	my ($fake) = @_;

	end_child($fake->{pid});
	return;
}

# fake_mode(FAKE, MODE [, BYTES])
sub fake_mode
{
	my ($fake, $mode, $bytes) = @_;
	my $file = "$fake->{dir}/mode";

	open my $f, '>:raw', "$file.new" or die;
	print $f "$mode\n", $bytes // '';
	close $f;
	rename "$file.new", $file or die;
	return;
}

sub read_mode
{
	my ($fake) = @_;

	open my $f, '<:raw', "$fake->{dir}/mode" or die;
	chomp(my $line = <$f>);
	local $/;
	my $bytes = <$f> // '';
	close $f;
	return ($line, $bytes);
}

# Takes the first complete command off a buffer.
sub next_command
{
	my ($buffer) = @_;
	my @words;
	my $at = 0;

	$$buffer =~ /\A\*(\d+)\r\n/ or return;
	my $count = $1;
	$at = $+[0];
	for (1 .. $count)
	{
		substr($$buffer, $at) =~ /\A\$(\d+)\r\n/ or return;
		my $len = $1;
		$at += $+[0];
		return if length($$buffer) < $at + $len + 2;
		push @words, substr($$buffer, $at, $len);
		$at += $len + 2;
	}
	substr($$buffer, 0, $at) = '';
	return \@words;
}

# What an honest server answers.
sub honest
{
	my ($words) = @_;
	my $command = uc $words->[0];

	return "+PONG\r\n" if $command eq 'PING';
	return "+OK\r\n" if $command eq 'AUTH' || $command eq 'SELECT';
	return "\$" . length($words->[-1]) . "\r\n$words->[-1]\r\n";
}

# What to send for a command: a list of [time, bytes], and whether to close.
sub answer
{
	my ($fake, $words) = @_;
	my ($mode, $bytes) = read_mode($fake);
	my $now = time();

	return ([ [ $now, honest($words) ] ], 0) if $mode eq 'echo';
	return ([ [ $now + $1, honest($words) ] ], 0) if $mode =~ /^late (\S+)/;
	return ([ [ $now, $bytes ] ], 0) if $mode eq 'raw';
	if ($mode =~ /^once (.*)/)
	{
		fake_mode($fake, $1);
		return ([ [ $now, $bytes ] ], 0);
	}
	return ([ [ $now, substr($bytes, 0, $1) ] ], 1) if $mode =~ /^cut (\d+)/;
	if ($mode =~ /^stall (\d+)(?: (\S+))?/)
	{
		my ($n, $pause) = ($1, $2);
		my $whole = $bytes eq '' ? honest($words) : $bytes;
		my @parts = ([ $now, substr($whole, 0, $n) ]);

		push @parts, [ $now + $pause, substr($whole, $n) ] if $pause;
		return (\@parts, 0);
	}
	return ([ map { [ $now + $_, substr($bytes, $_, 1) ] } 0 .. length($bytes) - 1 ], 0) if $mode eq 'drip';
	return ([], 1) if $mode eq 'close';
	return ([], 0);    # hang
}

sub count_event
{
	my ($fake, $what) = @_;

	open my $f, '>>', "$fake->{dir}/$what" or die;
	print $f "x";
	close $f;
	return;
}

sub serve
{
	my ($fake, $listener) = @_;
	my $select = IO::Select->new($listener);
	my %peers;

	for (;;)
	{
		for my $socket ($select->can_read(0.005))
		{
			if ($socket == $listener)
			{
				my $peer = $listener->accept or next;
				$peer->blocking(0);
				$select->add($peer);
				$peers{$peer} = { socket => $peer, in => '', out => [], end => 0 };
				count_event($fake, 'connections');
				next;
			}
			my $peer = $peers{$socket};
			my $n = sysread $socket, $peer->{in}, 65536, length $peer->{in};
			if (!$n)
			{
				$select->remove($socket);
				delete $peers{$socket};
				close $socket;
				next;
			}
			while (my $words = next_command(\$peer->{in}))
			{
				count_event($fake, 'commands');
				count_event($fake, 'cluster') if uc $words->[0] eq 'CLUSTER';
				my ($out, $end) = answer($fake, $words);
				push @{ $peer->{out} }, @$out;
				$peer->{end} ||= $end;
			}
		}
		send_due($select, \%peers);
	}
	return;
}

sub send_due
{
	my ($select, $peers) = @_;
	my $now = time();

	for my $peer (values %$peers)
	{
		while (@{ $peer->{out} } && $peer->{out}[0][0] <= $now)
		{
			my $n = syswrite $peer->{socket}, $peer->{out}[0][1];
			last if !defined $n && length $peer->{out}[0][1];
			substr($peer->{out}[0][1], 0, $n // 0) = '';
			shift @{ $peer->{out} } if $peer->{out}[0][1] eq '';
		}
		next unless $peer->{end} && !@{ $peer->{out} };
		$select->remove($peer->{socket});
		close $peer->{socket};
		delete $peers->{ $peer->{socket} };
	}
	return;
}

END
{
	my $status = $?;
	end_child($_) for keys %children;
	$? = $status;
}

1;
