/*-------------------------------------------------------------------------
 *
 * inval.c
 *	  Applying changes of the cache.  See inval.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "inval/inval.h"
#include "shmem.h"
#include "stats/stats.h"

static void
count_put(int number, CpgPutResult result)
{
	switch (result)
	{
		case CPG_PUT_STORED:
			cpg_stats_add(number, CPG_COUNT_SETS, 1);
			break;
		case CPG_PUT_REFUSED:
			break;
		case CPG_PUT_TOO_LARGE:
			cpg_stats_add(number, CPG_COUNT_TOO_LARGE, 1);
			break;
		case CPG_PUT_NO_ROOM:
			cpg_stats_add(number, CPG_COUNT_NO_ROOM, 1);
			cpg_stats_add(number, CPG_COUNT_DROPPED_SETS, 1);
			break;
	}
}

/*
 * What a set could not store must not leave the value before it readable.  A
 * fill is no newer truth than what is there.
 */
static void
forget_present(const CpgWrite *record, CpgPutResult result)
{
	if ((result == CPG_PUT_TOO_LARGE || result == CPG_PUT_NO_ROOM) && record->mode != CPG_PUT_FILL)
		(void) cpg_store_delete(cpg_store, &record->key, record->now);
}

/* Apply a record and count it. */
CpgWritten
cpg_inval_write(const CpgWrite *record)
{
	CpgWritten	written = {CPG_PUT_STORED, false};

	switch (record->op)
	{
		case CPG_WRITE_PUT:
			written.put = cpg_store_put(cpg_store, &record->key, &record->item,
										record->mode, record->now);
			forget_present(record, written.put);
			count_put(record->ns->number, written.put);
			break;
		case CPG_WRITE_DELETE:
			written.found = cpg_store_delete(cpg_store, &record->key, record->now);
			cpg_stats_add(record->ns->number, CPG_COUNT_DELETES, 1);
			break;
		case CPG_WRITE_TOUCH:
			written.found = cpg_store_touch(cpg_store, &record->key, record->expiry, record->now);
			break;
		case CPG_WRITE_CLEAR_NAMESPACE:
			cpg_guard_bump(cpg_guard, (CpgCell) record->ns->number);
			break;
		case CPG_WRITE_CLEAR_DATABASE:
			cpg_registry_clear_database();
			break;
	}
	return written;
}
