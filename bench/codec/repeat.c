/*-------------------------------------------------------------------------
 *
 * repeat.c
 *	  The loop of bench/parts/codec.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC; PG_FUNCTION_INFO_V1(codec_repeat);

#define LIMIT (64 * 1024 * 1024)

typedef struct Task
{
	Oid			typid;
	Datum		value;
	CpgFrameCodec wanted;
	int			compress_above;
	CpgEncoded	encoded;
} Task;

static void
do_encode(Task *task)
{
	if (!cpg_codec_encode(task->wanted, task->typid, task->value, false, task->compress_above, &task->encoded))
		elog(ERROR, "could not encode");
}

static void
do_decode(Task *task)
{
	CpgFrame	frame = {.codec = task->encoded.codec,.flags = task->encoded.flags,.raw_len = task->encoded.raw_len};
	Datum		back;

	frame.payload = cpg_span(task->encoded.data, task->encoded.len);
	if (!cpg_codec_decode(&frame, task->typid, LIMIT, &back))
		elog(ERROR, "could not decode");
}

/* Nanoseconds of a call. */
static double
time_of(void (*call) (Task *task), Task *task, int times)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext inner = AllocSetContextCreate(outer, "repeated", ALLOCSET_DEFAULT_SIZES);
	instr_time	start;
	instr_time	end;

	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < times; i++)
	{
		MemoryContextReset(inner);
		MemoryContextSwitchTo(inner);
		call(task);
		MemoryContextSwitchTo(outer);
		CHECK_FOR_INTERRUPTS();
	}
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	MemoryContextDelete(inner);
	return INSTR_TIME_GET_DOUBLE(end) * 1e9 / times;
}

/*
 * Encode a value (argument 0) and decode it, so many times each: the codec used,
 * the bytes it takes, and the nanoseconds of both.
 */
Datum
codec_repeat(PG_FUNCTION_ARGS)
{
	Task		task = {.typid = get_fn_expr_argtype(fcinfo->flinfo, 0),.value = PG_GETARG_DATUM(0)};
	int			times = PG_GETARG_INT32(3);
	Task		once;
	double		encoding;

	if (get_typlen(task.typid) == -1)
		task.value = PointerGetDatum(PG_DETOAST_DATUM(task.value));
	task.wanted = (CpgFrameCodec) text_to_cstring(PG_GETARG_TEXT_PP(1))[0];
	task.compress_above = PG_GETARG_INT32(2);
	do_encode(&task);
	/* what is encoded again goes with its memory */
	once = task;
	encoding = time_of(do_encode, &once, times);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%c%s %zu %.0f %.0f", task.encoded.codec,
											  task.encoded.flags & CPG_FRAME_LZ4 ? "+lz4" : "",
											  task.encoded.len, encoding,
											  time_of(do_decode, &task, times))));
}
