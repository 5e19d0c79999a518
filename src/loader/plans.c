/*-------------------------------------------------------------------------
 *
 * plans.c
 *	  Prepared plans of loaders' queries.
 *
 * A query is loaded with many arguments: it is parsed and its parameters get
 * their types once for a process.  A plan stands for what its text means, so it
 * is prepared anew after every change of the schema, of which the database's
 * schema cell tells: names may stand for other things, and parameters have
 * other types.  The search_path and the settings that change what a text means
 * are part of what identifies a plan, and so is the role: to some things it has
 * the right, or not, when a plan is made.  What only this transaction or this
 * session knows, its own changes and temporary tables, no kept plan sees: then
 * there is none.  Nor is one kept that reads something already while it is made,
 * as the planner does with functions declared immutable, or whose text may have
 * a literal that means the time at which it is read: later loads would not see
 * that again.
 *
 * A table of fixed size; a plan takes the place of another one whose hash it
 * shares, so that nothing has to be searched.
 *
 * To make a plan, to read its arguments and to execute it can each run functions
 * that fetch: all that time its place is in use.  Loads that would need the place
 * for another plan go without.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "core/hash.h"
#include "executor/spi.h"
#include "loader/loader.h"
#include "miscadmin.h"
#include "shmem.h"
#include "track/track.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#define PLACES 64

struct CpgPlan
{
	uint64		hash;
	char	   *query;
	Oid		   *given;			/* types of the arguments, 0 where inferred */
	Oid		   *types;			/* the same, with those inferred */
	SPIPlanPtr	plan;			/* NULL: there is none */
	uint64		schema;			/* of the schema cell when it was prepared */
	MemoryContext context;
	Oid			role;
	int			count;			/* of arguments */
	int			users;			/* loads in progress that make or need it;
								 * while there are any it stays */
	bool		made;			/* plan may be used, and all that describes it */
	bool		expression;		/* and nothing else */
};

static CpgPlan plans[PLACES];

static uint64
hash_of(const char *query, const CpgArgs *args)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) query, (int) strlen(query), 0);

	hash = cpg_settings_listed_hash(cpg_hash_search_path(hash));
	hash = cpg_hash_combine(hash, GetUserId());
	for (int i = 0; i < args->count; i++)
		hash = cpg_hash_combine(hash, args->types[i]);
	return cpg_hash_combine(hash, args->count);
}

/* What the schema cell says; a change moves it, or raises its fence. */
static uint64
schema_now(void)
{
	int			database = cpg_registry_database();

	return pg_atomic_read_u64(&cpg_guard->cell[cpg_cell_schema(cpg_guard, (uint16) Max(database, 0))]);
}

static bool
is_of(const CpgPlan *plan, uint64 hash, const char *query, const CpgArgs *args)
{
	return plan->made && plan->hash == hash && plan->count == args->count &&
		plan->role == GetUserId() &&
		strcmp(plan->query, query) == 0 &&
		memcmp(plan->given, args->types, args->count * sizeof(Oid)) == 0 &&
		plan->schema == schema_now() &&
		SPI_plan_is_valid(plan->plan);
}

/* Free a plan that nobody uses, but for the caller. */
static void
forget(CpgPlan *plan)
{
	CpgPlan		old = *plan;

	memset(plan, 0, sizeof(*plan));
	plan->users = old.users;
	if (old.plan != NULL)
		SPI_freeplan(old.plan);
	if (old.context != NULL)
		MemoryContextDelete(old.context);
}

static Oid *
copy_types(const CpgArgs *args, MemoryContext context)
{
	Oid		   *types = MemoryContextAlloc(context, (args->count + 1) * sizeof(Oid));

	memcpy(types, args->types, args->count * sizeof(Oid));
	return types;
}

/* Infer the types of the arguments (into types) and prepare a query. */
static SPIPlanPtr
prepare(const char *query, const CpgArgs *args, Oid *types)
{
	CpgArgs		typed = *args;
	SPIPlanPtr	made;

	typed.types = types;
	cpg_args_infer(query, &typed);
	made = SPI_prepare_cursor(query, args->count, types, CURSOR_OPT_PARALLEL_OK);
	if (made == NULL)
		cpg_loader_refuse(SPI_result);
	return made;
}

/* Whether a load has collected the same as an earlier copy of it. */
static bool
is_unchanged(const CpgLoad *load, const CpgLoad *before)
{
	return load->ncells == before->ncells && load->nrelations == before->nrelations &&
		load->untracked == before->untracked && load->procedural == before->procedural &&
		load->unpublishable == before->unpublishable && load->expiry == before->expiry;
}

/* Make the generic plan now; whether that read anything. */
static bool
reads_while_planned(CpgPlan *plan)
{
	CpgLoad		before = *cpg_load;
	CachedPlan *cached = SPI_plan_get_cached_plan(plan->plan);

	if (cached != NULL)
	{
		plan->expression = cpg_expression_is_all(cached);
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	}
	return !is_unchanged(cpg_load, &before);
}

