/*-------------------------------------------------------------------------
 *
 * msgpack.c
 *	  Codec msgpack: writing, by libmsgpack-c.
 *
 * jsonb as the maps, arrays and scalars it is made of, booleans, integers and
 * text as such, bytea as bin; of everything else its text, as for codec json.
 * A number of jsonb is an integer if it is one of 64 bits, a float 64 if that,
 * printed, is the same digits again, and else an extension of type 1 whose bytes
 * are its digits.  unpack.c reads all that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec_internal.h"

#ifdef CPG_HAVE_MSGPACK

#include "common/shortest_dec.h"
#include "compat.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include <msgpack.h>

#define DOUBLE_DIGITS	40		/* more than a double that is printed without
								 * exponent and is worth it */

static int
append(void *to, const char *bytes, size_t len)
{
	appendBinaryStringInfo(to, bytes, (int) len);
	return 0;
}

static void
pack_text(msgpack_packer *packer, const char *text, size_t len)
{
	CpgSpan		utf8 = cpg_codec_to_utf8(text, len);

	msgpack_pack_str(packer, utf8.len);
	msgpack_pack_str_body(packer, utf8.data, utf8.len);
}

/* Whether digits are an int64 in its own form. */
static bool
is_integer(const char *digits, size_t len, int64 *number)
{
	return cpg_integer_parse(cpg_span(digits, len), number);
}

/* Whether digits are what a double is printed as. */
static bool
is_double(const char *digits, size_t len, double *number)
{
	char		printed[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (len > DOUBLE_DIGITS)
		return false;
	*number = strtod(digits, NULL);
	double_to_shortest_decimal_buf(*number, printed);
	return strcmp(printed, digits) == 0;
}

static void
pack_number(msgpack_packer *packer, Numeric number)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	size_t		len = strlen(digits);
	int64		integer;
	double		real;

	if (is_integer(digits, len, &integer))
		msgpack_pack_int64(packer, integer);
	else if (is_double(digits, len, &real))
		msgpack_pack_double(packer, real);
	else
	{
		msgpack_pack_ext(packer, len, CPG_MSGPACK_EXT_NUMBER);
		msgpack_pack_ext_body(packer, digits, len);
	}
	pfree(digits);
}

static void
pack_scalar(msgpack_packer *packer, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			msgpack_pack_nil(packer);
			break;
		case jbvBool:
			if (value->val.boolean)
				msgpack_pack_true(packer);
			else
				msgpack_pack_false(packer);
			break;
		case jbvNumeric:
			pack_number(packer, value->val.numeric);
			break;
		case jbvString:
			pack_text(packer, value->val.string.val, value->val.string.len);
			break;
		default:
			elog(ERROR, "unexpected jsonb value type: %d", (int) value->type);
	}
}

/* false if it is deeper than the reader goes. */
static bool
pack_jsonb(msgpack_packer *packer, Jsonb *jsonb)
{
	JsonbIterator *it = JsonbIteratorInit(&jsonb->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			depth = 0;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				if (!value.val.array.rawScalar)
				{
					depth++;
					msgpack_pack_array(packer, value.val.array.nElems);
				}
				break;
			case WJB_BEGIN_OBJECT:
				depth++;
				msgpack_pack_map(packer, value.val.object.nPairs);
				break;
			case WJB_KEY:
			case WJB_VALUE:
			case WJB_ELEM:
				pack_scalar(packer, &value);
				break;
			case WJB_END_OBJECT:
				depth--;
				break;
			case WJB_END_ARRAY:
				if (!value.val.array.rawScalar)
					depth--;
				break;
			default:
				break;
		}
		if (depth > CPG_CODEC_DEPTH_MAX)
			return false;
	}
	return true;
}

static void
pack_bytes(msgpack_packer *packer, Datum datum)
{
	bytea	   *bytes = DatumGetByteaPP(datum);

	msgpack_pack_bin(packer, VARSIZE_ANY_EXHDR(bytes));
	msgpack_pack_bin_body(packer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

bool
cpg_msgpack_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes)
{
	StringInfoData out;
	msgpack_packer packer;
	char	   *text;

	initStringInfo(&out);
	msgpack_packer_init(&packer, &out, append);
	switch (type->class)
	{
		case CPG_CLASS_BOOLEAN:
			if (DatumGetBool(datum))
				msgpack_pack_true(&packer);
			else
				msgpack_pack_false(&packer);
			break;
		case CPG_CLASS_INTEGER:
			msgpack_pack_int64(&packer, cpg_integer_of(type->base, datum));
			break;
		case CPG_CLASS_BYTEA:
			pack_bytes(&packer, datum);
			break;
		case CPG_CLASS_JSONB:
			if (!pack_jsonb(&packer, DatumGetJsonbP(datum)))
				return false;
			break;
		case CPG_CLASS_TEXT:
		case CPG_CLASS_JSON:
		case CPG_CLASS_OTHER:
			text = cpg_codec_to_text(type, datum);

			pack_text(&packer, text, strlen(text));
			break;
	}
	*bytes = cpg_span(out.data, out.len);
	return true;
}

#else

bool
cpg_msgpack_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes)
{
	return false;
}

#endif
