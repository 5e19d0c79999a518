/*-------------------------------------------------------------------------
 *
 * message.h
 *	  The form of a message on the bus.
 *
 * Text: lines separated by \n (none after the last), fields by one blank.
 *
 *	  cachepg 1 KIND ORIGIN EPOCH N SEQ SYSTEM TIMELINE LSN DATABASE
 *	  WHAT CELL NAME
 *	  ...
 *
 * KIND is inval or beat; a beat has one line.  EPOCH is 32 hexadecimal digits,
 * lower case; LSN is as PostgreSQL prints it; N, SEQ, SYSTEM, TIMELINE and CELL
 * are decimal without sign or leading zeros.  WHAT is one of the words of
 * CpgMessageWhat.
 *
 * N numbers the messages of one origin and epoch from 1; a beat has the N of
 * the last message before it.  SEQ is a number of the origin's validity clock.
 * Of a beat it says that every commit up to it has been sent.
 *
 * Strings are written so that no byte of theirs is a blank or ends a line:
 *
 *	  A-Z a-z 0-9 _ . -	as they are, every other byte as %XX
 *	  -					alone: the empty string, or none
 *	  %2D				alone: the string "-"
 *
 * The name of a table has two parts, schema.table, with a dot in a part written
 * %2E; so there is exactly one dot, and no rule about "-".  Writers use capital
 * digits in %XX, readers take both.  %00 is refused.
 *
 * Pure: the caller owns all memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WIRE_MESSAGE_H
#define CPG_WIRE_MESSAGE_H

#include "wire/span.h"

#define CPG_MESSAGE_VERSION		1
#define CPG_MESSAGE_SIZE_MAX	65536	/* bytes */
#define CPG_MESSAGE_LINES_MAX	1000	/* besides the first */
#define CPG_MESSAGE_EPOCH_LEN	16
#define CPG_MESSAGE_NAME_SIZE	256 /* of origin and database, with NUL */

typedef enum CpgMessageKind
{
	CPG_MESSAGE_INVAL,
	CPG_MESSAGE_BEAT
} CpgMessageKind;

typedef enum CpgMessageWhat
{
	CPG_MESSAGE_KEY,
	CPG_MESSAGE_TAG,
	CPG_MESSAGE_TABLE,
	CPG_MESSAGE_NAMESPACE,
	CPG_MESSAGE_DATABASE,
	CPG_MESSAGE_SCHEMA,
	CPG_MESSAGE_ROLE,
	CPG_MESSAGE_CELL,
	CPG_MESSAGE_EXPIRE_KEY,
	CPG_MESSAGE_EXPIRE_TAG,
	CPG_MESSAGE_EXPIRE_NAMESPACE
} CpgMessageWhat;

#define CPG_MESSAGE_WHATS (CPG_MESSAGE_EXPIRE_NAMESPACE + 1)

typedef enum CpgMessageFault
{
	CPG_MESSAGE_FAULT_NONE,
	CPG_MESSAGE_FAULT_MAGIC,	/* no message of cachepg */
	CPG_MESSAGE_FAULT_VERSION,	/* one, but not of version 1 */
	CPG_MESSAGE_FAULT_SIZE,		/* too many bytes or lines */
	CPG_MESSAGE_FAULT_HEADER,
	CPG_MESSAGE_FAULT_LINE
} CpgMessageFault;

typedef struct CpgMessageHeader
{
	CpgMessageKind kind;
	char		origin[CPG_MESSAGE_NAME_SIZE];
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];
	uint64		n;
	uint64		seq;
	uint64		system;
	uint32		timeline;
	uint64		lsn;
	char		database[CPG_MESSAGE_NAME_SIZE];	/* empty: none */
} CpgMessageHeader;

typedef struct CpgMessageItem
{
	CpgMessageWhat what;
	uint32		cell;
	CpgSpan		schema;			/* TABLE only */
	CpgSpan		name;			/* empty: none */
} CpgMessageItem;

typedef struct CpgMessageWriter
{
	char	   *data;
	size_t		size;
	size_t		len;			/* what the message takes so far */
	int			lines;			/* besides the first */
} CpgMessageWriter;

typedef struct CpgMessageReader
{
	const char *at;
	const char *end;			/* at == end: no line left */
	int			lines;			/* besides the first, so far */
	CpgMessageFault fault;
} CpgMessageReader;

extern bool cpg_message_begin(CpgMessageWriter *writer, char *data, size_t size,
							  const CpgMessageHeader *header);
extern bool cpg_message_append(CpgMessageWriter *writer, const CpgMessageItem *item);

extern CpgMessageFault cpg_message_open(CpgMessageReader *reader, const char *data, size_t len,
										CpgMessageHeader *header);
extern bool cpg_message_next(CpgMessageReader *reader, CpgMessageItem *item,
							 char *buffer, size_t size);
extern const char *cpg_message_what_text(CpgMessageWhat what);
extern const char *cpg_message_fault_text(CpgMessageFault fault);

#endif							/* CPG_WIRE_MESSAGE_H */
