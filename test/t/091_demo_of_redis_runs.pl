# The demonstration of two servers and Redis, in a short form: each part shows
# what it should, and nothing stays behind, neither after the end nor after
# Ctrl-C.
use strict;
use warnings;

use File::Path qw(make_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $demo = 'demo/redis';
my $work = PostgreSQL::Test::Utils::tempdir() . '/work';

make_path($work);
$ENV{CPG_WORK} = $work;
$ENV{CPG_NO_DEPS} = 1;
$ENV{CPG_DEMO_ROUNDS} = 20;
$ENV{CPG_DEMO_KEYS} = 1000;
$ENV{CPG_DEMO_OUTAGE} = 2;

# Data directories, and Redis servers, whose sockets are in directories of their own.
sub leftovers
{
	my @redis = grep { m{redis-server unixsocket:/tmp/cpg\.} } map { slurp($_) } glob('/proc/[0-9]*/cmdline');

	return [ glob("$work/*"), @redis ];
}

# A process may be gone by now.
sub slurp
{
	my ($file) = @_;

	open(my $in, '<', $file) or return '';
	my $text = do { local $/; <$in> };
	return $text // '';
}

sub timeout
{
	return IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
}

my $before = leftovers();

{
	my ($out, $err);

	ok(IPC::Run::run([$demo], '>', \$out, '2>', \$err, timeout()), 'it succeeds') or diag($out, $err);
	note($out);
	like($out, qr/^ *A +100 +0\n *B +0 +100$/m, 'B takes from Redis what A loaded');
	like($out, qr/half within [\d.]+ ms, 99 % within [\d.]+ ms/, 'commits were timed');
	like($out, qr/Attempt 1, retrying in \d+ ms\./, 'the log shows attempts');
	like($out, qr/Recovered after \d+ attempts\./, '... and the recovery');
	like($out, qr/^ *old values served on B after that +0$/m, 'B served nothing old');
	my ($moved) = $out =~ /^ *keys that moved with a fourth Redis server +([\d.]+) %$/m;
	cmp_ok($moved // 0, '>', 15, 'some keys moved');
	cmp_ok($moved // 100, '<', 35, '... about a quarter');
	like($out, qr/^ *values that B took from all four +1000 of 1000$/m, 'B finds all of them');
	like($out, qr/^ *problems found by cachepg_check\(\) on A, B +0 0 *$/m, 'the check finds nothing');
	like($err, qr/^\[ *\d+s\] starting three Redis servers/m, 'progress is shown');
	is_deeply(leftovers(), $before, 'nothing is left');
}

# Ctrl-C in the middle
{
	local $ENV{CPG_DEMO_ROUNDS} = 100000;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([$demo], '>', \$out, '2>', \$err, timeout());

	$run->pump until $err =~ /commits on A/;
	$run->signal('INT');
	$run->finish;
	is($run->full_result(0) & 127, 0, 'it ends by itself');
	is($run->full_result(0) >> 8, 130, 'with the status of an interruption');
	is_deeply(leftovers(), $before, 'nothing is left after Ctrl-C');
}

# a bad setting is explained
{
	local $ENV{CPG_DEMO_KEYS} = 'many';
	my ($out, $err);

	ok(!IPC::Run::run([$demo], '>', \$out, '2>', \$err), 'a bad setting is an error');
	like($err, qr/CPG_DEMO_KEYS must be a whole number/, 'that is explained');
}

done_testing();
