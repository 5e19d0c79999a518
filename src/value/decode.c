/*-------------------------------------------------------------------------
 *
 * decode.c
 *	  From a stored value to the type that is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "value/value.h"

/*
 * Whether a value read still means what it meant when it was written: its type
 * exists and has the same shape.  If not, it is to be treated as a miss.
 */
bool
cpg_value_current(const CpgValue *value)
{
	if (value->typid >= FirstNormalObjectId &&
		!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(value->typid)))
		return false;
	return value->shape == 0 || value->shape == cpg_type_shape(value->typid);
}

static bool
is_integer(Oid typid)
{
	return typid == INT2OID || typid == INT4OID || typid == INT8OID;
}

/* Convert between integer widths; false if out of range. */
static bool
convert_integer(CpgValue *value, Oid asked)
{
	int64		number;

	if (value->typid == INT2OID)
		number = DatumGetInt16(value->datum);
	else if (value->typid == INT4OID)
		number = DatumGetInt32(value->datum);
	else
		number = DatumGetInt64(value->datum);

	if (asked == INT2OID)
	{
		value->datum = Int16GetDatum((int16) number);
		return number == (int16) number;
	}
	if (asked == INT4OID)
	{
		value->datum = Int32GetDatum((int32) number);
		return number == (int32) number;
	}
	value->datum = Int64GetDatum(number);
	return true;
}

/*
 * Whether values of a type can be converted to another one, if they are in its
 * range and pass its checks.
 */
bool
cpg_value_convertible(Oid typid, Oid asked)
{
	Oid			base = getBaseType(asked);

	return typid == asked || (is_integer(typid) && is_integer(base)) || IsBinaryCoercible(typid, base);
}

/* Whether a value (not NULL) of such a type is in the range of the other one. */
bool
cpg_value_in_range(Oid typid, Datum datum, Oid asked)
{
	CpgValue	value = {.typid = typid,.datum = datum};
	Oid			base = getBaseType(asked);

	return !is_integer(typid) || !is_integer(base) || convert_integer(&value, base);
}

static void
mismatch(Oid stored, Oid asked)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("cached value is of type %s, not %s",
					format_type_be(stored), format_type_be(asked)),
			 errhint("Ask for the stored type, e.g. cache_get(key, NULL::%s), or for jsonb: cache_get(key).",
					 format_type_be(stored))));
}

/*
 * Make a value (not NULL, current) one of the asked type: equal, binary-
 * coercible, a domain whose checks it passes, or an integer in range; else
 * datatype_mismatch (for integers numeric_value_out_of_range).  state may be
 * zeros; it keeps what domain_check compiles.
 */
void
cpg_value_convert(CpgValue *value, Oid asked, CpgDomainState *state)
{
	Oid			base = getBaseType(asked);

	if (value->typid == asked && base == asked)
		return;
	if (value->typid == asked)
	{
		/* a domain: it may have got checks since the value was written */
	}
	else if (is_integer(value->typid) && is_integer(base))
	{
		if (!convert_integer(value, base))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("cached value is out of range for type %s", format_type_be(base)),
					 errhint("Ask for the stored type, %s.", format_type_be(value->typid))));
	}
	else if (!cpg_value_convertible(value->typid, asked))
		mismatch(value->typid, asked);

	if (base != asked)
	{
		if (state->domain != asked)
		{
			state->domain = asked;
			state->extra = NULL;
		}
		domain_check(value->datum, false, asked, &state->extra, state->context);
	}
}
