# Whatever befalls Redis, the workers and the servers: who reads on a gets nothing
# older than what was acknowledged, who reads on b nothing that is older by more
# than bus_silence allows, and, once b has heard of it, nothing older at all.  What
# the oracle does is in test/oracle2.
#
# And cancels, wherever they strike a statement that reads from Redis, never let
# it have another's reply.
#
# CPG_CYCLES   in each of which Redis is killed, a's broadcaster is ended, and
#              something else happens; without it a few disturbances once each
# CPG_CANCELS  (3000)
# CPG_RECORD   a directory for the results, which must be there
# CPG_SEED     of the choices; printed
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use RedisServer;
use TwoServers;

my $cycles = $ENV{CPG_CYCLES};
my $cancels = $ENV{CPG_CANCELS} // 3000;
my $seed = srand($ENV{CPG_SEED} // int(rand(2**31)));
my $programs = build_oracle2();
my $s = two_servers(\&new_cluster);

note("seed $seed");

# What happens in each cycle, and when: names with seconds of pause after them.
sub planned
{
	my @others = disturbances();

	if (!$cycles)
	{
		return map { [$_] } 'redis killed', 'redis comes back old', 'messages lost', 'subscriber stopped',
		  ($others[ rand @others ]) x 2;
	}
	return map {
		my @happens = ('redis killed', 'broadcaster ended', $others[ rand @others ]);

		$happens[0] = 'redis comes back old' if rand() < 0.5;
		@happens = @happens[ 1, 0, 2 ] if rand() < 0.3;
		@happens = @happens[ 2, 0, 1 ] if rand() < 0.3;
		\@happens
	} 1 .. $cycles;
}

my $dir = $ENV{CPG_RECORD} // PostgreSQL::Test::Utils::tempdir();

record("$dir/soak-redis.txt", 'CPG_CYCLES=' . ($cycles // '') . " CPG_SEED=$seed scripts/soak redis");
my $oracle = start_oracle2($s, $programs, "$dir/soak-redis.txt", '-s', $seed % 1000);
ok(check_oracle2($oracle, 'nothing yet'), 'values travel');
for my $happens (planned())
{
	disturb($s, $_) for @$happens;
	my $what = join ', ', @$happens;
	check_oracle2($oracle, $what) or do { fail("b recovers after $what"); last };
}
my $status = finish_oracle2($oracle);
my $out = slurp_file("$dir/soak-redis.txt");
my %count = oracle2_counts($out);

is($status, 0, 'the oracle is content') or diag($out);
is($count{$_}, 0, $_) for 'stale on a', 'late on b', 'stale on b', 'poison', 'unexpected errors';
# a run that checked next to nothing proves nothing
cmp_ok($count{'reads on a'}, '>', 5000, 'it read on a');
cmp_ok($count{'reads on b'}, '>', 1000, 'it read on b');
cmp_ok($count{commits}, '>', 100, 'it wrote');

record("$dir/cancels.txt", "CPG_CANCELS=$cancels scripts/soak redis");
IPC::Run::run([ "$programs/cancels", '-a', $s->{a}->connstr('postgres'), '-b', $s->{b}->connstr('postgres'),
		'-n', $cancels ], '<', \undef, '>>', "$dir/cancels.txt", '2>&1');
$out = slurp_file("$dir/cancels.txt");
%count = oracle2_counts($out);
is($count{'mix-ups'}, 0, 'no reply is taken for another') or diag($out);
is($count{'unexpected errors'}, 0, 'no errors but cancellations') or diag($out);
cmp_ok($count{cancels} // 0, '>=', $cancels, 'statements were cancelled');
cmp_ok($count{values}, '>', $count{cancels} / 2, 'values were read');
cmp_ok($s->{b}->safe_psql('postgres', q{SELECT l2_hits FROM cache_namespace_stats WHERE namespace = 'c'}),
	'>', $count{values} / 4, 'from Redis');

check_store($s->{$_}) for 'a', 'b';
$s->{$_}->stop for 'a', 'b';
done_testing();
