/*-------------------------------------------------------------------------
 *
 * track.c
 *	  Installs the hooks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "track/track.h"

void
cpg_track_install(void)
{
	cpg_track_functions_install();
	cpg_track_executor_install();
	cpg_track_utility_install();
	cpg_track_ddl_install();
	cpg_track_replication_install();
}
