/*-------------------------------------------------------------------------
 *
 * compress.c
 *	  Payloads as one LZ4 block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec_internal.h"

#ifdef CPG_HAVE_LZ4

#include <lz4.h>

/* Compress into the current memory context; false if it does not get smaller. */
bool
cpg_compress(CpgSpan bytes, CpgSpan *compressed)
{
	char	   *out;
	int			len;

	if (bytes.len < 2 || bytes.len > LZ4_MAX_INPUT_SIZE)
		return false;
	out = palloc(bytes.len - 1);
	len = LZ4_compress_default(bytes.data, out, (int) bytes.len, (int) bytes.len - 1);
	if (len <= 0)
	{
		pfree(out);
		return false;
	}
	*compressed = cpg_span(out, len);
	return true;
}

/*
 * Take back a block that holds exactly raw_len bytes, which the caller has
 * found acceptable; false if it does not.
 */
bool
cpg_decompress(CpgSpan bytes, size_t raw_len, CpgSpan *raw)
{
	char	   *out;

	/* a short block cannot make anybody take much memory */
	if (bytes.len == 0 || raw_len == 0 || raw_len / CPG_FRAME_LZ4_RATIO > bytes.len ||
		raw_len > LZ4_MAX_INPUT_SIZE || bytes.len > LZ4_MAX_INPUT_SIZE)
		return false;
	out = palloc(raw_len);
	if (LZ4_decompress_safe(bytes.data, out, (int) bytes.len, (int) raw_len) != (int) raw_len)
	{
		pfree(out);
		return false;
	}
	*raw = cpg_span(out, raw_len);
	return true;
}

#else

bool
cpg_compress(CpgSpan bytes, CpgSpan *compressed)
{
	return false;
}

bool
cpg_decompress(CpgSpan bytes, size_t raw_len, CpgSpan *raw)
{
	return false;
}

#endif
