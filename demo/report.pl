#!/usr/bin/perl
# report.pl: the table of the demo, from the logs that pgbench --log wrote.
#
#   demo/report.pl SECONDS PLAIN-PREFIX CACHED-PREFIX LOADS HITS MISSES
#
# A log has one line per request, whose third field is its latency in
# microseconds. Percentiles are exact: every request counts.
use strict;
use warnings;

my ($seconds, $plain, $cached, $loads, $hits, $misses) = @ARGV;
defined $misses or die "usage: report.pl SECONDS PLAIN-PREFIX CACHED-PREFIX LOADS HITS MISSES\n";

# Latencies of all requests: count, mean, percentiles; times in microseconds.
sub read_logs
{
	my ($prefix) = @_;
	my %seen;    # latency => how many requests
	my ($count, $sum) = (0, 0);

	for my $file (glob("$prefix.*"))
	{
		open(my $log, '<', $file) or die "could not open $file: $!\n";
		while (<$log>)
		{
			my $latency = (split)[2];
			$seen{$latency}++;
			$count++;
			$sum += $latency;
		}
	}
	die "pgbench left no log\n" unless $count;
	return { count => $count, mean => $sum / $count, p50 => percentile(\%seen, $count, 0.50), p99 => percentile(\%seen, $count, 0.99) };
}

# The least latency that the given share of the requests does not exceed.
sub percentile
{
	my ($seen, $count, $share) = @_;
	my $below = 0;

	for my $latency (sort { $a <=> $b } keys %$seen)
	{
		$below += $seen->{$latency};
		return $latency if $below >= $share * $count;
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
	return sprintf('%.2f ms', $_[0] / 1000);
}

sub row
{
	printf "  %-26s %18s %18s\n", @_;
	return;
}

my ($p, $c) = (read_logs($plain), read_logs($cached));
my $ratio = ($c->{count} / $seconds) / ($p->{count} / $seconds);

row('', 'from the tables', 'through the cache');
row('', '-' x 15, '-' x 17);
row('requests', whole($p->{count}), whole($c->{count}));
row('requests per second', whole($p->{count} / $seconds), whole($c->{count} / $seconds));
row('latency, mean', milliseconds($p->{mean}), milliseconds($c->{mean}));
row('latency, 50 % are below', milliseconds($p->{p50}), milliseconds($c->{p50}));
row('latency, 99 % are below', milliseconds($p->{p99}), milliseconds($c->{p99}));
row('executions of the query', whole($p->{count}), whole($loads));
row('hit ratio', '-', sprintf('%.2f %%', 100 * $hits / ($hits + $misses)));
printf "\n  The cache answered %.1f times as many requests in the same time (goal: 50).\n", $ratio;
