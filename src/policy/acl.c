/*-------------------------------------------------------------------------
 *
 * acl.c
 *	  Privileges on namespaces, checked on every call.
 *
 * What the current role may do is remembered in the session's copy of the
 * namespace; changes of roles, memberships and databases void it through the system
 * caches' invalidation, changes of grants through rereading the catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "error.h"
#include "miscadmin.h"
#include "policy/namespace.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"

static const struct
{
	uint8		privilege;
	const char *name;
}			names[] = {
	{CPG_PRIVILEGE_READ, "read"},
	{CPG_PRIVILEGE_WRITE, "write"},
	{CPG_PRIVILEGE_INVALIDATE, "invalidate"},
	{CPG_PRIVILEGE_ADMIN, "admin"},
	{CPG_PRIVILEGE_OWNER, "owner"},
};

static uint32 role_epoch = 1;
static bool watching_roles = false;

static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	role_epoch++;
}

static void
watch_roles(void)
{
	if (watching_roles)
		return;
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
	/* its owner is a member of pg_database_owner */
	CacheRegisterSyscacheCallback(DATABASEOID, roles_changed, (Datum) 0);
	watching_roles = true;
}

static uint8
compute(const CpgNamespace *ns, Oid role)
{
	uint8		privileges = 0;

	if (superuser_arg(role))
		return CPG_PRIVILEGES_GRANTABLE | CPG_PRIVILEGE_OWNER;

	/* without its owner nobody but a superuser may use a namespace */
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(ns->owner)))
		return 0;
	if (has_privs_of_role(role, ns->owner))
		return CPG_PRIVILEGES_GRANTABLE | CPG_PRIVILEGE_OWNER;
	for (int i = 0; i < ns->ngrants; i++)
	{
		Oid			grantee = ns->grants[i].grantee;

		if (grantee == ACL_ID_PUBLIC || has_privs_of_role(role, grantee))
			privileges |= ns->grants[i].privileges;
	}
	if (privileges & CPG_PRIVILEGE_ADMIN)
		privileges |= CPG_PRIVILEGES_GRANTABLE;
	return privileges;
}

/* Set of CpgPrivilege that the current role has. */
uint8		pg_attribute_hot
cpg_namespace_privileges(CpgNamespace *ns)
{
	Oid			role = GetUserId();

	if (ns->checked_role != role || ns->checked_epoch != role_epoch)
	{
		uint32		epoch;

		watch_roles();
		epoch = role_epoch;
		ns->privileges = compute(ns, role);
		ns->checked_role = role;
		ns->checked_epoch = epoch;
	}
	return ns->privileges;
}

/*
 * Whether the current role may see how a namespace is set up and how it does:
 * whoever may do something with it, and who may read all statistics.
 */
bool
cpg_namespace_visible(CpgNamespace *ns)
{
	return cpg_namespace_privileges(ns) != 0 ||
		has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
}

/*
 * Raise insufficient_privilege for want of one of the privileges, of which the
 * first is named.  "missing" is a namespace that the key at hand seems to name but
 * that does not exist, or NULL.
 */
void
cpg_namespace_deny(const CpgNamespace *ns, uint8 any_of, const char *missing)
{
	const char *wanted = cpg_privilege_name(any_of & -any_of);

	if (any_of == CPG_PRIVILEGE_OWNER)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of cache namespace \"%s\"", ns->name)));
	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for cache namespace \"%s\"", ns->name),
				 errdetail("There is no cache namespace \"%s\", so that the key is one of \"%s\".", missing, ns->name),
				 errhint("The view cache_namespaces shows those that you may use.")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for cache namespace \"%s\"", ns->name),
			 errdetail("The current role needs the privilege \"%s\".", wanted),
			 errhint("Its owner can grant it: SELECT cache_namespace_grant(%s, %s, '%s');",
					 quote_literal_cstr(ns->name),
					 quote_literal_cstr(GetUserNameFromId(GetUserId(), false)), wanted)));
}

/*
 * Raise insufficient_privilege unless the current role has one of the privileges.
 */
void
cpg_namespace_require(CpgNamespace *ns, uint8 any_of)
{
	if (unlikely((cpg_namespace_privileges(ns) & any_of) == 0))
		cpg_namespace_deny(ns, any_of, NULL);
}

/* Name of one privilege. */
const char *
cpg_privilege_name(uint8 privilege)
{
	for (int i = 0; i < lengthof(names); i++)
	{
		if (names[i].privilege == privilege)
			return names[i].name;
	}
	return "?";
}

/* The grantable privilege of a name, else invalid_parameter_value. */
uint8
cpg_privilege_parse(const char *name)
{
	for (int i = 0; i < lengthof(names); i++)
	{
		if ((names[i].privilege & CPG_PRIVILEGES_GRANTABLE) && pg_strcasecmp(names[i].name, name) == 0)
			return names[i].privilege;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized cache privilege \"%s\"", name),
			 errhint("Privileges are read, write, invalidate and admin.")));
}
