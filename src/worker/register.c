/*-------------------------------------------------------------------------
 *
 * register.c
 *	  Workers that the postmaster starts and starts again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "worker/register.h"

/*
 * Register a worker whose main function is cachepg_ROLE_main, known to
 * pg_stat_activity as "cachepg ROLE"; called in the postmaster while it loads
 * libraries.
 */
void
cpg_worker_add(const char *role, BgWorkerStartTime start, int restart_seconds)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = start;
	worker.bgw_restart_time = restart_seconds;
	strlcpy(worker.bgw_library_name, "cachepg", sizeof(worker.bgw_library_name));
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "cachepg_%s_main", role);
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "cachepg %s", role);
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "cachepg %s", role);
	RegisterBackgroundWorker(&worker);
}
