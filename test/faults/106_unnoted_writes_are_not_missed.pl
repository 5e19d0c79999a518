# In a database that nobody uses the cache in, writes are not noted.  At the first
# use none of them may be missed, wherever their transactions are then.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('unused', 'max_prepared_transactions' => 0, 'cachepg.janitor_interval' => '1h');
our $fetch = q{SELECT cache_fetch('k', 'SELECT v FROM t WHERE id = 1')};
my $exists = q{SELECT cache_exists('k')};
my $update = 'UPDATE t SET v = 2 WHERE id = 1';
my $databases = 0;

$node->safe_psql('postgres', 'CREATE DATABASE unused');
$node->safe_psql('unused', 'CREATE EXTENSION cachepg; CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1)');
$node->safe_psql('unused', 'CREATE MATERIALIZED VIEW m AS SELECT id, v + 1 AS v FROM t');

# a table of another database: to write to it takes no transaction id here
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', 'CREATE TABLE remote (v integer); INSERT INTO remote VALUES (1)');
$node->safe_psql('unused', <<SQL);
CREATE EXTENSION postgres_fdw;
CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER other;
CREATE FOREIGN TABLE f (v integer) SERVER other OPTIONS (table_name 'remote');
SQL

# A writer, a loader and a reader in a database in which nothing was cached yet.
sub unused
{
	my $name = 'unused' . ++$databases;

	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE unused");
	return map { session($node, "dbname=$name") } 1 .. 3;
}

# Play a schedule in such a database.
sub play
{
	my ($code) = @_;
	my @sessions = unused();
	my @result = $code->(@sessions);

	close_session(@sessions);
	return \@result;
}

# The writer is about to commit, and the load sees its row as it was.
sub about_to_commit
{
	my ($writer, $loader, $reader) = @_;

	stops($writer, $update, 'precommit-fenced');
	my $loaded = run($loader, $fetch);
	resume($writer, 'precommit-fenced');
	return ($loaded, run($reader, $fetch));
}
is_deeply(play(\&about_to_commit), [ 1, 2 ], 'what is loaded while an unnoted transaction commits is not kept');
is_deeply(without($node, 'usage-places', sub { play(\&about_to_commit) }), [ 1, 1 ], 'control: it would be outdated');

# The same, and the load ends after the writer.
sub commits_meanwhile
{
	my ($writer, $loader, $reader) = @_;

	stops($writer, $update, 'precommit-fenced');
	stops($loader, $fetch, 'fetch-loaded');
	resume($writer, 'precommit-fenced');
	return (resume($loader, 'fetch-loaded'), run($reader, $fetch));
}
is_deeply(play(\&commits_meanwhile), [ 1, 2 ], 'nor what was loaded before it was visible');
is_deeply(without($node, 'usage-places', sub { play(\&commits_meanwhile) }), [ 1, 1 ], 'control: that would be outdated, too');

