# Every SQL example of README.md and docs/*.md does what it says.
#
# The examples are the code blocks marked "sql". Those of one file run in their
# order, in one session, as a reader types them, and in a database of their own
# in which cachepg is installed unless the file does that itself. So a block
# that leaves a role, a setting or a transaction behind spoils the next. Two
# notations:
#
#   ```sql error 22023     the block must fail once, with just this SQLSTATE
#   SELECT ...;  -- => x   the output must have this line, as psql -At prints
#                          it, after those of earlier such comments
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('documents');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cachepg'\n");
$node->start;

# The blocks of a text: {line, info, sql}.
sub blocks
{
	my ($text) = @_;
	my @blocks;
	my $number = 0;
	my $current;

	for (split /\n/, $text)
	{
		$number++;
		if (defined $current)
		{
			if (/^```\s*$/)
			{
				push @blocks, $current if $current->{info} =~ /^sql\b/;
				undef $current;
			}
			else
			{
				$current->{sql} .= "$_\n";
			}
		}
		elsif (/^```(.*?)\s*$/)
		{
			$current = { line => $number, info => $1, sql => '' };
		}
	}
	die "a code block does not end" if defined $current;
	return @blocks;
}

# The lines that an example promises, as far as the output does not have them in order.
sub missing_lines
{
	my ($sql, $output) = @_;
	my @wanted = $sql =~ /-- => (.*?) *$/mg;

	for (split /\n/, $output)
	{
		shift @wanted if @wanted && $_ eq $wanted[0];
	}
	return @wanted;
}

# Run blocks in one session: output and errors of each. A mark in front of each
# block, in both streams, tells them apart; what comes after the last one that is
# seen did not run.
sub run_blocks
{
	my ($database, @blocks) = @_;
	my $mark = '-- documentation block --';
	my $script = join '', map { "\\echo $mark\n\\warn $mark\n$_->{sql}\n" } @blocks;
	my ($out, $err) = ('', '');

	$node->psql($database, $script, stdout => \$out, stderr => \$err,
		on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	# what is in front of the first mark is not a block's
	my (undef, @out) = split /^\Q$mark\E$/m, $out, -1;
	my (undef, @err) = split /^\Q$mark\E$/m, $err, -1;
	return map { [ $out[$_], $err[$_] ] } 0 .. $#blocks;
}

# What is wrong with a block that printed this, or nothing.
sub check_block
{
	my ($block, $out, $err) = @_;

	return 'it did not run' unless defined $out && defined $err;
	my @errors = $err =~ /\b(?:ERROR|FATAL|PANIC):  (\w{5})$/mg;

	if ($block->{info} =~ /^sql error (\w{5})$/)
	{
		return "@errors" eq $1 ? () : ("expected error $1: $err");
	}
	return "unknown notation \"$block->{info}\"" if $block->{info} ne 'sql';
	return "errors @errors: $err" if @errors;
	return map { "no line \"$_\" in: $out" } missing_lines($block->{sql}, $out);
}

# The problems of each block, a list for each.
sub check_blocks
{
	my ($database, @blocks) = @_;
	my @printed = run_blocks($database, @blocks);

	return map { [ check_block($blocks[$_], @{ $printed[$_] }) ] } 0 .. $#blocks;
}

# Roles belong to the whole server: those of a file must not meet the next.
sub drop_database
{
	my ($database) = @_;

	$node->safe_psql('postgres', "DROP DATABASE $database");
	for my $role (split /\n/, $node->safe_psql('postgres', q(SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND NOT rolsuper)))
	{
		$node->safe_psql('postgres', qq(DROP ROLE "$role"));
	}
	return;
}

sub check_document
{
	my ($file, $database) = @_;
	my @blocks = blocks(slurp_file($file));

	return unless @blocks;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION cachepg') unless grep { $_->{sql} =~ /CREATE EXTENSION cachepg;/ } @blocks;
	my @problems = check_blocks($database, @blocks);
	for my $i (0 .. $#blocks)
	{
		is(scalar @{ $problems[$i] }, 0, "$file:$blocks[$i]{line}") or diag(@{ $problems[$i] });
	}
	drop_database($database);
	return;
}

# the test itself can fail
{
	my @cases = (
		[ "```sql\nSELECT 1; -- => 1\n```", 0 ],
		[ "```sql\nSELECT 1; -- => 2\n```", 1 ],
		[ "```sql\nSELECT 1;\nSELECT 2; -- => 2\nSELECT 1; -- => 1\n```", 0 ],
		[ "```sql\nSELECT 1;  -- => 2\nSELECT 2; -- => 1\n```", 1 ],
		[ "```sql\nSELECT 1/0;\n```", 1 ],
		[ "```sql error 22012\nSELECT 1/0;\n```", 0 ],
		[ "```sql error 22012\nSELECT 1;\n```", 1 ],
		[ "```sql error 22012\nSELECT nothing;\n```", 1 ],
		[ "```sql error 22012\nSELECT 1/0;\n```\n```sql\nSELECT 1; -- => 1\n```", 0 ],
		[ "```sql\nSET default_transaction_read_only = on;\n```\n```sql\nCREATE TABLE t ();\n```", 1 ],
		[ "```sql\nSELECT pg_terminate_backend(pg_backend_pid());\n```\n```sql\nSELECT 1;\n```", 2 ],
		[ "```text\nSELECT nothing;\n```\n```sql\nSELECT nothing;\n```", 1 ]);

	for my $i (0 .. $#cases)
	{
		my @problems = map { @$_ } check_blocks('postgres', blocks($cases[$i][0]));
		is(scalar @problems, $cases[$i][1], "case $i of the notation");
	}
}

my $number = 0;
for my $file ('README.md', sort glob('docs/*.md'))
{
	check_document($file, 'document' . ++$number);
}

is($node->safe_psql('postgres', 'CREATE EXTENSION cachepg; SELECT count(*) FROM cachepg_check()'), '0', 'the store is sound');
$node->stop;
done_testing();
