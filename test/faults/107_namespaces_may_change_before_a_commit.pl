# Between a change of the cache and its commit a namespace may be made, dropped,
# made anew or limited, so that the key belongs elsewhere, or its number to
# somebody else, also in another database.  What was set is published nowhere, and
# what was invalidated is gone wherever it is.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('astray', 'cachepg.memory' => '128MB', 'cachepg.max_namespaces' => 8);
$node->safe_psql('postgres', q{
	CREATE ROLE writer;
	CREATE DATABASE other});
$node->safe_psql('other', 'CREATE EXTENSION cachepg');
my $s = session($node);

# Numbers are given again at once if there are no others.
sub without_free_numbers
{
	my ($code) = @_;

	$node->safe_psql('postgres', q{
		SELECT cache_namespace_create('filler' || i) FROM generate_series(1, 8) i;
		SELECT cache_set('p:1', 1), cache_set('default:1', 1);
		SELECT cache_set('filler' || i || ':1', 1) FROM generate_series(1, 8) i});
	my $result = $code->();
	$node->safe_psql('postgres', q{SELECT cache_namespace_drop('filler' || i) FROM generate_series(1, 8) i});
	return $result;
}

# A shared namespace p that the role may write, and its change in a transaction.
sub begin
{
	my ($change) = @_;

	$node->safe_psql('postgres', q{
		SELECT cache_namespace_drop(name) FROM cache_namespaces WHERE name IN ('p', 'z');
		SELECT cache_namespace_create('p', scope => 'shared');
		SELECT cache_namespace_grant('p', 'writer', 'write');
		SELECT cache_set('p:other', 1)});
	run($s, 'RESET ROLE');
	run($s, 'SET ROLE writer') if $change =~ /evil/;
	return run($s, "BEGIN; $change");
}

sub set_in_new_namespace
{
	return without_free_numbers(sub {
		begin(q{SELECT cache_set('p:1', 'evil'::text)});
		$node->safe_psql('postgres', q{
			SELECT cache_namespace_drop('p'); SELECT cache_namespace_create('p', scope => 'shared');
			SELECT cache_set('p:1', 'mine'::text)});
		run($s, 'COMMIT');
		return one_value($node, q{SELECT cache_get('p:1', 'nothing')});
	});
}

sub set_in_another_database
{
	return without_free_numbers(sub {
		begin(q{SELECT cache_set('p:1', 'evil'::text)});
		$node->safe_psql('postgres', q{SELECT cache_namespace_drop('p')});
		$node->safe_psql('other', q{SELECT cache_namespace_create('p', scope => 'shared'); SELECT cache_set('p:2', 1)});
		run($s, 'COMMIT');
		my $found = one_value($node, q{SELECT cache_get('p:1', 'nothing')}, 'other');
		$node->safe_psql('other', q{SELECT cache_namespace_drop('p')});
		$node->safe_psql('postgres', q{SELECT cache_namespace_create('p')});
		return $found;
	});
}

# What becomes of values that were set, by somebody else, after a namespace changed.
sub left_over
{
	my ($change, $ddl, $keys) = @_;

	begin($change);
	$node->safe_psql('postgres', $ddl);
	$node->safe_psql('postgres', "SELECT cache_set(k, 'old'::text) FROM $keys v (k)");
	run($s, 'COMMIT');
	return one_value($node, "SELECT count(*) FROM $keys v (k) WHERE cache_get(k, '') = 'old'");
}
my $many = q{(SELECT 'p:' || i FROM generate_series(1, 20) i)};
my %one = map { $_ => "(VALUES ('$_'))" } qw(p:1 z:1);
my @cases = (
	[ 'a key, then a limit', "SELECT cache_invalidate(k) FROM $many v (k)", q{SELECT cache_namespace_alter('p', max_entries => 100)}, $many ],
	[ 'a key, then a namespace for it', q{SELECT cache_invalidate('z:1')}, q{SELECT cache_namespace_create('z')}, $one{'z:1'} ],
	[ 'a key, then its namespace made anew', q{SELECT cache_invalidate('p:1')},
		q{SELECT cache_namespace_drop('p'); SELECT cache_namespace_create('p')}, $one{'p:1'} ],
	[ 'a key, then its namespace dropped', q{SELECT cache_invalidate('p:1')}, q{SELECT cache_namespace_drop('p')}, $one{'p:1'} ],
	[ 'all of a namespace, then that made anew', q{SELECT cache_clear('p')},
		q{SELECT cache_namespace_drop('p'); SELECT cache_namespace_create('p')}, $one{'p:1'} ]);

is(set_in_new_namespace(), 'nothing', 'a set is not published in a namespace that was made anew, what it replaces is gone');
is(set_in_another_database(), 'nothing', 'nor in that of another database that got the number');
is(left_over(@$_[1 .. 3]), 0, "invalidated: $_->[0]") for @cases;
is(one_value($node, q{SELECT cache_set('p:3', 1); SELECT cache_get('p:3', 0)}), "\n1", 'afterwards all is as ever');
is(run($s, q{BEGIN; SELECT cache_set('p:4', 4); COMMIT; SELECT cache_get('p:4', 0)}), "\n4", 'in this session, too');

without($node, 'astray', sub {
	is(set_in_new_namespace(), 'evil', 'control: published in a new namespace');
	is(set_in_another_database(), 'evil', 'control: published in another database');
	# a namespace made anew may have got its number again
	isnt(left_over(@$_[1 .. 3]), 0, "control: not invalidated: $_->[0]") for grep { $_->[0] !~ /made anew/ } @cases;
});

close_session($s);
check_store($node);
$node->stop;
done_testing();
