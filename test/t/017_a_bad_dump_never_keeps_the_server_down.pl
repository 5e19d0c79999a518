# A dump that is damaged, cut off or of somebody else is ignored with one line
# in the log; one that cannot be written or removed keeps nobody from stopping
# or starting.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use CachePg;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('damage');
my $directory = $node->data_dir . '/cachepg';
my $dump = "$directory/shutdown.dump";
my $lines = qr/LOG:  ((?:loaded \d+ of|cache dump)[^\n]*)/;
my $wrong = q{SELECT count(*) FROM generate_series(1, 300) i
	WHERE cache_exists('k' || i) AND cache_get('k' || i, '') <> repeat('v' || i, 500)};

sub content
{
	my ($file) = @_;

	open my $in, '<:raw', $file or die "$file: $!";
	local $/ = undef;
	return scalar <$in>;
}

# Start with a dump of these bytes; what the log says of it, and how many
# entries there are.
sub start_with
{
	my ($bytes) = @_;
	my $from = -s $node->logfile;

	if (defined $bytes)
	{
		open my $out, '>:raw', $dump or die $!;
		print $out $bytes;
		close $out;
	}
	$node->start;
	$node->wait_for_log($lines, $from);
	my @said = slurp_file($node->logfile, $from) =~ /$lines/g;
	my $entries = one_value($node, 'SELECT count(*) FROM cache_entries');
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(scalar @said, 1, 'one line in the log');
	is(one_value($node, $wrong), '0', 'no value is wrong');
	ok(!-e $dump && !-e "$directory/loading.dump", 'the dump is gone');
	# so that it has nothing to dump
	$node->stop('immediate');
	return ($said[0], $entries);
}

# To start from the same clean shutdown again and again.
$node->safe_psql('postgres', q{
	SELECT cache_set('k' || i, repeat('v' || i, 500), tags => ARRAY['t' || i % 7]) FROM generate_series(1, 300) i});
$node->stop;
my $good = content($dump);
my $control = $node->data_dir . '/global/pg_control';
my $stopped = content($control);
my $size = length $good;

sub again
{
	open my $out, '>:raw', $control or die $!;
	print $out $stopped;
	close $out;
	unlink $node->data_dir . '/postmaster.pid';
	return;
}

my ($said, $entries) = start_with($good);
like($said, qr/loaded 300 of 300/, 'control: it is good');
is($entries, 300, 'control: all is there');

my %bad = (
	'empty' => '',
	'a header only' => substr($good, 0, 80),
	'a part of the header' => substr($good, 0, 50),
	'zeros' => "\0" x $size,
	'noise' => join('', map { chr int rand 256 } 1 .. 5000),
	'cut off by a byte' => substr($good, 0, -1),
	'cut off in the middle' => substr($good, 0, $size / 2),
	'a byte more' => $good . 'x',
	'twice' => $good . $good);
for my $name (sort keys %bad)
{
	again();
	($said, $entries) = start_with($bad{$name});
	like($said, qr/is ignored: it is damaged$/, $name);
	is($entries, 0, "$name: the cache is empty");
}

# Single bytes: in the header and everywhere behind it.  The values are longer
# than a block is, so that there are several.
srand 17;
for my $at (0 .. 5, 8, 12, 16, 24, 32, 40, 48, 56, 64, 68, 72, 76, map({ 80 + $_ } 0 .. 23), map { 104 + int rand($size - 104) } 1 .. 12)
{
	my $bytes = $good;

	substr($bytes, $at, 1) ^= "\x41";
	again();
	($said, $entries) = start_with($bytes);
	like($said, qr/is ignored: it is damaged$|^loaded \d+ of 300 dumped cache entries: the rest is damaged$/, "byte $at changed");
	cmp_ok($entries, '<', 300, "byte $at changed: not all is there");
}

# Huge lengths.
for my $at (80, 84, 92)
{
	my $bytes = $good;

	substr($bytes, $at, 4) = "\xff\xff\xff\xff";
	again();
	($said, $entries) = start_with($bytes);
	like($said, qr/the rest is damaged$/, "a length of 4 GB at $at");
	is($entries, 0, "a length of 4 GB at $at: the cache is empty");
}

