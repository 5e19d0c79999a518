# A load that takes longer than load_timeout is cancelled, whatever its loader
# does about that; who is cancelled by somebody else, or by statement_timeout,
# hears that.  Plays scenarios 23 and 25 from the side of the deadline.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use CachePg;
use Races;

# How much longer than a timeout something may take, on a busy machine.
my $slack = 3;

my $node = race_cluster('deadlines');

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('fast', load_timeout => '300 ms', stale_for => '1 hour', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('slow', load_timeout => '1 min', stale_for => '1 hour', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('fb', load_timeout => '300 ms', fallback => '"instead"', retry_after => '1 ms', breaker => false);
	SELECT cache_namespace_create('n', ttl => '1 hour');
	CREATE TABLE w (v integer);
	CREATE SEQUENCE traps MINVALUE 0;
	-- catches so many cancellations, and counts them
	CREATE FUNCTION stubborn() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. (SELECT last_value FROM traps) LOOP
			BEGIN
				PERFORM pg_advisory_xact_lock_shared(60);
			EXCEPTION WHEN query_canceled THEN
				PERFORM cache_incr('n:trapped');
			END;
		END LOOP;
		PERFORM pg_advisory_xact_lock_shared(60);
		RETURN 1;
	END $$;
	CREATE FUNCTION quick() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			PERFORM pg_advisory_xact_lock_shared(60);
		EXCEPTION WHEN query_canceled THEN
			RETURN 7;
		END;
	END $$;
	CREATE FUNCTION writer() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO w VALUES (1);
		PERFORM pg_advisory_xact_lock_shared(60);
		RETURN 1;
	END $$;
	CREATE FUNCTION outer_of(inner_key text, inner_query text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN 'outer ' || (cache_fetch(inner_key, inner_query) #>> '{}');
	END $$;
});

my $s = session($node);
my $other = session($node);
# loads that have to be ended wait here
my $gate = session($node);
run($gate, 'SELECT pg_advisory_lock(60)');
run($_, "\\set VERBOSITY verbose\nSELECT 1") for $s, $other;
my $endless = q{'SELECT pg_advisory_xact_lock_shared(60)'};
my $too_long = qr/ERROR:  55P03: loading a value of cache namespace "fast" took longer than load_timeout/;

# Runs a statement that ends within some seconds, and not before.
sub ends_after
{
	my ($seconds, $sql, $pattern, $name) = @_;
	my $began = time();
	my $got = run($s, $sql);
	my $took = time() - $began;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	like($got, $pattern, $name);
	cmp_ok($took, '>=', $seconds, "$name: not before $seconds s");
	return cmp_ok($took, '<', $seconds + $slack, "$name: nor much later");
}

sub cancels
{
	my ($sql, $name) = @_;

	go($s, $sql);
	ok(wait_until($node, q{SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = } . pid_of($s)), 'it waits');
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . pid_of($s) . ')');
	return like(done($s), qr/ERROR:  57014: canceling statement due to user request/, $name);
}

sub count_of { return one_value($node, "SELECT $_[1] FROM cache_namespace_stats WHERE namespace = '$_[0]'") }

ends_after(0.3, "SELECT cache_fetch('fast:k', $endless)", $too_long, 'a load that waits');
is(count_of('fast', 'load_timeouts'), 1, 'it is counted');
is(run($s, 'SELECT 1'), 1, 'the session goes on');
# three stretches of time in which the deadline of a load that ended must not strike: time is the subject
is(run($s, q{SELECT cache_fetch('fast:k', 'SELECT 1'), pg_sleep(0.6)}), '1|', 'and nothing strikes later');
ends_after(0.3, q{SELECT cache_fetch('fast:computes', 'SELECT count(*) FROM generate_series(1, 1000000000000)')}, $too_long, 'one that computes');

# A loader that catches it is told again.
run($other, q{SELECT setval('traps', 3)});
ends_after(0.6, q{SELECT cache_fetch('fast:trap', 'SELECT stubborn()')}, $too_long, 'a loader that traps the cancellation');
is(one_value($node, q{SELECT cache_get('n:trapped', 0::bigint)}), 3, 'it was told three times before');
ends_after(0.3, q{SELECT cache_fetch('fast:quick', 'SELECT quick()')}, qr/^7$/, 'a loader that hurries then');
is(run($s, q{SELECT cache_get('fast:quick'), pg_sleep(0.4)}), '7|', 'its value is kept, nothing strikes later');

# What it wrote is rolled back; the transaction goes on.
run($s, 'BEGIN');
run($s, 'INSERT INTO w VALUES (2)');
run($s, 'SAVEPOINT a');
like(run($s, q{SELECT cache_fetch('fast:w', 'SELECT writer()')}), $too_long, 'a loader that writes');
run($s, 'ROLLBACK TO a');
run($s, 'COMMIT');
is(run($s, 'SELECT v FROM w'), 2, 'left nothing behind');
is(run($s, q{BEGIN; SELECT cache_fetch('fb:w', 'SELECT writer()'); COMMIT}), '"instead"', 'with a fallback the statement goes on');
is(run($s, 'SELECT v FROM w'), 2, 'and nothing is left behind either');

# statement_timeout
run($s, q{SET statement_timeout = '100 ms'});
ends_after(0.1, "SELECT cache_fetch('fast:k', $endless)", qr/ERROR:  57014: canceling statement due to statement timeout/, 'an earlier statement_timeout');
ends_after(0.1, "SELECT cache_fetch('fb:k', $endless)", qr/ERROR:  57014: canceling statement due to statement timeout/, 'also with a fallback');
run($s, q{SET statement_timeout = '30 s'});
ends_after(0.3, "SELECT cache_fetch('fast:k', $endless)", $too_long, 'a later one');
run($s, 'RESET statement_timeout');

# Loads inside of loads.
ends_after(0.3, qq{SELECT cache_fetch('slow:k', 'SELECT outer_of(\$1, \$2)', ROW('fast:inner', $endless))}, $too_long, 'the inner load is too slow');
ends_after(0.3, qq{SELECT cache_fetch('fast:k', 'SELECT outer_of(\$1, \$2)', ROW('slow:k', $endless))}, $too_long, 'the outer load is too slow');
ends_after(0.3, qq{SELECT cache_fetch('slow:k', 'SELECT outer_of(\$1, \$2)', ROW('fb:k', $endless))}, qr/^"outer instead"$/, 'the inner load has a fallback');
is(run($s, q{SELECT state FROM cache_entry('slow:k')}), 'absent', 'what is made of that is not kept');
ends_after(0.3, qq{SELECT cache_fetch('fb:k', 'SELECT outer_of(\$1, \$2)', ROW('slow:k', $endless))}, qr/^"instead"$/, 'the outer load has one');
is(run($s, q{SELECT pg_sleep(0.5)}), '', 'nothing strikes later');

# A cancellation by a user is not hidden: not by an old value, not by a fallback.
cancels("SELECT cache_fetch('slow:k', $endless)", 'cancelled by a user');
run($s, q{SELECT cache_namespace_alter('fb', load_timeout => '1 min')});
cancels("SELECT cache_fetch('fb:k', $endless)", 'also with a fallback');
$node->safe_psql('postgres', q{
	CREATE FUNCTION passes() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(61);
		RETURN 'value';
	END $$;
});
my $passes = q{'SELECT passes()'};
for my $ns ('slow', 'fast')
{
	is(run($s, "SELECT cache_fetch('$ns:old', $passes, ttl => '1 ms')"), '"value"', 'a value');
	ok(wait_until($node, "SELECT state = 'expired' FROM cache_entry('$ns:old')"), 'has expired');
}
run($gate, 'SELECT pg_advisory_lock(61)');
cancels("SELECT cache_fetch('slow:old', $passes)", 'and with an old value');
ends_after(0.3, "SELECT cache_fetch('fast:old', $passes)", qr/^"value"$/, 'which answers a load that is too slow');
run($s, q{SET statement_timeout = '100 ms'});
like(run($s, "SELECT cache_fetch('fast:old', $passes)"), qr/ERROR:  57014/, 'but not a statement_timeout');
run($s, 'RESET statement_timeout');
run($gate, 'SELECT pg_advisory_unlock_all()');
is(one_value($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), 0, 'no lock is left');

close_session($s, $other, $gate);
check_store($node);
$node->stop;
done_testing();
