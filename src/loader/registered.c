/*-------------------------------------------------------------------------
 *
 * registered.c
 *	  The loader function that the owner of a namespace registered.
 *
 * The catalog has its signature as text, which is looked up again after any
 * change of a function or schema.  It takes the key, a text, and returns any
 * type, or takes keys, a text[], and returns rows of key and value.  It runs with all rights of the namespace's owner: whoever may replace
 * the function has these rights, so that it must be the owner's or a
 * superuser's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "core/hash.h"
#include "loader/loader.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

static uint32 epoch = 1;
static bool watching = false;

static void
functions_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	epoch = Max(epoch + 1, 1);
}

static void
watch(void)
{
	if (watching)
		return;
	CacheRegisterSyscacheCallback(PROCOID, functions_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, functions_changed, (Datum) 0);
	watching = true;
}

/*
 * Cut the arguments off a signature; false if they are other than text or
 * text[].  *type is their type, InvalidOid if there are none in it.
 */
static bool
cut_arguments(char *name, Oid *type)
{
	char	   *open = strrchr(name, '(');
	char	   *end = name + strlen(name);
	char	   *argument;

	*type = InvalidOid;
	if (open == NULL)
		return true;
	while (end > open && isspace((unsigned char) end[-1]))
		end--;
	if (end[-1] != ')')
		return true;
	for (end--; end > open + 1 && isspace((unsigned char) end[-1]); end--)
		;
	*end = '\0';
	*open = '\0';
	argument = open + 1;
	while (isspace((unsigned char) *argument))
		argument++;
	if (strcmp(argument, "text") == 0)
		*type = TEXTOID;
	else if (strcmp(argument, "text[]") == 0)
		*type = TEXTARRAYOID;
	return OidIsValid(*type);
}

/*
 * A function by its names and the type of its argument.  With a schema named,
 * as in the catalog, it is found whether or not the current role may use the
 * schema: it is not the one that calls.
 */
static Oid
find_function(List *names, Oid type)
{
	char	   *schema;
	char	   *name;

	DeconstructQualifiedName(names, &schema, &name);
	if (schema == NULL)
		return LookupFuncName(names, 1, &type, true);
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(&type, 1)),
						   ObjectIdGetDatum(get_namespace_oid(schema, true)));
}

/* The function of a signature: name, name(text) or name(text[]). */
static Oid
look_up(const char *loader)
{
	char	   *name = pstrdup(loader);
	Oid			function = InvalidOid;
	Oid			type;

	if (cut_arguments(name, &type))
	{
		List	   *names = CPG_PARSE_NAMES(name);

		function = find_function(names, OidIsValid(type) ? type : TEXTOID);
		if (!OidIsValid(function) && !OidIsValid(type))
			function = find_function(names, TEXTARRAYOID);
	}
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("loader function %s does not exist", loader),
				 errhint("A loader is a function that takes the key, a text, and returns the value, or takes keys, a text[], and returns rows of key and value.")));
	return function;
}

/* Whether a loader takes many keys at once. */
bool
cpg_registered_takes_array(Oid function)
{
	Oid		   *types;
	int			count;
	bool		takes;

	(void) get_func_signature(function, &types, &count);
	takes = count == 1 && types[0] == TEXTARRAYOID;
	pfree(types);
	return takes;
}

/* Whether what a function returns is what a loader of its kind returns. */
static bool
returns_values(const FormData_pg_proc * form, bool takes_array)
{
	if (takes_array)
		return form->proretset &&
			(form->prorettype == RECORDOID || get_typtype(form->prorettype) == TYPTYPE_COMPOSITE);
	return form->prorettype != VOIDOID && get_typtype(form->prorettype) != TYPTYPE_PSEUDO;
}

/* Whether a role may let another one's function run with all its rights. */
static bool
may_trust(Oid function_owner, Oid owner)
{
	return function_owner == owner || superuser_arg(function_owner);
}

/*
 * Raise unless a function may be the loader of an owner's namespace:
 * insufficient_privilege, invalid_function_definition.
 */
