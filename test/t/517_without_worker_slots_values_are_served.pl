# max_worker_processes leaves no slot for the workers of the bus: the log says so,
# and the server serves from its own memory.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;

my $redis = start_redis();
my $node = new_cluster('main', 'cachepg.redis_servers' => redis_url($redis), 'max_worker_processes' => 1);

like(slurp_file($node->logfile), qr/too many background workers/, 'the log says that a worker is missing');
is($node->safe_psql('postgres', q{SELECT cache_set('a', 1)}), '', 'a value is set');
is($node->safe_psql('postgres', q{SELECT cache_get('a', 0), cache_fetch('b', 'SELECT 2')}), '1|2', '... and read, another loaded');
is($node->safe_psql('postgres', q{SELECT cache_exists('b'), (SELECT count(*) FROM cache_workers)}), 't|0', '... and kept');
$node->safe_psql('postgres', q{SELECT cache_invalidate('a')});
is($node->safe_psql('postgres', q{SELECT cache_get('a', 0)}), '0', 'what is invalidated is gone');

check_store($node);
$node->stop;
done_testing();
