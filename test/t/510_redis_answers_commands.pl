# A real Redis server: commands, replies of every type, what is refused, and
# what the views say; several servers share keys as planned.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use FakeRedis qw(start_redis stop_redis);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer qw(redis_version);
use Test::More;

my @redis = map { start_redis() } 1 .. 3;
my $node = new_cluster('client', 'cachepg.redis_servers' => "unix://$redis[0]{socket}?name=a", 'cachepg.redis_timeout' => '2s');

sub redis { return one_value($node, "SELECT cache_redis($_[0])") }

is(redis(q{'PING'}), 'PONG', 'a status');
is(redis(q{'set', 'k', 'ü'}), 'OK', 'commands in any case');
is(redis(q{'GET', 'k'}), 'ü', 'a string');
is(redis(q{'INCRBY', 'n', '-9223372036854775808'}), '-9223372036854775808', 'an integer');
is(one_value($node, q{SELECT cache_redis('GET', 'none') IS NULL}), 't', 'nil');
redis(q{'RPUSH', 'l', 'a', '"', ''});
is(redis(q{'LRANGE', 'l', '0', '-1'}), '["a", "\"", ""]', 'an array');
is(redis(q{'LRANGE', 'none', '0', '-1'}), '[]', 'an empty array');
is(redis(q{'MGET', 'k', 'none'}), '["ü", null]', 'nil in an array');
is(redis(q{'SETRANGE', 'b', '3', 'x'}), '4', 'zero bytes');
is(redis(q{'GET', 'b'}), '\x00000078', 'what is no text is shown in hexadecimal');
is(one_value($node, q{SELECT length(cache_redis('GET', 'big')) FROM (SELECT cache_redis('SET', 'big', repeat('x', 3000000))) AS s}), 3000000, 'more than buffers hold');
fails_with($node, q{SELECT cache_redis('RPUSH', 'k', 'secret')}, '38000', qr/Redis server "a" answered with an error: WRONGTYPE$/m, 'an error');
fails_with($node, q{SELECT cache_redis('NOSUCH', 'secret')}, '38000', qr/answered with an error: ERR$/m, 'an unknown command');
fails_with($node, q{SELECT cache_redis(NULL)}, '22004', qr/command must not be null/, 'no command');
fails_with($node, q{SELECT cache_redis('GET', NULL)}, '22004', qr/must not be null/, 'no argument');
fails_with($node, "SELECT cache_redis($_)", '0A000', qr/cannot be used here/, $_)
  for q{'subscribe', 'x'}, q{'MULTI'}, q{'CONFIG', 'GET', '*'}, q{'XREAD', 'COUNT', '1', 'block', '0', 'STREAMS', 's', '$'}, q{'BLPOP', 'l', '0'}, q{'EVAL', '1', '0'};
my @refused = qw(PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE MONITOR SYNC PSYNC EXEC DISCARD WATCH AUTH HELLO SELECT CLIENT RESET QUIT READONLY ASKING BRPOP BLMOVE BLMPOP BRPOPLPUSH
  BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF EVALSHA FCALL SCRIPT FUNCTION ACL CLUSTER DEBUG SHUTDOWN SAVE REPLICAOF FLUSHALL SWAPDB MIGRATE MODULE);
my (undef, undef, $errors) = $node->psql('postgres', join("\n", map { "SELECT cache_redis('$_', 'x', '0');" } @refused), on_error_stop => 0);
is(scalar(() = $errors =~ /cannot be used here/g), scalar(@refused), "refused too: @refused");
is(one_value($node, q{SELECT cache_redis('XREAD', 'STREAMS', 'block', '0') IS NULL}), 't', 'not what only looks like it');
is(one_value($node, q{SELECT node, ok, latency > '0', error FROM cache_redis_ping()}), 'a|t|t|', 'ping');
is(one_value($node, "SELECT node, address = '$redis[0]{socket}', breaker, errors, timeouts, latency > '0', last_error, version FROM cache_redis_nodes"),
	'a|t|closed|0|0|t||' . redis_version(), 'what is known of it: errors of commands are not those of the server');

# Three of them.
my $three = join ' ', map { "unix://$redis[$_]{socket}?name=" . ('a', 'b', 'c')[$_] } 0 .. 2;
is(one_value($node, "SELECT string_agg(server || ' ' || round(share::numeric, 1) || ' ' || round(planned::numeric, 1) || ' ' || round(moves::numeric, 1), ', ' ORDER BY server) FROM cache_redis_plan(string_to_array('$three', ' '))"),
	'a 1.0 0.3 0.0, b 0.0 0.3 0.3, c 0.0 0.3 0.3', 'a plan');
fails_with($node, "SELECT * FROM cache_redis_plan('{redis://h,http://x}')", '22023', qr/address 2 of the list/, 'a bad plan');
$node->append_conf('postgresql.conf', "cachepg.redis_servers = '$three'");
$node->reload;
ok(wait_until($node, 'SELECT count(*) = 3 FROM cache_redis_nodes'), 'three servers after a reload');
$node->safe_psql('postgres', q{SELECT cache_redis('SET', 'key' || i, cache_redis_locate('key' || i)) FROM generate_series(1, 300) i});
is(one_value($node, q{SELECT count(*) FROM generate_series(1, 300) i WHERE cache_redis('GET', 'key' || i) = cache_redis_locate('key' || i)}), 300, 'each key where it belongs');
cmp_ok(one_value($node, q{SELECT min(n) FROM (SELECT count(*) AS n FROM generate_series(1, 300) i GROUP BY cache_redis_locate('key' || i)) AS s}), '>', 50, 'on all of them');
$node->safe_psql('postgres', 'CREATE ROLE nobody');
fails_with($node, "SET ROLE nobody; SELECT $_", '42501', qr/permission denied/, "not for everybody: $_")
  for q{cache_redis('PING')}, 'cache_redis_ping()', q{cache_redis_locate('x')}, q{cache_redis_plan('{}')}, 'count(*) FROM cache_redis_nodes';
$node->append_conf('postgresql.conf', "cachepg.redis_servers = ''");
$node->reload;
ok(wait_until($node, 'SELECT count(*) = 0 FROM cache_redis_nodes'), 'no servers');
fails_with($node, q{SELECT cache_redis('PING')}, '55000', qr/no Redis server is configured/, 'no server, no command');
is(one_value($node, q{SELECT cache_redis_locate('x') IS NULL}), 't', 'no place');
unlike(slurp_file($node->logfile), qr/secret(?!').*WRONGTYPE|with args beginning/, 'no arguments in the log');
check_store($node);
$node->stop;
stop_redis($_) for @redis;
done_testing();
