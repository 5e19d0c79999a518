# The benchmarks run: a short form of the parts that need nothing but
# PostgreSQL and Redis gives a table with a figure in each line.  The figures themselves
# mean nothing here.
# It takes long.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $results = PostgreSQL::Test::Utils::tempdir() . '/results';

# programs, servers and results all go to the test's own directory
$ENV{CPG_WORK} = PostgreSQL::Test::Utils::tempdir();
$ENV{CPG_BENCH_RESULTS} = $results;
$ENV{CPG_BENCH_SHORT} = 1;
delete $ENV{CPG_TRACES};

command_ok([ "$top/bench/run", qw(loop memory replay guard invalidate pressure stampede codec redis) ], 'the parts end well');

my %measured;
for my $line (split /\n/, slurp_file("$results/summary.md"))
{
	my (undef, $what, $bar, $figure, $met, $command) = split /\s*\|\s*/, $line;
	push @{ $measured{$1} }, $figure if ($command // '') =~ /^`bench-(\w+)`$/;
}
is_deeply([ sort keys %measured ], [qw(codec guard invalidate loop memory pressure redis replay stampede)], 'each part has lines in the table');
is(scalar(@{ $measured{replay} }), 7, 'the synthetic trace was replayed with each policy and capacity');
is_deeply([ grep { !/^[\d.]*[1-9]/ } map { @$_ } @measured{qw(loop memory replay)} ], [], 'each line has a figure above 0');
# ratios and differences, which may be small
is_deeply([ grep { !/^-?\d/ } map { @$_ } values %measured ], [], 'each line has a figure');
like(slurp_file("$results/loop.txt"), qr/^loop_get, 2 at once \(.*\): (\d+) \1 /m, 'every get of the loop was a hit');
done_testing();
