# With a key, values in Redis carry an HMAC, and those without the right one are
# refused, however well they are made; without a usable key none are taken.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(time sleep);

my $redis = start_redis();
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = init_cluster(
	'sealed',
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.redis_hmac_key_file' => "$dir/key",
	'cachepg.server_name' => 'a');
my $secret = 'a key that must not be seen';
my $prefix = 'cachepg:default:v:postgres:';

sub write_key
{
	my ($text, $mode) = @_;

	unlink "$dir/key";
	append_to_file("$dir/key", "$text\n");
	chmod $mode // 0600, "$dir/key" or die;
	# read again after a second
	sleep(1.1);
	return;
}

sub sql { return $node->safe_psql('postgres', join '; ', @_) }

# Set a key; whether Redis gets it.
sub set
{
	my ($key, $value, $seconds) = @_;
	my $end = time + ($seconds // 10);

	sql("SELECT cache_set('s:$key', '$value'::text)");
	while (time < $end)
	{
		return 1 if redis($redis, 'GET', "${prefix}s:$key") =~ /$value/;
		sleep(0.02);
	}
	return 0;
}

# What is there when this server has dropped what it had.
sub get
{
	my ($key) = @_;

	return sql(q{SELECT cache_set('s:other', ''::text)}, "SELECT cache_get('s:$key', '')");
}

write_key($secret);
$node->start;
sql('CREATE EXTENSION cachepg', q{SELECT cache_namespace_create('s', scope => 'shared', max_entries => 1)});

ok(set('x', 'sealed'), 'a value is written');
is(get('x'), "\nsealed", 'and taken back');

# with another key
write_key('another key, as good as the first');
is(get('x'), "\n", 'with another key it is refused');
ok(set('y', 'anew'), 'and others are written');
is(get('y'), "\nanew", 'which are taken');
write_key($secret);
is(get('y'), "\n", 'not so with the first one again');
is(get('x'), "\nsealed", 'whose values are good again');

# without the HMAC: the same frame, made by a server without a key
my $frame = redis_raw("${prefix}s:x");
my $plain = unseal($frame);
redis_set("${prefix}s:x", $plain);
is(get('x'), "\n", 'a sound frame without an HMAC is refused');
redis_set("${prefix}s:x", substr($frame, 0, -1) . chr(ord(substr $frame, -1) ^ 1));
is(get('x'), "\n", 'so is one with a wrong HMAC');
redis_set("${prefix}s:x", $frame);
is(get('x'), "\nsealed", 'the right one is taken');

# a file that cannot be used
write_key($secret, 0644);
is(get('x'), "\n", 'with a key that others can read nothing is taken');
is(set('z', 'unsealed', 1), 0, 'nor written');
write_key('short');
is(get('x'), "\n", 'nor with a short one');
write_key($secret);
is(get('x'), "\nsealed", 'until it is well again');
my $log = slurp_file($node->logfile);
like($log, qr/cannot use the file of "cachepg.redis_hmac_key_file": it can be read by others/, 'the log says why');
like($log, qr/shorter than 16 bytes/, 'in each case');
unlike($log, qr/\Q$secret\E/, 'but not the key');

check_store($node);
$node->stop;
done_testing();

# The bytes of a key.
sub redis_raw
{
	my ($key) = @_;
	my $hex = redis($redis, 'EVAL', q{return (redis.call('GET', KEYS[1]):gsub('.', function(c) return string.format('%02x', string.byte(c)) end))}, 1, $key);

	return pack 'H*', $hex;
}

sub redis_set
{
	my ($key, $bytes) = @_;

	redis($redis, 'EVAL', q{local s = ARGV[1]:gsub('..', function(h) return string.char(tonumber(h, 16)) end) return redis.call('SET', KEYS[1], s, 'PX', 100000)},
		1, $key, unpack('H*', $bytes));
	return;
}

# A frame without its HMAC: flag, length and CRC as they would be.
sub unseal
{
	my ($bytes) = @_;
	my $body = substr $bytes, 0, -36;

	substr($body, 6, 1) = chr(ord(substr $body, 6, 1) & ~4);
	substr($body, 8, 4) = pack 'N', length($body) + 4;
	return $body . pack 'N', crc32c($body);
}

sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xffffffff;

	for my $byte (unpack 'C*', $bytes)
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
	}
	return $crc ^ 0xffffffff;
}
