# What a prepared transaction invalidates is not served between PREPARE and the
# moment when somebody has seen that it ended.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

# the janitor would lower fences before the test looks
my $node = race_cluster('prepared', 'cachepg.janitor_interval' => '60s', 'max_prepared_transactions' => 4);
my $writer = session($node);
my $other = session($node);
my $reader = session($node);
my $fetch = q{SELECT cache_fetch('k', 'SELECT v FROM t WHERE id = 1', tags => '{x}')};
my $state = q{SELECT (cache_entry('k')).state};

sub fresh
{
	run($writer, 'TRUNCATE t; INSERT INTO t VALUES (1, 1); SELECT cache_clear()');
	run($reader, $fetch);
	run($reader, q{SELECT cache_set('plain', 1, tags => '{x}')});
	return;
}

my $prepare = q{BEGIN; UPDATE t SET v = 2; SELECT cache_delete('plain'); PREPARE TRANSACTION 'p'};

# Each step of preparing, and of ending it: the reader meanwhile.
for my $point (qw(preprepare-fenced prepare-marked prepare-handed-over))
{
	fresh();
	stops($writer, $prepare, $point);
	is(run($reader, $fetch), 1, "$point: read from the table");
	isnt(run($reader, $state), 'fresh', "$point: and not kept");
	is(run($reader, q{SELECT cache_get('plain')}), '', "$point: the deleted key is not served");
	resume($writer, $point);
	is(run($reader, $fetch), 1, "$point: the same when it is prepared");
	isnt(run($reader, $state), 'fresh', "$point: still not kept");
	run($other, q{SELECT cache_set('plain', 3)});
	is(run($reader, q{SELECT cache_get('plain')}), '', "$point: what others set meanwhile is not published");
	run($other, q{COMMIT PREPARED 'p'});
	is(run($reader, $fetch), 2, "$point: the commit is seen");
	is(run($reader, $state), 'fresh', "$point: and kept");
}

# Between visibility and the lowering of the fences a reader lowers them himself.
sub ended_elsewhere
{
	fresh();
	run($writer, $prepare);
	my @got = run($reader, $fetch);
	stops($other, q{COMMIT PREPARED 'p'}, 'resolve-found');
	push @got, run($reader, $fetch), run($reader, $fetch), run($reader, $state);
	resume($other, 'resolve-found');
	push @got, run($reader, $fetch), run($reader, $state);
	return \@got;
}
is_deeply(ended_elsewhere(), [ 1, 2, 2, 'fresh', 2, 'fresh' ], 'a commit that nobody has noticed yet is seen');

# Without slots the fences come down with PREPARE.
sub prepared_and_committed
{
	fresh();
	run($writer, $prepare);
	run($reader, $fetch);
	run($other, q{COMMIT PREPARED 'p'});
	return run($reader, $fetch);
}
is(prepared_and_committed(), 2, 'a prepared transaction that commits is seen');
is(without($node, 'twophase-slots', \&prepared_and_committed), 1, 'control: without slots it is not');

fresh();
run($writer, $prepare);
run($other, q{ROLLBACK PREPARED 'p'});
is(run($reader, "$fetch; $fetch"), "1\n1", 'rolled back: as before');
is(run($reader, $state), 'fresh', 'rolled back: kept');

# What it makes stale or gives another life it invalidates: nothing of it is
# lost.
my %soft = (
	expire => q{SELECT cache_expire('plain')},
	expire_tag => q{SELECT cache_expire_tag('x')},
	touch => q{SELECT cache_touch('plain', '1 ms')},
	set => q{SELECT cache_set('plain', 9)});
for my $what (sort keys %soft)
{
	fresh();
	run($writer, "BEGIN; $soft{$what}; PREPARE TRANSACTION 'p'");
	run($other, q{COMMIT PREPARED 'p'});
	isnt(run($reader, q{SELECT (cache_entry('plain')).state}), 'fresh', "$what in a prepared transaction is not lost");
	run($reader, q{SELECT cache_set('plain', 5)});
	is(run($reader, q{SELECT cache_get('plain')}), 5, "$what: the fence is down");
}

# An error or the end of the process while it is being prepared.
for my $point (qw(preprepare-begun preprepare-reserved preprepare-fenced))
{
	fresh();
	arm($node, $point, 'error', $writer);
	like(run($writer, $prepare), qr/injected error/, "an error at $point");
	disarm($node, $point);
	is(run($reader, "$fetch; $fetch; $state"), "1\n1\nfresh", "after an error at $point: the fences are down");

	my $victim = session($node);
	stops($victim, $prepare, $point);
	run($reader, 'SELECT pg_terminate_backend(' . pid_of($victim) . ')');
	wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($victim));
	disarm($node, $point);
	is(run($reader, "$fetch; $fetch; $state"), "1\n1\nfresh", "after a termination at $point, too");
}

# Slots are as many as prepared transactions, whatever became of those before.
for my $round (1, 2)
{
	run($writer, "BEGIN; INSERT INTO t VALUES (10 + $_, 0); PREPARE TRANSACTION 'p$_'") for 1 .. 4;
	like(run($writer, q{BEGIN; SELECT cache_delete('plain'); PREPARE TRANSACTION 'p5'}), qr/ERROR/, "round $round: one too many");
	run($other, "ROLLBACK PREPARED 'p$_'") for 1 .. 4;
}

# More tables than a slot has room for: the database stands for all.
fresh();
run($writer, "CREATE TABLE many_$_ (id integer)") for 1 .. 70;
run($reader, $fetch);
run($writer, join('; ', 'BEGIN', (map { "INSERT INTO many_$_ VALUES (1)" } 1 .. 70), 'UPDATE t SET v = 2', q{PREPARE TRANSACTION 'p'}));
is(run($reader, "$fetch; $fetch"), "1\n1", 'many tables: read from the table');
isnt(run($reader, $state), 'fresh', 'many tables: not kept');
run($other, q{COMMIT PREPARED 'p'});
is(run($reader, "$fetch; $state"), "2\nfresh", 'many tables: the commit is seen');

# What another extension's callback adds after our PRE_PREPARE.
$node->safe_psql('postgres', q{CREATE FUNCTION cachepg_fault_late() RETURNS void LANGUAGE sql AS
	$$SELECT cache_delete('late'), cache_invalidate_tag('y'), cache_set('late', 1)$$});
for my $sql ('SELECT 1', q{SELECT cache_delete('other')})
{
	run($reader, q{SELECT cache_set('late', 1, tags => '{y}'), cache_set('tagged', 1, tags => '{y}')});
	arm($node, 'late-write', 'skip', $writer);
	run($writer, "BEGIN; $sql; PREPARE TRANSACTION 'p'");
	disarm($node, 'late-write');
	is(run($reader, q{SELECT cache_get('late'); SELECT cache_get('tagged')}), "\n", "late writes are fenced ($sql)");
	run($other, q{COMMIT PREPARED 'p'});
	is(run($reader, q{SELECT cache_get('late'); SELECT cache_get('tagged')}), "\n", "and stay invalidated ($sql)");
	run($reader, q{SELECT cache_set('late', 2, tags => '{y}')});
	is(run($reader, q{SELECT cache_get('late')}), 2, "and their fences are down ($sql)");
}

check_store($node);
close_session($writer, $other, $reader);
$node->stop;
done_testing();
