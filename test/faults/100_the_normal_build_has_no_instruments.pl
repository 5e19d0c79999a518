# The library that is shipped knows nothing of wait points.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

# Whether the library of an installation has anything of src/fault.h in it.
sub instruments_in
{
	my ($bindir) = @_;
	my ($libdir) = run_command([ "$bindir/pg_config", '--pkglibdir' ]);

	return scalar(() = slurp_file("$libdir/cachepg.so") =~ /(?:cpg|cachepg)_fault|commit-visible|precommit-fence/g);
}

is(instruments_in($ENV{CPG_BINDIR}), 0, 'none in the normal build');
cmp_ok(instruments_in($ENV{CPG_FAULTS_BINDIR}), '>', 5, 'control: the build for these tests has them');
done_testing();
