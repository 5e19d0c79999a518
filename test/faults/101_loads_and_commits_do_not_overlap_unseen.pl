# A value computed without a transaction that is visible is never served, in
# whatever order the steps of a load and of a commit happen.  Each schedule is
# also played with its mechanism switched off, and must then go wrong.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

# Without the janitor: it removes what is invalid for a moment, as entries are in
# the controls before they seem valid again.
my $node = race_cluster('loads', 'cachepg.janitor_interval' => '1h');
my $loader = session($node);
my $writer = session($node);
my $reader = session($node);
my $fetch = q{SELECT cache_fetch('k', 'SELECT v FROM t WHERE id = 1')};
my $update = 'UPDATE t SET v = 2 WHERE id = 1';

# Everything as at the beginning: the row is 1 and nothing is cached.
sub fresh
{
	run($writer, 'TRUNCATE t; INSERT INTO t VALUES (1, 1); SELECT cache_clear()');
	return;
}

# A load that has read the old row publishes after the writer's commit.
sub late_publish
{
	my ($point) = @_;

	fresh();
	stops($loader, $fetch, $point);
	run($writer, $update);
	my $got = resume($loader, $point);
	return ($got, run($reader, $fetch));
}

# Scenarios 1 and 30: the loader gets its value, nobody else does.
for my $point (qw(fetch-loaded fetch-checked))
{
	is_deeply([ late_publish($point) ], [ 1, 2 ], "a value loaded before a commit is not served after it ($point)");
}
is_deeply([ without($node, 'stamp-order', sub { late_publish('fetch-loaded') }) ],
	[ 1, 1 ], 'control: with the stamp taken after the load it is');
is_deeply([ late_publish('fetch-stamped') ], [ 2, 2 ], 'a load that stops before its snapshot sees the commit');

# Scenario 2 (a): the load begins between the fence and visibility, and
# publishes while the fence is up or after it.
sub load_under_fence
{
	my (@when) = @_;

	fresh();
	stops($writer, $update, 'precommit-fenced');
	my $first;
	if ($when[0] eq 'early')
	{
		$first = run($loader, $fetch);
		disarm($node, 'precommit-fenced');
		done($writer);
	}
	else
	{
		stops($loader, $fetch, 'fetch-loaded');
		disarm($node, 'precommit-fenced');
		done($writer);
		$first = resume($loader, 'fetch-loaded');
	}
	return ($first, run($reader, $fetch));
}

is_deeply([ load_under_fence('early') ], [ 1, 2 ], 'what is loaded under a fence is not served after it');
is_deeply([ load_under_fence('late') ], [ 1, 2 ], 'nor if it is published when the fence is down');

# Scenario 2 (b): the commit is visible, its callback has not run yet.
sub read_before_callback
{
	fresh();
	run($loader, $fetch);
	stops($writer, $update, 'commit-visible');
	my $value = run($reader, 'SELECT v FROM t') . run($reader, $fetch);
	resume($writer, 'commit-visible');
	return ($value, run($reader, $fetch));
}

is_deeply([ read_before_callback() ], [ '22', 2 ], 'a visible commit is seen before its callback');
is((without($node, 'precommit-fence', \&read_before_callback))[0],
	'21', 'control: without fences the old value is served');

# The same between all steps of the callback, for an entry of the table and
# for one that only its key invalidates.
for my $point (qw(commit-visible commit-marked commit-drawn fence-lowered commit-lowered commit-applied))
{
	fresh();
	run($loader, $fetch);
	run($loader, q{SELECT cache_set('plain', 1)});
	stops($writer, "BEGIN; $update; SELECT cache_delete('plain'); COMMIT", $point);
	is(run($reader, $fetch), 2, "$point: an entry of a changed table is not served");
	is(run($reader, q{SELECT cache_get('plain')}), '', "$point: nor one of a deleted key");
	resume($writer, $point);
}

sub delete_unmarked
{
	fresh();
	run($loader, q{SELECT cache_set('plain', 1)});
	run($writer, q{SELECT cache_delete('plain')});
	return run($reader, q{SELECT cache_get('plain')});
}
is(delete_unmarked(), '', 'a deleted key is gone');
is(without($node, 'mark-dead', \&delete_unmarked), 1, 'control: without marking it is there');

# Scenario 11: a statement that fetches before and after a foreign commit loads
# with a snapshot of its own each time, not with the statement's.
fresh();
run($writer, 'INSERT INTO t VALUES (2, 2)');
stops($loader, q{SELECT cache_fetch('row' || id, 'SELECT v FROM t WHERE id = 1') FROM t ORDER BY id}, 'fetch-published');
run($writer, $update);
resume($loader, 'fetch-published');
is(run($reader, q{SELECT cache_fetch('row2', 'SELECT v FROM t WHERE id = 1')}), 2, 'scenario 11: no load uses the snapshot of its statement');

