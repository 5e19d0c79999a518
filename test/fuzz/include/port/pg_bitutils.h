/*-------------------------------------------------------------------------
 *
 * pg_bitutils.h
 *	  What the pure sources need of PostgreSQL's pg_bitutils.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_BITUTILS_H
#define PG_BITUTILS_H

static inline int
pg_leftmost_one_pos64(uint64 word)
{
	return 63 - __builtin_clzll(word);
}

#endif							/* PG_BITUTILS_H */
