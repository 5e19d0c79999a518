/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Codec json: a value as JSON that any application can read.
 *
 * jsonb and json as they are, booleans and integers as such; of everything else
 * its text, as PostgreSQL writes it under the settings of pinned.c, in a string:
 * numbers and dates would not be the same after a way through another parser.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec_internal.h"

/* Whether the text of a type is JSON by itself. */
static bool
is_json_text(CpgClass class)
{
	return class == CPG_CLASS_BOOLEAN || class == CPG_CLASS_INTEGER ||
		class == CPG_CLASS_JSONB || class == CPG_CLASS_JSON;
}

static void
append_escape(StringInfo out, char c)
{
	static const char names[] = "\"\\bfnrt";
	static const char meant[] = "\"\\\b\f\n\r\t";
	const char *found = strchr(meant, c);

	if (found != NULL)
	{
		appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, names[found - meant]);
	}
	else
		appendStringInfo(out, "\\u%04x", (unsigned char) c);
}

/* A JSON string; stretches without anything special are copied as a whole. */
static CpgSpan
quote(CpgSpan utf8)
{
	const char *at = utf8.data;
	const char *end = utf8.data + utf8.len;
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '"');
	for (;;)
	{
		const char *special = cpg_json_ordinary(at, end);

		appendBinaryStringInfo(&out, at, (int) (special - at));
		if (special == end)
			break;
		append_escape(&out, *special);
		at = special + 1;
	}
	appendStringInfoChar(&out, '"');
	return cpg_span(out.data, out.len);
}

bool
cpg_json_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes)
{
	char	   *text = cpg_codec_to_text(type, datum);
	CpgSpan		utf8;

	if (is_json_text(type->class))
	{
		*bytes = cpg_codec_to_utf8(text, strlen(text));
		return true;
	}
	utf8 = cpg_codec_to_utf8(text, strlen(text));
	*bytes = quote(utf8);
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A bytea from \x and digits; raises no error. */
static bool
decode_bytea(CpgSpan text, Datum *datum)
{
	char	   *bytes;

	if (text.len < 2 || text.len % 2 != 0 || text.data[0] != '\\' || text.data[1] != 'x')
		return false;
	bytes = palloc(text.len / 2);
	for (size_t i = 2; i < text.len; i += 2)
	{
		int			high = hex_digit(text.data[i]);
		int			low = hex_digit(text.data[i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i / 2 - 1] = (char) (high << 4 | low);
	}
	return cpg_bytea_datum(cpg_span(bytes, text.len / 2 - 1), datum);
}

static bool
is_word(CpgSpan bytes, const char *word)
{
	return bytes.len == strlen(word) && memcmp(bytes.data, word, bytes.len) == 0;
}

static bool
decode_boolean(CpgSpan bytes, Datum *datum)
{
	*datum = BoolGetDatum(is_word(bytes, "true"));
	return is_word(bytes, "true") || is_word(bytes, "false");
}

/* One that is not a domain. */
static bool
decode_base(const CpgCodecType *type, CpgSpan bytes, CpgSpan text, Datum *datum)
{
	int64		number;

	switch (type->class)
	{
		case CPG_CLASS_BOOLEAN:
			return decode_boolean(bytes, datum);
		case CPG_CLASS_INTEGER:
			return cpg_integer_parse(bytes, &number) && cpg_integer_datum(type->base, number, datum);
		case CPG_CLASS_TEXT:
			return cpg_text_datum(text, datum);
		case CPG_CLASS_BYTEA:
			return decode_bytea(text, datum);
		case CPG_CLASS_JSONB:
		case CPG_CLASS_JSON:
		case CPG_CLASS_OTHER:
			break;
	}
	return cpg_codec_from_text(type, text, datum);
}

bool
cpg_json_decode(const CpgCodecType *type, CpgSpan bytes, Datum *datum)
{
	CpgSpan text = bytes;

	if (!is_json_text(type->class) && !cpg_json_unescape(bytes, &text))
		return false;
	if (type->base == type->typid)
		return decode_base(type, bytes, text, datum);
	return cpg_codec_from_text(type, text, datum);
}