/*
 * Whether a text may hold one of the words that stand for a time when it is
 * read as a literal; one followed by a parenthesis is a function.
 */
static bool
may_name_time(const char *query)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

	for (const char *c = query; *c != '\0'; c++)
	{
		for (int i = 0; i < lengthof(words); i++)
		{
			Size		len = strlen(words[i]);

			if (pg_strncasecmp(c, words[i], len) == 0 && c[len + strspn(c + len, " \t\n")] != '(')
				return true;
		}
	}
	return false;
}

/*
 * Prepare a query for this and later loads, in a place that the caller uses.
 * After an error the place holds what is not made: leave() frees it.
 */
static void
remember(CpgPlan *plan, uint64 hash, const char *query, const CpgArgs *args)
{
	MemoryContext context;
	SPIPlanPtr	made;

	forget(plan);
	plan->schema = schema_now();
	context = AllocSetContextCreate(TopMemoryContext, "cachepg loader plan", ALLOCSET_SMALL_SIZES);
	plan->context = context;
	plan->hash = hash;
	plan->role = GetUserId();
	plan->query = MemoryContextStrdup(context, query);
	plan->count = args->count;
	plan->given = copy_types(args, context);
	plan->types = copy_types(args, context);
	made = prepare(query, args, plan->types);
	if (SPI_keepplan(made) != 0)
		elog(ERROR, "could not keep a plan");
	plan->plan = made;
	/* it is replaced by the next load of the query */
	if (reads_while_planned(plan))
		plan->schema = ~plan->schema;
	plan->made = true;
}

/* Use a place no more. */
static void
leave(CpgPlan *plan)
{
	plan->users--;
	if (!plan->made)
		forget(plan);
}

/* Whether a plan means for this session what it means for others. */
static bool
means_the_same(void)
{
	return !TransactionIdIsValid(GetTopTransactionIdIfAny()) && !cpg_track_hidden_names() &&
		cpg_registry_database() >= 0;
}

/* Find the kept plan of a statement, if there is one that may be used. */
void
cpg_plan_find(CpgStatement *statement)
{
	CpgPlan    *plan;

	statement->hash = hash_of(statement->query, statement->args);
	plan = &plans[statement->hash % PLACES];
	statement->plan = means_the_same() &&
		is_of(plan, statement->hash, statement->query, statement->args) ? plan : NULL;
}

/*
 * Get the value of a statement that cpg_plan_find has looked for without SPI,
 * in the current memory context; false if it has to be executed.
 */
bool
cpg_plan_evaluate(CpgStatement *statement, CpgLoaded *loaded)
{
	CpgPlan    *plan = statement->plan;
	ErrorContextCallback callback;
	bool		evaluated;

	if (plan == NULL || !plan->expression)
		return false;
	plan->users++;
	PG_TRY();
	{
		cpg_args_read_texts(statement->query, statement->args, plan->types);
		cpg_query_enter(statement->query, &callback);
		evaluated = cpg_expression_evaluate(linitial(SPI_plan_get_plan_sources(plan->plan)),
											statement->args, loaded);
		cpg_query_leave(&callback);
	}
	PG_FINALLY();
	{
		leave(plan);
	}
	PG_END_TRY();
	return evaluated;
}

/* Execute a statement whose plan is not kept. */
static int
execute_once(const CpgStatement *statement, const char *nulls, long limit)
{
	CpgArgs    *args = statement->args;
	Oid		   *types = copy_types(args, CurrentMemoryContext);
	SPIPlanPtr	made = prepare(statement->query, args, types);

	cpg_args_read_texts(statement->query, args, types);
	return SPI_execute_plan(made, args->values, nulls, false, limit);
}

/*
 * Execute a statement that cpg_plan_find has looked for, to so many rows (0:
 * all), as SPI_execute_plan does.  Arguments without types get those that the
 * query infers, and their values.  SPI must be connected.
 */
int
cpg_plan_execute(CpgStatement *statement, const char *nulls, long limit)
{
	CpgPlan    *plan = statement->plan;
	CpgArgs    *args = statement->args;
	int			code;

	if (plan == NULL)
	{
		plan = &plans[statement->hash % PLACES];
		/* what a load around this one makes or needs stays */
		if (!means_the_same() || plan->users > 0 || may_name_time(statement->query))
			return execute_once(statement, nulls, limit);
	}
	plan->users++;
	PG_TRY();
	{
		if (statement->plan == NULL)
			remember(plan, statement->hash, statement->query, args);
		cpg_args_read_texts(statement->query, args, plan->types);
		code = SPI_execute_plan(plan->plan, args->values, nulls, false, limit);
	}
	PG_FINALLY();
	{
		leave(plan);
	}
	PG_END_TRY();
	return code;
}
