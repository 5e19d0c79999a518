/*-------------------------------------------------------------------------
 *
 * name.h
 *	  What a value is called in Redis.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_L2_NAME_H
#define CPG_L2_NAME_H

#include "loader/loader.h"
#include "policy/key.h"
#include "wire/frame.h"

/* All of it in the memory context of the call that made it. */
typedef struct CpgL2Name
{
	char	   *key;			/* in Redis */
	Size		key_len;
	CpgSpan		user_key;
	const char *namespace;
	const char *database;
	const char *role;			/* "": shared by roles */
	const char *settings;		/* those named in vary_by, with their values */
	uint8		fingerprint[CPG_FRAME_ID_LEN];	/* zero: was set */
} CpgL2Name;

#define CPG_L2_CHUNK	16		/* values in one round trip */

extern void cpg_l2_name_of_key(const CpgNamespace *ns, const CpgKey *key, CpgL2Name *name);
extern void cpg_l2_name_of_fetch(const CpgFetch *fetch, const CpgNamespace *ns, Oid function,
								 bool ttl_only, const CpgKey *key, CpgL2Name *name);
extern void cpg_l2_name_into(const CpgL2Name *name, CpgFrame *frame);
extern bool cpg_l2_name_matches(const CpgL2Name *name, const CpgFrame *frame);
extern int	cpg_l2_next_chunk(int *nodes, int count, int *chunk, int *node);

#endif							/* CPG_L2_NAME_H */
