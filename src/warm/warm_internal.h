/*-------------------------------------------------------------------------
 *
 * warm_internal.h
 *	  Format of a dump.
 *
 * A header, then blocks: each has a length, a number of records and a checksum,
 * which is also over the dump's seed and the block's number, so that a block of
 * another dump or place is not taken for one of this.  The header is written
 * last, and is all zeros before.  Numbers are in the byte order of the machine.
 *
 * A record says what a namespace is, or is an entry: CpgDumpEntry, key, notes,
 * value.  A namespace comes before its entries and has the number it had in
 * the registry.  Times of entries are relative to the header's.
 *
 * CPG_DUMP_FORMAT has to change whenever a structure below does, or
 * CpgRegistration, CpgStanding, CpgKind, or the form of notes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WARM_INTERNAL_H
#define CPG_WARM_INTERNAL_H

#include "policy/registry.h"
#include "port/pg_crc32c.h"
#include "store/store.h"
#include "warm/warm.h"

#define CPG_DUMP_DIRECTORY	"cachepg"	/* in the data directory */
#define CPG_DUMP_TAKEN		CPG_DUMP_DIRECTORY "/loading.dump"
#define CPG_DUMP_MAGIC		"cachepg"
#define CPG_DUMP_FORMAT		1
#define CPG_DUMP_BLOCK		(256 * 1024)	/* a larger one has one record */
#define CPG_DUMP_NOTES_MAX	8192

typedef struct CpgDumpHeader
{
	char		magic[8];
	uint32		format;
	uint32		catalog_version;
	uint64		system_identifier;
	uint64		seed;
	uint64		next_xid;		/* of the server when all was written */
	int64		wall;			/* milliseconds since 2000 to which times are
								 * relative */
	int64		clock;			/* the same moment on the cache's clock */
	uint64		size;			/* bytes of the file */
	uint64		entries;
	uint32		kind;
	pg_crc32c	crc;			/* of all before */
} CpgDumpHeader;

typedef struct CpgDumpBlock
{
	uint32		len;			/* of the records that follow */
	uint32		records;
	pg_crc32c	crc;
} CpgDumpBlock;

typedef enum CpgDumpRecordKind
{
	CPG_RECORD_NAMESPACE,		/* CpgRegistration */
	CPG_RECORD_ENTRY
} CpgDumpRecordKind;

typedef struct CpgDumpRecord
{
	uint32		len;			/* of what follows */
	uint16		kind;
	uint16		ns;
} CpgDumpRecord;

typedef struct CpgDumpEntry
{
	uint64		fingerprint;
	uint64		shape;
	int64		created;
	int64		expiry;
	uint32		load_time;
	uint32		soft_ttl;
	Oid			typid;
	Oid			role;
	uint32		value_len;
	uint32		notes_len;
	uint16		key_len;
	uint8		kind;
	bool		isnull;
	CpgStanding standing;
} CpgDumpEntry;

StaticAssertDecl(sizeof(CpgDumpHeader) == 80, "format 1 of the header");
StaticAssertDecl(sizeof(CpgDumpEntry) == 64, "format 1 of an entry");
StaticAssertDecl(sizeof(CpgRegistration) == 96, "format 1 of a namespace");

/* file.c */
extern const char *cpg_dump_path(CpgDumpKind kind);
extern void cpg_dump_temporary(CpgDumpKind kind, char *path);
extern void cpg_dump_discard(const char *path);
extern void cpg_dump_now(int64 *wall, int64 *clock);
extern void cpg_dump_finish_header(CpgDumpHeader *header);
extern bool cpg_dump_header_sound(const CpgDumpHeader *header);
extern pg_crc32c cpg_dump_checksum(const CpgDumpHeader *header, uint32 number,
								   const CpgDumpBlock *block, const char *records);

#endif							/* CPG_WARM_INTERNAL_H */
