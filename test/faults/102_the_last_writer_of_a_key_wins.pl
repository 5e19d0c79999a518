# Of transactions that write the same key, the one that commits last decides,
# or nobody: a value that a later commit should have removed is never left.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

# Without the janitor: it removes what is invalid for a moment, as entries are in
# the controls before they seem valid again.
my $node = race_cluster('writers', 'cachepg.janitor_interval' => '1h');
my $first = session($node);
my $second = session($node);
my $reader = session($node);
my $get = q{SELECT cache_get('k')};
my $set = q{SELECT cache_set('k', 1, tags => '{x}')};

# The first session's commit is visible, but stands at a point of its callback
# while the second one commits altogether.
sub overtaken
{
	my ($sql, $point) = @_;

	run($reader, q{SELECT cache_clear()});
	stops($first, $set, $point);
	run($second, $sql);
	resume($first, $point);
	return run($reader, $get);
}

my %later = (
	set => q{SELECT cache_set('k', 2)},
	key => q{SELECT cache_invalidate('k')},
	tag => q{SELECT cache_invalidate_tag('x')},
	namespace => q{SELECT cache_clear()});

# Scenario 12, and an invalidation in place of the second set.
for my $what (sort keys %later)
{
	for my $point (qw(commit-visible commit-marked commit-drawn fence-lowered commit-lowered commit-applied))
	{
		my $got = overtaken($later{$what}, $point);

		like($got, $what eq 'set' ? qr/^2?$/ : qr/^$/, "a set at $point, overtaken by another commit ($what)");
	}
	is(without($node, 'contention-check', sub { overtaken($later{$what}, 'commit-visible') }),
		1, "control: $what, without the check of contention the first value is left");
}

# Of two sets that dispute a key neither stays, nor does what was loaded before.
sub disputed
{
	run($reader, q{SELECT cache_clear(); SELECT cache_fetch('k', 'SELECT 0')});
	stops($first, $set, 'commit-visible');
	run($second, $later{set});
	resume($first, 'commit-visible');
	return run($reader, $get);
}
is(disputed(), '', 'what a query loaded before two sets that dispute the key is gone');
is(without($node, 'mark-dead', \&disputed), 0, 'control: without marks it comes back');

# A counter is added to after the commit that sets it, not in the middle of it.
sub counted
{
	run($reader, q{SELECT cache_clear(); SELECT cache_set('n', 1::bigint)});
	stops($first, q{SELECT cache_set('n', 5::bigint)}, 'commit-visible');
	go($second, q{SELECT cache_incr('n', 10)});
	ok(defined wait_until($node, q{SELECT wait_event_type IN ('Extension', 'Client') FROM pg_stat_activity
		WHERE query LIKE '%cache_incr%' AND pid <> pg_backend_pid()}), 'it waits, or has ended');
	resume($first, 'commit-visible');
	return done($second) . ' ' . run($reader, q{SELECT cache_get('n', 0::bigint)});
}
is(without($node, 'counter-patience', \&counted), '15 15', 'an increment waits for the commit of a set');
is(without($node, 'counter-wait', \&counted), '10 5', 'control: else it is lost');

# After all sets are lowered only the check of the key in the put is left.
is(without($node, 'contention-check', sub {
		without($node, 'put-key-check', sub { overtaken($later{set}, 'commit-lowered') }) }),
	1, 'control: without that the slower set replaces the faster one');

# The other way round: an invalidation stands in its callback while a set
# commits.
for my $point (qw(commit-visible commit-drawn fence-lowered))
{
	run($reader, q{SELECT cache_clear()});
	stops($first, $later{tag}, $point);
	run($second, $set);
	resume($first, $point);
	like(run($reader, $get), qr/^1?$/, "a set while the invalidation of its tag stands at $point");
}

# Who is alone keeps what it set, also after invalidating it first.
run($reader, q{SELECT cache_clear()});
run($first, qq{BEGIN; SELECT cache_invalidate_tag('x'); SELECT cache_clear(); $set; COMMIT});
is(run($reader, $get), 1, 'an undisputed set after own invalidations is kept');
run($first, qq{BEGIN; $set; SELECT cache_invalidate_tag('x'); COMMIT});
is(run($reader, $get), '', 'a set before an own invalidation is not');

# The maximum: a slower committer with the smaller number must not hide the
# larger one of a faster committer.
my $sum = q{SELECT cache_fetch('s', 'SELECT sum(v) FROM t')};

sub slower_committer
{
	run($reader, 'TRUNCATE t; INSERT INTO t VALUES (1, 1), (2, 1)');
	stops($first, 'UPDATE t SET v = 10 WHERE id = 1', 'commit-drawn');
	# sees the first and not the second commit
	stops($reader, $sum, 'fetch-loaded');
	run($second, 'UPDATE t SET v = 10 WHERE id = 2');
	my $loaded = resume($reader, 'fetch-loaded');
	resume($first, 'commit-drawn');
	return ($loaded, run($reader, $sum));
}
is_deeply([ slower_committer() ], [ 11, 20 ], 'the larger of two numbers counts');
is_deeply([ without($node, 'maximum', \&slower_committer) ], [ 11, 11 ], 'control: the later of them does not do');

# What another extension's callback adds after our PRE_COMMIT, in a transaction
# that has done something else and in one that has not.
$node->safe_psql('postgres', q{CREATE FUNCTION cachepg_fault_late() RETURNS void LANGUAGE sql AS
	$$SELECT cache_delete('k'), cache_invalidate_tag('y'), cache_set('late', 1)$$});
for my $sql (q{SELECT 1}, q{SELECT cache_set('other', 1)}, q{SELECT cache_delete('k')}, q{SELECT cache_touch('k', '1 hour')})
{
	disarm($node, 'late-write');
	run($reader, "$set; SELECT cache_set('tagged', 1, tags => '{y}'), cache_delete('late')");
	arm($node, 'late-write', 'skip', $second);
	stops($second, $sql, 'commit-visible');
	is(run($reader, "$get; SELECT cache_get('tagged')"), "\n", "late writes are fenced ($sql)");
	resume($second, 'commit-visible');
	is(run($reader, "$get; SELECT cache_get('tagged'); SELECT cache_get('late')"), "\n\n1", "and applied ($sql)");
	run($reader, $set);
	is(run($reader, $get), 1, "and their fences are down ($sql)");
}

# What such a callback undoes is undone, its fence comes down: in a transaction
# that commits, aborts or is prepared, with other work and without.
$node->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION cachepg_fault_late() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cache_delete('k'), cache_invalidate_tag('y'), cache_set('late', 1);
	RAISE EXCEPTION 'undone';
EXCEPTION WHEN raise_exception THEN
	PERFORM 1 / nullif(current_setting('test.fails', true), '')::int;
END $$});
for my $sql (q{SELECT 1}, q{SELECT cache_set('other', 1)}, q{BEGIN; SET LOCAL test.fails = 0; COMMIT},
	q{BEGIN; SELECT cache_set('other', 1); SET LOCAL test.fails = 0; COMMIT})
{
	my $late = q{SELECT cache_get('tagged'), cache_get('late')};

	disarm($node, 'late-write');
	run($reader, "$set; SELECT cache_set('tagged', 1, tags => '{y}'), cache_delete('late')");
	arm($node, 'late-write', 'skip', $second);
	run($second, $sql);
	disarm($node, 'late-write');
	run($reader, "$set; SELECT cache_set('tagged', 1, tags => '{y}')");
	is(run($reader, "$get; $late"), "1\n1|", "what is undone late leaves nothing ($sql)");
}

check_store($node);
close_session($first, $second, $reader);
$node->stop;
done_testing();
