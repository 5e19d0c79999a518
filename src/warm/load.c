/*-------------------------------------------------------------------------
 *
 * load.c
 *	  Loading a dump in the background, while sessions use the cache.
 *
 * What sessions did since the start wins: an entry is not loaded over one that
 * is there, nor if its key, tags or namespace were invalidated, since its stamp
 * is the clock's first number.
 *
 * Lengths are checked against what is there, whatever the checksum says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "inval/deps.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "warm/warm_internal.h"

#define FIRST_STAMP		1		/* of the guard's clock */
#define NOT_ATTACHED	(-1)
#define UNKNOWN			(-2)

typedef struct Space
{
	int			number;			/* or NOT_ATTACHED, UNKNOWN */
	CpgRegistration is;
} Space;

typedef struct Reader
{
	int			fd;
	uint64		left;			/* bytes of the file not read */
	CpgDumpHeader header;
	uint32		number;			/* of the next block */
	char	   *block;
	Size		room;
	Space	   *spaces;			/* by their number in the dump */
	int64		origin;			/* to which times are relative */
	int64		now;
	uint64		loaded;
} Reader;

static bool
read_bytes(Reader *reader, void *to, Size len)
{
	char	   *at = to;

	if (len > reader->left)
		return false;
	reader->left -= len;
	while (len > 0)
	{
		ssize_t		got = read(reader->fd, at, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		len -= got;
	}
	return true;
}

/* Open the dump that the start left for us, which has no name from then on. */
static bool
open_dump(Reader *reader)
{
	struct stat st;

	reader->fd = OpenTransientFile(CPG_DUMP_TAKEN, O_RDONLY | PG_BINARY);
	if (reader->fd < 0)
		return false;
	cpg_dump_discard(CPG_DUMP_TAKEN);
	if (fstat(reader->fd, &st) == 0)
		reader->left = (uint64) st.st_size;
	return true;
}

/* The header, which must be the one that the start has seen. */
static bool
read_header(Reader *reader)
{
	uint64		size = reader->left;

	return read_bytes(reader, &reader->header, sizeof(reader->header)) &&
		cpg_dump_header_sound(&reader->header) &&
		reader->header.seed == cpg_store_seed(cpg_store) &&
		reader->header.size == size;
}

/*
 * Where the dump's times begin on the clock of now.  The time since is the
 * longer of what the time of day and the cache's clock say: after a reboot the
 * latter says too little or nonsense, the former may have been set.
 */
static void
set_origin(Reader *reader)
{
	int64		wall;
	int64		elapsed;

	cpg_dump_now(&wall, &reader->now);
	elapsed = Max(wall - reader->header.wall, reader->now - reader->header.clock);
	reader->origin = reader->now - Max(elapsed, 0);
}

static bool
grow(Reader *reader, Size len)
{
	if (len <= reader->room)
		return true;
	if (reader->block != NULL)
		pfree(reader->block);
	reader->room = 0;
	reader->block = palloc_extended(len, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (reader->block == NULL)
		return false;
	reader->room = len;
	return true;
}

/* Read the next block; false if it is damaged. */
static bool
read_block(Reader *reader, CpgDumpBlock *block)
{
	return read_bytes(reader, block, sizeof(*block)) &&
		block->len <= reader->left &&
		grow(reader, block->len) &&
		read_bytes(reader, reader->block, block->len) &&
		cpg_dump_checksum(&reader->header, reader->number++, block, reader->block) == block->crc;
}

static bool
load_space(Reader *reader, uint16 ns, const char *data, Size len)
{
	Space	   *space = &reader->spaces[ns];

	if (len != sizeof(CpgRegistration))
		return false;
	memcpy(&space->is, data, sizeof(CpgRegistration));
	space->is.name[CPG_NAMESPACE_NAME_SIZE - 1] = '\0';
	space->number = OidIsValid(space->is.database) ? cpg_registry_restore(&space->is) : NOT_ATTACHED;
	return true;
}

/* Whether the parts of an entry fill its record and make sense. */
static bool
is_sensible(const CpgDumpEntry *entry, Size rest)
{
	if (entry->key_len == 0 || entry->key_len > CPG_KEY_MAX ||
		entry->notes_len > CPG_DUMP_NOTES_MAX ||
		(uint64) entry->key_len + entry->notes_len + entry->value_len != rest)
		return false;
	if (entry->kind > CPG_KIND_VARLENA)
		return false;
	if (entry->isnull)
		return entry->value_len == 0;
	return entry->kind != CPG_KIND_BYVAL || entry->value_len == sizeof(Datum);
}

/* The item of an entry, which points into data. */
static void
make_item(const Reader *reader, const Space *space, const CpgDumpEntry *entry, const char *data,
		  CpgCell *cells, CpgItem *item)
{
	CpgNotes	notes;

	memset(item, 0, sizeof(*item));
	item->notes = data + entry->key_len;
	item->notes_len = entry->notes_len;
	item->data = item->notes + entry->notes_len;
	item->len = entry->value_len;
	item->typid = entry->typid;
	item->kind = (CpgKind) entry->kind;
	item->isnull = entry->isnull;
	item->shape = entry->shape;
	item->stamp = FIRST_STAMP;
	item->created = reader->origin + entry->created;
	item->expiry = reader->origin + entry->expiry;
	item->load_time = entry->load_time;
	item->soft_ttl = entry->soft_ttl;
	item->max_entries = space->is.max_entries;
	item->max_bytes = space->is.max_bytes;
	cpg_notes_read(item->notes, item->notes_len, &notes);
	item->cells = cells;
	item->ncells = cpg_notes_cells(&notes, *cpg_guard_database(cpg_guard, (uint16) space->number),
								   cells);
}

static bool
load_entry(Reader *reader, uint16 ns, const char *data, Size len)
{
	const Space *space = &reader->spaces[ns];
	CpgCell		cells[CPG_CELLS_MAX];
	CpgDumpEntry entry;
	CpgItem		item;
	CpgKey		key;

	if (len < sizeof(entry) || space->number == UNKNOWN)
		return false;
	memcpy(&entry, data, sizeof(entry));
	data += sizeof(entry);
	if (!is_sensible(&entry, len - sizeof(entry)))
		return false;
	if (space->number == NOT_ATTACHED)
		return true;
	make_item(reader, space, &entry, data, cells, &item);
	if (item.expiry <= reader->now)
		return true;
	cpg_key_init(&key, cpg_store, (uint16) space->number, data, entry.key_len);
	key.role = entry.role;
	key.fingerprint = entry.fingerprint;
	key.any_fingerprint = false;
	key.bounded = cpg_registration_bounded(&space->is);
	if (cpg_store_restore(cpg_store, &key, &item, &entry.standing) == CPG_PUT_STORED)
		reader->loaded++;
	return true;
}

/* Load the records of a block; false if they make no sense. */
static bool
load_block(Reader *reader, const CpgDumpBlock *block, const volatile sig_atomic_t *stop)
{
	const char *at = reader->block;
	const char *end = at + block->len;

	for (uint32 i = 0; i < block->records && !*stop; i++)
	{
		CpgDumpRecord record;
		bool		good = false;

		CHECK_FOR_INTERRUPTS();
		if (end - at < (ptrdiff_t) sizeof(record))
			return false;
		memcpy(&record, at, sizeof(record));
		at += sizeof(record);
		if (record.len > end - at)
			return false;
		if (record.kind == CPG_RECORD_NAMESPACE)
			good = load_space(reader, record.ns, at, record.len);
		else if (record.kind == CPG_RECORD_ENTRY)
			good = load_entry(reader, record.ns, at, record.len);
		if (!good)
			return false;
		at += record.len;
	}
	return true;
}

/* Load all blocks; false at the first that is damaged. */
static bool
load_blocks(Reader *reader, const volatile sig_atomic_t *stop)
{
	CpgDumpBlock block;

	reader->spaces = palloc_extended((UINT16_MAX + 1) * sizeof(Space), MCXT_ALLOC_HUGE);
	for (int i = 0; i <= UINT16_MAX; i++)
		reader->spaces[i].number = UNKNOWN;
	set_origin(reader);
	while (reader->left > 0 && !*stop)
	{
		if (!read_block(reader, &block) || !load_block(reader, &block, stop))
			return false;
	}
	return true;
}

static void
load(Reader *reader, const volatile sig_atomic_t *stop)
{
	int64		began = cpg_clock_now();

	if (!open_dump(reader))
		return;
	if (!read_header(reader))
		ereport(LOG,
				(errmsg("cache dump is ignored: it is damaged")));
	else if (!load_blocks(reader, stop))
		ereport(LOG,
				(errmsg("loaded %llu of %llu dumped cache entries: the rest is damaged",
						(unsigned long long) reader->loaded,
						(unsigned long long) reader->header.entries)));
	else
		ereport(LOG,
				(errmsg("loaded %llu of %llu dumped cache entries in %lld ms",
						(unsigned long long) reader->loaded,
						(unsigned long long) reader->header.entries,
						(long long) (cpg_clock_now() - began))));
	CloseTransientFile(reader->fd);
}

/* Load the dump that the start took, if any, until *stop becomes true. */
void
cpg_warm_load(const volatile sig_atomic_t *stop)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "cachepg load",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Reader		reader = {.fd = -1};

	load(&reader, stop);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
