/*-------------------------------------------------------------------------
 *
 * inval.c
 *	  Changes of the cache, as the session that makes them sees them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fault.h"
#include "guc.h"
#include "inval/inval_internal.h"
#include "inval/twophase.h"
#include "shmem.h"

/* Whether the session sees a valid entry under the key of a record. */
static bool
sees(const CpgWrite *record)
{
	CpgValue	value = {.buffer = NULL};

	return cpg_inval_peek(record->ns, &record->key, record->now, &value).hit;
}

static CpgPutResult
put(const CpgWrite *record)
{
	CpgOverlay	own = cpg_overlay_find(&record->key);
	CpgPutMode	mode = record->mode;

	if (mode == CPG_PUT_FILL || record->immediate)
	{
		CpgPutResult result;

		if (RecoveryInProgress())
			pg_atomic_write_u32(&cpg_guard->standby_fills, 1);
		result = cpg_store_put(cpg_store, &record->key, &record->item, mode, record->now);
		cpg_stats_put(record->ns->number, result);
		return result;
	}
	/* a session without cache keeps nothing, but must not leave the old value */
	if (!cpg_enabled)
	{
		cpg_pending_key(CPG_PENDING_KILL, &record->key, 0);
		return CPG_PUT_OUTDATED;
	}
	if (mode != CPG_PUT_SET && sees(record) != (mode == CPG_PUT_REPLACE))
		return CPG_PUT_REFUSED;
	if (!cpg_store_fits(cpg_store, &record->key, &record->item))
	{
		cpg_stats_put(record->ns->number, CPG_PUT_TOO_LARGE);
		cpg_pending_key(CPG_PENDING_KILL, &record->key, 0);
		return CPG_PUT_TOO_LARGE;
	}
	/* the commit has to know, and cannot find out */
	(void) cpg_twophase_unsettled();
	/* after an own change of the key the mode is settled */
	if (own.state != CPG_OVERLAY_NONE)
		mode = CPG_PUT_SET;
	cpg_pending_frame(cpg_pending_put(&record->key, &record->item, mode), record->frame);
	return CPG_PUT_STORED;
}

/* An own set gets the new expiry itself. */
static void
touch(const CpgWrite *record)
{
	CpgOverlay	own = cpg_overlay_find(&record->key);
	CpgItem		item;

	if (own.state != CPG_OVERLAY_VALUE)
	{
		cpg_pending_key(CPG_PENDING_TOUCH, &record->key, record->expiry);
		return;
	}
	item = *own.op->item;
	item.expiry = record->expiry;
	cpg_pending_frame(cpg_pending_put(&record->key, &item, own.op->mode), NULL);
}

/* The cell of the database's own number, if it has one. */
static void
clear_database(void)
{
	int			number = cpg_registry_database();

	if (number >= 0)
		cpg_pending_cell(cpg_cell_database(cpg_guard, (uint16) number), NULL, 0);
}

/* Raise read_only_sql_transaction on a standby. */
void
cpg_inval_refuse_in_recovery(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot change the cache during recovery"),
				 errhint("Make the change on the primary; entries of namespaces with consistency \"ttl\" are cached here by cache_fetch.")));
}

/*
 * Fail, as the guard is sealed, unless a dump of the cache can hold nothing
 * that is invalidated through a cell.
 */
void
cpg_inval_refuse_sealed(CpgCell cell)
{
	if (!cpg_cell_in_dumps(cpg_guard, cell) || CPG_SKIP("seal"))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ADMIN_SHUTDOWN),
			 errmsg("cannot change the cache while the server is shutting down")));
}

/*
 * Take a record: what it does becomes visible to this session now and to
 * others when its transaction commits, but for fills, which are stored at once.
 *
 * Errors: program_limit_exceeded, read_only_sql_transaction.
 */
CpgWritten
cpg_inval_write(const CpgWrite *record)
{
	CpgWritten	written = {CPG_PUT_STORED, false};

	if (record->op != CPG_WRITE_PUT || record->mode != CPG_PUT_FILL)
		cpg_inval_refuse_in_recovery();
	switch (record->op)
	{
		case CPG_WRITE_PUT:
			written.put = put(record);
			break;
		case CPG_WRITE_INVALIDATE:
			written.found = sees(record);
			cpg_pending_key(CPG_PENDING_KILL, &record->key, 0);
			cpg_stats_add(record->ns->number, CPG_COUNT_DELETES, 1);
			break;
		case CPG_WRITE_EXPIRE:
			written.found = sees(record);
			cpg_pending_key(CPG_PENDING_STALE, &record->key, 0);
			break;
		case CPG_WRITE_TOUCH:
			written.found = sees(record);
			if (written.found)
				touch(record);
			break;
		case CPG_WRITE_CLEAR_NAMESPACE:
			cpg_inval_cell(cpg_cell_namespace((uint16) record->ns->number));
			break;
		case CPG_WRITE_CLEAR_DATABASE:
			clear_database();
			break;
	}
	return written;
}

/*
 * If the server was promoted, drop what was cached while it was a standby: it
 * was not told of commits then.
 */
void
cpg_inval_leave_recovery(void)
{
	if (RecoveryInProgress())
		return;
	for (CpgCell i = 0; i < cpg_guard->config.namespaces; i++)
		cpg_guard_bump(cpg_guard, cpg_cell_namespace((uint16) i));
	pg_atomic_write_u32(&cpg_guard->standby_fills, 0);
}

/* Invalidate at commit all variants of a key, of an attached namespace. */
void
cpg_inval_key(const CpgKey *key)
{
	cpg_pending_key(CPG_PENDING_KILL, key, 0);
	cpg_stats_add(key->ns, CPG_COUNT_DELETES, 1);
}

/* Invalidate at commit all that depends on a cell. */
void		pg_attribute_hot
cpg_inval_cell(CpgCell cell)
{
	cpg_pending_cell(cell, NULL, 0);
}

/* The same for the cell of a tag or table; by its name other servers know it. */
void
cpg_inval_named_cell(CpgCell cell, const char *name, Size len)
{
	cpg_pending_cell(cell, name, len);
}

/*
 * Make stale at commit all that depends on the cell of a namespace, or of the
 * tag of that name.
 */
void
cpg_inval_soft_cell(CpgCell cell, const char *name, Size len)
{
	cpg_pending_soft_cell(cell, name, len);
}

/* Invalidate at commit all that depends on what any role may do. */
void
cpg_inval_roles(void)
{
	for (CpgCell i = 0; i < CPG_ROLE_CELLS; i++)
		cpg_pending_cell(cpg_guard->first[CPG_CELL_ROLE] + i, NULL, 0);
}
