# A server is stopped while sessions set and invalidate: after the restart no
# value is served whose invalidation somebody was told of.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($rounds, $clients) = (6, 12);
my $node = new_cluster('stops', 'max_prepared_transactions' => 20);
my $loaded = qr/loaded (\d+) of (\d+) dumped cache entries in/;
my $kept = 0;

# What client n does over and over: it sets its key to i, then invalidates it,
# and each is printed after its commit.
sub work
{
	my ($round, $n) = @_;
	my $key = "r$round-$n";
	my @how = (
		"SELECT cache_invalidate('$key'), 'gone %d'",
		"SELECT cache_invalidate_tag('$key'), 'gone %d'",
		"SELECT cache_delete('$key'), 'gone %d'",
		"BEGIN; SELECT cache_invalidate('$key'); COMMIT; SELECT 'gone %d'");

	return join('', map {
			sprintf("SELECT cache_set('%s', %d, tags => ARRAY['%s']), 'set %d';\n%s;\n", $key, $_, $key, $_,
				sprintf($how[ $n % @how ], $_))
		} 1 .. 20000);
}

for my $round (1 .. $rounds)
{
	my @texts = map { work($round, $_) } 1 .. $clients;
	my @runs = start_psql($node, @texts);
	my $mode = $round % 3 == 0 ? 'smart' : 'fast';

	ok( defined wait_until($node, qq{
		SELECT sum(sets) > 2000 FROM cache_namespaces}), "round $round: the sessions are busy");
	if ($mode eq 'smart')
	{
		# a smart shutdown waits for the sessions
		Time::HiRes::usleep(50_000);
		$_->{run}->signal('TERM') for @runs;
	}
	my $from = -s $node->logfile;
	$node->stop($mode);
	my @results = finish_psql(@runs);
	$node->start;
	$node->wait_for_log($loaded, $from);
	$kept += (slurp_file($node->logfile, $from) =~ $loaded)[0];

	my @stale;
	for my $n (1 .. $clients)
	{
		my ($gone) = (0, $results[ $n - 1 ][1] =~ /gone (\d+)/g)[-1];
		my $value = one_value($node, "SELECT cache_get('r$round-$n', 0)");

		push @stale, "client $n: $value, invalidated at $gone" if $value != 0 && $value <= $gone;
	}
	is(join("\n", @stale), '', "round $round: stop -m $mode: no invalidated value is served");
	check_store($node);
}
cmp_ok($kept, '>', 0, 'some values were kept');

# What sessions do while the dump is being loaded wins. The load has so much to
# do that some of these come before their keys and some after.
$node->append_conf('postgresql.conf', "cachepg.memory = '256MB'");
$node->restart;
$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('bulk', scope => 'shared'), cache_namespace_create('clear', scope => 'shared');
	SELECT count(cache_set('bulk:' || i, i, tags => ARRAY['n' || i % 100])) FROM generate_series(1, 300000) i;
	SELECT count(cache_set('clear:' || i, i)) FROM generate_series(1, 1000) i});
my $from = -s $node->logfile;
$node->restart;
my @gone = map { 100 * $_ + 1 } 0 .. 2999;
my @set = map { 100 * $_ + 2 } 0 .. 2999;
my @first = finish_psql(start_psql($node,
		join('', map { "SELECT cache_invalidate('bulk:$_');\n" } @gone),
		join('', map { "SELECT cache_set('bulk:$_', -$_);\n" } @set),
		q{SELECT cache_invalidate_tag('n3'); SELECT cache_clear('clear'); BEGIN; SELECT cache_invalidate('bulk:4'); ROLLBACK}));
is(join('', map { $_->[2] } @first), '', 'sessions work while the dump is loaded');
$node->wait_for_log($loaded, $from);
is(one_value($node, q{SELECT count(*) FROM generate_series(1, 300000, 100) i WHERE cache_exists('bulk:' || i)}), '0', 'what they invalidated does not come back');
is(one_value($node, q{SELECT count(*) FROM generate_series(2, 300000, 100) i WHERE cache_get('bulk:' || i, 0) <> -i}), '0', 'what they set is not replaced');
is(one_value($node, q{SELECT count(*) FROM generate_series(3, 300000, 100) i WHERE cache_exists('bulk:' || i)}), '0', 'a tag');
is(one_value($node, q{SELECT count(*) FROM generate_series(1, 1000) i WHERE cache_exists('clear:' || i)}), '0', 'a namespace');
is(one_value($node, q{SELECT count(*) FROM generate_series(4, 300000, 10) i WHERE cache_get('bulk:' || i, i) <> i}), '0', 'no other value is wrong');
# keys share cells
cmp_ok(one_value($node, q{SELECT count(*) FROM generate_series(4, 300000, 10) i WHERE cache_exists('bulk:' || i)}), '>', 25000, 'most of them are there');
check_store($node);

# The fences of prepared transactions do not outlive a restart, nor does what
# they invalidate.
$node->safe_psql('postgres', q{
	SELECT cache_set('a', 1), cache_set('b', 1, tags => '{p}'), cache_set('c', 1);
	BEGIN; SELECT cache_invalidate('a'), cache_invalidate_tag('p'); CREATE TABLE x (); PREPARE TRANSACTION 'p'});
$node->restart;
is(one_value($node, q{COMMIT PREPARED 'p'; SELECT cache_get('a', 0), cache_get('b', 0)}), '0|0', 'what a prepared transaction invalidated stays away');
ok(defined wait_until($node, q{SELECT cache_get('c', 0) = 1}), 'other values are there');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal|is ignored/, 'nothing went wrong');
done_testing();
