#ifndef CPG_CODEC_TEMPORARY_H
#define CPG_CODEC_TEMPORARY_H
#include "wire/frame.h"
typedef struct CpgEncoded
{
	CpgFrameCodec codec;
	uint8		flags;
	char	   *data;
	Size		len;
	uint32		raw_len;
} CpgEncoded;
extern bool cpg_codec_encode(CpgFrameCodec wanted, Oid type, Datum value, bool isnull, int above, CpgEncoded *out);
extern bool cpg_codec_decode(const CpgFrame *frame, Oid type, Size max, Datum *value);
extern Oid	cpg_codec_type(CpgSpan schema, CpgSpan name);
extern bool cpg_codec_name(Oid type, CpgSpan *schema, CpgSpan *name);
#endif
