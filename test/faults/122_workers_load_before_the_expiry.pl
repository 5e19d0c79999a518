# A value that is due for renewal is served on while one worker loads it; where
# no worker can, one session does.  A source that fails costs a few calls, not
# one for each hit.  Plays scenarios 30 and 31; as whom workers load is in 124.
#
# The loader reads a table, and from sequences, on which no value depends, how
# it is to end and another part of its result.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use CachePg;
use Races;

my $node = race_cluster('refreshes', 'cachepg.refresh_workers' => 1);

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('w', ttl => '1 hour', load_timeout => '1 min', breaker => false);
	SELECT cache_namespace_create('early', ttl => '6 s', breaker => false);
	SELECT cache_namespace_create('f', ttl => '1 hour', retry_after => '1 ms', load_timeout => '1 min', breaker => false);
	SELECT cache_namespace_create('bad', ttl => '1 hour', retry_after => '1 hour', breaker => false);
	SELECT cache_namespace_create('again', ttl => '1 hour', retry_after => '50 ms', breaker => false);
	SELECT cache_namespace_create('rests', ttl => '1 hour', retry_after => '200 ms', breaker => false);
	SELECT cache_namespace_create('n', ttl => '1 hour');
	CREATE TABLE source (v integer);
	INSERT INTO source VALUES (1);
	CREATE TABLE written (v integer);
	CREATE SEQUENCE mode MINVALUE 0;
	CREATE SEQUENCE more MINVALUE 0;
	CREATE FUNCTION load() RETURNS bigint LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM cache_incr('n:loads');
		PERFORM pg_advisory_xact_lock_shared(4711);
		CASE (SELECT last_value FROM mode)
			WHEN 0 THEN NULL;
			WHEN 1 THEN RAISE io_error USING MESSAGE = 'the source fails';
			WHEN 2 THEN PERFORM pg_sleep(0.1);
			WHEN 3 THEN
				IF EXISTS (SELECT FROM cache_workers WHERE state = 'loading') THEN
					INSERT INTO written VALUES (1);
				END IF;
		END CASE;
		RETURN (SELECT v FROM source) + 100 * (SELECT last_value FROM more);
	END $$;
});

my $gate = session($node);
my $s = session($node);

