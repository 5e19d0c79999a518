/*-------------------------------------------------------------------------
 *
 * namespaces.c
 *	  cache_namespace_create, _alter, _drop, _grant, _revoke, and the trigger
 *	  that announces changes of the catalog tables.
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
#include "error.h"
#include "executor/spi.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "stats/stats.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(cachepg_cache_namespace_create);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_alter);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_drop);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_grant);
PG_FUNCTION_INFO_V1(cachepg_cache_namespace_revoke);
PG_FUNCTION_INFO_V1(cachepg_catalog_changed);

/* Policy options, which are arguments 1 to NOPTIONS of create and alter. */
enum
{
	OPT_TTL, OPT_NEGATIVE_TTL, OPT_JITTER, OPT_SCOPE, OPT_MAX_ENTRIES, OPT_MAX_BYTES, OPT_CONSISTENCY,
	OPT_ADHOC, OPT_VARY_BY, OPT_LOADER, OPT_WARM_AFTER_CRASH, NOPTIONS
};

static const struct
{
	const char *name;
	Oid			type;
}			options[NOPTIONS] = {
	{"ttl", INTERVALOID},
	{"negative_ttl", INTERVALOID},
	{"jitter", FLOAT8OID},
	{"scope", TEXTOID},
	{"max_entries", INT8OID},
	{"max_bytes", INT8OID},
	{"consistency", TEXTOID},
	{"adhoc", TEXTOID},
	{"vary_by", TEXTARRAYOID},
	{"loader", TEXTOID},
	{"warm_after_crash", BOOLOID},
};

#define MAX_PARAMS (NOPTIONS + 3)
#define VARY_BY_MAX 16

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

static void
check_positive(FunctionCallInfo fcinfo, int option)
{
	if (!PG_ARGISNULL(option + 1) && PG_GETARG_INT64(option + 1) <= 0)
		cpg_error_bad_argument("%s must be greater than zero", options[option].name);
}

static void
check_choice(FunctionCallInfo fcinfo, int option, const char *one, const char *other)
{
	char	   *value;

	if (PG_ARGISNULL(option + 1))
		return;
	value = text_to_cstring(PG_GETARG_TEXT_PP(option + 1));
	if (strcmp(value, one) != 0 && strcmp(value, other) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s \"%s\"", options[option].name, value),
				 errhint("It is either %s or %s.", one, other)));
}

/* Names of settings: application-defined ones, set or not, or PostgreSQL's. */
static void
check_vary_by(ArrayType *array)
{
	Datum	   *names;
	bool	   *nulls;
	int			count = cpg_array_elements(array, "vary_by", &names, &nulls);

	if (count > VARY_BY_MAX)
		cpg_error_bad_argument("too many settings in vary_by: %d, the limit is %d", count, VARY_BY_MAX);
	for (int i = 0; i < count; i++)
	{
		char	   *name = nulls[i] ? "" : TextDatumGetCString(names[i]);

		if (name[0] == '\0' ||
			(strchr(name, '.') == NULL && GetConfigOption(name, true, false) == NULL))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("unrecognized setting \"%s\" in vary_by", name),
					 errhint("Name settings of PostgreSQL, or of your application with a dot, as in app.tenant.")));
	}
}

/* The value to keep of an option that is given. */
static Datum
option_value(FunctionCallInfo fcinfo, int option, Oid owner)
{
	Datum		value = PG_GETARG_DATUM(option + 1);

	if (option != OPT_LOADER)
		return value;
	return CStringGetTextDatum(cpg_registered_parse(TextDatumGetCString(value), owner));
}

