# The example programs of examples/ read what the C code writes: a frame, and
# messages of the bus, whose gaps and silence empty the example's cache.
use strict;
use warnings;

use CachePg;
use FindBin;
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $python = 'import sys; sys.exit(sys.version_info < (3, 10))';
my $examples = "$FindBin::RealBin/../../examples";
my $has_python = eval { IPC::Run::run([ 'python3', '-c', $python ], '>', '/dev/null', '2>', '/dev/null') };

plan skip_all => 'no python3 of at least 3.10' unless $has_python;

my $node = new_cluster('examples');
$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS cachepg; CREATE EXTENSION cachepg_test');

# Output, errors and whether it succeeded.
sub run_python
{
	my ($input, @command) = @_;
	my ($out, $err) = ('', '');
	local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
	local $ENV{PYTHONPATH} = $examples;
	my $ok = IPC::Run::run([ 'python3', @command ], '<', \$input, '>', \$out, '2>', \$err);

	return ($out, $err, $ok);
}

my $frame = pack 'H*', $node->safe_psql('postgres', q{SELECT encode(test_frame_sample(), 'hex')});
my ($out, $err, $ok) = run_python($frame, "$examples/read_frame.py");
ok($ok, 'a frame is read') or diag $err;
my $read = decode_json($out);
is_deeply(
	[ @$read{qw(origin key database role settings type_schema type encoding)} ],
	[ 'alpha', 'book:1', 'shop', '', 'TimeZone=UTC', 'pg_catalog', 'jsonb', 'UTF8' ],
	'its strings');
is_deeply([ @$read{qw(stamp life_ms soft_life_ms load_us)} ], [ 72623859790382856, 60000, 30000, 1500 ], 'its numbers');
is_deeply($read->{cells}, [ 7, 0xfffffffe ], 'its cells');
is($read->{epoch}, '000102030405060708090a0b0c0d0e0f', 'its epoch');
is_deeply($read->{value}, { price => 40, title => 'Handbook' }, 'its value');

my $changed = $frame;
substr($changed, 100, 1) ^= "\1";
(undef, $err, $ok) = run_python($changed, "$examples/read_frame.py");
ok(!$ok, 'a changed byte is noticed');
like($err, qr/not a frame of cachepg, or damaged/, 'and told');
(undef, undef, $ok) = run_python(substr($frame, 0, 60), "$examples/read_frame.py");
ok(!$ok, 'a cut frame too');

my $message = $node->safe_psql('postgres', 'SELECT test_message_sample()');
my $script = <<'END';
import subscriber, sys
kept, message = {}, sys.stdin.read().rstrip("\n")
head = message.split("\n")[0]
n = head.split(" ")[5]
beat = lambda number: head.replace(" inval ", " beat ").replace(f" {n} ", f" {number} ", 1)
def fill(cache):
    for key, thing in (("book:1/\u00e9 %", "x"), ("k2", "-"), ("k3", "other")):
        cache.put(cache.ticket(), key, 1, [("tag", thing)])
    return sorted(cache.entries)
cache = subscriber.Cache()
print("before", fill(cache))
cache.take(beat(int(n) - 1))
print("beat", len(fill(cache)))
lines = message.split("\n")
cache.take("\n".join([lines[0], lines[1], lines[4]]))
print("dropped", sorted(cache.entries))
cache.take("\n".join([lines[0], lines[1], lines[3]]))
print("repeated", sorted(cache.entries))
cache.take(beat(int(n)))
print("current", sorted(cache.entries), len(fill(cache)))
cache.take(beat(int(n) + 1))
print("gap", sorted(cache.entries), len(fill(cache)))
ticket = cache.ticket()
cache.take(head.replace(f" {n} ", f" {int(n) + 2} ", 1) + "\nkey 1 other")
cache.put(ticket, "late", 1)
print("late", cache.get("late"))
subscriber.SILENCE = -1
print("silence", cache.get("k2"), cache.ticket())
END
($out, $err, $ok) = run_python($message, '-c', $script);
ok($ok, 'messages are read') or diag $err;
is_deeply(
	[ grep { /^(?:before|beat|dropped|repeated|current|gap|late|silence) / } split /\n/, $out ],
	[
		'before []', 'beat 3', "dropped ['k3']", "repeated ['k3']", "current ['k3'] 3", 'gap [] 3', 'late None',
		'silence None None'
	],
	'and obeyed') or diag $out;

check_store($node);
done_testing();
