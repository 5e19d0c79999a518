# After a clean restart the cache holds what was set and what was loaded with
# consistency "ttl", as long as it would have lived, as popular as it was; not
# what depends on tables.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('warm');
my $loaded = qr/loaded (\d+) of (\d+) dumped cache entries in/;

# Restart in some way and wait for the dump to be loaded; how many entries were.
sub warm_restart
{
	my ($code, $expired) = @_;
	my $from = -s $node->logfile;

	$node->stop('fast');
	$code->() if defined $code;
	$node->start;
	$node->wait_for_log($loaded, $from);
	my ($count, $dumped) = slurp_file($node->logfile, $from) =~ $loaded;
	is($count + ($expired // 0), $dumped, 'all that was dumped and has not expired is loaded');
	return $count;
}

$node->safe_psql('postgres', q{
	CREATE TABLE book (id int PRIMARY KEY, title text);
	INSERT INTO book VALUES (1, 'Emma');
	CREATE TYPE pair AS (a int, b text);
	CREATE ROLE app;
	SELECT cache_namespace_create('ttl', consistency => 'ttl', ttl => '1 hour', scope => 'shared'),
		cache_namespace_create('small', max_entries => 3, scope => 'shared'),
		cache_namespace_create('owned');
	CREATE FUNCTION load_book(key text) RETURNS text STABLE LANGUAGE sql AS
		$$ SELECT title FROM public.book WHERE id = split_part(key, ':', 2)::int $$;
	SELECT cache_namespace_create('loader', consistency => 'ttl', loader => 'load_book(text)');
	SELECT cache_namespace_grant(n, 'app', p) FROM unnest('{default,ttl,owned}'::text[]) n, unnest('{read,write}'::text[]) p});

my $fetch = q{SELECT cache_fetch('%s:1', 'SELECT title FROM book WHERE id = $1', ROW(1)) #>> '{}'};
$node->safe_psql('postgres', q{
	SELECT cache_set('int', 42), cache_set('null', NULL::int), cache_set('text', repeat('long', 20000)),
		cache_set('row', ROW(7, 'seven')::pair), cache_set('array', ARRAY[1.5, 2.5]),
		cache_set('tagged', 1, tags => '{color:red,plain}'), cache_set('short', 1, ttl => '1 second'),
		cache_set('soft', 1, tags => '{fades}'), cache_set('hour', 1, ttl => '1 hour'),
		cache_incr('count', 5), cache_set('gone', 1), cache_set('cleared', 1, tags => '{bye}');
	SELECT cache_set('small:' || i, i) FROM generate_series(1, 3) i;
	SELECT cache_get('small:1', 0);
	SELECT cache_expire_tag('fades'), cache_delete('gone'), cache_invalidate_tag('bye');
	SELECT cache_get('int', 0) FROM generate_series(1, 1000);
	SET ROLE app;
	SELECT cache_set('owned:1', 'of app')});
my $registered = q{SELECT cache_fetch('loader:1') #>> '{}'};
$node->safe_psql('postgres', sprintf("$fetch; $fetch; $registered", 'ttl', 'plain'));
is(one_value($node, q{SELECT sum(loads) FROM cache_namespaces WHERE name IN ('ttl', 'loader')}), '2', 'values are loaded with consistency ttl');
my $hits = one_value($node, q{SELECT (cache_entry('int')).hits});
cmp_ok($hits, '>', 100, 'an entry is popular');

my $dump = $node->data_dir . '/cachepg/shutdown.dump';
my $mode;
my $count = warm_restart(
	sub {
		$mode = sprintf('%03o', (stat $dump)[2] & 07777);
		sleep 2;
	},
	1);
is($mode, '600', 'the dump is for the server alone');
ok(!-e $dump && !-e $node->data_dir . '/cachepg/loading.dump', 'it is removed');
is($count, 15, 'as many entries as expected');
is( one_value($node, q{
	SELECT cache_get('int', 0), cache_exists('null'), cache_get('null', 5) IS NULL, length(cache_get('text', '')),
		cache_get('row', NULL::pair), cache_get('array', NULL::numeric[]), cache_get('tagged', 0), cache_get('count', 0::bigint)}),
	'42|t|t|80000|(7,seven)|{1.5,2.5}|1|5', 'what was set is there');
is(one_value($node, q{SELECT cache_exists('gone'), cache_exists('cleared')}), 'f|f', 'what was invalidated is not');
is(one_value($node, q{SELECT cache_exists('short')}), 'f', 'what expired meanwhile is not');
is(one_value($node, q{SELECT cache_ttl('hour') BETWEEN '59 minutes' AND '59 minutes 58 seconds'}), 't', 'time spent down counts');
is(one_value($node, q{SELECT (cache_entry('hour')).age >= '2 seconds'}), 't', 'as age, too');
is(one_value($node, q{SELECT (cache_entry('soft')).state, (cache_entry('hour')).state}), 'stale|fresh', 'what was expired by tag stays stale');
is(one_value($node, q{SELECT (cache_entry('int')).hits}), $hits + 0, 'popularity is kept');
is(one_value($node, q{SELECT hits || ' hits, ' || sets || ' sets' FROM cache_stats}), '7 hits, 0 sets', 'counters began anew');
is(one_value($node, sprintf($fetch, 'ttl')), 'Emma', 'the loaded value is right');
is(one_value($node, q{SELECT hits, loads FROM cache_namespaces WHERE name = 'ttl'}), '1|0', 'and was not loaded again');
is(one_value($node, $registered), 'Emma', 'that of a registered loader, too');
is(one_value($node, q{SELECT hits, loads FROM cache_namespaces WHERE name = 'loader'}), '1|0', 'and was not loaded again');
is(one_value($node, q{SELECT count(*) FROM cache_entries WHERE key = 'plain:1'}), '0', 'what depends on tables is not there');
is(one_value($node, q{SELECT cache_get('owned:1', '')}), '', 'an entry of a role is not for another');
is(one_value($node, q{SET ROLE app; SELECT cache_get('owned:1', '')}), 'of app', 'but for the same one');
is(one_value($node, q{SELECT cache_set('small:4', 4); SELECT cache_get('small:1', 0), cache_get('small:2', 0), cache_get('small:3', 0)}),
	"\n1|0|3", 'recency in a namespace with limits is kept');
is(one_value($node, q{SELECT cache_invalidate_tag('plain'); SELECT cache_exists('tagged')}), "\nf", 'tags work');
check_store($node);

# Nothing that was invalidated comes back, and again and again.
warm_restart();
is(one_value($node, q{SELECT cache_exists('tagged'), cache_get('int', 0)}), 'f|42', 'a second restart');
$node->safe_psql('postgres', q{SELECT cache_invalidate('int'), cache_clear('owned')});
warm_restart();
is(one_value($node, q{SELECT cache_get('int', 0)}), '0', 'an invalidated key');
is(one_value($node, q{SET ROLE app; SELECT cache_get('owned:1', '')}), '', 'a cleared namespace');

# A namespace that is dropped, or made again, has no entries of before.
$node->safe_psql('postgres', q{
	SELECT cache_set('small:9', 9), cache_set('ttl:9', 9);
	SELECT cache_namespace_drop('small'), cache_namespace_drop('ttl');
	SELECT cache_namespace_create('ttl', scope => 'shared')});
warm_restart();
is(one_value($node, q{SELECT cache_get('ttl:9', 0)}), '0', 'another namespace of the name');

# A shape that changes is a miss.
$node->safe_psql('postgres', q{ALTER TYPE pair ADD ATTRIBUTE c int});
warm_restart();
is(one_value($node, q{SELECT cache_get('row', NULL::pair) IS NULL}), 't', 'a changed type');

# Other settings of memory and eviction; less memory takes what fits.
$node->safe_psql('postgres', q{SELECT cache_set('m' || i, repeat('x', 10000)) FROM generate_series(1, 800) i});
my $from = -s $node->logfile;
$node->stop;
$node->append_conf('postgresql.conf', "cachepg.memory = '4MB'\ncachepg.eviction = 'lru'\ncachepg.max_namespaces = 16");
$node->start;
$node->wait_for_log($loaded, $from);
my ($kept, $dumped) = slurp_file($node->logfile, $from) =~ $loaded;
cmp_ok($kept, '<', $dumped, 'a smaller memory takes what fits');
cmp_ok($kept, '>', 50, 'but fills itself');
check_store($node);

# Switched off, nothing is written and what is there is not used.
$node->stop;
$node->append_conf('postgresql.conf', 'cachepg.dump = off');
ok(-e $dump, 'there is a dump');
$node->start;
ok(!-e $dump, 'with cachepg.dump = off it is removed');
is(one_value($node, 'SELECT count(*) FROM cache_entries'), '0', 'and not loaded');
$node->safe_psql('postgres', q{SELECT cache_set('a', 1)});
$node->stop;
ok(!-e $dump, 'and none is written');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal|is ignored|could not (?!send data to client)/, 'nothing went wrong');
done_testing();
