# Whatever becomes of the session that loads, those that wait for it get an
# answer, from one load or two.  The loader waits at a gate, an advisory lock of
# another session, and counts its calls in the cache.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use CachePg;
use Races;

my $node = race_cluster('flights');

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('c', load_timeout => '60 s', wait_timeout => '60 s');
	SELECT cache_namespace_create('short', wait_timeout => '100 ms', load_timeout => '60 s');
	SELECT cache_namespace_create('impatient', wait_timeout => '100 ms', on_wait_timeout => 'load', load_timeout => '60 s');
	SELECT cache_namespace_create('small', max_loads => 1, wait_timeout => '100 ms', load_timeout => '60 s');
	SELECT cache_namespace_create('n', ttl => '1 hour');
	CREATE FUNCTION gated(fails boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM cache_incr('n:loads');
		PERFORM pg_advisory_xact_lock_shared(4711);
		IF fails THEN
			RAISE division_by_zero USING MESSAGE = 'secret of the leader';
		END IF;
		RETURN 'value';
	END $$;
	CREATE FUNCTION unlocks_all() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_unlock_all();
		RETURN gated();
	END $$;
	CREATE FUNCTION leaf(key text) RETURNS text LANGUAGE plpgsql SET search_path = public AS $$
	BEGIN
		RETURN CASE key WHEN 'tree:2' THEN 'leaf' ELSE cache_fetch('tree:2') #>> '{}' END;
	END $$;
	CREATE TABLE job (id integer PRIMARY KEY);
	INSERT INTO job VALUES (1);
	CREATE FUNCTION locks_job() RETURNS integer LANGUAGE sql VOLATILE AS
		'SELECT id FROM job WHERE id = 1 FOR UPDATE';
});

my $gate = session($node);
my @s = map { session($node) } 1 .. 4;
my $fetch = q{SELECT cache_fetch('c:k', 'SELECT gated()')};
my $fail = q{SELECT cache_fetch('c:k', 'SELECT gated(true)')};

sub close_gate
{
	run($gate, q{SELECT cache_clear()});
	run($gate, q{SELECT cache_delete('n:loads')});
	run($gate, 'SELECT pg_advisory_lock(4711)');
	return;
}
sub open_gate { run($gate, 'SELECT pg_advisory_unlock(4711)'); return }
sub loads { return run($gate, q{SELECT cache_get('n:loads', 0::bigint)}) }

# So many sessions lead, so many follow.
sub leaders_and_followers
{
	my ($leaders, $followers) = @_;

	return ok(wait_until($node, qq{
		SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 3244) = $leaders
		AND (SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND wait_event IN ('Extension', 'CachePgFlightWait')) = $followers}),
		"$leaders lead, $followers follow");
}

# The first session leads, the others follow.
sub begin
{
	my ($sql, $count) = @_;

	close_gate();
	go($s[0], $sql);
	leaders_and_followers(1, 0);
	go($s[$_], $sql) for 1 .. $count - 1;
	return leaders_and_followers(1, $count - 1);
}

# Scenario 21.
begin($fetch, 4);
open_gate();
is(done($_), '"value"', 'the value') for @s;
is(loads(), 1, 'one load for four sessions');
leaders_and_followers(0, 0);
is(one_value($node, q{SELECT coalesced FROM cache_namespace_stats WHERE namespace = 'c'}), 3, 'three were answered by it');

close_gate();
is(without($node, 'coalescing', sub {
		go($_, $fetch) for @s;
		ok(wait_until($node, q{SELECT cache_get('n:loads', 0::bigint) = 4}), 'control: four loads without coalescing');
		open_gate();
		join ' ', map { done($_) } @s;
	}), '"value" "value" "value" "value"', 'control: and four values');

