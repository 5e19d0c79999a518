/*-------------------------------------------------------------------------
 *
 * entry.c
 *	  An entry's bytes: size, creation, reading, release.
 *
 * A value that finds no hole of its size is stored in several extents: a chain
 * of blocks, each taken from the largest holes.  So whatever is evicted, the
 * space it leaves can be used.
 *
 * Functions that read take the header as a separate copy, so that they work for
 * optimistic readers: everything is bounded by the arena, whatever the bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/life.h"
#include "store/store_internal.h"

#define PART_BYTES CPG_ENTRY_PART_BYTES
#define SPLIT_MIN 64			/* shorter values stay in one piece */

/* Offset of an optional part (one flag) that is present. */
static Size
part_offset(uint8 flags, uint8 wanted)
{
	Size		offset = sizeof(CpgSharedEntry);

	if (wanted == CPG_ENTRY_SHAPE)
		return offset;
	if (flags & CPG_ENTRY_SHAPE)
		offset += PART_BYTES;
	if (wanted == CPG_ENTRY_LOAD)
		return offset;
	if (flags & CPG_ENTRY_LOAD)
		offset += PART_BYTES;
	if (wanted == CPG_ENTRY_EXTENTS)
		return offset;
	if (flags & CPG_ENTRY_EXTENTS)
		offset += PART_BYTES;
	return offset;
}

static uint8
item_flags(const CpgItem *item)
{
	uint8		flags = (uint8) item->kind;

	if (item->isnull)
		flags |= CPG_ENTRY_NULL;
	if (item->shape != 0)
		flags |= CPG_ENTRY_SHAPE;
	if (item->load_time != 0 || item->soft_ttl != 0)
		flags |= CPG_ENTRY_LOAD;
	if (item->notes_len != 0)
		flags |= CPG_ENTRY_NOTES;
	return flags;
}

static void
fill_header(CpgSharedEntry *entry, const CpgKey *key, const CpgItem *item, uint8 flags)
{
	memset(entry, 0, sizeof(*entry));
	entry->typid = item->typid;
	entry->role = key->role;
	entry->fingerprint = key->fingerprint;
	entry->stamp_ns = item->stamp << 16 | key->ns;
	entry->life = cpg_life_pack(item->created, item->expiry);
	entry->value_len = (uint32) item->len;
	entry->key_len = key->len;
	entry->ncells = (uint8) item->ncells;
	entry->flags = flags;
}

/* Write everything but the value behind the header; returns where it goes. */
static char *
fill_parts(CpgSharedEntry *entry, const CpgKey *key, const CpgItem *item)
{
	char	   *at = (char *) entry;
	CpgLoadInfo load = {item->load_time, item->soft_ttl};
	CpgNotesInfo notes = {item->notes_len, 0};

	if (entry->flags & CPG_ENTRY_SHAPE)
		memcpy(at + part_offset(entry->flags, CPG_ENTRY_SHAPE), &item->shape, PART_BYTES);
	if (entry->flags & CPG_ENTRY_LOAD)
		memcpy(at + part_offset(entry->flags, CPG_ENTRY_LOAD), &load, PART_BYTES);
	if (entry->flags & CPG_ENTRY_NOTES)
		memcpy(at + part_offset(entry->flags, CPG_ENTRY_NOTES), &notes, PART_BYTES);
	at += cpg_entry_prefix(entry);
	if (item->ncells > 0)
		memcpy(at - item->ncells * sizeof(CpgCell), item->cells, item->ncells * sizeof(CpgCell));
	memcpy(at, key->data, key->len);
	at += key->len;
	if (item->notes_len > 0)
		memcpy(at, item->notes, item->notes_len);
	return at + item->notes_len;
}

/* Bytes of notes of the entry with this header, lying at "at". */
Size
cpg_entry_notes_len(const CpgSharedEntry *entry, const char *at)
{
	CpgNotesInfo info;

	if ((entry->flags & CPG_ENTRY_NOTES) == 0)
		return 0;
	memcpy(&info, at + part_offset(entry->flags, CPG_ENTRY_NOTES), PART_BYTES);
	return info.len;
}

/* Payload of the one block that holds key and item. */
Size
cpg_item_size(const CpgKey *key, const CpgItem *item)
{
	CpgSharedEntry entry;

	entry.flags = item_flags(item);
	entry.ncells = (uint8) item->ncells;
	return cpg_entry_prefix(&entry) + key->len + item->notes_len + item->len;
}

static void
free_extents(CpgArena *arena, char *base, CpgRef ref)
{
	while (ref != 0)
	{
		CpgRef		next = ((CpgSharedExtent *) cpg_arena_pointer(base, ref))->next;

		cpg_arena_free(arena, base, ref);
		ref = next;
	}
}