/* Check the values of the options given. */
static void
check_options(FunctionCallInfo fcinfo)
{
	for (int i = OPT_TTL; i <= OPT_NEGATIVE_TTL; i++)
	{
		if (!PG_ARGISNULL(i + 1))
			(void) cpg_ttl_from_interval(PG_GETARG_INTERVAL_P(i + 1), options[i].name);
	}
	if (!PG_ARGISNULL(OPT_JITTER + 1))
	{
		float8		jitter = PG_GETARG_FLOAT8(OPT_JITTER + 1);

		if (!(jitter >= 0 && jitter < 1))
			cpg_error_bad_argument("jitter must be at least 0 and less than 1");
	}
	check_choice(fcinfo, OPT_SCOPE, "role", "shared");
	check_choice(fcinfo, OPT_CONSISTENCY, "commit", "ttl");
	check_choice(fcinfo, OPT_ADHOC, "role", "shared");
	if (!PG_ARGISNULL(OPT_VARY_BY + 1))
		check_vary_by(PG_GETARG_ARRAYTYPE_P(OPT_VARY_BY + 1));
	check_positive(fcinfo, OPT_MAX_ENTRIES);
	check_positive(fcinfo, OPT_MAX_BYTES);
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
	for (int i = 0; i < NOPTIONS; i++)
	{
		if (PG_ARGISNULL(i + 1))
			continue;
		appendStringInfo(&statement.sql, ", %s", options[i].name);
		add_param(&statement, options[i].type, option_value(fcinfo, i, GetUserId()), false);
	}
	if (!end_insert(&statement, &catalog))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("cache namespace \"%s\" already exists", name)));
	PG_RETURN_VOID();
}

/* Which options a "reset" array names. */
static void
parse_reset(FunctionCallInfo fcinfo, int argument, bool *reset)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;

	memset(reset, false, NOPTIONS * sizeof(bool));
	if (PG_ARGISNULL(argument))
		return;
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(argument), "reset", &names, &nulls);
	for (int n = 0; n < count; n++)
	{
		char	   *name = nulls[n] ? "" : TextDatumGetCString(names[n]);
		int			i = 0;

		while (i < NOPTIONS && strcmp(options[i].name, name) != 0)
			i++;
		if (i == NOPTIONS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized option \"%s\" of a cache namespace", name),
					 errhint("Options are ttl, negative_ttl, jitter, scope, max_entries, max_bytes, consistency, adhoc, vary_by, loader and warm_after_crash.")));
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
	bool		reset[NOPTIONS];
	int			changes = 0;
	Oid			owner;
	Statement	statement;

	check_options(fcinfo);
	parse_reset(fcinfo, NOPTIONS + 1, reset);
	cpg_namespace_require(ns, CPG_PRIVILEGE_ADMIN);
	/* for whom values are, and what runs as him, is for the owner to decide */
	if (!PG_ARGISNULL(OPT_SCOPE + 1) || !PG_ARGISNULL(OPT_ADHOC + 1) ||
		!PG_ARGISNULL(OPT_VARY_BY + 1) || !PG_ARGISNULL(OPT_LOADER + 1))
		cpg_namespace_require(ns, CPG_PRIVILEGE_OWNER);
	owner = ns->owner;
	ensure_row(&catalog, ns);

	memset(&statement, 0, sizeof(statement));
	initStringInfo(&statement.sql);
	appendStringInfo(&statement.sql, "UPDATE %s SET ", table_name(catalog.table));
	for (int i = 0; i < NOPTIONS; i++)
	{
		if (PG_ARGISNULL(i + 1) && !reset[i])
			continue;
		appendStringInfo(&statement.sql, "%s%s = $%d", changes++ > 0 ? ", " : "", options[i].name,
						 add_param(&statement, options[i].type,
								   reset[i] ? (Datum) 0 : option_value(fcinfo, i, owner), reset[i]));
	}
	if (changes == 0)
		PG_RETURN_VOID();
	appendStringInfo(&statement.sql, " WHERE name OPERATOR(pg_catalog.=) $%d",
					 add_param(&statement, TEXTOID, CStringGetTextDatum(name), false));
	run(&statement, &catalog);
	PG_RETURN_VOID();
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
	if (cpg_namespace_attach(ns))
		cpg_stats_reset(ns->number);
	delete_rows(&catalog, catalog.acl_table, "namespace", name);
	delete_rows(&catalog, catalog.table, "name", name);
	cpg_registry_release(name);
	PG_RETURN_VOID();
}

/* Arguments of grant and revoke: namespace, role, privilege. */
static void
grant_params(FunctionCallInfo fcinfo, Statement *statement)
{
	char	   *name = name_argument(fcinfo);
	char	   *role;
	Oid			roleid;
	uint8		privilege;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		cpg_error_null_argument("role and privilege");
	role = text_to_cstring(PG_GETARG_TEXT_PP(1));
	privilege = cpg_privilege_parse(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	roleid = strcmp(role, "public") == 0 ? ACL_ID_PUBLIC : get_role_oid(role, false);
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

	grant_params(fcinfo, &statement);
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

	grant_params(fcinfo, &statement);
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
