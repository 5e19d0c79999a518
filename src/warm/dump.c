/*-------------------------------------------------------------------------
 *
 * dump.c
 *	  Writing a dump.
 *
 * One partition after the other, one entry at a time: copied out under the
 * partition's lock, written without it.  The file gets its name when it is
 * complete and on disk.  If anything fails there is one line in the log, not
 * repeated until it has succeeded again, and no file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/transam.h"
#include "clock.h"
#include "inval/deps.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "warm/warm_internal.h"

/* A namespace as it was when the dump met it first. */
typedef struct Space
{
	bool		read;
	bool		written;
	uint32		generation;
	CpgRegistration is;
} Space;

typedef struct Writer
{
	CpgDumpKind kind;
	char		path[MAXPGPATH];	/* temporary */
	int			fd;
	bool		failed;
	CpgDumpHeader header;
	uint32		number;			/* of the block being filled */
	uint32		records;		/* in it */
	StringInfoData block;
	Space	   *spaces;
	bool	   *wanted;			/* namespaces to dump; CPG_DUMP_CRASH */
	CpgExported entry;
	CpgCell		cells[CPG_CELLS_MAX];
	char		notes[CPG_DUMP_NOTES_MAX];
} Writer;

static bool failing = false;	/* the last dump failed */

/* Report what errno says; only the first time. */
static void
fail(Writer *writer, const char *what)
{
	if (!writer->failed && !failing)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not dump the cache: could not %s file \"%s\": %m", what,
						writer->path)));
	writer->failed = true;
}

