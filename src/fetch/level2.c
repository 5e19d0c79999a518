/*-------------------------------------------------------------------------
 *
 * level2.c
 *	  Redis on the way of a call: asked before a load, told of its result.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fetch/fetch_internal.h"
#include "l2/l2.h"
#include "utils/lsyscache.h"

static Oid
type_of(const CpgCall *call)
{
	return OidIsValid(call->fetch->rowtype) ? get_array_type(call->fetch->rowtype) : JSONBOID;
}

/*
 * Look for the value of a call in Redis; true if call->value is there.  For the
 * leader of a flight, or on a standby, where nobody leads as nothing that is
 * loaded may be kept.
 */
bool
cpg_call_from_l2(CpgCall *call, const CpgFlight *flight)
{
	CpgValue	value = {.buffer = NULL};
	CpgL2Name	name;

	/*
	 * what is read inside of a load becomes a part of it, with all it is made
	 * of
	 */
	if (!flight->leading && call->reason != CPG_COUNT_UNKEPT_RECOVERY)
		return false;
	if (!cpg_l2_readable(call->ns) || call->many != NULL || cpg_deps_active())
		return false;
	cpg_l2_name_of_fetch(call->fetch, call->ns, &call->key, &name);
	if (!cpg_l2_fill(call->ns, &call->key, &name, type_of(call), &value))
		return false;
	call->value = value.datum;
	call->isnull = value.isnull;
	return true;
}

/* Have the value of a call, which was kept as this item, written to Redis. */
void
cpg_call_to_l2(const CpgCall *call, const CpgNamespace *ns, const CpgKey *key, const CpgItem *item)
{
	CpgL2Value	value = {call->loaded.type, call->loaded.value, call->loaded.isnull, item};
	CpgFrameJob job = {.stamp = item->stamp};
	CpgL2Name	name;

	if (!cpg_l2_writable(ns) || call->many != NULL)
		return;
	cpg_l2_name_of_fetch(call->fetch, ns, key, &name);
	if (cpg_l2_make(ns, key, &name, &value, &job))
		cpg_l2_send(key, &job);
}
