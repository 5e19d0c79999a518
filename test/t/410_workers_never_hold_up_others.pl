# Workers that load values are in nobody's way: not of those who drop, rename or
# copy databases, nor of those who drop roles or the extension; and whatever
# becomes of a worker, or of the launcher, there is another one soon, and no
# more than a few lines in the log.  Plays scenario 32.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../faults";
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Races qw(session run close_session);
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('workers', 'cachepg.refresh_workers' => 2);

# The loader sleeps as long as a sequence says, on which no value depends.
my $install = q{
	CREATE SEQUENCE nap MINVALUE 0;
	CREATE SEQUENCE tick MINVALUE 0;
	CREATE TABLE t AS SELECT 1 AS v;
	SELECT cache_namespace_create('w', ttl => '1 hour', load_timeout => '1 min', retry_after => '1 ms', breaker => false);
	CREATE FUNCTION load() RETURNS bigint LANGUAGE plpgsql SET search_path = public AS $$
	BEGIN
		PERFORM pg_sleep((SELECT last_value FROM nap));
		RETURN (SELECT v FROM t) + 100 * (SELECT last_value FROM tick);
	END $$;
};
my $fetch = q{SELECT cache_fetch('w:k', 'SELECT load()');};
my $employed = 0;

sub make_database
{
	my ($name) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, "CREATE EXTENSION cachepg; $install");
	return;
}

sub worker_is
{
	my ($database, $state) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return ok(wait_until($node, "SELECT EXISTS (SELECT FROM cache_workers WHERE database = '$database' AND state = '$state')"),
		"a worker is $state in $database");
}

sub worker_pid { return one_value($node, "SELECT pid FROM cache_workers WHERE database = '$_[0]' ORDER BY pid LIMIT 1") }

# Has a worker load in a database: for long, or else until it is idle again.
sub employ
{
	my ($database, $long) = @_;
	my $nap = $long ? 60 : 0;
	my $key = 'w:' . ++$employed;
	my $fetch_key = "SELECT cache_fetch('$key', 'SELECT load()')";

	$node->safe_psql($database, "SELECT setval('nap', 0)");
	$node->safe_psql($database, "$fetch_key; SELECT cache_expire('$key')");
	$node->safe_psql($database, "SELECT setval('nap', $nap)");
	$node->safe_psql($database, $fetch_key);
	return worker_is($database, $long ? 'loading' : 'idle');
}

