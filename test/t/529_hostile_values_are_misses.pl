# What somebody else put into Redis in place of a value: a sound frame whose
# payload, type or codec is not what it was.  A read gives a miss or a value of
# the type, never an error, and takes no more memory than the bytes are worth.
#
# Frames are taken as cachepg wrote them, damaged, given a right CRC again and
# played back under other keys.  CPG_SEED replays a run, CPG_MUTATIONS is how many
# there are of each of the 102 frames (50).
use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes ();

my $seed = $ENV{CPG_SEED} // int(rand(2**31));
my $times = $ENV{CPG_MUTATIONS} // 50;
my $redis = start_redis();
my $node = new_cluster('hostile', 'cachepg.redis_servers' => redis_url($redis), 'cachepg.server_name' => 'a');
my $prefix = 'cachepg:default:v:postgres:';

# types, each with a value
my @types = (
	[ int4 => '-12345678' ],
	[ numeric => '-1234567890.0987654321' ],
	[ text => q{'some "text", é, ' || repeat('and more ', 20)} ],
	[ bytea => q{'\x00ff0102' || convert_to(repeat('bytes', 30), 'UTF8')} ],
	[ jsonb => q{'{"a": [1, -1.5, 1e20, "\u00e9\\\\n", null, true], "b": {"c": {}}, "d": ["same", "same", "same", "same", "same"]}'} ],
	[ timestamptz => q{'2024-02-29 12:34:56.789+02'} ],
	[ uuid => q{'0fb4d30b-4d2b-4b0c-8b0a-0f8e3d1c2b3a'} ],
	[ 'int4[]' => q{(SELECT array_agg(i) FROM generate_series(1, 40) i)} ],
	[ 'text[]' => q{'{{"a b",NULL,"é"},{"\"","{}",""}}'} ],
	[ pair => q{ROW(7, 'x, "y"', 1.50, '2024-02-29')} ],
	[ nest => q{ROW(ROW(1, 'x', 2, NULL), ARRAY[ROW(2, 'y', 3, 'infinity'), NULL]::pair[], 'glad', '[1,5)')} ],
	[ floats => q{'[0.5,1.25)'} ],
	[ mood => q{'glad'} ],
	[ positive => '42' ],
	[ short => q{'\x0123456789'} ],
	[ tagged => q{'{"tag": "é"}'} ],
	[ 'int8multirange' => q{'{[1,5),[7,9)}'} ]);

# others that a frame may claim to be of
my @others = qw(bool int2 int8 float8 varchar bpchar name "char" json jsonb[] xml jsonpath varbit path polygon tsvector tsquery
  int2vector oidvector pg_snapshot int4multirange inet money interval regclass regtype record record[] cstring internal
  trigger unknown void anyelement pg_node_tree aclitem pg_class tid xid8);

# namespaces: codec, with LZ4 or without
my @codecs = qw(j m b jz mz bz);
my %codec = (j => 'json', m => 'msgpack', b => 'binary');

diag "CPG_SEED=$seed";
srand($seed);

