/*-------------------------------------------------------------------------
 *
 * numbers.h
 *	  Percentiles and scales; no state, no input, no output.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STAMPEDE_OUTPUT_NUMBERS_H
#define CPG_STAMPEDE_OUTPUT_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

/* An axis: values from low to high are drawn from one position to another. */
typedef struct Scale
{
	double		low;
	double		high;
	double		from;
	double		to;
	bool		logarithmic;	/* then low > 0 */
} Scale;

extern double percentile_sorted(const double *values, size_t n, double share);
extern double percentile(double *values, size_t n, double share);
extern double scale_position(const Scale *scale, double value);
extern double tick_step(double length, int wanted);
extern double round_up(double value);

#endif							/* CPG_STAMPEDE_OUTPUT_NUMBERS_H */
