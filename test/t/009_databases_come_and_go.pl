# DROP, CREATE ... TEMPLATE and RENAME of databases are not held up by the
# cache; a new database of an old name sees nothing of the old one; the
# numbers of dropped databases' namespaces are used again; more namespaces
# than there are numbers are not cached and nothing fails.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $numbers = 8;
my $node = new_cluster('databases', 'cachepg.max_namespaces' => $numbers);

# Whatever waits for one of our workers ends with an error.
sub quickly
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '5s'; $statement");

	is($err, '', $statement);
	return;
}

sub make_database
{
	my ($name) = @_;

	quickly("CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION cachepg');
	return;
}

ok( defined wait_until($node, q{
	SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'cachepg janitor')}),
	'a worker is running');
make_database('shop');
$node->safe_psql('shop', q{
	SELECT cache_namespace_create('wares', max_entries => 10);
	SELECT cache_set('a', 'old'), cache_set('wares:a', 'old')});

# A copy has the namespaces and none of the entries.
quickly('CREATE DATABASE copied TEMPLATE shop');
is(one_value($node, q{SELECT cache_exists('a'), cache_exists('wares:a'), (SELECT max_entries FROM cache_namespaces
	WHERE name = 'wares')}, 'copied'), 'f|f|10', 'a copy has namespaces, not entries');
$node->safe_psql('copied', q{SELECT cache_set('a', 'copied')});
is(one_value($node, q{SELECT cache_get('a', '')}, 'shop'), 'old', 'writes in the copy do not reach the original');

# A renamed one keeps its entries: it is the same database.  What queries loaded may name it.
is(one_value($node, q{SELECT cache_fetch('name', 'SELECT current_database()')}, 'shop'), '"shop"', 'a query sees the name of the database');
quickly('ALTER DATABASE shop RENAME TO store');
is(one_value($node, q{SELECT cache_get('a', ''), cache_get('wares:a', '')}, 'store'), 'old|old',
	'a renamed database keeps its entries');
is(one_value($node, q{SELECT cache_fetch('name', 'SELECT current_database()')}, 'store'), '"store"', 'but not what was loaded under its old name');
make_database('shop');
is(one_value($node, q{SELECT cache_exists('a'), cache_exists('wares:a')}, 'shop'), 'f|f',
	'a new one of the old name sees none of them');


# Who owns a database is a member of pg_database_owner.
$node->safe_psql('store', q{
	CREATE ROLE first; CREATE ROLE second; CREATE TABLE secret (v int); INSERT INTO secret VALUES (42); GRANT SELECT ON secret TO pg_database_owner;
	SELECT cache_namespace_create('own', scope => 'shared'), cache_namespace_grant('own', 'pg_database_owner', 'read');
	SELECT cache_namespace_grant('default', 'public', p) FROM unnest('{read,write}'::text[]) p;
	SELECT cache_set('own:k', 'x')});
for my $change (['ALTER DATABASE store OWNER TO first', 'ALTER DATABASE store OWNER TO second', 'first'],
	['ALTER DATABASE store OWNER TO second', 'REASSIGN OWNED BY second TO first', 'second'])
{
	my ($give, $take, $owner) = @$change;
	my $session = $node->background_psql('store', on_error_stop => 0);

	quickly($give);
	$session->query_safe("SET ROLE $owner");
	is($session->query(q{SELECT cache_fetch('secret', 'SELECT v FROM secret'), cache_get('own:k', '')}), '42|x', "$owner owns the database");
	quickly($take);
	$session->query(q{SELECT cache_fetch('secret', 'SELECT v FROM secret')});
	like($session->{stderr}, qr/permission denied for table secret/, "$take: then not what the owner may read");
	$session->{stderr} = '';
	$session->query(q{SELECT cache_get('own:k', '')});
	like($session->{stderr}, qr/permission denied for cache namespace/, "$take: nor a namespace of the owner");
	$session->{stderr} = '';
	$session->quit;
}

quickly('ALTER DATABASE store SET TABLESPACE pg_default');
quickly('DROP DATABASE shop');
quickly('DROP DATABASE store');
quickly('DROP DATABASE copied');
make_database('store');
is(one_value($node, q{SELECT cache_exists('a'), cache_exists('wares:a')}, 'store'), 'f|f',
	'recreated: nothing of the dropped one');
quickly('DROP DATABASE store WITH (FORCE)');

# Each round takes numbers for two namespaces; there are fewer than rounds.
for my $round (1 .. $numbers)
{
	make_database('round');
	is( one_value($node, q{
		SELECT cache_namespace_create('two');
		SELECT cache_set('x', 1), cache_set('two:x', 2);
		SELECT cache_get('x', 0), cache_get('two:x', 0)}, 'round'),
		"\n|\n1|2", "round $round: both namespaces are cached");
	is(one_value($node, 'SELECT sum(hits), sum(sets), sum(misses) FROM cache_namespaces', 'round'), '2|2|0',
		'... and count only what is theirs');
	quickly('DROP DATABASE round');
}
# one entry was made under each number; those of numbers given away are dead
ok(defined wait_until($node, "SELECT entries <= $numbers FROM cache_stats"), 'entries of databases long gone are reclaimed');
check_store($node);

