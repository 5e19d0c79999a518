/*-------------------------------------------------------------------------
 *
 * vacate.c
 *	  Commands that need a database without sessions: ours leave first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "compat.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "refresh/refresh.h"
#include "shmem.h"
#include "utils/acl.h"
#include "utils/syscache.h"

static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		may = superuser();

	if (may)
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (!HeapTupleIsValid(tuple))
		return false;
	may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	ReleaseSysCache(tuple);
	return may;
}

/* The value of an option of a statement, NULL if it is not there. */
static const char *
option_of(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

static void
vacate(const char *name, bool owner_only)
{
	Oid			database = name == NULL ? InvalidOid : get_database_oid(name, true);

	if (OidIsValid(database) &&
		(!owner_only || CPG_IS_DATABASE_OWNER(database, GetUserId())))
		cpg_crew_vacate(database);
}

/*
 * Before a utility statement: if it drops, renames, moves or copies a database
 * and the current role may do that, send the workers of the database away.
 */
void
cpg_refresh_before(const Node *stmt)
{
	if (cpg_refresh == NULL)
		return;
	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			vacate(((const DropdbStmt *) stmt)->dbname, true);
			break;
		case T_CreatedbStmt:
			if (may_create_databases())
				vacate(option_of(((const CreatedbStmt *) stmt)->options, "template"), false);
			break;
		case T_RenameStmt:
			if (((const RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
				vacate(((const RenameStmt *) stmt)->subname, true);
			break;
		case T_AlterDatabaseStmt:
			if (option_of(((const AlterDatabaseStmt *) stmt)->options, "tablespace") != NULL)
				vacate(((const AlterDatabaseStmt *) stmt)->dbname, true);
			break;
		default:
			break;
	}
}
