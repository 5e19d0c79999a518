/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  What another server invalidated is invalid here.
 *
 * Two things are done with each item.  If it comes from the home, the mirror of
 * its clock moves, by the cell.  And what this server loaded or was given itself
 * is invalidated, by the name: of the key, tag, table or namespace.  Names of
 * cells mean nothing here, OIDs neither.
 *
 * A home has values in Redis that depend on what others invalidate, and those
 * who read them know only the home's clock.  So it tells them again, by cells
 * without names, of which nobody but they make use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "bus/mirror.h"
#include "guard/guard.h"
#include "l2/l2.h"
#include "policy/key.h"
#include "shmem.h"
#include "store/store.h"

/* Draw a number for an invalidation through a cell, with others told if need be. */
static uint64
draw(const CpgApply *apply, CpgCell cell)
{
	char		room[CPG_BUS_ITEM_SIZE];
	CpgBusRecord record = {.data = room,.room = sizeof(room)};
	CpgBusItem	item = {.what = CPG_MESSAGE_CELL,.cell = cell};

	if (!apply->retell)
		return cpg_guard_draw(cpg_guard);
	cpg_bus_record_add(&record, NULL, &item);
	return cpg_bus_draw(&record, apply->database, InvalidXLogRecPtr);
}

/* Invalidate through a cell as a commit would; "key" is one of it, or NULL. */
static void
invalidate(const CpgApply *apply, CpgCell cell, const CpgKey *key)
{
	(void) cpg_guard_raise(cpg_guard, cell);
	if (key != NULL)
		(void) cpg_store_mark(cpg_store, key, CPG_MARK_DEAD, true);
	(void) cpg_guard_lower(cpg_guard, cell, draw(apply, cell));
}

/*
 * Make stale what depends on a cell.  To those who have it from Redis there is no
 * difference: it is loaded anew.
 */
static void
soften(const CpgApply *apply, CpgCell cell)
{
	cpg_guard_soften(cpg_guard, cell);
	if (apply->retell)
		(void) draw(apply, cell);
}

static void
kill_in(const CpgApply *apply, int ns, const CpgRegistration *is, CpgSpan name)
{
	CpgKey		key;

	if (ns < 0)
		return;
	cpg_key_init(&key, cpg_store, (uint16) ns, name.data, name.len);
	key.bounded = cpg_registration_bounded(is);
	invalidate(apply, cpg_cell_key(cpg_guard, key.hash), &key);
}

/* The length of the part of a key that may name its namespace; 0 if none does. */
static Size
prefix_of(CpgSpan name)
{
	const char *colon = memchr(name.data, ':', name.len);
	Size		len = colon == NULL ? 0 : (Size) (colon - name.data);

	return len < CPG_NAMESPACE_NAME_SIZE ? len : 0;
}

/*
 * The key belongs to the namespace of its prefix if this database has one, else
 * to the default one: which, only a session knows that reads the catalog.
 */
static void
kill_key(const CpgApply *apply, CpgSpan name)
{
	char		prefix[CPG_NAMESPACE_NAME_SIZE];
	Size		len = prefix_of(name);
	CpgRegistration is;

	if (name.len == 0 || name.len > CPG_KEY_MAX)
		return;
	kill_in(apply, cpg_registry_find(apply->database, CPG_DEFAULT_NAMESPACE, &is), &is, name);
	if (len == 0)
		return;
	memcpy(prefix, name.data, len);
	prefix[len] = '\0';
	kill_in(apply, cpg_registry_find(apply->database, prefix, &is), &is, name);
}

static void
invalidate_namespace(const CpgApply *apply, CpgSpan name, bool soft)
{
	char		copy[CPG_NAMESPACE_NAME_SIZE];
	CpgRegistration is;
	int			ns;

	if (name.len == 0 || name.len >= sizeof(copy))
		return;
	memcpy(copy, name.data, name.len);
	copy[name.len] = '\0';
	ns = cpg_registry_find(apply->database, copy, &is);
	if (ns >= 0 && soft)
		soften(apply, cpg_cell_namespace((uint16) ns));
	else if (ns >= 0)
		invalidate(apply, cpg_cell_namespace((uint16) ns), NULL);
}

