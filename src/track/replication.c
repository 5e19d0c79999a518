/*-------------------------------------------------------------------------
 *
 * replication.c
 *	  What workers of logical replication write.
 *
 * They change tables without the executor.  Before they commit or prepare,
 * every table they subscribe to and hold a lock on as a writer is written.  A
 * table may leave the subscription while a change of it is being applied, so that
 * a worker remembers those that it has seen there; it commits before it begins to
 * apply, and each time when tables have come.
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
#include "utils/hsearch.h"
#include "watch/watch.h"

static HTAB *subscribed = NULL; /* Oid of each table ever seen */

static bool
is_locked(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	return CPG_LOCK_HELD(&tag, mode);
}

/* Remember the tables that are subscribed to now; they stay. */
static void
remember_subscribed(void)
{
	Relation	rel = table_open(SubscriptionRelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		(void) hash_search(subscribed, &((Form_pg_subscription_rel) GETSTRUCT(tuple))->srrelid,
						   HASH_ENTER, NULL);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
note_written(Oid relid)
{
	bool		exclusively = is_locked(relid, AccessExclusiveLock);

	if (exclusively || is_locked(relid, RowExclusiveLock))
		cpg_track_write(relid);
	/* only a TRUNCATE takes this lock here */
	if (exclusively)
		cpg_watch_truncated(relid);
}

static void
note_subscribed(void)
{
	HASH_SEQ_STATUS scan;
	const Oid  *relid;

	if (subscribed == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Oid)};

		subscribed = hash_create("cachepg subscribed tables", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	remember_subscribed();
	hash_seq_init(&scan, subscribed);
	while ((relid = hash_seq_search(&scan)) != NULL)
		note_written(*relid);
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
