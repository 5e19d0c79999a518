# While the source of a namespace fails, an expired value answers for it, or the
# fallback; a value that was invalidated never does, whenever that happened, and
# what is not the source's fault is not hidden.  Plays scenarios 22 and 31 from
# the side of the readers; how loads are stopped is in 123.
#
# The loader reads a table, and from sequences, on which no value depends, how
# it is to end.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use CachePg;
use Races;

my $node = race_cluster('failing');

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('s', stale_for => '1 hour', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('none', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('brief', stale_for => '300 ms', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('mine', stale_for => '1 hour', stale_on => '{P0001}', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('fb', fallback => '{"fallback": true}', stale_for => '1 hour', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('later', retry_after => '1 hour', wait_timeout => '1 min', load_timeout => '1 min', breaker => false);
	SELECT cache_namespace_create('soon', retry_after => '1 s', breaker => false);
	SELECT cache_namespace_create('wait', stale_for => '1 hour', wait_timeout => '1 s', load_timeout => '1 min', breaker => false);
	SELECT cache_namespace_create('soft', stale_for => '1 hour', soft_timeout => '200 ms', load_timeout => '1 min', breaker => false);
	SELECT cache_namespace_create('n', ttl => '1 hour');
	CREATE TABLE source (v integer);
	INSERT INTO source VALUES (1);
	CREATE TABLE states (id integer PRIMARY KEY, state text);
	INSERT INTO states VALUES (2, '58030'), (3, '08006'), (4, 'XX000'), (5, '53200'), (6, 'HV000'), (7, '57P03'),
		(8, '22012'), (9, '42501'), (10, 'P0001'), (11, '40001'), (12, '55P03'), (13, '57014');
	CREATE SEQUENCE mode;
	CREATE SEQUENCE more MINVALUE 0;
	CREATE FUNCTION load() RETURNS integer LANGUAGE plpgsql AS $$
	DECLARE
		m bigint := (SELECT last_value FROM mode);
		answer integer;
	BEGIN
		PERFORM cache_incr('n:loads');
		answer := (SELECT v FROM source);
		PERFORM pg_advisory_xact_lock_shared(4711);
		IF m > 1 THEN
			RAISE EXCEPTION USING ERRCODE = (SELECT state FROM states WHERE id = m), MESSAGE = 'secret of the loader';
		END IF;
		RETURN answer + 100 * (SELECT last_value FROM more);
	END $$;
});

my $gate = session($node);
my @s = map { session($node) } 1 .. 3;
run($_, "\\set VERBOSITY verbose\nSELECT 1") for @s;

sub fetch_of { return "SELECT cache_fetch('$_[0]', 'SELECT load()'" . ($_[1] // '') . ')' }
sub fetch { return run($s[0], fetch_of(@_)) }
sub mode { return run($gate, "SELECT setval('mode', $_[0])") }
sub loads { return run($gate, q{SELECT cache_get('n:loads', 0::bigint)}) }
sub count_of { return one_value($node, "SELECT $_[1] FROM cache_namespace_stats WHERE namespace = '$_[0]'") }
sub close_gate { run($gate, 'SELECT pg_advisory_lock(4711)'); return }
sub open_gate { run($gate, 'SELECT pg_advisory_unlock(4711)'); return }

# A key has a value, the source's present one, that has expired.
sub expired
{
	my ($key) = @_;

	mode(1);
	run($s[0], "SELECT cache_delete('$key')");
	fetch($key, q{, ttl => '1 ms'});
	return ok(wait_until($node, "SELECT state = 'expired' FROM cache_entry('$key')"), "$key has expired");
}

sub at_gate
{
	my ($count) = @_;

	return ok(wait_until($node, "SELECT count(*) = $count FROM pg_locks WHERE objid = 4711 AND NOT granted"), "$count at the gate");
}

# An expired value is served for whatever is the source's fault.
expired('s:k');
my $before = count_of('s', 'stale_hits');
for my $m (2 .. 7)
{
	mode($m);
	is(fetch('s:k'), 1, "an old value for a failure of the source, $m");
}
is(count_of('s', 'stale_hits') - $before, 6, 'six stale hits are counted');
# two calls within a millisecond are one load
is(count_of('s', 'loads_failed + retries_throttled'), 6, 'and failed loads');
like(fetch('none:k'), qr/ERROR:  57P03: secret of the loader/, 'without one the error is raised as it is');
for my $state (qw(22012 42501 P0001 40001 55P03 57014))
{
	mode(one_value($node, "SELECT id FROM states WHERE state = '$state'"));
	like(fetch('s:k'), qr/ERROR:  $state: secret of the loader/, "$state is not the source's fault");
}
expired('mine:k');
mode(10);
is(fetch('mine:k'), 1, 'unless stale_on says so');
like(fetch('mine:new'), qr/ERROR:  P0001: secret of the loader/, 'raised where there is no value');
mode(1);
is(fetch('s:k'), 1, 'a load that succeeds ends it');
mode(2);
is(fetch('s:k'), 1, 'what was loaded is fresh');

# ... but not for longer than stale_for.
expired('brief:k');
mode(2);
ok( defined wait_until($node, q{
	SELECT (SELECT state FROM cache_entry('brief:k')) IS DISTINCT FROM 'expired' OR (SELECT age > '500 ms' FROM cache_entry('brief:k'))}),
	'stale_for is over');
like(fetch('brief:k'), qr/ERROR:  58030: secret of the loader/, 'then the error comes through');

# A value that was invalidated is not served.
expired('s:k');
mode(2);
is(fetch('s:k'), 1, 'control: an old value');
run($gate, 'UPDATE source SET v = 2');
like(fetch('s:k'), qr/ERROR:  58030/, 'not after its table was changed');
expired('s:k');
run($gate, q{SELECT cache_invalidate('s:k')});
mode(2);
like(fetch('s:k'), qr/ERROR:  58030/, 'not after its key was invalidated');
expired('s:k');
run($gate, q{SELECT cache_expire('s:k')});
mode(2);
is(fetch('s:k'), 2, 'but after cache_expire');

# ... also while the load is under way that will fail
for my $change ('SELECT 1', 'UPDATE source SET v = 3', q{SELECT cache_invalidate('s:k')})
{
	expired('s:k');
	my $old = fetch('none:value');
	mode(2);
	close_gate();
	go($s[0], fetch_of('s:k'));
	at_gate(1);
	run($gate, $change);
	open_gate();
	like(done($s[0]), $change eq 'SELECT 1' ? qr/^$old$/ : qr/^ERROR:  58030/, "meanwhile: $change");
}
expired('s:k');
mode(2);
close_gate();
like(without($node, 'mark-dead', sub {
		go($s[0], fetch_of('s:k'));
		at_gate(1);
		run($gate, q{SELECT cache_invalidate('s:k')});
		open_gate();
		done($s[0]);
	}), qr/^3$/, 'control: if it is not marked dead it is served');

# ... and while others wait for a load
for my $change ('SELECT 1', 'UPDATE source SET v = 5', q{SELECT cache_invalidate('wait:k')})
{
	expired('wait:k');
	my $old = fetch('none:value');
	close_gate();
	go($s[1], fetch_of('wait:k'));
	at_gate(1);
	go($s[0], fetch_of('wait:k'));
	ok(wait_until($node, 'SELECT wait_event IN (\'Extension\', \'CachePgFlightWait\') FROM pg_stat_activity WHERE pid = '
			. pid_of($s[0])), 'one waits');
	run($gate, $change);
	like(done($s[0]), $change eq 'SELECT 1' ? qr/^$old$/ : qr/^ERROR:  55P03: another session/, "meanwhile: $change");
	open_gate();
	done($s[1]);
}

# The fallback comes after an old value and before the error.
expired('fb:k');
mode(2);
is(fetch('fb:k'), 5, 'an old value is better than the fallback');
is(fetch('fb:new'), '{"fallback": true}', 'which is better than an error');
is(fetch('fb:new'), '{"fallback": true}', 'and is not kept');
is(count_of('fb', 'fallbacks'), 2, 'fallbacks are counted');
mode(8);
like(fetch('fb:new'), qr/ERROR:  22012/, 'but not for what is not the source\'s fault');
mode(1);
is(fetch('fb:new'), 5, 'a load that succeeds ends it');

# After a failed load the source is left alone for retry_after.
mode(2);
close_gate();
$before = loads();
go($s[0], fetch_of('later:k'));
at_gate(1);
go($s[1], fetch_of('later:k'));
ok(wait_until($node, 'SELECT wait_event IN (\'Extension\', \'CachePgFlightWait\') FROM pg_stat_activity WHERE pid = '
		. pid_of($s[1])), 'one waits');
open_gate();
like(done($s[0]), qr/ERROR:  58030: secret of the loader/, 'the one that loads says why');
done($s[1]);
# who waits may try once himself, as after any other failure
cmp_ok(loads() - $before, '<=', 2, 'at most one of those who waited tried again');
$before = loads();
for my $session ($s[0], $s[1], $s[2])
{
	my $error = run($session, fetch_of('later:k'));

	like($error, qr/ERROR:  58030: loading a value of cache namespace "later" failed a moment ago/, 'then nobody');
	unlike($error, qr/secret/, 'what the loader said is for the session that loaded');
}
is(loads(), $before, 'no load');
cmp_ok(count_of('later', 'retries_throttled'), '>=', 3, 'that is counted');
is(run($s[0], q{SELECT cache_fetch('later:k', 'SELECT 1')}), 1, 'other queries of the key are loaded');
fetch('soon:k');
$before = loads();
mode(1);
ok(defined wait_until($node, q{SELECT cache_fetch('soon:k', 'SELECT load()') = '5'}), 'it is tried again after retry_after')
	if fetch('soon:k') =~ /ERROR/;
is(loads(), $before + 1, 'once');

# soft_timeout: an old value soon, the new one from a worker.
expired('soft:k');
close_gate();
my $began = time();
is(fetch('soft:k'), 5, 'the old value after soft_timeout');
cmp_ok(time() - $began, '>=', 0.2, 'not before');
cmp_ok(time() - $began, '<', 2, 'nor much later');
at_gate(1);
is(fetch('soft:k'), 5, 'again');
is(count_of('soft', 'stale_hits'), 2, 'as stale hits');
is(count_of('soft', 'refreshes_queued'), 1, 'one request for a worker');
open_gate();
ok(wait_until($node, q{SELECT state = 'fresh' FROM cache_entry('soft:k')}), 'the worker finished');

expired('soft:k');
run($gate, q{SELECT cache_namespace_alter('soft', soft_timeout => '1 s')});
run($gate, q{SELECT setval('more', 1)});
close_gate();
go($s[0], fetch_of('soft:k'));
at_gate(1);
run($gate, 'UPDATE source SET v = 6');
ok(wait_until($node, q{SELECT now() - query_start > '1.2 s' FROM pg_stat_activity WHERE pid = } . pid_of($s[0])), 'soft_timeout is over');
open_gate();
like(done($s[0]), qr/^10[56]$/, 'a value that is invalidated meanwhile is not served');

close_session($gate, @s);
check_store($node);
$node->stop;
done_testing();