static void
invalidate_table(const CpgApply *apply, uint16 database, const CpgMessageItem *item)
{
	char		name[2 * NAMEDATALEN];

	if (item->schema.len + 1 + item->name.len > sizeof(name))
		return;
	memcpy(name, item->schema.data, item->schema.len);
	name[item->schema.len] = '\0';
	memcpy(name + item->schema.len + 1, item->name.data, item->name.len);
	invalidate(apply, cpg_cell_table_name(cpg_guard, database, name,
										  item->schema.len + 1 + item->name.len), NULL);
}

static void
invalidate_here(const CpgApply *apply, uint16 database, const CpgMessageItem *item)
{
	CpgCell		tag;

	switch (item->what)
	{
		case CPG_MESSAGE_KEY:
		case CPG_MESSAGE_EXPIRE_KEY:
			kill_key(apply, item->name);
			break;
		case CPG_MESSAGE_TAG:
			tag = cpg_cell_tag(cpg_guard, database, item->name.data, item->name.len);
			invalidate(apply, tag, NULL);
			break;
		case CPG_MESSAGE_EXPIRE_TAG:
			tag = cpg_cell_tag(cpg_guard, database, item->name.data, item->name.len);
			soften(apply, tag);
			break;
		case CPG_MESSAGE_TABLE:
			invalidate_table(apply, database, item);
			break;
		case CPG_MESSAGE_NAMESPACE:
			invalidate_namespace(apply, item->name, false);
			break;
		case CPG_MESSAGE_EXPIRE_NAMESPACE:
			invalidate_namespace(apply, item->name, true);
			break;
		case CPG_MESSAGE_DATABASE:
			invalidate(apply, cpg_cell_database(cpg_guard, database), NULL);
			break;
		case CPG_MESSAGE_SCHEMA:
		case CPG_MESSAGE_ROLE:
		case CPG_MESSAGE_CELL:
			/* names and roles of another server are not those of this one */
			break;
	}
}

/* Apply one item of a message. */
void
cpg_apply_item(const CpgApply *apply, const CpgMessageItem *item)
{
	int			database;

	if (apply->from_home)
		cpg_mirror_bump(item->cell, apply->number);
	if (!OidIsValid(apply->database))
		return;
	database = cpg_registry_find_database(apply->database);
	if (database >= 0)
		invalidate_here(apply, (uint16) database, item);
}

/*
 * Have those who take values of this server from Redis refuse all that there are:
 * each depends on the cell of its namespace.  Other homes make no use of that;
 * "everything" they would say again, for this one to do likewise, and so on.
 */
static void
retell_everything(void)
{
	char		room[CPG_BUS_ITEM_SIZE * CPG_BUS_ITEMS_MAX];
	CpgBusRecord record = {.data = room,.room = sizeof(room)};
	CpgBusItem	item = {.what = CPG_MESSAGE_CELL};
	CpgRegistration is;

	for (CpgCell i = 0; i < cpg_guard->config.namespaces; i++)
	{
		item.cell = cpg_cell_namespace((uint16) i);
		(void) cpg_registry_read((int) i, &is);
		if (OidIsValid(is.database))
			cpg_bus_record_add(&record, NULL, &item);
		if (record.nitems == CPG_BUS_ITEMS_MAX)
		{
			(void) cpg_bus_draw(&record, InvalidOid, InvalidXLogRecPtr);
			record.len = record.nitems = 0;
		}
	}
	if (record.nitems > 0)
		(void) cpg_bus_draw(&record, InvalidOid, InvalidXLogRecPtr);
}

/* Something of the origin's was missed, or it invalidated everything. */
void
cpg_apply_everything(const CpgApply *apply)
{
	if (apply->from_home)
		cpg_mirror_bump_all(apply->number);
	for (CpgCell i = 0; i < cpg_guard->config.namespaces; i++)
		cpg_guard_bump_quietly(cpg_guard, cpg_cell_namespace((uint16) i));
	if (apply->retell)
		retell_everything();
}
