# Negative controls of the oracle: with each mechanism switched off it finds
# stale reads, with none it does not.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";

$ENV{CPG_WORK} = PostgreSQL::Test::Utils::tempdir();
chomp($ENV{CPG_BINDIR} = `"$ENV{PG_CONFIG}" --bindir`);
# each control ends at the first stale read
$ENV{CPG_CONTROL_SECONDS} = 5;
$ENV{CPG_SECONDS} = 60;

my ($out, $err) = run_command([ "$top/scripts/soak", 'controls' ]);
my %stale = map { /^(\S+) +stale reads (\d+)/ ? ($1 => $2) : () } split /\n/, $out;
my @mechanisms = qw(precommit-fence stamp-order maximum nested-inheritance twophase-slots);

is_deeply([ sort keys %stale ], [ sort 'none', @mechanisms ], 'each control ran');
is($stale{none}, 0, 'with everything on there is no stale read') or diag($out, $err);
cmp_ok($stale{$_}, '>', 0, "without $_ there is") for @mechanisms;
done_testing();
