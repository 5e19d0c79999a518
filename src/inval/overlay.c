/*-------------------------------------------------------------------------
 *
 * overlay.c
 *	  What the own transaction's pending operations mean for its own reads.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "inval/inval_internal.h"
#include "shmem.h"
#include "utils/datum.h"

/* Index of the newest clearing of a namespace or its database, -1 if none. */
static int
last_clear(uint16 ns)
{
	CpgCell		database = cpg_cell_database(cpg_guard, *cpg_guard_database(cpg_guard, ns));

	return Max(cpg_pending_head_of_cell(cpg_cell_namespace(ns)),
			   cpg_pending_head_of_cell(database));
}

/* Whether a pending set was overtaken by a later invalidation of a tag or namespace. */
bool
cpg_overlay_outlived(int index)
{
	const CpgPending *op = &cpg_pending.op[index];

	if (last_clear(op->key.ns) > index)
		return true;
	for (int i = 0; i < op->item->ncells; i++)
	{
		if (cpg_pending_head_of_cell(op->item->cells[i]) > index)
			return true;
	}
	return false;
}

static bool
same_text(const CpgKey *a, const CpgKey *b)
{
	return a->ns == b->ns && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* What the own transaction did to a key, for a reader of this identity. */
CpgOverlay
cpg_overlay_find(const CpgKey *key)
{
	CpgOverlay	result = {CPG_OVERLAY_NONE, NULL, 0};
	int			clear = last_clear(key->ns);

	for (int i = cpg_pending_head_of_key(key); i > clear; i = cpg_pending.op[i].before)
	{
		CpgPending *op = &cpg_pending.op[i];

		if (op->kind == CPG_PENDING_KILL || !same_text(&op->key, key))
		{
			result.state = CPG_OVERLAY_GONE;
			return result;
		}
		if (op->kind == CPG_PENDING_TOUCH && op->key.role == key->role && result.expiry == 0)
			result.expiry = op->expiry;
		if (op->kind == CPG_PENDING_PUT && op->key.role == key->role &&
			(key->any_fingerprint || key->fingerprint == 0))
		{
			result.state = cpg_overlay_outlived(i) ? CPG_OVERLAY_GONE : CPG_OVERLAY_VALUE;
			result.op = op;
			return result;
		}
	}
	if (clear >= 0)
		result.state = CPG_OVERLAY_GONE;
	return result;
}

/* Whether the own transaction invalidates a cell of an entry. */
bool
cpg_overlay_hides(const CpgCell *cells, int ncells)
{
	for (int i = 0; i < ncells; i++)
	{
		if (cpg_pending_head_of_cell(cells[i]) >= 0)
			return true;
	}
	return false;
}

/* Whether the own transaction invalidates a key or one of the cells. */
bool
cpg_inval_hides(const CpgKey *key, const CpgCell *cells, int ncells)
{
	return cpg_inval_pending() &&
		(cpg_overlay_find(key).state != CPG_OVERLAY_NONE || cpg_overlay_hides(cells, ncells));
}

/* Copy a varlena's payload with a length word before it. */
static Datum
varlena_datum(const CpgItem *item)
{
	char	   *copy = palloc(item->len + VARHDRSZ);

	SET_VARSIZE(copy, item->len + VARHDRSZ);
	memcpy(VARDATA(copy), item->data, item->len);
	return PointerGetDatum(copy);
}

/* The value of a pending set, its datum in the current memory context. */
void
cpg_overlay_value(const CpgPending *op, bool with_datum, CpgValue *value)
{
	const CpgItem *item = op->item;

	value->len = item->len;
	value->typid = item->typid;
	value->kind = item->kind;
	value->isnull = item->isnull;
	value->shape = item->shape;
	value->stamp = item->stamp;
	value->created = item->created;
	value->expiry = item->expiry;
	value->load_time = item->load_time;
	value->soft_ttl = item->soft_ttl;
	value->frequency = 0;
	value->stale = false;
	value->ncells = 0;
	if (value->cells != NULL)
	{
		value->ncells = Min(item->ncells, CPG_CELLS_MAX);
		memcpy(value->cells, item->cells, value->ncells * sizeof(CpgCell));
	}
	value->notes_len = 0;
	if (value->notes != NULL)
	{
		value->notes_len = Min(item->notes_len, value->notes_size);
		memcpy(value->notes, item->notes, value->notes_len);
	}
	if (item->isnull || !with_datum)
		return;
	if (item->kind == CPG_KIND_BYVAL)
		memcpy(&value->datum, item->data, sizeof(Datum));
	else if (item->kind == CPG_KIND_VARLENA)
		value->datum = varlena_datum(item);
	else
		value->datum = datumCopy(PointerGetDatum(item->data), false, (int) item->len);
}
