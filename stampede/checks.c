/*-------------------------------------------------------------------------
 *
 * checks.c
 *	  The built-in expectations (--expect).
 *
 * Bars of latency are set against the control of the same run: what waking so
 * many sessions costs is a matter of the machine.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stampede.h"

#define FOLLOWER_SLACK_MS	60
#define CONTROL_RATIO		1.5
#define STEADY_RATIO		2.0

Check		checks[CHECKS_MAX];
int			nchecks = 0;

static bool
holds(double measured, const char *operator, double bar)
{
	switch (operator[0])
	{
		case '<':
			return measured <= bar;
		case '>':
			return measured >= bar;
		default:
			return measured == bar;
	}
}

static void
expect(const Run *run, const char *what, double measured, const char *operator, double bar,
	   const char *unit)
{
	Check	   *check = &checks[nchecks];

	if (nchecks == CHECKS_MAX)
		return;
	snprintf(check->what, sizeof(check->what), "%s: %s", run->mode->name, what);
	check->operator = operator;
	check->bar = bar;
	check->measured = measured;
	check->unit = unit;
	check->met = measured >= 0 && holds(measured, operator, bar);
	nchecks++;
}

static const Run *
find_run(const Run *runs, int nruns, const char *name)
{
	for (int i = 0; i < nruns; i++)
	{
		if (strcmp(runs[i].mode->name, name) == 0)
			return &runs[i];
	}
	return NULL;
}

static void
expect_ms(const Run *run, const char *what, double measured, double bar)
{
	expect(run, what, measured, "<=", bar, " ms");
}

static void
expect_one_execution(const Run *run)
{
	expect(run, "executions of the source", (double) run->summary.executions, "=", 1, "");
	expect(run, "errors", run->summary.errors, "=", 0, "");
}

/* Without a guard there is a stampede: the run is worth something. */
static void
check_naive(const Run *run)
{
	int			more_than_half = run_clients / 2 + 1;

	expect(run, "executions of the source, against half of the clients",
		   (double) run->summary.executions, ">=", more_than_half, "");
}

static void
check_coalescing(const Run *run, const Run *control)
{
	const Summary *s = &run->summary;

	expect_one_execution(run);
	expect_ms(run, "median latency", s->p50, (double) options.source_ms + FOLLOWER_SLACK_MS);
	if (control == NULL)
		return;
	expect_ms(run, "p99, against 1.5 times the control's", s->p99, CONTROL_RATIO * control->summary.p99);
	expect_ms(run, "largest latency, against 1.5 times the control's", s->max,
			  CONTROL_RATIO * control->summary.max);
}

/* The value is refreshed without anybody waiting; without workers, one does. */
static void
check_refresh(const Run *run, bool before_expiry, int may_wait)
{
	const Summary *s = &run->summary;

	expect_one_execution(run);
	if (before_expiry)
		expect(run, "executions begun before the expiry", (double) s->before_expiry, "=", 1, "");
	expect(run, "requests that waited for the source", s->waited, "<=", may_wait, "");
	expect_ms(run, "p99 across the expiry, against twice that on a fresh value", s->p99,
			  STEADY_RATIO * s->steady_p99);
}

static void
check_breaker(const Run *run, const Run *control)
{
	const Summary *s = &run->summary;
	const BreakerPlan *plan = &breaker_plan;
	double		excess = control == NULL ? 0 :
	fmax(control->summary.max - (double) options.source_ms, 0);

	expect(run, "errors", s->errors, "=", 0, "");
	expect_ms(run, "largest latency, against twice soft_timeout + the control's excess", s->max,
			  2 * (double) plan->soft_timeout_ms + excess);
	expect_ms(run, "opened after the death, against the time the source is dead", s->opened_ms,
			  (double) plan->dead_ms);
	expect(run, "loads until it opened, against breaker_min_calls", (double) s->loads_until_open, "<=",
		   plan->min_calls, "");
	expect(run, "loads while open, against one probe per breaker_open", (double) s->loads_while_open, "<=",
		   (double) s->probes_allowed, "");
	expect_ms(run, "p99 of the worst second, against twice the normal", s->worst_p99,
			  STEADY_RATIO * s->steady_p99);
	expect_ms(run, "fresh after recovery, against breaker_open + the source's time",
			  s->fresh_ms,
			  (double) (plan->open_ms + options.source_ms));
}

void
checks_make(const Run *runs, int nruns)
{
	const Run  *control = find_run(runs, nruns, "control");

	for (int i = 0; i < nruns; i++)
	{
		const char *name = runs[i].mode->name;

		if (strcmp(name, "naive") == 0)
			check_naive(&runs[i]);
		else if (strcmp(name, "coalescing") == 0)
			check_coalescing(&runs[i], control);
		else if (strcmp(name, "xfetch") == 0)
			check_refresh(&runs[i], true, 0);
		else if (strcmp(name, "xfetch0") == 0)
			check_refresh(&runs[i], true, 1);
		else if (strcmp(name, "soft") == 0)
			check_refresh(&runs[i], false, 0);
		else if (strcmp(name, "breaker") == 0)
			check_breaker(&runs[i], control);
	}
}

/* The figure of a check, without its unit. */
void
check_figure(const Check *check, double value, char *figure)
{
	if (value < 0)
		snprintf(figure, FIGURE_SIZE, "none");
	else
		snprintf(figure, FIGURE_SIZE, "%.*f", check->unit[0] == '\0' ? 0 : 1, value);
}

/* A check in words. */
void
check_text(const Check *check, char *line, size_t size)
{
	char		measured[FIGURE_SIZE];
	char		bar[FIGURE_SIZE];

	check_figure(check, check->measured, measured);
	check_figure(check, check->bar, bar);
	snprintf(line, size, "%s: %s%s (%s %s%s)", check->what, measured, check->unit, check->operator, bar,
			 check->unit);
}

/* One line for each; false if one is missed. */
bool
checks_print(void)
{
	bool		all = true;

	for (int i = 0; i < nchecks; i++)
	{
		char		line[300];

		check_text(&checks[i], line, sizeof(line));
		printf("%s - %s\n", checks[i].met ? "ok" : "not ok", line);
		all &= checks[i].met;
	}
	return all;
}
