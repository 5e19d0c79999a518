/*-------------------------------------------------------------------------
 *
 * context.c
 *	  Whose rights and which settings a loader runs with.
 *
 * A query runs as the caller, with his settings.  A registered loader runs as
 * the owner of its namespace in a restricted operation: it cannot change roles,
 * make temporary tables or leave anything behind in the session.  It finds
 * settings pinned (session/settings.h), and of the application's only those in
 * vary_by.  Where results are for all roles, row_security is off: PostgreSQL
 * then refuses a query whose result row security would filter.
 *
 * After an error the end of the (sub)transaction puts everything back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "loader/loader.h"
#include "miscadmin.h"
#include "utils/guc.h"

/*
 * Note what the loader of a namespace runs with; the namespace itself may be
 * gone when it has run.
 */
void
cpg_context_prepare(CpgContext *context, const CpgNamespace *ns, bool registered)
{
	memset(context, 0, sizeof(*context));
	context->registered = registered;
	context->shared = ns->shared && (registered || ns->adhoc_shared);
	context->name = pstrdup(ns->name);
	context->owner = ns->owner;
	context->vary.all = ns->vary.all;
	context->vary.names = palloc(Max(ns->vary.count, 1) * sizeof(char *));
	for (int i = 0; i < ns->vary.count; i++)
		context->vary.names[context->vary.count++] = pstrdup(ns->vary.names[i]);
	if (registered)
		context->hidden = cpg_settings_hidden(&context->vary);
}

/* Become who the loader runs as. */
void
cpg_context_enter(CpgContext *context)
{
	GetUserIdAndSecContext(&context->user, &context->security);
	context->nest_level = NewGUCNestLevel();
	if (context->registered)
	{
		SetUserIdAndSecContext(context->owner, context->security | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
		cpg_settings_hide(&context->vary);
	}
	if (context->shared)
		(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

/* Go back, unless the loader failed. */
void
cpg_context_leave(const CpgContext *context)
{
	AtEOXact_GUC(false, context->nest_level);
	SetUserIdAndSecContext(context->user, context->security);
}

/* The hint for an error of a loader, NULL for none. */
static char *
hint_for(const CpgContext *context, const ErrorData *error)
{
	/* errors have no other mark than where they come from */
	if (context->shared && error->funcname != NULL &&
		strcmp(error->funcname, "check_enable_rls") == 0)
		return psprintf("Values of cache namespace \"%s\" are for all roles, but row security would filter this one. "
						"Give the namespace scope role, or let the loader run as a role that row security does not apply to.",
						context->name);
	if (context->hidden != NULL && ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_OPERATOR_INTERVENTION)
		return psprintf("The loader of cache namespace \"%s\" does not see the setting %s; if it needs it, add it to vary_by.",
						context->name, context->hidden);
	return NULL;
}

/* Give the error of a loader a hint if there is one to give. */
void
cpg_context_explain(const CpgContext *context, ErrorData *error)
{
	if (error->hint == NULL)
		error->hint = hint_for(context, error);
}
