/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  Two-level segregated fit.  See arena.h for the layout.
 *
 * Limits: arenas of up to 1 GB.  Nothing here allocates, throws or locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "store/arena.h"

#define FLAG_FREE		0x1u
#define FLAG_PREV_FREE	0x2u
#define FLAGS			0x7u

/* How many blocks of the request's own list are tried before a larger one. */
#define TRY_EXACT		4

typedef struct FreeBlock
{
	CpgRef		next;
	CpgRef		prev;
} FreeBlock;

static inline uint32 *
header_of(const char *base, CpgRef ref)
{
	return (uint32 *) (base + (Size) ref * CPG_ARENA_UNIT - CPG_ARENA_HEADER);
}

static inline Size
size_of(const char *base, CpgRef ref)
{
	return *header_of(base, ref) & ~FLAGS;
}

static inline CpgRef
ref_at(CpgRef ref, Size bytes)
{
	return ref + (CpgRef) (bytes / CPG_ARENA_UNIT);
}

static inline FreeBlock *
links_of(const char *base, CpgRef ref)
{
	return (FreeBlock *) cpg_arena_pointer(base, ref);
}

/* Bytes of an allocated block, header included. */
Size
cpg_arena_used_size(const char *base, CpgRef ref)
{
	return size_of(base, ref);
}

/* The list that a free block of this size belongs to. */
static inline int
list_of(Size size)
{
	int			doubling;

	if (size < CPG_ARENA_LINEAR * CPG_ARENA_UNIT)
		return (int) (size / CPG_ARENA_UNIT);
	doubling = pg_leftmost_one_pos64(size) - 9; /* 512 bytes are the first */
	return CPG_ARENA_LINEAR + doubling * CPG_ARENA_STEPS +
		(int) ((size >> (doubling + 5)) & (CPG_ARENA_STEPS - 1));
}

/* The first list all of whose blocks hold at least size. */
static inline int
list_for(Size size)
{
	int			doubling;

	if (size < CPG_ARENA_LINEAR * CPG_ARENA_UNIT)
		return (int) (size / CPG_ARENA_UNIT);
	doubling = pg_leftmost_one_pos64(size) - 9;
	return list_of(size + ((Size) 1 << (doubling + 5)) - 1);
}

/* The first non-empty list at or after the given one, or -1. */
static int
next_nonempty(const CpgArena *arena, int list)
{
	int			word = list / 64;
	uint64		bits;

	if (list >= CPG_ARENA_LISTS)
		return -1;
	bits = arena->nonempty[word] & (~UINT64CONST(0) << (list % 64));
	while (bits == 0)
	{
		if (++word >= CPG_ARENA_WORDS)
			return -1;
		bits = arena->nonempty[word];
	}
	return word * 64 + pg_rightmost_one_pos64(bits);
}

static void
list_push(CpgArena *arena, char *base, CpgRef ref)
{
	Size		size = size_of(base, ref);
	int			list = list_of(size);
	FreeBlock  *block = links_of(base, ref);

	block->prev = 0;
	block->next = arena->list[list];
	if (block->next != 0)
		links_of(base, block->next)->prev = ref;
	arena->list[list] = ref;
	arena->nonempty[list / 64] |= UINT64CONST(1) << (list % 64);
	arena->free_bytes += size;
}

static void
list_remove(CpgArena *arena, char *base, CpgRef ref)
{
	Size		size = size_of(base, ref);
	int			list = list_of(size);
	FreeBlock  *block = links_of(base, ref);

	if (block->next != 0)
		links_of(base, block->next)->prev = block->prev;
	if (block->prev != 0)
		links_of(base, block->prev)->next = block->next;
	else
		arena->list[list] = block->next;
	if (arena->list[list] == 0)
		arena->nonempty[list / 64] &= ~(UINT64CONST(1) << (list % 64));
	arena->free_bytes -= size;
}

/* Write header and footer of a free block and tell the next block of it. */
static void
mark_free(char *base, CpgRef ref, Size size, uint32 prev_free)
{
	CpgRef		next = ref_at(ref, size);

	*header_of(base, ref) = (uint32) size | FLAG_FREE | prev_free;
	*(header_of(base, next) - 1) = (uint32) size;
	*header_of(base, next) |= FLAG_PREV_FREE;
}

/*
 * Make base[0 .. size) one free block.  The memory must be aligned to 8 bytes;
 * its first unit and the last header (a used block of no size that ends every
 * walk) are overhead.
 */
void
cpg_arena_init(CpgArena *arena, char *base, Size size)
{
	Size		usable;

	size = Min(size, CPG_ARENA_SIZE_MAX) & ~(Size) (CPG_ARENA_UNIT - 1);
	memset(arena, 0, sizeof(*arena));
	arena->size = size;
	usable = size - 2 * CPG_ARENA_UNIT;

	*header_of(base, ref_at(1, usable)) = 0;
	mark_free(base, 1, usable, 0);
	list_push(arena, base, 1);
}

/* Take a free block off its list and cut it to size; gives back the rest. */
static CpgRef
take(CpgArena *arena, char *base, CpgRef ref, Size size)
{
	Size		have = size_of(base, ref);

	list_remove(arena, base, ref);
	if (have - size >= CPG_ARENA_BLOCK_MIN)
	{
		CpgRef		rest = ref_at(ref, size);

		*header_of(base, ref) = (uint32) size;
		*header_of(base, rest) = 0;
		mark_free(base, rest, have - size, 0);
		list_push(arena, base, rest);
	}
	else
	{
		*header_of(base, ref) = (uint32) have;
		*header_of(base, ref_at(ref, have)) &= ~FLAG_PREV_FREE;
	}
	return ref;
}

