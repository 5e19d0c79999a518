# kill -9 of a session under load: the server restarts itself with an empty,
# sound cache, and so again and again.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = 5;

my $node = new_cluster('crash');
$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('small', max_entries => 100);
	CREATE TABLE ledger (round int PRIMARY KEY)});

my $writer = q{
\set k random(1, 2000)
\set n random(1, 100000)
SELECT cache_set('k' || :k, repeat('x', :n)), cache_set('small:' || :k, :k), cache_incr('n' || :k);
};
my $reader = q{
\set k random(1, 2000)
SELECT cache_get('k' || :k, ''), cache_get('small:' || :k, 0), cache_fetch('f' || :k, 'SELECT $1 * 2', ROW(:k));
};

for my $round (1 .. $rounds)
{
	$node->safe_psql('postgres', "INSERT INTO ledger VALUES ($round); SELECT cache_set('round$round', $round)");
	my $load = start_load($node, 600, 8, $writer => 2, $reader => 1);
	ok(defined wait_until($node, q{SELECT sets > 4000 FROM cache_stats}), "round $round: the server is busy");

	# a session at work, so that some rounds hit it inside the cache
	my $victim = one_value($node,
		q{SELECT pid FROM pg_stat_activity WHERE application_name = 'load' ORDER BY state = 'active' DESC LIMIT 1});
	ok(crash_restart($node, $victim), "round $round: the server came back");
	my ($status) = finish_load($load);
	isnt($status, 0, "round $round: all sessions were cut off");

	is(one_value($node, 'SELECT count(*) FROM cache_entries'), '0', "round $round: empty");
	is(one_value($node, 'SELECT max(round) FROM ledger'), $round, "round $round: tables are as committed");
	is(one_value($node, "SELECT cache_exists('round$round')"), 'f', "round $round: nothing comes back");
	is(one_value($node, q{SELECT max_entries FROM cache_namespaces WHERE name = 'small'}), '100',
		"round $round: namespaces are there");
	ok( defined wait_until($node, q{
		SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg janitor')}),
		"round $round: the janitor is back");
	check_store($node);
}
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal (?!9)/, 'nothing died but what was killed');
done_testing();
