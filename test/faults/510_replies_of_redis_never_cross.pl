# The kept connection of a session: after a cancel at any byte of a reply, the
# next command gets its own reply; with the rule that closes such connections
# switched off it gets another's.  Retries, the breaker and the limit of
# connections, as sessions meet them.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../t";
use CachePg;
use FakeRedis qw(fake_redis fake_mode fake_stop fake_url fake_count);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races;
use Test::More;
use Time::HiRes qw(time);

my $fake = fake_redis();
my $url = fake_url($fake);
my $node = race_cluster('crossing', 'cachepg.redis_timeout' => '20s', 'cachepg.redis_max_connections' => 4);
# not at start: without its workers nobody but the sessions here connects
$node->append_conf('postgresql.conf', "cachepg.redis_servers = '$url'");
$node->reload;
ok(wait_until($node, "SELECT current_setting('cachepg.redis_servers') = '$url'"), 'the fake server is known');
# cache_redis through the connection that is kept
arm($node, 'redis-own', 'skip');
my $s = session($node);
run($s, "\\set VERBOSITY verbose\nSELECT 1");

sub echo { return run($s, "SELECT cache_redis('GET', '$_[0]')") }

# Cancels a command whose reply stalls after some bytes.  The rest comes later.
sub cancel_at
{
	my ($cut) = @_;

	fake_mode($fake, "stall $cut 1");
	go($s, "SELECT cache_redis('GET', 'tag$cut')");
	ok(wait_until($node, q{SELECT wait_event IS NOT NULL AND state = 'active' FROM pg_stat_activity WHERE pid = } . pid_of($s)), 'waits');
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . pid_of($s) . ')');
	like(done($s), qr/ERROR:  57014/, "cancelled at byte $cut");
	fake_mode($fake, 'echo');
	return echo("next$cut");
}

is(echo('a'), 'a', 'a reply');
is(echo('b'), 'b', 'another');
is(fake_count($fake, 'connections'), 1, 'over one connection');
is(cancel_at($_), "next$_", 'the next reply is its own') for 0 .. 9;
is(without($node, 'redis-dirty', sub { cancel_at(4) }), 'tag4', 'with the rule switched off it is not');

# What is tried again, and what is not.
close_session($s);
$s = session($node);
run($s, "\\set VERBOSITY verbose\nSELECT 1");
is(echo('a'), 'a', 'a new session');
my $commands = fake_count($fake, 'commands');
fake_mode($fake, 'raw', "-LOADING not yet\r\n");
like(echo('b'), qr/answered with an error: LOADING/, 'a server that is not ready');
is(fake_count($fake, 'commands') - $commands, 3, 'is asked three times');
$commands = fake_count($fake, 'commands');
fake_mode($fake, 'raw', "-OOM full\r\n");
like(echo('b'), qr/answered with an error: OOM/, 'one that takes no writes');
is(fake_count($fake, 'commands') - $commands, 1, 'once');
fake_mode($fake, 'echo');
is(echo('c'), 'c', 'well again');

# The breaker.
fake_mode($fake, 'close');
like(echo("f$_"), qr/ERROR:  08006: .*: the connection was lost/, "failure $_") for 1 .. 3;
my $began = time();
my $got;
like($got = echo('f4'), qr/ERROR:  08006: .*: it failed lately and is left alone/, 'then it is not tried');
is(one_value($node, q{SELECT opened, breaker IN ('open', 'half-open'), refused > 0, last_error FROM cache_redis_nodes}), '1|t|t|the connection was lost', 'the breaker is open');
fake_mode($fake, 'echo');
ok(wait_until($node, q{SELECT breaker = 'half-open' FROM cache_redis_nodes}), 'half-open after a while');
is(echo('d'), 'd', 'the next call is let through');
is(one_value($node, 'SELECT breaker FROM cache_redis_nodes'), 'closed', 'and closes it');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /Redis server "fake" fails, it is left alone for a while/g), 1, 'one line when it opened');
is(scalar(() = $log =~ /Redis server "fake" answers again/g), 1, 'one when it closed');
# a probe that fails, and one that is cancelled
fake_mode($fake, 'close');
echo("f$_") for 1 .. 3;
ok(wait_until($node, q{SELECT breaker = 'half-open' FROM cache_redis_nodes}), 'half-open');
fake_mode($fake, 'hang');
go($s, q{SELECT cache_redis('GET', 'x')});
ok(wait_until($node, q{SELECT wait_event IS NOT NULL AND state = 'active' FROM pg_stat_activity WHERE pid = } . pid_of($s)), 'a probe waits');
my $other = session($node);
run($other, "\\set VERBOSITY verbose\nSELECT 1");
like(run($other, q{SELECT cache_redis('GET', 'y')}), qr/left alone/, 'another is not let through');
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . pid_of($s) . ')');
like(done($s), qr/57014/, 'the probe is cancelled');
fake_mode($fake, 'echo');
is(run($other, q{SELECT cache_redis('GET', 'y')}), 'y', 'the other is the next one');

# Four connections for all.
close_session($s, $other);
ok(wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'}), 'alone');
my @sessions = map { session($node) } 1 .. 6;
run($_, "\\set VERBOSITY verbose\nSELECT 1") for @sessions;
is(join(' ', map { run($_, q{SELECT cache_redis('GET', 'z')}) } @sessions), 'z z z z z z', 'six sessions, one after the other');
fake_mode($fake, 'late 2');
go($_, q{SELECT cache_redis('GET', 'z')}) for @sessions;
my @answers = map { done($_) } @sessions;
is(scalar(grep { $_ eq 'z' } @answers), 4, 'four at once') or diag(@answers);
is(scalar(grep { /ERROR:  53400: .*: too many connections/ } @answers), 2, 'the others are told so');
fake_mode($fake, 'echo');
is(join(' ', map { run($_, q{SELECT cache_redis('GET', 'z')}) } @sessions), 'z z z z z z', 'and are served later');

# What a session that is terminated has is given back.
close_session(@sessions);
ok(wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'}), 'alone');
@sessions = map { session($node) } 1 .. 5;
fake_mode($fake, 'hang');
go($_, q{SELECT cache_redis('GET', 'z')}) for @sessions[ 0 .. 3 ];
ok(wait_until($node, q{SELECT count(*) = 4 FROM pg_stat_activity WHERE wait_event IS NOT NULL AND state = 'active' AND query ~ 'cache_redis' AND pid <> pg_backend_pid()}), 'four wait');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . pid_of($_) . ')') for @sessions[ 0 .. 3 ];
ok(wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event IS NOT NULL AND state = 'active' AND query ~ 'cache_redis' AND pid <> pg_backend_pid()}), 'they are gone');
fake_mode($fake, 'echo');
is(run($sessions[4], q{SELECT cache_redis('GET', 'z')}), 'z', 'there is room again');

# An error while a connection is made, more often than there is room for some.
close_session(@sessions);
$s = session($node);
arm($node, 'redis-set', 'error');
for my $i (1 .. 10)
{
	my $said = run($s, q{SELECT cache_redis('GET', 'z')});

	like($said, qr/too many files are open/, "no set of events, attempt $i") or last;
}
disarm($node, 'redis-set');
is(run($s, q{SELECT cache_redis('GET', 'z')}), 'z', 'well again, nothing was lost');
is(one_value($node, 'SELECT breaker FROM cache_redis_nodes'), 'closed', 'the server was not blamed');

close_session($s);
check_store($node);
$node->stop;
fake_stop($fake);
done_testing();
