#!/usr/bin/perl
# report.pl: the table of the demo, from what pgbench said and logged.
#
#   demo/report.pl PLAIN CACHED LOADS HITS MISSES
#
# NAME.out is the output of pgbench, with the number of requests, their rate
# and mean latency. NAME.log.* has a line for each request, or for a random
# sample of them; its third field is the latency in microseconds.
use strict;
use warnings;

my ($plain, $cached, $loads, $hits, $misses) = @ARGV;
defined $misses or die "usage: report.pl PLAIN CACHED LOADS HITS MISSES\n";

sub read_output
{
	my ($file) = @_;

	open(my $in, '<', $file) or die "could not open $file: $!\n";
	my $text = do { local $/; <$in> };
	my ($count) = $text =~ /^number of transactions actually processed: (\d+)/m;
	my ($mean) = $text =~ /^latency average = ([\d.]+) ms/m;
	my ($rate) = $text =~ /^tps = ([\d.]+)/m;
	defined $count && defined $mean && defined $rate or die "$file is not what pgbench writes\n";
	return (count => $count, mean => $mean, rate => $rate);
}

# Number of logged requests and two percentiles of their latencies, in ms.
sub read_logs
{
	my ($prefix) = @_;
	my %seen;    # latency => how many requests
	my $logged = 0;

	for my $file (glob("$prefix.*"))
	{
		open(my $log, '<', $file) or die "could not open $file: $!\n";
		while (<$log>)
		{
			$seen{ (split)[2] }++;
			$logged++;
		}
	}
	die "pgbench left no log\n" unless $logged;
	return (logged => $logged, map { $_ => percentile(\%seen, $logged * $_ / 100) / 1000 } 50, 99);
}

# The least latency that so many of the requests do not exceed.
sub percentile
{
	my ($seen, $wanted) = @_;
	my $below = 0;

	for my $latency (sort { $a <=> $b } keys %$seen)
	{
		$below += $seen->{$latency};
		return $latency if $below >= $wanted;
	}
	die "no percentile\n";
}

# With commas between thousands.
sub whole
{
	my $text = sprintf('%.0f', $_[0]);

	1 while $text =~ s/^(\d+)(\d{3})/$1,$2/;
	return $text;
}

sub milliseconds
{
	return sprintf('%.2f ms', $_[0]);
}

sub row
{
	printf "  %-26s %18s %18s\n", @_;
	return;
}

my %p = (read_output("$plain.out"), read_logs("$plain.log"));
my %c = (read_output("$cached.out"), read_logs("$cached.log"));

row('', 'from the tables', 'through the cache');
row('', '-' x 15, '-' x 17);
row('requests', whole($p{count}), whole($c{count}));
row('requests per second', whole($p{rate}), whole($c{rate}));
row('latency, mean', milliseconds($p{mean}), milliseconds($c{mean}));
row('latency, 50 % are below', milliseconds($p{50}), milliseconds($c{50}));
row('latency, 99 % are below', milliseconds($p{99}), milliseconds($c{99}));
row('  of so many requests', whole($p{logged}), whole($c{logged}));
row('executions of the query', whole($p{count}), whole($loads));
row('hit ratio', '-', sprintf('%.2f %%', 100 * $hits / ($hits + $misses)));
printf "\n  The cache answered %.1f times as many requests per second (goal: 50), its\n  empty start included.\n",
  $c{rate} / $p{rate};
