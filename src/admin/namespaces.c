/*-------------------------------------------------------------------------
 *
 * namespaces.c
 *	  cache_namespace_create, _alter, _set_owner, _drop, _grant, _revoke, and the
 *	  trigger that announces changes of the catalog tables.
 *
 * The tables belong to the owner of the extension and are written as that
 * owner, after the privileges of the caller have been checked here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "error.h"
#include "executor/spi.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(cachepg_cache_namespace_create);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_alter);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_set_owner);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_drop);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_grant);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_revoke);
PG_FUNCTION_INFO_V1(cachepg_catalog_changed);

/* Policy options are the arguments from 1 on, in the order of cpg_options. */
#define MAX_PARAMS (CPG_NOPTIONS + 3)

typedef struct Statement
{
	StringInfoData sql;
	int			nparams;
	Oid			types[MAX_PARAMS];
	Datum		values[MAX_PARAMS];
	char		nulls[MAX_PARAMS];
} Statement;

static int
add_param(Statement *statement, Oid type, Datum value, bool isnull)
{
	int			n = statement->nparams++;

	statement->types[n] = type;
	statement->values[n] = value;
	statement->nulls[n] = isnull ? 'n' : ' ';
	return n + 1;
}

/* The qualified, quoted name of a catalog table. */
static char *
table_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* Run a statement as the owner of the tables; returns the rows processed. */
static uint64
run(Statement *statement, const CpgCatalog *catalog)
{
	Oid			user;
	int			context;
	int			code;
	uint64		processed;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(catalog->owner, context | SECURITY_LOCAL_USERID_CHANGE);
	SPI_connect();
	code = SPI_execute_with_args(statement->sql.data, statement->nparams, statement->types,
								 statement->values, statement->nulls, false, 0);
	if (code < 0)
		elog(ERROR, "could not change the namespace catalog: %s", SPI_result_code_string(code));
	processed = SPI_processed;
	SPI_finish();
	SetUserIdAndSecContext(user, context);
	return processed;
}

/* Argument 0 as a C string. */
static char *
name_argument(FunctionCallInfo fcinfo)
{
	cpg_require_preload();
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("name of a cache namespace");
	return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

static void
check_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) >= CPG_NAMESPACE_NAME_SIZE || strchr(name, ':') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name of a cache namespace"),
				 errdetail("A name has 1 to %d bytes and no colon.", CPG_NAMESPACE_NAME_SIZE - 1)));
}

/* The value to keep of an option that is given. */
static Datum
option_value(FunctionCallInfo fcinfo, int option, Oid owner)
{
	Datum		value = PG_GETARG_DATUM(option + 1);

	if (cpg_options[option].kind != CPG_OPTION_LOADER)
		return value;
	return CStringGetTextDatum(cpg_registered_parse(TextDatumGetCString(value), owner));
}

/* Check the values of the options given. */
static void
check_options(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		if (!PG_ARGISNULL(i + 1))
			cpg_option_check(&cpg_options[i], PG_GETARG_DATUM(i + 1));
	}
}

/* Look at a policy that was written: at options that mean something together. */
static void
check_policy(FunctionCallInfo fcinfo, const CpgCatalog *catalog, const char *name, const bool *reset)
{
	bool		given[CPG_NOPTIONS];
	CpgNamespace row;

	for (int i = 0; i < CPG_NOPTIONS; i++)
		given[i] = !PG_ARGISNULL(i + 1) || (reset != NULL && reset[i]);
	if (cpg_catalog_read_row(catalog, name, &row))
		cpg_options_check_together(&row, given);
}

/*
 * Whether an option is given that is for the owner to decide.  To reset one is
 * not: the defaults share nothing.
 */
static bool
owner_decides(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		if (cpg_options[i].owner_only && !PG_ARGISNULL(i + 1))
			return true;
	}
	return false;
}

static void
begin_insert(Statement *statement, const CpgCatalog *catalog, const char *name, Oid owner)
{
	memset(statement, 0, sizeof(*statement));
	initStringInfo(&statement->sql);
	appendStringInfo(&statement->sql, "INSERT INTO %s (name, owner", table_name(catalog->table));
	add_param(statement, TEXTOID, CStringGetTextDatum(name), false);
	add_param(statement, OIDOID, ObjectIdGetDatum(owner), false);
}

static bool
end_insert(Statement *statement, const CpgCatalog *catalog)
{
	appendStringInfoString(&statement->sql, ") VALUES (");
	for (int i = 1; i <= statement->nparams; i++)
		appendStringInfo(&statement->sql, i == 1 ? "$%d" : ", $%d", i);
	appendStringInfoString(&statement->sql, ") ON CONFLICT DO NOTHING");
	return run(statement, catalog) > 0;
}

