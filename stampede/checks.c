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
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stampede.h"

#define FOLLOWER_SLACK_MS	60
#define CONTROL_RATIO		1.5
#define STEADY_RATIO		2.0

Check		checks[CHECKS_MAX];
int			nchecks = 0;

static void
			expect(bool met, const char *format,...) __attribute__((format(printf, 2, 3)));

static void
expect(bool met, const char *format,...)
{
	Check	   *check = &checks[nchecks];
	va_list		args;

	if (nchecks == CHECKS_MAX)
		return;
	va_start(args, format);
	vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
	check->met = met;
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
expect_at_most(const char *what, double measured, double bar, const char *unit)
{
	expect(measured >= 0 && measured <= bar, "%s: %.1f%s (<= %.1f%s)", what, measured, unit, bar, unit);
}

static void
expect_executions(const Run *run)
{
	const Summary *s = &run->summary;

	expect(s->executions == 1, "%s: executions of the source: %" PRId64 " (= 1)", run->mode->name,
		   s->executions);
	expect(s->errors == 0, "%s: errors: %d (= 0)", run->mode->name, s->errors);
}

/* Without a guard there is a stampede: the run is worth something. */
static void
check_naive(const Run *run)
{
	expect(run->summary.executions > run_clients / 2,
		   "naive: executions of the source: %" PRId64 " (> %d, half of the clients)",
		   run->summary.executions, run_clients / 2);
}

static void
check_coalescing(const Run *run, const Run *control)
{
	const Summary *s = &run->summary;

	expect_executions(run);
	expect_at_most("coalescing: median latency", s->p50,
				   (double) options.source_ms + FOLLOWER_SLACK_MS, " ms");
	if (control == NULL)
		return;
	expect_at_most("coalescing: p99 against 1.5 times the control's", s->p99,
				   CONTROL_RATIO * control->summary.p99, " ms");
	expect_at_most("coalescing: largest latency against 1.5 times the control's", s->max,
				   CONTROL_RATIO * control->summary.max, " ms");
}

/* The value is refreshed without anybody waiting; without workers, one does. */
static void
check_refresh(const Run *run, int may_wait)
{
	const Summary *s = &run->summary;
	const char *name = run->mode->name;
	char		what[100];

	expect_executions(run);
	if (strcmp(name, "soft") != 0)
		expect(s->before_expiry == 1, "%s: of them begun before the expiry: %" PRId64 " (= 1)", name,
			   s->before_expiry);
	expect(s->waited <= may_wait, "%s: clients that waited for the source: %d (<= %d)", name, s->waited,
		   may_wait);
	snprintf(what, sizeof(what), "%s: p99 across the expiry against twice the one on a fresh value", name);
	expect_at_most(what, s->p99, STEADY_RATIO * s->steady_p99, " ms");
}

static void
check_breaker(const Run *run, const Run *control)
{
	const Summary *s = &run->summary;
	const BreakerPlan *plan = &breaker_plan;
	double		excess = control == NULL ? 0 :
	fmax(control->summary.max - (double) options.source_ms, 0);

	expect(s->errors == 0, "breaker: errors: %d (= 0)", s->errors);
	expect_at_most("breaker: largest latency against twice soft_timeout and the control's excess", s->max,
				   2 * (double) plan->soft_timeout_ms + excess, " ms");
	expect(s->opened_ms >= 0, "breaker: opened %.0f ms after the death", s->opened_ms);
	expect(s->loads_until_open <= plan->min_calls,
		   "breaker: loads until it opened: %" PRId64 " (<= %d, breaker_min_calls)", s->loads_until_open,
		   plan->min_calls);
	expect(s->loads_while_open <= s->probes_allowed,
		   "breaker: loads while open: %" PRId64 " (<= %" PRId64 ", one probe per breaker_open)",
		   s->loads_while_open, s->probes_allowed);
	expect_at_most("breaker: p99 of the worst second against twice the normal", s->worst_p99,
				   STEADY_RATIO * s->steady_p99, " ms");
	/* a probe may hang when the source recovers: it is cut off first */
	expect_at_most("breaker: fresh value after the recovery, against breaker_open + source + "
				   "load_timeout + retry_after", s->fresh_ms,
				   (double) (plan->open_ms + options.source_ms + plan->load_timeout_ms +
							 plan->retry_after_ms), " ms");
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
		else if (strcmp(name, "xfetch") == 0 || strcmp(name, "soft") == 0)
			check_refresh(&runs[i], 0);
		else if (strcmp(name, "xfetch0") == 0)
			check_refresh(&runs[i], 1);
		else if (strcmp(name, "breaker") == 0)
			check_breaker(&runs[i], control);
	}
}

/* One line for each; false if one is missed. */
bool
checks_print(void)
{
	bool		all = true;

	for (int i = 0; i < nchecks; i++)
	{
		printf("%s - %s\n", checks[i].met ? "ok" : "not ok", checks[i].text);
		all &= checks[i].met;
	}
	return all;
}
