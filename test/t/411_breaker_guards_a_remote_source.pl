# A remote source that hangs or is gone is noticed by no client that has an old
# value, and after a few failures it is left alone until a probe succeeds.
# Plays scenario 77.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../faults";
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races qw(session go done run pid_of close_session);
use Test::More;
use Time::HiRes qw(time);

# More of them than workers and places in their queue.
my $keys = 14;
my $all_expired = "SELECT count(*) = $keys FROM generate_series(1, $keys) i, cache_entry('r:' || i) WHERE state = 'expired'";

# How much longer than soft_timeout an answer may take, on a busy machine.
my $slack = 1.5;

my $remote = PostgreSQL::Test::Cluster->new('remote');
$remote->init;
$remote->start;
$remote->safe_psql('postgres', 'CREATE TABLE wares AS SELECT id, 1 AS v FROM generate_series(1, 20) id');

my $node = new_cluster('guarded');
my ($host, $port) = ($remote->host, $remote->port);
my $breaker = q{breaker_window => 10, breaker_min_calls => 3, breaker_open => '1 s', retry_after => '1 ms'};
$node->safe_psql('postgres', qq{
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER remote;
	CREATE FOREIGN TABLE wares (id integer, v integer) SERVER remote;
	SELECT cache_namespace_create('r', ttl => '100 ms', stale_for => '1 hour', consistency => 'ttl', load_timeout => '500 ms', soft_timeout => '100 ms', $breaker);
	SELECT cache_namespace_create('fb', consistency => 'ttl', load_timeout => '500 ms', fallback => '"none"', $breaker);
	SELECT cache_namespace_create('p', ttl => '1 hour', load_timeout => '1 min', $breaker);
	SELECT cache_namespace_create('n', ttl => '1 hour');
	CREATE SEQUENCE mode MINVALUE 0;
	CREATE FUNCTION load() RETURNS integer LANGUAGE plpgsql AS \$\$
	BEGIN
		PERFORM cache_incr('n:loads');
		PERFORM pg_advisory_xact_lock_shared(4711);
		CASE (SELECT last_value FROM mode)
			WHEN 0 THEN RETURN 1;
			WHEN 1 THEN RAISE io_error USING MESSAGE = 'the source fails';
			WHEN 2 THEN RAISE division_by_zero;
		END CASE;
	END \$\$;
});
my $s = session($node);
my $gate = session($node);
run($_, "\\set VERBOSITY verbose\nSELECT 1") for $s, $gate;

sub ware { return "SELECT cache_fetch('$_[0]', 'SELECT v FROM wares WHERE id = \$1', ROW($_[1]))" }
sub count_of { return one_value($node, "SELECT $_[1] FROM cache_namespace_stats WHERE namespace = '$_[0]'") }
sub breaker_of { return one_value($node, "SELECT $_[1] FROM cache_breakers WHERE namespace = '$_[0]'") }

# Everybody has the old value, soon; for some seconds.
sub clients_have
{
	my ($value, $seconds) = @_;
	my $end = time() + $seconds;
	my ($asked, $other, $longest) = (0, 0, 0);

	while (time() < $end)
	{
		for my $id (1 .. $keys)
		{
			my $began = time();
			my $got = run($s, ware("r:$id", $id));

			$other++ if $got ne $value && diag($got);
			$longest = time() - $began if time() - $began > $longest;
			$asked++;
		}
	}
	is($other, 0, "$asked answers, all of them $value");
	return cmp_ok($longest, '<', 0.1 + $slack, 'none took long');
}

