/*-------------------------------------------------------------------------
 *
 * warm.h
 *	  Warm restart: entries on disk while the server is down.
 *
 * Of all valid entries those are dumped that no commit of tables could make
 * wrong: values that were set, and values loaded with consistency "ttl".  What
 * they depend on is the namespace, the key and tags, all known by name.
 *
 * A dump is right only as long as nothing it holds is invalidated.  That is so
 *
 *	- from its beginning to the end of the server, as the guard is sealed
 *	  (guard.h);
 *	- until the next start, as none counts but that of the last shutdown, which
 *	  was a clean one (pg_control says so), and as no transaction has written
 *	  since (the next transaction ID is the one in the dump);
 *	- from that start on, as the entries come with the first stamp of the clock,
 *	  below any number that an invalidation draws;
 *	- and it is never used twice: it loses its name, durably, before a byte of it
 *	  is used.
 *
 * Namespaces with warm_after_crash are also dumped while the server runs, to
 * another file, which is used after a crash: what was invalidated in between
 * comes back, as their owner said he could live with.
 *
 * The dump carries the seed of the cache's hashes, which has to be that of the
 * new server, since fingerprints are made with it.  Both files can be read by
 * the server's user alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WARM_WARM_H
#define CPG_WARM_WARM_H

#include <signal.h>

typedef enum CpgDumpKind
{
	CPG_DUMP_SHUTDOWN,			/* everything; loaded after a clean shutdown */
	CPG_DUMP_CRASH,				/* namespaces with warm_after_crash; loaded
								 * after a crash */
	CPG_DUMP_KINDS
} CpgDumpKind;

extern uint64 cpg_warm_take(void);
extern void cpg_warm_load(const volatile sig_atomic_t *stop);
extern void cpg_warm_forget(CpgDumpKind kind);
extern void cpg_warm_dump(CpgDumpKind kind, const volatile sig_atomic_t *stop);

#endif							/* CPG_WARM_WARM_H */
