/*-------------------------------------------------------------------------
 *
 * frequency.h
 *	  Use of an entry in one byte: what eviction needs and an estimate of hits.
 *
 * Bits 0-1 are the capped counter of S3-FIFO (0 to 3).  Bits 2-7 count hits
 * approximately: a counter at level c is raised with probability 2^-(c/2), so
 * that a hot entry is hardly ever written (R. Morris, "Counting large numbers
 * of events in small registers", 1978).  Level c stands for about
 * (2^(c/2) - 1) / (2^(1/2) - 1) hits; the standard error is about 45 %.
 *
 * Randomness is passed in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CORE_FREQUENCY_H
#define CPG_CORE_FREQUENCY_H

#define CPG_FREQUENCY_MAX		3
#define CPG_FREQUENCY_MASK		0x03
#define CPG_FREQUENCY_LEVEL_MAX	63

/* The byte after one more hit. */
static inline uint8
cpg_frequency_hit(uint8 freq, uint32 random)
{
	uint32		level = freq >> 2;

	if ((freq & CPG_FREQUENCY_MASK) < CPG_FREQUENCY_MAX)
		freq++;
	if (level < CPG_FREQUENCY_LEVEL_MAX)
	{
		/* 2^-(c/2): a shift for the whole part, 46341 = 2^15.5 for a half */
		uint32		bound = ((level & 1) ? 46341u << 16 : PG_UINT32_MAX) >> (level / 2);

		if (random <= bound)
			freq += 4;
	}
	return freq;
}

extern int64 cpg_frequency_hits(uint8 freq);

#endif							/* CPG_CORE_FREQUENCY_H */
