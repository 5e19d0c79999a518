/*-------------------------------------------------------------------------
 *
 * fault.h
 *	  Points at which tests stop a process, make it fail, or switch off a
 *	  mechanism.
 *
 * Only a build with -DCACHEPG_FAULTS has them (CPG_FAULTS=1 scripts/pgtree);
 * elsewhere the macros are empty and nothing of this file is in the library.
 *
 *	CPG_FAULT		may wait or raise an error: where errors are allowed
 *	CPG_FAULT_WAIT	may only wait: while committing, or with a lock held
 *	CPG_SKIP		whether a mechanism is switched off, for negative controls
 *
 * A wait polls a counter in shared memory: it takes no lock, allocates nothing
 * and ends after CPG_FAULT_WAIT_MAX, so that it is safe with interrupts held.
 * Where they are not held it can be cancelled.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_FAULT_H
#define CPG_FAULT_H

#define CPG_FAULT_WAIT_MAX	60000	/* ms */

extern void cpg_fault_install(void);
extern void cpg_fault_reach(const char *point, bool may_fail);
extern bool cpg_fault_skips(const char *mechanism);

#ifdef CACHEPG_FAULTS
#define CPG_FAULT(point)		cpg_fault_reach(point, true)
#define CPG_FAULT_WAIT(point)	cpg_fault_reach(point, false)
#define CPG_SKIP(mechanism)		cpg_fault_skips(mechanism)
#define CPG_FAULT_INSTALL()		cpg_fault_install()
#else
#define CPG_FAULT(point)		((void) 0)
#define CPG_FAULT_WAIT(point)	((void) 0)
#define CPG_SKIP(mechanism)		false
#define CPG_FAULT_INSTALL()		((void) 0)
#endif

#endif							/* CPG_FAULT_H */
