/*-------------------------------------------------------------------------
 *
 * scalar.c
 *	  Values as text in UTF-8, and back, and the settings for that.
 *
 * What is said here not to raise an error may run out of memory all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/codec_internal.h"
#include "common/int.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Settings under which types are turned to text and back. */
static const struct
{
	const char *name;
	const char *value;
}			pinned[] = {
	{"datestyle", "ISO"},
	{"intervalstyle", "postgres"},
	{"timezone", "UTC"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
	/* names of objects, as those of type regclass, are qualified */
	{"search_path", "pg_catalog"}
};

/* Whether a setting is as it should be; of DateStyle the first word counts. */
static bool
is_pinned(int i)
{
	const char *value = GetConfigOption(pinned[i].name, false, false);

	return strncmp(value, pinned[i].value, strlen(pinned[i].value)) == 0 &&
		(i == 0 || strlen(value) == strlen(pinned[i].value));
}

/*
 * Pin the settings until unpin, or the end of the subtransaction.
 * The search path only to write: functions that check a value that is read may
 * rely on the session's.
 */
static int
pin(bool path)
{
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(pinned) - (path ? 0 : 1); i++)
	{
		if (!is_pinned(i))
			(void) set_config_option(pinned[i].name, pinned[i].value, PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
	}
	return level;
}

static void
unpin(int level)
{
	AtEOXact_GUC(true, level);
}

int64
cpg_integer_of(Oid base, Datum datum)
{
	if (base == INT2OID)
		return DatumGetInt16(datum);
	if (base == INT4OID)
		return DatumGetInt32(datum);
	return DatumGetInt64(datum);
}

/* false if out of range. */
bool
cpg_integer_datum(Oid base, int64 number, Datum *datum)
{
	if (base == INT2OID)
	{
		*datum = Int16GetDatum((int16) number);
		return number == (int16) number;
	}
	if (base == INT4OID)
	{
		*datum = Int32GetDatum((int32) number);
		return number == (int32) number;
	}
	*datum = Int64GetDatum(number);
	return true;
}

/* Read decimal digits, perhaps with a minus; false unless they are an int64. */
bool
cpg_integer_parse(CpgSpan text, int64 *number)
{
	bool		negative = text.len > 0 && text.data[0] == '-';
	int64		value = 0;

	if (text.len == (negative ? 1 : 0))
		return false;
	for (size_t i = negative ? 1 : 0; i < text.len; i++)
	{
		unsigned char digit = (unsigned char) (text.data[i] - '0');

		/* below zero, where there is room for one more */
		if (digit > 9 || pg_mul_s64_overflow(value, 10, &value) ||
			pg_sub_s64_overflow(value, digit, &value))
			return false;
	}
	if (!negative && value == PG_INT64_MIN)
		return false;
	*number = negative ? value : -value;
	return true;
}

/* Whether bytes can be text: valid UTF-8 without a NUL. */
bool
cpg_utf8_is_text(CpgSpan bytes)
{
	if (bytes.len == 0)
		return true;
	return bytes.len <= MaxAllocSize && memchr(bytes.data, '\0', bytes.len) == NULL &&
		pg_encoding_verifymbstr(PG_UTF8, bytes.data, (int) bytes.len) == (int) bytes.len;
}

/* UTF-8 that has been checked, in the encoding of the server; no error if that is UTF-8. */
static CpgSpan
to_server(CpgSpan utf8)
{
	char	   *text;

	if (utf8.len == 0 || GetDatabaseEncoding() == PG_UTF8)
		return utf8;
	text = pg_any_to_server(utf8.data, (int) utf8.len, PG_UTF8);
	return text == utf8.data ? utf8 : cpg_span(text, strlen(text));
}

/* Text of the server in UTF-8; no error if the server has that. */
CpgSpan
cpg_codec_to_utf8(const char *text, size_t len)
{
	char	   *utf8;

	if (len == 0 || GetDatabaseEncoding() == PG_UTF8)
		return cpg_span(text, len);
	utf8 = pg_server_to_any(text, (int) len, PG_UTF8);
	return utf8 == text ? cpg_span(text, len) : cpg_span(utf8, strlen(utf8));
}

/* A text, varchar or bpchar; raises no error if the server has UTF-8. */
bool
cpg_text_datum(CpgSpan utf8, Datum *datum)
{
	CpgSpan text;

	if (utf8.len > MaxAllocSize - VARHDRSZ || !cpg_utf8_is_text(utf8))
		return false;
	text = utf8.len == 0 ? cpg_span("", 0) : to_server(utf8);

	*datum = PointerGetDatum(cstring_to_text_with_len(text.data, (int) text.len));
	return true;
}

bool
cpg_bytea_datum(CpgSpan bytes, Datum *datum)
{
	bytea	   *value;

	if (bytes.len > MaxAllocSize - VARHDRSZ)
		return false;
	value = palloc(bytes.len + VARHDRSZ);
	SET_VARSIZE(value, bytes.len + VARHDRSZ);
	if (bytes.len > 0)
		memcpy(VARDATA(value), bytes.data, bytes.len);
	*datum = PointerGetDatum(value);
	return true;
}

/* What the type's input function makes of a text. */
bool
cpg_codec_from_text(const CpgCodecType *type, CpgSpan utf8, Datum *datum)
{
	CpgSpan text;
	Oid			function;
	Oid			parameter;
	int			level;

	if (utf8.len >= MaxAllocSize || !cpg_utf8_is_text(utf8))
		return false;
	text = utf8.len == 0 ? cpg_span("", 0) : to_server(utf8);

	getTypeInputInfo(type->typid, &function, &parameter);
	level = pin(false);
	*datum = OidInputFunctionCall(function, pnstrdup(text.data, text.len), parameter, -1);
	unpin(level);
	return true;
}

/* What the type's output function makes, in the encoding of the server. */
char *
cpg_codec_to_text(const CpgCodecType *type, Datum datum)
{
	Oid			function;
	bool		varlena;
	int			level;
	char	   *output;

	switch (type->class)
	{
		case CPG_CLASS_BOOLEAN:
			return DatumGetBool(datum) ? "true" : "false";
		case CPG_CLASS_INTEGER:
			return psprintf(INT64_FORMAT, cpg_integer_of(type->base, datum));
		case CPG_CLASS_TEXT:
		case CPG_CLASS_JSON:
			return TextDatumGetCString(datum);
		case CPG_CLASS_JSONB:
			{
				Jsonb	   *jsonb = DatumGetJsonbP(datum);

				return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
			}
		case CPG_CLASS_BYTEA:
		case CPG_CLASS_OTHER:
			break;
	}
	getTypeOutputInfo(type->typid, &function, &varlena);
	level = pin(true);
	output = OidOutputFunctionCall(function, datum);
	unpin(level);
	return output;
}
