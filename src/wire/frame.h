/*-------------------------------------------------------------------------
 *
 * frame.h
 *	  The form of a value in Redis.
 *
 * Numbers are big-endian; strN is a length of N bits and so many bytes.
 *
 *	  "CPGF"  u8 version  u8 codec  u8 flags  u8 0  u32 length of the frame
 *	  str8 origin  16 bytes epoch  u64 stamp  u16 n  n * u32 cell
 *	  str16 key  str8 namespace  str8 database  str8 role  str16 settings
 *	  16 bytes fingerprint  str8 type schema  str8 type name  str8 encoding
 *	  u32 life  u32 soft life  u32 load time
 *	  u32 raw length of the payload  u32 length of the payload  payload
 *	  u32 CRC32C of all before it
 *	  with flag HMAC: 32 bytes HMAC-SHA-256 of all before it
 *
 * A decoder trusts nothing: the CRC is checked first, then every length against
 * the bytes there are, and nothing may be left over.  Beyond that a frame has
 * only one form: no NUL in strings; a null has no payload and is not
 * compressed; the raw length is that of the payload unless that is LZ4, and then
 * within what LZ4 can expand to.  So a decoded frame, encoded again, is the same
 * bytes.
 *
 * The HMAC is neither made nor checked here; see cpg_frame_encode() and the
 * fields hmac and hmac_covers.
 *
 * Pure: no memory of its own; what is decoded points into the input.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WIRE_FRAME_H
#define CPG_WIRE_FRAME_H

#include "wire/span.h"

#define CPG_FRAME_VERSION		1
#define CPG_FRAME_ID_LEN		16	/* epoch, fingerprint */
#define CPG_FRAME_HMAC_LEN		32
#define CPG_FRAME_RAW_MAX		0x3fffffff	/* what palloc gives */
#define CPG_FRAME_LZ4_RATIO		255 /* no LZ4 block expands to more */

#define CPG_FRAME_NULL			0x01
#define CPG_FRAME_LZ4			0x02
#define CPG_FRAME_HMAC			0x04
#define CPG_FRAME_FLAGS			0x07

typedef enum CpgFrameCodec
{
	CPG_FRAME_JSON = 'j',
	CPG_FRAME_MSGPACK = 'm',
	CPG_FRAME_BINARY = 'b'
} CpgFrameCodec;

typedef enum CpgFrameFault
{
	CPG_FRAME_FAULT_NONE,
	CPG_FRAME_FAULT_MAGIC,		/* or shorter than any frame */
	CPG_FRAME_FAULT_VERSION,
	CPG_FRAME_FAULT_HEADER,		/* codec, flags, reserved byte */
	CPG_FRAME_FAULT_LENGTH,		/* not the length that it says */
	CPG_FRAME_FAULT_CRC,
	CPG_FRAME_FAULT_FIELD,		/* too long, left over, or with a NUL */
	CPG_FRAME_FAULT_PAYLOAD		/* lengths that do not fit together */
} CpgFrameFault;

/*
 * To encode, the caller sets all fields but the last three.
 */
typedef struct CpgFrame
{
	CpgFrameCodec codec;
	uint8		flags;
	CpgSpan		origin;
	uint8		epoch[CPG_FRAME_ID_LEN];
	uint64		stamp;
	uint16		ncells;
	const uint8 *cells;			/* as in the frame; see cpg_frame_cell() */
	CpgSpan		key;
	CpgSpan		namespace;
	CpgSpan		database;
	CpgSpan		role;			/* empty: shared by roles */
	CpgSpan		settings;		/* identity of what it varies by */
	uint8		fingerprint[CPG_FRAME_ID_LEN];	/* zero: was set, not loaded */
	CpgSpan		type_schema;
	CpgSpan		type_name;
	CpgSpan		encoding;
	uint32		life;			/* ms */
	uint32		soft_life;		/* ms; 0: none */
	uint32		load_time;		/* us */
	uint32		raw_len;		/* of the payload, uncompressed */
	CpgSpan		payload;
	/* set by the decoder */
	size_t		len;			/* of the frame */
	const uint8 *hmac;			/* NULL without the flag */
	size_t		hmac_covers;	/* so many bytes from the start */
} CpgFrame;

extern size_t cpg_frame_size(const CpgFrame *frame);
extern size_t cpg_frame_encode(const CpgFrame *frame, uint8 *out, size_t size);
extern size_t cpg_frame_stamp(uint8 *frame, size_t len, uint64 stamp);
extern CpgFrameFault cpg_frame_decode(const uint8 *data, size_t len, CpgFrame *frame);
extern const char *cpg_frame_fault_text(CpgFrameFault fault);

/* Cell number i of frame->cells, which is not aligned. */
static inline uint32
cpg_frame_cell(const CpgFrame *frame, int i)
{
	const uint8 *at = frame->cells + 4 * i;

	return (uint32) at[0] << 24 | (uint32) at[1] << 16 | (uint32) at[2] << 8 | (uint32) at[3];
}

/* Write cell number i to memory that will be frame->cells. */
static inline void
cpg_frame_set_cell(uint8 *cells, int i, uint32 cell)
{
	uint8	   *at = cells + 4 * i;

	at[0] = (uint8) (cell >> 24);
	at[1] = (uint8) (cell >> 16);
	at[2] = (uint8) (cell >> 8);
	at[3] = (uint8) cell;
}

#endif							/* CPG_WIRE_FRAME_H */
