/*-------------------------------------------------------------------------
 *
 * databases.c
 *	  Names of databases, for workers that are connected to none.
 *
 * Read anew once a second while it is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "clock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/databases.h"

#define READ_INTERVAL 1000		/* ms */

typedef struct Database
{
	Oid			oid;
	NameData	name;
} Database;

static Database *known = NULL;
static int	nknown = 0;
static int	room = 0;
static int64 read_at = 0;

static void
add(Form_pg_database row)
{
	if (nknown == room)
	{
		room = Max(2 * room, 16);
		if (known == NULL)
			known = MemoryContextAlloc(TopMemoryContext, room * sizeof(Database));
		else
			known = repalloc(known, room * sizeof(Database));
	}
	known[nknown].oid = row->oid;
	known[nknown].name = row->datname;
	nknown++;
}

/* The end of a transaction leaves another memory context, that of the caller comes back. */
static void
read_catalog(void)
{
	MemoryContext context = CurrentMemoryContext;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	nknown = 0;
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
		add((Form_pg_database) GETSTRUCT(tuple));
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* Databases are made and renamed seldom: what is known is a second old at most. */
static void
refresh(void)
{
	int64		now = cpg_clock_now();

	if (read_at != 0 && now - read_at < READ_INTERVAL)
		return;
	read_catalog();
	read_at = now;
}

/* The OID of the database of a name; InvalidOid if there is none. */
Oid
cpg_database_of_name(const char *name)
{
	refresh();
	for (int i = 0; i < nknown; i++)
	{
		if (strcmp(NameStr(known[i].name), name) == 0)
			return known[i].oid;
	}
	return InvalidOid;
}

/* The name of a database; NULL if there is none. */
const char *
cpg_database_name(Oid database)
{
	refresh();
	for (int i = 0; i < nknown; i++)
	{
		if (known[i].oid == database)
			return NameStr(known[i].name);
	}
	return NULL;
}
