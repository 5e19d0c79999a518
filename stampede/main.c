/*-------------------------------------------------------------------------
 *
 * main.c
 *	  cachepg-stampede: what a thousand clients do to a slow query when its
 *	  cached result expires, without a cache, with one as applications build it,
 *	  and with each of cachepg's guards.
 *
 * Runs the modes one after the other over the same connections, prints a table,
 * and writes the report.  What it made in the database is removed by an exit
 * handler, so that it is gone after an error and after Ctrl-C, too.
 *
 * Exit status: 0, 1 an expectation was not met (--expect), 2 it could not be
 * run, 128 + N ended by signal N.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "output/output.h"
#include "stampede.h"

volatile sig_atomic_t interrupted = 0;

static Run	runs[MODES_MAX];
static int	nruns = 0;

/* Messages of libpq end in a newline, ours do not. */
void
fail(const char *format,...)
{
	char		message[1000];
	size_t		len;
	va_list		args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	len = strlen(message);
	while (len > 0 && message[len - 1] == '\n')
		message[--len] = '\0';
	fprintf(stderr, "cachepg-stampede: %s\n", message);
	exit(EXIT_UNUSABLE);
}

void
progress(const char *format,...)
{
	va_list		args;

	if (options.quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * SECOND + now.tv_nsec;
}

static void
note_signal(int number)
{
	interrupted = number;
}

static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = note_signal};
	const int	numbers[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Each mode runs once: it has one namespace, and statements with its name. */
static int
add_mode(const Mode **selected, int n, const Mode *mode)
{
	for (int i = 0; i < n; i++)
	{
		if (selected[i] == mode)
			return n;
	}
	selected[n] = mode;
	return n + 1;
}

static int
default_modes(const Mode **selected)
{
	int			n = 0;

	for (int i = 0; i < nmodes; i++)
	{
		if (modes[i].by_default && (server.guards || !modes[i].guards))
			n = add_mode(selected, n, &modes[i]);
		else if (modes[i].by_default)
			progress("mode %s is left out: cache_fetch of cachepg %s has no guards against stampedes",
					 modes[i].name, server.extension);
	}
	return n;
}

/* Modes by name; expectations are set against the control. */
static int
named_modes(const Mode **selected, const char *names)
{
	int			n = options.expect ? add_mode(selected, 0, &modes[0]) : 0;
	size_t		len;

	for (const char *name = names; *name != '\0'; name += strspn(name, ","))
	{
		const Mode *mode;

		len = strcspn(name, ",");
		mode = mode_find(name, len);
		if (mode == NULL)
			fail("there is no mode \"%.*s\" (see --help)", (int) len, name);
		if (mode->guards && !server.guards)
			fail("mode %s needs a newer cachepg than %s in this database", mode->name,
				 server.extension);
		n = add_mode(selected, n, mode);
		name += len;
	}
	return n;
}

/* How many clients there can be. */
static int
number_of_clients(void)
{
	int			possible = server.free_connections - 1; /* the monitor's */

	if (options.clients > possible)
		fail("the server has room for %d clients only (max_connections is %d)", possible,
			 server.max_connections);
	if (options.clients > 0)
		return options.clients;
	if (possible < 1)
		fail("the server has no connections left (max_connections is %d)", server.max_connections);
	if (possible >= CLIENTS_DEFAULT)
		return CLIENTS_DEFAULT;
	progress("%d clients instead of %d: max_connections is %d", possible, CLIENTS_DEFAULT,
			 server.max_connections);
	return possible;
}

static void
allow_files(int needed)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= (rlim_t) needed)
		return;
	limit.rlim_cur = limit.rlim_max < (rlim_t) needed ? limit.rlim_max : (rlim_t) needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < (rlim_t) needed)
		fail("%d open files are not allowed (ulimit -n)", needed);
}

static void
run_modes(const Mode *const *selected, int n)
{
	for (int i = 0; i < n; i++)
	{
		Run		   *run = &runs[nruns++];

		run_begin(run, selected[i]);
		loop_begin(run);
		selected[i]->play(run);
		loop_end();
		run_summarize(run);
		if (run->first_error[0] != '\0')
			progress("%s: the first of %d errors: %s", selected[i]->name, run->summary.errors,
					 run->first_error);
	}
}

static void
run_all(void)
{
	const Mode *selected[MODES_MAX];
	int			n = options.modes == NULL ? default_modes(selected) :
	named_modes(selected, options.modes);
	int			count = number_of_clients();
	bool		breaker = false;

	run_clients = count;
	allow_files(count + 50);
	server_prepare_source();
	for (int i = 0; i < n; i++)
	{
		server_create_namespace(selected[i]);
		breaker |= selected[i]->play == play_breaker;
	}
	loop_open();
	monitor_open(breaker);
	clients_open(count, selected, n);
	run_modes(selected, n);
	monitor_close();
	clients_close();
}

int
main(int argc, char **argv)
{
	bool		met = true;

	options_read(argc, argv);
	catch_signals();
	if (options.output != NULL)
		output_check_directory();
	server_connect();
	if (options.cleanup)
	{
		server_remove_all();
		return 0;
	}
	run_all();
	if (options.expect)
		checks_make(runs, nruns);
	table_print(runs, nruns);
	if (options.expect)
		met = checks_print();
	if (options.output != NULL)
		output_write(runs, nruns);
	return met ? 0 : EXIT_MISSED;
}
