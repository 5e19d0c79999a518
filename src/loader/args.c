/*-------------------------------------------------------------------------
 *
 * args.c
 *	  Arguments of a query: from SQL values, to parameters.
 *
 * Values are bound as parameters, never pasted into SQL text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "core/hash.h"
#include "error.h"
#include "loader/loader.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* A record of more columns costs an allocation. */
#define SOME_ARGS 16

static void
allocate(CpgArgs *args, int count)
{
	if (count > CPG_FETCH_ARGS_MAX)
		cpg_error_bad_argument("too many query arguments: %d, the limit is %d",
							   count, CPG_FETCH_ARGS_MAX);
	args->count = count;
	args->types = palloc0(Max(count, 1) * sizeof(Oid));
	args->values = palloc0(Max(count, 1) * sizeof(Datum));
	args->nulls = palloc0(Max(count, 1) * sizeof(bool));
}

/* A value whose bytes depend on nothing but itself. */
static Datum
flat_value(Datum value, Form_pg_attribute att)
{
	if (att->attlen == -1)
		return PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
	return value;
}

/* Anonymous records mean something to one session only, fingerprints to all. */
static void
refuse_record(Oid type)
{
	if (type == RECORDOID || type == RECORDARRAYOID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot bind an anonymous record as a query argument"),
				 errhint("Cast it to a named composite type, or pass its columns.")));
}

/*
 * An anonymous row type, as ROW() makes one for each place in a query.  It lasts
 * as long as the process; the last one is remembered.
 */
typedef struct KnownRecord
{
	int32		typmod;
	TupleDesc	desc;			/* NULL: none */
	uint64		types;			/* hash of its columns' types */
} KnownRecord;

static KnownRecord last_record;

/* A record taken apart: its columns, dropped ones included. */
typedef struct Columns
{
	const KnownRecord *known;	/* NULL: desc is to be released */
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	Datum		some_values[SOME_ARGS];
	bool		some_nulls[SOME_ARGS];
} Columns;

/* A hash of the types of a record's columns. */
static uint64
hash_types(TupleDesc desc)
{
	uint64		hash = 0;
	int			count = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		hash = cpg_hash_combine(hash, TupleDescAttr(desc, i)->atttypid);
		count++;
	}
	return cpg_hash_combine(hash, count);
}

/* Find out the type of a record. */
static void
find_desc(HeapTupleHeader header, Columns *columns)
{
	Oid			type = HeapTupleHeaderGetTypeId(header);
	int32		typmod = HeapTupleHeaderGetTypMod(header);

	columns->known = NULL;
	if (type == RECORDOID && (last_record.desc == NULL || last_record.typmod != typmod))
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(type, typmod);

		last_record = (KnownRecord)
		{
			typmod, desc, hash_types(desc)
		};
		ReleaseTupleDesc(desc);
	}
	if (type == RECORDOID)
	{
		columns->known = &last_record;
		columns->desc = last_record.desc;
	}
	else
		columns->desc = lookup_rowtype_tupdesc(type, typmod);
}

static void
close_record(const Columns *columns)
{
	if (columns->known == NULL)
		ReleaseTupleDesc(columns->desc);
}

static void
open_record(Datum record, Columns *columns)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(record);
	HeapTupleData tuple;

	find_desc(header, columns);
	columns->values = columns->some_values;
	columns->nulls = columns->some_nulls;
	if (columns->desc->natts > SOME_ARGS)
	{
		columns->values = palloc(columns->desc->natts * sizeof(Datum));
		columns->nulls = palloc(columns->desc->natts * sizeof(bool));
	}
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, columns->desc, columns->values, columns->nulls);
}

/*
 * Arguments from the columns of a record, dropped ones not counted (palloc'd;
 * values may point into it).
 */
