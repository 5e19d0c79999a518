/*-------------------------------------------------------------------------
 *
 * frequency.c
 *	  Reading of the hit estimate.  See frequency.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "core/frequency.h"

/* Estimated number of hits that a frequency byte stands for. */
int64
cpg_frequency_hits(uint8 freq)
{
	return (int64) rint((pow(2.0, (freq >> 2) / 2.0) - 1) / (sqrt(2.0) - 1));
}
