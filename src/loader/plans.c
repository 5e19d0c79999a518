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
 * are part of what identifies a plan.  What only this transaction or this
 * session knows, its own changes and temporary tables, no kept plan sees: then
 * there is none.
 *
 * A table of fixed size; a plan takes the place of another one whose hash it
 * shares, so that nothing has to be searched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "core/hash.h"
#include "executor/spi.h"
#include "loader/loader.h"
#include "shmem.h"
#include "track/track.h"
#include "utils/memutils.h"

#define PLACES 64

typedef struct CpgPlan
{
	uint64		hash;
	char	   *query;
	int			count;
	Oid		   *given;			/* types of the arguments, 0 where inferred */
	Oid		   *types;			/* the same, with those inferred */
	SPIPlanPtr	plan;			/* NULL: there is none */
	int			users;			/* loads of it in progress */
	uint64		schema;			/* of the schema cell when it was prepared */
	MemoryContext context;
} CpgPlan;

static CpgPlan plans[PLACES];

static uint64
hash_of(const char *query, const CpgArgs *args)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) query, (int) strlen(query), 0);

	hash = cpg_settings_listed_hash(cpg_hash_search_path(hash));
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
	return plan->plan != NULL && plan->hash == hash && plan->count == args->count &&
		strcmp(plan->query, query) == 0 &&
		memcmp(plan->given, args->types, args->count * sizeof(Oid)) == 0 &&
		plan->schema == schema_now() &&
		SPI_plan_is_valid(plan->plan);
}

static void
forget(CpgPlan *plan)
{
	if (plan->plan != NULL)
		SPI_freeplan(plan->plan);
	if (plan->context != NULL)
		MemoryContextDelete(plan->context);
	memset(plan, 0, sizeof(*plan));
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

/* Prepare a query for this and later loads. */
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
	plan->query = MemoryContextStrdup(context, query);
	plan->count = args->count;
	plan->given = copy_types(args, context);
	plan->types = copy_types(args, context);
	made = prepare(query, args, plan->types);
	if (SPI_keepplan(made) != 0)
		elog(ERROR, "could not keep a plan");
	plan->plan = made;
}

/* Whether a plan means for this session what it means for others. */
static bool
may_keep(void)
{
	return !TransactionIdIsValid(GetTopTransactionIdIfAny()) && !cpg_track_hidden_names() &&
		cpg_registry_database() >= 0;
}

/*
 * Execute a query with its arguments, to so many rows (0: all), as
 * SPI_execute_plan does.  Arguments without types get those that the query
 * infers, and their values.  SPI must be connected.
 */
int
cpg_plan_execute(const char *query, CpgArgs *args, const char *nulls, long limit)
{
	uint64		hash = hash_of(query, args);
	CpgPlan    *plan = &plans[hash % PLACES];
	int			code;

	/* one that a load around this one executes stays */
	if (!may_keep() || (!is_of(plan, hash, query, args) && plan->users > 0))
	{
		Oid		   *types = copy_types(args, CurrentMemoryContext);
		SPIPlanPtr	made = prepare(query, args, types);

		cpg_args_read_texts(query, args, types);
		return SPI_execute_plan(made, args->values, nulls, false, limit);
	}
	if (!is_of(plan, hash, query, args))
		remember(plan, hash, query, args);
	cpg_args_read_texts(query, args, plan->types);
	plan->users++;
	PG_TRY();
	{
		code = SPI_execute_plan(plan->plan, args->values, nulls, false, limit);
	}
	PG_FINALLY();
	{
		plan->users--;
	}
	PG_END_TRY();
	return code;
}
