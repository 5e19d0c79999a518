/*-------------------------------------------------------------------------
 *
 * replication.c
 *	  What workers of logical replication write.
 *
 * They change tables without the executor.  Before they commit or prepare,
 * every table they subscribe to and hold a lock on as a writer is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_subscription_rel.h"
#include "compat.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "track/track.h"
#include "watch/watch.h"

static bool
is_locked(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	return CPG_LOCK_HELD(&tag, mode);
}

static void
note_subscribed(void)
{
	Relation	rel = table_open(SubscriptionRelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relid = ((Form_pg_subscription_rel) GETSTRUCT(tuple))->srrelid;

		if (is_locked(relid, RowExclusiveLock) || is_locked(relid, AccessExclusiveLock))
			cpg_track_write(relid);
		/* only a TRUNCATE takes this lock here */
		if (is_locked(relid, AccessExclusiveLock))
			cpg_watch_truncated(relid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void pg_attribute_hot
before_transaction_end(XactEvent event, void *arg)
{
	if ((event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) && IsLogicalWorker())
		note_subscribed();
}

/*
 * Installed after the callback that raises the fences, so that it runs before
 * it.
 */
void
cpg_track_replication_install(void)
{
	RegisterXactCallback(before_transaction_end, NULL);
}
