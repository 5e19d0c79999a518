# Two-phase commit: from PREPARE until the end of the transaction, whoever ends
# it, nobody reads what it invalidates.  After a crash, when nobody knows what
# prepared transactions invalidate, their database is not served at all.
# Scenario: BEGIN; invalidate; PREPARE; crash; COMMIT PREPARED.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use Test::More;

my $slots = 5;
my $node = new_cluster('twophase', max_prepared_transactions => $slots,
	# what is not valid stays to be looked at; so many cells that no two tables share one
	'cachepg.janitor_interval' => '1h', 'cachepg.memory' => '512MB');
$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('p', ttl => '1 hour'), cache_namespace_create('lax', ttl => '1 hour', consistency => 'ttl');
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	CREATE TABLE o (v int);
	CREATE ROLE app;
	CREATE DATABASE other});
$node->safe_psql('other', 'CREATE EXTENSION cachepg; CREATE TABLE t (v int)');

my $fetch_t = q{SELECT cache_fetch('p:t', 'SELECT sum(v) FROM t')};
my $fetch_o = q{SELECT cache_fetch('p:o', 'SELECT count(*) FROM o')};
my $states = q{SELECT string_agg(k || ':' || coalesce((cache_entry('p:' || k)).why, 'fresh'), ' ' ORDER BY k)
	FROM unnest('{t,o,set,tagged,other}'::text[]) k};

sub fill
{
	$node->safe_psql('postgres', qq{$fetch_t; $fetch_o;
		SELECT cache_set('p:set', 'old'), cache_set('p:tagged', 1, tags => ARRAY['p:tag']), cache_set('p:other', 1)});
	is(one_value($node, $states), 'o:fresh other:fresh set:fresh t:fresh tagged:fresh', 'all is cached');
	return;
}

sub prepare
{
	my ($name, $sql) = @_;

	$node->safe_psql('postgres', "BEGIN; $sql; PREPARE TRANSACTION '$name'");
	return;
}

my $writes = q{INSERT INTO t VALUES (10); SELECT cache_set('p:set', 'new'), cache_invalidate_tag('p:tag')};

for my $end ('COMMIT', 'ROLLBACK')
{
	fill();
	my $before = one_value($node, 'SELECT sum(v) FROM t');
	prepare('one', $writes);
	is(one_value($node, $states), 'o:fresh other:fresh set:invalidated_key t:commit_pending tagged:commit_pending',
		"$end: what it writes is not read while it is prepared, the rest is");
	is(one_value($node, $fetch_t), $before, "$end: a fetch gives what is committed");
	like(one_value($node, $states), qr/ t:commit_pending /, "$end: and is not kept");
	is(one_value($node, q{SELECT count(*) FROM pg_locks l JOIN pg_prepared_xacts x ON l.virtualtransaction = '-1/' || x.transaction
		WHERE locktype = 'advisory'}), '0', "$end: it holds no lock of the cache");
	$node->safe_psql('postgres', q{SELECT cache_set('p:set', 'meanwhile')});
	isnt(one_value($node, q{SELECT cache_get('p:set', 'none')}), 'new', "$end: its set is not there");
	$node->safe_psql('postgres', "$end PREPARED 'one'");
	unlike(one_value($node, $states), qr/commit_pending/, "$end: afterwards no fence is left");
	is(one_value($node, $fetch_t), $before + ($end eq 'COMMIT' ? 10 : 0), "$end: a fetch gives what is committed now");
	is(one_value($node, q{SELECT cache_get('p:set', 'none')}), 'none', "$end: the set is left invalid");
	fill();
}

# What a query has loaded before does not come back in place of the set.
$node->safe_psql('postgres', q{SELECT cache_fetch('p:set', 'SELECT 1')});
prepare('loaded', q{SELECT cache_set('p:set', 2)});
is(one_value($node, q{SELECT cache_get('p:set', 'none')}), 'none', 'a set that is prepared leaves nothing older');
$node->safe_psql('postgres', q{COMMIT PREPARED 'loaded'});
is(one_value($node, q{SELECT cache_get('p:set', 'none')}), 'none', 'nor does its commit');
fill();

# What a counter is then is not known until the end: no sum is made up.
$node->safe_psql('postgres', q{SELECT cache_incr('p:n', 1000)});
prepare('counter', q{SELECT cache_set('p:n', 5::bigint)});
fails_with($node, q{SELECT cache_incr('p:n')}, '55P03', qr/could not change a cached counter/, 'a counter that a prepared transaction sets');
my ($incr) = start_psql($node, q{SELECT cache_incr('p:n', 7)});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'counter'});
is((finish_psql($incr))[0][1], "7\n", 'it begins anew');
is(one_value($node, q{SELECT cache_incr('p:n')}), '8', 'and counts');

