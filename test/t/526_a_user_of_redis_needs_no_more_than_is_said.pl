# The user of Redis that docs/redis.md makes for cachepg may do all that cachepg
# does: nothing is denied, whatever is used.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(time sleep);

my ($recipe) = slurp_file("$FindBin::RealBin/../../docs/redis.md") =~ /^(ACL SETUSER cachepg .*)$/m;
my $redis = start_redis();
my $dir = PostgreSQL::Test::Utils::tempdir();

append_to_file("$dir/password", "the-password\n");
chmod 0600, "$dir/password" or die;
is(redis($redis, split / /, $recipe), 'OK', 'the user of the documentation can be made');
# the test's own
redis($redis, 'ACL', 'SETUSER', 'default', '-@all', '+acl', '+keys');

my %settings = (
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.redis_user' => 'cachepg',
	'cachepg.redis_password_file' => "$dir/password",
	'cachepg.bus_heartbeat' => '50ms');
my $a = new_cluster('a', %settings, 'cachepg.server_name' => 'a');
my $b = new_cluster('b', %settings, 'cachepg.server_name' => 'b', 'cachepg.l2_home' => 'a');

# Until Redis has keys of a pattern, or has none.
sub keys_are
{
	my ($pattern, $there) = @_;

	for (1 .. 1000)
	{
		return 1 if (redis($redis, 'KEYS', $pattern) ne '') == $there;
		sleep(0.02);
	}
	return 0;
}

# What was denied, as Redis noted it.
sub denied { return redis($redis, 'ACL', 'LOG') }

$_->safe_psql('postgres', q{SELECT cache_namespace_create('u', scope => 'shared', adhoc => 'shared', load_lock => true)})
  for $a, $b;
ok(wait_until($b, 'SELECT coalesce(bool_and(current), false) FROM cache_bus'), 'b hears of a');
is(one_value($a, q{SELECT ok, error FROM cache_redis_ping()}), 't|', 'a is answered');
is(one_value($a, q{SELECT version <> '' FROM cache_redis_nodes}), 't', 'and knows the version');
$a->safe_psql('postgres', q{SELECT cache_set('u:set', 'x'::text)});
ok(comes($b, q{SELECT cache_get('u:set', '')}, 'x'), 'values travel');
$a->safe_psql('postgres', q{SELECT cache_invalidate('u:set')});
ok(comes($b, q{SELECT cache_get('u:set', '')}, ''), 'invalidations too');
is(one_value($a, q{SELECT cache_fetch('u:load', 'SELECT 1')}), '1', 'a loads under a lock');
ok(keys_are('cachepg:default:v:*u:load*', 1), 'the value is in Redis');
ok(keys_are('cachepg:default:l:*', 0), 'and the lock given up');
is(one_value($b, q{SELECT cache_fetch('u:load', 'SELECT 1'), (SELECT l2_hits > 0 FROM cache_namespace_stats WHERE namespace = 'u')}),
	'1|t', 'b takes it from Redis');
is(one_value($b, q{SELECT cache_fetch('u:own', 'SELECT 2')}), '2', 'b loads under a lock');
ok(keys_are('cachepg:default:l:*', 0), 'and gives it up');
is(denied(), '', 'nothing was denied');

# but keys of others are
fails_with($a, q{SELECT cache_redis('GET', 'somebody:else')}, '38000', qr/NOPERM/, 'keys of others are refused');
like(denied(), qr/somebody:else/, '... and noted');

check_store($_) for $a, $b;
$_->stop for $a, $b;
done_testing();