# The server and its sessions.
sub remote_processes
{
	my ($postmaster) = slurp_file($remote->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	return ($postmaster, map { s/\s//gr } split /\n/, `ps -o pid= --ppid $postmaster`);
}
my @stopped;
END { local $?; kill 'CONT', @stopped; }

# Values, and workers that are connected.
is(run($s, ware("r:$_", $_)), 1, "value $_") for 1 .. $keys;
ok(wait_until($node, $all_expired), 'they expire');
run($s, ware("r:$_", $_)) for 1 .. $keys;
ok(wait_until($node, q{SELECT refreshes_unchanged > 0 FROM cache_namespace_stats WHERE namespace = 'r'}), 'a worker has loaded');

# The remote server hangs.
$remote->safe_psql('postgres', 'UPDATE wares SET v = 2');
ok(wait_until($node, $all_expired), 'the values have expired');
@stopped = remote_processes();
kill 'STOP', @stopped;
clients_have(1, 3);
kill 'CONT', @stopped;
@stopped = ();
ok(wait_until($node, "SELECT cache_fetch('r:$_', 'SELECT v FROM wares WHERE id = \$1', ROW($_)) = '2'"), "new value $_ when it goes on") for 1 .. $keys;

# The remote server is gone.
$node->safe_psql('postgres', q{SELECT cache_breaker_reset('r')});
my $earlier = count_of('r', 'loads_failed + load_timeouts');
my $died = time();
$remote->stop('immediate');
ok(wait_until($node, $all_expired), 'the values have expired');
clients_have(2, 1);
ok(breaker_of('r', 'opened') >= 1, 'the breaker has opened');
clients_have(2, 2.5);
my $failed = count_of('r', 'loads_failed + load_timeouts') - $earlier;
# the first three, who were under way, and a probe each second
cmp_ok($failed, '<=', 3 + 4 + 1 + time() - $died, 'after few loads');
cmp_ok(count_of('r', 'breaker_refused'), '>', 10, 'others were not begun');
# at the latest the fourth of these finds it open
for my $id (17 .. 20)
{
	my $got = run($s, ware("r:$id", $id));

	next if $got =~ /ERROR:  (?:08001|08006|55P03)/;
	like($got, qr/ERROR:  08000: the circuit breaker of cache namespace "r" is open\nDETAIL:  Its loads failed lately; the next attempt is in \d+ ms\./,
		'no old value: the error says when it will be tried again');
	last;
}
is(breaker_of('r', q{state = 'open' AND next_attempt BETWEEN now() AND now() + interval '1 s' OR state = 'half-open'}), 't', 'what cache_breakers shows');
my @answers = map { run($s, ware("fb:$_", $_)) } 1 .. 6;
is(join(' ', @answers), join(' ', ('"none"') x 6), 'the fallback');
is(count_of('fb', 'loads_failed'), 3, 'three loads');
is(breaker_of('fb', 'state, opened, refused >= 0, failure_ratio'), 'open|1|t|1', 'then the breaker is open');

# It comes back.
$remote->start;
$remote->safe_psql('postgres', 'UPDATE wares SET v = 3');
ok(wait_until($node, "SELECT cache_fetch('r:$_', 'SELECT v FROM wares WHERE id = \$1', ROW($_)) = '3'"), "new value $_") for 1 .. $keys;
is(breaker_of('r', 'state, next_attempt IS NULL'), 'closed|t', 'the breaker is closed');
ok(wait_until($node, q{SELECT cache_fetch('fb:1', 'SELECT v FROM wares WHERE id = 1') = '3'}), 'without a worker too');

# One probe at a time, which may be lost.
sub half_open
{
	run($gate, q{SELECT setval('mode', 1)});
	run($gate, q{SELECT cache_clear('p'), cache_breaker_reset('p')});
	like(run($s, "SELECT cache_fetch('p:fails$_', 'SELECT load()')"), qr/ERROR:  58030: the source fails/, "failure $_") for 1 .. 3;
	like(run($s, q{SELECT cache_fetch('p:k', 'SELECT load()')}), qr/ERROR:  08000/, 'open');
	ok(wait_until($node, q{SELECT state = 'half-open' FROM cache_breakers WHERE namespace = 'p'}), 'half-open after a second');
	return;
}

sub probe
{
	run($gate, "SELECT setval('mode', $_[0])");
	run($gate, q{SELECT cache_delete('n:loads')});
	run($gate, 'SELECT pg_advisory_lock(4711)');
	go($s, q{SELECT cache_fetch('p:k', 'SELECT load()')});
	return ok(wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE objid = 4711 AND NOT granted}), 'a probe');
}

sub loads { return run($gate, q{SELECT cache_get('n:loads', 0::bigint)}) }

half_open();
probe(0);
my @others = finish_psql(start_psql($node, map { "SELECT cache_fetch('p:other$_', 'SELECT load()');" } 1 .. 30));
is(scalar(grep { $_->[2] =~ /ERROR:  08000/ } @others), 30, 'thirty others are refused');
is(loads(), 1, 'one load');
run($gate, 'SELECT pg_advisory_unlock(4711)');
is(done($s), 1, 'the probe succeeds');
is(breaker_of('p', 'state, calls'), 'closed|0', 'the breaker is closed');

for my $way ('cancel', 'terminate')
{
	half_open();
	probe(1);
	$node->safe_psql('postgres', "SELECT pg_${way}_backend(" . pid_of($s) . ')');
	if ($way eq 'cancel')
	{
		like(done($s), qr/ERROR:  57014/, 'the probe is cancelled');
	}
	else
	{
		ok(wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($s)), 'the probe is terminated');
		$s = session($node);
		run($s, "\\set VERBOSITY verbose\nSELECT 1");
	}
	is(breaker_of('p', 'state'), 'half-open', 'that says nothing of the source');
	run($gate, 'SELECT pg_advisory_unlock(4711)');
	run($gate, q{SELECT setval('mode', 2)});
	like(run($s, q{SELECT cache_fetch('p:k', 'SELECT load()')}), qr/ERROR:  22012/, 'nor does an error of the query');
	is(breaker_of('p', 'state'), 'half-open', 'still half-open');
	run($gate, q{SELECT setval('mode', 1)});
	like(run($s, q{SELECT cache_fetch('p:j', 'SELECT load()')}), qr/ERROR:  58030/, 'the next call is the probe');
	is(breaker_of('p', 'state'), 'open', 'it opens the breaker again');
}

