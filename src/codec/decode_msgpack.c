/*-------------------------------------------------------------------------
 *
 * decode_msgpack.c
 *	  Codec msgpack: reading.
 *
 * Nothing here raises an error for a value that is plain (see codec.c): lengths
 * are below the limits of jsonb then, and numbers are checked before numeric
 * sees them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "codec/codec_internal.h"
#include "common/shortest_dec.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/* Digits that numeric takes for certain. */
#define WHOLE_MAX		131072
#define FRACTION_MAX	16383

static size_t
count_digits(const char *at, const char *end)
{
	const char *start = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at - start;
}

/* Whether a text is a number as numeric prints it, without exponent. */
static bool
is_decimal(CpgSpan text)
{
	const char *at = text.data;
	const char *end = text.data + text.len;
	size_t		digits;

	if (at < end && *at == '-')
		at++;
	digits = count_digits(at, end);
	at += digits;
	if (digits == 0 || digits > WHOLE_MAX)
		return false;
	if (at == end)
		return true;
	digits = count_digits(++at, end);
	return at[-1] == '.' && digits > 0 && digits <= FRACTION_MAX && at + digits == end;
}

static bool
number_of_text(const char *digits, JsonbValue *value)
{
	value->type = jbvNumeric;
	value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
															 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	return true;
}

static bool
number_of_double(const CpgUnpacked *token, JsonbValue *value)
{
	char		printed[Max(DOUBLE_SHORTEST_DECIMAL_LEN, FLOAT_SHORTEST_DECIMAL_LEN)];

	if (token->kind == CPG_UNPACK_DOUBLE)
	{
		if (!isfinite(token->real))
			return false;
		double_to_shortest_decimal_buf(token->real, printed);
	}
	else
	{
		if (!isfinite(token->single))
			return false;
		float_to_shortest_decimal_buf(token->single, printed);
	}
	return number_of_text(printed, value);
}

static bool
number_of_extension(const CpgUnpacked *token, JsonbValue *value)
{
	if (token->extension != CPG_MSGPACK_EXT_NUMBER || !is_decimal(token->bytes))
		return false;
	return number_of_text(pnstrdup(token->bytes.data, token->bytes.len), value);
}

static bool
string_of(CpgSpan utf8, JsonbValue *value)
{
	Datum text;

	value->type = jbvString;
	if (!cpg_utf8_is_text(utf8))
		return false;
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		(void) cpg_text_datum(utf8, &text);
		utf8 = cpg_span(VARDATA_ANY(DatumGetPointer(text)), VARSIZE_ANY_EXHDR(DatumGetPointer(text)));
	}
	/* it is copied when the whole is put together */
	value->val.string.val = unconstify(char *, utf8.data);
	value->val.string.len = (int) utf8.len;
	return true;
}

static bool
scalar_of(const CpgUnpacked *token, JsonbValue *value)
{
	switch (token->kind)
	{
		case CPG_UNPACK_NIL:
			value->type = jbvNull;
			return true;
		case CPG_UNPACK_BOOLEAN:
			value->type = jbvBool;
			value->val.boolean = token->integer != 0;
			return true;
		case CPG_UNPACK_INTEGER:
			value->type = jbvNumeric;
			value->val.numeric = int64_to_numeric(token->integer);
			return true;
		case CPG_UNPACK_UNSIGNED:
			return number_of_text(psprintf(UINT64_FORMAT, (uint64) token->integer), value);
		case CPG_UNPACK_FLOAT:
		case CPG_UNPACK_DOUBLE:
			return number_of_double(token, value);
		case CPG_UNPACK_EXTENSION:
			return number_of_extension(token, value);
		case CPG_UNPACK_STRING:
			return string_of(token->bytes, value);
		default:
			return false;
	}
}

static bool read_into(CpgSpan *from, JsonbParseState **state, JsonbIteratorToken as, int depth,
					  JsonbValue *scalar, JsonbValue **whole);