static void
read_record(Datum record, CpgArgs *args)
{
	Columns		columns;

	open_record(record, &columns);
	allocate(args, columns.desc->natts);
	args->count = 0;
	for (int i = 0; i < columns.desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(columns.desc, i);
		int			n;

		if (att->attisdropped)
			continue;
		refuse_record(att->atttypid);
		n = args->count++;
		args->types[n] = att->atttypid == UNKNOWNOID ? InvalidOid : att->atttypid;
		args->nulls[n] = columns.nulls[i];
		args->values[n] = columns.nulls[i] ? (Datum) 0 : flat_value(columns.values[i], att);
	}
	close_record(&columns);
}

/* Arguments from a text array, in the types that the query infers. */
static void
read_array(ArrayType *array, CpgArgs *args)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (ARR_NDIM(array) > 1)
		cpg_error_bad_argument("query arguments must be a one-dimensional array");
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	allocate(args, count);
	for (int i = 0; i < count; i++)
	{
		args->nulls[i] = nulls[i];
		if (!nulls[i])
			args->values[i] = CStringGetDatum(TextDatumGetCString(elements[i]));
	}
}

/* The arguments of a fetch (palloc'd). */
void
cpg_args_read(const CpgFetch *fetch, CpgArgs *args)
{
	switch (fetch->form)
	{
		case CPG_ARGS_NONE:
			allocate(args, 0);
			break;
		case CPG_ARGS_RECORD:
			read_record(fetch->args, args);
			break;
		case CPG_ARGS_ARRAY:
			read_array(DatumGetArrayTypeP(fetch->args), args);
			break;
		case CPG_ARGS_LIST:
			*args = *fetch->list;
			break;
	}
}

static uint64
hash_value(Datum value, bool byval, int16 len, uint64 seed)
{
	if (byval)
		return cpg_hash_combine(seed, value);
	if (len == -1)
	{
		value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
		return hash_bytes_extended((unsigned char *) VARDATA_ANY(DatumGetPointer(value)),
								   (int) VARSIZE_ANY_EXHDR(DatumGetPointer(value)), seed);
	}
	if (len == -2)
		return hash_bytes_extended((unsigned char *) DatumGetCString(value),
								   (int) strlen(DatumGetCString(value)), seed);
	return hash_bytes_extended((unsigned char *) DatumGetPointer(value), len, seed);
}

/* A hash of values in order, of which are NULL, of their types and number. */
typedef struct Hashing
{
	uint64		values;
	uint64		types;
	uint64		nulls;
	int			count;
} Hashing;

static inline void
add_value(Hashing *hashing, Datum value, bool isnull, bool byval, int16 len)
{
	if (isnull)
		hashing->nulls |= UINT64CONST(1) << (hashing->count % 64);
	else
		hashing->values = hash_value(value, byval, len, hashing->values);
	if (++hashing->count % 64 == 0)
	{
		hashing->values = cpg_hash_combine(hashing->values, hashing->nulls);
		hashing->nulls = 0;
	}
}

static inline uint64
finish(const Hashing *hashing)
{
	uint64		hash = cpg_hash_combine(hashing->values, hashing->types);

	if (hashing->nulls != 0)
		hash = cpg_hash_combine(hash, hashing->nulls);
	return hash;
}

/* The hash of a record's columns. */
static uint64
hash_columns(Datum record, uint64 seed)
{
	Hashing		hashing = {.values = seed};
	Columns		columns;

	open_record(record, &columns);
	for (int i = 0; i < columns.desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(columns.desc, i);

		if (!att->attisdropped)
			add_value(&hashing, columns.values[i], columns.nulls[i], att->attbyval, att->attlen);
	}
	hashing.types = columns.known != NULL ? columns.known->types : hash_types(columns.desc);
	close_record(&columns);
	return finish(&hashing);
}

/* The same of a list. */
static uint64
hash_list(const CpgArgs *args, uint64 seed)
{
	Hashing		hashing = {.values = seed};

	for (int i = 0; i < args->count; i++)
	{
		Oid			type = OidIsValid(args->types[i]) ? args->types[i] : UNKNOWNOID;
		int16		len;
		bool		byval;

		get_typlenbyval(type, &len, &byval);
		add_value(&hashing, args->values[i], args->nulls[i], byval, len);
		hashing.types = cpg_hash_combine(hashing.types, type);
	}
	hashing.types = cpg_hash_combine(hashing.types, args->count);
	return finish(&hashing);
}

