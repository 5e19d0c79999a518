/*-------------------------------------------------------------------------
 *
 * text.c
 *	  The text of a value as column::text gives it under default settings.
 *
 * A key must not depend on the settings of the session that happens to change
 * the row, so types whose output depends on settings are printed under these:
 * DateStyle ISO, TimeZone UTC, IntervalStyle postgres, extra_float_digits 1,
 * bytea_output hex, lc_monetary C.
 *
 * Casts are followed only if they are PostgreSQL's own: those of users could
 * run anything as whoever writes the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "watch/text.h"

static const struct
{
	const char *name;
	const char *value;
}			pinned[] = {
	{"datestyle", "ISO, MDY"},
	{"timezone", "UTC"},
	{"intervalstyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
};

static CpgTextForm
form_of_output(Oid type)
{
	switch (type)
	{
		case OIDOID:
		case UUIDOID:
		case NUMERICOID:
			return CPG_TEXT_OUTPUT;
		default:
			return type_is_enum(type) ? CPG_TEXT_OUTPUT : CPG_TEXT_PINNED;
	}
}

/* How values of a type become text; what it refers to lives in the context. */
void
cpg_text_prepare(Oid type, CpgTextOf *text, MemoryContext context)
{
	Oid			base = getBaseType(type);
	Oid			function;
	bool		is_varlena;

	switch (base)
	{
		case TEXTOID:
		case VARCHAROID:
			text	  ->form = CPG_TEXT_TEXT;

			return;
		case INT2OID:
			text	  ->form = CPG_TEXT_INT2;

			return;
		case INT4OID:
			text	  ->form = CPG_TEXT_INT4;

			return;
		case INT8OID:
			text	  ->form = CPG_TEXT_INT8;

			return;
		default:
			break;
	}
	if (find_coercion_pathway(TEXTOID, base, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC &&
		function < FirstNormalObjectId)
		text	  ->form = CPG_TEXT_CAST;

	else
	{
		getTypeOutputInfo(base, &function, &is_varlena);
		text	  ->form = form_of_output(base);
	}
	fmgr_info_cxt(function, &text->function, context);
}

static void
append_pinned(CpgTextOf *text, Datum value, StringInfo to)
{
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(pinned); i++)
		(void) set_config_option(pinned[i].name, pinned[i].value, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	appendStringInfoString(to, OutputFunctionCall(&text->function, value));
	AtEOXact_GUC(true, level);
}

static void
append_text(StringInfo to, Datum value)
{
	text	   *data = DatumGetTextPP(value);

	appendBinaryStringInfo(to, VARDATA_ANY(data), (int) VARSIZE_ANY_EXHDR(data));
}

static void
append_integer(StringInfo to, int64 value)
{
	char		digits[MAXINT8LEN + 1];

	appendBinaryStringInfo(to, digits, pg_lltoa(value, digits));
}

/* Append the text of a value, which is not NULL. */
void
cpg_text_append(CpgTextOf *text, Datum value, StringInfo to)
{
	switch (text->form)
	{
		case CPG_TEXT_TEXT:
			append_text(to, value);
			break;
		case CPG_TEXT_INT2:
			append_integer(to, DatumGetInt16(value));
			break;
		case CPG_TEXT_INT4:
			append_integer(to, DatumGetInt32(value));
			break;
		case CPG_TEXT_INT8:
			append_integer(to, DatumGetInt64(value));
			break;
		case CPG_TEXT_CAST:
			append_text(to, FunctionCall1(&text->function, value));
			break;
		case CPG_TEXT_OUTPUT:
			appendStringInfoString(to, OutputFunctionCall(&text->function, value));
			break;
		case CPG_TEXT_PINNED:
			append_pinned(text, value, to);
			break;
	}
}
