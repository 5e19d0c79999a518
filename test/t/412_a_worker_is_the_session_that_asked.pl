# What a worker loads is what the session that asked would have loaded: PL/pgSQL,
# whose expressions nobody sees, reads the same login and role, the same settings,
# and nothing that ALTER ROLE or ALTER DATABASE gave to the worker.  A plan that is
# kept is its role's.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;

my $node = new_cluster('sessions');
my $superuser = one_value($node, 'SELECT session_user');

$node->safe_psql('postgres', qq{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	SELECT cache_namespace_create('n', ttl => '1 hour', breaker => false);
	SELECT cache_namespace_grant('n', r, p) FROM unnest('{alice,bob}'::text[]) r, unnest('{read,write,invalidate}'::text[]) p;
	ALTER ROLE "$superuser" SET app.is_admin = 'on';
	ALTER DATABASE postgres SET app.of_database = 'x';
	CREATE SEQUENCE tick;
	GRANT SELECT ON tick TO alice, bob;
	CREATE TABLE kept (owner text, v text);
	INSERT INTO kept VALUES ('alice', 'hers'), ('boss', 'secret');
	ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
	CREATE FUNCTION is_admin() RETURNS boolean LANGUAGE plpgsql STABLE AS \$\$
	BEGIN
		RETURN session_user = '$superuser' OR current_setting('is_superuser') = 'on' OR
			current_setting('app.is_admin', true) = 'on';
	END \$\$;
	CREATE POLICY own ON kept USING (owner = current_user OR is_admin());
	GRANT SELECT ON kept TO alice, bob;
	CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql STABLE AS \$\$
	BEGIN
		RETURN concat_ws(' ', session_user, current_user, current_setting('is_superuser'), current_setting('session_authorization'),
			current_setting('role'), current_setting('app.tenant', true), current_setting('app.of_database', true));
	END \$\$;
});

sub as { my ($role, @sql) = @_; return $node->safe_psql('postgres', join(';', @sql), connstr => $node->connstr('postgres') . " user=$role") }

# refreshed(ROLE, KEY, QUERY, SETTING...): the value that a session loads, and
# the one that a worker loads after it.
sub refreshed
{
	my ($role, $key, $query, @settings) = @_;
	my $fetch = "SELECT cache_fetch('n:$key', '$query')";
	my $before = one_value($node, q{SELECT refreshes_changed + refreshes_unchanged FROM cache_namespace_stats WHERE namespace = 'n'});
	my $first = as($role, @settings, $fetch);

	as($role, @settings, "SELECT cache_expire('n:$key')", $fetch);
	ok(wait_until($node, qq{SELECT refreshes_changed + refreshes_unchanged > $before FROM cache_namespace_stats WHERE namespace = 'n'}),
		"a worker loaded $key");
	return ($first, as($role, @settings, $fetch));
}

my ($session, $worker) = refreshed('alice', 'rows', 'SELECT jsonb_agg(v) FROM kept');
is($session, '["hers"]', 'a session sees its rows');
is($worker, $session, 'so does a worker');
($session, $worker) = refreshed('alice', 'who', 'SELECT who()', q{SET app.tenant = 'acme'});
is($session, '"alice alice off alice none acme x"', 'what PL/pgSQL reads in a session');
is($worker, $session, 'is what it reads in a worker');
$node->safe_psql('postgres', 'GRANT bob TO alice');
($session, $worker) = refreshed('alice', 'role', 'SELECT who()', 'SET ROLE bob');
is($session, '"alice bob off alice bob x"', 'after SET ROLE');
is($worker, $session, 'in a worker too');
($session, $worker) = refreshed('alice', 'empty', 'SELECT who()', q{SET app.of_database = ''});
is($session =~ s/ "$/"/r, '"alice alice off alice none"', 'a setting that is taken away');
is($worker, $session, 'is not there in a worker either');

# A setting that the role could not set is not set for it: the placeholder is
# refused when its library is loaded, in whatever process.
as('alice', q{SET plpgsql.variable_conflict = 'use_column'}, q{SELECT cache_fetch('n:conflict', 'SELECT 1')});
my $conflict = q{SELECT cache_fetch('n:conflict', 'SELECT conflict()')};
$node->safe_psql('postgres', q{CREATE FUNCTION conflict() RETURNS text LANGUAGE plpgsql STABLE AS
	'BEGIN RETURN current_setting(''plpgsql.variable_conflict''); END'});
as('alice', q{SET plpgsql.variable_conflict = 'use_column'}, $conflict, q{SELECT cache_expire('n:conflict')}, $conflict) for 1 .. 3;
unlike(one_value($node, q{SELECT coalesce(string_agg(key, ' '), '') FROM cache_entries}), qr/use_column/, 'nothing odd');
is(as('alice', q{SET plpgsql.variable_conflict = 'use_column'}, $conflict), '"error"', 'nobody gets more than he may set');

# Locks that a loader leaves behind go with its load.
refreshed('alice', 'lock', 'SELECT count(*) FROM (SELECT pg_advisory_lock(42)) l');
is(one_value($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42}), 0, 'no lock is left');

# Kept plans, within one session.
$node->safe_psql('postgres', q{
	CREATE SCHEMA closed;
	CREATE TABLE closed.t AS SELECT 42 AS x;
	GRANT SELECT ON closed.t TO bob;
	CREATE FUNCTION closed_function() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 4711';
	REVOKE ALL ON FUNCTION closed_function FROM PUBLIC;
});
for my $query ('SELECT x FROM closed.t', 'SELECT closed_function()')
{
	my ($status, $out, $err) = $node->psql('postgres',
		"SELECT cache_fetch('n:plan', '$query'); SET ROLE bob; SELECT cache_fetch('n:plan', '$query')");

	like($err, qr/permission denied/, "$query: prepared by one role, refused to another");
}

# A literal that means the time at which it is read.
my $now = q{SELECT cache_fetch('n:now', 'SELECT ''now''::timestamptz', ttl => '1 ms')};
my ($one, $other) = split /\n/, $node->safe_psql('postgres', "$now; SELECT pg_sleep(0.05) WHERE false; DO 'BEGIN PERFORM pg_sleep(0.05); END'; $now");
isnt($one, $other, 'is read again');

check_store($node);
$node->stop;
done_testing();
