# Races: sessions that stop at the wait points of src/fault.h.
#
# A race is written as a list of steps.  A session's statement is started with
# `go`; if it has to stop at a point, `stops` arms the point for it and waits
# until it is there.  `resume` lets it go on, `done` waits for its end and gives
# what it printed.
#
# fences_are_down proves that no cell is left pending: what depends on any of
# them is served again.
package Races;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;

our @EXPORT = qw(race_cluster session go done run stops resume arm disarm without pid_of close_session);

my $points;

# race_cluster(NAME, SETTING => VALUE...): a server with the instruments.
sub race_cluster
{
	my ($name, %settings) = @_;
	my $node = new_cluster($name, 'max_prepared_transactions' => 5, %settings);
	my ($dir) = __FILE__ =~ m{^(.*)/};

	$node->safe_psql('postgres', slurp_file("$dir/faults.sql"));
	$node->safe_psql('postgres', 'CREATE TABLE t (id integer PRIMARY KEY, v integer)');
	return $node;
}

# session(NODE [, MORE]): a session that runs one text after the other; MORE is
# what its connection string has beside the database.
sub session
{
	my ($node, $more) = @_;
	my %s = (node => $node, in => '', out => '', err => '', count => 0);

	$s{run} = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=terse',
			'-d', $node->connstr('postgres') . ($more ? " $more" : '') ],
		'<', \$s{in}, '>', \$s{out}, '2>', \$s{err},
		IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default * 3));
	my $s = \%s;
	$s->{pid} = run($s, 'SELECT pg_backend_pid()');
	return $s;
}

sub pid_of { return $_[0]->{pid} }

# go(SESSION, SQL): begins to run it.
sub go
{
	my ($s, $sql) = @_;

	$s->{count}++;
	$s->{in} .= "$sql;\n\\echo end-$s->{count}\n";
	$s->{run}->pump_nb;
	return;
}

# done(SESSION): what was begun has ended; its output, errors included.
sub done
{
	my ($s) = @_;
	my $end = "end-$s->{count}\n";

	until ($s->{out} =~ /\Q$end\E/)
	{
		die "psql ended: $s->{err}" unless $s->{run}->pumpable;
		$s->{run}->pump;
	}
	my $text = $s->{out};
	$text =~ s/\Q$end\E//;
	chomp $text;
	# errors come through another pipe
	$s->{run}->pump_nb;
	my $errors = $s->{err};
	$s->{out} = $s->{err} = '';
	return $errors eq '' ? $text : "$text$errors";
}

# run(SESSION, SQL): both.
sub run
{
	go(@_);
	return done($_[0]);
}

# arm(NODE, POINT, ACTION [, SESSION]); disarm(NODE, POINT...)
sub arm
{
	my ($node, $point, $action, $s) = @_;
	my $pid = $s ? pid_of($s) : 0;

	$node->safe_psql('postgres', "SELECT cachepg_fault_arm('$point', '$action', $pid)");
	return;
}

sub disarm
{
	my ($node, @points) = @_;

	$node->safe_psql('postgres', "SELECT cachepg_fault_disarm('$_')") for @points;
	return;
}

# stops(SESSION, SQL, POINT): runs it until it stands at the point.
sub stops
{
	my ($s, $sql, $point) = @_;

	arm($s->{node}, $point, 'wait', $s);
	go($s, $sql);
	return if one_value($s->{node}, "SELECT cachepg_fault_await('$point')") eq 't';
	$s->{run}->pump_nb;
	die "the session did not stop at $point: $s->{out}$s->{err}";
}

# resume(SESSION, POINT): lets it go on to its end; what it printed.
sub resume
{
	my ($s, $point) = @_;

	disarm($s->{node}, $point);
	return done($s);
}

# without(NODE, MECHANISM, CODE): runs it with a mechanism switched off.
sub without
{
	my ($node, $mechanism, $code) = @_;

	arm($node, $mechanism, 'skip');
	my @result = $code->();
	disarm($node, $mechanism);
	return wantarray ? @result : $result[0];
}

sub close_session
{
	my (@sessions) = @_;

	for my $s (@sessions)
	{
		$s->{in} .= "\\q\n";
		eval { $s->{run}->finish; 1 } or diag("session: $@");
	}
	return;
}

1;
