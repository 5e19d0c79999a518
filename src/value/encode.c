/*-------------------------------------------------------------------------
 *
 * encode.c
 *	  From a datum to the bytes of an item.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "value/value.h"

static void
refuse_record(Oid typid)
{
	if (typid == RECORDOID || typid == RECORDARRAYOID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot cache a value of type %s", format_type_be(typid)),
				 errdetail("What an anonymous record means is known to one session only."),
				 errhint("Cast it to a named composite type, or cache it as jsonb: to_jsonb(...).")));
	if (get_typtype(typid) == TYPTYPE_PSEUDO)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot cache a value of pseudo-type %s", format_type_be(typid))));
}

/* Learn how a type is stored; refuses types that cannot be. */
void
cpg_type_info(Oid typid, CpgTypeInfo *info)
{
	if (typid == TEXTOID || typid == JSONBOID)
	{
		/* most values are of these: no need to ask the catalog */
		*info = (CpgTypeInfo)
		{
			.typid = typid,.typlen = -1,.kind = CPG_KIND_VARLENA
		};
		return;
	}
	refuse_record(typid);
	get_typlenbyval(typid, &info->typlen, &info->typbyval);
	info->structured = cpg_type_is_structured(typid);
	if (info->typbyval)
		info->kind = CPG_KIND_BYVAL;
	else if (info->typlen == -1)
		info->kind = CPG_KIND_VARLENA;
	else if (info->typlen == -2)
		info->kind = CPG_KIND_CSTRING;
	else
		info->kind = CPG_KIND_FIXED;
	info->typid = typid;
}

/*
 * Fill type, kind, shape and bytes of an item.  The bytes lie in the datum, in
 * info or in the current memory context, and hold as long as these.
 */
void
cpg_value_encode(CpgTypeInfo *info, Datum datum, bool isnull, CpgItem *item)
{
	item->typid = info->typid;
	item->kind = info->kind;
	item->isnull = isnull;
	item->shape = info->structured && !isnull ? cpg_type_shape(info->typid) : 0;
	item->data = NULL;
	item->len = 0;
	if (isnull)
		return;

	switch (info->kind)
	{
		case CPG_KIND_BYVAL:
			info->scratch = datum;
			item->data = (char *) &info->scratch;
			item->len = sizeof(Datum);
			break;
		case CPG_KIND_FIXED:
			item->data = DatumGetPointer(datum);
			item->len = info->typlen;
			break;
		case CPG_KIND_CSTRING:
			item->data = DatumGetCString(datum);
			item->len = strlen(item->data) + 1;
			break;
		case CPG_KIND_VARLENA:
			{
				struct varlena *flat = PG_DETOAST_DATUM_PACKED(datum);

				item->data = VARDATA_ANY(flat);
				item->len = VARSIZE_ANY_EXHDR(flat);
				break;
			}
	}
}
