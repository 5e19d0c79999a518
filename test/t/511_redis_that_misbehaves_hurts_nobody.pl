# A Redis server that is down, slow, hostile or not ready: calls end in time
# with the right error, cancels end waits at once, nothing of one reply is ever
# taken for another, the breaker opens and closes, the server goes on.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../faults";
use CachePg;
use FakeRedis qw(fake_redis fake_mode fake_stop fake_url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races qw(session go done run pid_of close_session);
use Test::More;
use Time::HiRes qw(time);

my $fake = fake_redis();
my $node = new_cluster('victim', 'cachepg.redis_servers' => fake_url($fake), 'cachepg.redis_timeout' => '300ms',
	'cachepg.redis_connect_timeout' => '300ms', 'cachepg.redis_max_reply' => '128kB');
my $s = session($node);
run($s, "\\set VERBOSITY verbose\nSELECT 1");

sub echo { return run($s, "SELECT cache_redis('GET', '$_[0]')") }
sub timed { my $began = time(); my $got = run($s, $_[0]); return ($got, time() - $began) }

is(echo('a'), 'a', 'the fake is honest by default');

# Each of these: the error, and then an honest answer.
my $huge = "\$99999999999\r\n";
my @bad = (
	[ 'raw', "HTTP/1.1 400 Bad Request\r\n\r\n", '08P01', 'another protocol' ],
	[ 'raw', $huge, '08P01', 'a huge string announced' ],
	[ 'raw', "*2147483647\r\n", '08P01', 'a huge array announced' ],
	[ 'raw', "*1\r\n" x 9 . ":1\r\n", '08P01', 'too deep' ],
	[ 'raw', "\$140000\r\n" . 'x' x 140000 . "\r\n", '08P01', 'longer than allowed' ],
	[ 'raw', "*3\r\n\$60000\r\n" . 'x' x 60000 . "\r\n\$60000\r\n" . 'x' x 60000 . "\r\n\$18000\r\n" . 'x' x 18000 . "\r\n", '08P01', 'longer in sum' ],
	[ 'raw', '+' . 'x' x 20000 . "\r\n", '08P01', 'an endless line' ],
	[ 'raw', "+a\r\n+b\r\n", '08P01', 'two replies for one' ],
	[ 'raw', "\$-2\r\n", '08P01', 'a negative length' ],
	[ 'raw', "\$3\r\nabcd\r\n", '08P01', 'a string longer than announced' ],
	[ 'raw', "%1\r\n+a\r\n+b\r\n", '08P01', 'a type of RESP3' ],
	[ 'raw', join('', map { chr(255 - $_ % 256) } 0 .. 999), '08P01', 'bytes' ],
	[ 'close', '', '08006', 'the end at once' ],
	[ 'cut 7', "\$10\r\n0123456789\r\n", '08006', 'the end in the middle' ],
	[ 'hang', '', '08006', 'silence' ],
	[ 'stall 9', "\$10\r\n0123456789\r\n", '08006', 'silence in the middle' ],
	[ 'drip', "\$10\r\n0123456789\r\n", '08006', 'a byte a second' ],
	[ 'raw', "-LOADING Redis is loading secret\r\n", '38000', 'LOADING' ],
	[ 'raw', "-MOVED 1 127.0.0.1:1\r\n", '38000', 'MOVED' ],
	[ 'raw', "-OOM command not allowed\r\n", '38000', 'OOM' ],
	[ 'raw', "-READONLY You can't write\r\n", '38000', 'READONLY' ],
	[ 'raw', "-NOAUTH Authentication required.\r\n", '38000', 'NOAUTH' ]);
for my $bad (@bad)
{
	my ($mode, $bytes, $state, $name) = @$bad;

	fake_mode($fake, $mode, $bytes);
	my ($got, $took) = timed(q{SELECT cache_redis('GET', 'secret')});
	like($got, qr/ERROR:  $state: /, "$name: error");
	like($got, qr/error: $name\b/, "$name: shown") if $state eq '38000';
	unlike($got, qr/secret/, "$name: no key");
	cmp_ok($took, '<', 3, "$name: in time");
	fake_mode($fake, 'echo');
	is(echo("after $name"), "after $name", "$name: then an honest answer");
}

# Cancel, terminate and statement_timeout.
$node->append_conf('postgresql.conf', "cachepg.redis_timeout = '60s'");
$node->reload;
ok(wait_until($node, q{SELECT current_setting('cachepg.redis_timeout') = '1min'}), 'a long timeout');
for my $cut (0 .. 6)
{
	fake_mode($fake, "stall $cut", "\$1\r\nx\r\n");
	run($s, 'SELECT 1');
	go($s, q{SELECT cache_redis('GET', 'x')});
	ok(wait_until($node, q{SELECT wait_event IS NOT NULL AND state = 'active' FROM pg_stat_activity WHERE pid = } . pid_of($s)), 'waits');
	my $began = time();
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . pid_of($s) . ')');
	like(done($s), qr/ERROR:  57014/, "cancelled at byte $cut");
	cmp_ok(time() - $began, '<', 1.5, 'at once');
	fake_mode($fake, 'echo');
	is(echo("after $cut"), "after $cut", 'the next reply is right');
}
fake_mode($fake, 'hang');
my ($got, $took) = timed(q{SET statement_timeout = 100; SELECT cache_redis('GET', 'x')});
like($got, qr/57014/, 'statement_timeout');
cmp_ok($took, '<', 2, 'at once');
run($s, 'RESET statement_timeout');
go($s, q{SELECT cache_redis('GET', 'x')});
ok(wait_until($node, q{SELECT wait_event IS NOT NULL AND state = 'active' FROM pg_stat_activity WHERE pid = } . pid_of($s)), 'a session waits');
my $began = time();
$node->stop('fast');
cmp_ok(time() - $began, '<', 5, 'the server stops all the same');
unlike(slurp_file($node->logfile), qr/secret(?!'\))/, 'no keys in the log');
close_session($s);
$node->start;
check_store($node);

# Nobody listens.
fake_stop($fake);
fails_with($node, q{SELECT cache_redis('PING')}, '08001', qr/Redis server "fake" failed: could not connect/, 'refused');
is(one_value($node, 'SELECT ok, error FROM cache_redis_ping()'), 'f|could not connect', 'as ping says');

# What a list and a password file may be.
for my $case (
	[ 'redis://u:secret@h', qr/Address 1 of the list/ ],
	[ 'redis://a redis://b redis://a', qr/Address 3 of the list/ ])
{
	my ($status, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET cachepg.redis_servers = '$case->[0]'");
	isnt($status, 0, "$case->[0] is refused");
	like($err, $case->[1], 'with a reason');
}
$node->stop;
done_testing();
