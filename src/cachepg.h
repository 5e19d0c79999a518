/*-------------------------------------------------------------------------
 *
 * cachepg.h
 *	  What the whole library shares: version and the preload requirement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_CACHEPG_H
#define CPG_CACHEPG_H

#define CPG_VERSION		"0.1"

/*
 * Raise object_not_in_prerequisite_state unless the library was loaded through
 * shared_preload_libraries, so that its shared memory is there.
 */
extern void cpg_require_preload(void);

#endif							/* CPG_CACHEPG_H */
