/*-------------------------------------------------------------------------
 *
 * unpack.c
 *	  MessagePack of unknown origin, one token at a time.
 *
 * Written here rather than taken from libmsgpack-c: that makes a tree of
 * malloc'd nodes as large as the input claims to be, and which an error would
 * leak.  Here nothing is allocated, and an array or map of n elements needs as
 * many bytes to be there.
 *
 * Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec_internal.h"

/* Take an unsigned big-endian number of so many bytes. */
static bool
take_number(CpgSpan *from, size_t size, uint64 *number)
{
	if (from->len < size)
		return false;
	*number = 0;
	for (size_t i = 0; i < size; i++)
		*number = *number << 8 | (unsigned char) from->data[i];
	from->data += size;
	from->len -= size;
	return true;
}

static bool
take_bytes(CpgSpan *from, uint64 len, CpgUnpackKind kind, CpgUnpacked *token)
{
	if (from->len < len)
		return false;
	token->kind = kind;
	token->bytes = cpg_span(from->data, (size_t) len);
	from->data += len;
	from->len -= (size_t) len;
	return true;
}

static bool
take_count(const CpgSpan *from, uint64 count, CpgUnpackKind kind, CpgUnpacked *token)
{
	token->kind = kind;
	token->count = (uint32) count;
	return count * (kind == CPG_UNPACK_MAP ? 2 : 1) <= from->len;
}

static bool
take_extension(CpgSpan *from, uint64 len, CpgUnpacked *token)
{
	uint64		type;

	if (!take_number(from, 1, &type))
		return false;
	token->extension = (int) type;
	return take_bytes(from, len, CPG_UNPACK_EXTENSION, token);
}

static bool
take_unsigned(CpgSpan *from, size_t size, CpgUnpacked *token)
{
	uint64		number;

	if (!take_number(from, size, &number))
		return false;
	token->integer = (int64) number;
	token->kind = token->integer < 0 ? CPG_UNPACK_UNSIGNED : CPG_UNPACK_INTEGER;
	return true;
}

static bool
take_signed(CpgSpan *from, size_t size, CpgUnpacked *token)
{
	uint64		number;
	int			unused = 64 - 8 * (int) size;

	if (!take_number(from, size, &number))
		return false;
	token->kind = CPG_UNPACK_INTEGER;
	token->integer = (int64) (number << unused) >> unused;
	return true;
}

static bool
take_float(CpgSpan *from, CpgUnpacked *token)
{
	uint64		number;
	uint32		bits;

	if (!take_number(from, 4, &number))
		return false;
	bits = (uint32) number;
	token->kind = CPG_UNPACK_FLOAT;
	memcpy(&token->single, &bits, sizeof(bits));
	return true;
}

static bool
take_double(CpgSpan *from, CpgUnpacked *token)
{
	uint64		number;

	if (!take_number(from, 8, &number))
		return false;
	token->kind = CPG_UNPACK_DOUBLE;
	memcpy(&token->real, &number, sizeof(number));
	return true;
}

static bool
take_small(CpgUnpackKind kind, int64 value, CpgUnpacked *token)
{
	token->kind = kind;
	token->integer = value;
	return true;
}

/* What a first byte from 0xc0 to 0xdf begins. */
static bool
take_tagged(CpgSpan *from, unsigned char tag, CpgUnpacked *token)
{
	uint64		len;

	switch (tag)
	{
		case 0xc0:
			return take_small(CPG_UNPACK_NIL, 0, token);
		case 0xc2:
		case 0xc3:
			return take_small(CPG_UNPACK_BOOLEAN, tag == 0xc3, token);
		case 0xc4:
		case 0xc5:
		case 0xc6:
			return take_number(from, (size_t) 1 << (tag - 0xc4), &len) &&
				take_bytes(from, len, CPG_UNPACK_BYTES, token);
		case 0xc7:
		case 0xc8:
		case 0xc9:
			return take_number(from, (size_t) 1 << (tag - 0xc7), &len) && take_extension(from, len, token);
		case 0xca:
			return take_float(from, token);
		case 0xcb:
			return take_double(from, token);
		case 0xcc:
		case 0xcd:
		case 0xce:
		case 0xcf:
			return take_unsigned(from, (size_t) 1 << (tag - 0xcc), token);
		case 0xd0:
		case 0xd1:
		case 0xd2:
		case 0xd3:
			return take_signed(from, (size_t) 1 << (tag - 0xd0), token);
		case 0xd4:
		case 0xd5:
		case 0xd6:
		case 0xd7:
		case 0xd8:
			return take_extension(from, (uint64) 1 << (tag - 0xd4), token);
		case 0xd9:
		case 0xda:
		case 0xdb:
			return take_number(from, (size_t) 1 << (tag - 0xd9), &len) &&
				take_bytes(from, len, CPG_UNPACK_STRING, token);
		case 0xdc:
		case 0xdd:
			return take_number(from, tag == 0xdc ? 2 : 4, &len) && take_count(from, len, CPG_UNPACK_ARRAY, token);
		case 0xde:
		case 0xdf:
			return take_number(from, tag == 0xde ? 2 : 4, &len) && take_count(from, len, CPG_UNPACK_MAP, token);
		default:
			return false;
	}
}

/* Take the next token off the front; false if there is none, or not all of it. */
bool
cpg_unpack_next(CpgSpan *from, CpgUnpacked *token)
{
	uint64		first;
	unsigned char tag;

	memset(token, 0, sizeof(*token));
	if (!take_number(from, 1, &first))
		return false;
	tag = (unsigned char) first;
	if (tag < 0x80)
		return take_small(CPG_UNPACK_INTEGER, tag, token);
	if (tag < 0x90)
		return take_count(from, tag & 0x0f, CPG_UNPACK_MAP, token);
	if (tag < 0xa0)
		return take_count(from, tag & 0x0f, CPG_UNPACK_ARRAY, token);
	if (tag < 0xc0)
		return take_bytes(from, tag & 0x1f, CPG_UNPACK_STRING, token);
	if (tag < 0xe0)
		return take_tagged(from, tag, token);
	return take_small(CPG_UNPACK_INTEGER, (int8) tag, token);
}
