# cachepg.memory is the whole shared memory of the cache; partitions follow
# from it; cachepg.enabled turns the cache off and on.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A power of two of partitions, of 16 MB at least if there is more than one.
my @cases = ([ 7, 1 ], [ 16, 1 ], [ 31, 1 ], [ 32, 2 ], [ 100, 4 ]);

my $node = new_cluster('memory');
for (@cases)
{
	my ($megabytes, $partitions) = @$_;

	$node->append_conf('postgresql.conf', "cachepg.memory = '${megabytes}MB'");
	$node->restart;
	is( $node->safe_psql('postgres', q{
		SELECT count(*), sum(size) FROM pg_shmem_allocations WHERE name ILIKE '%cachepg%'}),
		'1|' . $megabytes * 1024 * 1024, "$megabytes MB are allocated, as one piece");
	is($node->safe_psql('postgres', 'SELECT memory, partitions FROM cache_stats'),
		$megabytes * 1024 * 1024 . "|$partitions", "$megabytes MB have $partitions partitions");
	is($node->safe_psql('postgres', 'SELECT payload_bytes + free_bytes + overhead_bytes = memory FROM cache_stats'),
		't', 'its parts add up');
	cmp_ok(one_value($node, 'SELECT free_bytes::float8 / memory FROM cache_stats'), '>', 0.7, 'most of it is for entries');
}

# Off: reads miss, loads run and are not kept, writes are dropped.
$node->safe_psql('postgres', q{
	CREATE SEQUENCE loads;
	CREATE FUNCTION slow() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('loads') $$;
	SELECT cache_set('before', 1)});
is($node->safe_psql('postgres', q{
	SET cachepg.enabled = off;
	SELECT cache_set('during', 1);
	SELECT cache_get('before', 0), cache_exists('before'), cache_get('during', 0);
	SELECT cache_fetch('f', 'SELECT 1'), cache_fetch('f', 'SELECT 1');
	RESET cachepg.enabled;
	SELECT cache_get('before', 0), cache_get('during', 0), cache_exists('f')}),
	"\n0|f|0\n1|1\n1|0|f", 'off it keeps and finds nothing; on again what was there is there');
is($node->safe_psql('postgres', q{
	SELECT cache_set('gone', 1);
	SET cachepg.enabled = off;
	SELECT cache_delete('gone');
	RESET cachepg.enabled;
	SELECT cache_exists('gone')}) =~ /f$/ ? 'gone' : 'still there', 'gone', 'a delete is never dropped');
is($node->safe_psql('postgres', q{
	SELECT cache_set('gone', 1);
	SET cachepg.enabled = off;
	SELECT cache_clear();
	RESET cachepg.enabled;
	SELECT cache_exists('gone')}) =~ /f$/ ? 'gone' : 'still there', 'gone', 'nor is a clear');
$node->safe_psql('postgres', 'ALTER SYSTEM SET cachepg.enabled = off; SELECT pg_reload_conf()');
ok(defined wait_until($node, q{SELECT current_setting('cachepg.enabled') = 'off'}), 'off for the whole server by reload');
is($node->safe_psql('postgres', q{SELECT cache_set('x', 1); SELECT cache_exists('x')}), "\nf", 'then too');
check_store($node);
done_testing();
