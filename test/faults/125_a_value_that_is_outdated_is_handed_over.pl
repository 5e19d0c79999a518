# A value that something committed outdates while it is loaded is not kept, but
# given to those who had asked before its load began: nobody waits for more than
# two loads.  It is not given to who has changed something himself.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('handed');
my ($host, $port) = ($node->host, $node->port);

$node->safe_psql('postgres', <<SQL);
SELECT cache_namespace_create('n', ttl => '1 hour');
CREATE TABLE remote (id integer, v integer);
CREATE EXTENSION postgres_fdw;
CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER other;
-- to write to it takes no transaction id here, so that loads can be kept
CREATE FOREIGN TABLE f (id integer, v integer) SERVER other OPTIONS (table_name 'remote');
CREATE FUNCTION counted() RETURNS bigint LANGUAGE plpgsql AS \$\$
BEGIN
	PERFORM cache_incr('n:loads');
	RETURN (SELECT sum(v) FROM f);
END \$\$;
SQL

my $writer = session($node);
my ($first, $second, $third) = map { session($node) } 1 .. 3;
my $plays = 0;

sub set_to { return run($writer, "UPDATE f SET v = $_[0] WHERE id = 1") }

sub followers_are
{
	return ok(wait_until($node, qq{SELECT count(*) = $_[0] FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND wait_event IN ('Extension', 'CachePgFlightWait')}), "$_[0] follow");
}

# The first load is outdated by a commit, the second, for which the other two
# had waited, by another one.  Who of them led that; what each got; the number of loads.
sub twice_outdated
{
	my ($begin) = @_;
	# a load that could not be kept leaves a mark for a while
	my $fetch = 'SELECT cache_fetch(\'k' . ++$plays . '\', \'SELECT counted()\')';

	run($writer, q{TRUNCATE remote; INSERT INTO remote VALUES (1, 1); SELECT cache_clear()});
	run($third, $begin);
	arm($node, 'fetch-loaded', 'wait');
	go($first, $fetch);
	is(one_value($node, q{SELECT cachepg_fault_await('fetch-loaded')}), 't', 'the first loads');
	go($_, $fetch) for $second, $third;
	followers_are(2);
	set_to(10);
	$node->safe_psql('postgres', q{SELECT cachepg_fault_wake('fetch-loaded')});
	my @got = done($first);
	is(one_value($node, q{SELECT cachepg_fault_await('fetch-loaded')}), 't', 'one of the others loads');
	followers_are(1);
	my $leader = one_value($node, q{SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 3244});
	set_to(20);
	disarm($node, 'fetch-loaded');
	push @got, done($second), done($third);
	run($third, 'ROLLBACK') if $begin =~ /BEGIN/;
	is(run($writer, $fetch), 20, 'afterwards there is the newest one');
	return ($leader, @got, run($writer, q{SELECT cache_get('n:loads', 0::bigint)}));
}

# The same, with the third one following to the end.
sub third_follows
{
	my ($begin) = @_;

	for (1 .. 30)
	{
		my ($leader, @got) = twice_outdated($begin);

		return \@got if $leader == pid_of($second);
	}
	return [];
}

is_deeply(third_follows('SELECT 1'), [ 1, 10, 10, 3 ], 'two loads for three, and one afterwards');
is_deeply(without($node, 'hand-over', sub { third_follows('SELECT 1') }), [ 1, 10, 20, 3 ], 'control: else the third one loads, too');

my $own = 'BEGIN; INSERT INTO f VALUES (2, 2)';
is_deeply(third_follows($own), [ 1, 10, 3, 4 ], 'who has written sees that');
is_deeply(without($node, 'handed-own', sub { third_follows($own) }), [ 1, 10, 10, 3 ], 'control: what is handed over does not have it');

check_store($node);
close_session($writer, $first, $second, $third);
$node->stop;
done_testing();
