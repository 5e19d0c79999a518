# TLS to a real Redis server: whose certificate is accepted, certificates of
# our own, files that change, a handshake that hangs.
use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use lib $FindBin::Bin;
use CachePg;
use FakeRedis qw(start_redis stop_redis fake_redis fake_mode fake_stop);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no openssl' unless -x '/usr/bin/openssl';

my $dir = PostgreSQL::Test::Utils::tempdir_short();

# make_certificate(NAME, ISSUER, SUBJECT_ALT_NAME): NAME.crt and NAME.key
sub make_certificate
{
	my ($name, $issuer, $alt) = @_;
	my @new = ('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$name", '-keyout', "$dir/$name.key");
	my @log = ('>', '/dev/null', '2>', '/dev/null');

	if (!$issuer)
	{
		IPC::Run::run([ @new, '-x509', '-days', '2', '-out', "$dir/$name.crt" ], @log) or die "no certificate $name";
		return;
	}
	append_to_file("$dir/$name.ext", "subjectAltName = $alt\n");
	IPC::Run::run([ @new, '-out', "$dir/$name.csr" ], @log) or die "no request $name";
	IPC::Run::run([ 'openssl', 'x509', '-req', '-days', '2', '-in', "$dir/$name.csr", '-CA', "$dir/$issuer.crt", '-CAkey', "$dir/$issuer.key",
			'-CAcreateserial', '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt" ], @log) or die "no certificate $name";
	return;
}

sub free_port
{
	return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp')->sockport;
}

# A server with a certificate: its URL, and itself.
sub start_tls
{
	my ($certificate, @options) = @_;
	my $port = free_port();
	my $redis = start_redis('--tls-port', $port, '--bind', '127.0.0.1', '--tls-cert-file', "$dir/$certificate.crt", '--tls-key-file', "$dir/$certificate.key",
		'--tls-ca-cert-file', "$dir/ca.crt", @options);

	return ("127.0.0.1:$port", $redis);
}

make_certificate('ca');
make_certificate('otherca');
make_certificate('server', 'ca', 'IP:127.0.0.1, DNS:localhost');
make_certificate('elsewhere', 'ca', 'DNS:elsewhere.example');
make_certificate('client', 'ca', 'DNS:client');
my ($right, $redis) = start_tls('server', '--tls-auth-clients', 'no');
my ($wrong, $misplaced) = start_tls('elsewhere', '--tls-auth-clients', 'no');
my ($strict, $demanding) = start_tls('server');
my $fake = fake_redis();
fake_mode($fake, 'hang');

my $node = new_cluster('tls',
	'cachepg.redis_servers' => "rediss://$right?name=right",
	'cachepg.redis_ca_file' => "$dir/ca.crt",
	'cachepg.redis_connect_timeout' => '10s',
	'cachepg.redis_timeout' => '10s',
	'cachepg.redis_retries' => 0);

# set(SETTING => VALUE, ...), for all sessions from now on
sub set
{
	my (%settings) = @_;

	$node->append_conf('postgresql.conf', "cachepg.redis_$_ = '$settings{$_}'") for sort keys %settings;
	$node->reload;
	ok(wait_until($node, 'SELECT ' . join ' AND ', map { "current_setting('cachepg.redis_$_') = '$settings{$_}'" } sort keys %settings), 'reloaded');
	return;
}

sub ping { return one_value($node, 'SELECT ok, error FROM cache_redis_ping()') }

is(ping(), 't|', 'a server with the right certificate');
is(one_value($node, q{SELECT cache_redis('SET', 'k', 'ü'), cache_redis('GET', 'k')}), 'OK|ü', 'commands');
is(one_value($node, q{SELECT length(cache_redis('GET', 'big')) FROM (SELECT cache_redis('SET', 'big', repeat('x', 20000000))) AS s}), 20000000, 'more than buffers hold');
set(servers => 'rediss://localhost:' . ($right =~ /(\d+)$/)[0]);
is(ping(), 't|', 'by name');

set(servers => "rediss://$wrong?name=wrong");
like(ping(), qr/^f\|its certificate is not accepted: .*mismatch/, 'a certificate for another host');
fails_with($node, q{SELECT cache_redis('GET', 'k')}, '08001', qr/certificate is not accepted/, 'no command is sent');
set(tls_verify => 'ca');
is(ping(), 't|', 'ca asks for no host');
set(servers => "rediss://$right?name=right", ca_file => "$dir/otherca.crt");
like(ping(), qr/^f\|its certificate is not accepted/, 'another authority');
set(tls_verify => 'none');
is(ping(), 't|', 'none asks for nothing');
set(tls_verify => 'full', ca_file => '');
like(ping(), qr/^f\|its certificate is not accepted/, 'an authority that OpenSSL does not know');
set(ca_file => "$dir/none.crt");
like(ping(), qr/^f\|could not use the CA file/, 'no such file');

# A file that comes and changes, as seen by one session.
is($node->safe_psql('postgres', qq{
	SELECT ok FROM cache_redis_ping();
	\\! cp $dir/otherca.crt $dir/none.crt
	SELECT error LIKE '%not accepted%' FROM cache_redis_ping();
	\\! cp $dir/ca.crt $dir/none.crt
	SELECT ok FROM cache_redis_ping()}), "f\nt\nt", 'files are read again');

# A certificate of our own.
set(servers => "rediss://$strict?name=strict", ca_file => "$dir/ca.crt");
like(ping(), qr/^f\|(TLS: .*certificate|the connection was lost)/, "a server that wants a certificate says so, or is just gone");
chmod 0644, "$dir/client.key";
set(cert_file => "$dir/client.crt", key_file => "$dir/client.key");
is(ping(), 'f|the key file cannot be used: it can be read by others, its mode must be 0600', 'a key that others can read');
chmod 0600, "$dir/client.key";
is(ping(), 't|', 'with a certificate');
chmod 0600, "$dir/server.key";
set(key_file => "$dir/server.key");
like(ping(), qr/^f\|could not use the key file: /, 'a key of another certificate');
set(key_file => "$dir/client.key");

# What is no TLS at all, and what says nothing.
set(servers => "rediss://127.0.0.1:$fake->{port}?name=fake", connect_timeout => '300ms', timeout => '300ms');
my $began = time();
is(ping(), 'f|no reply in time', 'a handshake that hangs');
cmp_ok(time() - $began, '<', 3, 'does not hang for long');
set(connect_timeout => '1min');
$began = time();
fails_with($node, q{SET statement_timeout = '200ms'; SELECT cache_redis('PING')}, '57014', qr/statement timeout/, 'a handshake is cancelled');
cmp_ok(time() - $began, '<', 3, 'at once');
my $plain = free_port();
my $other = start_redis('--port', $plain, '--bind', '127.0.0.1');
set(servers => "rediss://127.0.0.1:$plain?name=plain", connect_timeout => '300ms');
is(ping(), 'f|no reply in time', 'a server without TLS waits for the end of a line');

unlike(slurp_file($node->logfile), qr/BEGIN|PRIVATE/, 'nothing of files in the log');
check_store($node);
$node->stop;
fake_stop($fake);
stop_redis($_) for $redis, $misplaced, $demanding, $other;
done_testing();
