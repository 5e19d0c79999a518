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

/* Whether the current role may copy a database. */
static bool
may_copy(Oid database)
{
	HeapTuple	tuple;
	bool		is_template;

	if (!may_create_databases())
		return false;
	if (CPG_IS_DATABASE_OWNER(database, GetUserId()))
		return true;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return false;
	is_template = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	ReleaseSysCache(tuple);
	return is_template;
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
vacate(const char *name, bool copied)
{
	Oid			database = name == NULL ? InvalidOid : get_database_oid(name, true);

	if (OidIsValid(database) &&
		(copied ? may_copy(database) : CPG_IS_DATABASE_OWNER(database, GetUserId())))
		cpg_crew_vacate(database);
}

/* The database that a new one is a copy of. */
static const char *
template_of(const CreatedbStmt *stmt)
{
	const char *name = option_of(stmt->options, "template");

	return name == NULL ? "template1" : name;
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
			vacate(((const DropdbStmt *) stmt)->dbname, false);
			break;
		case T_CreatedbStmt:
			vacate(template_of((const CreatedbStmt *) stmt), true);
			break;
		case T_RenameStmt:
			if (((const RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
				vacate(((const RenameStmt *) stmt)->subname, false);
			break;
		case T_AlterDatabaseStmt:
			if (option_of(((const AlterDatabaseStmt *) stmt)->options, "tablespace") != NULL)
				vacate(((const AlterDatabaseStmt *) stmt)->dbname, false);
			break;
		default:
			break;
	}
}
