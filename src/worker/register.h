/*-------------------------------------------------------------------------
 *
 * register.h
 *	  Workers that the postmaster starts and starts again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WORKER_REGISTER_H
#define CPG_WORKER_REGISTER_H

#include "postmaster/bgworker.h"

extern void cpg_worker_add(const char *role, BgWorkerStartTime start, int restart_seconds);

#endif							/* CPG_WORKER_REGISTER_H */
