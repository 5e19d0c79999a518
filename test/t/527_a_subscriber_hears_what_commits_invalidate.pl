# Who subscribes to the channel of the bus with a connection of his own reads
# what commits invalidate, in messages as docs/wire-formats.md has them; the
# stream has the same ones.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachePg;
use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(time sleep);

my $channel = 'cachepg:default:bus';
my $redis = start_redis();
my $node = new_cluster(
	'a',
	'max_prepared_transactions' => 5,
	'cachepg.redis_servers' => redis_url($redis),
	'cachepg.server_name' => 'a',
	'cachepg.bus_heartbeat' => '50ms');
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $redis->{port}) or die "could not connect: $!";
my $data = '';

# The next so many bytes, or what stands before the end of the line.
sub read_bytes
{
	my ($length) = @_;
	my $end = time + 20;

	for (;;)
	{
		my $at = defined $length ? $length : index($data, "\r\n");

		if ($at >= 0 && length($data) >= $at + 2)
		{
			my $bytes = substr $data, 0, $at + 2, '';

			return substr $bytes, 0, $at;
		}
		die 'nothing comes from the channel' unless IO::Select->new($socket)->can_read($end - time);
		sysread $socket, $data, 65536, length $data or die 'the connection is lost';
	}
}

# A reply of Redis: a number, a string, or an array of them.
sub read_reply
{
	my ($kind, $rest) = read_bytes() =~ /^(.)(.*)$/s;

	return $rest if $kind eq ':';
	return read_bytes($rest) if $kind eq '$';
	return [ map { read_reply() } 1 .. $rest ] if $kind eq '*';
	die "a reply that nobody expects: $kind$rest";
}

# The next message, taken apart.
sub read_message
{
	my ($kind, $from, $text) = @{ read_reply() };

	die "not a message: $kind, $from" unless $kind eq 'message' && $from eq $channel;
	my ($first, @lines) = split /\n/, $text;
	my %message = (text => $text);

	@message{qw(magic version kind origin epoch n seq system timeline lsn database)} = split / /, $first;
	for my $line (@lines)
	{
		my ($thing, $cell, $name) = split / /, $line;

		$name =~ s/%([0-9A-F]{2})/chr hex $1/ge;
		push @{ $message{things} }, "$thing $name";
	}
	return \%message;
}

sub next_of
{
	my ($kind) = @_;

	for (;;)
	{
		my $message = read_message();

		return $message if $message->{kind} eq $kind;
	}
}

print $socket "SUBSCRIBE $channel\r\n";
$socket->flush;
is_deeply(read_reply(), [ 'subscribe', $channel, 1 ], 'Redis takes the subscription');

my $beat = next_of('beat');
my $sql = q{SELECT system_identifier || ' ' || timeline_id FROM pg_control_system(), pg_control_checkpoint()};
is("@$beat{qw(magic version origin)}", 'cachepg 1 a', 'a beat says whose it is');
like($beat->{epoch}, qr/^[0-9a-f]{32}$/, '... of which epoch');
is("@$beat{qw(system timeline)}", one_value($node, $sql), '... and of which system');
ok(!$beat->{things}, '... and nothing else');

$node->safe_psql('postgres', 'CREATE TABLE book (id int)');
$node->safe_psql('postgres', q{SELECT cache_set('book:0', 1, tags => ARRAY['books'])});
for my $case (
	[ q{SELECT cache_invalidate('book:1')}, 'key book:1' ],
	[ q{SELECT cache_invalidate('book:ü 100%')}, 'key book:ü 100%' ],
	[ q{SELECT cache_invalidate_tag('books')}, 'tag books' ],
	[ q{SELECT cache_expire('book:2')}, 'expire-key book:2' ],
	[ q{INSERT INTO book VALUES (1)}, 'table public.book' ])
{
	my ($statement, $thing) = @$case;

	# what is rolled back has no message
	$node->safe_psql('postgres', "BEGIN; SELECT cache_invalidate('book:never'); ROLLBACK; $statement");
	my $message;
	do { $message = next_of('inval') } until grep { $_ eq $thing } @{ $message->{things} };
	is("@{ $message->{things} }", $thing, "$thing is published");
	is("@$message{qw(origin epoch database)}", "a $beat->{epoch} postgres", '... by the server, for its database');
	cmp_ok($message->{seq}, '>', $beat->{seq}, '... with a later time');
	like(redis($redis, 'XRANGE', $channel, '-', '+'), qr/^m\n\Q$message->{text}\E\nt\n\d+$/m, '... and in the stream');
	$beat = next_of('beat');
	is($beat->{n}, $message->{n}, '... nothing comes after it');
	cmp_ok($beat->{seq}, '>=', $message->{seq}, '... and the beat knows of it');
}

