/*-------------------------------------------------------------------------
 *
 * loop_get.c
 *	  Gets in a C loop, of the store alone or through the SQL function.
 *
 * loop_get makes for each get what a caller in C would: the key's text, the
 * clock, hash, lookup and copy of the value.  loop_call calls the function
 * cache_get(text, text) as the executor does; namespace, privileges, counters
 * and the allocation of the result come on top.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "compat.h"
#include "fmgr.h"
#include "loop.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(loop_fill);
PG_FUNCTION_INFO_V1(loop_get);
PG_FUNCTION_INFO_V1(loop_call);
PG_FUNCTION_INFO_V1(loop_key);
PG_FUNCTION_INFO_V1(loop_value);

#define VALUE_MAX		65536
#define VALUE_LEN		100
#define TABLES			100
#define TAGS			10000

typedef struct CallState
{
	FmgrInfo	function;
	MemoryContext context;
	text	   *if_absent;
} CallState;

/*
 * The cells of an entry: what names mean in the database, the role, then tables
 * of TABLES; the last so many are tags of TAGS instead.
 */
static void
fill_cells(CpgCell *cells, int count, int tags, uint32 number)
{
	for (int i = 0; i < count; i++)
	{
		char		tag[LOOP_KEY_LEN];

		loop_key_text(number % TAGS + i * TAGS, tag);
		if (i >= count - tags)
			cells[i] = cpg_cell_tag(loop_guard, 1, tag, LOOP_KEY_LEN);
		else if (i == 0)
			cells[i] = cpg_cell_schema(loop_guard, 1);
		else if (i == 1)
			cells[i] = cpg_cell_role(loop_guard, 10);
		else
			cells[i] = cpg_cell_table(loop_guard, 5, 16384 + (number + i * 7) % TABLES);
	}
}

/*
 * Store keys 0 .. keys - 1 with values of so many bytes and so many dependencies,
 * some of them tags; returns how many are there afterwards.
 */
Datum
loop_fill(PG_FUNCTION_ARGS)
{
	CpgCell		cells[CPG_CELLS_MAX];
	int			keys = PG_GETARG_INT32(0);
	Size		len = Min(PG_GETARG_INT32(1), VALUE_MAX);
	char	   *data = palloc(len);
	int64		now = cpg_clock_now();
	int64		present = 0;
	char		name[LOOP_KEY_LEN];
	CpgKey		key;

	memset(data, 'x', len);
	for (int i = 0; i < keys; i++)
	{
		CpgItem		item = loop_item(data, len, now);

		item.cells = cells;
		item.ncells = Min(PG_GETARG_INT32(2), CPG_CELLS_MAX);
		item.stamp = cpg_guard_stamp(loop_guard);
		fill_cells(cells, item.ncells, PG_GETARG_INT32(3), i);
		loop_key_text(i, name);
		cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
		(void) cpg_store_put(loop_store, &key, &item, CPG_PUT_SET, now);
	}
	for (int i = 0; i < keys; i++)
	{
		CpgValue	value = {.buffer = NULL};

		loop_key_text(i, name);
		cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
		present += cpg_store_peek(loop_store, &key, now, &value) == CPG_HIT;
	}
	PG_RETURN_INT64(present);
}

static int64
get_from_store(const uint32 *numbers, int n, void *state)
{
	int64		hits = 0;

	for (int i = 0; i < n; i++)
	{
		CpgValue	value = {.buffer = state,.buffer_size = VALUE_MAX + VARHDRSZ};
		char		name[LOOP_KEY_LEN];
		CpgKey		key;

		loop_key_text(numbers[i], name);
		cpg_key_init(&key, loop_store, 0, name, LOOP_KEY_LEN);
		cpg_store_prefetch(loop_store, &key);
		hits += cpg_store_get(loop_store, &key, cpg_clock_read(), &value) == CPG_HIT;
	}
	return hits;
}

Datum
loop_get(PG_FUNCTION_ARGS)
{
	return loop_timed(fcinfo, get_from_store, palloc(VALUE_MAX + VARHDRSZ));
}

/* As an executor node evaluates it: arguments set, result in a short-lived context. */
static int64
call_function(const uint32 *numbers, int n, void *arg)
{
	CallState  *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	union
	{
		text		header;
		char		bytes[VARHDRSZ + LOOP_KEY_LEN];
	}			key;
	int64		hits = 0;

	SET_VARSIZE(&key.header, sizeof(key.bytes));
	for (int i = 0; i < n; i++)
	{
		Datum		result;

		loop_key_text(numbers[i], key.bytes + VARHDRSZ);
		result = FunctionCall2Coll(&state->function, DEFAULT_COLLATION_OID,
								   PointerGetDatum(&key), PointerGetDatum(state->if_absent));
		hits += DatumGetPointer(result) != (Pointer) state->if_absent;
		MemoryContextReset(state->context);
	}
	MemoryContextSwitchTo(old);
	return hits;
}

Datum
loop_call(PG_FUNCTION_ARGS)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	CallState	state;

	fmgr_info(LookupFuncName(list_make1(makeString("cache_get")), 2, types, false), &state.function);
	state.context = AllocSetContextCreate(CurrentMemoryContext, "loop_call", ALLOCSET_DEFAULT_SIZES);
	state.if_absent = cstring_to_text("");
	return loop_timed(fcinfo, call_function, &state);
}

/* The text of a key's number. */
Datum
loop_key(PG_FUNCTION_ARGS)
{
	char		name[LOOP_KEY_LEN];

	loop_key_text(PG_GETARG_INT32(0), name);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(name, LOOP_KEY_LEN));
}

/* The least a function that returns a value can do: VALUE_LEN bytes, always the same. */
Datum
loop_value(PG_FUNCTION_ARGS)
{
	text	   *value = palloc(VARHDRSZ + VALUE_LEN);

	SET_VARSIZE(value, VARHDRSZ + VALUE_LEN);
	memset(VARDATA(value), 'x', VALUE_LEN);
	PG_RETURN_TEXT_P(value);
}