$node->safe_psql('postgres', <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a integer, b text, c numeric, d date);
CREATE TYPE nest AS (p pair, many pair[], m mood, r int4range);
CREATE TYPE floats AS RANGE (SUBTYPE = float8);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN short AS bytea CHECK (length(VALUE) < 10);
CREATE DOMAIN tagged AS jsonb CHECK (jsonb_typeof(VALUE -> 'tag') = 'string');
CREATE DOMAIN never AS integer NOT NULL;
-- a read, and whether what it gave is a value of its type: it can be printed,
-- and what was printed is read as the same, checks of a domain included
CREATE FUNCTION probe(key text, kind text, VARIADIC reads text[] DEFAULT '{typed,jsonb,exists}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	step	text := 'cache_get';
	printed	text;
	json	text;
	again	boolean;
BEGIN
	IF 'typed' = ANY (reads) THEN
		EXECUTE format('SELECT cache_get($1, NULL::%s)::text', kind) INTO printed USING key;
		step := 'the value';
		IF printed IS NOT NULL THEN
			PERFORM convert_from(textsend(printed), 'UTF8');
			EXECUTE format('SELECT $1::%s::text = $1', kind) INTO again USING printed;
			IF NOT again THEN
				RETURN 'bad: differs when it is read again: ' || printed;
			END IF;
		END IF;
	END IF;
	step := 'cache_get of jsonb';
	IF 'jsonb' = ANY (reads) THEN
		json := cache_get(key)::text;
		PERFORM convert_from(textsend(json), 'UTF8');
	END IF;
	step := 'cache_exists';
	IF 'exists' = ANY (reads) THEN
		PERFORM cache_exists(key);
	END IF;
	RETURN CASE WHEN printed IS NULL THEN 'miss' ELSE 'value' END;
EXCEPTION WHEN OTHERS THEN
	RETURN format('bad: %s raises %s %s', step, SQLSTATE, SQLERRM);
END $$;
-- the number of values, or the error
CREATE FUNCTION probe_many(keys text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(value::text) FROM cache_get_many(keys));
EXCEPTION WHEN OTHERS THEN
	RETURN format('bad: cache_get_many raises %s %s', SQLSTATE, SQLERRM);
END $$;
-- kB of address space that this session has had at most
CREATE FUNCTION peak() RETURNS integer LANGUAGE sql AS $$
	SELECT (regexp_match(pg_read_file('/proc/self/status', 0, 100000, true), 'VmPeak:\s+(\d+)'))[1]::integer
$$;
SQL
for my $codec (@codecs)
{
	my $above = $codec =~ /z/ ? 1 : 0;
	my $name = $codec{ substr $codec, 0, 1 };

	$node->safe_psql('postgres', "SELECT cache_namespace_create('$codec', scope => 'shared', max_entries => 1, codec => '$name', compress_above => $above)");
}

# ---------------------------------------------------------------------
# Frames
# ---------------------------------------------------------------------

my @crc_table = map {
	my $crc = $_;
	$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
	$crc
} 0 .. 255;

sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xffffffff;

	$crc = ($crc >> 8) ^ $crc_table[ ($crc ^ $_) & 0xff ] for unpack 'C*', $bytes;
	return $crc ^ 0xffffffff;
}

# See src/wire/frame.h.
my @tail = qw(key namespace database role settings fingerprint schema type encoding life soft_life load_time raw_len payload);
my $tail_format = 'n/a C/a C/a C/a n/a a16 C/a C/a C/a N N N N N/a';

sub parse
{
	my ($bytes) = @_;
	my %frame;

	@frame{qw(codec flags origin epoch stamp cells)} = unpack 'x5 a C x5 C/a a16 a8 n', $bytes;
	my $at = 12 + 1 + length($frame{origin}) + 16 + 8 + 2;
	my $cells = 4 * $frame{cells};
	$frame{cells} = substr $bytes, $at, $cells;
	@frame{@tail} = unpack $tail_format, substr $bytes, $at + $cells;
	return \%frame;
}

sub build
{
	my ($frame) = @_;
	my $rest = pack('C/a a16 a8 n', @$frame{qw(origin epoch stamp)}, length($frame->{cells}) / 4) . $frame->{cells} .
	  pack($tail_format, @$frame{@tail});
	my $bytes = pack('a4 C a C C N', 'CPGF', 1, $frame->{codec}, $frame->{flags}, 0, 12 + length($rest) + 4) . $rest;

	return $bytes . pack 'N', crc32c($bytes);
}

# A block of LZ4 that is nothing but literals.
sub literals
{
	my ($bytes) = @_;
	my $len = length $bytes;

	return chr($len << 4) . $bytes if $len < 15;
	return chr(0xf0) . chr(255) x int(($len - 15) / 255) . chr(($len - 15) % 255) . $bytes;
}

# ---------------------------------------------------------------------
# Redis, by its protocol: many commands at once, and bytes as they are
# ---------------------------------------------------------------------

my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $redis->{port}) or die "no Redis: $!";
binmode $socket;

sub command
{
	return '*' . @_ . "\r\n" . join '', map { '$' . length($_) . "\r\n$_\r\n" } @_;
}

sub reply
{
	local $/ = "\r\n";
	my $line = <$socket>;
	my $bytes;

	return $line if $line !~ /^\$(\d+)/;
	read($socket, $bytes, $1 + 2) == $1 + 2 or die 'Redis ended';
	return substr $bytes, 0, -2;
}

sub redis_get
{
	print $socket command('GET', $prefix . $_[0]);
	$socket->flush;
	return reply();
}

