/*-------------------------------------------------------------------------
 *
 * numbers.c
 *	  Percentiles and scales.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>

#include "output/numbers.h"

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/*
 * The smallest of the values such that this share of them, or more, is not
 * above it; n > 0, the values are in order.
 */
double
percentile_sorted(const double *values, size_t n, double share)
{
	size_t		rank = (size_t) ceil(share * (double) n);

	return values[rank > 0 ? rank - 1 : 0];
}

/* The same of values in any order; sorts them. */
double
percentile(double *values, size_t n, double share)
{
	qsort(values, n, sizeof(double), compare_doubles);
	return percentile_sorted(values, n, share);
}

/* Where a value is drawn; what is beyond the ends of the scale, at its ends. */
double
scale_position(const Scale *scale, double value)
{
	double		low = scale->low;
	double		high = scale->high;

	value = fmin(fmax(value, low), high);
	if (scale->logarithmic)
	{
		low = log10(low);
		high = log10(high);
		value = log10(value);
	}
	return scale->from + (scale->to - scale->from) * (value - low) / (high - low);
}

/* The first of 1, 2, 5, 10, ... times a power of ten that is not smaller. */
double
round_up(double value)
{
	double		power = pow(10, floor(log10(value)));
	double		digit = value / power;

	/* 1 + 1e-9: a quotient that is a little more than the digit it stands for */
	if (digit <= 1 + 1e-9)
		return power;
	if (digit <= 2 + 1e-9)
		return 2 * power;
	if (digit <= 5 + 1e-9)
		return 5 * power;
	return 10 * power;
}

/* The distance of ticks such that there are about so many on a length. */
double
tick_step(double length, int wanted)
{
	return round_up(length / wanted);
}
