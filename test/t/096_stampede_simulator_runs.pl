# cachepg-stampede runs: its table, files and exit statuses, with few clients and
# a short source; it leaves nothing behind, nor does a run that is interrupted.
# How good the latencies are is not judged here.
use strict;
use warnings;

use CachePg;
use IPC::Run ();
use List::Util qw(max sum);
use PostgreSQL::Test::Utils;
use Test::More;

my $clients = 12;
my $node = new_cluster('stampede');
my $dir = PostgreSQL::Test::Utils::tempdir();
my @program = ('cachepg-stampede', '--quiet', '--source-time', '50');

$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';

# The rows of a CSV file without commas inside of fields, as hashes.
sub csv
{
	my ($head, @lines) = split /\n/, slurp_file("$dir/$_[0]");
	my @names = split /,/, $head;
	my @rows;

	for my $line (@lines)
	{
		my %row;

		@row{@names} = split /,/, $line, -1;
		push @rows, \%row;
	}
	return @rows;
}

# The smallest value that this share of all, or more, is not above.
sub percentile
{
	my ($share, @values) = @_;
	my $rank = $share * @values;

	@values = sort { $a <=> $b } @values;
	return $values[ max(int($rank) + ($rank > int($rank)) - 1, 0) ];
}

# What is wrong with a text as XML, as far as elements go; '' if nothing.
sub broken_xml
{
	my ($xml) = @_;
	my @open;

	$xml =~ s/<style>.*?<\/style>//s;
	return 'a stray < or &' if $xml =~ /<(?![a-z\/])|&(?!(?:amp|lt|gt);)/;
	while ($xml =~ m{<(/?)(\w+)((?:\s+[\w:-]+="[^"<]*")*)\s*(/?)>|<([^>]*)>}g)
	{
		my ($closing, $name, $empty, $other) = ($1, $2, $4, $5);

		return "<$other>" if defined $other;
		return "</$name>" if $closing && (pop(@open) // '') ne $name;
		push @open, $name unless $closing || $empty;
	}
	return join(' ', @open);
}

# What the program made in the database and has not removed.
sub leftovers
{
	return one_value($node, q{
		SELECT coalesce(string_agg(what, ', '), '') FROM (
			SELECT nspname::text FROM pg_namespace WHERE nspname = 'cachepg_stampede'
			UNION ALL SELECT name FROM cache_namespaces WHERE name LIKE 'cachepg\_stampede%'
			UNION ALL SELECT application_name FROM pg_stat_activity WHERE application_name = 'cachepg-stampede') l (what)});
}

# Start a run whose source takes longer than the test, and wait until it is asked.
sub start_long_run
{
	my $run = IPC::Run::start([ 'cachepg-stampede', '-q', '-c', 3, '-d', 60000, '-m', 'none' ],
		'>', \my $out, '2>', \my $err);

	ok(wait_until($node, q{
		SELECT count(*) = 3 FROM pg_stat_activity
		WHERE application_name = 'cachepg-stampede' AND wait_event = 'PgSleep'}), 'a long run is under way');
	return $run;
}

program_help_ok('cachepg-stampede');
program_version_ok('cachepg-stampede');
program_options_handling_ok('cachepg-stampede');
command_exit_is([ @program, '--rate', 'many' ], 2, 'a bad number');
command_exit_is([ @program, '--modes', 'naive,nope' ], 2, 'an unknown mode');
command_exit_is([ @program, "host=$dir" ], 2, 'no server');
command_exit_is([ @program, 'dbname=template1' ], 2, 'a database without the extension');
command_exit_is([ @program, '--clients', 1000 ], 2, 'more clients than the server has room for');
is(leftovers(), '', 'nothing was made');

my ($table, $err) = run_command([ @program, '--clients', $clients, '--output', $dir, '--expect' ]);
my %line = map { /^(\w+) +(\d+) +(\d+) +(\d+) / ? ($1 => { executions => $2, peak => $3, waited => $4 }) : () }
  split /\n/, $table;

is_deeply($line{control}, { executions => 0, peak => 0, waited => $clients }, 'the control needs no source');
is_deeply($line{none}, { executions => $clients, peak => $clients, waited => $clients }, 'without a cache all run the query');
cmp_ok($line{naive}{executions}, '>', $clients / 2, 'without a guard there is a stampede');
like($table, qr/^ok - naive: executions of the source.*: $line{naive}{executions} \(>= 7\)$/m, 'that is checked');

my @summary = csv('summary.csv');
my @requests = csv('requests.csv');
my @timeline = csv('timeline.csv');
is(join(' ', map { $_->{mode} } @summary), join(' ', $table =~ /^(?!mode|ok|not)(\w+) /mg), 'a line for each mode');
for my $mode (@summary)
{
	my $name = $mode->{mode};
	my $phase = $name eq 'breaker' ? 'traffic' : 'burst';
	my @counted = grep { $_->{mode} eq $name && $_->{phase} ne 'warm' } @requests;
	my @latencies = map { $_->{finished_ms} - $_->{due_ms} } grep { $_->{phase} eq $phase && !$_->{failed} } @counted;
	my @steps = grep { $_->{mode} eq $name } @timeline;

	is($mode->{executions}, $line{$name}{executions}, "$name: table and summary agree");
	is($mode->{errors}, 0, "$name: no errors");
	is(scalar(@latencies), $clients, "$name: all clients came") unless $phase eq 'traffic';
	cmp_ok(abs($mode->{"$_->[0]_ms"} - percentile($_->[1], @latencies)), '<', 0.01, "$name: $_->[0]")
	  for [ p50 => 0.5 ], [ p99 => 0.99 ], [ max => 1 ];
	is(sum(map { $_->{begun} } @steps), scalar(@counted), "$name: the timeline has each request's begin");
	is(sum(map { $_->{finished} } @steps), scalar(@counted), "$name: ... and end");
	cmp_ok(max(map { $_->{running} } @steps), '<=', $clients, "$name: executions over time");
}

my $svg = slurp_file("$dir/stampede.svg");
my $html = slurp_file("$dir/report.html");
is(broken_xml($svg), '', 'the picture is well-formed');
is(() = $svg =~ /class="st-title"/g, scalar(@summary), 'it has a panel for each mode');
isnt(index($html, $svg), -1, 'the report has the picture');
unlike($html =~ s{http://www\.w3\.org/2000/svg}{}gr, qr/<script|\bsrc=|\bhref=|url\(|\@import|https?:/, 'it needs nothing from elsewhere');
like($html, qr/<td>$_<\/td>/, "it has a line for $_") for map { $_->{mode} } @summary;
is(leftovers(), '', 'nothing is left');

command_exit_is([ @program, '-c', 4, '-m', 'naive', '--expect' ], 0, 'all expectations met');
{
	# a value loaded in REPEATABLE READ is not kept
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=repeatable\ read';

	command_exit_is([ @program, '-c', 4, '-m', 'coalescing', '--expect' ], 1, 'an expectation missed');
}

my $run = start_long_run();
command_exit_is([@program], 2, 'another run at the same time is refused');
isnt(leftovers(), '', 'it spares what the first has made');
$run->signal('INT');
$run->finish;
is($run->result(0), 130, 'Ctrl-C ends a run');
ok(wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'cachepg-stampede'}), 'with its sessions');
is(leftovers(), '', 'it has cleaned up');

$run = start_long_run();
$run->signal('KILL');
$run->finish;
isnt(leftovers(), '', 'a killed run leaves something');
command_ok([ @program, '--cleanup' ], 'that can be removed');
ok(wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'cachepg-stampede'}), 'with its sessions');
is(leftovers(), '', 'all of it');
check_store($node);
done_testing();
