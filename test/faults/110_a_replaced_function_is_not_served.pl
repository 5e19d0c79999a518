# What a load makes of a function that has been replaced since is never served.
# Other processes learn of a new definition by invalidation messages, which the
# writer sends after it has become visible.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('functions');
my $loader = session($node);
my $writer = session($node);
my $reader = session($node);
my $fetch = q{SELECT cache_fetch('k', 'SELECT f()')};

sub define
{
	my ($version) = @_;

	return "CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN $version; END'";
}

# The function returns 1, all sessions know it, and nothing is cached.
sub fresh
{
	run($writer, define(1) . '; SELECT cache_clear()');
	run($_, 'SELECT f()') for $loader, $reader;
	return;
}

# A load while the new definition is visible and nobody was told.
sub load_untold
{
	fresh();
	stops($writer, define(2), 'commit-untold');
	my $got = run($loader, $fetch);
	resume($writer, 'commit-untold');
	return ($got, run($reader, $fetch));
}

is_deeply([ load_untold() ], [ 1, 2 ], 'what the old function returned to a session not yet told is not kept');
is_deeply([ without($node, 'late-lowering', \&load_untold) ],
	[ 1, 1 ], 'control: with fences lowered before messages are sent it is');

# A prepared transaction: its fences come down when its locks have gone.
fresh();
run($writer, 'BEGIN; ' . define(2) . q{; PREPARE TRANSACTION 'p'});
is(run($reader, $fetch), 1, 'before COMMIT PREPARED the old function is called');
run($writer, q{COMMIT PREPARED 'p'});
is(run($reader, $fetch), 2, 'after COMMIT PREPARED the new one is');
run($reader, $fetch);
like(run($reader, q{SELECT state FROM cache_entry('k')}), qr/^fresh$/, 'and its fences are down');

close_session($_) for $loader, $writer, $reader;
done_testing();
