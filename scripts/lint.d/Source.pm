# Source.pm: what the text checks of lint share.
#
# A check prints its offences as "file:line: text" and exits by finish().
package Source;

use strict;
use warnings;

use Exporter 'import';
use File::Find;

our @EXPORT = qw(c_files content code_of offence finish);

my $offences = 0;

# All C files below the given directories that exist.
sub c_files
{
	my @directories = grep { -d } @_;
	my @found;

	return () unless @directories;
	find({ wanted => sub { push @found, $_ if /\.[ch]$/ && -f }, no_chdir => 1 }, @directories);
	return sort @found;
}

sub content
{
	my $file = shift;

	open(my $handle, '<', $file) or die "could not open $file: $!\n";
	local $/;
	return <$handle> // '';
}

# The text with comments and the inside of literals blanked out, every line
# and column where it was.
sub code_of
{
	my $text = shift;

	$text =~ s{(/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}{blanked($1)}gse;
	return $text;
}

sub blanked
{
	my $piece = shift;

	if ($piece =~ /^(["'])/)
	{
		return $1 . ('_' x (length($piece) - 2)) . $1;
	}
	$piece =~ s/[^\n]/ /g;
	return $piece;
}

# offence(FILE, LINE or undef, TEXT)
sub offence
{
	my ($file, $line, $text) = @_;

	printf "%s: %s\n", (defined $line ? "$file:$line" : $file), $text;
	$offences++;
	return;
}

sub finish
{
	exit($offences ? 1 : 0);
}

1;
