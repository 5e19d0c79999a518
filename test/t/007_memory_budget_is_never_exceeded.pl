# Values of very different sizes into full memory: no set is refused for
# fragmentation, and what is used stays within the budget at every sample.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $batches = 30;
my $batch = 200;

for my $eviction (qw(s3fifo lru))
{
	my $node = new_cluster($eviction, 'cachepg.eviction' => $eviction, 'cachepg.memory' => '16MB');
	my $budget = 16 * 1024 * 1024;

	# Sizes from 100 B to 1 MB, each order of magnitude as often as the others;
	# a sample of memory after each batch.
	my @samples = split /\n/, $node->safe_psql('postgres', qq{
		SELECT setseed(0.5) \\g /dev/null
		CREATE TEMP TABLE sizes AS SELECT n, (100 * exp(random() * ln(10000)))::int AS size
			FROM generate_series(1, @{[ $batches * $batch ]}) n;
	} . join('', map {
		qq{
		SELECT count(cache_set('k' || n % 2500, repeat('x', size))) FROM sizes
			WHERE n BETWEEN @{[ $_ * $batch + 1 ]} AND @{[ ($_ + 1) * $batch ]} \\g /dev/null
		SELECT memory, entry_bytes, free_bytes, payload_bytes + free_bytes + overhead_bytes FROM cache_stats;
		}
	} 0 .. $batches - 1));

	is(scalar(@samples), $batches, "$eviction: all samples are there");
	my @over = grep { my @v = split /\|/; $v[0] != $budget || $v[1] + $v[2] > $budget || $v[3] != $budget } @samples;
	is("@over", '', "$eviction: the budget is kept at every sample");
	is( $node->safe_psql('postgres', q{SELECT dropped_sets, too_large FROM cache_stats}),
		'0|0', "$eviction: no set was refused");
	is(one_value($node, 'SELECT sets FROM cache_stats'), $batches * $batch, "$eviction: all were stored");
	cmp_ok(one_value($node, 'SELECT evictions FROM cache_stats'), '>', $batches * $batch / 4,
		"$eviction: memory was full most of the time");
	cmp_ok(one_value($node, 'SELECT entry_bytes::float8 / memory FROM cache_stats'), '>', 0.6,
		"$eviction: and is well used");
	is(one_value($node, q{SELECT size FROM pg_shmem_allocations WHERE name = 'cachepg'}), $budget,
		"$eviction: shared memory has not grown");

	# One eighth of the partition is the limit of a value.
	my $free = one_value($node, 'SELECT memory FROM cache_stats');
	$node->safe_psql('postgres', qq{SELECT cache_set('huge', repeat('x', $free / 8))});
	is(one_value($node, q{SELECT cache_exists('huge')}), 'f', "$eviction: a value above the limit is not kept");
	is(one_value($node, q{SELECT too_large FROM cache_stats}), '1', "$eviction: and counted");
	cmp_ok(one_value($node, 'SELECT entries FROM cache_stats'), '>', 50, "$eviction: the others were not evicted for it");
	check_store($node);
	$node->stop;
}
done_testing();