# To look at namespaces takes no numbers.
make_database('seen');
$node->safe_psql('seen', "SELECT cache_namespace_create('s' || i) FROM generate_series(1, $numbers + 1) i");
is(one_value($node, "SELECT count(*), sum(entries), sum(loads) FROM $_", 'seen'), $numbers + 2 . '|0|0', "$_ shows unused namespaces")
	for q{(SELECT name, entries, loads FROM cache_namespaces) v},
	q{(SELECT n.name, 0 AS entries, s.loads FROM cache_namespace_stats s JOIN cache_namespaces n ON n.name = s.namespace) v};
is(one_value($node, "SELECT count(*), count(*) FILTER (WHERE state = 'closed') FROM cache_breakers", 'seen'),
	$numbers + 1 . '|' . ($numbers + 1), 'their breakers are closed');
is(one_value($node, 'SELECT count(*) FROM cache_misses_by_reason', 'seen'), 0, 'they have no misses');
is(one_value($node, q{SELECT cache_set('k', 1), cache_get('k', 0)}), '|1', 'nobody else has less room for that');
quickly('DROP DATABASE seen');

# More namespaces than numbers.
my $all = $numbers + 3;
$node->safe_psql('postgres', "SELECT cache_namespace_create('n' || i, scope => 'shared') FROM generate_series(1, $all) i");
is( one_value($node, qq{
	SELECT count(cache_set('n' || i || ':k', i)) FROM generate_series(1, $all) i}), $all,
	'setting in more namespaces than there are numbers fails nowhere');
my $cached = one_value($node, "SELECT count(*) FROM generate_series(1, $all) i WHERE cache_get('n' || i || ':k', 0) = i");
cmp_ok($cached, '>=', $numbers - 2, 'those with a number are cached');
cmp_ok($cached, '<=', $numbers, 'the others are not');
is( one_value($node, qq{
	SELECT count(cache_fetch('n' || i || ':f', 'SELECT \$1', ROW(i))) + count(cache_get('n' || i || ':k'))
		+ count(cache_delete('n' || i || ':none')) + count(cache_touch('n' || i || ':none', '1 s'))
		+ count(cache_incr('n' || i || ':n')) + count(cache_ttl('n' || i || ':none'))
		+ count(cache_add('n' || i || ':b', 1)) + count(cache_exists('n' || i || ':none'))
		- $cached
	FROM generate_series(1, $all) i}), 6 * $all, 'no function fails');
is(one_value($node, q{SELECT count(*) FROM cache_namespaces WHERE name <> 'default'}), $all, 'all are listed');
is(one_value($node, q{SELECT count(*) FROM cache_namespaces WHERE name <> 'default' AND entries IS NULL}), $all - $cached,
	'those that are not cached show no use');
is(one_value($node, "SELECT count(cache_clear('n' || i)) FROM generate_series(1, $all) i"), $all, 'all can be cleared');

# Counters end with a namespace, not with a change of its limits.
my $counters = q{SELECT hits, sets FROM cache_namespaces WHERE name = 'n1'};
my ($hits, $sets) = split /\|/, one_value($node, $counters);
cmp_ok($sets, '>', 1, 'a namespace has counts');
$node->safe_psql('postgres', q{SELECT cache_namespace_alter('n1', max_entries => 10); SELECT cache_set('n1:k', 1)});
is(one_value($node, $counters), "$hits|" . ($sets + 1), 'with a limit it still has them');
$node->safe_psql('postgres', q{SELECT cache_namespace_drop('n1'); SELECT cache_namespace_create('n1', scope => 'shared')});
is(one_value($node, $counters), '0|0', 'one made anew has none');
$node->safe_psql('postgres', q{SELECT cache_set('n1:k', 1)});
is(one_value($node, $counters), '0|1', '... and begins to count');

# A number that becomes free is given to one that waits for it.
$node->safe_psql('postgres', "SELECT cache_namespace_drop('n' || i) FROM generate_series(1, 4) i");
is( one_value($node, qq{
	SELECT count(cache_set('n' || i || ':k', i)) FROM generate_series(5, $all) i;
	SELECT count(*) FROM generate_series(5, $all) i WHERE cache_get('n' || i || ':k', 0) = i}),
	$all - 4 . "\n" . ($all - 4), 'after some were dropped the rest is cached');

# One that is dropped can be used until that is committed; its number is not lost.
$node->safe_psql('postgres', "SELECT cache_namespace_drop('n' || i) FROM generate_series(5, $all) i");
my $dropper = $node->background_psql('postgres');
for my $round (1 .. $numbers)
{
	$node->safe_psql('postgres', "SELECT cache_namespace_create('d$round', scope => 'shared')");
	$dropper->query_safe("BEGIN; SELECT cache_namespace_drop('d$round')");
	is(one_value($node, "SELECT cache_set('d$round:k', 1), cache_get('d$round:k', 0)"), '|1', "round $round: it is used while it is being dropped");
	$dropper->query_safe('COMMIT');
}
$dropper->quit;
is(one_value($node, q{SELECT cache_namespace_create('last', scope => 'shared'); SELECT cache_set('last:k', 1); SELECT cache_get('last:k', 0)}),
	"\n\n1", 'there are numbers for others');
check_store($node);
done_testing();