sub fetch_of { return "SELECT cache_fetch('$_[0]', 'SELECT load()'" . ($_[1] // '') . ')' }
sub fetch { return run($s, fetch_of(@_)) }
sub mode { return run($gate, "SELECT setval('mode', $_[0])") }
sub more { return run($gate, "SELECT setval('more', $_[0])") }
sub loads { return run($gate, q{SELECT cache_get('n:loads', 0::bigint)}) }
sub count_of { return one_value($node, "SELECT $_[1] FROM cache_namespace_stats WHERE namespace = '$_[0]'") }
sub close_gate { run($gate, 'SELECT pg_advisory_lock(4711)'); return }
sub open_gate { run($gate, 'SELECT pg_advisory_unlock(4711)'); return }

# Those who load stand at the gate.
sub at_gate
{
	my ($workers, $sessions) = @_;
	my $count = q{SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE objid = 4711 AND NOT granted AND backend_type};

	return ok(wait_until($node, "SELECT ($count = 'cachepg refresher') = $workers AND ($count = 'client backend') = $sessions"),
		"$workers workers and $sessions sessions load");
}

# A key has a value, 1 and what "more" says, that is due for renewal.
sub due
{
	my ($key, $args) = @_;

	mode(0);
	run($s, "SELECT cache_delete('$key')");
	run($s, fetch_of($key, $args));
	run($s, "SELECT cache_expire('$key')");
	return;
}

# The stored value, without a fetch; waits for one.
sub becomes
{
	my ($key, $value) = @_;

	return ok(wait_until($node, "SELECT cache_get('$key') = '$value'"), "$key is $value now");
}

# The soft lifetime is over: all get the old value while one worker loads.
fetch('w:k', q{, soft_ttl => '100 ms'});
ok(wait_until($node, q{SELECT soft_left <= '0' FROM cache_entry('w:k')}), 'the soft lifetime is over');
close_gate();
more(1);
my $before = loads();
my @runs = start_psql($node, map { fetch_of('w:k', q{, soft_ttl => '100 ms'}) } 1 .. 20);
is(join('', map { $_->[1] . $_->[2] } finish_psql(@runs)), "1\n" x 20, 'twenty sessions have the old value');
at_gate(1, 0);
is(fetch('w:k', q{, soft_ttl => '100 ms'}), 1, 'and one that comes later');
open_gate();
becomes('w:k', 101);
is(loads() - $before, 1, 'one load');
is(count_of('w', 'refreshes_queued'), 1, 'one request');
ok(wait_until($node, q{SELECT refreshes_changed = 1 FROM cache_namespace_stats WHERE namespace = 'w'}), 'the value has changed');
due('w:same');
fetch('w:same');
ok(wait_until($node, q{SELECT refreshes_unchanged = 1 FROM cache_namespace_stats WHERE namespace = 'w'}), 'another one has not');
is(run($s, q{SELECT soft_left IS NULL FROM cache_entry('w:same')}), 't', 'and is no longer due');

# XFetch, which goes by how long a load takes: with a large beta it comes early, in the second half of the lifetime.
mode(2);
fetch('early:k', ', beta => 100');
mode(0);
more(2);
ok(wait_until($node, q{SELECT cache_fetch('early:k', 'SELECT load()', beta => 100) = '201'}), 'loaded anew');
is(count_of('early', 'early_refreshes') . count_of('early', 'refreshes_queued') . count_of('early', 'refreshes_changed'), '111',
	'once, early, by a worker');
is(one_value($node, q{SELECT count FROM cache_misses_by_reason WHERE namespace = 'early' AND reason = 'expired'}), '', 'nobody found it expired');
mode(2);
fetch('early:off', ', beta => 0');
mode(0);
ok(wait_until($node, q{SELECT cache_fetch('early:off', 'SELECT load()', beta => 0) IS NOT NULL AND ttl_left < '1 s' FROM cache_entry('early:off')}), 'without beta');
is(count_of('early', 'early_refreshes'), 1, 'nothing is early');

# Scenario 30: what a worker loaded before an invalidation is not served.
sub idle_worker
{
	due('w:wakes');
	fetch('w:wakes');
	ok(wait_until($node, q{SELECT state = 'idle' FROM cache_workers}), 'a worker is idle');
	return { node => $node, pid => one_value($node, q{SELECT pid FROM cache_workers}) };
}

sub overtaken
{
	my ($point, $change) = @_;
	my $worker = idle_worker();

	due('w:o');
	arm($node, $point, 'wait', $worker);
	fetch('w:o');
	is(one_value($node, "SELECT cachepg_fault_await('$point')"), 't', "the worker stands at $point");
	run($gate, $change);
	more(3);
	go($s, fetch_of('w:o'));
	disarm($node, $point);
	my $got = done($s);
	more(2);
	return $got;
}
for my $point ('fetch-stamped', 'fetch-loaded', 'fetch-checked')
{
	my $new = 1 + run($gate, 'SELECT v FROM source');

	like(overtaken($point, 'UPDATE source SET v = v + 1'), qr/^[23]0$new$/, 'who asks meanwhile gets the new value');
	like(fetch('w:o'), qr/^[23]0$new$/, 'and who asks later');
	my $wasted = count_of('w', 'refreshes_wasted');
	is(overtaken($point, q{SELECT cache_invalidate('w:o')}), "30$new", 'also where the key is invalidated');
	ok(wait_until($node, "SELECT refreshes_wasted = $wasted + 1 FROM cache_namespace_stats WHERE namespace = 'w'"), 'the worker\'s was not kept');
}
my $old = run($gate, 'SELECT v FROM source');
is(without($node, 'stamp-order', sub { overtaken('fetch-loaded', 'UPDATE source SET v = v + 1') }), "20$old",
	'control: with the stamp taken after the load the old one is served');
run($gate, 'UPDATE source SET v = 1');

# A source that fails: the old value stays, and the source has some peace.
more(0);
for my $ns ('bad', 'again')
{
	due("$ns:k");
	mode(1);
	$before = loads();
	is(fetch("$ns:k"), 1, 'the old value');
	ok(wait_until($node, "SELECT refreshes_failed = 1 FROM cache_namespace_stats WHERE namespace = '$ns'"), 'the worker failed');
}
is(fetch('bad:k'), 1, 'the old value again') for 1 .. 20;
is(count_of('bad', 'refreshes_failed') + count_of('bad', 'loads_failed'), 2, 'no other load');
my $began = time();
fetch('again:k') while time() - $began < 1;
# waits are 50 ms, doubled each time
cmp_ok(count_of('again', 'loads_failed'), '>=', 2, 'tried again after a while');
cmp_ok(count_of('again', 'loads_failed'), '<=', 8, 'less and less often');
mode(0);
more(3);
ok(wait_until($node, q{SELECT cache_fetch('again:k', 'SELECT load()') = '301'}), 'until it succeeds');

# That peace ends with the value: who needs one tries, and when that succeeds the
# failures are forgotten.
due('rests:k');
mode(1);
my $fails = fetch_of('rests:k') . q{ IS NOT NULL AND refreshes_failed >= %d FROM cache_namespace_stats WHERE namespace = 'rests'};
ok(comes($node, sprintf($fails, 4), 't'), 'a worker fails four times');
mode(0);
run($s, q{SELECT cache_delete('rests:k'), pg_sleep(0.3)});
like(fetch('rests:k'), qr/^\d+$/, 'what is gone is loaded after retry_after');
my $failed = count_of('rests', 'refreshes_failed');
run($s, q{SELECT cache_expire('rests:k')});
mode(1);
ok(comes($node, sprintf($fails, $failed + 2), 't', 3),
	'and failures are counted anew');
mode(0);

# A loader that fails in workers only is left to sessions.
due('f:k');
mode(3);
more(4);
is(fetch('f:k'), 301, 'the old value');
ok(wait_until($node, q{SELECT refreshes_failed = 1 FROM cache_namespace_stats WHERE namespace = 'f'}), 'the worker failed');
is(one_value($node, 'SELECT count(*) FROM written'), 0, 'it may not write');
is(fetch('f:k'), 401, 'the next session loads itself');
is(count_of('f', 'refreshes_queued'), 1, 'and asks no worker');
run($s, q{SELECT cache_expire('f:k')});
more(5);
is(fetch('f:k'), 501, 'nor the next time');
is(count_of('f', 'refreshes_queued'), 1, 'still one request');

# What is too long for a request is loaded by the session.
my $long = q{SELECT cache_fetch('f:long', 'SELECT load() + length($1)', ROW(repeat('x', 10000)))};
mode(0);
is(run($s, $long), 10501, 'a long argument');
run($s, q{SELECT cache_expire('f:long')});
more(6);
is(run($s, $long), 10601, 'due: loaded at once');
is(count_of('f', 'refreshes_queued'), 1, 'without a request');

# One request is being worked on and four wait, half of the queue, which is the
# most for one database: the next one is loaded here.
due("w:$_") for 1 .. 6;
close_gate();
more(7);
is(fetch("w:$_"), 601, "request $_") for 1;
at_gate(1, 0);
is(fetch("w:$_"), 601, "request $_") for 2 .. 5;
is(one_value($node, 'SELECT queued FROM cache_workers'), 4, 'the queue is full');
go($s, fetch_of('w:6'));
at_gate(1, 1);
open_gate();
is(done($s), 701, 'the next session loads itself');
becomes("w:$_", 701) for 1 .. 5;

# Without workers one session loads, the others have the old value.
$node->safe_psql('postgres', q{ALTER SYSTEM SET cachepg.refresh_workers = 0});
$node->reload;
due('w:k');
ok(wait_until($node, q{SELECT current_setting('cachepg.refresh_workers') = '0'}), 'no workers');
is(run($s, 'SHOW cachepg.refresh_workers'), '0', 'also for this session');
close_gate();
more(8);
$before = loads();
go($s, fetch_of('w:k'));
at_gate(0, 1);
@runs = start_psql($node, map { fetch_of('w:k') } 1 .. 5);
is(join('', map { $_->[1] . $_->[2] } finish_psql(@runs)), "701\n" x 5, 'five sessions have the old value');
open_gate();
is(done($s), 801, 'the one that loads has the new one');
is(loads() - $before, 1, 'one load');

# ... but does not wait for its turn: it has a value.
$node->safe_psql('postgres', q{SELECT cache_namespace_alter('f', max_loads => 1)});
due('f:k');
close_gate();
go($s, fetch_of('f:other'));
at_gate(0, 1);
my $second = session($node);
$began = time();
is(run($second, fetch_of('f:k')), 801, 'the old value where max_loads are in progress');
cmp_ok(time() - $began, '<', 5, 'at once');
open_gate();
done($s);

close_session($gate, $s, $second);
check_store($node);
$node->stop;
done_testing();
