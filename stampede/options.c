/*-------------------------------------------------------------------------
 *
 * options.c
 *	  The command line.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cachepg.h"
#include "stampede.h"

#define CLIENTS_MAX		20000
#define TTL_PER_SOURCE	16		/* default ttl: so many times the source's */
#define TTL_MIN_MS		1000

Options		options = {
	.conninfo = "",.source_ms = 500,.rate = 200
};
BreakerPlan breaker_plan;

static const struct option long_options[] = {
	{"clients", required_argument, NULL, 'c'},
	{"source-time", required_argument, NULL, 'd'},
	{"ttl", required_argument, NULL, 't'},
	{"rate", required_argument, NULL, 'r'},
	{"modes", required_argument, NULL, 'm'},
	{"death", required_argument, NULL, 'D'},
	{"output", required_argument, NULL, 'o'},
	{"expect", no_argument, NULL, 'e'},
	{"quiet", no_argument, NULL, 'q'},
	{"cleanup", no_argument, NULL, 'C'},
	{"help", no_argument, NULL, '?'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0}
};

static const char usage_text[] =
"cachepg-stampede shows what many clients do to a slow query when its cached\n"
"result expires.\n"
"\n"
"Usage:\n"
"  cachepg-stampede [OPTION]... [CONNINFO]\n"
"\n"
"Options:\n"
"  -c, --clients=N        connections (1000, or as many as the server allows)\n"
"  -d, --source-time=MS   how long the source takes (500)\n"
"  -t, --ttl=MS           lifetime of a value (16 times the source's, 1000 at least)\n"
"  -r, --rate=N           steady requests per second in some modes (200)\n"
"  -m, --modes=LIST       only these, separated by commas\n"
"      --death=hang|error what a dead source does in mode breaker (hang)\n"
"  -o, --output=DIR       write report.html, stampede.svg, summary.csv,\n"
"                         timeline.csv and requests.csv there\n"
"      --expect           check the figures; exit status 1 if one is missed\n"
"  -q, --quiet            no progress on standard error\n"
"      --cleanup          only remove what a killed run left in the database\n"
"  -V, --version          show the version\n"
"  -?, --help             show this\n"
"\n"
"CONNINFO is a connection string or a database name; libpq's variables count.\n"
"The database must have the extension.  Schema " SCHEMA " and namespaces\n"
NAMESPACE "... are made there and removed at the end.\n"
"\n"
"Modes:\n";

static void
show_help(void)
{
	fputs(usage_text, stdout);
	for (int i = 0; i < nmodes; i++)
		printf("  %-11s %s%s\n", modes[i].name, modes[i].title,
			   modes[i].by_default ? "" : " (only if asked for)");
	exit(0);
}

static int64_t
number(const char *what, const char *text, int64_t min, int64_t max)
{
	char	   *end;
	long long	value = strtoll(text, &end, 10);

	if (end == text ||*end != '\0' || value < min || value > max)
		fail("%s is not a number from %lld to %lld: \"%s\"", what, (long long) min,
			 (long long) max, text);
	return value;
}

static void
read_death(const char *text)
{
	options.death_by_error = strcmp(text, "error") == 0;
	if (!options.death_by_error && strcmp(text, "hang") != 0)
		fail("the source dies by \"hang\" or \"error\", not \"%s\"", text);
}

static void
read_option(int letter)
{
	switch (letter)
	{
		case 'c':
			options.clients = (int) number("clients", optarg, 1, CLIENTS_MAX);
			break;
		case 'd':
			options.source_ms = number("source-time", optarg, 10, 60000);
			break;
		case 't':
			options.ttl_ms = number("ttl", optarg, 100, 3600000);
			break;
		case 'r':
			options.rate = (int) number("rate", optarg, 1, 100000);
			break;
		case 'm':
			options.modes = optarg;
			break;
		case 'D':
			read_death(optarg);
			break;
		case 'o':
			options.output = optarg;
			break;
		case 'e':
			options.expect = true;
			break;
		case 'q':
			options.quiet = true;
			break;
		case 'C':
			options.cleanup = true;
			break;
		case 'V':
			puts("cachepg-stampede (cachepg) " CPG_VERSION);
			exit(0);
		default:
			fail("try --help");
	}
}

static int64_t
at_least(int64_t value, int64_t min)
{
	return value > min ? value : min;
}

/*
 * The mode breaker in units of the source's time.  A load may take twice as
 * long, so that a slow machine does not look like a sick source; while the
 * source is dead the breaker has time to open, to probe and to open again.
 */
static void
plan_breaker(void)
{
	int64_t		d = options.source_ms;
	BreakerPlan plan = {
		.ttl_ms = 2 * d,.stale_for_ms = 600000,
		.soft_timeout_ms = at_least(d / 5, 10),.load_timeout_ms = at_least(2 * d, 200),
		.retry_after_ms = at_least(d / 5, 50),.open_ms = at_least(6 * d, 500),
		.window = 10,.min_calls = 5,.ratio = 0.5
	};

	plan.normal_ms = at_least(10 * d, 2000);
	plan.dead_ms = plan.min_calls * (plan.load_timeout_ms + plan.retry_after_ms) +
		plan.open_ms + plan.load_timeout_ms + plan.open_ms;
	plan.after_ms = 2 * plan.open_ms + 4 * d;
	breaker_plan = plan;
}

void
options_read(int argc, char **argv)
{
	int			letter;

	while ((letter = getopt_long(argc, argv, "c:d:t:r:m:o:qV?", long_options, NULL)) != -1)
	{
		/* getopt says so of an unknown option, too */
		if (letter == '?' && optopt == 0 && (strcmp(argv[optind - 1], "--help") == 0 ||
											 strcmp(argv[optind - 1], "-?") == 0))
			show_help();
		read_option(letter);
	}
	if (optind < argc)
		options.conninfo = argv[optind++];
	if (optind < argc)
		fail("too many arguments (the first is \"%s\"); try --help", argv[optind]);
	if (options.ttl_ms == 0)
		options.ttl_ms = at_least(TTL_PER_SOURCE * options.source_ms, TTL_MIN_MS);
	plan_breaker();
}
