# After a crash, whatever kind, no dump is loaded but that of namespaces with
# warm_after_crash; nor is the dump of an earlier shutdown, one that
# transactions have outdated, or one at a start that leads into recovery.
use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('crashes', -streaming => 1, 'cachepg.dump_interval' => '100ms');
my $directory = $node->data_dir . '/cachepg';
my $shutdown = "$directory/shutdown.dump";
my $crash = "$directory/crash.dump";
my $loaded = qr/loaded (\d+) of (\d+) dumped cache entries in/;

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('warm', warm_after_crash => true, consistency => 'ttl', scope => 'shared'),
		cache_namespace_create('cold', consistency => 'ttl', scope => 'shared');
	CREATE TABLE t (i int)});

my $set = q{SELECT cache_set('cold:' || i, i), cache_set('plain' || i, i) FROM generate_series(1, 10) i};
my $count = 'SELECT count(*) FROM cache_entries';

# The names of files in the directory of dumps.
sub files
{
	return join(' ', sort map { m{([^/]+)$} } glob("$directory/*"));
}

# Wait until the periodic dump has been written once more.
sub wait_for_dump
{
	my $now = (stat $crash)[1] // 0;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my @stat = stat $crash;

		return 1 if @stat && $stat[1] != $now;
		Time::HiRes::usleep(100_000);
	}
	return 0;
}

# kill -9 of the postmaster; its children notice.
sub kill_all
{
	$node->kill9;
	# the next start needs the shared memory that they still hold
	for (1 .. 100)
	{
		last if system("pgrep -f '^postgres: crashes:' >/dev/null") != 0;
		Time::HiRes::usleep(100_000);
	}
	# in a container nobody may reap it, so that its lock files seem in use
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	return;
}