static void
delete_rows(const CpgCatalog *catalog, Oid table, const char *column, const char *name)
{
	Statement	statement;

	memset(&statement, 0, sizeof(statement));
	initStringInfo(&statement.sql);
	appendStringInfo(&statement.sql, "DELETE FROM %s WHERE %s OPERATOR(pg_catalog.=) $%d",
					 table_name(table), column,
					 add_param(&statement, TEXTOID, CStringGetTextDatum(name), false));
	run(&statement, catalog);
}

Datum
cachepg_cache_namespace_create(PG_FUNCTION_ARGS)
{
	char	   *name = name_argument(fcinfo);
	CpgCatalog	catalog = cpg_catalog_find();
	Statement	statement;

	check_name(name);
	check_options(fcinfo);
	if (strcmp(name, CPG_DEFAULT_NAMESPACE) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("cache namespace \"%s\" always exists", name),
				 errhint("Change it with cache_namespace_alter.")));

	begin_insert(&statement, &catalog, name, GetUserId());
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		if (PG_ARGISNULL(i + 1))
			continue;
		appendStringInfo(&statement.sql, ", %s", cpg_options[i].name);
		add_param(&statement, cpg_option_type(&cpg_options[i]), option_value(fcinfo, i, GetUserId()), false);
	}
	if (!end_insert(&statement, &catalog))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("cache namespace \"%s\" already exists", name)));

	/*
	 * a dump has grants also of a namespace whose owner is gone, which it
	 * leaves out
	 */
	delete_rows(&catalog, catalog.acl_table, "namespace", name);
	check_policy(fcinfo, &catalog, name, NULL);
	PG_RETURN_VOID();
}

/* The names of all options, for people. */
static char *
option_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < CPG_NOPTIONS; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", cpg_options[i].name);
	return names.data;
}

/* Which options a "reset" array names. */
static void
parse_reset(FunctionCallInfo fcinfo, int argument, bool *reset)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;

	memset(reset, false, CPG_NOPTIONS * sizeof(bool));
	if (PG_ARGISNULL(argument))
		return;
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(argument), "reset", &names, &nulls);
	for (int n = 0; n < count; n++)
	{
		char	   *name = nulls[n] ? "" : TextDatumGetCString(names[n]);
		int			i = 0;

		while (i < CPG_NOPTIONS && strcmp(cpg_options[i].name, name) != 0)
			i++;
		if (i == CPG_NOPTIONS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized option \"%s\" of a cache namespace", name),
					 errhint("Options are %s.", option_names())));
		reset[i] = true;
	}
}

/* The default namespace gets its row when it is first changed. */
static void
ensure_row(const CpgCatalog *catalog, const CpgNamespace *ns)
{
	Statement	statement;

	if (strcmp(ns->name, CPG_DEFAULT_NAMESPACE) != 0)
		return;
	begin_insert(&statement, catalog, ns->name, ns->owner);
	end_insert(&statement, catalog);
}

Datum
cachepg_cache_namespace_alter(PG_FUNCTION_ARGS)
{
	char	   *name = name_argument(fcinfo);
	CpgCatalog	catalog = cpg_catalog_find();
	CpgNamespace *ns = cpg_namespace_get(name);
	bool		reset[CPG_NOPTIONS];
	int			changes = 0;
	Oid			owner;
	Statement	statement;

	check_options(fcinfo);
	parse_reset(fcinfo, CPG_NOPTIONS + 1, reset);
	cpg_namespace_require(ns, CPG_PRIVILEGE_ADMIN);
	if (owner_decides(fcinfo))
		cpg_namespace_require(ns, CPG_PRIVILEGE_OWNER);
	owner = ns->owner;
	ensure_row(&catalog, ns);

	memset(&statement, 0, sizeof(statement));
	initStringInfo(&statement.sql);
	appendStringInfo(&statement.sql, "UPDATE %s SET ", table_name(catalog.table));
	for (int i = 0; i < CPG_NOPTIONS; i++)
	{
		if (PG_ARGISNULL(i + 1) && !reset[i])
			continue;
		appendStringInfo(&statement.sql, "%s%s = $%d", changes++ > 0 ? ", " : "", cpg_options[i].name,
						 add_param(&statement, cpg_option_type(&cpg_options[i]),
								   reset[i] ? (Datum) 0 : option_value(fcinfo, i, owner), reset[i]));
	}
	if (changes == 0)
		PG_RETURN_VOID();
	appendStringInfo(&statement.sql, " WHERE name OPERATOR(pg_catalog.=) $%d",
					 add_param(&statement, TEXTOID, CStringGetTextDatum(name), false));
	run(&statement, &catalog);
	check_policy(fcinfo, &catalog, name, reset);
	PG_RETURN_VOID();
}

