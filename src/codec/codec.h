/*-------------------------------------------------------------------------
 *
 * codec.h
 *	  SQL values in Redis: as other servers and applications read them.
 *
 * docs/codecs.md says what each codec writes.  Three rules hold for all:
 *
 *	- What is read is taken from nobody's word: bytes that are not the encoding
 *	  of a value of the type are not usable, which is a miss and no error.
 *	- Text is UTF-8, whatever the encodings of server and client.
 *	- Nothing in the bytes depends on settings of the session, or on OIDs that
 *	  differ between servers.
 *
 * Both ways may run functions of the type, which may be anybody's: the caller
 * has taken on the identity under which they may run.  Where they can fail
 * they run in a subtransaction, so a transaction is needed, and in parallel mode
 * only the types that need none can be read and written: boolean, integers,
 * text, bytea and jsonb, in a database whose encoding is UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CODEC_CODEC_H
#define CPG_CODEC_CODEC_H

#include "wire/frame.h"

/* A value encoded: what a frame says of its payload. */
typedef struct CpgEncoded
{
	CpgFrameCodec codec;		/* the one used, perhaps not the one wanted */
	uint8		flags;			/* CPG_FRAME_NULL, CPG_FRAME_LZ4 */
	const char *data;			/* the payload */
	Size		len;
	uint32		raw_len;		/* of the payload, uncompressed */
} CpgEncoded;

/* codec.c */
extern bool cpg_codec_available(CpgFrameCodec codec);
extern bool cpg_codec_encode(CpgFrameCodec wanted, Oid typid, Datum value, bool isnull,
							 int compress_above, CpgEncoded *encoded);
extern bool cpg_codec_decode(const CpgFrame *frame, Oid typid, Size max, Datum *value);
extern bool cpg_codec_guarded(bool (*function) (void *), void *argument);

/* types.c */
extern bool cpg_codec_name(Oid typid, CpgSpan *schema, CpgSpan *name);
extern Oid	cpg_codec_type(CpgSpan schema, CpgSpan name);

#endif							/* CPG_CODEC_CODEC_H */