# Without such a namespace there is nothing to load and no file.
$node->safe_psql('postgres', $set);
is(one_value($node, $count), 20, 'the cache has entries');
is(files(), '', 'while the server runs there is no dump');
$node->stop('immediate');
is(files(), '', 'stop -m immediate: none is written');
$node->start;
is(one_value($node, $count), 0, 'stop -m immediate: nothing is there');
$node->safe_psql('postgres', $set);
ok(crash_restart($node, one_value($node, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg janitor'})), 'a process dies');
is(one_value($node, $count), 0, 'nothing is there');
$node->safe_psql('postgres', $set);
kill_all();
$node->start;
is(one_value($node, $count), 0, 'kill -9 of the postmaster: nothing is there');

# warm_after_crash: periodic dumps, loaded after a crash.
my $warm = q{SELECT cache_get('warm:1', 0), cache_get('warm:tagged', 0), cache_get('cold:1', 0)};
my $fetch = q{SELECT cache_fetch('warm:f', 'SELECT count(*) FROM t', consistency => '%s')};
$node->safe_psql('postgres', $set);
$node->safe_psql('postgres', q{SELECT cache_set('warm:1', 1), cache_set('warm:tagged', 2, tags => '{x:y}')});
$node->safe_psql('postgres', sprintf($fetch, 'commit'));
for my $how ('immediate', 'process', 'postmaster')
{
	my $from = -s $node->logfile;

	ok(wait_for_dump() && wait_for_dump(), "$how: a dump is written now and then");
	if ($how eq 'immediate')
	{
		$node->stop('immediate');
		is(files(), 'crash.dump', "$how: the dump is there");
		$node->start;
	}
	elsif ($how eq 'process')
	{
		ok( crash_restart($node, one_value($node, q{
			SELECT pid FROM pg_stat_activity WHERE backend_type = 'cachepg janitor'})), "$how: dies");
	}
	else
	{
		kill_all();
		$node->start;
	}
	$node->wait_for_log($loaded, $from);
	my ($got, $of) = slurp_file($node->logfile, $from) =~ $loaded;
	is("$got of $of", '2 of 2', "$how: as much as was set in the namespace is loaded");
	is(one_value($node, $warm), '1|2|0', "$how: what the namespace had is there, nothing else");
}
is(one_value($node, q{SELECT cache_invalidate_tag('x:y'); SELECT cache_exists('warm:tagged')}), "\nf", 'tags work');
$node->safe_psql('postgres', sprintf($fetch, 'ttl'));
is(one_value($node, q{SELECT loads FROM cache_namespaces WHERE name = 'warm'}), '1', 'a value loaded with ttl');
wait_for_dump() && wait_for_dump();
my $from = -s $node->logfile;
$node->stop('immediate');
$node->start;
$node->wait_for_log($loaded, $from);
$node->safe_psql('postgres', sprintf($fetch, 'ttl'));
is(one_value($node, q{SELECT hits, loads FROM cache_namespaces WHERE name = 'warm'}), '1|0', 'is found by the same fetch');
check_store($node);

# After a clean shutdown the complete dump is used, not the other.
$node->safe_psql('postgres', $set);
wait_for_dump();
$node->safe_psql('postgres', q{SELECT cache_delete('warm:1')});
$from = -s $node->logfile;
$node->stop;
is(files(), 'crash.dump shutdown.dump', 'both are there');
my $saved = PostgreSQL::Test::Utils::tempdir() . '/saved';
copy($shutdown, $saved) or die $!;
$node->start;
$node->wait_for_log($loaded, $from);
is(one_value($node, $warm), '0|0|1', 'the complete one was loaded');

# Without the namespace the periodic dump goes away.
$node->safe_psql('postgres', q{SELECT cache_namespace_drop('warm')});
ok(wait_until($node, q{SELECT true}), 'the server is up');
for (1 .. 100) { last unless -e $crash; Time::HiRes::usleep(100_000) }
is(files(), '', 'there is no dump of nothing');

# A dump of an earlier shutdown, put back, is never loaded after a crash.
sub start_with_saved
{
	my ($stop) = @_;

	$from = -s $node->logfile;
	$node->stop($stop);
	copy($saved, $shutdown) or die $!;
	chmod 0600, $shutdown;
	$node->start;
	$node->wait_for_log(qr/ready to accept connections/, $from);
	return;
}
start_with_saved('immediate');
is(one_value($node, $count), 0, 'after a crash the dump of an earlier shutdown is not used');
is(files(), '', 'and removed');
start_with_saved('fast');
is(one_value($node, $count), 0, 'after later transactions neither');
like(slurp_file($node->logfile, $from), qr{LOG:  cache dump "cachepg/shutdown.dump" is ignored: transactions have written since}, 'the log says why');

# Control: nothing else is wrong with a dump that is put back.
$node->safe_psql('postgres', $set);
$node->stop;
copy($shutdown, $saved) or die $!;
$node->start;
start_with_saved('fast');
$node->wait_for_log($loaded, $from);
is(one_value($node, $count), 20, 'control: a dump that is put back works if no transaction has written');

# As a standby it starts cold, and stays so when promoted.
$node->stop;
ok(-e $shutdown, 'a dump is written');
$node->append_conf('postgresql.conf', "hot_standby = on");
append_to_file($node->data_dir . '/standby.signal', '');
$node->start;
is(files(), '', 'it is removed at the start as a standby');
is(one_value($node, $count), 0, 'and not loaded');
$node->promote;
is(one_value($node, $count), 0, 'after the promotion neither');
ok( defined wait_until($node, q{
	SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg dumper')}), 'the dumper comes with it');
$node->safe_psql('postgres', $set);
$from = -s $node->logfile;
$node->stop;
$node->start;
$node->wait_for_log($loaded, $from);
is(one_value($node, $count), 20, 'the next restart is warm');

# A standby that stops writes none.
$node->stop;
append_to_file($node->data_dir . '/standby.signal', '');
$node->start;
$node->stop;
is(files(), '', 'a standby writes no dump');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal (?!9)|could not (?!send data to client)/, 'nothing went wrong');
done_testing();