# Scenario 14: "there is no such row" ends with the row's commit.
sub negative
{
	run($writer, 'TRUNCATE t; SELECT cache_clear()');
	stops($loader, $fetch, 'fetch-loaded');
	run($writer, 'INSERT INTO t VALUES (1, 7)');
	resume($loader, 'fetch-loaded');
	return run($reader, $fetch);
}
is(negative(), 7, 'scenario 14: a missing row that appears while it is looked for is found');
is(without($node, 'stamp-order', \&negative), '', 'control: with the stamp taken after the load it is not');

# Scenario 17 and its relatives: whatever is invalidated during the load.
my %during = (
	tag => q{SELECT cache_invalidate_tag('x')},
	key => q{SELECT cache_invalidate('k')},
	namespace => q{SELECT cache_clear('n')},
	database => q{SELECT cache_clear()},
	table => 'UPDATE t SET v = 2');
run($writer, q{SELECT cache_namespace_create('n')});

sub invalidated_during_load
{
	my ($what) = @_;
	my $key = $what eq 'namespace' ? 'n:k' : 'k';
	my $tagged = qq{SELECT cache_fetch('$key', 'SELECT v FROM t WHERE id = 1', tags => '{x}')};

	fresh();
	stops($loader, $tagged, 'fetch-loaded');
	run($writer, $during{$what});
	resume($loader, 'fetch-loaded');
	return run($reader, qq{SELECT (cache_entry('$key')).state});
}

for my $what (sort keys %during)
{
	isnt(invalidated_during_load($what), 'fresh', "a $what invalidated during a load leaves nothing of it");
	is(without($node, $what eq 'key' ? 'put-key-check' : 'stamp-order', sub { invalidated_during_load($what) }),
		'fresh', "control: $what, switched off");
}

# A load inside a load: what the inner one depends on, the outer one does too.
my $outer = q{SELECT cache_fetch('outer', $q$SELECT cache_fetch('inner', 'SELECT v FROM t WHERE id = 1')$q$)};

sub nested
{
	fresh();
	run($loader, q{SELECT cache_fetch('inner', 'SELECT v FROM t WHERE id = 1')}) if $_[0];
	run($loader, $outer);
	run($writer, $update);
	return run($reader, $outer);
}
for my $cached (0, 1)
{
	is(nested($cached), 2, "a load depends on what a load inside it read (inner one cached before: $cached)");
	is(without($node, 'nested-inheritance', sub { nested($cached) }), 1, 'control: without inheritance it is stale');
}

# What a transaction hides from itself must not be computed into an entry that
# others see before its commit.
fresh();
run($loader, q{SELECT cache_set('plain', 1)});
is(run($loader, q{BEGIN; SELECT cache_delete('plain');
	SELECT cache_fetch('outer', $q$SELECT coalesce(cache_get('plain'), '"none"')$q$)}), "t\n\"none\"",
	'a load in a transaction that deleted a key does not see it');
is(run($reader, q{SELECT cache_fetch('outer', $q$SELECT coalesce(cache_get('plain'), '"none"')$q$)}), 1,
	'and others do not get its result');
run($loader, 'ROLLBACK');
run($loader, q{SELECT cache_set('plain', 1, tags => '{x}'); SELECT cache_clear('n')});
run($reader, q{SELECT cache_invalidate('outer')});
run($loader, q{BEGIN; SELECT cache_invalidate_tag('x');
	SELECT cache_fetch('outer', $q$SELECT coalesce(cache_get('plain'), '"none"')$q$)});
is(run($reader, q{SELECT cache_fetch('outer', $q$SELECT coalesce(cache_get('plain'), '"none"')$q$)}), 1,
	'nor after it invalidated a tag');
run($loader, 'ROLLBACK');

# A cursor that was opened in an outer load, but before an inner one began,
# gives the inner one older rows than its stamp promises.
$node->safe_psql('postgres', q{
CREATE FUNCTION read_cursor() RETURNS integer LANGUAGE plpgsql AS
$$DECLARE c refcursor := 'cur'; n integer; BEGIN FETCH c INTO n; RETURN n; END$$;
CREATE FUNCTION open_cursor(before boolean) RETURNS jsonb LANGUAGE plpgsql AS
$$DECLARE c refcursor := 'cur'; BEGIN
	IF before THEN OPEN c FOR SELECT v FROM t WHERE id = 1; END IF;
	PERFORM pg_advisory_xact_lock(1);
	RETURN cache_fetch('old', CASE WHEN before THEN 'SELECT read_cursor()' ELSE 'SELECT v FROM t WHERE id = 1' END);
END$$});

sub cursor_of_outer_load
{
	my ($before) = @_;

	fresh();
	run($reader, 'SELECT pg_advisory_lock(1)');
	go($loader, "SELECT cache_fetch('outer', 'SELECT open_cursor($before)')");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
	run($writer, $update);
	run($reader, 'SELECT pg_advisory_unlock(1)');
	my $got = done($loader);
	return ($got, run($reader, q{SELECT (cache_entry('old')).state}));
}
is_deeply([ cursor_of_outer_load('true') ], [ 1, 'absent' ], 'what an inner load reads from an older cursor is not kept');
is_deeply([ cursor_of_outer_load('false') ], [ 2, 'fresh' ], 'control: without the cursor it is');

check_store($node);
close_session($loader, $writer, $reader);
$node->stop;
done_testing();