# Scenario 22: one of the others tries once more, then they give up.
begin($fail, 4);
open_gate();
my @errors = map { done($_) } @s;
is(scalar(grep { /secret of the leader/ } @errors), 2, 'two loads failed, whose sessions say why');
is(scalar(grep { /loading a value of cache namespace "c" failed a moment ago/ } @errors), 2,
	'the others say that it failed, not why');
is(loads(), 2, 'no more than two loads');
is(run($s[3], q{SELECT cache_fetch('c:k', 'SELECT 1')}), 1, 'another query of the key is not held up');
is(run($s[3], $fetch), '"value"', 'nor the next one of the same');

# Scenario 23.
begin($fetch, 3);
my $began = time();
is(one_value($node, 'SELECT pg_cancel_backend(' . pid_of($s[0]) . ')'), 't', 'the leader is cancelled');
like(done($s[0]), qr/canceling statement due to user request/, 'it says so');
leaders_and_followers(1, 1);
cmp_ok(time() - $began, '<', 2, 'a follower took over at once');
open_gate();
is(done($s[$_]), '"value"', 'followers get a value') for 1, 2;
is(loads(), 2, 'from the second load');

begin($fetch, 3);
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . pid_of($s[0]) . ')');
ok(wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($s[0])), 'the leader is gone');
leaders_and_followers(1, 1);
open_gate();
is(done($s[$_]), '"value"', 'a follower took over') for 1, 2;
$s[0] = session($node);

# Scenario 24: the lock goes with the call, not with the transaction.
run($gate, q{SELECT cache_clear()});
run($s[0], 'BEGIN');
is(run($s[0], $fetch), '"value"', 'loaded in a transaction');
leaders_and_followers(0, 0);
run($gate, q{SELECT cache_clear()});
is(run($s[1], $fetch), '"value"', 'nobody waits for its end');
run($s[0], 'COMMIT');

# Scenario 25.
begin($fetch, 3);
run($s[3], q{SET statement_timeout = '100 ms'});
like(run($s[3], $fetch), qr/canceling statement due to statement timeout/, 'a follower out of time');
run($s[3], 'RESET statement_timeout');
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . pid_of($s[2]) . ')');
like(done($s[2]), qr/canceling statement due to user request/, 'a follower that is cancelled');
leaders_and_followers(1, 1);
open_gate();
is(done($s[$_]), '"value"', 'the leader and the other follower go on') for 0, 1;
is(loads(), 1, 'one load');

# Scenario 26: a follower holds the row that the loader wants.
run($gate, q{SELECT cache_clear()});
run($s[1], 'BEGIN');
run($s[1], 'SELECT id FROM job FOR UPDATE');
my $locks = q{SELECT cache_fetch('short:job', 'SELECT locks_job()')};
go($s[0], $locks);
leaders_and_followers(1, 0);
is(run($s[1], $locks), 1, 'who has written does not wait for a session that waits for him');
run($s[1], 'ROLLBACK');
is(done($s[0]), 1, 'then the loader gets its row');

# ... and two sessions want what the other one loads.
$node->safe_psql('postgres', q{
	CREATE FUNCTION one() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(4711);
		RETURN cache_fetch('c:2', 'SELECT two()');
	EXCEPTION WHEN invalid_recursion THEN
		RETURN 'recursion';
	END $$;
	CREATE FUNCTION two() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(4711);
		RETURN cache_fetch('c:1', 'SELECT one()');
	EXCEPTION WHEN invalid_recursion THEN
		RETURN 'recursion';
	END $$;
});
close_gate();
go($s[0], q{SELECT cache_fetch('c:1', 'SELECT one()') IS NOT NULL});
go($s[1], q{SELECT cache_fetch('c:2', 'SELECT two()') IS NOT NULL});
leaders_and_followers(2, 0);
$began = time();
open_gate();
is(done($s[$_]), 't', 'each loads what the other one is loading') for 0, 1;
cmp_ok(time() - $began, '<', 5, 'without waiting for a timeout');

