# What is invalidated while the server shuts down is not in the dump, or the
# invalidation fails: a commit whose fences are up, and a session that outlives
# the dump, as those of walsenders do.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('behind', '-streaming' => 1);
my $settled = qr/loaded \d+ of \d+ dumped cache entries in|cache dump .* is ignored: transactions have written since/;

sub begin_stop
{
	$node->command_ok([ 'pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-W', 'stop' ], 'the stop begins');
	return;
}

sub end_stop
{
	# it may be down already
	$node->stop('fast', fail_ok => 1);
	my $from = -s $node->logfile;
	$node->start;
	$node->wait_for_log($settled, $from);
	return;
}

# What becomes of an invalidation after the dump has been written; and what is
# there after the restart.
sub invalidate_late
{
	my ($sql) = @_;
	my $session = session($node, 'replication=database');

	$node->safe_psql('postgres', q{SELECT cache_set('k', 1, tags => '{x}'), cache_set('other', 1)});
	arm($node, 'dump-written', 'wait');
	begin_stop();
	is(run($session, q{SELECT cachepg_fault_await('dump-written')}), 't', 'the dump has been written');
	my $said = run($session, $sql);
	run($session, q{SELECT cachepg_fault_disarm('dump-written')});
	close_session($session);
	end_stop();
	return ($said, one_value($node, q{SELECT cache_get('k', 0), cache_get('other', 0)}));
}

for my $sql (q{SELECT cache_invalidate('k')}, q{SELECT cache_invalidate_tag('x')}, q{SELECT cache_clear()},
	q{SELECT cache_set('k', 2)}, q{BEGIN; SELECT cache_delete('k'); COMMIT})
{
	my ($said, $got) = invalidate_late($sql);

	like($said, qr/ERROR:  cannot change the cache while the server is shutting down/, "$sql: fails");
	is($got, '1|1', "$sql: the value is still right");
}

# Which takes a transaction ID: then the whole dump is given up.
my ($said, $got) = invalidate_late(q{BEGIN; SELECT cache_delete('k'); PREPARE TRANSACTION 'p'});
like($said, qr/ERROR:  cannot change the cache while the server is shutting down/, 'PREPARE TRANSACTION: fails');
is($got, '0|0', 'PREPARE TRANSACTION: the dump is not used');

# Without the seal it would be done, and come to nothing.
arm($node, 'seal', 'skip');
($said, $got) = invalidate_late(q{SELECT cache_invalidate('k')});
unlike($said, qr/ERROR/, 'without the seal an invalidation is accepted');
is($got, '1|1', 'without the seal an invalidated value comes back');

# A commit that stands between its record and its end when the dump is written.
# The dumper would wait for it; even if it did not, the fences tell.
$node->safe_psql('postgres', q{SELECT cache_set('k', 1, tags => '{x}'), cache_set('other', 1)});
my $writer = session($node);
my $walsender = session($node, 'replication=database');
arm($node, 'dump-wait', 'skip');
arm($node, 'dump-written', 'wait');
stops($writer, q{SELECT cache_invalidate('k')}, 'commit-visible');
begin_stop();
is(run($walsender, q{SELECT cachepg_fault_await('dump-written')}), 't', 'the dump has been written');
run($walsender, q{SELECT cachepg_fault_disarm('commit-visible'), cachepg_fault_disarm('dump-written')});
close_session($walsender);
end_stop();
is(one_value($node, q{SELECT cache_get('k', 0), cache_get('other', 0)}), '0|1', 'what has fences up is not dumped');
check_store($node);
done_testing();
