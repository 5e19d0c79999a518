/*-------------------------------------------------------------------------
 *
 * broadcast.c
 *	  What a transaction has other servers told at its commit.  See bus/bus.h.
 *
 * The record is made before the commit, when memory may still run out, and put
 * on its way with the number of the commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus.h"
#include "inval/inval_internal.h"
#include "miscadmin.h"
#include "policy/registry.h"
#include "shmem.h"

static CpgBusRecord record;
static bool recorded = false;

static void
add(CpgMessageWhat what, CpgCell cell, const char *name, Size len)
{
	CpgBusItem	item = {.what = what,.cell = cell,.name = name,.len = len};

	cpg_bus_record_add(&record, cpg_pending_context(), &item);
}

static void
add_namespace(CpgMessageWhat what, CpgCell cell)
{
	CpgRegistration is;

	(void) cpg_registry_read((int) cell, &is);
	add(what, cell, is.name, strlen(is.name));
}

/* A cell that others know by name; one without stands for its whole database. */
static void
add_named(CpgMessageWhat what, const CpgPending *op)
{
	if (op->name != NULL)
		add(what, op->cell, op->name, op->name_len);
	else
		record.too_long = true;
}

/*
 * Roles are those of all databases, and a transaction may rename or drop another
 * one than its own: what stands for such cells has to be everything.
 */
bool
cpg_broadcast_is_global(CpgCell cell, Oid database)
{
	CpgCellKind kind = cpg_cell_kind(cpg_guard, cell);
	int			number;

	if (kind != CPG_CELL_DATABASE)
		return kind == CPG_CELL_ROLE;
	number = cpg_registry_find_database(database);
	return number < 0 || cell != cpg_cell_database(cpg_guard, (uint16) number);
}

static void
add_cell(const CpgPending *op)
{
	record.global = record.global ||cpg_broadcast_is_global(op->cell, MyDatabaseId);
	switch (cpg_cell_kind(cpg_guard, op->cell))
	{
		case CPG_CELL_NAMESPACE:
			add_namespace(CPG_MESSAGE_NAMESPACE, op->cell);
			break;
		case CPG_CELL_DATABASE:
			add(CPG_MESSAGE_DATABASE, op->cell, NULL, 0);
			break;
		case CPG_CELL_SCHEMA:
			add(CPG_MESSAGE_SCHEMA, op->cell, NULL, 0);
			break;
		case CPG_CELL_ROLE:
			add(CPG_MESSAGE_ROLE, op->cell, NULL, 0);
			break;
		case CPG_CELL_TABLE:
			add_named(CPG_MESSAGE_TABLE, op);
			break;
		case CPG_CELL_TAG:
			add_named(CPG_MESSAGE_TAG, op);
			break;
		case CPG_CELL_KEY:
		case CPG_CELL_MIRROR:
		case CPG_CELL_HOME:
		case CPG_CELL_KINDS:
			break;
	}
}

static void
add_soft_cell(const CpgPending *op)
{
	if (cpg_cell_kind(cpg_guard, op->cell) == CPG_CELL_NAMESPACE)
		add_namespace(CPG_MESSAGE_EXPIRE_NAMESPACE, op->cell);
	else
		add_named(CPG_MESSAGE_EXPIRE_TAG, op);
}

static void
add_operation(const CpgPending *op)
{
	switch (op->kind)
	{
		case CPG_PENDING_PUT:
		case CPG_PENDING_KILL:
			add(CPG_MESSAGE_KEY, cpg_cell_key(cpg_guard, op->key.hash), op->key.data, op->key.len);
			break;
		case CPG_PENDING_STALE:
		case CPG_PENDING_TOUCH:
			add(CPG_MESSAGE_EXPIRE_KEY, cpg_cell_key(cpg_guard, op->key.hash), op->key.data, op->key.len);
			break;
		case CPG_PENDING_CELL:
			add_cell(op);
			break;
		case CPG_PENDING_SOFT:
			add_soft_cell(op);
			break;
	}
}

/* Before the commit: make the record.  May run out of memory. */
void		pg_attribute_hot
cpg_broadcast_prepare(void)
{
	cpg_broadcast_forget();
	if (!cpg_bus_active())
		return;
	for (int i = 0; i < cpg_pending.count; i++)
		add_operation(&cpg_pending.op[i]);
	recorded = true;
}

/* An operation that came after that. */
void
cpg_broadcast_late(const CpgPending *op)
{
	if (recorded)
		add_operation(op);
}

/* At the commit: draw its number and put the record on its way.  Never fails. */
uint64		pg_attribute_hot
cpg_broadcast_commit(void)
{
	return cpg_bus_draw(recorded ? &record : NULL, recorded ? MyDatabaseId : InvalidOid, GetXLogInsertRecPtr());
}

/* The transaction is over. */
void		pg_attribute_hot
cpg_broadcast_forget(void)
{
	memset(&record, 0, sizeof(record));
	recorded = false;
}

/*
 * An entry was changed in place, at once: what was made of its key before, in
 * Redis and on other servers, is invalid, but not the entry itself.
 */
void
cpg_inval_elsewhere(const CpgKey *key)
{
	char		room[CPG_BUS_ITEM_SIZE + CPG_KEY_MAX];
	CpgBusRecord changed = {.data = room,.room = sizeof(room)};
	CpgBusItem	item = {.what = CPG_MESSAGE_KEY};
	uint64		number;

	if (!cpg_bus_active())
		return;
	item.cell = cpg_cell_key(cpg_guard, key->hash);
	item.name = key->data;
	item.len = key->len;
	cpg_bus_record_add(&changed, NULL, &item);
	(void) cpg_guard_raise(cpg_guard, item.cell);
	number = cpg_bus_draw(&changed, MyDatabaseId, GetXLogInsertRecPtr());
	(void) cpg_guard_lower(cpg_guard, item.cell, number);
}