/* Chain extents that hold len bytes; 0 if there is no room for them. */
static CpgRef
create_extents(CpgArena *arena, char *base, const char *data, Size len)
{
	CpgRef		first = 0;
	CpgRef	   *link = &first;

	for (int n = 0; len > 0; n++)
	{
		CpgRef		ref = n < CPG_EXTENTS_MAX
		? cpg_arena_alloc_largest(arena, base, CPG_EXTENT_HEADER + len) : 0;
		CpgSharedExtent *extent;

		if (ref == 0)
		{
			free_extents(arena, base, first);
			return 0;
		}
		extent = cpg_arena_pointer(base, ref);
		extent->next = 0;
		extent->len = (uint32) Min(len, cpg_arena_room(base, ref) - CPG_EXTENT_HEADER);
		memcpy(extent->data, data, extent->len);
		data += extent->len;
		len -= extent->len;
		*link = ref;
		link = &extent->next;
	}
	return first;
}

/*
 * Store the value in pieces.  The head block comes from the largest hole, too.
 */
static CpgRef
create_in_extents(CpgArena *arena, char *base, const CpgKey *key, const CpgItem *item)
{
	Size		fixed = cpg_item_size(key, item) - item->len + PART_BYTES;
	CpgRef		ref = cpg_arena_alloc_largest(arena, base, fixed + item->len);
	CpgSharedEntry *entry;
	CpgExtentInfo info;
	char	   *to;

	if (ref == 0)
		return 0;
	if (cpg_arena_room(base, ref) < fixed)
	{
		cpg_arena_free(arena, base, ref);
		return 0;
	}
	entry = cpg_arena_pointer(base, ref);
	info.head_len = (uint32) Min(item->len, cpg_arena_room(base, ref) - fixed);
	info.first = create_extents(arena, base, item->data + info.head_len, item->len - info.head_len);
	if (info.first == 0 && info.head_len < item->len)
	{
		cpg_arena_free(arena, base, ref);
		return 0;
	}
	fill_header(entry, key, item, item_flags(item) | CPG_ENTRY_EXTENTS);
	memcpy((char *) entry + part_offset(entry->flags, CPG_ENTRY_EXTENTS), &info, PART_BYTES);
	to = fill_parts(entry, key, item);
	memcpy(to, item->data, info.head_len);
	return ref;
}

/*
 * An entry for key and item, in one block or, if the free bytes suffice but no
 * hole does, in several; 0 if there is no room.  Not yet in index or queue.
 */
CpgRef
cpg_entry_create_locked(CpgSharedStore *store, CpgSharedPartition *part,
						const CpgKey *key, const CpgItem *item)
{
	char	   *base = cpg_arena_base(store, part);
	Size		size = cpg_item_size(key, item);
	CpgRef		ref = cpg_arena_alloc(&part->arena, base, size);
	CpgSharedEntry *entry;
	char	   *to;

	Assert(LWLockHeldByMeInMode(&part->lock.lock, LW_EXCLUSIVE));

	if (ref == 0)
	{
		if (item->len < SPLIT_MIN || part->arena.free_bytes < size + PART_BYTES)
			return 0;
		return create_in_extents(&part->arena, base, key, item);
	}
	entry = cpg_arena_pointer(base, ref);
	fill_header(entry, key, item, item_flags(item));
	to = fill_parts(entry, key, item);
	memcpy(to, item->data, item->len);
	return ref;
}

static CpgExtentInfo
extent_info(const CpgSharedEntry *entry, const char *at)
{
	CpgExtentInfo info;

	memcpy(&info, at + part_offset(entry->flags, CPG_ENTRY_EXTENTS), PART_BYTES);
	return info;
}

/* Give the memory of an entry back; it must be in no index and queue. */
void
cpg_entry_free_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	char	   *base = cpg_arena_base(store, part);
	CpgSharedEntry *entry = cpg_arena_pointer(base, ref);

	if (entry->flags & CPG_ENTRY_EXTENTS)
		free_extents(&part->arena, base, extent_info(entry, (char *) entry).first);
	cpg_arena_free(&part->arena, base, ref);
}

/* Bytes of all blocks of an entry. */
Size
cpg_entry_bytes_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	char	   *base = cpg_arena_base(store, part);
	CpgSharedEntry *entry = cpg_arena_pointer(base, ref);
	Size		bytes = cpg_arena_used_size(base, ref);
	CpgRef		extent = 0;

	if (entry->flags & CPG_ENTRY_EXTENTS)
		extent = extent_info(entry, (char *) entry).first;
	while (extent != 0)
	{
		bytes += cpg_arena_used_size(base, extent);
		extent = ((CpgSharedExtent *) cpg_arena_pointer(base, extent))->next;
	}
	return bytes;
}

