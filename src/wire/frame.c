/*-------------------------------------------------------------------------
 *
 * frame.c
 *	  Encoder and decoder of frames.  See frame.h.
 *
 * Reader and Writer know the ends of their memory.  A read beyond it gives
 * zeros and sets a flag that stays, so that fields can be read in a row and
 * judged once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_crc32c.h"
#include "wire/frame.h"

#define MAGIC		"CPGF"
#define MAGIC_LEN	4
#define HEADER_LEN	12			/* up to and with the length */
#define CRC_LEN		4
/* what there is besides strings, cells and payload, lengths included */
#define FIXED_LEN	(HEADER_LEN + 1 + 16 + 8 + 2 + 2 + 1 + 1 + 1 + 2 + 16 + 1 + 1 + 1 + 3 * 4 + 2 * 4 + CRC_LEN)

typedef struct Reader
{
	const uint8 *at;
	const uint8 *end;
	bool		failed;
} Reader;

typedef struct Writer
{
	uint8	   *at;
} Writer;

/* The next bytes, or NULL. */
static const uint8 *
read_bytes(Reader *r, size_t len)
{
	const uint8 *at = r->at;

	if (r->failed || (size_t) (r->end - r->at) < len)
	{
		r->failed = true;
		return NULL;
	}
	r->at += len;
	return at;
}

static uint64
read_number(Reader *r, int bytes)
{
	const uint8 *at = read_bytes(r, (size_t) bytes);
	uint64		number = 0;

	for (int i = 0; at != NULL && i < bytes; i++)
		number = number << 8 | at[i];
	return number;
}

static void
read_id(Reader *r, uint8 *id)
{
	const uint8 *at = read_bytes(r, CPG_FRAME_ID_LEN);

	if (at != NULL)
		memcpy(id, at, CPG_FRAME_ID_LEN);
}

/* A string with a length of so many bytes; without NUL, as it will be text. */
static CpgSpan
read_string(Reader *r, int bytes)
{
	size_t		len = (size_t) read_number(r, bytes);
	const uint8 *at = read_bytes(r, len);

	if (at == NULL)
		return cpg_span(NULL, 0);
	if (memchr(at, '\0', len) != NULL)
		r->failed = true;
	return cpg_span((const char *) at, len);
}

static void
write_number(Writer *w, uint64 number, int bytes)
{
	for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
		*w->at++ = (uint8) (number >> shift);
}

static void
write_bytes(Writer *w, const void *data, size_t len)
{
	if (len > 0)
		memcpy(w->at, data, len);
	w->at += len;
}

static void
write_string(Writer *w, CpgSpan string, int bytes)
{
	write_number(w, string.len, bytes);
	write_bytes(w, string.data, string.len);
}

static uint32
checksum(const uint8 *data, size_t len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, len);
	FIN_CRC32C(crc);
	return crc;
}

/* Do flags and lengths of the payload fit together? */
static bool
payload_is_sound(const CpgFrame *frame)
{
	if (frame->raw_len > CPG_FRAME_RAW_MAX || frame->payload.len > CPG_FRAME_RAW_MAX)
		return false;
	if (frame->flags & CPG_FRAME_NULL)
		return !(frame->flags & CPG_FRAME_LZ4) && frame->raw_len == 0 && frame->payload.len == 0;
	if (frame->flags & CPG_FRAME_LZ4)
		return frame->raw_len <= (uint64) frame->payload.len * CPG_FRAME_LZ4_RATIO;
	return frame->raw_len == frame->payload.len;
}

/* The bytes that a frame takes, or 0 if a field is too long for it. */
size_t
cpg_frame_size(const CpgFrame *frame)
{
	size_t		size = FIXED_LEN;

	if (frame->origin.len > 0xff || frame->namespace.len > 0xff || frame->database.len > 0xff ||
		frame->role.len > 0xff ||
		frame->type_schema.len > 0xff || frame->type_name.len > 0xff ||
		frame->encoding.len > 0xff || frame->key.len > 0xffff || frame->settings.len > 0xffff)
		return 0;
	if (!payload_is_sound(frame))
		return 0;
	size += frame->origin.len + frame->namespace.len + frame->database.len + frame->role.len;
	size += frame->type_schema.len + frame->type_name.len + frame->encoding.len;
	size += frame->key.len + frame->settings.len;
	size += (size_t) frame->ncells * 4 + frame->payload.len;
	if (frame->flags & CPG_FRAME_HMAC)
		size += CPG_FRAME_HMAC_LEN;
	return size;
}