# wait_timeout and max_loads
my $short = q{SELECT cache_fetch('short:k', 'SELECT gated()')};
my $impatient = q{SELECT cache_fetch('impatient:k', 'SELECT gated()')};
close_gate();
go($s[0], $short);
leaders_and_followers(1, 0);
like(run($s[1], $short), qr/within wait_timeout/, 'a follower waits for wait_timeout');
go($s[2], $impatient);
leaders_and_followers(2, 0);
go($s[3], $impatient);
ok(wait_until($node, q{SELECT cache_get('n:loads', 0::bigint) = 3}), 'or loads alone then, if it is told to');
open_gate();
is(done($s[$_]), '"value"', 'the value') for 0, 2, 3;

close_gate();
go($s[0], q{SELECT cache_fetch('small:1', 'SELECT gated()')});
leaders_and_followers(1, 0);
like(run($s[1], q{SELECT cache_fetch('small:2', 'SELECT 2')}), qr/too many loads of cache namespace "small" are in progress/,
	'no more than max_loads at once');
open_gate();
is(done($s[0]), '"value"', 'the value');
is(run($s[1], q{SELECT cache_fetch('small:2', 'SELECT 2')}), 2, 'then there is room');

# Scenario 28: a loader that releases all advisory locks.
close_gate();
go($s[0], q{SELECT cache_fetch('c:k', 'SELECT unlocks_all()')});
leaders_and_followers(0, 0);
ok(wait_until($node, q{SELECT cache_get('n:loads', 0::bigint) = 1}), 'the lock is gone, the load goes on');
go($s[1], q{SELECT cache_fetch('c:k', 'SELECT unlocks_all()')});
open_gate();
is(done($s[$_]), '"value"', 'no warning, no hang') for 0, 1;
is(run($s[0], q{SELECT count(cache_fetch('c:' || i, 'SELECT $1', ARRAY[i::text])) FROM generate_series(1, 100000) i}),
	100000, 'many loads in one transaction do not fill the lock table');

