# Storms of pg_cancel_backend, pg_terminate_backend and statement timeouts over
# sessions that write large values: the store stays sound, every lock is
# released, no memory is lost, and values are whole.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = seconds_for(5);
my $node = new_cluster('storm', 'cachepg.memory' => '32MB');
$node->safe_psql('postgres', q{
	CREATE FUNCTION seal(size int) RETURNS text LANGUAGE sql AS $$
		SELECT md5(b) || b FROM repeat(md5(random()::text), size / 32) b $$;
	CREATE FUNCTION is_whole(value text) RETURNS boolean LANGUAGE sql AS $$
		SELECT left(value, 32) = md5(substr(value, 33)) $$});

# Clients that begin anew after each error: pgbench would give up.
my $writer = q{
	SELECT count(cache_set('k' || i % 300, seal((i * 7919) % 1000000)))
		+ count(cache_fetch('f' || i % 100, 'SELECT seal($1)', ROW((i * 31) % 500000)))
		+ count(cache_delete('k' || i % 17)) FROM generate_series(1, 100000) i;
};
my $reader = q{
	SELECT count(*) FROM generate_series(1, 10000000) i WHERE NOT is_whole(cache_get('k' || i % 300, NULL::text));
};

# check_after(NAME, SQLSTATE, LEAST, RESULT...): sessions were hit often enough,
# nothing else went wrong, and all is well.
sub check_after
{
	my ($name, $code, $least, @results) = @_;
	my %codes;

	$codes{$_}++ for map { /(?:ERROR|FATAL):  (\w+)/g } map { $_->[2] } @results;
	cmp_ok(delete($codes{$code}) // 0, '>', $least, "$name: sessions were hit");
	is(join(' ', sort keys %codes), '', "$name: no other error than those of the storm");
	check_store($node);
	is( one_value($node, q{
		SELECT count(*) FROM cache_entries WHERE type = 'text'::regtype AND NOT is_whole(cache_get(key, NULL::text))}),
		'0', "$name: all values are whole");
	is(one_value($node, q{SELECT payload_bytes + free_bytes + overhead_bytes = memory FROM cache_stats}), 't',
		"$name: no memory is lost");
	return;
}

# Cancels: a session begins its next statement at once.
my $cancel = qq{
	DO \$\$
	DECLARE
		stop_at timestamptz := clock_timestamp() + interval '$seconds s';
	BEGIN
		WHILE clock_timestamp() < stop_at LOOP
			PERFORM pg_stat_clear_snapshot();
			PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
				WHERE application_name = 'victim' AND random() < 0.3;
			PERFORM pg_sleep(0.01 * random());
		END LOOP;
	END \$\$;
};
my @victims = start_psql($node, map { "SET application_name = 'victim';\n" . $_ x 5000 } $writer, $writer, $writer, $reader);
finish_psql(start_psql($node, $cancel));
check_after('cancel', '57014', 10 * $seconds, stop_psql($node, @victims));

# Terminations: new sessions for each round, all ended at a random moment of
# their work.
my $rounds = 4 * $seconds;
my $at_work = q{SELECT count(*) = 4 FROM pg_stat_activity WHERE application_name = 'victim' AND query ~ 'generate_series'};
my $terminate = q{
	SELECT pg_sleep(0.1 * random());
	SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim';
};
my @ended;
for (1 .. $rounds)
{
	@victims = start_psql($node, map { "SET application_name = 'victim';\n$_" } $writer, $writer, $writer, $reader);
	ok(defined wait_until($node, $at_work), 'sessions are at work');
	$node->safe_psql('postgres', $terminate);
	push @ended, finish_psql(@victims);
}
check_after('terminate', '57P01', 4 * $rounds - 1, @ended);

# Timeouts at every length from nothing to something.
my @timed = map {
	my $text = $_;
	join '', map { "SET statement_timeout = $_;\n$text" } 1 .. 30
} $writer, $writer, $reader;
my @results = finish_psql(start_psql($node, @timed));
for (@results)
{
	my %codes = map { $_ => 1 } $_->[2] =~ /ERROR:  (\w+)/g;
	is(join(' ', keys %codes), '57014', 'timeout: ended each time by the timeout alone');
}
check_store($node);

# A loader that exceeds a limit on temporary files fails, and nothing is kept.
fails_with($node, q{
	SET temp_file_limit = '100kB';
	SET work_mem = '64kB';
	SELECT cache_fetch('sorted', 'SELECT count(*) FROM (SELECT i FROM generate_series(1, 200000) i ORDER BY random()) x')},
	'53400', qr/temporary file size exceeds/, 'loader over the limit of temporary files');
is(one_value($node, q{SELECT cache_exists('sorted')}), 'f', 'nothing of it is kept');
is( one_value($node, q{
	SELECT count(*) FROM pg_locks WHERE pid NOT IN (SELECT pid FROM pg_stat_activity)}), '0', 'no lock is left');
is(one_value($node, q{SELECT cache_set('after', seal(100000)); SELECT is_whole(cache_get('after', NULL::text))}), "\nt",
	'the cache works on');

# Of the storms no memory is left in use once entries are gone.
$node->safe_psql('postgres', 'SELECT cache_clear()');
ok(defined wait_until($node, 'SELECT entries = 0 AND entry_bytes = 0 FROM cache_stats'), 'all memory comes back');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal/, 'nothing died');
check_store($node);
done_testing();