/*
 * Write a frame of the size that cpg_frame_size() gave, which was not 0.
 *
 * Returns the number of bytes written.  That is all of them, or with the flag
 * HMAC all but the last CPG_FRAME_HMAC_LEN: the caller puts there the HMAC of
 * the bytes written.
 */
size_t
cpg_frame_encode(const CpgFrame *frame, uint8 *out, size_t size)
{
	Writer		w;

	Assert(size > 0 && size == cpg_frame_size(frame));
	w.at = out;
	write_bytes(&w, MAGIC, MAGIC_LEN);
	write_number(&w, CPG_FRAME_VERSION, 1);
	write_number(&w, (uint64) frame->codec, 1);
	write_number(&w, frame->flags, 1);
	write_number(&w, 0, 1);
	write_number(&w, size, 4);
	write_string(&w, frame->origin, 1);
	write_bytes(&w, frame->epoch, CPG_FRAME_ID_LEN);
	write_number(&w, frame->stamp, 8);
	write_number(&w, frame->ncells, 2);
	write_bytes(&w, frame->cells, (size_t) frame->ncells * 4);
	write_string(&w, frame->key, 2);
	write_string(&w, frame->namespace, 1);
	write_string(&w, frame->database, 1);
	write_string(&w, frame->role, 1);
	write_string(&w, frame->settings, 2);
	write_bytes(&w, frame->fingerprint, CPG_FRAME_ID_LEN);
	write_string(&w, frame->type_schema, 1);
	write_string(&w, frame->type_name, 1);
	write_string(&w, frame->encoding, 1);
	write_number(&w, frame->life, 4);
	write_number(&w, frame->soft_life, 4);
	write_number(&w, frame->load_time, 4);
	write_number(&w, frame->raw_len, 4);
	write_string(&w, frame->payload, 4);
	write_number(&w, checksum(out, (size_t) (w.at - out)), CRC_LEN);
	Assert((size_t) (w.at - out) == size - ((frame->flags & CPG_FRAME_HMAC) ? CPG_FRAME_HMAC_LEN : 0));
	return (size_t) (w.at - out);
}

/*
 * Put another stamp into a frame that cpg_frame_encode() wrote, and set its CRC
 * again; returns how many bytes of it an HMAC covers, 0 if it has none.
 */
size_t
cpg_frame_stamp(uint8 *frame, size_t len, uint64 stamp)
{
	size_t		origin_len = frame[HEADER_LEN];
	bool		sealed = (frame[6] & CPG_FRAME_HMAC) != 0;
	Writer		w;

	Assert(len > FIXED_LEN);
	if (sealed)
		len -= CPG_FRAME_HMAC_LEN;
	w.at = frame + HEADER_LEN + 1 + origin_len + CPG_FRAME_ID_LEN;
	write_number(&w, stamp, 8);
	w.at = frame + len - CRC_LEN;
	write_number(&w, checksum(frame, len - CRC_LEN), CRC_LEN);
	return sealed ? len : 0;
}

