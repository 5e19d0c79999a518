/*-------------------------------------------------------------------------
 *
 * utility.c
 *	  Utility statements that change data, or what roles may do.
 *
 * The rest of DDL is found by object access hooks (ddl.c), which know no
 * privileges.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "guard/guard.h"
#include "inval/inval.h"
#include "inval/twophase.h"
#include "nodes/parsenodes.h"
#include "shmem.h"
#include "tcop/utility.h"
#include "track/relation.h"
#include "refresh/refresh.h"
#include "track/track.h"
#include "utils/acl.h"

static ProcessUtility_hook_type prev_utility = NULL;

static void
change_role(const RoleSpec *role)
{
	Oid			roleid = role == NULL ? InvalidOid : get_rolespec_oid(role, true);

	if (OidIsValid(roleid))
		cpg_inval_cell(cpg_cell_role(cpg_guard, roleid));
	else if (role == NULL)
		cpg_inval_roles();
}

/* Whether options of CREATE or ALTER ROLE change what a role may do. */
static bool
has_option_that_matters(List *options)
{
	static const char *const harmless[] = {"password", "validUntil", "connectionlimit", "canlogin",
	"createdb", "createrole"};
	ListCell   *lc;

	foreach(lc, options)
	{
		const char *name = lfirst_node(DefElem, lc)->defname;
		int			i = 0;

		while (i < lengthof(harmless) && strcmp(harmless[i], name) != 0)
			i++;
		if (i == lengthof(harmless))
			return true;
	}
	return false;
}

static bool
has_option(List *options, const char *wanted)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, wanted) == 0)
			return true;
	}
	return false;
}

/* Whether a new role becomes a member, or gets members, at once. */
static bool
has_memberships(List *options)
{
	return has_option(options, "addroleto") || has_option(options, "rolemembers") ||
		has_option(options, "adminmembers");
}

static void
change_roles(List *roles)
{
	ListCell   *lc;

	foreach(lc, roles)
		change_role(lfirst(lc));
}

/* Queries can see the name; and in Redis it is all there is of a role. */
static void
rename_role(const RenameStmt *stmt)
{
	Oid			roleid = stmt->renameType == OBJECT_ROLE ? get_role_oid(stmt->subname, true) : InvalidOid;

	if (OidIsValid(roleid))
		cpg_inval_cell(cpg_cell_role(cpg_guard, roleid));
}

/*
 * What a role may see reaches others: ALTER GROUP ... ADD USER; what passes
 * through it to its members; what its views and functions read for anybody.
 */
static bool
concerns_others(List *options)
{
	return has_memberships(options) || has_option(options, "inherit") ||
		has_option(options, "superuser") || has_option(options, "bypassrls");
}

static void
alter_role(const AlterRoleStmt *stmt)
{
	if (concerns_others(stmt->options))
		cpg_inval_roles();
	else if (has_option_that_matters(stmt->options))
		change_role(stmt->role);
}

/* The materialized view that a name stands for is written. */
static void
refresh(const RefreshMatViewStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (OidIsValid(relid))
		cpg_track_write(relid);
}

/* Whether a command does nothing but change what partitions a table has. */
static bool
is_of_partitions(const AlterTableStmt *stmt)
{
	/* such a command comes alone */
	switch (linitial_node(AlterTableCmd, stmt->cmds)->subtype)
	{
		case AT_AttachPartition:
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			return true;
		default:
			return false;
	}
}

/*
 * Row-level security and other switches of a table come without a hook, and so
 * does the end of the first of the two transactions of DETACH PARTITION
 * CONCURRENTLY, after which the partition is not seen any more.
 */
static void
alter_table(const AlterTableStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (!OidIsValid(relid) || stmt->objtype == OBJECT_INDEX ||
		cpg_relation(relid)->kind == CPG_RELATION_TEMPORARY)
		return;
	cpg_track_change(relid);
	if (!is_of_partitions(stmt))
		cpg_track_schema();
}

/* What has to be noted before a statement runs. */
static void
before(Node *stmt)
{
	cpg_refresh_before(stmt);
	switch (nodeTag(stmt))
	{
		case T_CopyStmt:
			cpg_track_collect_written(((CopyStmt *) stmt)->is_from);
			break;
		case T_RefreshMatViewStmt:
			refresh((RefreshMatViewStmt *) stmt);
			break;
		case T_AlterDatabaseStmt:
			/* while a database moves the exit callbacks are the server's own */
			cpg_commit_watch();
			break;
		case T_AlterTableStmt:
			alter_table((AlterTableStmt *) stmt);
			break;
		case T_GrantStmt:
		case T_AlterDefaultPrivilegesStmt:
		case T_DropOwnedStmt:
		case T_ReassignOwnedStmt:
			cpg_track_schema();
			break;
		case T_GrantRoleStmt:
			cpg_inval_roles();
			break;
		case T_CreateRoleStmt:
			if (has_memberships(((CreateRoleStmt *) stmt)->options))
				cpg_inval_roles();
			break;
		case T_AlterRoleStmt:
			alter_role((AlterRoleStmt *) stmt);
			break;
		case T_AlterRoleSetStmt:
			change_role(((AlterRoleSetStmt *) stmt)->role);
			break;
		case T_RenameStmt:
			rename_role((RenameStmt *) stmt);
			break;
		case T_DropRoleStmt:
			change_roles(((DropRoleStmt *) stmt)->roles);
			break;
		default:
			break;
	}
}

static bool pg_attribute_hot
is_end_of_prepared(Node *stmt)
{
	return IsA(stmt, TransactionStmt) &&
		(((TransactionStmt *) stmt)->kind == TRANS_STMT_COMMIT_PREPARED ||
		 ((TransactionStmt *) stmt)->kind == TRANS_STMT_ROLLBACK_PREPARED);
}

static void pg_attribute_hot
run(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
	ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	if (prev_utility)
		prev_utility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params, queryEnv,
								dest, qc);
}

/* Run anything but a plain transaction command. */
static pg_noinline void
run_noted(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
		  ProcessUtilityContext context, ParamListInfo params,
		  QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *stmt = pstmt->utilityStmt;
	bool		refreshes = IsA(stmt, RefreshMatViewStmt);
	bool		ends_prepared = is_end_of_prepared(stmt);

	/* transaction commands may come in an aborted transaction: no catalogs */
	if (!IsA(stmt, TransactionStmt))
		before(stmt);
	if (IsA(stmt, CopyStmt))
	{
		PG_TRY();
		{
			run(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		}
		PG_FINALLY();
		{
			cpg_track_collect_written(false);
		}
		PG_END_TRY();
	}
	else
		run(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	/* again: until the lock was taken the name could get another meaning */
	if (refreshes)
		refresh((RefreshMatViewStmt *) stmt);
	if (ends_prepared)
		cpg_twophase_resolve();
}

static void pg_attribute_hot
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	if (IsA(pstmt->utilityStmt, TransactionStmt) && !is_end_of_prepared(pstmt->utilityStmt))
		run(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		run_noted(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
}

void
cpg_track_utility_install(void)
{
	prev_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
