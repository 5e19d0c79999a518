# What a query depends on may change in the configuration file while a session is
# open: from then on the session gets, and loads, what its settings mean now.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('reloads', 'default_text_search_config' => 'pg_catalog.simple');

$node->safe_psql('postgres', q{SELECT cache_namespace_create('c', ttl => '1 hour')});

my $s = session($node);
my $fetch = q{SELECT cache_fetch('c:k', $$SELECT to_tsvector('the cats')::text$$)};

# The session's value after the file says something else.
sub after_reload
{
	my ($config) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET default_text_search_config = 'pg_catalog.$config'");
	$node->reload;
	# who connects now has it; the session was told before, and looks with its next command
	ok(wait_until($node, "SELECT current_setting('default_text_search_config') = 'pg_catalog.$config'"),
		"the configuration says $config");
	return run($s, $fetch);
}

my %value = (simple => q{"'cats':2 'the':1"}, english => q{"'cat':2"}, german => q{"'cat':2 'the':1"});

is(run($s, $fetch), $value{simple}, 'the value at the start');
is(after_reload($_), $value{$_}, "after the configuration says $_") for qw(english german english simple);
is(one_value($node, q{SELECT loads FROM cache_namespace_stats WHERE namespace = 'c'}), 3, 'each was loaded once');

# the session's own settings, and back to the configuration's
for my $round (1 .. 3)
{
	for my $config (qw(english german))
	{
		run($s, "SET default_text_search_config = 'pg_catalog.$config'");
		is(run($s, $fetch), $value{$config}, "round $round: set to $config");
	}
	run($s, 'RESET default_text_search_config');
	is(run($s, $fetch), $value{simple}, "round $round: reset");
}

# A text that is freed gives its place to the next but one: a pointer alone says
# nothing of what a session has set.
sub set_twice
{
	run($s, q{SET default_text_search_config = 'pg_catalog.english'});
	my $first = run($s, $fetch);
	run($s, "SET default_text_search_config = 'pg_catalog.$_'") for qw(german simple);
	my $second = run($s, $fetch);
	run($s, 'RESET default_text_search_config');
	return "$first, $second";
}

is(set_twice(), "$value{english}, $value{simple}", 'two changes between two calls');
is(without($node, 'reset-pointer', \&set_twice), "$value{english}, $value{english}",
	'control: a pointer that is trusted brings the value of before');

close_session($s);
$node->stop;
done_testing();