/* Copy the pieces; false if a reference leads out of the arena. */
static bool
copy_extents(const CpgArena *arena, const char *base, CpgRef ref, char *to, Size len)
{
	while (len > 0)
	{
		Size		offset = (Size) ref * CPG_ARENA_UNIT;
		const CpgSharedExtent *extent = cpg_arena_pointer(base, ref);
		Size		piece;

		if (ref == 0 || offset + CPG_EXTENT_HEADER > arena->size)
			return false;
		piece = extent->len;
		if (piece == 0 || piece > len || offset + CPG_EXTENT_HEADER + piece > arena->size)
			return false;
		memcpy(to, extent->data, piece);
		to += piece;
		len -= piece;
		ref = extent->next;
	}
	return true;
}

/*
 * Copy the value of the entry at ref, whose header was copied to *entry, to
 * memory of entry->value_len bytes.  False if the bytes make no sense, which
 * happens to optimistic readers only.
 */
bool		pg_attribute_hot
cpg_entry_copy_value(CpgSharedStore *store, const CpgSharedPartition *part,
					 CpgRef ref, const CpgSharedEntry *entry, char *to)
{
	const char *base = cpg_arena_base(store, part);
	const char *at = cpg_arena_pointer(base, ref);
	Size		start = cpg_entry_prefix(entry) + entry->key_len + cpg_entry_notes_len(entry, at);
	Size		room = store->arena_size - (Size) ref * CPG_ARENA_UNIT;
	Size		head = entry->value_len;
	CpgExtentInfo info = {0, 0};

	if (start > room)
		return false;
	if (entry->flags & CPG_ENTRY_EXTENTS)
	{
		info = extent_info(entry, at);
		head = Min(info.head_len, head);
	}
	if (start + head > room)
		return false;
	memcpy(to, at + start, head);
	if (head == entry->value_len)
		return true;
	return copy_extents(&part->arena, base, info.first, to + head, entry->value_len - head);
}

/* Copy cells and notes to where the reader wants them. */
static bool
describe_more(const CpgSharedEntry *entry, const char *at, Size room, CpgValue *value)
{
	Size		prefix = cpg_entry_prefix(entry);

	value->ncells = 0;
	value->notes_len = 0;
	if (value->cells != NULL)
	{
		value->ncells = Min(entry->ncells, CPG_CELLS_MAX);
		memcpy(value->cells, at + prefix - entry->ncells * sizeof(CpgCell),
			   value->ncells * sizeof(CpgCell));
	}
	if (value->notes != NULL)
	{
		Size		len = cpg_entry_notes_len(entry, at);

		if (prefix + entry->key_len + len > room)
			return false;
		value->notes_len = Min(len, value->notes_size);
		memcpy(value->notes, at + prefix + entry->key_len, value->notes_len);
	}
	return true;
}

/* Whether an entry counts as past its soft lifetime whatever its age. */
static bool
is_stale(CpgSharedStore *store, const CpgSharedEntry *entry, const char *at)
{
	CpgSharedGuard *guard = store->guard;
	uint64		stamp = cpg_entry_stamp(entry);
	const char *cells = at + cpg_entry_prefix(entry) - entry->ncells * sizeof(CpgCell);

	if (entry->stale)
		return true;
	if (likely(pg_atomic_read_u64(&guard->soft_last) <= stamp))
		return false;
	if (cpg_guard_stale(guard, cpg_cell_namespace(cpg_entry_ns(entry)), stamp))
		return true;
	for (int i = 0; i < entry->ncells; i++)
	{
		CpgCell		cell;

		memcpy(&cell, cells + i * sizeof(CpgCell), sizeof(cell));
		if (cell >= guard->first[CPG_CELL_TAG] && cell < guard->first[CPG_CELL_TAG + 1] &&
			cpg_guard_stale(guard, cell, stamp))
			return true;
	}
	return false;
}

/* Fill all of *value but the datum; false as cpg_entry_copy_value. */
bool		pg_attribute_hot
cpg_entry_describe(CpgSharedStore *store, const CpgSharedPartition *part,
				   CpgRef ref, const CpgSharedEntry *entry, CpgValue *value)
{
	const char *at = cpg_arena_pointer(cpg_arena_base(store, part), ref);
	Size		room = store->arena_size - (Size) ref * CPG_ARENA_UNIT;
	CpgLoadInfo load = {0, 0};

	if (cpg_entry_prefix(entry) > room)
		return false;
	value->shape = 0;
	if (entry->flags & CPG_ENTRY_SHAPE)
		memcpy(&value->shape, at + part_offset(entry->flags, CPG_ENTRY_SHAPE), PART_BYTES);
	if (entry->flags & CPG_ENTRY_LOAD)
		memcpy(&load, at + part_offset(entry->flags, CPG_ENTRY_LOAD), PART_BYTES);
	value->load_time = load.load_time;
	value->soft_ttl = load.soft_ttl;
	value->len = entry->value_len;
	value->typid = entry->typid;
	value->kind = (CpgKind) (entry->flags & CPG_ENTRY_KIND);
	value->isnull = (entry->flags & CPG_ENTRY_NULL) != 0;
	value->stamp = cpg_entry_stamp(entry);
	value->created = cpg_life_created(entry->life);
	value->expiry = cpg_life_expiry(entry->life);
	value->stale = is_stale(store, entry, at);
	return describe_more(entry, at, room, value);
}

