# Under load, with cancels, terminations, savepoints, two-phase commit, DDL and
# too little memory, nobody reads less than what was visible when he began, nor
# anything that was rolled back.  What the oracle does is in test/oracle.
# CPG_SECONDS is how long (60).
# It takes long.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $seconds = $ENV{CPG_SECONDS} // 60;

# the program and its server go to the test's own directory
$ENV{CPG_WORK} = PostgreSQL::Test::Utils::tempdir();
$ENV{CPG_SECONDS} = $seconds;
chomp($ENV{CPG_BINDIR} = `"$ENV{PG_CONFIG}" --bindir`);
delete $ENV{CPG_RECORD};

my ($out, $err) = run_command([ "$top/scripts/soak", '-i', '10' ]);
my %count = map { /^(.*?) ([\d.]+)/ ? ($1 => $2) : () } split /\n/, $out;

is($count{$_}, 0, $_)
  for 'stale reads', 'poison reads', 'torn pairs', 'rows vanished', 'own writes not seen',
  'final differences';
is(join("\n", grep { /^errors \w+, unexpected/ } split /\n/, $out), '', 'unexpected errors');
is($count{'unexpected errors'}, 0, 'unexpected errors in all');
unlike($out, qr/^violation/m, 'no violation') or diag($out, $err);
# a run that checked next to nothing proves nothing
cmp_ok($count{'oracle reads'}, '>', 1000 * $seconds, 'it read');
cmp_ok($count{'commits on the keys that are read'}, '>', 30 * $seconds, 'it wrote');
cmp_ok($count{hits}, '>', 50, 'more than half of the reads were hits');
cmp_ok($count{disturbances}, '>', $seconds, 'it was disturbed');
done_testing();