# Whatever waits for a worker would take 5 s and fail.
sub quickly
{
	my ($statement, $database) = @_;
	my $began = time();
	my ($status, $out, $err) = $node->psql($database // 'postgres', $statement);

	is($err, '', $statement);
	# copying takes its time
	return if $statement =~ /TEMPLATE|TABLESPACE/;
	return cmp_ok(time() - $began, '<', 4, 'quickly');
}

sub lines
{
	my ($pattern) = @_;

	return scalar(() = slurp_file($node->logfile) =~ /$pattern/g);
}

$node->safe_psql('postgres', $install);
is(one_value($node, 'SELECT count(*) FROM cache_workers'), 0, 'no worker without work');
employ('postgres');
is(one_value($node, q{SELECT refreshes, failed, queued, since <= now() AND since > now() - interval '1 min',
		pid IN (SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg refresher') FROM cache_workers}),
	'1|0|0|t|t', 'what cache_workers shows');
is(one_value($node, q{SELECT refreshes_queued, refreshes_unchanged FROM cache_namespace_stats WHERE namespace = 'w'}), '1|1', 'it loaded the value');

$node->safe_psql('postgres', q{SET allow_in_place_tablespaces = true; CREATE TABLESPACE elsewhere LOCATION ''});

# Databases, with a worker that is idle and with one that loads.
for my $long (0, 1)
{
	make_database('d');
	employ('d', $long);
	quickly('CREATE DATABASE copied TEMPLATE d');
	quickly('DROP DATABASE copied');
	quickly('DROP DATABASE d');
	make_database('d');
	employ('d', $long);
	quickly('ALTER DATABASE d RENAME TO e');
	quickly('DROP DATABASE e');
	make_database('d');
	employ('d', $long);
	quickly('DROP DATABASE d');
	make_database('d');
	employ('d', $long);
	quickly('ALTER DATABASE d SET TABLESPACE elsewhere');
	make_database('f');
	employ('f', $long);
	quickly('DROP EXTENSION cachepg CASCADE', 'f');
	if (!$long)
	{
		$node->safe_psql('f', "DROP TABLE t; DROP SEQUENCE nap, tick; DROP FUNCTION load; CREATE EXTENSION cachepg; $install");
		employ('f');
	}
	quickly('DROP DATABASE f');
	quickly('DROP DATABASE d');
}
is(one_value($node, q{SELECT count(*) FROM cache_workers WHERE database IS NULL}), 0, 'nobody is left behind');

# A role that asked is dropped, or loses a privilege, before its turn.
$node->append_conf('postgresql.conf', 'cachepg.refresh_workers = 1');
$node->reload;
ok(wait_until($node, q{SELECT current_setting('cachepg.refresh_workers') = '1'}), 'one worker');
$node->safe_psql('postgres', q{
	CREATE ROLE asks;
	CREATE ROLE loses;
	SELECT cache_namespace_grant('w', r, p) FROM unnest(ARRAY['asks', 'loses']) r, unnest(ARRAY['read', 'write', 'invalidate']) p;
	GRANT SELECT ON t, tick, nap TO asks, loses;
	SET ROLE asks;
	CREATE TEMP TABLE x ();
	DROP TABLE x;
});
for my $role ('asks', 'loses')
{
	$node->safe_psql('postgres', "SELECT setval('nap', 0)");
	$node->safe_psql('postgres', "SET ROLE $role; SELECT cache_fetch('w:$role', 'SELECT load()'); SELECT cache_expire('w:$role')");
}
employ('postgres', 1);
$node->safe_psql('postgres', "SET ROLE $_; SELECT cache_fetch('w:$_', 'SELECT load()')") for 'asks', 'loses';
is(one_value($node, 'SELECT queued FROM cache_workers'), 2, 'two requests wait');
quickly('DROP OWNED BY asks; DROP ROLE asks');
quickly('REVOKE SELECT ON t FROM loses');
my $worker = worker_pid('postgres');
$node->safe_psql('postgres', q{SELECT setval('nap', 0)});
is(one_value($node, "SELECT pg_cancel_backend($worker)"), 't', 'the load before them is cancelled');
ok(wait_until($node, q{SELECT NOT EXISTS (SELECT FROM cache_workers WHERE queued > 0 OR state <> 'idle')}), 'all are done with');
is(one_value($node, q{SELECT refreshes_unchanged FROM cache_namespace_stats WHERE namespace = 'w'}), 1, 'but none was loaded');
$node->safe_psql('postgres', 'DROP OWNED BY loses; DROP ROLE loses');

# Workers and the launcher are terminated.
employ('postgres', 1);
$worker = worker_pid('postgres');
is(one_value($node, "SELECT pg_terminate_backend($worker, 5000)"), 't', 'a worker is terminated while it loads');
employ('postgres');
isnt(worker_pid('postgres'), $worker, 'another one came');
my $launcher = one_value($node, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg launcher'});
is(one_value($node, "SELECT pg_terminate_backend($launcher, 5000)"), 't', 'the launcher is terminated');
$node->safe_psql('postgres', $fetch);
$node->safe_psql('postgres', q{SELECT setval('tick', 500)});
is(one_value($node, "SELECT cache_expire('w:k'); $fetch"), "t\n50001", 'meanwhile sessions load themselves');
ok(wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg launcher')}), 'there is another launcher');
$worker = worker_pid('postgres');
employ('postgres');

# A database that takes no connections.
make_database('closed');
my $inside = session($node);
run($inside, '\connect closed' . "\nSELECT 1");
quickly('ALTER DATABASE closed ALLOW_CONNECTIONS false');
is(run($inside, "$fetch SELECT cache_expire('w:k')"), "1\nt", 'a session in a database');
is(run($inside, $fetch), 1, 'the old value is served');
my $end = time() + 4;
run($inside, $fetch . 'SELECT pg_sleep(0.1)') while time() < $end;
cmp_ok(lines('database "closed" is not currently accepting connections'), '<=', 1, 'one line in the log says that no worker can connect');
is(run($inside, q{SELECT setval('tick', 7)} . ";SELECT cache_fetch('w:new', 'SELECT load()'); SELECT cache_expire('w:new')"), "7\n701\nt", 'a value');
is(run($inside, q{SELECT setval('tick', 8)} . "; SELECT cache_fetch('w:new', 'SELECT load()')"), "8\n801", 'sessions load themselves');
employ('postgres');
close_session($inside);
quickly('DROP DATABASE closed');

# Ten seconds without work.
employ('postgres');
ok(wait_until($node, 'SELECT count(*) = 0 FROM cache_workers'), 'idle workers leave');

# A worker is killed: the server restarts itself.
employ('postgres', 1);
ok(crash_restart($node, worker_pid('postgres')), 'a worker is killed, the server comes back');
is(one_value($node, 'SELECT count(*) FROM cache_entries'), 0, 'the cache is empty');
is(one_value($node, 'SELECT count(*) FROM cache_workers'), 0, 'no worker');
ok(wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg launcher')}), 'a launcher');
employ('postgres');
check_store($node);
cmp_ok(lines('cachepg refresher'), '<', 40, 'the log is not flooded');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal (?!9)/, 'nothing died but what was killed');
$node->stop;

# No worker can be started: janitor, dumper, launcher and that of replication are all.
$node = new_cluster('few', 'max_worker_processes' => 4);
$node->safe_psql('postgres', $install);
$node->safe_psql('postgres', q{SELECT cache_namespace_alter('w', load_timeout => '1 s')});
$node->safe_psql('postgres', "$fetch SELECT cache_expire('w:k'); SELECT setval('tick', 9)");
is(one_value($node, $fetch), 1, 'the old value');
ok(wait_until($node, q{SELECT cache_fetch('w:k', 'SELECT load()') = '901'}), 'then a session loads itself');
$node->safe_psql('postgres', "SELECT cache_expire('w:k'); SELECT setval('tick', 10)");
is(one_value($node, $fetch), 1001, 'and so the next time');
is(lines('cachepg could not start a background worker'), 1, 'one line in the log');
check_store($node);
$node->stop;
done_testing();
