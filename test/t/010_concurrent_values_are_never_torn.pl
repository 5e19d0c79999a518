# 16 sessions do everything at once for half a minute (CPG_SECONDS).  Each value
# says for which key it was written and carries its own checksum, and every read
# verifies both: a value is whole and of its key, or there is none.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = seconds_for(30);
my $clients = 16;

my $node = new_cluster('torn', 'cachepg.memory' => '32MB', 'cachepg.janitor_interval' => '10ms');

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('shared', scope => 'shared');
	SELECT cache_namespace_create('bounded', max_entries => 50);
	SELECT cache_namespace_create('bytes', max_bytes => 1000000, jitter => 0.5);
	CREATE TABLE torn (key text, problem text);
	CREATE TYPE sealed AS (key text, sum text, body bytea);

	-- Kinds of namespaces that keys are spread over.
	CREATE FUNCTION some_key(n int) RETURNS text LANGUAGE sql AS $$
		SELECT ('{k,shared:k,bounded:k,bytes:k,passing:k}'::text[])[1 + n % 5] || n $$;

	-- Sizes from 1 byte to 300 kB, small and large equally often.
	CREATE FUNCTION some_size() RETURNS int LANGUAGE sql VOLATILE AS $$
		SELECT ceil(exp(random() * ln(300000)))::int $$;

	-- A body in which no two places are alike for long, so that a mix of two shows.
	CREATE FUNCTION some_body() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		size int := some_size();
		unit text := md5(random()::text) || md5(random()::text);
	BEGIN
		RETURN left(repeat(unit, size / 64 + 1), size);
	END $$;

	CREATE FUNCTION seal(key text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		body text := some_body();
	BEGIN
		RETURN key || '|' || md5(body) || '|' || body;
	END $$;

	CREATE FUNCTION seal_row(key text) RETURNS sealed LANGUAGE plpgsql AS $$
	DECLARE
		body text := some_body();
	BEGIN
		RETURN ROW(key, md5(convert_to(body, 'UTF8')), convert_to(body, 'UTF8'))::sealed;
	END $$;

	CREATE FUNCTION verify(asked text, value text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		body text;
	BEGIN
		IF value IS NULL THEN RETURN; END IF;
		body := substr(value, length(asked) + 35);
		IF split_part(value, '|', 1) <> asked OR split_part(left(value, 700), '|', 2) <> md5(body) THEN
			INSERT INTO torn VALUES (asked, left(value, 100));
		END IF;
	END $$;

	CREATE FUNCTION verify_row(asked text, value sealed) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF (value).key IS NOT NULL AND ((value).key <> asked OR (value).sum <> md5((value).body)) THEN
			INSERT INTO torn VALUES (asked, 'row');
		END IF;
	END $$;

	CREATE FUNCTION reads(n int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		k text := some_key(n);
		many text[] := ARRAY(SELECT some_key((n + i) % 3000) FROM generate_series(0, 9) i);
	BEGIN
		PERFORM verify(k, cache_get(k, NULL::text));
		PERFORM verify_row(k || 'row', cache_get(k || 'row', NULL::sealed));
		PERFORM verify(g.key, g.value #>> '{}') FROM cache_get_many(many) g;
		PERFORM cache_ttl(k), cache_exists(k), cache_entry(k);
	END $$;

	CREATE FUNCTION writes(n int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		k text := some_key(n);
	BEGIN
		PERFORM cache_set(k, seal(k), make_interval(secs => 0.05 + random() * 20));
		PERFORM cache_set(k || 'row', seal_row(k || 'row'));
		PERFORM cache_add(some_key(n + 1), seal(some_key(n + 1)));
		PERFORM cache_replace(some_key(n + 2), seal(some_key(n + 2)));
		PERFORM cache_incr('count' || n % 20), cache_incr('bounded:count' || n % 20);
		PERFORM cache_touch(some_key(n + 3), '10 s');
		PERFORM cache_set_many(ARRAY[some_key(n + 4), some_key(n + 5)],
			ARRAY[seal(some_key(n + 4)), seal(some_key(n + 5))]);
	END $$;

	CREATE FUNCTION removes(n int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM cache_delete(some_key(n)), cache_delete(some_key(n) || 'row');
		IF n % 100 = 0 THEN
			PERFORM cache_clear('bounded');
		END IF;
	END $$;

	-- Namespaces change all the time; that two sessions want the same is no fault.
	CREATE FUNCTION ddl(n int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		CASE n % 5
			WHEN 0 THEN PERFORM cache_namespace_create('passing', ttl => '10 s', scope => 'shared');
			WHEN 1 THEN PERFORM cache_namespace_drop('passing');
			WHEN 2 THEN PERFORM cache_namespace_alter('passing', max_entries => 1 + n % 40);
			WHEN 3 THEN PERFORM cache_namespace_alter('bounded', max_entries => 30 + n % 40);
			ELSE PERFORM cache_clear('shared');
		END CASE;
	EXCEPTION WHEN duplicate_object OR undefined_object THEN
		NULL;
	END $$;

	CREATE FUNCTION fetches(n int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		k text := some_key(n) || 'fetch';
		loaded jsonb := cache_fetch(k, 'SELECT seal($1)', ROW(k), '5 s');
	BEGIN
		PERFORM verify(k, loaded #>> '{}');
	END $$});

my $script = "\\set n random(1, 3000)\nSELECT %s(:n);\n";
my %weight = (reads => 40, writes => 25, removes => 10, fetches => 20, ddl => 1);
my $load = start_load($node, $seconds, $clients, map { sprintf($script, $_) => $weight{$_} } sort keys %weight);

# Meanwhile: samples of memory, walks over all entries, the checker.
my ($samples, $over, $unsound) = (0, '', '');
while ($load->{run}->pumpable)
{
	my ($memory, $used, $free) = split /\|/, one_value($node, 'SELECT memory, entry_bytes, free_bytes FROM cache_stats');

	$over .= "$used of $memory\n" if $used > $memory || $free < 0 || $free > $memory;
	$unsound .= one_value($node, 'SELECT * FROM cachepg_check()');
	one_value($node, 'SELECT count(*), sum(bytes) FROM cache_entries');
	$samples++;
	$load->{run}->pump_nb;
}
my ($status, $done, $err) = finish_load($load);

is($status, 0, 'no session failed') or diag($err);
unlike($err, qr/error|aborted/i, 'no statement failed');
cmp_ok($done, '>', 20 * $seconds, 'work was done');
cmp_ok($samples, '>', $seconds / 5, 'samples were taken');
note("$done transactions, $samples samples");
is($over, '', 'the budget was kept at every sample');
is($unsound, '', 'the store was sound at every sample');
is(one_value($node, 'SELECT count(*) FROM torn'), '0', 'no torn value, none of another key')
  or diag(one_value($node, 'SELECT * FROM torn LIMIT 5'));
check_store($node);

# The test has tested something.
is( one_value($node, q{
	SELECT string_agg(name, ' ' ORDER BY name) FROM cache_namespaces WHERE (hits = 0 OR sets = 0) AND name <> 'passing'}),
	'', 'all namespaces were hit and written');
cmp_ok(one_value($node, 'SELECT evictions FROM cache_stats'), '>', 1000, 'memory was full');
cmp_ok(one_value($node, 'SELECT hits FROM cache_stats'), '>', 1000, 'there were hits');
cmp_ok(one_value($node, q{SELECT count(*) FROM cache_entries WHERE bytes > 100000}), '>', 10, 'large values among them');
is( one_value($node, q{
	SELECT count(verify(key, cache_get(key, NULL::text)))
	FROM cache_entries WHERE type = 'text'::regtype;
	SELECT count(*) FROM torn}) =~ /^\d+\n0$/ ? 'whole' : 'torn', 'whole', 'all that is left is whole');

# And the checks work: a value that is not whole is found.
is( one_value($node, q{
	SELECT verify('k1', 'k1|' || md5('body') || '|bodY');
	SELECT verify('k2', 'k1|' || md5('body') || '|body');
	SELECT verify('k1', 'k1|' || md5('body') || '|body');
	SELECT verify_row('k1', ROW('k1', md5('a'), 'b'::bytea)::sealed);
	SELECT count(*) FROM torn}) =~ /3$/ ? 'found' : 'missed', 'found', 'a torn value would have been found');
done_testing();
