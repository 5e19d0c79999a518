/*-------------------------------------------------------------------------
 *
 * ghost.h
 *	  Memory of keys evicted lately: the ghost queue of S3-FIFO.
 *
 * A table of 32-bit cells in sets of four: 20 bits fingerprint, 12 bits epoch.
 * The epoch advances every capacity/1024 insertions; a cell counts as present
 * while its age in insertions is within the window that the caller names (the
 * number of entries of the main queue).  Insertion overwrites an empty cell of
 * the set or its oldest one.  A false positive promotes one entry too early.
 *
 * Pure: the caller holds the lock and owns the memory.
 *
 * Source: J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO queues are
 * all you need for cache eviction", SOSP 2023, section 4.2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CORE_GHOST_H
#define CPG_CORE_GHOST_H

#define CPG_GHOST_WAYS 4

typedef struct CpgGhost
{
	uint32		nsets;
	uint32		unit;			/* insertions per epoch */
	uint64		clock;			/* insertions so far */
} CpgGhost;

extern uint32 cpg_ghost_sets(Size bytes);
extern void cpg_ghost_init(CpgGhost *ghost, uint32 *cells, uint32 nsets);
extern void cpg_ghost_insert(CpgGhost *ghost, uint32 *cells, uint64 hash);
extern bool cpg_ghost_contains(const CpgGhost *ghost, const uint32 *cells,
							   uint64 hash, uint64 window);
extern bool cpg_ghost_remove(CpgGhost *ghost, uint32 *cells,
							 uint64 hash, uint64 window);

#endif							/* CPG_CORE_GHOST_H */
