# Whatever ends a transaction after its fences went up, they come down: what
# depends on their cells can be cached and served again.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

# synchronous_standby_names: for those who ask for it
my $node = race_cluster('ends', '-streaming' => 1, 'synchronous_standby_names' => 'nobody', 'synchronous_commit' => 'local');
my $reader = session($node);
my $fetch = q{SELECT cache_fetch('k', 'SELECT v FROM t WHERE id = 1', tags => '{x}')};
my $all = q{BEGIN; UPDATE t SET v = v + 1 WHERE id = 1; SELECT cache_invalidate('k'); SELECT cache_invalidate_tag('x');
	SELECT cache_set('plain', 1); COMMIT};

run($reader, 'INSERT INTO t VALUES (1, 1)');

# The value is that of the table, and is kept and served again: no fence on
# table, tag or key is up.
sub fences_are_down
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(run($reader, $fetch), run($reader, 'SELECT v FROM t WHERE id = 1'), "$name: the value is the committed one");
	is(run($reader, q{SELECT (cache_entry('k')).state}), 'fresh', "$name: it is kept");
	run($reader, q{SELECT cache_set('plain', 'x'::text)});
	is(run($reader, q{SELECT cache_get('plain')}), '"x"', "$name: a set is kept");
	return;
}

# While the fence is up nothing of it is served.
sub fence_is_up
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	# "absent" if the janitor was there
	isnt(run($reader, q{SELECT (cache_entry('k')).state}), 'fresh', "$name: the fence is up");
	return;
}

fences_are_down('at the beginning');

# Scenario 4 and exhausted memory: an error in each step of PRE_COMMIT.
for my $point (qw(precommit-begun precommit-assigned precommit-fenced))
{
	my $writer = session($node);

	run($reader, $fetch);
	arm($node, $point, 'error', $writer);
	like(run($writer, $all), qr/injected error/, "an error at $point");
	disarm($node, $point);
	fences_are_down("an error at $point");
	run($writer, $all);
	fences_are_down("after it, a commit of the same session");
	close_session($writer);
}

# Scenario 4: an error of PostgreSQL after our PRE_COMMIT.
{
	my ($one, $two) = (session($node), session($node));

	run($reader, 'CREATE TABLE doctors (id integer PRIMARY KEY, on_call boolean); INSERT INTO doctors VALUES (1, true), (2, true)');
	for my $s ($one, $two)
	{
		my $id = $s == $one ? 1 : 2;

		run($s, 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM doctors WHERE on_call');
		run($s, "UPDATE doctors SET on_call = false WHERE id = $id; SELECT cache_invalidate('k'); SELECT cache_invalidate_tag('x')");
		run($s, "SELECT cache_set('plain', 1)");
	}
	run($one, 'COMMIT');
	stops($two, 'COMMIT', 'precommit-fenced');
	fence_is_up('a serialization failure');
	like(resume($two, 'precommit-fenced'), qr/could not serialize/, 'the second one fails after its fences went up');
	fences_are_down('a serialization failure');
	close_session($one, $two);
}

# Cancelled or terminated with fences up, before the commit.
for my $how (qw(cancel terminate))
{
	my $writer = session($node);

	run($reader, $fetch);
	stops($writer, $all, 'precommit-fenced');
	fence_is_up("a backend to $how");
	run($reader, "SELECT pg_${how}_backend(" . pid_of($writer) . ')');
	wait_until($node, "SELECT cachepg_fault_waiting('precommit-fenced') = 0");
	wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($writer)) if $how eq 'terminate';
	disarm($node, 'precommit-fenced');
	fences_are_down("$how before the commit");
}

# The same when the transaction is visible already: it is committed, whatever
# its process is told.
for my $how (qw(cancel terminate))
{
	my $writer = session($node);
	my $before = run($reader, 'SELECT v FROM t WHERE id = 1');

	run($reader, $fetch);
	stops($writer, $all, 'commit-visible');
	run($reader, "SELECT pg_${how}_backend(" . pid_of($writer) . ')');
	is(run($reader, $fetch), $before + 1, "$how during the callback: the commit is seen");
	disarm($node, 'commit-visible');
	wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($writer)) if $how eq 'terminate';
	done($writer) if $how eq 'cancel';
	fences_are_down("$how during the callback");
}

# Scenario 3: a commit that waits for a synchronous standby.  Its table is read
# past the cache meanwhile, other entries from it.
for my $how (qw(cancel terminate))
{
	my $writer = session($node);
	my $before = run($reader, 'SELECT v FROM t WHERE id = 1');

	run($reader, $fetch);
	run($reader, q{SELECT cache_set('unrelated', 5)});
	run($writer, 'SET synchronous_commit = on');
	go($writer, $all);
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
	fence_is_up("waiting for a standby");
	is(run($reader, $fetch), $before, 'waiting for a standby: not visible yet, read from the table');
	is(run($reader, q{SELECT cache_get('unrelated')}), 5, 'waiting for a standby: other entries are served');
	run($reader, "SELECT pg_${how}_backend(" . pid_of($writer) . ')');
	wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
	wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($writer)) if $how eq 'terminate';
	like(done($writer), qr/committed locally|canceling wait/, 'the wait is cancelled, the commit stands') if $how eq 'cancel';
	is(run($reader, $fetch), $before + 1, "$how of the wait: the commit is seen");
	fences_are_down("$how of the wait for a standby");
}

# An aborting process that stands still keeps readers off, and no longer.
{
	my $writer = session($node);
	my $before = run($reader, 'SELECT v FROM t WHERE id = 1');

	arm($node, 'precommit-fenced', 'error', $writer);
	stops($writer, $all, 'abort-begun');
	fence_is_up('an abort under way');
	is(run($reader, $fetch), $before, 'an abort under way: read from the table');
	disarm($node, 'precommit-fenced');
	resume($writer, 'abort-begun');
	fences_are_down('an abort');
	close_session($writer);
}

# Scenario 19: in the callbacks that run after the transaction is visible a
# point cannot raise an error even if it is armed so.
{
	my $writer = session($node);
	my @points = qw(commit-visible commit-marked commit-drawn fence-lowered commit-lowered commit-applied abort-begun);

	arm($node, $_, 'error', $writer) for @points;
	unlike(run($writer, $all), qr/error/, 'a commit ignores them');
	disarm($node, @points);
	fences_are_down('after that');
	close_session($writer);
}

# A process killed with fences up takes the server down and the cache with it.
{
	my $writer = session($node);

	stops($writer, $all, 'precommit-fenced');
	my $before = one_value($node, 'SELECT v FROM t WHERE id = 1');
	ok(crash_restart($node, pid_of($writer)), 'the server restarts itself');
	$reader = session($node);
	is(run($reader, $fetch), $before, 'after a crash: what was not committed is not seen');
	fences_are_down('after a crash');
}

check_store($node);
close_session($reader);
$node->stop;
done_testing();