/*
 * A block with room for so many bytes of payload, or 0 if no hole is large
 * enough.
 */
CpgRef
cpg_arena_alloc(CpgArena *arena, char *base, Size payload)
{
	Size		size = cpg_arena_block_size(payload);
	CpgRef		ref;
	int			list;

	if (size > arena->free_bytes)
		return 0;

	ref = arena->list[list_of(size)];
	for (int tries = 0; ref != 0 && tries < TRY_EXACT; tries++)
	{
		if (size_of(base, ref) >= size)
			return take(arena, base, ref, size);
		ref = links_of(base, ref)->next;
	}

	list = next_nonempty(arena, list_for(size));
	if (list < 0)
		return 0;
	return take(arena, base, arena->list[list], size);
}

/* The first block of the largest non-empty list, or 0. */
static CpgRef
largest_block(const CpgArena *arena)
{
	for (int word = CPG_ARENA_WORDS - 1; word >= 0; word--)
	{
		if (arena->nonempty[word] != 0)
			return arena->list[word * 64 + pg_leftmost_one_pos64(arena->nonempty[word])];
	}
	return 0;
}

/* Payload of (nearly) the largest hole, 0 if there is none. */
Size
cpg_arena_largest(const CpgArena *arena, const char *base)
{
	CpgRef		ref = largest_block(arena);

	return ref == 0 ? 0 : size_of(base, ref) - CPG_ARENA_HEADER;
}

/*
 * A block for payload bytes, or if no hole has that room nearly the largest
 * hole whole; 0 only if nothing is free.
 */
CpgRef
cpg_arena_alloc_largest(CpgArena *arena, char *base, Size payload)
{
	CpgRef		ref = cpg_arena_alloc(arena, base, payload);

	if (ref != 0)
		return ref;
	ref = largest_block(arena);
	if (ref == 0)
		return 0;
	return take(arena, base, ref, Min(size_of(base, ref), cpg_arena_block_size(payload)));
}

/* Give a block back; it merges with free neighbours. */
void
cpg_arena_free(CpgArena *arena, char *base, CpgRef ref)
{
	uint32		header = *header_of(base, ref);
	Size		size = header & ~FLAGS;
	CpgRef		next = ref_at(ref, size);

	Assert((header & FLAG_FREE) == 0 && size > 0);

	if (*header_of(base, next) & FLAG_FREE)
	{
		list_remove(arena, base, next);
		size += size_of(base, next);
	}
	if (header & FLAG_PREV_FREE)
	{
		Size		before = *(header_of(base, ref) - 1);

		ref -= (CpgRef) (before / CPG_ARENA_UNIT);
		list_remove(arena, base, ref);
		size += before;
		header = *header_of(base, ref);
	}
	mark_free(base, ref, size, header & FLAG_PREV_FREE);
	list_push(arena, base, ref);
}

/* Visit all blocks in address order; false if a visitor ended it or a size is wrong. */
bool
cpg_arena_walk(const CpgArena *arena, const char *base, CpgArenaVisitor visit, void *arg)
{
	CpgRef		ref = 1;
	CpgRef		end = (CpgRef) (arena->size / CPG_ARENA_UNIT) - 1;

	while (ref < end)
	{
		Size		size = size_of(base, ref);

		if (size < CPG_ARENA_BLOCK_MIN || ref_at(ref, size) > end)
			return false;
		if (!visit(ref, size, (*header_of(base, ref) & FLAG_FREE) != 0, arg))
			return false;
		ref = ref_at(ref, size);
	}
	return ref == end;
}

typedef struct FreeCount
{
	const char *base;
	Size		bytes;
	Size		blocks;
	bool		prev_free;
	bool		bad;
} FreeCount;

static bool
count_free(CpgRef ref, Size bytes, bool free, void *arg)
{
	FreeCount  *count = arg;
	bool		flag = (*header_of(count->base, ref) & FLAG_PREV_FREE) != 0;

	if (flag != count->prev_free || (free && flag))
		count->bad = true;
	if (free)
	{
		count->bytes += bytes;
		count->blocks++;
	}
	count->prev_free = free;
	return true;
}

/*
 * What is wrong with the arena, or NULL.  Compares the blocks in address order
 * with the free lists, their bitmap and the sum of free bytes.
 */
const char *
cpg_arena_check(const CpgArena *arena, const char *base)
{
	FreeCount	count = {.base = base};
	Size		listed = 0;

	if (!cpg_arena_walk(arena, base, count_free, &count))
		return "block sizes do not add up";
	if (count.bad)
		return "flags of neighbouring blocks disagree";
	if (count.bytes != arena->free_bytes)
		return "sum of free bytes is wrong";

	for (int list = 0; list < CPG_ARENA_LISTS; list++)
	{
		CpgRef		prev = 0;
		bool		marked = (arena->nonempty[list / 64] >> (list % 64)) & 1;

		if (marked != (arena->list[list] != 0))
			return "bitmap of free lists is wrong";
		for (CpgRef ref = arena->list[list]; ref != 0; ref = links_of(base, ref)->next)
		{
			if (!(*header_of(base, ref) & FLAG_FREE) || list_of(size_of(base, ref)) != list ||
				links_of(base, ref)->prev != prev || ++listed > count.blocks)
				return "free list is damaged";
			prev = ref;
		}
	}
	if (listed != count.blocks)
		return "free block is missing from its list";
	return NULL;
}
