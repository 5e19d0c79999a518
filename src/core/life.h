/*-------------------------------------------------------------------------
 *
 * life.h
 *	  Expiry and lifetime of an entry, packed into 64 bits.
 *
 * Bits 0-39 hold the expiry in milliseconds of the cache's clock (34 years of
 * uptime).  Bits 40-63 hold the lifetime given when the entry was written, as
 * a floating number of 19 bits mantissa and 5 bits exponent: exact below
 * 2^19 ms (8.7 minutes), off by at most 2^-19 above.  Creation time is expiry
 * less lifetime.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CORE_LIFE_H
#define CPG_CORE_LIFE_H

#define CPG_LIFE_EXPIRY_BITS	40
#define CPG_LIFE_EXPIRY_MAX		((INT64CONST(1) << CPG_LIFE_EXPIRY_BITS) - 1)
#define CPG_LIFE_MANTISSA_BITS	19

extern uint64 cpg_life_pack(int64 created, int64 expiry);

static inline int64
cpg_life_expiry(uint64 life)
{
	return (int64) (life & CPG_LIFE_EXPIRY_MAX);
}

static inline int64
cpg_life_length(uint64 life)
{
	uint32		packed = (uint32) (life >> CPG_LIFE_EXPIRY_BITS);

	return (int64) (packed & ((1 << CPG_LIFE_MANTISSA_BITS) - 1)) <<
		(packed >> CPG_LIFE_MANTISSA_BITS);
}

static inline int64
cpg_life_created(uint64 life)
{
	return cpg_life_expiry(life) - cpg_life_length(life);
}

#endif							/* CPG_CORE_LIFE_H */
