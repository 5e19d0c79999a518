/*-------------------------------------------------------------------------
 *
 * test_codec.c
 *	  Codecs: values there and back, and bytes from hostile hands.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/codec.h"
#include "compat.h"
#include "funcapi.h"
#include "harness.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(test_codec_trip);
PG_FUNCTION_INFO_V1(test_codec_hostile);
PG_FUNCTION_INFO_V1(test_codec_type);
PG_FUNCTION_INFO_V1(test_codec_find_type);
PG_FUNCTION_INFO_V1(codec_encode);
PG_FUNCTION_INFO_V1(codec_decode);

#define LIMIT (64 * 1024 * 1024)

static CpgFrameCodec
codec_of(FunctionCallInfo fcinfo, int n)
{
	return (CpgFrameCodec) text_to_cstring(PG_GETARG_TEXT_PP(n))[0];
}

static CpgFrame
frame_of(const CpgEncoded *encoded)
{
	CpgFrame	frame;

	memset(&frame, 0, sizeof(frame));
	frame.codec = encoded->codec;
	frame.flags = encoded->flags;
	frame.raw_len = encoded->raw_len;
	frame.payload = cpg_span(encoded->data, encoded->len);
	return frame;
}

static Datum
flat(Oid typid, Datum datum)
{
	return get_typlen(typid) == -1 ? PointerGetDatum(PG_DETOAST_DATUM(datum)) : datum;
}

/*
 * A value (argument 0) there and back: which codec, whether compressed, or what
 * went wrong.  The value that returns must be the same bytes.
 */
Datum
test_codec_trip(PG_FUNCTION_ARGS)
{
	Oid			typid = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Datum		value = PG_ARGISNULL(0) ? (Datum) 0 : flat(typid, PG_GETARG_DATUM(0));
	CpgEncoded	encoded;
	CpgFrame	frame;
	Datum		back;
	bool		isnull;

	if (!cpg_codec_encode(codec_of(fcinfo, 1), typid, value, PG_ARGISNULL(0), PG_GETARG_INT32(2), &encoded))
		PG_RETURN_TEXT_P(cstring_to_text("not encoded"));
	frame = frame_of(&encoded);
	isnull = (frame.flags & CPG_FRAME_NULL) != 0;
	if (!cpg_codec_decode(&frame, typid, LIMIT, &back))
		PG_RETURN_TEXT_P(cstring_to_text("not usable"));
	if (isnull != PG_ARGISNULL(0))
		PG_RETURN_TEXT_P(cstring_to_text("null differs"));
	if (!isnull && !datumIsEqual(value, flat(typid, back), get_typbyval(typid), get_typlen(typid)))
		PG_RETURN_TEXT_P(cstring_to_text("differs"));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%c%s%s", encoded.codec, isnull ? " null" : "",
											  encoded.flags & CPG_FRAME_LZ4 ? " lz4" : "")));
}

/* Damage some bytes: flip bits of one or two, cut off the end, or make all anew. */
static void
mutate(char *bytes, uint32 *len, pg_prng_state *random)
{
	int			way = (int) pg_prng_uint64_range(random, 0, 9);

	if (*len == 0)
		return;
	if (way == 0)
		*len = (uint32) pg_prng_uint64_range(random, 0, *len - 1);
	else if (way == 1)
	{
		for (uint32 i = 0; i < *len; i++)
			bytes[i] = (char) pg_prng_uint32(random);
	}
	else
	{
		for (int i = 0; i < 1 + way % 2; i++)
			bytes[pg_prng_uint64_range(random, 0, *len - 1)] ^= (char) (1 << pg_prng_uint64_range(random, 0, 7));
	}
}

/* Use a value as its readers would. */
static void
use(Oid typid, Datum datum)
{
	CpgEncoded	encoded;
	Oid			function;
	bool		varlena;

	getTypeOutputInfo(typid, &function, &varlena);
	(void) OidOutputFunctionCall(function, datum);
	(void) cpg_codec_encode(CPG_FRAME_BINARY, typid, datum, false, 100, &encoded);
}

/*
 * Damaged encodings of a value never crash or raise an error: either they are
 * not usable or the value that comes out can be used.
 */