/* Why an entry is not valid that depends on a cell which says so. */
static CpgResult
invalid_because(CpgSharedGuard *guard, CpgCell cell)
{
	if (cpg_guard_pending(guard, cell))
		return CPG_MISS_COMMIT_PENDING;
	switch (cpg_cell_kind(guard, cell))
	{
		case CPG_CELL_NAMESPACE:
		case CPG_CELL_DATABASE:
			return CPG_MISS_INVALIDATED_NAMESPACE;
		case CPG_CELL_SCHEMA:
			return CPG_MISS_INVALIDATED_SCHEMA;
		case CPG_CELL_ROLE:
			return CPG_MISS_INVALIDATED_ROLE;
		case CPG_CELL_TABLE:
			return CPG_MISS_INVALIDATED_TABLE;
		case CPG_CELL_TAG:
			return CPG_MISS_INVALIDATED_TAG;
		case CPG_CELL_MIRROR:
		case CPG_CELL_HOME:
			return CPG_MISS_INVALIDATED_HOME;
		case CPG_CELL_KEY:
		case CPG_CELL_KINDS:
			break;
	}
	return CPG_MISS_INVALIDATED_KEY;
}

/*
 * Whether the entry at ref may be served now, or why not.  That its key is not
 * being invalidated is for the caller to see, who has the hash.
 *
 * The namespace comes first: by it a listing knows an entry of an earlier
 * meaning of the namespace's number, whose key is not for these eyes.
 */
CpgResult	pg_attribute_hot
cpg_entry_state(CpgSharedStore *store, const CpgSharedPartition *part,
				CpgRef ref, const CpgSharedEntry *entry, int64 now)
{
	CpgSharedGuard *guard = store->guard;
	uint64		stamp = cpg_entry_stamp(entry);
	Size		prefix = cpg_entry_prefix(entry);
	CpgCell		own = cpg_cell_namespace(cpg_entry_ns(entry));
	const char *cells;

	if (own >= guard->config.namespaces)
		return CPG_MISS_INVALIDATED_NAMESPACE;	/* an optimistic reader's
												 * garbage */
	if (!cpg_guard_valid(guard, own, stamp))
		return invalid_because(guard, own);
	own = cpg_cell_database(guard, *cpg_guard_database(guard, cpg_entry_ns(entry)));
	if (!cpg_guard_valid(guard, own, stamp))
		return invalid_because(guard, own);
	if (cpg_life_expiry(entry->life) <= now)
		return CPG_MISS_EXPIRED;
	if (entry->flags & CPG_ENTRY_DEAD)
		return CPG_MISS_INVALIDATED_KEY;
	if (entry->ncells == 0)
		return CPG_HIT;

	if (prefix > store->arena_size - (Size) ref * CPG_ARENA_UNIT)
		return CPG_MISS_INVALIDATED_KEY;
	cells = (const char *) cpg_arena_pointer(cpg_arena_base(store, part), ref) +
		prefix - entry->ncells * sizeof(CpgCell);
	for (int i = 0; i < entry->ncells; i++)
	{
		CpgCell		cell;

		memcpy(&cell, cells + i * sizeof(CpgCell), sizeof(cell));
		if (cell >= guard->first[CPG_CELL_KINDS])
			return CPG_MISS_INVALIDATED_KEY;
		if (!cpg_guard_valid(guard, cell, stamp))
			return invalid_because(guard, cell);
	}
	return CPG_HIT;
}

/*
 * Whether an entry can be of no use any more: not valid, or expired for longer
 * than its namespace keeps such.
 */
bool
cpg_entry_useless_locked(CpgSharedStore *store, const CpgSharedPartition *part,
						 CpgRef ref, int64 now)
{
	const CpgSharedEntry *entry = cpg_entry(store, unconstify(CpgSharedPartition *, part), ref);

	return cpg_entry_state(store, part, ref, entry,
						   now - *cpg_grace(store, cpg_entry_ns(entry))) != CPG_HIT;
}