static void
write_bytes(Writer *writer, const void *data, Size len)
{
	const char *at = data;

	while (len > 0 && !writer->failed)
	{
		ssize_t		done;

		errno = 0;
		done = write(writer->fd, at, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
		{
			/* as elsewhere: without an error it is lack of space */
			if (errno == 0)
				errno = ENOSPC;
			fail(writer, "write");
			return;
		}
		at += done;
		len -= done;
		writer->header.size += done;
	}
}

/* Create the file, with room for the header. */
static bool
begin(Writer *writer)
{
	CpgDumpHeader empty = {0};

	if (MakePGDirectory(CPG_DUMP_DIRECTORY) != 0 && errno != EEXIST)
	{
		strlcpy(writer->path, CPG_DUMP_DIRECTORY, sizeof(writer->path));
		fail(writer, "create");
		return false;
	}
	cpg_dump_temporary(writer->kind, writer->path);
	writer->fd = OpenTransientFilePerm(writer->path, O_RDWR | O_CREAT | O_TRUNC | PG_BINARY,
									   S_IRUSR | S_IWUSR);
	if (writer->fd < 0)
	{
		fail(writer, "create");
		return false;
	}
	write_bytes(writer, &empty, sizeof(empty));
	return true;
}

static void
flush_block(Writer *writer)
{
	CpgDumpBlock block = {(uint32) writer->block.len, writer->records, 0};

	if (writer->records == 0)
		return;
	block.crc = cpg_dump_checksum(&writer->header, writer->number++, &block, writer->block.data);
	write_bytes(writer, &block, sizeof(block));
	write_bytes(writer, writer->block.data, writer->block.len);
	writer->records = 0;
	resetStringInfo(&writer->block);
}

/* Begin a record of so many bytes in a block that has room for it. */
static void
begin_record(Writer *writer, CpgDumpRecordKind kind, uint16 ns, Size len)
{
	CpgDumpRecord record = {(uint32) len, kind, ns};

	if (writer->block.len + sizeof(record) + len > CPG_DUMP_BLOCK)
		flush_block(writer);
	appendBinaryStringInfo(&writer->block, (const char *) &record, sizeof(record));
	writer->records++;
}

/* What the dump knows of a namespace; read at its first use. */
static Space *
space_of(Writer *writer, uint16 ns)
{
	Space	   *space = &writer->spaces[ns];

	if (!space->read)
	{
		space->generation = cpg_registry_read(ns, &space->is);
		space->read = true;
	}
	return space;
}

/*
 * Whether the entry just copied belongs to the namespace as the dump knows it.
 * If the number had got another meaning before it was copied, its generation
 * would have moved.
 */
static bool
is_of_space(const Space *space, uint16 ns)
{
	CpgRegistration now;

	return OidIsValid(space->is.database) && cpg_registry_read(ns, &now) == space->generation;
}

/* Whether all that an entry depends on is named in its notes. */
static bool
is_independent(const CpgValue *value, uint16 ns)
{
	CpgNotes	notes;
	CpgCell		known[CPG_CELLS_MAX];
	int			count;

	if (value->notes_len == value->notes_size)
		return false;
	cpg_notes_read(value->notes, value->notes_len, &notes);
	count = cpg_notes_cells(&notes, *cpg_guard_database(cpg_guard, ns), known);
	for (int i = 0; i < value->ncells; i++)
	{
		int			at = 0;

		while (at < count && known[at] != value->cells[i])
			at++;
		if (at == count)
			return false;
	}
	return true;
}

static void
write_space(Writer *writer, Space *space, uint16 ns)
{
	if (space->written)
		return;
	begin_record(writer, CPG_RECORD_NAMESPACE, ns, sizeof(space->is));
	appendBinaryStringInfo(&writer->block, (const char *) &space->is, sizeof(space->is));
	space->written = true;
}

static void
write_entry(Writer *writer)
{
	const CpgListed *is = &writer->entry.is;
	const CpgValue *value = &is->value;
	CpgDumpEntry entry;

	memset(&entry, 0, sizeof(entry));
	entry.fingerprint = is->fingerprint;
	entry.shape = value->shape;
	entry.created = value->created - writer->header.clock;
	entry.expiry = value->expiry - writer->header.clock;
	entry.load_time = value->load_time;
	entry.soft_ttl = value->soft_ttl;
	entry.typid = value->typid;
	entry.role = is->role;
	entry.value_len = (uint32) value->len;
	entry.notes_len = (uint32) value->notes_len;
	entry.key_len = is->key_len;
	entry.kind = (uint8) value->kind;
	entry.isnull = value->isnull;
	entry.standing = writer->entry.standing;

	begin_record(writer, CPG_RECORD_ENTRY, is->ns,
				 sizeof(entry) + entry.key_len + entry.notes_len + entry.value_len);
	appendBinaryStringInfo(&writer->block, (const char *) &entry, sizeof(entry));
	appendBinaryStringInfo(&writer->block, is->key, entry.key_len);
	appendBinaryStringInfo(&writer->block, value->notes, (int) entry.notes_len);
	appendBinaryStringInfo(&writer->block, writer->entry.buffer, (int) entry.value_len);
	writer->header.entries++;
}

/* Dump an entry if it may be. */
static void
dump_entry(Writer *writer, int partition, CpgListedRef ref)
{
	CpgListed  *is = &writer->entry.is;
	Space	   *space;

	if (!cpg_store_export(cpg_store, partition, ref, cpg_clock_now(), &writer->entry) ||
		is->state != CPG_HIT)
		return;
	space = space_of(writer, is->ns);
	if (writer->kind == CPG_DUMP_CRASH && !space->is.warm_after_crash)
		return;
	/* a key that begins with a NUL byte is of a flight */
	if (!is_of_space(space, is->ns) || is->key[0] == '\0' || !is_independent(&is->value, is->ns))
		return;
	write_space(writer, space, is->ns);
	write_entry(writer);
}

static void
dump_partition(Writer *writer, int partition, const volatile sig_atomic_t *stop)
{
	uint32		room = cpg_store_count(cpg_store, partition);
	CpgListedRef *refs = palloc_extended(Max(room, 1) * sizeof(CpgListedRef), MCXT_ALLOC_HUGE);
	uint32		count;

	/* the order costs a long hold of the lock: only when nobody waits for it */
	if (writer->kind == CPG_DUMP_SHUTDOWN)
		count = cpg_store_refs_ordered(cpg_store, partition, refs, room);
	else
		count = cpg_store_refs(cpg_store, partition, writer->wanted, refs, room);
	for (uint32 i = 0; i < count && !writer->failed && !*stop; i++)
	{
		CHECK_FOR_INTERRUPTS();
		dump_entry(writer, partition, refs[i]);
	}
	pfree(refs);
}

/* Write the header, see that all is on disk, and give the file its name. */
static void
finish(Writer *writer)
{
	flush_block(writer);
	writer->header.kind = writer->kind;
	cpg_dump_finish_header(&writer->header);
	if (!writer->failed &&
		pg_pwrite(writer->fd, &writer->header, sizeof(writer->header), 0) != sizeof(writer->header))
		fail(writer, "write");
	if (!writer->failed && pg_fsync(writer->fd) != 0)
		fail(writer, "fsync");
	if (CloseTransientFile(writer->fd) != 0)
		fail(writer, "close");
	/* says itself what is wrong */
	if (!writer->failed && durable_rename(writer->path, cpg_dump_path(writer->kind), LOG) != 0)
		writer->failed = true;
}

static void
make_writer(Writer *writer, CpgDumpKind kind)
{
	memset(writer, 0, sizeof(*writer));
	writer->kind = kind;
	writer->spaces = palloc0(cpg_guard->config.namespaces * sizeof(Space));
	initStringInfo(&writer->block);
	writer->entry.buffer_size = BLCKSZ;
	writer->entry.buffer = palloc(writer->entry.buffer_size);
	writer->entry.is.value.cells = writer->cells;
	writer->entry.is.value.notes = writer->notes;
	writer->entry.is.value.notes_size = sizeof(writer->notes);
	writer->header.seed = cpg_store_seed(cpg_store);
	writer->header.next_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
	cpg_dump_now(&writer->header.wall, &writer->header.clock);
}

/* Find the namespaces in use that are to survive a crash; false if none is. */
static bool
find_wanted(Writer *writer)
{
	bool		any = false;

	writer->wanted = palloc0(cpg_guard->config.namespaces * sizeof(bool));
	for (uint32 i = 0; i < cpg_guard->config.namespaces; i++)
	{
		CpgRegistration is;

		(void) cpg_registry_read((int) i, &is);
		writer->wanted[i] = is.warm_after_crash;
		any |= is.warm_after_crash;
	}
	return any;
}

static void
dump_all(Writer *writer, const volatile sig_atomic_t *stop)
{
	CpgStoreSpace space;

	cpg_store_space(cpg_store, &space);
	for (int i = 0; i < space.npartitions && !writer->failed && !*stop; i++)
		dump_partition(writer, i, stop);
	if (!*stop)
	{
		finish(writer);
		return;
	}
	CloseTransientFile(writer->fd);
	(void) unlink(writer->path);
}

/* Write the file or leave none, also not that of before; report it. */
static void
dump_to_file(Writer *writer, const volatile sig_atomic_t *stop)
{
	int64		began = cpg_clock_now();

	if (begin(writer))
		dump_all(writer, stop);
	if (writer->failed)
	{
		(void) unlink(writer->path);
		cpg_dump_discard(cpg_dump_path(writer->kind));
	}
	else if (!*stop)
		ereport(writer->kind == CPG_DUMP_SHUTDOWN ? LOG : DEBUG1,
				(errmsg("dumped %llu cache entries (%llu kB) in %lld ms",
						(unsigned long long) writer->header.entries,
						(unsigned long long) (writer->header.size + 1023) / 1024,
						(long long) (cpg_clock_now() - began))));
	failing = writer->failed;
}

/* Remove a dump that is not kept up to date any more. */
void
cpg_warm_forget(CpgDumpKind kind)
{
	cpg_dump_discard(cpg_dump_path(kind));
}

/*
 * Write a dump, unless *stop becomes true.  For CPG_DUMP_SHUTDOWN the guard must
 * be sealed.  An error other than lack of memory only shows in the log.
 */
void
cpg_warm_dump(CpgDumpKind kind, const volatile sig_atomic_t *stop)
{
	MemoryContext context;
	MemoryContext old;
	Writer	   *writer;

	context = AllocSetContextCreate(CurrentMemoryContext, "cachepg dump", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	writer = palloc(sizeof(Writer));
	make_writer(writer, kind);
	if (kind == CPG_DUMP_SHUTDOWN || find_wanted(writer))
		dump_to_file(writer, stop);
	else
		cpg_warm_forget(kind);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
