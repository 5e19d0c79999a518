/*-------------------------------------------------------------------------
 *
 * relations.c
 *	  When to forget what a session remembers of relations.  See relations.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "session/relations.h"
#include "utils/inval.h"

static uint64 changes = 0;

static void
relation_changed(Datum arg, Oid relid)
{
	changes++;
}

/*
 * How often this session was told that a relation changed, whichever: what was
 * found out before the number grew may no longer hold.  One callback for all
 * who ask, since a server has room for few.
 */
uint64		pg_attribute_hot
cpg_relation_changes(void)
{
	static bool registered = false;

	if (unlikely(!registered))
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		registered = true;
	}
	return changes;
}