# A savepoint that was rolled back is no part of it.
prepare('savepoint', q{INSERT INTO o VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (10); ROLLBACK TO s});
is(one_value($node, $states), 'o:commit_pending other:fresh set:fresh t:fresh tagged:fresh', 'what a savepoint undid is not fenced');
$node->safe_psql('postgres', q{COMMIT PREPARED 'savepoint'});
fill();

# More cells than a slot has: the database is fenced.
prepare('many', q{SELECT count(cache_invalidate_tag('p:tag' || i)) FROM generate_series(1, 100) i});
is(one_value($node, $states), join(' ', map { "$_:commit_pending" } qw(o other set t tagged)), 'beyond the room of a slot all is fenced');
is(one_value($node, $fetch_t), one_value($node, 'SELECT sum(v) FROM t'), 'fetches go on');
$node->safe_psql('other', q{SELECT cache_fetch('t', 'SELECT count(*) FROM t')});
is(one_value($node, q{SELECT cache_exists('t')}, 'other'), 't', 'other databases do not mind');
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'many'});
fill();

# Privileges and schema.
prepare('grant', 'GRANT pg_monitor TO app');
like(one_value($node, $states), qr/o:commit_pending other:fresh set:fresh t:commit_pending tagged:fresh/, 'memberships concern what was loaded');
$node->safe_psql('postgres', q{COMMIT PREPARED 'grant'});
fill();
prepare('ddl', 'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$');
like(one_value($node, $states), qr/o:commit_pending other:fresh set:fresh t:commit_pending tagged:fresh/, 'so do functions');
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'ddl'});
fill();

# All slots at once, again and again.
for my $round (1 .. 3)
{
	prepare("slot$_", "SELECT cache_delete('p:slot$_'); INSERT INTO o VALUES ($_)") for (1 .. $slots);
	fails_with($node, q{BEGIN; INSERT INTO o VALUES (0); SELECT cache_delete('p:set'); PREPARE TRANSACTION 'onemore'}, '(?:53400|53200|54000|55000)',
		qr/prepared transactions/, "round $round: no slot is left");
	like(one_value($node, $states), qr/set:fresh/, "round $round: what failed has lowered its fences");
	$node->safe_psql('postgres', ($_ % 2 ? 'COMMIT' : 'ROLLBACK') . " PREPARED 'slot$_'") for (1 .. $slots);
	$node->safe_psql('postgres', $fetch_o);
	like(one_value($node, $states), qr/o:fresh/, "round $round: all have lowered theirs");
}

# A transaction that cannot be prepared.
$node->psql('postgres', q{BEGIN; CREATE TEMP TABLE x (a int); INSERT INTO t VALUES (1); SELECT cache_delete('p:set'); PREPARE TRANSACTION 'no'});
# an abort that comes so late bumps what is fenced
is(one_value($node, $states), 'o:fresh other:fresh set:fresh t:invalidated_table tagged:fresh', 'a failed PREPARE leaves no fence');
fill();
check_store($node);

# Crash and restart with one pending: it has no fence any more.
for my $how ('immediate', 'fast')
{
	my $before = one_value($node, 'SELECT sum(v) FROM t');
	prepare('pending', $writes);
	$node->stop($how);
	$node->start;
	is(one_value($node, $fetch_t), $before, "$how: a fetch gives what is committed");
	is(one_value($node, "$fetch_t; $fetch_t; SELECT cache_exists('p:t'), (cache_entry('p:t')).why"), "$before\n$before\nf|commit_pending", "$how: but is not kept");
	$node->safe_psql('postgres', q{SELECT cache_set('p:set', 'meanwhile')});
	is(one_value($node, q{SELECT cache_get('p:set', 'none')}), 'none', "$how: nor is a set");
	is(one_value($node, q{SELECT cache_fetch('lax:o', 'SELECT count(*) > 0 FROM o'); SELECT cache_exists('lax:o')}), "true\nt", "$how: namespaces with consistency ttl work");
	is(one_value($node, q{SELECT cache_fetch('t', 'SELECT count(*) FROM t'); SELECT cache_exists('t')}, 'other'), "0\nt", "$how: other databases too");
	$node->safe_psql('postgres', q{COMMIT PREPARED 'pending'});
	ok(defined wait_until($node, qq{$fetch_t IS NOT NULL AND cache_exists('p:t')}), "$how: after its end the database is served");
	is(one_value($node, $fetch_t), $before + 10, "$how: with what it committed");
	is(one_value($node, q{SELECT cache_get('p:set', 'none')}), 'none', "$how: no set of before comes up");
	fill();
}
check_store($node);
$node->stop;
done_testing();
