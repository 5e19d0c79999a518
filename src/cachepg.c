/*-------------------------------------------------------------------------
 *
 * cachepg.c
 *	  Entry point of the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cachepg.h"
#include "commands/extension.h"
#include "compat.h"
#include "fault.h"
#include "fmgr.h"
#include "guc.h"
#include "inval/inval.h"
#include "miscadmin.h"
#include "shmem.h"
#include "track/track.h"
#include "worker/worker.h"

CPG_MODULE_MAGIC("cachepg", CPG_VERSION);

PGDLLEXPORT void _PG_init(void);

/*
 * With shared_preload_libraries: settings, shared memory, workers.  Otherwise
 * the library is loaded by the first function call or CREATE EXTENSION, which
 * shall work (dumps are restored so), but nothing else does.
 */
void
_PG_init(void)
{
	cpg_guc_define();

	if (!process_shared_preload_libraries_in_progress)
	{
		if (creating_extension)
			ereport(WARNING,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cachepg is not loaded, its functions will not work yet"),
					 errhint("Add cachepg to \"shared_preload_libraries\" and restart the server.")));
		return;
	}
	cpg_shmem_install();
	CPG_FAULT_INSTALL();
	if (IsBinaryUpgrade)
		return;
	cpg_inval_install();
	cpg_track_install();
	cpg_worker_register();
	cpg_dumper_register();
	cpg_launcher_register();
	if (cpg_redis_servers[0] != '\0')
	{
		cpg_broadcaster_register();
		cpg_subscriber_register();
		cpg_resolver_register();
	}
}

void
cpg_require_preload(void)
{
	if (!cpg_shmem_ready())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cachepg must be loaded via \"shared_preload_libraries\""),
				 errhint("Add the line shared_preload_libraries = 'cachepg' to postgresql.conf (append to the list if there is one) and restart the server.")));
}
