/*-------------------------------------------------------------------------
 *
 * ttl.c
 *	  Conversion between intervals and milliseconds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "error.h"
#include "policy/ttl.h"
#include "utils/timestamp.h"

/*
 * Milliseconds of a lifetime, rounded up; a month counts 30 days.  What is not
 * positive, infinite or above ten years raises invalid_parameter_value; "what"
 * names the argument.
 */
int64
cpg_ttl_from_interval(const Interval *interval, const char *what)
{
	double		days = (double) interval->month * DAYS_PER_MONTH + interval->day;
	double		total = days * USECS_PER_DAY + (double) interval->time;

	if (CPG_INTERVAL_IS_INFINITE(interval))
		cpg_error_bad_argument("%s must be finite", what);
	if (total <= 0)
		cpg_error_bad_argument("%s must be greater than zero", what);
	if (total > (double) CPG_TTL_MAX_DAYS * USECS_PER_DAY)
		cpg_error_bad_argument("%s must not exceed ten years", what);
	return ((int64) total + 999) / 1000;
}

/* A palloc'd interval of days and time. */
Interval *
cpg_ttl_to_interval(int64 milliseconds)
{
	Interval   *interval = palloc0(sizeof(Interval));
	int64		day = INT64CONST(86400000);

	interval->day = (int32) (milliseconds / day);
	interval->time = (milliseconds % day) * 1000;
	return interval;
}