void
cpg_registered_check(Oid function, Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	FormData_pg_proc form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of the cache namespace, as which its loader runs, does not exist any more"),
				 errhint("A superuser can give it to another role with cache_namespace_set_owner.")));
	memcpy(&form, GETSTRUCT(tuple), offsetof(FormData_pg_proc, proargtypes));
	ReleaseSysCache(tuple);

	if (form.prokind != PROKIND_FUNCTION ||
		!returns_values(&form, cpg_registered_takes_array(function)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s cannot be a loader", format_procedure(function)),
				 errdetail("A loader is an ordinary function that takes a text and returns a value of a definite type, or takes a text[] and returns rows of key and value.")));
	if (!may_trust(form.proowner, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s cannot be the loader of this cache namespace", format_procedure(function)),
				 errdetail("It runs as the owner of the namespace, but belongs to another role that could replace it."),
				 errhint("Make the namespace's owner the owner of the function.")));
	if (CPG_MAY_EXECUTE(function, owner) != ACLCHECK_OK)
		aclcheck_error(CPG_MAY_EXECUTE(function, owner), OBJECT_FUNCTION, NameStr(form.proname));
}

/* The qualified signature, as the catalog keeps it, of what the owner named. */
char *
cpg_registered_parse(const char *loader, Oid owner)
{
	Oid			function = look_up(loader);

	cpg_registered_check(function, owner);
	return psprintf(cpg_registered_takes_array(function) ? "%s(text[])" : "%s(text)",
					quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
											   get_func_name(function)));
}

/* Raise that the namespace of a key has no loader. */
static void
refuse_without_loader(const CpgNamespace *ns, const text *key)
{
	char	   *missing = cpg_namespace_missing(ns, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));

	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("cache namespace \"%s\" has no loader", ns->name),
				 errdetail("There is no cache namespace \"%s\", so that the key is one of \"%s\".", missing, ns->name),
				 errhint("The view cache_namespaces shows those that you may use.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("cache namespace \"%s\" has no loader", ns->name),
			 errhint("Its owner can give it one: SELECT cache_namespace_alter(%s, loader => 'schema.function(text)');",
					 quote_literal_cstr(ns->name))));
}

/*
 * The function of the loader of a key's namespace, and its version.  Raises
 * undefined_object if it has no loader, undefined_function if that is gone.
 */
Oid
cpg_registered_find(CpgNamespace *ns, const text *key, uint64 *version)
{
	if (ns->loader == NULL)
		refuse_without_loader(ns, key);
	if (unlikely(ns->loader_epoch != epoch))
	{
		uint32		now;
		HeapTuple	tuple;

		watch();
		now = epoch;
		ns->loader_epoch = 0;
		ns->loader_function = look_up(ns->loader);
		tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(ns->loader_function));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for function %u", ns->loader_function);
		ns->loader_version = cpg_hash_combine(HeapTupleHeaderGetRawXmin(tuple->t_data),
											  (uint64) ItemPointerGetBlockNumber(&tuple->t_self) << 16 |
											  ItemPointerGetOffsetNumber(&tuple->t_self));
		ReleaseSysCache(tuple);
		ns->loader_epoch = now;
	}
	*version = ns->loader_version;
	return ns->loader_function;
}

static char *
qualified_name(Oid function)
{
	char	   *name = get_func_name(function);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for function %u", function);
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)), name);
}

/* A query that calls a loader with the key as $1. */
char *
cpg_registered_query(Oid function)
{
	if (cpg_registered_takes_array(function))
		return psprintf("SELECT v FROM %s(ARRAY[$1]) AS r (k, v) WHERE k OPERATOR(pg_catalog.=) $1",
						qualified_name(function));
	return psprintf("SELECT %s($1)", qualified_name(function));
}

/* A query that calls a loader of many keys, which are $1. */
char *
cpg_registered_query_many(Oid function)
{
	return psprintf("SELECT k::pg_catalog.text, v FROM %s($1) AS r (k, v)", qualified_name(function));
}
