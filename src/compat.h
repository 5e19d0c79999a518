/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between the supported PostgreSQL versions (15 to 18).
 *
 * No other file looks at PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_COMPAT_H
#define CPG_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "cachepg needs PostgreSQL 15 or later"
#endif

/* Access to varlena data has a header of its own from 16 on. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* The number of a process among all: a field of PGPROC up to 16. */
#if PG_VERSION_NUM >= 170000
#define CPG_MY_PROC_NUMBER	MyProcNumber
#define CPG_PROC_NUMBER(proc)	GetNumberFromPGProc(proc)
#else
#define CPG_MY_PROC_NUMBER	(MyProc ? MyProc->pgprocno : 0)
#define CPG_PROC_NUMBER(proc)	((proc)->pgprocno)
#endif

/*
 * The CPU on which this process is, or was a moment ago; where that is not
 * known, a number that differs between processes.
 */
#if defined(__linux__)
#include <sched.h>
#define CPG_CURRENT_CPU()	((uint32) sched_getcpu())
#else
#define CPG_CURRENT_CPU()	((uint32) CPG_MY_PROC_NUMBER)
#endif

/* To give something to a role one has to be able to become it, since 16 by SET. */
#if PG_VERSION_NUM >= 160000
#define CPG_CHECK_CAN_GIVE_TO(role)	check_can_set_role(GetUserId(), role)
#else
#define CPG_CHECK_CAN_GIVE_TO(role)	check_is_member_of_role(GetUserId(), role)
#endif

/* 18 has another word for functions that do not return. */
#if PG_VERSION_NUM >= 180000
#define CPG_NORETURN	pg_noreturn
#else
#define CPG_NORETURN	pg_attribute_noreturn()
#endif

/* Infinite intervals exist from 17 on. */
#if PG_VERSION_NUM >= 170000
#define CPG_INTERVAL_IS_INFINITE(interval)	INTERVAL_NOT_FINITE(interval)
#else
#define CPG_INTERVAL_IS_INFINITE(interval)	false
#endif

/* Wait events have names of their own from 17 on. */
#if PG_VERSION_NUM >= 170000
#define CPG_WAIT_EVENT_NEW(name)	WaitEventExtensionNew(name)
#else
#define CPG_WAIT_EVENT_NEW(name)	PG_WAIT_EXTENSION
#endif

/* A set of wait events for the life of the process: 17 has resource owners for others. */
#if PG_VERSION_NUM >= 170000
#define CPG_WAIT_EVENT_SET_NEW(nevents)	CreateWaitEventSet(NULL, nevents)
#else
#define CPG_WAIT_EVENT_SET_NEW(nevents)	CreateWaitEventSet(TopMemoryContext, nevents)
#endif

/* Permissions to check are in nodes of their own from 16 on. */
#if PG_VERSION_NUM >= 160000
#define CpgPermission	RTEPermissionInfo
#define CPG_PLAN_PERMISSIONS(plan)	((plan)->permInfos)
#define CPG_CHECK_PERMS_PARAMETERS	List *rtable, List *permissions, bool raise
#define CPG_CHECK_PERMS_ARGUMENTS	rtable, permissions, raise
#define CPG_CHECK_PERMS_LIST		permissions
#else
#define CpgPermission	RangeTblEntry
#define CPG_PLAN_PERMISSIONS(plan)	((plan)->rtable)
#define CPG_CHECK_PERMS_PARAMETERS	List *rtable, bool raise
#define CPG_CHECK_PERMS_ARGUMENTS	rtable, raise
#define CPG_CHECK_PERMS_LIST		rtable
#endif

/* 18 took a parameter off ExecutorRun. */
#if PG_VERSION_NUM >= 180000
#define CPG_EXECUTOR_RUN_PARAMETERS QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define CPG_EXECUTOR_RUN_ARGUMENTS	queryDesc, direction, count
#else
#define CPG_EXECUTOR_RUN_PARAMETERS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, bool execute_once
#define CPG_EXECUTOR_RUN_ARGUMENTS	queryDesc, direction, count, execute_once
#endif

/* 17 can ask for the lock mode or a stronger one. */
#if PG_VERSION_NUM >= 170000
#define CPG_LOCK_HELD(tag, mode)	LockHeldByMe(tag, mode, false)
#else
#define CPG_LOCK_HELD(tag, mode)	LockHeldByMe(tag, mode)
#endif

/* Ownership of any object is asked with one function from 16 on. */
#if PG_VERSION_NUM >= 160000
#define CPG_IS_RELATION_OWNER(relid, role)	object_ownercheck(RelationRelationId, relid, role)
#define CPG_IS_DATABASE_OWNER(database, role)	object_ownercheck(DatabaseRelationId, database, role)
#else
#define CPG_IS_RELATION_OWNER(relid, role)	pg_class_ownercheck(relid, role)
#define CPG_IS_DATABASE_OWNER(database, role)	pg_database_ownercheck(database, role)
#endif

/*
 * The table of settings: an array up to 15, then a hash table, and those that
 * are not at their defaults in a list.  An option made up by SET can be
 * replaced or removed; whether one seen before at a place of the array is still
 * there can be told without looking at it.
 */
#if PG_VERSION_NUM >= 160000
#define CPG_OPTIONS_SET_LIST
#define CPG_OPTIONS(count)		get_guc_variables(count)
#define CPG_OPTION_STILL(option, name, place)	\
	(find_option(name, false, true, 0) == (option))
#else
#define CPG_OPTIONS(count)		(*(count) = GetNumConfigOptions(), get_guc_variables())
#define CPG_OPTION_STILL(option, name, place)	\
	(get_guc_variables()[place] == (option))
#endif

/* The local number of the transaction. */
#if PG_VERSION_NUM >= 170000
#define CPG_MY_LXID		(MyProc->vxid.lxid)
#else
#define CPG_MY_LXID		(MyProc->lxid)
#endif

/* Privileges on objects other than tables are checked by one function from 16 on. */
#if PG_VERSION_NUM >= 160000
#define CPG_MAY_EXECUTE(function, role) \
	object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#define CPG_PARSE_NAMES(string)	stringToQualifiedNameList(string, NULL)
#else
#define CPG_MAY_EXECUTE(function, role) \
	pg_proc_aclcheck(function, role, ACL_EXECUTE)
#define CPG_PARSE_NAMES(string)	stringToQualifiedNameList(string)
#endif

/* Take a lock for the session if that is possible at once, else complain to nobody. */
#if PG_VERSION_NUM >= 180000
#define CPG_LOCK_TRY(tag, mode)	LockAcquireExtended(tag, mode, true, true, false, NULL, false)
#else
#define CPG_LOCK_TRY(tag, mode)	LockAcquireExtended(tag, mode, true, true, false, NULL)
#endif

/* What another process is and does was asked by a back-end number up to 15. */
#if PG_VERSION_NUM >= 160000
#define CPG_BACKEND_STATUS(index)	pgstat_get_local_beentry_by_index(index)
#else
#define CPG_BACKEND_STATUS(index)	pgstat_fetch_stat_local_beentry(index)
#endif

/* 18 tells what a module is. */
#ifdef PG_MODULE_MAGIC_EXT
#define CPG_MODULE_MAGIC(n, v)	PG_MODULE_MAGIC_EXT(.name = (n), .version = (v))
#else
#define CPG_MODULE_MAGIC(n, v)	PG_MODULE_MAGIC
#endif

#endif							/* CPG_COMPAT_H */