# Of what shares a cell here, as of so many some does, each is named: on other
# servers it need not share one.
for my $case ([ 'cache_invalidate_tag', 'tag' ], [ 'cache_expire_tag', 'expire-tag' ])
{
	my ($function, $thing) = @$case;
	my $mark = "mark $function";
	my %told;

	$node->safe_psql('postgres', "SELECT $function('tag' || i), $function('tag' || i) FROM generate_series(1, 950) i");
	$node->safe_psql('postgres', "SELECT cache_invalidate('$mark')");
	until ($told{"key $mark"})
	{
		my $message = next_of('inval');

		$told{$_}++ for @{ $message->{things} };
	}
	is(scalar(grep { ($told{"$thing tag$_"} // 0) == 1 } 1 .. 950), 950, "$function names all tags, once");
	ok(!grep({ /^database/ } keys %told), '... and nothing else');
}

# Names of databases are read once a second, while a message is made: that is no reason
# to keep the message for ever.
sub memory_of_broadcaster
{
	my $at = -s $node->logfile;

	$node->safe_psql('postgres', q{SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity WHERE backend_type = 'cachepg broadcaster'});
	$node->wait_for_log(qr/Grand total: \d+ bytes/, $at);
	my ($used) = substr(slurp_file($node->logfile), $at) =~ /TopMemoryContext: .*?(\d+) used/;
	return $used;
}

my $long = q{SELECT count(cache_invalidate_tag(repeat('x', 50) || i)) FROM generate_series(1, 900) i};

$node->safe_psql('postgres', $long);
sleep(1.2);
$node->safe_psql('postgres', $long);
my $used = memory_of_broadcaster();
for (1 .. 3)
{
	sleep(1.2);
	$node->safe_psql('postgres', $long);
}
cmp_ok(memory_of_broadcaster() - $used, '<', 40000, 'the broadcaster keeps no messages');

# What is too much for a message, or comes from a prepared transaction, stands for its
# database, but for all of them if it is about roles.
my $tags = q{SELECT count(cache_invalidate_tag('tag' || i)) FROM generate_series(1, %d) i};

$node->safe_psql('postgres', 'CREATE ROLE one; CREATE ROLE two; CREATE ROLE three');
for my $case (
	[ 'tags', sprintf("BEGIN; $tags; COMMIT", 1100), 'postgres' ],
	[ 'roles and tags', sprintf("BEGIN; GRANT one TO two; REVOKE one FROM two; DROP OWNED BY three; $tags; COMMIT", 999), '-' ],
	[ 'tags of a prepared transaction', sprintf("BEGIN; $tags; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'", 3), 'postgres' ],
	[ 'roles of a prepared transaction', "BEGIN; GRANT one TO two; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'", '-' ])
{
	my ($what, $statements, $database) = @$case;
	my $mark = "mark $what";
	my $message;
	my %told;

	$node->safe_psql('postgres', $statements);
	$node->safe_psql('postgres', "SELECT cache_invalidate('$mark')");
	until ($told{"key $mark"})
	{
		$message = next_of('inval');
		$told{ $_ =~ /^database/ ? "database $message->{database}" : $_ }++ for @{ $message->{things} };
	}
	is(join(' ', grep { /^database/ } keys %told), "database $database", "$what: everything in it is told");
}

# the program of the documentation
SKIP:
{
	my $example = "$FindBin::RealBin/../../examples/subscriber.py";
	my ($out, $err) = ('', '');
	local $ENV{PYTHONDONTWRITEBYTECODE} = 1;

	skip 'no python3 of at least 3.10', 1
	  unless eval { IPC::Run::run([ 'python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 10))' ], '>', '/dev/null', '2>', '/dev/null') };
	my $run = IPC::Run::start([ 'python3', '-u', $example, '127.0.0.1', $redis->{port} ], '<', \undef, '>', \$out, '2>', \$err);
	my $timeout = time + 20;

	while ($out !~ /^drop key book:1 /m && time < $timeout && $run->pumpable)
	{
		# again and again: what came before the program was listening it cannot know
		$node->safe_psql('postgres', q{SELECT cache_invalidate('book:1')});
		$run->pump_nb;
		sleep(0.05);
	}
	$run->kill_kill(grace => 0);
	like($out, qr/^everything is dropped: a server that was not known\n(?:.*\n)*drop key book:1 /, 'the example hears it too') or diag $err;
}

close $socket;
check_store($node);
$node->stop;
done_testing();
