/*-------------------------------------------------------------------------
 *
 * hash.h
 *	  Mixing of 64-bit hashes.
 *
 * Keys are hashed by PostgreSQL's hash_bytes_extended (Bob Jenkins' lookup3)
 * with a random seed drawn at server start; this adds cheap combinations.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CORE_HASH_H
#define CPG_CORE_HASH_H

/* Finalizer of MurmurHash3 (A. Appleby): a bijection that mixes all bits. */
static inline uint64
cpg_hash_mix(uint64 h)
{
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

/* A hash of a sequence: order matters. */
static inline uint64
cpg_hash_combine(uint64 h, uint64 next)
{
	return cpg_hash_mix(h ^ (next + UINT64CONST(0x9e3779b97f4a7c15) + (h << 6) + (h >> 2)));
}

#endif							/* CPG_CORE_HASH_H */
