/*-------------------------------------------------------------------------
 *
 * file.c
 *	  The files of dumps, and which of them a starting server may use.
 *
 * Runs in the postmaster before it starts anything, at a start as well as after
 * a crash: nothing here may raise an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/catversion.h"
#include "clock.h"
#include "common/controldata_utils.h"
#include "guc.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"
#include "warm/warm_internal.h"

static const char *const paths[CPG_DUMP_KINDS] = {
	[CPG_DUMP_SHUTDOWN] = CPG_DUMP_DIRECTORY "/shutdown.dump",
	[CPG_DUMP_CRASH] = CPG_DUMP_DIRECTORY "/crash.dump"
};

/* Where a dump lies, relative to the data directory. */
const char *
cpg_dump_path(CpgDumpKind kind)
{
	return paths[kind];
}

/* Where it lies while it is written. */
void
cpg_dump_temporary(CpgDumpKind kind, char *path)
{
	snprintf(path, MAXPGPATH, "%s.tmp", paths[kind]);
}

/* The time of day, in milliseconds since 2000, and that of the cache. */
void
cpg_dump_now(int64 *wall, int64 *clock)
{
	*wall = GetCurrentTimestamp() / 1000;
	*clock = cpg_clock_now();
}

static pg_crc32c
header_checksum(const CpgDumpHeader *header)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, header, offsetof(CpgDumpHeader, crc));
	FIN_CRC32C(crc);
	return crc;
}

/* Fill in what says whose the dump is, and the checksum. */
void
cpg_dump_finish_header(CpgDumpHeader *header)
{
	strlcpy(header->magic, CPG_DUMP_MAGIC, sizeof(header->magic));
	header->format = CPG_DUMP_FORMAT;
	header->catalog_version = CATALOG_VERSION_NO;
	header->system_identifier = GetSystemIdentifier();
	header->crc = header_checksum(header);
}

/* Whether a header is one, and not damaged. */
bool
cpg_dump_header_sound(const CpgDumpHeader *header)
{
	return memcmp(header->magic, CPG_DUMP_MAGIC, sizeof(CPG_DUMP_MAGIC)) == 0 &&
		header->crc == header_checksum(header);
}

/* The checksum of a block with this number. */
pg_crc32c
cpg_dump_checksum(const CpgDumpHeader *header, uint32 number,
				  const CpgDumpBlock *block, const char *records)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &header->seed, sizeof(header->seed));
	COMP_CRC32C(crc, &header->wall, sizeof(header->wall));
	COMP_CRC32C(crc, &number, sizeof(number));
	COMP_CRC32C(crc, block, offsetof(CpgDumpBlock, crc));
	COMP_CRC32C(crc, records, block->len);
	FIN_CRC32C(crc);
	return crc;
}

/*
 * Make sure that a file is not used by a later start.  If it cannot be removed
 * it is emptied.
 */
void
cpg_dump_discard(const char *path)
{
	if (access(path, F_OK) != 0 || durable_unlink(path, LOG) == 0)
		return;
	if (truncate(path, 0) != 0)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not truncate file \"%s\": %m", path)));
}

static void
discard_all(void)
{
	char		temporary[MAXPGPATH];

	for (int kind = 0; kind < CPG_DUMP_KINDS; kind++)
	{
		cpg_dump_temporary(kind, temporary);
		cpg_dump_discard(temporary);
		cpg_dump_discard(paths[kind]);
	}
}

/* Whether this start leads into recovery from an archive or a primary. */
static bool
will_follow(void)
{
	return access(STANDBY_SIGNAL_FILE, F_OK) == 0 ||
		access(RECOVERY_SIGNAL_FILE, F_OK) == 0 ||
		access(BACKUP_LABEL_FILE, F_OK) == 0;
}

/* Which dump the last end of the server lets us use; CPG_DUMP_KINDS for none. */
static CpgDumpKind
kind_after(DBState state)
{
	if (!cpg_dump || will_follow())
		return CPG_DUMP_KINDS;
	switch (state)
	{
		case DB_SHUTDOWNED:
			return CPG_DUMP_SHUTDOWN;
		case DB_STARTUP:
		case DB_SHUTDOWNING:
		case DB_IN_CRASH_RECOVERY:
		case DB_IN_PRODUCTION:
			return CPG_DUMP_CRASH;
		case DB_SHUTDOWNED_IN_RECOVERY:
		case DB_IN_ARCHIVE_RECOVERY:
			break;
	}
	return CPG_DUMP_KINDS;
}

/* Read a header; false if the file is too short for one. */
static bool
read_header(const char *path, CpgDumpHeader *header)
{
	int			fd = open(path, O_RDONLY | PG_BINARY, 0);
	ssize_t		got;

	if (fd < 0)
		return false;
	got = read(fd, header, sizeof(*header));
	close(fd);
	return got == sizeof(*header);
}

/* Why a dump must not be used, or NULL. */
static const char *
refusal(const CpgDumpHeader *header, CpgDumpKind kind, const ControlFileData *control)
{
	if (!cpg_dump_header_sound(header) || header->kind != kind || header->seed == 0)
		return "it is damaged";
	if (header->format != CPG_DUMP_FORMAT || header->catalog_version != CATALOG_VERSION_NO)
		return "it was written by another version";
	if (header->system_identifier != control->system_identifier)
		return "it is of another database cluster";
	if (kind == CPG_DUMP_SHUTDOWN &&
		header->next_xid != U64FromFullTransactionId(control->checkPointCopy.nextXid))
		return "transactions have written since";
	return NULL;
}

/* Take the dump away from later starts; returns its seed, 0 if it is not used. */
static uint64
take(CpgDumpKind kind, const ControlFileData *control)
{
	const char *path = paths[kind];
	CpgDumpHeader header;
	const char *why;

	if (access(path, F_OK) != 0)
		return 0;
	why = read_header(path, &header) ? refusal(&header, kind, control) : "it is damaged";
	if (why != NULL)
	{
		ereport(LOG,
				(errmsg("cache dump \"%s\" is ignored: %s", path, why)));
		return 0;
	}
	if (durable_rename(path, CPG_DUMP_TAKEN, LOG) != 0)
		return 0;
	return header.seed;
}

/*
 * Decide, when shared memory is made, whether there is a dump to load: it then
 * lies at CPG_DUMP_TAKEN, and the seed to use is returned.  Otherwise the
 * result is 0.  No other dump is left.
 */
uint64
cpg_warm_take(void)
{
	ControlFileData *control;
	CpgDumpKind kind;
	uint64		seed = 0;
	bool		sound;

	if (IsBinaryUpgrade)
		return 0;
	cpg_dump_discard(CPG_DUMP_TAKEN);
	control = get_controlfile(DataDir, &sound);
	kind = sound ? kind_after(control->state) : CPG_DUMP_KINDS;
	if (kind != CPG_DUMP_KINDS)
		seed = take(kind, control);
	discard_all();
	pfree(control);
	return seed;
}