/* The elements of an array or the pairs of a map, and its end. */
static bool
read_members(CpgSpan *from, const CpgUnpacked *token, JsonbParseState **state, int depth, JsonbValue **whole)
{
	bool		map = token->kind == CPG_UNPACK_MAP;
	CpgUnpacked name;
	JsonbValue	value;

	if (depth >= CPG_CODEC_DEPTH_MAX)
		return false;
	(void) pushJsonbValue(state, map ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < token->count; i++)
	{
		if (map)
		{
			if (!cpg_unpack_next(from, &name) || name.kind != CPG_UNPACK_STRING ||
				!string_of(name.bytes, &value))
				return false;
			(void) pushJsonbValue(state, WJB_KEY, &value);
		}
		if (!read_into(from, state, map ? WJB_VALUE : WJB_ELEM, depth + 1, &value, whole))
			return false;
	}
	*whole = pushJsonbValue(state, map ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
	return true;
}

/*
 * Read a value into what is open in state; outside of everything it is left in
 * whole, and in scalar if it is one.
 */
static bool
read_into(CpgSpan *from, JsonbParseState **state, JsonbIteratorToken as, int depth,
		  JsonbValue *scalar, JsonbValue **whole)
{
	CpgUnpacked token;

	if (!cpg_unpack_next(from, &token))
		return false;
	if (token.kind == CPG_UNPACK_ARRAY || token.kind == CPG_UNPACK_MAP)
		return read_members(from, &token, state, depth, whole);
	if (!scalar_of(&token, scalar))
		return false;
	if (*state != NULL)
		(void) pushJsonbValue(state, as, scalar);
	else
		*whole = scalar;
	return true;
}

static bool
decode_jsonb(CpgSpan bytes, Datum *datum)
{
	JsonbParseState *state = NULL;
	JsonbValue	scalar;
	JsonbValue *whole = NULL;

	if (!read_into(&bytes, &state, WJB_ELEM, 0, &scalar, &whole) || bytes.len != 0)
		return false;
	*datum = JsonbPGetDatum(JsonbValueToJsonb(whole));
	return true;
}

/* A value that is one token, of a type that is not a domain. */
static bool
decode_base(const CpgCodecType *type, const CpgUnpacked *token, Datum *datum)
{
	switch (type->class)
	{
		case CPG_CLASS_BOOLEAN:
			*datum = BoolGetDatum(token->integer != 0);
			return token->kind == CPG_UNPACK_BOOLEAN;
		case CPG_CLASS_INTEGER:
			return token->kind == CPG_UNPACK_INTEGER && cpg_integer_datum(type->base, token->integer, datum);
		case CPG_CLASS_BYTEA:
			return token->kind == CPG_UNPACK_BYTES && cpg_bytea_datum(token->bytes, datum);
		case CPG_CLASS_TEXT:
			return token->kind == CPG_UNPACK_STRING && cpg_text_datum(token->bytes, datum);
		default:
			return token->kind == CPG_UNPACK_STRING && cpg_codec_from_text(type, token->bytes, datum);
	}
}

/* A domain's value is made of its base's text, so that its checks see it. */
static bool
decode_domain(const CpgCodecType *type, CpgSpan bytes, Datum *datum)
{
	CpgCodecType base = {.typid = type->base,.base = type->base,.class = type->class};
	Datum		value;
	char	   *text;
	CpgSpan		utf8;

	if (!cpg_msgpack_decode(&base, bytes, &value))
		return false;
	text = cpg_codec_to_text(&base, value);

	utf8 = cpg_codec_to_utf8(text, strlen(text));
	return cpg_codec_from_text(type, utf8, datum);
}

bool
cpg_msgpack_decode(const CpgCodecType *type, CpgSpan bytes, Datum *datum)
{
	CpgUnpacked token;

	if (type->base != type->typid)
		return decode_domain(type, bytes, datum);
	if (type->class == CPG_CLASS_JSONB)
		return decode_jsonb(bytes, datum);
	return cpg_unpack_next(&bytes, &token) && bytes.len == 0 && decode_base(type, &token, datum);
}
