# CachePg: what the TAP tests share.
#
# Works with the PostgreSQL::Test modules of 15 to 18.
package CachePg;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use Time::HiRes ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_cluster init_cluster check_store fails_with wait_until comes
  start_load finish_load crash_restart one_value seconds_for start_psql finish_psql stop_psql);

# init_cluster(NAME, SETTING => VALUE, ...): a cluster that is not started, its
# library preloaded.  Settings that are undef are left out.  Options that begin
# with a dash: -install_path of another PostgreSQL, -streaming => 1.
sub init_cluster
{
	my ($name, %settings) = @_;
	my $path = delete $settings{-install_path};
	my $streaming = delete $settings{-streaming};
	my $node = PostgreSQL::Test::Cluster->new($name, $path ? (install_path => $path) : ());
	# the same on every version, whatever initdb thinks is a good default
	my @extra = ('--encoding=UTF8', '--locale=C.UTF-8');

	push @extra, '--no-data-checksums' if $node->pg_version >= 18;
	$node->init(extra => \@extra, allows_streaming => $streaming);
	%settings = (
		'shared_preload_libraries' => 'cachepg',
		'cachepg.memory' => '16MB',
		'cachepg.janitor_interval' => '50ms',
		'max_connections' => 60,
		'shared_buffers' => '16MB',
		'log_statement' => 'none',
		'restart_after_crash' => 'on',
		%settings);
	for my $key (sort keys %settings)
	{
		$node->append_conf('postgresql.conf', "$key = '$settings{$key}'") if defined $settings{$key};
	}
	return $node;
}

# As init_cluster, but started and with the extension in database postgres.
sub new_cluster
{
	my $node = init_cluster(@_);

	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION cachepg');
	return $node;
}

# check_store(NODE [, DATABASE]): every structure and sum of the store is right.
sub check_store
{
	my ($node, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is($node->safe_psql($database // 'postgres', 'SELECT * FROM cachepg_check()'), '', 'the store is sound');
	return;
}

# fails_with(NODE, SQL, SQLSTATE, PATTERN, NAME [, DATABASE])
sub fails_with
{
	my ($node, $sql, $state, $pattern, $name, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $out, $err) =
	  $node->psql($database // 'postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);

	isnt($status, 0, "$name: fails");
	like($err, qr/(?:ERROR|FATAL):  $state: /, "$name: SQLSTATE");
	like($err, $pattern, "$name: message");
	return;
}

# wait_until(NODE, QUERY [, DATABASE]): until the query gives true; the
# number of seconds that took, undef after the time limit of the tests.
sub wait_until
{
	my ($node, $query, $database) = @_;
	my $began = Time::HiRes::time();

	return $node->poll_query_until($database // 'postgres', $query) ? Time::HiRes::time() - $began : undef;
}

# comes(NODE, QUERY, VALUE [, SECONDS]): whether the query gives the value within
# so many seconds (20).
sub comes
{
	my ($node, $query, $value, $seconds) = @_;
	my $end = Time::HiRes::time() + ($seconds // 20);

	while (Time::HiRes::time() < $end)
	{
		return 1 if $node->safe_psql('postgres', $query) eq $value;
		Time::HiRes::sleep(0.01);
	}
	return 0;
}

# The only value of a query.
sub one_value
{
	my ($node, $query, $database) = @_;

	return $node->safe_psql($database // 'postgres', $query);
}

# start_load(NODE, SECONDS, CLIENTS, SCRIPT => WEIGHT, ...): pgbench in the
# background with scripts given as text.
sub start_load
{
	my ($node, $seconds, $clients, @scripts) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @command = ($node->installed_command('pgbench'), '-n', '-c', $clients, '-j', 2, '-T', $seconds,
		'-h', $node->host, '-p', $node->port);
	my $n = 0;
	my %load = (out => '', err => '');

	while (my ($script, $weight) = splice(@scripts, 0, 2))
	{
		my $file = "$dir/" . $n++ . '.sql';

		PostgreSQL::Test::Utils::append_to_file($file, $script);
		push @command, '-f', "$file\@$weight";
	}
	# how a test finds the sessions of its load
	local $ENV{PGAPPNAME} = 'load';
	$load{run} = IPC::Run::start([ @command, 'postgres' ], '<', \undef, '>', \$load{out}, '2>', \$load{err});
	return \%load;
}

# finish_load(LOAD): waits for its end; exit status, transactions done, what it
# said on standard error.
sub finish_load
{
	my ($load) = @_;

	$load->{run}->finish;
	my ($done) = $load->{out} =~ /actually processed: (\d+)/;
	return ($load->{run}->result(0), $done // 0, $load->{err});
}

# start_psql(NODE, SQL...): runs each text in a session of its own, all at once.
# Through files: a pipe that nobody empties would hold a session up.
sub start_psql
{
	my ($node, @texts) = @_;
	my @runs;

	for my $sql (@texts)
	{
		my $dir = PostgreSQL::Test::Utils::tempdir();

		PostgreSQL::Test::Utils::append_to_file("$dir/in", $sql);
		push @runs, {
			dir => $dir,
			run => IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=sqlstate',
					'-d', $node->connstr('postgres') ], '<', "$dir/in", '>', "$dir/out", '2>', "$dir/err") };
	}
	return @runs;
}

# finish_psql(RUN...): waits for the end; one [exit status, standard output,
# standard error] for each.
sub finish_psql
{
	return map {
		$_->{run}->finish;
		[ $_->{run}->result(0), slurp_file("$_->{dir}/out"), slurp_file("$_->{dir}/err") ]
	} @_;
}

# stop_psql(NODE, RUN...): ends clients and their sessions, which must have set
# application_name to "victim"; returns what finish_psql does.
sub stop_psql
{
	my ($node, @runs) = @_;

	$_->{run}->signal('KILL') for @runs;
	my @results = finish_psql(@runs);
	# a session notices only at its next message that its client is gone
	$node->poll_query_until('postgres', q{
		SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity WHERE application_name = 'victim'});
	return @results;
}

# crash_restart(NODE, PID): kills a process with SIGKILL and waits until the
# server has restarted itself.  True if it has.
sub crash_restart
{
	my ($node, $pid) = @_;
	my $from = -s $node->logfile;

	kill 'KILL', $pid;
	# not the first connection that works: it could be one of before
	$node->wait_for_log(qr/terminating any other active server processes.*database system is ready to accept connections/s, $from);
	return $node->poll_query_until('postgres', 'SELECT true');
}

# How long a test of some seconds shall run: CPG_SECONDS if that is set.
sub seconds_for
{
	my ($default) = @_;

	return $ENV{CPG_SECONDS} || $default;
}

1;
