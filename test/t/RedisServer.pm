# RedisServer: private Redis servers for the TAP tests; CPG_REDIS names another
# program to run as such, as valkey-server.
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

our @EXPORT = qw(redis_program redis_version start_redis stop_redis kill_redis restart_redis redis redis_url
  until_redis start_redis_cluster cluster_owner cluster_move cluster_whole in_sync);

my @running;

sub redis_program { return $ENV{CPG_REDIS} || 'redis-server' }

# What the program says its version is: "Redis server v=7.0.15 ...".
sub redis_version
{
	my $program = redis_program();
	my $said = `$program --version`;

	return $said =~ /^(?:Redis|Valkey) server v=(\S+)/ ? $1 : die "$program does not say its version: $said";
}

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
		[ redis_program(), '--port', $server->{port}, '--bind', '127.0.0.1', '--save', '', '--dir', $server->{dir},
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
	die redis_program() . ' did not start: ' . PostgreSQL::Test::Utils::slurp_file($log);
}

# until_redis(CODE): whether a condition comes true within some seconds.
sub until_redis
{
	my ($condition) = @_;

	for (1 .. 500)
	{
		return 1 if $condition->();
		Time::HiRes::sleep(0.02);
	}
	return 0;
}

# start_redis(OPTION...): a server without persistence on a port of its own.
sub start_redis
{
	my (@options) = @_;
	my $server = { port => free_port(), dir => File::Temp::tempdir(CLEANUP => 1), options => \@options };

	push @running, $server;
	return run_server($server);
}

# A port whose neighbour for the cluster's own messages is free too.
sub cluster_port
{
	for (1 .. 1000)
	{
		my $port = free_port();
		my $socket = $port <= 55535
		  && IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port + 10000);

		return $port if $socket;
	}
	die 'no free pair of ports';
}

# cluster_whole(SERVER...): whether each of them has all slots and knows as many nodes.
sub cluster_whole
{
	my @servers = @_;

	for my $server (@servers)
	{
		my $info = redis($server, 'CLUSTER', 'INFO');

		return 0 unless $info =~ /cluster_state:ok/ && $info =~ /cluster_slots_ok:16384/;
		return 0 unless $info =~ /cluster_known_nodes:@{[ scalar @servers ]}\b/;
	}
	return 1;
}

# start_redis_cluster(MASTERS, REPLICAS): a Redis Cluster, the masters first, each
# with as many replicas; a node is given up after half a second.
sub start_redis_cluster
{
	my ($masters, $replicas) = @_;
	my @servers;
	my ($out, $err);

	for (1 .. $masters * (1 + $replicas))
	{
		my $server = {
			port => cluster_port(),
			dir => File::Temp::tempdir(CLEANUP => 1),
			options => [ '--cluster-enabled', 'yes', '--cluster-node-timeout', '500', '--repl-diskless-sync-delay', '0' ] };

		push @running, $server;
		push @servers, run_server($server);
	}
	IPC::Run::run(
		[ 'redis-cli', '--cluster', 'create', (map { "127.0.0.1:$_->{port}" } @servers), '--cluster-replicas', $replicas,
			'--cluster-yes' ],
		'<', \undef, '>', \$out, '2>', \$err) or die "redis-cli could not make a cluster: $out $err";
	for (1 .. 400)
	{
		return @servers if cluster_whole(@servers) && (!$replicas || !grep { !in_sync($_) } @servers);
		Time::HiRes::sleep(0.05);
	}
	die 'the cluster is not whole: ' . redis($servers[0], 'CLUSTER', 'NODES');
}

# Whether a master has its replica, a replica its master.
sub in_sync
{
	my ($server) = @_;

	return redis($server, 'INFO', 'replication') =~ /master_link_status:up|role:master\r?\nconnected_slaves:[1-9]/;
}

# cluster_owner(SLOT, SERVER...): the server that has a slot, as the others see it.
sub cluster_owner
{
	my ($slot, @servers) = @_;

	for my $server (@servers)
	{
		for (split /\n/, redis($server, 'CLUSTER', 'NODES'))
		{
			my ($flags, @slots) = (split / /)[ 2, 8 .. 30 ];

			next unless $flags =~ /myself,master/;
			return $server if grep { defined && /^(\d+)(?:-(\d+))?$/ && $1 <= $slot && $slot <= ($2 // $1) } @slots;
		}
	}
	die "nobody has slot $slot";
}

# cluster_move(SLOT, FROM, TO, STEP, SERVER...): what moves a slot: 'open' says
# so to both, 'keys' takes its keys along, 'close' tells everybody.
sub cluster_move
{
	my ($slot, $from, $to, $step, @servers) = @_;
	my %id = map { $_ => redis($_, 'CLUSTER', 'MYID') } $from, $to;

	if ($step eq 'open')
	{
		redis($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $id{$from});
		redis($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $id{$to});
	}
	elsif ($step eq 'keys')
	{
		for my $key (split /\n/, redis($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 1000))
		{
			redis($from, 'MIGRATE', '127.0.0.1', $to->{port}, $key, 0, 5000);
		}
	}
	else
	{
		redis($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$to}) for $to, $from;
	}
	return;
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
