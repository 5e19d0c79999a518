# What sql/ and test/isolation say of one server holds with Redis behind it, too.
# Left out: bounded and namespaces, where what is evicted is gone, and unpublished,
# where a load reads more tables than it may with the bus.
use strict;
use warnings;

use File::Basename;
use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;

my %left_out = map { $_ => 1 } qw(bounded namespaces unpublished);
my $top = dirname(dirname($FindBin::RealBin));
my $regress = $ENV{PG_REGRESS};
my $isolation = dirname($regress) . '/../isolation/pg_isolation_regress';
my $redis = start_redis();
my $node = new_cluster('main', 'cachepg.redis_servers' => redis_url($redis), 'cachepg.memory' => '16MB');

# The base names of files, but for those left out.
sub names_of
{
	my ($pattern, $suffix) = @_;

	return grep { !$left_out{$_} && !/--/ } map { basename($_, $suffix) } sort glob($pattern);
}

# Run the tests of a directory; those that fail with their differences.
sub run_tests
{
	my ($what, $program, $input, @names) = @_;
	my $output = "$PostgreSQL::Test::Utils::tmp_check/$what";
	my ($help) = run_command([ $program, '--help' ]);
	my @expected = $help =~ /--expecteddir/ ? ("--expecteddir=$input") : ();

	mkdir $output;
	my $good = run_log([ $program, '--host', $node->host, '--port', $node->port, '--bindir=',
			"--inputdir=$input", "--outputdir=$output", @expected, '--load-extension=cachepg', @names ]);
	ok($good, "$what: " . scalar(@names) . ' tests');
	diag(slurp_file("$output/regression.diffs")) if -e "$output/regression.diffs";
	return;
}

run_tests('regress', $regress, $top, names_of("$top/sql/*.sql", '.sql'));
run_tests('isolation', $isolation, "$top/test/isolation", names_of("$top/test/isolation/specs/*.spec", '.spec'));
cmp_ok($node->safe_psql('regression', q{SELECT max(calls) FROM cache_redis_nodes}), '>', 100, 'Redis was asked');
is($node->safe_psql('regression', q{SELECT sum(errors) FROM cache_redis_nodes}), '0', '... and answered');

check_store($node);
$node->stop;
done_testing();
