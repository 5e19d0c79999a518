# The second level on one server: values that this server has dropped come back
# from Redis, but never one that a commit made invalid, whatever Redis keeps.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use RedisServer;
use Test::More;

my $redis = start_redis();
my $node = new_cluster(
	'level2',
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.server_name' => 'a',
	'cachepg.bus_heartbeat' => '100ms');

sub sql
{
	return $node->safe_psql('postgres', join '; ', @_);
}

# Until Redis has a key like this.
sub in_redis
{
	my ($key) = @_;

	for (1 .. 200)
	{
		return 1 if redis($redis, 'KEYS', $key) ne '';
		Time::HiRes::sleep(0.02);
	}
	return 0;
}

sub redis_keys
{
	my ($pattern) = @_;
	my $found = '';

	for (1 .. 200)
	{
		last if ($found = redis($redis, 'KEYS', $pattern)) ne '';
		Time::HiRes::sleep(0.02);
	}
	return $found;
}

# Until what Redis has under a key looks like this.
sub wait_content
{
	my ($key, $pattern) = @_;

	for (1 .. 200)
	{
		return if redis($redis, 'GET', $key) =~ $pattern;
		Time::HiRes::sleep(0.02);
	}
	die "Redis did not get $key";
}

# Bring an old value back, when the newer one is there.
sub wait_copy
{
	my ($from, $to) = @_;
	my $old = redis($redis, 'GET', $from);

	for (1 .. 200)
	{
		last if redis($redis, 'GET', $to) ne $old;
		Time::HiRes::sleep(0.02);
	}
	redis($redis, 'COPY', $from, $to, 'REPLACE');
	return;
}

# Namespaces that keep one entry: the next one evicts it.
sub evict
{
	return sql(q{SELECT cache_set('s:other', 0)}, q{SELECT cache_set('mine:other', 0)});
}

# What a query gives, and how many more of something it makes, in one session.
sub watched
{
	my ($what, $query) = @_;
	my $stat = qq{SELECT 'stat ' || $what FROM cache_namespace_stats WHERE namespace = 's'};
	my $out = sql($stat, $query, $stat);
	my ($before, $result, $after) = $out =~ /^stat (\d+)\n(.*)\nstat (\d+)$/s;

	return ($result, $after - $before);
}