/* An existing role of that name. */
static Oid
role_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		cpg_error_null_argument("role");
	return get_role_oid(text_to_cstring(PG_GETARG_TEXT_PP(argument)), false);
}

Datum
cachepg_cache_namespace_set_owner(PG_FUNCTION_ARGS)
{
	char	   *name = name_argument(fcinfo);
	CpgCatalog	catalog = cpg_catalog_find();
	CpgNamespace *ns = cpg_namespace_get(name);
	Oid			owner = role_argument(fcinfo, 1);
	Statement	statement;

	cpg_namespace_require(ns, CPG_PRIVILEGE_OWNER);
	CPG_CHECK_CAN_GIVE_TO(owner);
	if (ns->loader != NULL)
		(void) cpg_registered_parse(pstrdup(ns->loader), owner);
	ensure_row(&catalog, ns);

	memset(&statement, 0, sizeof(statement));
	initStringInfo(&statement.sql);
	appendStringInfo(&statement.sql, "UPDATE %s SET owner = $1 WHERE name OPERATOR(pg_catalog.=) $2",
					 table_name(catalog.table));
	add_param(&statement, OIDOID, ObjectIdGetDatum(owner), false);
	add_param(&statement, TEXTOID, CStringGetTextDatum(name), false);
	run(&statement, &catalog);
	PG_RETURN_VOID();
}

Datum
cachepg_cache_namespace_drop(PG_FUNCTION_ARGS)
{
	char	   *name = name_argument(fcinfo);
	CpgCatalog	catalog = cpg_catalog_find();
	CpgNamespace *ns = cpg_namespace_get(name);

	cpg_namespace_require(ns, CPG_PRIVILEGE_OWNER);
	if (strcmp(name, CPG_DEFAULT_NAMESPACE) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot drop the default cache namespace")));
	delete_rows(&catalog, catalog.acl_table, "namespace", name);
	delete_rows(&catalog, catalog.table, "name", name);
	cpg_registry_release(name);
	PG_RETURN_VOID();
}

static bool
is_number(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/*
 * Arguments of grant and revoke: namespace, role, privilege.  A role that was
 * dropped is shown as a number, by which its privileges can be revoked.
 */
static void
grant_params(FunctionCallInfo fcinfo, bool revokes, Statement *statement)
{
	char	   *name = name_argument(fcinfo);
	char	   *role;
	Oid			roleid;
	uint8		privilege;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		cpg_error_null_argument("role and privilege");
	role = text_to_cstring(PG_GETARG_TEXT_PP(1));
	privilege = cpg_privilege_parse(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	roleid = strcmp(role, "public") == 0 ? ACL_ID_PUBLIC : get_role_oid(role, revokes && is_number(role));
	if (!OidIsValid(roleid) && is_number(role))
		roleid = atooid(role);
	cpg_namespace_require(cpg_namespace_get(name), CPG_PRIVILEGE_ADMIN);

	memset(statement, 0, sizeof(*statement));
	initStringInfo(&statement->sql);
	add_param(statement, TEXTOID, CStringGetTextDatum(name), false);
	add_param(statement, OIDOID, ObjectIdGetDatum(roleid), false);
	add_param(statement, TEXTOID, CStringGetTextDatum(cpg_privilege_name(privilege)), false);
}

Datum
cachepg_cache_namespace_grant(PG_FUNCTION_ARGS)
{
	CpgCatalog	catalog = cpg_catalog_find();
	Statement	statement;

	grant_params(fcinfo, false, &statement);
	appendStringInfo(&statement.sql,
					 "INSERT INTO %s (namespace, grantee, privilege) VALUES ($1, $2, $3) "
					 "ON CONFLICT DO NOTHING", table_name(catalog.acl_table));
	run(&statement, &catalog);
	PG_RETURN_VOID();
}

Datum
cachepg_cache_namespace_revoke(PG_FUNCTION_ARGS)
{
	CpgCatalog	catalog = cpg_catalog_find();
	Statement	statement;

	grant_params(fcinfo, true, &statement);
	appendStringInfo(&statement.sql,
					 "DELETE FROM %s WHERE namespace OPERATOR(pg_catalog.=) $1 "
					 "AND grantee OPERATOR(pg_catalog.=) $2 "
					 "AND privilege OPERATOR(pg_catalog.=) $3", table_name(catalog.acl_table));
	run(&statement, &catalog);
	PG_RETURN_VOID();
}

/* After any change of a catalog table: every session reads them again. */
Datum
cachepg_catalog_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cachepg_catalog_changed must be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