/* The header up to the length of the frame, and the CRC: is it whole? */
static CpgFrameFault
read_header(Reader *r, const uint8 *data, size_t len, CpgFrame *frame)
{
	const uint8 *magic = read_bytes(r, MAGIC_LEN);
	uint64		version = read_number(r, 1);
	int			codec = (int) read_number(r, 1);
	uint64		flags = read_number(r, 1);
	uint64		reserved = read_number(r, 1);
	uint64		length = read_number(r, 4);
	Reader		crc;

	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return CPG_FRAME_FAULT_MAGIC;
	if (version != CPG_FRAME_VERSION)
		return CPG_FRAME_FAULT_VERSION;
	if (codec != CPG_FRAME_JSON && codec != CPG_FRAME_MSGPACK && codec != CPG_FRAME_BINARY)
		return CPG_FRAME_FAULT_HEADER;
	if ((flags & ~(uint64) CPG_FRAME_FLAGS) != 0 || reserved != 0)
		return CPG_FRAME_FAULT_HEADER;
	if (length != len)
		return CPG_FRAME_FAULT_LENGTH;
	frame->codec = (CpgFrameCodec) codec;
	frame->flags = (uint8) flags;
	frame->len = len;
	if (flags & CPG_FRAME_HMAC)
	{
		if (len < FIXED_LEN + CPG_FRAME_HMAC_LEN)
			return CPG_FRAME_FAULT_LENGTH;
		len -= CPG_FRAME_HMAC_LEN;
		frame->hmac = data + len;
		frame->hmac_covers = len;
	}
	r->end = data + len - CRC_LEN;
	crc.at = r->end;
	crc.end = data + len;
	crc.failed = false;
	if (read_number(&crc, CRC_LEN) != checksum(data, len - CRC_LEN))
		return CPG_FRAME_FAULT_CRC;
	return CPG_FRAME_FAULT_NONE;
}

/*
 * Decode a frame that takes all of the input.
 *
 * Pointers of the frame then point into data.  If there is a fault the frame is
 * of no use.
 */
CpgFrameFault
cpg_frame_decode(const uint8 *data, size_t len, CpgFrame *frame)
{
	CpgFrameFault fault;
	const uint8 *payload;
	Reader		r;

	memset(frame, 0, sizeof(*frame));
	if (len < FIXED_LEN)
		return CPG_FRAME_FAULT_MAGIC;
	r.at = data;
	r.end = data + len;
	r.failed = false;
	fault = read_header(&r, data, len, frame);
	if (fault != CPG_FRAME_FAULT_NONE)
		return fault;
	frame->origin = read_string(&r, 1);
	read_id(&r, frame->epoch);
	frame->stamp = read_number(&r, 8);
	frame->ncells = (uint16) read_number(&r, 2);
	frame->cells = read_bytes(&r, (size_t) frame->ncells * 4);
	frame->key = read_string(&r, 2);
	frame->namespace = read_string(&r, 1);
	frame->database = read_string(&r, 1);
	frame->role = read_string(&r, 1);
	frame->settings = read_string(&r, 2);
	read_id(&r, frame->fingerprint);
	frame->type_schema = read_string(&r, 1);
	frame->type_name = read_string(&r, 1);
	frame->encoding = read_string(&r, 1);
	frame->life = (uint32) read_number(&r, 4);
	frame->soft_life = (uint32) read_number(&r, 4);
	frame->load_time = (uint32) read_number(&r, 4);
	frame->raw_len = (uint32) read_number(&r, 4);
	frame->payload.len = (size_t) read_number(&r, 4);
	payload = read_bytes(&r, frame->payload.len);
	frame->payload.data = (const char *) payload;
	if (r.failed || r.at != r.end)
		return CPG_FRAME_FAULT_FIELD;
	return payload_is_sound(frame) ? CPG_FRAME_FAULT_NONE : CPG_FRAME_FAULT_PAYLOAD;
}

/* For the detail of an error; not translated, no full stop. */
const char *
cpg_frame_fault_text(CpgFrameFault fault)
{
	static const char *const texts[] = {
		[CPG_FRAME_FAULT_NONE] = "nothing wrong",
		[CPG_FRAME_FAULT_MAGIC] = "not a frame of cachepg",
		[CPG_FRAME_FAULT_VERSION] = "a frame of an unknown version",
		[CPG_FRAME_FAULT_HEADER] = "a frame with an unknown codec or flag",
		[CPG_FRAME_FAULT_LENGTH] = "a frame of another length than it says",
		[CPG_FRAME_FAULT_CRC] = "a frame with a wrong checksum",
		[CPG_FRAME_FAULT_FIELD] = "a frame with a malformed field",
		[CPG_FRAME_FAULT_PAYLOAD] = "a frame with a payload of an impossible length"
	};

	return texts[fault];
}
