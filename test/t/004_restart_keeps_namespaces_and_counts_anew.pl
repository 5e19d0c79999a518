# A restart keeps namespaces, limits, privileges and what was set, and counts
# anew; after an immediate stop or a crash the cache is empty. Stopping never
# waits for the cache, and the janitor comes back when it dies.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $janitor = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg janitor'};

my $node = new_cluster('restart');
$node->safe_psql('postgres', q{
	CREATE ROLE reader;
	SELECT cache_namespace_create('kept', ttl => '7 min', max_entries => 2, scope => 'shared');
	SELECT cache_namespace_grant('kept', 'reader', 'read');
	SELECT cache_set('kept:' || i, i), cache_set('plain' || i, i) FROM generate_series(1, 3) i});

# check_after_start(HOW, WARM [, LOG POSITION]): WARM tells whether the entries are there.
sub check_after_start
{
	my ($how, $warm, $from) = @_;

	$node->wait_for_log(qr/loaded \d+ of \d+ dumped cache entries/, $from) if $warm;
	is(one_value($node, q{SELECT CASE entries WHEN 0 THEN 'no' ELSE 'some' END || ' entries, ' || hits || ' hits, ' || sets || ' sets' FROM cache_stats}),
		($warm ? 'some' : 'no') . ' entries, 0 hits, 0 sets', "$how: counters at zero");
	is(one_value($node, q{SELECT cache_get('kept:1', 0), cache_get('plain1', 0)}), $warm ? '0|1' : '0|0',
		$warm ? "$how: entries are there" : "$how: entries are gone");
	is( one_value($node, q{SELECT ttl, max_entries, scope FROM cache_namespaces WHERE name = 'kept'}),
		'00:07:00|2|shared', "$how: the namespace is there");
	is(one_value($node, q{SET ROLE reader; SELECT privileges FROM cache_namespaces}), '{read}', "$how: its grant is there");
	$node->safe_psql('postgres', q{SELECT cache_set('kept:' || i, i), cache_set('plain' || i, i) FROM generate_series(1, 3) i});
	is(one_value($node, q{SET ROLE reader; SELECT cache_get('kept:1', 0), cache_get('kept:2', 0), cache_get('kept:3', 0)}),
		'0|2|3', "$how: limit and grant are in force");
	ok(defined wait_until($node, "SELECT EXISTS ($janitor)"), "$how: the janitor is there");
	check_store($node);
	return;
}

my $start = -s $node->logfile;
$node->restart;
check_after_start('restart', 1, $start);

# A janitor that is told to go or dies with an error comes back after its
# restart time; what it does not do meanwhile is not missed.
my $pid = one_value($node, $janitor);
is(one_value($node, "SELECT pg_terminate_backend($pid)"), 't', 'the janitor can be terminated');
ok(defined wait_until($node, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)"), 'it goes at once');
is(one_value($node, q{SELECT cache_set('a', 1); SELECT cache_get('a', 0)}), "\n1", 'the cache works without it');
ok(defined wait_until($node, "SELECT EXISTS ($janitor)"), 'it is started again');

ok(crash_restart($node, one_value($node, $janitor)), 'SIGKILL of the janitor: the server restarts itself');
check_after_start('janitor killed', 0);

# Stops while 8 sessions are busy.
my $busy = q{SELECT cache_set('busy' || i % 1000, repeat('x', 1 + i % 5000)), cache_get('busy' || i, '')
	FROM generate_series(1, 10000) i;
};
for my $mode ('fast', 'immediate')
{
	my $load = start_load($node, 600, 8, $busy => 1);

	ok(defined wait_until($node, q{SELECT sets > 20000 FROM cache_stats}), "$mode: the server is busy");
	$node->safe_psql('postgres', q{SELECT cache_set('plain1', 1)});
	$start = -s $node->logfile;
	my $began = Time::HiRes::time();
	$node->stop($mode);
	cmp_ok(Time::HiRes::time() - $began, '<', 20, "$mode: stops while busy");
	my ($status) = finish_load($load);
	isnt($status, 0, "$mode: the load was cut off");
	$node->start;
	check_after_start("stop -m $mode", $mode eq 'fast', $start);
}
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal (?!9)/, 'nothing else died');
done_testing();
