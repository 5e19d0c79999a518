# The janitor removes what has expired or was cleared without anybody asking
# for it, and keeps some memory free.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('janitor', 'cachepg.janitor_interval' => '10ms');
my $entries = 'SELECT entries FROM cache_stats';

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('gone');
	SELECT cache_namespace_create('stays');
	SELECT cache_set('stays:' || i, i, ttl => '1 hour') FROM generate_series(1, 1000) i;
	SELECT cache_set('short' || i, repeat('x', 500), ttl => '100 ms') FROM generate_series(1, 5000) i;
	SELECT cache_set('gone:' || i, repeat('x', 500), ttl => '1 hour') FROM generate_series(1, 5000) i});
my $free = one_value($node, 'SELECT free_bytes FROM cache_stats');

ok(defined wait_until($node, 'SELECT entries = 6000 FROM cache_stats'), 'expired entries are reclaimed, others stay')
  or diag(one_value($node, $entries));
cmp_ok(one_value($node, 'SELECT expirations FROM cache_stats'), '>=', 5000, 'and counted');

$node->safe_psql('postgres', q{SELECT cache_clear('gone')});
is(one_value($node, q{SELECT count(*) FROM generate_series(1, 5000) i WHERE cache_exists('gone:' || i)}), '0',
	'cleared entries are invisible at once');
ok(defined wait_until($node, 'SELECT entries = 1000 FROM cache_stats'), 'and reclaimed soon');
cmp_ok(one_value($node, 'SELECT free_bytes FROM cache_stats'), '>', $free, 'their memory is free');
is(one_value($node, q{SELECT count(*) FROM generate_series(1, 1000) i WHERE cache_get('stays:' || i, 0) = i}), '1000',
	'the others are all there');

$node->safe_psql('postgres', q{SELECT cache_namespace_drop('stays')});
ok(defined wait_until($node, 'SELECT entries = 0 FROM cache_stats'), 'entries of a dropped namespace are reclaimed');
is(one_value($node, 'SELECT entry_bytes FROM cache_stats'), '0', 'nothing is left');

# Headroom: after memory was full, the janitor frees a little in advance.
$node->safe_psql('postgres', q{SELECT cache_set('fill' || i, repeat('x', 1000)) FROM generate_series(1, 40000) i});
cmp_ok(one_value($node, 'SELECT evictions FROM cache_stats'), '>', 0, 'memory was full');
# a partition keeps one part in 128 of its arena, which is most of the memory
ok(defined wait_until($node, 'SELECT free_bytes > memory / 170 FROM cache_stats'), 'headroom is kept');
my $full = one_value($node, $entries);
cmp_ok(one_value($node, 'SELECT entry_bytes::float8 / memory FROM cache_stats'), '>', 0.75, 'and not more than a little');

# The interval is reread.
$node->safe_psql('postgres', q{
	ALTER SYSTEM SET cachepg.janitor_interval = '1h';
	SELECT pg_reload_conf()});
ok(defined wait_until($node, q{SELECT current_setting('cachepg.janitor_interval') = '1h'}), 'the interval can be changed');
check_store($node);
done_testing();
