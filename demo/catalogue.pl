#!/usr/bin/perl
# catalogue.pl: turns `apt-cache dumpavail` into two files for COPY.
#
#   apt-cache dumpavail | demo/catalogue.pl DIRECTORY
#
# DIRECTORY/package.tsv     id, name, installed size in kB
# DIRECTORY/dependency.tsv  id of a package, id of one that it needs
#
# It prints the numbers of packages, dependencies and applications.
#
# Applications are what the catalogue tags as programs for the desktop. They
# have the first ids, in the order of their popularity: how many packages refer
# to them (Depends, Recommends, Suggests, Enhances).
#
# A dependency (Depends, Pre-Depends) with alternatives counts as its first
# alternative that exists, as a package or as a virtual one; of a virtual
# package the first provider in the catalogue is taken. Version bounds are
# ignored: a release has one version of each package.
use strict;
use warnings;

my $directory = shift // die "usage: catalogue.pl DIRECTORY\n";
my @packages;    # {name, size, application, needs => [[alternative, ...], ...], refers => likewise}
my %package;     # name => its element of @packages
my %provider;    # virtual name => name of the first package that provides it

# The names in a relation field: a list of lists of alternatives.
sub alternatives
{
	my ($field) = @_;

	return () unless defined $field;
	return map { [ map { /^\s*([^\s(:\[]+)/ ? $1 : () } split /\|/ ] } split /,/, $field;
}

sub add_package
{
	my ($record) = @_;
	my %field;

	# a field may go on over lines that begin with a blank
	$record =~ s/\n[ \t]+/ /g;
	$field{$1} = $2 while $record =~ /^([A-Za-z-]+): *(.*)$/mg;
	my $name = $field{Package};
	return if !defined $name || $package{$name};

	my %tags = map { $_ => 1 } split /,\s*/, $field{Tag} // '';
	$package{$name} = {
		name => $name,
		size => $field{'Installed-Size'} // 0,
		application => $tags{'role::program'} && $tags{'x11::application'} ? 1 : 0,
		needs => [ map { alternatives($field{$_}) } qw(Depends Pre-Depends) ],
		refers => [ map { alternatives($field{$_}) } qw(Depends Pre-Depends Recommends Suggests Enhances) ],
	};
	push @packages, $package{$name};
	$provider{$_} //= $name for map { @$_ } alternatives($field{Provides});
	return;
}

# The package that a list of alternatives comes down to, or undef.
sub resolve
{
	for my $name (@{ $_[0] })
	{
		return $package{$name} if $package{$name};
		return $package{ $provider{$name} } if $provider{$name};
	}
	return;
}

sub give_ids
{
	my %refers;
	my $id = 0;

	for my $p (@packages)
	{
		my %seen = map { $_ => 1 } map { @$_ } @{ $p->{refers} };
		$refers{$_}++ for keys %seen;
	}
	@packages = sort {
		     $b->{application} <=> $a->{application}
		  || ($refers{ $b->{name} } // 0) <=> ($refers{ $a->{name} } // 0)
		  || $a->{name} cmp $b->{name}
	} @packages;
	$_->{id} = ++$id for @packages;
	return;
}

# Pairs of ids.
sub dependencies
{
	my @pairs;

	for my $p (@packages)
	{
		my %seen;
		for my $needed (map { resolve($_) // () } @{ $p->{needs} })
		{
			push @pairs, [ $p->{id}, $needed->{id} ] unless $seen{ $needed->{id} }++;
		}
	}
	return @pairs;
}

sub write_lines
{
	my ($file, @lines) = @_;

	open(my $out, '>', "$directory/$file") or die "could not write $directory/$file: $!\n";
	print {$out} map { join("\t", @$_) . "\n" } @lines;
	close($out) or die "could not write $directory/$file: $!\n";
	return;
}

{
	local $/ = '';    # paragraph by paragraph
	add_package($_) while <STDIN>;
}
give_ids();
my @dependencies = dependencies();
write_lines('package.tsv', map { [ @$_{qw(id name size)} ] } @packages);
write_lines('dependency.tsv', @dependencies);
printf "%d %d %d\n", scalar @packages, scalar @dependencies, scalar grep { $_->{application} } @packages;
