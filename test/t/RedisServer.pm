# RedisServer: private Redis servers for the TAP tests.
package RedisServer;

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use File::Temp ();
use IPC::Run ();
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Time::HiRes ();

our @EXPORT = qw(start_redis stop_redis kill_redis restart_redis redis redis_url);

my @running;

# A port that nobody listens to at the moment.
sub free_port
{
	my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)
	  or die "no free port: $!";
	my $port = $socket->sockport;

	close $socket;
	return $port;
}

sub run_server
{
	my ($server) = @_;
	my $log = "$server->{dir}/redis.log";

	$server->{run} = IPC::Run::start(
		[ 'redis-server', '--port', $server->{port}, '--bind', '127.0.0.1', '--save', '', '--dir', $server->{dir},
			'--logfile', $log, '--enable-debug-command', 'yes', @{ $server->{options} } ],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null');
	for (1 .. 200)
	{
		if (redis($server, 'PING') eq 'PONG')
		{
			($server->{pid}) = redis($server, 'INFO', 'server') =~ /process_id:(\d+)/;
			return $server;
		}
		Time::HiRes::sleep(0.05);
	}
	die 'redis-server did not start: ' . PostgreSQL::Test::Utils::slurp_file($log);
}

# start_redis(OPTION...): a server without persistence on a port of its own.
sub start_redis
{
	my (@options) = @_;
	my $server = { port => free_port(), dir => File::Temp::tempdir(CLEANUP => 1), options => \@options };

	push @running, $server;
	return run_server($server);
}

# redis(SERVER, COMMAND...): what redis-cli prints for it.
sub redis
{
	my ($server, @command) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'redis-cli', '-p', $server->{port}, @command ], '<', \undef, '>', \$out, '2>', \$err);
	$out =~ s/\n\z//;
	return $out;
}

sub kill_redis
{
	my ($server) = @_;

	return unless $server->{run};
	$server->{run}->kill_kill(grace => 0);
	delete $server->{run};
	return;
}

sub stop_redis
{
	kill_redis(@_);
	return;
}

# With the same port, and with what was saved, if anything was.
sub restart_redis
{
	my ($server) = @_;

	kill_redis($server);
	return run_server($server);
}

sub redis_url
{
	return join ',', map { "redis://127.0.0.1:$_->{port}" } @_;
}

END
{
	my $status = $?;

	kill_redis($_) for @running;
	$? = $status;
}

1;