# Scenario 29: nobody can keep the value.
close_gate();
my $large = q{SELECT length(cache_fetch('c:large', 'SELECT gated() || repeat(''x'', 8000000)') #>> '{}')};
go($s[0], $large);
leaders_and_followers(1, 0);
go($s[$_], $large) for 1 .. 3;
leaders_and_followers(1, 3);
$began = time();
open_gate();
is(done($s[$_]), 8000005, 'the value that is too large') for 0 .. 3;
is(loads(), 4, 'each loaded it');
is(one_value($node, q{SELECT wait_timeouts FROM cache_namespace_stats WHERE namespace = 'c'}), 0, 'nobody waited in vain');

# What only one session cannot keep, because of what it has not committed yet.
# It knows that of its key,
close_gate();
run($s[0], q{BEGIN; SELECT cache_delete('c:k')});
go($s[0], $fetch);
ok(wait_until($node, q{SELECT cache_get('n:loads', 0::bigint) = 1}), 'who has deleted a key loads it');
leaders_and_followers(0, 0);
go($s[1], $fetch);
leaders_and_followers(1, 0);
go($s[$_], $fetch) for 2, 3;
leaders_and_followers(1, 2);
open_gate();
is(done($_), '"value"', 'the value') for @s;
is(loads(), 2, 'alone: the others have one load of their own');
run($s[0], 'ROLLBACK');

# and finds it out of what the loader reads.
my $of_tag = q{SELECT cache_fetch('c:of', $$SELECT gated() || cache_get('c:tagged', 'none')$$)};
close_gate();
run($gate, q{SELECT cache_set('c:tagged', '1'::text, tags => '{c:tag}')});
run($s[0], q{BEGIN; SELECT cache_invalidate_tag('c:tag')});
go($s[0], $of_tag);
leaders_and_followers(1, 0);
go($s[$_], $of_tag) for 1 .. 3;
leaders_and_followers(1, 3);
open_gate();
is(done($s[0]), '"valuenone"', 'the value without what is invalidated');
is(done($s[$_]), '"value1"', 'and with it') for 1 .. 3;
is(loads(), 2, 'those who waited have one load of their own');
run($s[0], 'ROLLBACK');

# So many sessions wait at a gate, in their loaders.
sub at_gate
{
	my ($count, $name) = @_;

	return ok(wait_until($node, "SELECT count(*) = $count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"),
		$name);
}

# Two gates: the first transaction waits at one of them, the others at the other.
$node->safe_psql('postgres', q{
	CREATE TABLE log (id integer);
	CREATE FUNCTION two_gates() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(CASE WHEN pg_try_advisory_xact_lock(1) THEN 4711 ELSE 4712 END);
		RETURN 1;
	END $$;
	CREATE FUNCTION writes() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO log VALUES (1);
		RETURN two_gates();
	END $$;
});

# All begin a transaction, the first one leads, and the others follow; then it ends.
sub pass_first_gate
{
	my ($change, $sql, $name) = @_;

	close_gate();
	run($gate, 'SELECT pg_advisory_lock(4712)');
	run($gate, q{SELECT cache_set('c:tagged', '1'::text, tags => '{c:tag}')});
	run($_, "BEGIN; $change") for @s;
	go($s[0], $sql);
	leaders_and_followers(1, 0);
	go($s[$_], $sql) for 1 .. 3;
	leaders_and_followers(1, 3);
	open_gate();
	return is(done($s[0]), 1, $name);
}

sub pass_second_gate
{
	run($gate, 'SELECT pg_advisory_unlock(4712)');
	is(done($s[$_]), 1, 'and get their values') for 1 .. 3;
	run($_, 'ROLLBACK') for @s;
	return;
}

# A loader that writes itself is nothing to wait for, whatever was changed before.
my $writes = q{SELECT cache_fetch('c:w', 'SELECT writes()')};
pass_first_gate(q{SELECT cache_set('n:other', 1)}, $writes, 'a loader that writes');
at_gate(3, 'the others load side by side');
pass_second_gate();

# Nor is one that reads what all of them have changed.
my $reads = q{$$SELECT two_gates() WHERE cache_get('c:tagged', '') = ''$$};
pass_first_gate(q{SELECT cache_invalidate_tag('c:tag')}, "SELECT cache_fetch('c:r', $reads)", 'a loader that reads what was changed');
at_gate(3, 'the others load side by side');
pass_second_gate();
without($node, 'private-mark', sub {
	pass_first_gate(q{SELECT cache_invalidate_tag('c:tag')}, "SELECT cache_fetch('c:control', $reads)", 'control: the same');
	leaders_and_followers(1, 2);
	at_gate(1, 'control: the others load one after another');
	pass_second_gate();
});
is(run($s[0], q{SELECT cache_fetch('c:r', $$SELECT two_gates() WHERE cache_get('c:tagged', '') <> ''$$)}), 1,
	'a session without changes loads it');

# Without the cache nobody waits for another, and one key is not another's.
close_gate();
run($_, 'SET cachepg.enabled = off') for @s;
go($s[$_], "SELECT cache_fetch('c:$_', 'SELECT gated()')") for 0, 1;
go($s[$_], $fetch) for 2, 3;
at_gate(4, 'with cachepg.enabled off all load at once');
open_gate();
is(done($_), '"value"', 'the value') for @s;
run($s[0], q{SELECT cache_namespace_create('tree', loader => 'leaf(text)')});
is(run($s[0], q{SELECT cache_fetch('tree:1')}), '"leaf"', 'a loader may fetch another key');
run($_, 'RESET cachepg.enabled') for @s;
is(run($s[0], q{SELECT cache_fetch('tree:1')}), '"leaf"', 'with the cache, too');

close_session($gate, @s);
check_store($node);
$node->stop;
done_testing();
