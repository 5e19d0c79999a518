/*-------------------------------------------------------------------------
 *
 * seal.h
 *	  The HMAC by which a server knows a frame of its cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_L2_SEAL_H
#define CPG_L2_SEAL_H

#include "wire/frame.h"

extern bool cpg_seal_wanted(void);
extern bool cpg_seal_compute(const uint8 *data, size_t len, uint8 *out);
extern bool cpg_seal_holds(const CpgFrame *frame, const uint8 *data, int node);

#endif							/* CPG_L2_SEAL_H */