# A probe that neither ends nor dies loses its permit.
run($gate, q{SELECT cache_namespace_alter('p', load_timeout => '500 ms')});
half_open();
probe(0);
@stopped = (pid_of($s));
kill 'STOP', @stopped;
run($gate, 'SELECT pg_advisory_unlock(4711)');
fails_with($node, q{SELECT cache_fetch('p:j', 'SELECT load()')}, '08000', qr/breaker/, 'a probe that hangs');
ok(wait_until($node, q{SELECT cache_fetch('p:j', 'SELECT load()') = '1'}), 'somebody else is let through in the end');
is(breaker_of('p', 'state, calls'), 'closed|0', 'and closes the breaker');
kill 'CONT', @stopped;
@stopped = ();
done($s);
is(breaker_of('p', 'state, calls'), 'closed|0', 'the late report is not heard');

run($gate, q{SELECT setval('mode', 2)});
run($gate, q{SELECT cache_breaker_reset('p')});
is(breaker_of('p', 'state, calls'), 'closed|0', 'reset');
like(run($s, "SELECT cache_fetch('p:e$_', 'SELECT load()')"), qr/ERROR:  22012/, 'an error of the query') for 1 .. 6;
is(breaker_of('p', 'state, calls'), 'closed|0', 'does not count');
$node->safe_psql('postgres', 'CREATE ROLE nobody');
fails_with($node, q{SET ROLE nobody; SELECT cache_breaker_reset('p')}, '42501', qr/permission denied/, 'not everybody may reset it');

close_session($s, $gate);
check_store($node);
$node->stop;
$remote->stop;
done_testing();
