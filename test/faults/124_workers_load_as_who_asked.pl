# What a worker loads is what the session that asked would have loaded: as its
# role, with its settings and its arguments, whatever their types are.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('identities');

$node->safe_psql('postgres', q{
	CREATE ROLE asks NOLOGIN;
	CREATE ROLE owns NOLOGIN;
	GRANT CREATE ON DATABASE postgres TO owns;
	GRANT EXECUTE ON FUNCTION cache_namespace_create, cache_namespace_grant TO owns;
	SELECT cache_namespace_create('w', ttl => '1 hour', breaker => false);
	SELECT cache_namespace_grant('w', 'asks', 'read'), cache_namespace_grant('w', 'asks', 'write'), cache_namespace_grant('w', 'asks', 'invalidate');
	CREATE SEQUENCE tick MINVALUE 0;
	GRANT SELECT ON tick TO PUBLIC;
	CREATE SCHEMA one;
	CREATE SCHEMA two;
	GRANT USAGE ON SCHEMA one, two TO asks;
	CREATE TABLE one.place AS SELECT 'one' AS name;
	CREATE TABLE two.place AS SELECT 'two' AS name;
	GRANT SELECT ON one.place, two.place TO asks;
	CREATE TABLE rows (owner name, v integer);
	INSERT INTO rows VALUES ('asks', 1), ('owns', 2);
	ALTER TABLE rows ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON rows USING (owner = current_user);
	GRANT SELECT ON rows TO asks;
	CREATE TYPE pair AS (a integer, b text);
	CREATE TYPE mood AS ENUM ('sad', 'glad');
	CREATE DOMAIN small AS integer CHECK (VALUE < 10);
});

my $s = session($node);

# The query of a value, with the sequence as its last column: what a session
# loads, and what a worker loads after that, are the same but for the sequence.
sub refreshed_is_same
{
	my ($name, $query, $args) = @_;
	my $key = 'w:' . ($name =~ s/\W+/_/gr);
	my $fetch = "SELECT cache_fetch('$key', \$q\$ SELECT *, (SELECT last_value FROM public.tick) AS tick FROM ($query) AS q \$q\$, args => $args)";
	my $first = run($s, $fetch);
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	my $refreshes = one_value($node, q{SELECT refreshes_changed FROM cache_namespace_stats WHERE namespace = 'w'});
	like($first, qr/"tick": \d+/, "$name: loaded");
	$node->safe_psql('postgres', q{SELECT setval('tick', (SELECT last_value + 1 FROM tick))});
	is(run($s, "SELECT cache_expire('$key')"), 't', "$name: due");
	is(run($s, $fetch), $first, "$name: the old value");
	ok(wait_until($node, "SELECT refreshes_changed = $refreshes + 1 FROM cache_namespace_stats WHERE namespace = 'w'"), "$name: a worker loaded");
	my $second = run($s, $fetch);
	my ($one, $two) = map { /"tick": (\d+)/ } $first, $second;
	is($two, $one + 1, "$name: the worker's value is served");
	return is($second =~ s/"tick": \d+/"tick": $one/r, $first, "$name: and is the same");
}

# Types of arguments.
my %args = (
	'numbers' => ['SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, pg_typeof($3) AS t', 'ROW(1, 2::bigint, 3.140::numeric, 1.5::float8)'],
	'texts' => [q{SELECT $1 AS a, $2 AS b, $3 AS c, $4::"char" AS d, $5 AS e}, q{ROW('t'::text, repeat('long ', 500), 'n'::name, 'c'::"char", 'bc'::char(5))}],
	'nulls' => ['SELECT $1 IS NULL AS a, $2 IS NULL AS b, $3 IS NULL AS c, $4 AS d', 'ROW(NULL::text, NULL::int[], NULL::bigint, true)'],
	'documents' => ['SELECT $1 AS a, $2 AS b, $3::text AS c', q{ROW('{"a": [1, null, "x"]}'::jsonb, '{"b":  1}'::json, '<a/>'::xml)}],
	'arrays' => ['SELECT $1 AS a, $2 AS b, $3 AS c', q{ROW(ARRAY[1, NULL, 3], ARRAY['a', NULL, 'long' || repeat('x', 300)], ARRAY[[1.5, 2], [3, 4]])}],
	'times' => ['SELECT $1 AS a, $2 AS b, $3 AS c', q{ROW('2020-02-29'::date, '2020-02-29 12:00+02'::timestamptz, '1 month 2 s'::interval)}],
	'own types' => ['SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d', q{ROW(ROW(1, 'x')::pair, 'glad'::mood, 7::small, int4range(1, 5))}],
	'unknown literals' => [q{SELECT $1::int + 1 AS a, $2 || 'x' AS b, $3::int IS NULL AS c}, q{ROW('41', 'y', NULL)}],
	'text form' => [q{SELECT $1::int + 1 AS a, $2 || 'x' AS b, $3::date AS c, $4::int IS NULL AS d}, q{ARRAY['41', 'y', '2020-02-29', NULL]}],
	'no arguments' => ['SELECT 1 AS a', 'NULL::text[]'],
);
refreshed_is_same($_, $args{$_}[0], $args{$_}[1]) for sort keys %args;