Datum
test_codec_hostile(PG_FUNCTION_ARGS)
{
	Oid			typid = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Datum		value = PG_GETARG_DATUM(0);
	pg_prng_state random;
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext inner = AllocSetContextCreate(outer, "damage", ALLOCSET_DEFAULT_SIZES);
	CpgEncoded	good;
	int			usable = 0;

	pg_prng_seed(&random, (uint64) PG_GETARG_INT64(4));
	EXPECT(cpg_codec_encode(codec_of(fcinfo, 1), typid, value, false, PG_GETARG_INT32(2), &good));
	for (int i = 0; i < PG_GETARG_INT32(3); i++)
	{
		CpgFrame	bad = frame_of(&good);
		char	   *bytes;
		uint32		len = (uint32) good.len;
		Datum		back;

		MemoryContextReset(inner);
		MemoryContextSwitchTo(inner);
		/* of its own, so that a read beyond the end can be seen */
		bytes = memcpy(palloc(len), good.data, len);
		mutate(bytes, &len, &random);
		if (!(good.flags & CPG_FRAME_LZ4))
			bad.raw_len = len;
		bad.payload = cpg_span(memcpy(palloc(len), bytes, len), len);
		if (cpg_codec_decode(&bad, typid, LIMIT, &back))
		{
			use(typid, back);
			usable++;
		}
		MemoryContextSwitchTo(outer);
	}
	MemoryContextDelete(inner);
	/* all bytes are a bytea */
	EXPECT(usable < PG_GETARG_INT32(3) || typid == BYTEAOID);
	OK;
}

/* The names of a type, separated by a blank. */
Datum
test_codec_type(PG_FUNCTION_ARGS)
{
	CpgSpan		schema;
	CpgSpan		name;

	if (!cpg_codec_name(PG_GETARG_OID(0), &schema, &name))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s %s", schema.data, name.data)));
}

Datum
test_codec_find_type(PG_FUNCTION_ARGS)
{
	text	   *schema = PG_GETARG_TEXT_PP(0);
	text	   *name = PG_GETARG_TEXT_PP(1);

	PG_RETURN_OID(cpg_codec_type(cpg_span(VARDATA_ANY(schema), VARSIZE_ANY_EXHDR(schema)),
								 cpg_span(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name))));
}

static Datum
row_of(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "not a row");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* What cpg_codec_encode makes, as a row. */
Datum
codec_encode(PG_FUNCTION_ARGS)
{
	Oid			typid = get_fn_expr_argtype(fcinfo->flinfo, 0);
	CpgEncoded	encoded;
	Datum		values[4];
	bool		nulls[4] = {false};
	bytea	   *payload;

	if (!cpg_codec_encode(codec_of(fcinfo, 1), typid, PG_GETARG_DATUM(0), false, PG_GETARG_INT32(2), &encoded))
		PG_RETURN_NULL();
	payload = (bytea *) cstring_to_text_with_len(encoded.data, (int) encoded.len);
	values[0] = CStringGetTextDatum(psprintf("%c", encoded.codec));
	values[1] = Int32GetDatum(encoded.flags);
	values[2] = Int64GetDatum(encoded.raw_len);
	values[3] = PointerGetDatum(payload);
	return row_of(fcinfo, values, nulls);
}

/* The text of what cpg_codec_decode makes of bytes as the type of argument 5; NULL: not usable. */
Datum
codec_decode(PG_FUNCTION_ARGS)
{
	Oid			typid = get_fn_expr_argtype(fcinfo->flinfo, 5);
	bytea	   *payload = PG_GETARG_BYTEA_PP(3);
	CpgFrame	frame = {.codec = codec_of(fcinfo, 0),.flags = (uint8) PG_GETARG_INT32(1),.raw_len = (uint32) PG_GETARG_INT64(2)};
	Datum		datum;
	Oid			function;
	bool		varlena;

	frame.payload = cpg_span(VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload));
	if (!cpg_codec_decode(&frame, typid, (Size) PG_GETARG_INT64(4), &datum) || (frame.flags & CPG_FRAME_NULL))
		PG_RETURN_NULL();
	getTypeOutputInfo(typid, &function, &varlena);
	PG_RETURN_TEXT_P(cstring_to_text(OidOutputFunctionCall(function, datum)));
}
