/*-------------------------------------------------------------------------
 *
 * codec_internal.h
 *	  What the files of codec/ share.
 *
 * Encoders and decoders return false if the value cannot be encoded, or the
 * bytes are not usable; they may raise errors unless the value is plain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CODEC_INTERNAL_H
#define CPG_CODEC_INTERNAL_H

#include "codec/codec.h"
#include "lib/stringinfo.h"

/* Deeper values are left to PostgreSQL's own parser. */
#define CPG_CODEC_DEPTH_MAX		256
/* Longer ones are decoded in a subtransaction, whose cost does not matter then. */
#define CPG_CODEC_PLAIN_MAX		(1024 * 1024)

/* How a type is written, decided by its base type. */
typedef enum CpgClass
{
	CPG_CLASS_BOOLEAN,
	CPG_CLASS_INTEGER,
	CPG_CLASS_TEXT,
	CPG_CLASS_BYTEA,
	CPG_CLASS_JSONB,
	CPG_CLASS_JSON,
	CPG_CLASS_OTHER				/* the text that the type's output makes */
} CpgClass;

typedef struct CpgCodecType
{
	Oid			typid;
	Oid			base;			/* other than typid: a domain */
	CpgClass	class;
} CpgCodecType;

typedef enum CpgJsonState
{
	CPG_JSON_INVALID,
	CPG_JSON_VALID,				/* jsonb_in takes it */
	CPG_JSON_UNSURE				/* let jsonb_in say */
} CpgJsonState;

/* A piece of MessagePack. */
#define CPG_MSGPACK_EXT_NUMBER	1	/* a decimal number as text */

typedef enum CpgUnpackKind
{
	CPG_UNPACK_NIL,
	CPG_UNPACK_BOOLEAN,
	CPG_UNPACK_INTEGER,
	CPG_UNPACK_UNSIGNED,		/* above the range of int64 */
	CPG_UNPACK_FLOAT,
	CPG_UNPACK_DOUBLE,
	CPG_UNPACK_STRING,
	CPG_UNPACK_BYTES,
	CPG_UNPACK_EXTENSION,
	CPG_UNPACK_ARRAY,
	CPG_UNPACK_MAP
} CpgUnpackKind;

typedef struct CpgUnpacked
{
	CpgUnpackKind kind;
	int64		integer;		/* also a boolean; an unsigned one's bits */
	float		single;
	double		real;
	int			extension;		/* 128 and more: negative ones, which are not
								 * ours */
	CpgSpan		bytes;			/* of a string, bytes or an extension */
	uint32		count;			/* elements or pairs */
} CpgUnpacked;

/* types.c */
extern CpgCodecType cpg_codec_type_of(Oid typid);
extern bool cpg_codec_is_portable(Oid typid);

/* scalar.c */
extern int64 cpg_integer_of(Oid base, Datum datum);
extern bool cpg_integer_datum(Oid base, int64 number, Datum *datum);
extern bool cpg_integer_parse(CpgSpan text, int64 *number);
extern bool cpg_utf8_is_text(CpgSpan bytes);
extern bool cpg_text_datum(CpgSpan utf8, Datum *datum);
extern bool cpg_codec_from_text(const CpgCodecType *type, CpgSpan utf8, Datum *datum);
extern char *cpg_codec_to_text(const CpgCodecType *type, Datum datum);
extern CpgSpan cpg_codec_to_utf8(const char *text, size_t len);
extern bool cpg_bytea_datum(CpgSpan bytes, Datum *datum);

/* json_check.c */
extern CpgJsonState cpg_json_check(CpgSpan json);
extern const char *cpg_json_ordinary(const char *at, const char *end);
extern bool cpg_json_unescape(CpgSpan json, CpgSpan *text);

/* unpack.c */
extern bool cpg_unpack_next(CpgSpan *from, CpgUnpacked *token);

/* json.c, msgpack.c, decode_msgpack.c, binary.c */
extern bool cpg_json_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes);
extern bool cpg_json_decode(const CpgCodecType *type, CpgSpan bytes, Datum *datum);
extern bool cpg_msgpack_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes);
extern bool cpg_msgpack_decode(const CpgCodecType *type, CpgSpan bytes, Datum *datum);
extern bool cpg_binary_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes);
extern bool cpg_binary_decode(const CpgCodecType *type, CpgSpan bytes, Datum *datum);

/* compress.c */
extern bool cpg_compress(CpgSpan bytes, CpgSpan *compressed);
extern bool cpg_decompress(CpgSpan bytes, size_t raw_len, CpgSpan *raw);

#endif							/* CPG_CODEC_INTERNAL_H */
