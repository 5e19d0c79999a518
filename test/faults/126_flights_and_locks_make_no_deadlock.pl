# Who waits for a load that waits for a lock of his own, or would for somebody
# else's that does, loads himself.  PostgreSQL's deadlock detection sees locks
# only.  The controls switch off the search along flights and locks: then all
# wait until their time is up.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CachePg;
use Races;

my $node = race_cluster('cycles', 'deadlock_timeout' => '100ms');

$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('c', load_timeout => '60 s', wait_timeout => '60 s');
	SELECT cache_namespace_create('short', load_timeout => '60 s', wait_timeout => '1 s');
	SELECT cache_namespace_create('narrow', load_timeout => '60 s', wait_timeout => '60 s', max_loads => 1);
	SELECT cache_namespace_create('narrow_short', load_timeout => '60 s', wait_timeout => '1 s', max_loads => 1);
	SELECT cache_namespace_create('wide', load_timeout => '60 s', wait_timeout => '1 s', max_loads => 2);
	CREATE TABLE a (v integer);
	CREATE TABLE b (v integer);
	INSERT INTO a VALUES (1);
	INSERT INTO b VALUES (2);
});

my ($reader, $loader, $alters, $between) = map { session($node) } 1 .. 4;

sub fetch { return "SELECT cache_fetch('$_[0]', 'SELECT v FROM $_[1]')" }

sub waits
{
	my ($s, $event) = @_;

	return wait_until($node, 'SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = ' . pid_of($s) . " AND $event");
}
my $lock = q{wait_event_type = 'Lock'};
my $flight = q{wait_event IN ('Extension', 'CachePgFlightWait')};

# The reader has read table a and is still in the transaction; an ALTER TABLE
# waits for it, and the load behind that.
sub queue_up
{
	my ($key) = @_;

	run($reader, 'BEGIN');
	run($reader, 'SELECT v FROM a');
	go($alters, 'ALTER TABLE a ALTER v SET DEFAULT 1');
	ok(waits($alters, $lock), 'ALTER TABLE waits for the reader');
	go($loader, fetch($key, 'a'));
	return ok(waits($loader, $lock), 'a load waits behind it');
}

sub ends
{
	my ($value) = @_;

	run($reader, 'ROLLBACK');
	done($alters);
	is(done($loader), $value, 'then the load ends');
	return $node->safe_psql('postgres', 'SELECT cache_clear()');
}

queue_up('c:1');
is(run($reader, fetch('c:1', 'a')), 1, 'the reader does not wait for who waits for it');
ends(1);

queue_up('short:1');
like(without($node, 'lock-cycle', sub { run($reader, fetch('short:1', 'a')) }), qr/within wait_timeout/,
	'control: it does until its time is up');
ends(1);

# a lock that the load wants directly
run($reader, 'BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE');
go($loader, fetch('c:1', 'a'));
ok(waits($loader, $lock), 'a load waits for LOCK TABLE');
is(run($reader, fetch('c:1', 'a')), 1, 'whose session does not wait for it');
run($reader, 'COMMIT');
is(done($loader), 1, 'then the load ends');
$node->safe_psql('postgres', 'SELECT cache_clear()');

# A circle of two flights and two locks: the reader waits for a load of b, which
# waits for a lock of who waits for the load of a.
sub circle
{
	my ($space) = @_;
	my $second = session($node);
	my @values;

	queue_up("$space:1");
	run($between, 'BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE');
	go($between, fetch("$space:1", 'a'));
	ok(waits($between, $flight), 'one who has a lock of b waits for that load');
	go($second, fetch("$space:2", 'b'));
	ok(waits($second, $lock), 'another load waits for his lock');
	go($reader, fetch("$space:2", 'b'));
	push @values, done($between);
	run($between, 'ROLLBACK');
	push @values, done($reader), done($second);
	close_session($second);
	return @values;
}

is_deeply([ circle('c') ], [ 1, 2, 2 ], 'a circle of two flights and two locks is seen');
ends(1);

like((without($node, 'lock-cycle', sub { circle('short') }))[0], qr/within wait_timeout/, 'control: it is not');
ends(1);

# A limit of loads all of which wait for the reader does not stop it ...
queue_up('narrow:1');
is(run($reader, fetch('narrow:2', 'b')), 2, 'the only load that is allowed waits for the reader, who loads nevertheless');
ends(1);

queue_up('narrow_short:1');
like(without($node, 'lock-cycle', sub { run($reader, fetch('narrow_short:2', 'b')) }), qr/too many loads/,
	'control: it gets no permit');
ends(1);

# ... but does if one of them may end by itself.
my $free = session($node);
queue_up('wide:1');
stops($free, fetch('wide:3', 'b'), 'fetch-stamped');
like(run($reader, fetch('wide:2', 'b')), qr/too many loads/, 'a load that does not wait for the reader will end');
is(resume($free, 'fetch-stamped'), 2, 'as it does');
ends(1);

close_session($reader, $loader, $alters, $between, $free);
$node->stop;
done_testing();