# Of another cluster.
my $other = new_cluster('other');
$other->safe_psql('postgres', q{SELECT cache_set('k' || i, 'foreign'::text) FROM generate_series(1, 300) i});
$other->stop;
again();
($said, $entries) = start_with(content($other->data_dir . '/cachepg/shutdown.dump'));
is($said, 'cache dump "cachepg/shutdown.dump" is ignored: it is of another database cluster', 'of another cluster');
is($entries, 0, 'of another cluster: the cache is empty');

# A directory in which nothing can be written or removed.
again();
unlink $dump;
$node->start;
$node->safe_psql('postgres', q{SELECT cache_set('k1', repeat('v1', 500))});
chmod 0500, $directory;
my $from = -s $node->logfile;
$node->stop;
my @failed = slurp_file($node->logfile, $from) =~ /LOG:  (could not dump [^\n]*)/g;
is(scalar @failed, 1, 'one line if the dump cannot be written');
like($failed[0], qr{could not dump the cache: could not create file "cachepg/shutdown.dump.tmp": Permission denied}, 'it says why');
chmod 0700, $directory;
$node->start;
is(one_value($node, 'SELECT count(*) FROM cache_entries'), 0, 'the server starts cold');
$node->safe_psql('postgres', q{SELECT cache_set('k1', repeat('v1', 500))});
$node->stop;
ok(-s $dump, 'there is a dump');
chmod 0500, $directory;
$node->start;
is(one_value($node, 'SELECT count(*) FROM cache_entries'), 0, 'one that cannot be removed is not used');
is(-s $dump, 0, 'and is emptied');
$node->stop;
chmod 0700, $directory;

# Periodic dumps that fail say so once, and leave no older one behind.
$node->append_conf('postgresql.conf', "cachepg.dump_interval = '50ms'");
$node->start;
$node->safe_psql('postgres', q{
	SELECT cache_namespace_create('warm', warm_after_crash => true);
	SELECT cache_set('warm:1', 1)});
sub wait_for_crash_dump
{
	my ($there) = @_;

	for (1 .. 200)
	{
		return 1 if $there == (-s "$directory/crash.dump" ? 1 : 0);
		Time::HiRes::usleep(50_000);
	}
	return 0;
}
ok(wait_for_crash_dump(1), 'periodic dumps are written');
$from = -s $node->logfile;
mkdir "$directory/crash.dump.tmp";
ok(wait_for_crash_dump(0), 'when they fail the older one is removed');
Time::HiRes::usleep(500_000);
@failed = slurp_file($node->logfile, $from) =~ /LOG:  (could not dump [^\n]*)/g;
is(scalar @failed, 1, 'the log says so once');
rmdir "$directory/crash.dump.tmp";
ok(wait_for_crash_dump(1), 'they go on when they can');
$node->append_conf('postgresql.conf', "cachepg.dump_interval = 0");
$node->reload;
ok(wait_for_crash_dump(0), 'switched off, none is left');
$node->safe_psql('postgres', q{SELECT cache_namespace_drop('warm')});
$node->stop;

# A file where the directory should be; a directory where the file should be.
unlink glob("$directory/*");
rmdir $directory or die $!;
append_to_file($directory, 'x');
$node->start;
$node->safe_psql('postgres', q{SELECT cache_set('k1', repeat('v1', 500))});
$from = -s $node->logfile;
$node->stop;
@failed = slurp_file($node->logfile, $from) =~ /LOG:  (could not dump [^\n]*)/g;
is(scalar @failed, 1, 'one line if the directory is a file');
unlink $directory;
mkdir $directory, 0700;
mkdir "$directory/shutdown.dump.tmp";
$node->start;
$node->stop;
rmdir "$directory/shutdown.dump.tmp";

# What an interrupted shutdown leaves is removed.
append_to_file("$directory/$_", 'x') for qw(shutdown.dump.tmp crash.dump.tmp loading.dump);
$node->start;
is(join(' ', glob("$directory/*")), '', 'left-overs are removed');
check_store($node);
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal/, 'nothing died');
done_testing();
