/*-------------------------------------------------------------------------
 *
 * life.c
 *	  Packing of expiry and lifetime.  See life.h for the format.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/life.h"

/*
 * The packed form of a life from created to expiry, both in milliseconds.
 * An expiry beyond the representable range is cut to it.
 */
uint64
cpg_life_pack(int64 created, int64 expiry)
{
	uint64		length;
	uint32		exponent = 0;

	expiry = Min(Max(expiry, 0), CPG_LIFE_EXPIRY_MAX);
	length = (uint64) Max(expiry - created, 0);
	while ((length >> exponent) >= (UINT64CONST(1) << CPG_LIFE_MANTISSA_BITS))
		exponent++;
	length >>= exponent;

	return (uint64) expiry |
		((uint64) (length | ((uint64) exponent << CPG_LIFE_MANTISSA_BITS))
		 << CPG_LIFE_EXPIRY_BITS);
}
