# The demonstration: its parser resolves dependencies as it says, its table has
# every row, the cached run loads each package once, and nothing stays behind,
# neither after the end nor after Ctrl-C.
use strict;
use warnings;

use File::Path qw(make_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $demo = 'demo/run';
my $applications = 20;
my $dir = PostgreSQL::Test::Utils::tempdir();

sub write_file
{
	my ($name, $text) = @_;

	open(my $out, '>', $name) or die "could not write $name: $!";
	print {$out} $text;
	close($out) or die "could not write $name: $!";
	return;
}

# A catalogue in the format of apt-cache dumpavail: applications that need
# layers of libraries.
sub catalogue
{
	my $text = '';

	for my $i (1 .. $applications)
	{
		$text .= "Package: app$i\nInstalled-Size: 10\nTag: role::program,\n x11::application\n"
		  . 'Depends: ' . join(', ', map { 'lib0-' . ($i + $_) % 30 } 0 .. 9) . "\n\n";
	}
	for my $layer (0 .. 9)
	{
		for my $i (0 .. 29)
		{
			$text .= "Package: lib$layer-$i\nInstalled-Size: $i\n";
			$text .= sprintf("Depends: lib%d-%d, lib%d-%d\n", $layer + 1, $i, $layer + 1, ($i * 7 + 1) % 30) if $layer < 9;
			$text .= "\n";
		}
	}
	return $text;
}

sub parse
{
	my ($text) = @_;
	my $out;

	IPC::Run::run([ 'demo/catalogue.pl', $dir ], '<', \$text, '>', \$out) or die 'catalogue.pl failed';
	my %id = map { (split /\t/)[ 1, 0 ] } split /\n/, slurp_file("$dir/package.tsv");
	my %name = reverse %id;
	my @pairs = map { join '>', map { $name{$_} } split /\t/ } split /\n/, slurp_file("$dir/dependency.tsv");
	return ($out, \%id, [ sort @pairs ]);
}

# the parser
{
	my ($counts, $id, $pairs) = parse(<<'END');
Package: editor
Depends: gone | toolkit (>= 2) | other, mail-agent, missing
Pre-Depends: base:any (>= 1), toolkit
Tag: role::program,
 x11::application

Package: popular
Tag: x11::application, role::program
Depends: base

Package: toolkit
Recommends: popular

Package: exim
Provides: mail-agent (= 4)

Package: postfix
Provides: mail-agent

Package: other
Suggests: popular | editor

Package: base
Installed-Size: 7
END
	is($counts, "7 4 2\n", 'numbers of packages, dependencies, applications');
	is_deeply($pairs, [ 'editor>base', 'editor>exim', 'editor>toolkit', 'popular>base' ] , 'dependencies')
	  or diag explain $pairs;
	is_deeply([ @$id{qw(popular editor)} ], [ 1, 2 ], 'the first ids are of applications, by popularity');
}

# ---------------------------------------------------------------------
# The demonstration itself, with a work directory of its own
# ---------------------------------------------------------------------

my $work = "$dir/work";
make_path($work);
write_file("$dir/catalogue", catalogue());
$ENV{CPG_WORK} = $work;
$ENV{CPG_NO_DEPS} = 1;
$ENV{CPG_DEMO_CATALOGUE} = "$dir/catalogue";
$ENV{CPG_DEMO_PACKAGES} = $applications;
$ENV{CPG_DEMO_CLIENTS} = 1;

sub leftovers
{
	return [ glob("$work/*") ];
}

{
	local $ENV{CPG_DEMO_SECONDS} = 2;
	my ($out, $err);

	my $ok = IPC::Run::run([$demo], '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	ok($ok, 'it succeeds') or diag($out, $err);
	note($out);
	for my $row ('requests per second', 'latency, mean', 'latency, 50 % are below', 'latency, 99 % are below')
	{
		like($out, qr/^ *\Q$row\E +[\d,.]+(?: ms)? +[\d,.]+(?: ms)?$/m, "the table has a row \"$row\"");
	}
	my ($loads) = $out =~ /^ *executions of the query +[\d,]+ +([\d,]+)$/m;
	cmp_ok($loads, '>', 0, 'the cached run executed the query');
	cmp_ok($loads, '<=', $applications, 'but at most once per application');
	like($out, qr/^ *hit ratio +- +\d+\.\d+ %$/m, 'the table has the hit ratio');
	like($out, qr/answered \d+\.\d times as many requests per second/, 'and the ratio');
	like($out, qr/same both ways: $applications of $applications\./, 'the answers were compared');
	like($out, qr/ A +\| there\n +B +\| evicted\n +C +\| there\n/, 'B is evicted');
	like($out, qr/after 0 s: hello.*\n.*\n.*\n +after 3 s: gone/, 'the entry expires');
	like($out, qr/Problems found: 0\n/, 'the check finds nothing');
	like($err, qr/^\[ *\d+s\] loading 320 packages with \d+ dependencies/m, 'progress is shown');
	is_deeply(leftovers(), [], 'nothing is left');
}

# Ctrl-C in the middle of the first measurement
{
	local $ENV{CPG_DEMO_SECONDS} = 600;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([$demo], '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

	$run->pump until $err =~ /requests per second/;
	isnt(scalar @{ leftovers() }, 0, 'while it runs, its server is in the work directory');
	$run->signal('INT');
	$run->finish;
	is($run->full_result(0) & 127, 0, 'it ends by itself');
	is($run->full_result(0) >> 8, 130, 'with the status of an interruption');
	is_deeply(leftovers(), [], 'nothing is left after Ctrl-C');
}

# an empty catalogue and bad settings are explained
{
	write_file("$dir/catalogue", '');
	my ($out, $err);
	ok(!IPC::Run::run([$demo], '>', \$out, '2>', \$err), 'an empty catalogue is an error');
	like($err, qr/catalogue is empty/, 'that is explained');
	is_deeply(leftovers(), [], 'nothing is left after an error');

	local $ENV{CPG_DEMO_CLIENTS} = 'many';
	ok(!IPC::Run::run([$demo], '>', \$out, '2>', \$err), 'a bad setting is an error');
	like($err, qr/CPG_DEMO_CLIENTS must be a whole number/, 'that is explained');
}

done_testing();