my $fetch = q{SELECT cache_fetch('s:fetched', 'SELECT name FROM item WHERE id = $1', ROW(1)) #>> '{}'};

sql(q{CREATE TABLE item (id int PRIMARY KEY, name text)}, q{INSERT INTO item VALUES (1, 'one'), (2, 'two')},
	q{SELECT cache_namespace_create('s', scope => 'shared', adhoc => 'shared', max_entries => 1)},
	q{SELECT cache_namespace_create('mine', max_entries => 1)},
	q{SELECT cache_namespace_create('only', l2 => false)});
my $plain = 'cachepg:default:v:postgres:';

# what was set
sql(q{SELECT cache_set('s:set', '{"a": [1, 2]}'::jsonb)});
ok(in_redis("${plain}s:set"), 'a committed set is in Redis');
like(redis($redis, 'GET', "${plain}s:set"), qr/\{"a": \[1, 2\]\}/, '... as JSON');
sql(q{BEGIN}, q{SELECT cache_set('s:rolled', 1)}, q{ROLLBACK}, q{SELECT cache_set('only:x', 1)},
	q{SELECT cache_set('s:after', 1)});
ok(in_redis("${plain}s:after"), 'a later one is');
is(redis($redis, 'EXISTS', "${plain}s:rolled"), '0', 'one that was rolled back is not');
is(redis($redis, 'EXISTS', "${plain}only:x"), '0', 'nor one of a namespace without l2');


# evicted here, and back
evict();
is_deeply([ watched('l2_hits', q{SELECT cache_get('s:set')}) ], [ '{"a": [1, 2]}', 1 ], 'an evicted value is back, from Redis');
is_deeply([ watched('l2_hits', q{SELECT cache_get('s:set')}) ], [ '{"a": [1, 2]}', 0 ], '... and kept here');

# what was loaded
is(sql($fetch), 'one', 'a query loads');
my ($key) = grep { /s:fetched#/ } split /\n/, redis_keys('*s:fetched*');
ok($key, 'a loaded value is in Redis under its identity');
evict();
is_deeply([ watched('loads', $fetch) ], [ 'one', 0 ], 'evicted, it is back without a load');

# what a commit made invalid, whatever Redis says
redis($redis, 'COPY', $key, 'saved');
sql(q{UPDATE item SET name = 'uno' WHERE id = 1});
evict();
is_deeply([ watched('l2_refused', $fetch) ], [ 'uno', 1 ], 'after an update what is in Redis is refused');
wait_copy('saved', $key);
evict();
is(sql($fetch), 'uno', 'an old value that comes back to life in Redis is refused');

for my $case (
	[ 'its key', q{SELECT cache_invalidate('s:set')} ],
	[ 'its tag', q{SELECT cache_invalidate_tag('s:tag')} ],
	[ 'its namespace', q{SELECT cache_clear('s')} ],
	[ 'a deletion', q{SELECT cache_delete('s:set')} ],
	[ 'expiring its key', q{SELECT cache_expire('s:set')} ],
	[ 'expiring its tag', q{SELECT cache_expire_tag('s:tag')} ])
{
	my ($what, $statement) = @$case;

	sql(q{SELECT cache_set('s:set', '"kept"'::jsonb, tags => ARRAY['s:tag'])});
	wait_content("${plain}s:set", qr/kept/);
	redis($redis, 'COPY', "${plain}s:set", 'saved', 'REPLACE');
	evict();
	is(sql(q{SELECT cache_get('s:set')}), '"kept"', "before $what is invalidated it is there");
	sql($statement);
	redis($redis, 'COPY', 'saved', "${plain}s:set", 'REPLACE');
	evict();
	is(sql(q{SELECT cache_get('s:set')}), '', "after $what it is not");
}

# counters and lifetimes change in place
sql(q{SELECT cache_set('s:counter', 5)});
wait_content("${plain}s:counter", qr/5/);
sql(q{SELECT cache_incr('s:counter')});
evict();
is(sql(q{SELECT cache_get('s:counter', 0)}), '0', 'what was before an increment is not taken from Redis');

# for whom it is
sql(q{CREATE ROLE other}, q{SELECT cache_namespace_grant('mine', 'other', 'read')}, q{SELECT cache_set('mine:x', 1)});
evict();
is(sql(q{SELECT cache_get('mine:x', 0)}), '1', 'a role gets its own value back');
is(sql('SET ROLE other', q{SELECT cache_get('mine:x', 0)}), "0", 'another role does not get it');

# a namespace that comes, goes, and comes again
sql(q{SELECT cache_set('late:x', 'of the default namespace')});
ok(in_redis("${plain}late:x#*"), 'a value of the default namespace is in Redis');
sql(q{SELECT cache_namespace_create('late')});
is(sql(q{SELECT cache_get('late:x', 'absent')}), 'absent', 'a namespace does not take what was not its own');
sql(q{SELECT cache_set('late:y', 'of the first')});
ok(in_redis("${plain}late:y#*"), 'its values are in Redis');
sql(q{SELECT cache_namespace_drop('late')});
is(sql(q{SELECT cache_get('late:y', 'absent')}), 'absent', '... not found when it is gone');
sql(q{SELECT cache_namespace_create('late')});
is(sql(q{SELECT cache_get('late:y', 'absent')}), 'absent', '... or back');

# another database
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{CREATE EXTENSION cachepg; SELECT cache_namespace_create('s', scope => 'shared')});
sql(q{SELECT cache_set('s:mine', 1)});
wait_content("${plain}s:mine", qr/./);
is($node->safe_psql('other', q{SELECT cache_get('s:mine', 0)}), '0', 'another database has values of its own');
redis($redis, 'COPY', "${plain}s:mine", 'cachepg:default:v:other:s:mine');
is($node->safe_psql('other', q{SELECT cache_get('s:mine', 0)}), '0', '... also if a frame of this one gets there');

# what others write
sql(q{SELECT cache_set('s:b', 2)});
wait_content("${plain}s:b", qr/./);
redis($redis, 'COPY', "${plain}s:b", "${plain}s:a", 'REPLACE');
is(sql(q{SELECT cache_get('s:a', 0)}), '0', 'a frame of another key is refused');
for my $garbage ('', 'x', 'CPGF', "CPGF\x01j" . 'x' x 200)
{
	redis($redis, 'SET', "${plain}s:a", $garbage, 'PX', 100000);
	is(sql(q{SELECT cache_get('s:a', 0)}), '0', length($garbage) . ' bytes of garbage are refused');
}
redis($redis, 'LPUSH', "${plain}s:list", 1);
is(sql(q{SELECT cache_get('s:list', 0)}), '0', 'a key of another type is a miss');

# Redis away
evict();
stop_redis($redis);
is(sql(q{SELECT cache_get('s:b', 0)}), '0', 'without Redis it is a miss');
is(sql($fetch), 'uno', '... or a load');
restart_redis($redis);
sql(q{SELECT cache_set('s:c', 3)});
ok(in_redis("${plain}s:c"), 'back, it gets values again');

# a database that gets the name of another
$node->safe_psql('postgres', $_) for 'CREATE DATABASE shop', 'CREATE DATABASE stock';
for my $database (qw(shop stock))
{
	$node->safe_psql($database, q{CREATE EXTENSION cachepg; SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)});
	$node->safe_psql($database, "SELECT cache_set('s:whose', '$database'::text); SELECT cache_set('s:other', 1)");
	ok(in_redis("cachepg:default:v:$database:s:whose"), "a value of $database is in Redis");
}
$node->safe_psql('postgres', $_) for 'ALTER DATABASE shop RENAME TO store', 'ALTER DATABASE stock RENAME TO shop';
is($node->safe_psql('shop', q{SELECT cache_get('s:whose', 'absent')}), 'absent', 'the next of that name does not take it');
$node->safe_psql('postgres', $_) for 'DROP DATABASE shop', 'DROP DATABASE store';

