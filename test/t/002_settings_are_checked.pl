# Settings out of bounds, unknown or in contradiction are refused with a
# message that helps; those at their bounds work.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('settings');

# Bounds, as the server knows them, and one step beyond.
my @bounds = split /\n/, $node->safe_psql('postgres', q{
	SELECT concat_ws(' ', name, min_val, max_val, min_val::bigint - 1, max_val::bigint + 1)
	FROM pg_settings WHERE name LIKE 'cachepg.%' AND min_val IS NOT NULL ORDER BY name});
cmp_ok(scalar(@bounds), '>=', 4, 'there are numeric settings');
for (@bounds)
{
	my ($name, $min, $max, $below, $above) = split / /;

	for my $value ($min, $max)
	{
		my ($status) = $node->psql('postgres', "ALTER SYSTEM SET $name = $value");
		is($status, 0, "$name accepts $value");
	}
	for my $value ($below, $above)
	{
		fails_with($node, "ALTER SYSTEM SET $name = $value", '22023', qr/outside the valid range/,
			"$name refuses $value");
	}
}
fails_with($node, "ALTER SYSTEM SET cachepg.eviction = 'fifo'", '22023', qr/Available values: s3fifo, lru/,
	'eviction has two values');
fails_with($node, "SET cachepg.nonsense = 1", '42602', qr/"cachepg" is a reserved prefix/, 'unknown settings are refused');
fails_with($node, "SET cachepg.memory = '64MB'", '55P02', qr/cannot be changed without restarting/, 'memory is fixed');
$node->safe_psql('postgres', 'CREATE ROLE nobody_special');
fails_with($node, 'SET ROLE nobody_special; SET cachepg.enabled = off', '42501', qr/permission denied/,
	'enabled is for superusers');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');

# All lower bounds together make a cache that works.
for my $setting ([ 'cachepg.memory', '4MB' ], [ 'cachepg.max_namespaces', 8 ], [ 'cachepg.expected_entry_size', 64 ],
	[ 'cachepg.janitor_interval', '10ms' ], [ 'cachepg.eviction', 'lru' ])
{
	$node->append_conf('postgresql.conf', "$setting->[0] = '$setting->[1]'");
}
$node->restart;
is($node->safe_psql('postgres', q{SELECT memory / 1024 / 1024, partitions, eviction FROM cache_stats}), '4|1|lru',
	'the smallest cache starts');
$node->safe_psql('postgres', q{SELECT cache_set('k' || i, repeat('x', 100)) FROM generate_series(1, 50000) i});
cmp_ok(one_value($node, 'SELECT evictions FROM cache_stats'), '>', 0, 'and evicts');
is($node->safe_psql('postgres', q{SELECT cache_get('k50000', '') = repeat('x', 100)}), 't', 'and caches');
check_store($node);

# Too small for the namespaces: no start, but the least that works is named.
$node->stop;
$node->append_conf('postgresql.conf', 'cachepg.max_namespaces = 16384');
is($node->start(fail_ok => 1), 0, 'memory too small for the namespaces: the server does not start');
my $log = slurp_file($node->logfile);
like($log, qr/FATAL:  "cachepg.memory" of 4 MB is too small for 16384 namespaces/, 'it says why');
my ($needed) = $log =~ /HINT:  Set "cachepg.memory" to at least (\d+) MB, or lower "cachepg.max_namespaces"/;
ok($needed, 'and what is needed');
$node->append_conf('postgresql.conf', 'cachepg.memory = ' . ($needed - 1) . 'MB');
is($node->start(fail_ok => 1), 0, 'one less than that is not enough');
$node->append_conf('postgresql.conf', "cachepg.memory = ${needed}MB");
$node->start;
$node->safe_psql('postgres', q{SELECT cache_set('k', 1)});
is($node->safe_psql('postgres', q{SELECT cache_get('k', 0)}), '1', 'with what the hint says it works');
check_store($node);

# In the file an unknown name is reported but keeps nobody from starting.
$node->append_conf('postgresql.conf', 'cachepg.nonsense = 1');
my $from = -s $node->logfile;
$node->restart;
like(slurp_file($node->logfile, $from), qr/invalid configuration parameter name "cachepg.nonsense"/,
	'an unknown setting in the file is reported');

# A mistake in what decides whose values a server shares keeps it from starting, and
# a password that does not belong into a URL is not logged.
$node->stop;
for ([ 'redis_servers', 'redis://app:s3cret@127.0.0.1', qr/Address 1 of the list/ ], [ 'cluster', 'shop prod', qr/Names consist of/ ],
	[ 'server_name', 'a b', qr/Names consist of/ ])
{
	my ($name, $value, $detail) = @$_;

	$from = -s $node->logfile;
	$node->append_conf('postgresql.conf', "cachepg.$name = '$value'");
	is($node->start(fail_ok => 1), 0, "a mistake in $name: no start");
	like(slurp_file($node->logfile, $from), qr/$detail.*FATAL:  invalid value for parameter "cachepg\.$name"/s, 'and it is said');
	$node->adjust_conf('postgresql.conf', "cachepg.$name", undef);
}
unlike(slurp_file($node->logfile), qr/s3cret/, 'passwords are not');
$node->start;
fails_with($node, q{ALTER SYSTEM SET cachepg.redis_servers = 'redis://app:s3cret@127.0.0.1'}, '22023',
	qr/^(?!.*parameter[^\n]*s3cret).*invalid value for parameter "cachepg\.redis_servers"/s, 'nor shown by ALTER SYSTEM');
$node->append_conf('postgresql.conf', "cachepg.redis_servers = 'redis://app:s3cret\@127.0.0.1'");
$from = -s $node->logfile;
$node->reload;
ok($node->wait_for_log(qr/invalid value for parameter "cachepg\.redis_servers"/, $from), 'at a reload the list stays');
unlike(slurp_file($node->logfile, $from), qr/s3cret/, 'and is not logged');
done_testing();
