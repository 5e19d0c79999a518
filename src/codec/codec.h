/*-------------------------------------------------------------------------
 *
 * codec.h
 *	  SQL values as other servers and applications read them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CODEC_CODEC_H
#define CPG_CODEC_CODEC_H

#include "wire/frame.h"

extern bool cpg_codec_available(CpgFrameCodec codec);

#endif							/* CPG_CODEC_CODEC_H */
