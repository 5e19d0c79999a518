/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Code that comes with a value.
 *
 * Checks of domains and casts are functions, and who may write to a namespace
 * may store values of types of its own.  Where a reader has not named the type
 * they run as the type's owner in a restricted operation, not as the reader, who
 * may be a superuser.  Types of PostgreSQL itself need none of this.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/syscache.h"
#include "value/value.h"

/*
 * Become the owner of a type.  After an error the end of the (sub)transaction puts
 * everything back.
 */
void
cpg_type_owner_enter(Oid typid, CpgTypeOwner *before)
{
	HeapTuple	tuple;

	before->changed = false;
	if (likely(typid < FirstNormalObjectId))
		return;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", typid);
	GetUserIdAndSecContext(&before->user, &before->security);
	before->nest_level = NewGUCNestLevel();
	before->changed = true;
	SetUserIdAndSecContext(((Form_pg_type) GETSTRUCT(tuple))->typowner, before->security |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	ReleaseSysCache(tuple);
}

/* Go back. */
void
cpg_type_owner_leave(const CpgTypeOwner *before)
{
	if (likely(!before->changed))
		return;
	AtEOXact_GUC(false, before->nest_level);
	SetUserIdAndSecContext(before->user, before->security);
}

/* As cpg_value_to_jsonb, for a reader who has not named the type. */
Datum
cpg_value_show(Oid typid, Datum datum)
{
	CpgTypeOwner before;
	Datum		result;

	cpg_type_owner_enter(typid, &before);
	result = cpg_value_to_jsonb(typid, datum);
	cpg_type_owner_leave(&before);
	return result;
}
