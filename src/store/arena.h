/*-------------------------------------------------------------------------
 *
 * arena.h
 *	  Two-level segregated fit over a fixed piece of memory.
 *
 * A block has a 4-byte header before its payload: its size in bytes (a multiple
 * of 8, header included) with two flags in the low bits.  A free block holds
 * the links of its free list in the payload and its size again in its last 4
 * bytes, so that its neighbours merge with it in O(1).  Payloads are aligned
 * to 8 bytes; a CpgRef is the offset of a payload from the arena's start in
 * units of 8, and 0 is no block.
 *
 * Free lists: one per 8 bytes below 512 bytes, above 16 per doubling, found
 * by bitmaps.  Allocation first looks at a few blocks of the request's own
 * list (equal sizes then reuse each other's holes) and else takes the first
 * block of the next larger non-empty list: O(1), with a waste of at most
 * 1/16 (M. Masmano, I. Ripoll, A. Crespo, J. Real, "TLSF: a new dynamic memory
 * allocator for real-time systems", ECRTS 2004).
 *
 * Pure: the caller holds the lock of the arena's owner and owns the memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STORE_ARENA_H
#define CPG_STORE_ARENA_H

typedef uint32 CpgRef;

#define CPG_ARENA_UNIT			8
#define CPG_ARENA_HEADER		4
#define CPG_ARENA_BLOCK_MIN		32
#define CPG_ARENA_LINEAR		64	/* lists of one size each, below 512 bytes */
#define CPG_ARENA_STEPS			16	/* lists per doubling above */
#define CPG_ARENA_DOUBLINGS		21	/* 512 bytes to 1 GB */
#define CPG_ARENA_LISTS			(CPG_ARENA_LINEAR + CPG_ARENA_DOUBLINGS * CPG_ARENA_STEPS)
#define CPG_ARENA_WORDS			((CPG_ARENA_LISTS + 63) / 64)
#define CPG_ARENA_SIZE_MAX		((Size) 1 << 30)

typedef struct CpgArena
{
	Size		size;			/* bytes managed */
	Size		free_bytes;		/* in free blocks, headers included */
	CpgRef		list[CPG_ARENA_LISTS];
	uint64		nonempty[CPG_ARENA_WORDS];
} CpgArena;

/* Called for each block in address order; false ends the walk. */
typedef bool (*CpgArenaVisitor) (CpgRef ref, Size bytes, bool free, void *arg);

extern void cpg_arena_init(CpgArena *arena, char *base, Size size);
extern CpgRef cpg_arena_alloc(CpgArena *arena, char *base, Size payload);
extern CpgRef cpg_arena_alloc_largest(CpgArena *arena, char *base, Size payload);
extern void cpg_arena_free(CpgArena *arena, char *base, CpgRef ref);
extern Size cpg_arena_largest(const CpgArena *arena, const char *base);
extern bool cpg_arena_walk(const CpgArena *arena, const char *base,
						   CpgArenaVisitor visit, void *arg);
extern const char *cpg_arena_check(const CpgArena *arena, const char *base);

static inline void *
cpg_arena_pointer(const char *base, CpgRef ref)
{
	return (void *) (base + (Size) ref * CPG_ARENA_UNIT);
}

/* Bytes that an allocation of so much payload takes at least. */
static inline Size
cpg_arena_block_size(Size payload)
{
	return Max((payload + CPG_ARENA_HEADER + CPG_ARENA_UNIT - 1) & ~(Size) (CPG_ARENA_UNIT - 1),
			   CPG_ARENA_BLOCK_MIN);
}

extern Size cpg_arena_used_size(const char *base, CpgRef ref);

/* Bytes of payload that fit into an allocated block. */
static inline Size
cpg_arena_room(const char *base, CpgRef ref)
{
	return cpg_arena_used_size(base, ref) - CPG_ARENA_HEADER;
}

#endif							/* CPG_STORE_ARENA_H */
