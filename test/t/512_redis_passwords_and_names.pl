# The password file is checked, read anew for each connection, and never shown;
# host names are resolved by the worker.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use FakeRedis qw(start_redis stop_redis fake_redis fake_mode fake_stop);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sys::Hostname;
use Test::More;

my $redis = start_redis('--requirepass', 'secret-one', '--user', 'open', 'on', 'nopass', '~*', '+@all');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $file = "$dir/password";
my $node = new_cluster('secretive', 'cachepg.redis_servers' => "unix://$redis->{socket}?name=a&db=3",
	'cachepg.redis_timeout' => '2s', 'cachepg.redis_connect_timeout' => '2s', 'cachepg.redis_password_file' => $file);

sub write_password
{
	my ($text, $mode) = @_;

	unlink $file;
	append_to_file($file, $text);
	chmod $mode, $file;
	return;
}

sub error { return one_value($node, 'SELECT coalesce(error, ok::text) FROM cache_redis_ping()') }

is(error(), 'the password file cannot be used: it does not exist', 'no file');
write_password("secret-one\n", oct 644);
is(error(), 'the password file cannot be used: it can be read by others, its mode must be 0600', 'open to others');
write_password("secret-two\n", oct 600);
is(error(), 'AUTH refused: WRONGPASS', 'a wrong password');
fails_with($node, q{SELECT cache_redis('PING')}, '08001', qr/AUTH refused: WRONGPASS/, 'as a command says');
write_password('', oct 600);
is(error(), 'the password file cannot be used: it is empty', 'an empty file');
write_password('x' x 5000, oct 600);
is(error(), 'the password file cannot be used: it is too long', 'a long one');
unlink $file;
mkdir $file;
like(error(), qr/not a regular file|could not open/, 'a directory');
rmdir $file;
write_password("secret-one\nmore\n", oct 600);
is(error(), 'true', 'the right one, without a reload');
is(one_value($node, q{SELECT cache_redis('SET', 'k', 'v')}), 'OK', 'a command');
write_password("secret-three\n", oct 600);
is(error(), 'AUTH refused: WRONGPASS', 'the file counts for each connection');
# A user that needs no password; one that is not there is not the default one.
for my $case ([ '', 'NOAUTH' ], [ 'nobody', 'AUTH refused: WRONGPASS' ], [ 'open', 'true' ])
{
	my ($user, $answer) = @$case;

	$node->append_conf('postgresql.conf', "cachepg.redis_password_file = ''\ncachepg.redis_user = '$user'");
	$node->reload;
	ok(wait_until($node, "SELECT current_setting('cachepg.redis_user') = '$user' AND current_setting('cachepg.redis_password_file') = ''"), 'reloaded');
	like(error(), qr/$answer/, "user \"$user\" without a password");
}
$node->append_conf('postgresql.conf', "cachepg.redis_user = ''");

unlike(slurp_file($node->logfile), qr/secret-/, 'no password in the log');
is(one_value($node, q{SELECT count(*) FROM pg_settings WHERE setting ~ 'secret-'}), 0, 'nor in a setting');
stop_redis($redis);

# Names.
my $fake = fake_redis();
$node->append_conf('postgresql.conf', "cachepg.redis_password_file = ''\ncachepg.redis_servers = 'redis://localhost:$fake->{port}?name=local redis://no-such-name.invalid:1?name=gone'");
$node->reload;
ok(wait_until($node, q{SELECT count(*) = 2 FROM cache_redis_nodes}), 'two servers');
is(one_value($node, q{SELECT ok FROM cache_redis_ping() WHERE node = 'local'}), 't', 'localhost');
is(one_value($node, q{SELECT error FROM cache_redis_ping() WHERE node = 'gone'}), 'the host name has not been resolved', 'a name that is none');
$node->wait_for_log(qr/could not resolve the host name of Redis server "gone"/);
pass('the resolver says so');
SKIP:
{
	my $name = hostname();
	my $address = gethostbyname($name);

	skip 'the name of this machine has no address', 1 unless defined $address;
	$node->append_conf('postgresql.conf', "cachepg.redis_servers = 'redis://$name:1?name=me'");
	$node->reload;
	ok(wait_until($node, q{SELECT error <> 'the host name has not been resolved' FROM cache_redis_ping()}), 'the name of this machine is resolved');
}
check_store($node);
$node->stop;
fake_stop($fake);
done_testing();
