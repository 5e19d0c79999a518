/*-------------------------------------------------------------------------
 *
 * wanted.c
 *	  Whether a value from Redis can be given as what it is wanted as.
 *
 * A value in the memory of this server is of the type that somebody stored, and
 * to ask for another one is an error of the query.  One in Redis is nobody's
 * word, its type included: what cannot be given is not there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec.h"
#include "l2/l2.h"
#include "utils/lsyscache.h"
#include "value/value.h"

typedef struct Conversion
{
	Oid			typid;
	Datum		datum;
	Oid			asked;
} Conversion;

/* Whether a value of a type may be what is wanted: to be asked before it is decoded. */
bool
cpg_l2_wants_type(const CpgL2Request *request, Oid typid, bool isnull)
{
	if (request->as == CPG_L2_AS_TYPE)
		return typid == request->wanted;
	return request->as != CPG_L2_AS_CONVERTED || isnull ||
		cpg_value_convertible(typid, request->wanted);
}

static bool
convert(void *argument)
{
	Conversion *conversion = argument;
	CpgDomainState state = {.context = CurrentMemoryContext};
	CpgValue	value = {.typid = conversion->typid,.datum = conversion->datum};

	cpg_value_convert(&value, conversion->asked, &state);
	return true;
}

static bool
convert_to_jsonb(void *argument)
{
	Conversion *conversion = argument;

	(void) cpg_value_show(conversion->typid, conversion->datum);
	return true;
}

/* Whether a value (not NULL) of such a type is what is wanted. */
bool
cpg_l2_wants(const CpgL2Request *request, Oid typid, Datum datum)
{
	Conversion	conversion = {typid, datum, request->wanted};

	switch (request->as)
	{
		case CPG_L2_AS_IT_IS:
		case CPG_L2_AS_TYPE:
			return true;
		case CPG_L2_AS_CONVERTED:
			/* of a domain, its decoder has checked it */
			return typid == request->wanted ||
				(cpg_value_in_range(typid, datum, request->wanted) &&
				 (getBaseType(request->wanted) == request->wanted || cpg_codec_guarded(convert, &conversion)));
		case CPG_L2_AS_JSONB:
			/* not all json can be jsonb */
			return cpg_value_is_simple(typid) || cpg_codec_guarded(convert_to_jsonb, &conversion);
	}
	return false;
}