# Types of values: that of a worker is the same, byte for byte.
my $unchanged = 0;
for my $value ('1', q{'text'::text}, 'NULL::int', '3.140::numeric', '1.5::float8', 'true', q{'2020-02-29'::date}, 'ARRAY[1, NULL]',
	q{'{"a": [1, null]}'::jsonb}, q{'{"b":  1}'::json}, q{ROW(1, 'x')::pair}, q{'glad'::mood}, q{'\x0041'::bytea}, q{repeat('long', 5000)},
	q{'x'::"char"}, '7::small', '1 AS a, 2 AS b', '1 WHERE false')
{
	my $fetch = "SELECT cache_fetch('w:value', \$q\$ SELECT $value \$q\$, ttl => '1 hour')";
	my $first = run($s, $fetch);

	is(run($s, q{SELECT cache_expire('w:value')}), 't', "$value: due");
	is(run($s, $fetch), $first, "$value: the old one");
	$unchanged++;
	ok(wait_until($node, "SELECT refreshes_unchanged = $unchanged FROM cache_namespace_stats WHERE namespace = 'w'"), "$value: loaded, the same");
	is(run($s, $fetch), $first, "$value: and served");
}

# Role and settings; the role cannot log in.
my $session = q{SELECT current_user AS u, current_setting('TimeZone') AS z, current_setting('app.tenant', true) AS tenant,
	current_setting('DateStyle') AS style, '2020-02-29 12:00+00'::timestamptz::text AS t, '2020-02-29'::date::text AS d,
	(SELECT name FROM place) AS place, (SELECT sum(v) FROM public.rows) AS rows, 0.1::float8 + 0.2 AS f, '\x41'::bytea::text AS b};
for my $round (['one', 'Asia/Tokyo', 'SQL, DMY', "it's 1"], ['two', 'America/Lima', 'German', 'b'])
{
	my ($schema, $zone, $style, $tenant) = @$round;

	$tenant =~ s/'/''/g;
	run($s, "SET ROLE asks; SET search_path = $schema, public; SET TimeZone = '$zone'; SET DateStyle = '$style';
		SET app.tenant = '$tenant'; SET extra_float_digits = -5; SET bytea_output = escape");
	refreshed_is_same("settings $schema", $session, 'NULL::text[]');
	like(run($s, "SELECT cache_get('w:settings_$schema')"), qr/"u": "asks".*"rows": 1.*"place": "$schema"/, 'of that role and path');
	run($s, 'RESET ALL; RESET ROLE');
}

# A registered loader runs as the owner, whoever asks, with the settings named.
$node->safe_psql('postgres', q{
	SET ROLE owns;
	CREATE SCHEMA owned;
	CREATE TABLE owned.t AS SELECT 'owned' AS name;
	CREATE FUNCTION owned.load(key text) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		RETURN jsonb_build_object('u', current_user, 'key', key, 'name', (SELECT name FROM owned.t), 'zone', current_setting('TimeZone'),
			'tenant', current_setting('app.tenant', true), 'tick', (SELECT last_value FROM public.tick));
	END $$;
	SELECT cache_namespace_create('r', scope => 'shared', loader => 'owned.load', vary_by => '{app.tenant}', ttl => '1 hour', breaker => false);
	SELECT cache_namespace_grant('r', 'asks', 'read'), cache_namespace_grant('r', 'asks', 'invalidate');
});
run($s, q{SET ROLE asks; SET TimeZone = 'Asia/Tokyo'; SET app.tenant = 'x'});
my $first = run($s, q{SELECT cache_fetch('r:1') - 'tick'});
like($first, qr/"u": "owns"/, 'a registered loader is the owner');
like($first, qr/"tenant": "x"/, 'and sees what vary_by names');
$node->safe_psql('postgres', q{SELECT setval('tick', 1000)});
run($s, q{SELECT cache_expire('r:1')});
is(run($s, q{SELECT cache_fetch('r:1') - 'tick'}), $first, 'the old value');
ok(wait_until($node, q{SELECT refreshes_changed = 1 FROM cache_namespace_stats WHERE namespace = 'r'}), 'a worker loaded');
is(run($s, q{SELECT cache_fetch('r:1') - 'tick', cache_fetch('r:1') -> 'tick'}), "$first|1000", 'the same, but for the sequence');

# Who logged in is the same in a worker.
my $login = q{SELECT cache_fetch('w:login', 'SELECT session_user || (SELECT last_value FROM public.tick)')};
run($s, 'RESET ROLE');
like(run($s, $login), qr/^"\w+1000"$/, 'a value of who logged in');
my $changed = one_value($node, q{SELECT refreshes_changed FROM cache_namespace_stats WHERE namespace = 'w'});
$node->safe_psql('postgres', q{SELECT setval('tick', 1001)});
run($s, q{SELECT cache_expire('w:login')});
like(run($s, $login), qr/^"\w+1000"$/, 'the old value');
ok(wait_until($node, q{SELECT refreshes_changed > $changed FROM cache_namespace_stats WHERE namespace = 'w'} =~ s/\$changed/$changed/r), 'a worker loaded it');
is(run($s, $login), '"' . one_value($node, 'SELECT session_user') . '1001"', 'for the same login');

# A worker cannot do more than who asked.
$node->safe_psql('postgres', q{
	CREATE TABLE secret AS SELECT 'secret' AS v;
	GRANT SELECT ON secret TO asks;
});
run($s, 'SET ROLE asks');
my $secret = q{SELECT cache_fetch('w:secret', 'SELECT v FROM secret')};
is(run($s, $secret), '"secret"', 'who may read');
$node->safe_psql('postgres', q{REVOKE SELECT ON secret FROM asks});
like(run($s, $secret), qr/permission denied for table secret/, 'and may not any more');
is(one_value($node, q{SELECT refreshes_failed + refreshes_wasted FROM cache_namespace_stats WHERE namespace = 'w'}), 0, 'nothing was in vain');

close_session($s);
check_store($node);
$node->stop;
done_testing();
