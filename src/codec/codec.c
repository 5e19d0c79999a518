/*-------------------------------------------------------------------------
 *
 * codec.c
 *	  What this library can encode and decode.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec.h"

/* Whether this library was built with what a codec needs. */
bool
cpg_codec_available(CpgFrameCodec codec)
{
#ifdef CPG_HAVE_MSGPACK
	return true;
#else
	return codec != CPG_FRAME_MSGPACK;
#endif
}