/* A hash of the arguments of a fetch as they are given. */
uint64
cpg_args_hash(const CpgFetch *fetch, uint64 seed)
{
	ArrayType  *array;

	switch (fetch->form)
	{
		case CPG_ARGS_NONE:
			break;
		case CPG_ARGS_RECORD:
			return hash_columns(fetch->args, seed);
		case CPG_ARGS_LIST:
			return hash_list(fetch->list, seed);
		case CPG_ARGS_ARRAY:
			/* the bytes of an array are those of its elements */
			array = DatumGetArrayTypeP(fetch->args);
			return hash_bytes_extended((unsigned char *) array, (int) VARSIZE(array), ~seed);
	}
	return cpg_hash_combine(seed, 0);
}

static bool
find_highest_param(Node *node, int *highest)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
		*highest = Max(*highest, ((Param *) node)->paramid);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_highest_param, highest, 0);
	return expression_tree_walker(node, find_highest_param, highest);
}

static RawStmt *
parse_one(const char *query)
{
	List	   *statements = pg_parse_query(query);

	if (list_length(statements) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query of cache_fetch must be one statement, not %d",
						list_length(statements))));
	return linitial_node(RawStmt, statements);
}

/* Let an error point into the query, not into the statement that called us. */
static void
point_into_query(void *arg)
{
	const char *query = arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(query);
	}
	else
		errcontext("SQL statement \"%s\"", query);
}

/* From here on errors are those of a query, until cpg_query_leave. */
void
cpg_query_enter(const char *query, ErrorContextCallback *callback)
{
	callback->callback = point_into_query;
	callback->arg = unconstify(char *, query);
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

void
cpg_query_leave(const ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

/* Read a text as a value of the type inferred for it. */
static void
read_text(CpgArgs *args, int n, Oid type)
{
	Oid			input;
	Oid			ioparam;

	args->types[n] = type;
	getTypeInputInfo(type, &input, &ioparam);
	args->values[n] = OidInputFunctionCall(input,
										   args->nulls[n] ? NULL : DatumGetCString(args->values[n]),
										   ioparam, -1);
}

/* Read the texts among the arguments as values of the types inferred. */
void
cpg_args_read_texts(const char *query, CpgArgs *args, const Oid *types)
{
	ErrorContextCallback callback;

	cpg_query_enter(query, &callback);
	for (int i = 0; i < args->count; i++)
	{
		if (!OidIsValid(args->types[i]))
			read_text(args, i, types[i]);
	}
	cpg_query_leave(&callback);
}

/*
 * Give each argument without a type that of its parameter in the query, not yet
 * its value.  A wrong number of arguments is invalid_parameter_value.
 */
void
cpg_args_infer(const char *query, CpgArgs *args)
{
	int			count = args->count;
	Oid		   *types = palloc(Max(count, 1) * sizeof(Oid));
	int			highest = 0;
	Query	   *analyzed;
	ErrorContextCallback callback;

	cpg_query_enter(query, &callback);
	memcpy(types, args->types, count * sizeof(Oid));
	analyzed = parse_analyze_varparams(parse_one(query), query, &types, &count, NULL);
	(void) find_highest_param((Node *) analyzed, &highest);
	if (highest != args->count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("wrong number of arguments for the query of cache_fetch"),
				 errdetail("It takes %d; given were %d.", highest, args->count),
				 errhint("Pass them as args => ROW(...) or args => ARRAY['...'], one for each of $1, $2, ...")));
	for (int i = 0; i < args->count; i++)
	{
		if (!OidIsValid(types[i]) || types[i] == UNKNOWNOID)
			ereport(ERROR,
					(errcode(ERRCODE_INDETERMINATE_DATATYPE),
					 errmsg("could not determine data type of parameter $%d", i + 1)));
	}
	memcpy(args->types, types, args->count * sizeof(Oid));

	cpg_query_leave(&callback);
}