# The writer has written, but not begun to commit.
sub commits_later
{
	my ($writer, $loader, $reader, $write) = @_;

	run($writer, 'BEGIN; ' . ($write // $update));
	my $loaded = run($loader, $fetch);
	my $kept = run($reader, $exists);
	run($writer, 'COMMIT');
	return ($loaded, $kept, run($reader, $fetch));
}
is_deeply(play(\&commits_later), [ 1, 't', 2 ], 'who wrote before the first use and commits after it invalidates');
is_deeply(without($node, 'usage-catch-up', sub { play(\&commits_later) }), [ 1, 't', 1 ], 'control: else it would be missed');
for my $write ('DELETE FROM t; INSERT INTO t VALUES (1, 2)', q{DELETE FROM t; COPY t FROM PROGRAM 'echo 1,2' CSV},
	'WITH w AS (UPDATE t SET v = 2 RETURNING v) SELECT * FROM w', q{DO $$BEGIN EXECUTE 'UPDATE t SET v = 2'; END$$},
	'SAVEPOINT s; UPDATE t SET v = 2; RELEASE s', 'UPDATE t SET v = 2; SAVEPOINT s; UPDATE t SET v = 3; ROLLBACK TO s')
{
	is_deeply(play(sub { commits_later(@_, $write) }), [ 1, 't', 2 ], "... by $write");
}
{
	local $fetch = q{SELECT cache_fetch('k', 'SELECT v FROM m WHERE id = 1')};
	my $refresh = 'UPDATE t SET v = 2; REFRESH MATERIALIZED VIEW CONCURRENTLY m';

	is_deeply(play(sub { run($_[0], 'CREATE UNIQUE INDEX ON m (id)'); commits_later(@_, $refresh) }), [ 2, 't', 3 ], "... by $refresh");
}

# The writer itself sees what it wrote, in whatever savepoint it looks.
sub looks_itself
{
	my ($writer, $loader, $reader) = @_;
	my @seen;

	run($writer, "BEGIN; $update");
	run($loader, $fetch);
	push @seen, run($writer, "SAVEPOINT s; $fetch"), run($writer, "ROLLBACK TO s; $exists");
	run($writer, 'COMMIT');
	return (@seen, run($reader, $fetch));
}
is_deeply(play(\&looks_itself), [ 2, 'f', 2 ], 'the writer sees what it wrote');
is_deeply(without($node, 'usage-catch-up', sub { play(\&looks_itself) }), [ 1, 't', 1 ], 'control: else it would not');

# What it loads is not for others, who do not see what it wrote.
sub loads_itself
{
	my ($writer, $loader, $reader) = @_;
	my $sum = q{SELECT cache_fetch('k', 'SELECT sum(v) FROM f')};

	run($writer, 'BEGIN; INSERT INTO f VALUES (2)');
	my @seen = (run($writer, $sum), run($reader, $sum));
	run($writer, 'ROLLBACK');
	return (@seen, run($reader, $sum));
}
is_deeply(play(\&loads_itself), [ 3, 1, 1 ], 'what the writer loads is for itself');
is_deeply(without($node, 'usage-catch-up', sub { play(\&loads_itself) }), [ 3, 3, 3 ], 'control: else others would get it');

# What is set depends on no table: it stays, whoever sets it.
sub sets_itself
{
	my ($writer, $loader, $reader) = @_;

	run($writer, "BEGIN; $update");
	run($loader, "$fetch; SELECT cache_set('theirs', 4)");
	run($writer, q{SELECT cache_set('own', 5)});
	my @seen = run($writer, q{SELECT cache_get('own'), cache_get('theirs'), cache_exists('k')});
	run($writer, 'COMMIT');
	return (@seen, run($reader, q{SELECT cache_get('own'), cache_get('theirs'), cache_exists('k')}));
}
is_deeply(play(\&sets_itself), [ '5|4|f', '5|4|f' ], 'what is set stays');

# A call that cannot use the cache does not make the database one in use.
for my $ddl (0, 1)
{
	my $code = sub {
		play(sub {
			my ($writer, $loader, $reader) = @_;

			run($loader, 'CREATE TABLE numbers_the_database ()') if $ddl;
			run($loader, "SET cachepg.enabled = off; $fetch; RESET cachepg.enabled");
			return about_to_commit(@_);
		});
	};
	is_deeply($code->(), [ 1, 2 ], "a fetch without the cache settles nothing ($ddl)");
}

# Who gives up, or is killed, holds nobody up.
for my $how ('error', 'terminate')
{
	my ($writer, $loader, $reader) = unused();

	stops($writer, $update, 'precommit-fenced');
	if ($how eq 'error')
	{
		disarm($node, 'precommit-fenced');
		done($writer);
		arm($node, 'precommit-fenced', 'error', $writer);
		like(run($writer, $update), qr/precommit-fenced/, 'a commit fails');
		disarm($node, 'precommit-fenced');
	}
	else
	{
		run($reader, 'SELECT pg_terminate_backend(' . pid_of($writer) . ')');
		ok(wait_until($node, 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . pid_of($writer)), 'a session ends');
		disarm($node, 'precommit-fenced');
	}
	run($loader, $fetch);
	is(run($reader, $exists), 't', "after that ($how) what is loaded is kept");
	close_session($loader, $reader);
}

check_store($node);
$node->stop;
done_testing();