# a role that gets the name of another
$node->safe_psql('postgres', $_) for 'CREATE ROLE one', 'CREATE ROLE two', 'GRANT one, two TO postgres';
sql(q{SELECT cache_namespace_grant('mine', r, p) FROM unnest('{one,two}'::text[]) r, unnest('{read,write}'::text[]) p});
for my $role (qw(two one))
{
	sql("SET ROLE $role", "SELECT cache_set('mine:whose', '$role'::text), cache_set('mine:other', 1)");
	ok(in_redis("${plain}mine:whose#*"), "a value of $role is in Redis");
}
my $whose = q{SELECT cache_get('mine:whose', 'absent')};
is(sql(q{SET ROLE one}, $whose), 'one', 'a role finds its own value');
evict();
sql(q{ALTER ROLE one RENAME TO old}, q{ALTER ROLE two RENAME TO one});
is(sql(q{SET ROLE one}, $whose), 'absent', 'the next of a name does not take what was of the last');
sql(q{DROP OWNED BY old, one}, q{SELECT cache_namespace_revoke('mine', r, p) FROM unnest('{old,one}'::text[]) r, unnest('{read,write}'::text[]) p}, q{DROP ROLE old, one});

# what comes with a type runs as its owner: the check knows who runs it
$node->safe_psql('postgres', $_) for 'CREATE ROLE mallory', 'GRANT CREATE ON SCHEMA public TO mallory',
	q{SELECT cache_namespace_grant('s', 'mallory', 'write')};
sql(q{SET ROLE mallory}, q{CREATE FUNCTION is_mallory(int) RETURNS boolean LANGUAGE sql AS $$SELECT current_user = 'mallory'$$},
	q{CREATE DOMAIN trap AS int CHECK (is_mallory(VALUE))}, q{SELECT cache_set('s:trap', 7::trap)});
ok(in_redis("${plain}s:trap"), 'a value with code is in Redis');
evict();
is(watched('l2_hits', q{SELECT cache_get('s:trap')}), 1, 'its check runs as the owner of the type');
is(sql(q{SELECT cache_get('s:trap')}), '7', '... whoever reads it');
sql(q{DROP OWNED BY mallory}, q{SELECT cache_namespace_revoke('s', 'mallory', 'write')}, q{DROP ROLE mallory});

# many at once: few round trips, and each as valid as it would be alone
sql(map { "SELECT cache_set('s:many$_', $_)" } 1 .. 70);
is((scalar grep { in_redis("${plain}s:many$_") } 1 .. 70), 70, 'many values are in Redis');
redis($redis, 'COPY', "${plain}s:many7", 'kept');
sql(q{SELECT cache_set('s:many7', 0), cache_invalidate('s:many8')});
wait_copy('kept', "${plain}s:many7");
evict();
# a set makes others of its cell seem invalid, too
my $many = q{SELECT count(*) >= 60, bool_and('s:many' || (value #>> '{}') = key), bool_or(key IN ('s:many7', 's:many8')) FROM cache_get_many(
	ARRAY(SELECT 's:many' || i FROM generate_series(1, 70) i) || ARRAY[NULL, 's:nothing', 's:many1'])};
my ($many_found, $many_hits) = watched('l2_hits', $many);
is($many_found, 't|t|f', 'many come from Redis, but for those that are not valid');
cmp_ok($many_hits, '>=', 60, '... as counted');
evict();
my $calls = sql(q{SELECT calls FROM cache_redis_nodes}, $many, q{SELECT calls FROM cache_redis_nodes});
my ($calls_before, $calls_after) = $calls =~ /^(\d+)\n.*\n(\d+)$/;
# some of them are the broadcaster's
cmp_ok($calls_after - $calls_before, '<', 20, 'in few round trips');
my @numbers = sql(q{SELECT key FROM cache_get_many(ARRAY(SELECT 's:many' || i FROM generate_series(70, 1, -1) i))}) =~ /(\d+)/g;
is("@numbers", join(' ', sort { $b <=> $a } @numbers), 'in the order of the keys');

# a new life of the server
sql(q{SELECT cache_set('s:old', 1)});
ok(in_redis("${plain}s:old"), 'a value of this life is in Redis');
# not a clean restart, which keeps what was set
$node->stop('immediate');
$node->start;
is(sql(q{SELECT cache_get('s:old', 0)}), '0', 'the next life does not take it');

check_store($node);
$node->stop;
done_testing();