sub redis_put
{
	my (%frames) = @_;

	print $socket map { command('SET', "$prefix$_", $frames{$_}, 'PX', 1000000) } keys %frames;
	$socket->flush;
	for (keys %frames)
	{
		my $said = reply();
		die "Redis said $said" if $said ne "+OK\r\n";
	}
	return;
}

# ---------------------------------------------------------------------
# Damage
# ---------------------------------------------------------------------

sub below { return int rand $_[0] }
sub one_of { return $_[ rand @_ ] }
sub noise { return join '', map { chr below(256) } 1 .. $_[0] }

my @lengths = map { pack 'N', $_ } 0xffffffff, 0x7fffffff, 0x3fffffff, 0x0fffffff, 0x07fffff0, 0x01000000, 0x8000, 0;
my @specials = (split(//, "\"\\{}[](),:-+e9 \0\n"), "\xff", "\xc0\x80", "\xed\xa0\x80", '\\u0000', '\\ud800', '1e400000', 'NaN', 'NULL', 'infinity');

my @damages = (
	sub { my ($b) = @_; substr($b, below(length $b), 1) ^= chr(1 << below(8)) for 1 .. 1 + below(3); $b },
	sub { my ($b) = @_; substr $b, 0, below(length $b) },
	sub { my ($b) = @_; substr($b, below(length $b), 0) = noise(1 + below(8)); $b },
	sub { my ($b) = @_; substr($b, below(length $b), 1 + below(8)) = ''; $b },
	sub { my ($b) = @_; substr($b, 4 * below(int(length($b) / 4)), 4) = one_of(@lengths); $b },
	sub { my ($b) = @_; my $at = below(length $b); substr($b, $at, 4) = one_of(@lengths); $b },
	sub { my ($b) = @_; my $at = below(length $b); substr($b, $at, below(2)) = one_of(@specials); $b },
	sub { my ($b) = @_; my $at = below(length $b); substr($b, $at, 0) = substr($b, below(length $b), 1 + below(40)); $b },
	sub { my ($b) = @_; noise(below(2 + length $b)) });

sub damage
{
	my ($bytes) = @_;

	for (1 .. 1 + below(2))
	{
		$bytes = $bytes eq '' ? noise(4) : one_of(@damages)->($bytes);
	}
	return $bytes;
}

# Frames of all types by codec, as cachepg wrote them.
my %written;
my $changes = 0;
# kB of a session that has read a sound value
my $ordinary = 0;

# A damaged frame of a type.
sub mutant
{
	my ($codec, $type) = @_;
	my %frame = %{ $written{$codec}{$type} };
	my $other = $written{ one_of(@codecs) }{ one_of(map { $_->[0] } @types) };
	my $way = below(20);

	if ($way == 0)
	{
		@frame{qw(schema type)} = below(2) ? @$other{qw(schema type)} : ('pg_catalog', one_of(@others) =~ s/^(.*)\[\]$/_$1/r =~ tr/"//dr);
		$frame{codec} = one_of(qw(j m b)) if below(2);
	}
	elsif ($way == 1)
	{
		$frame{codec} = one_of(qw(j m b));
	}
	elsif ($way == 2)
	{
		$frame{flags} = one_of(1, 2, 3);
		@frame{qw(raw_len payload)} = (0, '') if $frame{flags} & 1;
	}
	elsif ($way == 3)
	{
		@frame{qw(codec flags payload raw_len)} = @$other{qw(codec flags payload raw_len)};
	}
	elsif ($way == 4)
	{
		@frame{qw(flags raw_len)} = (2, one_of(255 * length $frame{payload}, $frame{raw_len} + 1 - below(3), 0x3fffffff));
	}
	elsif ($way == 5)
	{
		my $field = one_of(qw(origin epoch stamp cells namespace role settings fingerprint schema type encoding));
		my $len = length $frame{$field};
		$frame{$field} = damage($frame{$field}) if $len > 0;
		$frame{$field} = pack "a$len", $frame{$field} if $field =~ /epoch|stamp|cells|fingerprint/;
	}
	elsif ($way < 10 && $codec =~ /z/)
	{
		my $payload = damage($written{ substr $codec, 0, 1 }{$type}{payload});
		@frame{qw(flags raw_len payload)} = (2, length $payload, literals($payload));
	}
	else
	{
		$frame{payload} = damage($frame{payload});
		$frame{raw_len} = length $frame{payload} unless $frame{flags} & 2;
	}
	return \%frame;
}

# read_changed(EXPRESSION, TYPE, FIELD => VALUE, ...): what an expression of a key
# gives that has the frame of a type by codec binary with other fields.
sub read_changed
{
	my ($expression, $type, %fields) = @_;
	my $key = 'b:' . ++$changes;
	my %frame = (%{ $written{b}{$type} }, %fields, key => $key);

	$frame{raw_len} = length $frame{payload} unless $frame{flags} & 2;
	redis_put($key => build(\%frame));
	my ($status, $out, $err) = $node->psql('postgres', sprintf("SELECT $expression", "'$key'") . ";\nSELECT peak()");
	my ($given, $kb) = $out =~ /^(.*)\n(\d*)$/;
	# the address space of a session that has read a sound value is a part of it
	return $err ne '' ? $err : $kb > $ordinary + 50000 ? "$given, with $kb kB" : $given;
}

# ---------------------------------------------------------------------

# in one transaction, so that none makes another of the same cell invalid
my @sets = map { my $codec = $_; map { "PERFORM cache_set('$codec:$_->[0]', ($_->[1])::$_->[0]);" } @types } @codecs;
$node->safe_psql('postgres', "DO \$do\$ BEGIN @sets END \$do\$");
for my $codec (@codecs)
{
	for my $type (map { $_->[0] } @types)
	{
		my $bytes;
		my $end = time + 20;

		while (($bytes = redis_get("$codec:$type")) !~ /^CPGF/ && time < $end)
		{
			Time::HiRes::sleep(0.01);
		}
		die "Redis did not get $codec:$type" unless $bytes =~ /^CPGF/;
		$written{$codec}{$type} = parse($bytes);
		die 'a frame is not what this test takes it for' if build($written{$codec}{$type}) ne $bytes;
	}
}
cmp_ok((scalar grep { $_->{flags} & 2 } map { values %{ $written{$_} } } qw(jz mz bz)), '>', 8, 'some values are compressed');

my (%frames, @queries);
for my $codec (@codecs)
{
	for my $type (map { $_->[0] } @types)
	{
		my $key = "$codec:$type";

		for my $i (0 .. $times)
		{
			my $frame = $i == 0 ? { %{ $written{$codec}{$type} } } : mutant($codec, $type);

			$frame->{key} = "$key.$i";
			$frames{"$key.$i"} = build($frame);
		}
		push @queries, <<"SQL";
SELECT '$key', count(*) FILTER (WHERE did = 'value'), string_agg(i || ' ' || did, '; ') FILTER (WHERE did LIKE 'bad%' OR i = 0 AND did <> 'value'),
	peak() FROM (SELECT i, probe('$key.' || i, '$type') AS did FROM generate_series(0, $times) i OFFSET 0) a;
SELECT 'many', probe_many(ARRAY(SELECT '$key.' || i FROM generate_series(0, $times) i));
SQL
	}
}
redis_put(%frames);
my $began = Time::HiRes::time();
my ($status, $out, $err) = $node->psql('postgres', join "\n", 'SELECT pg_backend_pid(), peak();', @queries, 'SELECT pg_backend_pid();');
my @lines = split /\n/, $out;
note sprintf '%d frames in %.1f s', scalar keys %frames, Time::HiRes::time() - $began;
is($err, '', 'the session lives, and no error comes out');
my ($pid, $peak) = split /\|/, shift @lines;
is(pop @lines, $pid, 'it is the same session at the end');
my ($values, $last) = (0, $peak);
my @bad;
for my $line (@lines)
{
	my ($what, $count, $bad, $now) = split /\|/, $line, 4;

	if ($what eq 'many')
	{
		push @bad, $line unless $count =~ /^\d+$/;
		next;
	}
	# the message itself may contain the separator
	($bad, $now) = ($1, $2) if "$bad|$now" =~ /^(.*)\|(\d*)$/s;
	$values += $count;
	push @bad, "$what: $bad" if $bad ne '';
	push @bad, "$what takes " . ($now - $last) . ' kB' if $now - $last > 50000;
	$last = $now;
}
is(join("\n", @bad), '', 'each read gives a miss or a value of its type');
is(@lines, 2 * @queries, 'all frames were read');
cmp_ok($values, '<', keys(%frames) / 2, "$values of " . keys(%frames) . ' frames still hold a value; the others are refused');
cmp_ok($values, '>', keys(%frames) / 50, '... but not all of them');

# what the damage found, each by itself
my $get = 'cache_get(%s, NULL::';

$ordinary = 1e9;
is(read_changed("${get}int4)", 'int4'), '-12345678', 'a frame that is as it was is taken');
$ordinary = $node->safe_psql('postgres', "SELECT peak() FROM (SELECT cache_get('b:1', 0) OFFSET 0) a");
is(read_changed("${get}int4)", 'text'), '', 'a value of another type than the asked one is a miss');
is(read_changed("${get}int2)", 'int4'), '', '... as is a number out of range');
is(read_changed("${get}int8)", 'int4'), '-12345678', '... but not one in range');
is(read_changed("${get}short)", 'bytea'), '', '... or what the asked domain refuses');
is(read_changed("${get}short)", 'bytea', payload => 'brief'), '\x6272696566', '... but not what it takes');
is(read_changed('cache_get(%s, 7::never)', 'int4', schema => 'public', type => 'never', flags => 1, payload => ''), '7',
	'NULL of a domain that is not null is a miss');
is(read_changed("cache_get(%s)", 'text', type => 'json', payload => '"\u0000"'), '', 'json that jsonb cannot be is a miss for jsonb');
is(read_changed("cache_exists(%s)", 'text', type => 'json', payload => '"\u0000"'), 't', '... and there');
is(read_changed("${get}int4)", 'int4', stamp => pack 'NN', 1, 0), '', 'a value of a time that has not come is a miss');

# LZ4: a byte, repeated
is(read_changed("${get}text)", 'text', flags => 2, raw_len => 25 + 255 * 800_000, payload => "\x1fx\x01\x00" . "\xff" x 800_000 . "\x00\x50xxxxx"),
	'', 'a block that becomes 200 MB is a miss, and takes no memory');
for my $case (
	[ 'int4[]', '_int4', pack 'N*', 1, 0, 23, 0x07ffff00, 1 ],
	[ 'int2vector', 'int2vector', pack 'N*', 1, 0, 21, 0x07ffff00, 0 ],
	[ 'varbit', 'varbit', pack 'N*', 0x7fffff00 ],
	[ 'path', 'path', pack 'CN', 1, 0x03fffff0 ],
	[ 'polygon', 'polygon', pack 'N', 0x03fffff0 ],
	[ 'tsvector', 'tsvector', pack 'N', 0x03000000 ],
	[ 'tsquery', 'tsquery', pack 'N', 0x03000000 ],
	[ 'pg_snapshot', 'pg_snapshot', pack 'N*', 0x07000000, 0, 1, 0, 1 ],
	[ 'int8multirange', 'int8multirange', pack 'N', 0x07ffff00 ])
{
	my ($asked, $type, $payload) = @$case;

	is(read_changed("$get$asked)", 'int4', type => $type, payload => $payload), '', "a $asked that claims to be huge is a miss, and takes no memory");
}
# what is fetched, one key or many: another type is no value of it, whatever is set
$node->safe_psql('postgres', q{CREATE FUNCTION load_some(keys text[]) RETURNS TABLE (key text, value jsonb) LANGUAGE sql
	AS $$SELECT k, to_jsonb(k || '!') FROM unnest(keys) k$$});
$node->safe_psql('postgres', q{SELECT cache_namespace_create('load', scope => 'shared', max_entries => 1, loader => 'load_some')});
my $fetched = q{SELECT value #>> '{}' FROM cache_fetch_many('{load:k}')};
is($node->safe_psql('postgres', $fetched), 'load:k!', 'a value is loaded');
my $name;
my $end = time + 20;
Time::HiRes::sleep(0.01) while ($name = redis($redis, 'KEYS', "${prefix}load:k#*")) eq '' && time < $end;
$name = substr $name, length $prefix;
my $frame = parse(redis_get($name));
for my $fetch ($fetched, q{SELECT cache_fetch('load:k') #>> '{}'})
{
	redis_put($name => build({ %$frame, type => 'int4', payload => '7', raw_len => 1 }));
	$node->safe_psql('postgres', q{SELECT cache_fetch('load:other')});
	is($node->safe_psql('postgres', $fetch), 'load:k!', 'a fetched value of another type is loaded again');
}

is(() = slurp_file($node->logfile) =~ /PANIC|terminated by signal|TRAP/g, 0, 'nobody crashed');

check_store($node);
$node->stop;
done_testing();
