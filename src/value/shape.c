/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  Fingerprint of the composite types inside a type.
 *
 * Descends into composites, arrays, ranges, multiranges and domains.  Columns
 * count with name, type, modifier and being dropped, in order: whatever ALTER
 * TYPE or ALTER TABLE changes of them changes the fingerprint.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "core/hash.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "value/value.h"

/* What a domain is one of, which may be a domain too. */
static Oid
next_base(Oid domain)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
	Oid			base = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		base = ((Form_pg_type) GETSTRUCT(tuple))->typbasetype;
		ReleaseSysCache(tuple);
	}
	return base;
}

/*
 * The type one level inside an array, range, multirange or domain, by its
 * typtype; InvalidOid if none.
 */
Oid
cpg_type_inside(Oid typid, char typtype)
{
	switch (typtype)
	{
		case TYPTYPE_DOMAIN:
			return next_base(typid);
		case TYPTYPE_RANGE:
			return get_range_subtype(typid);
		case TYPTYPE_MULTIRANGE:
			return get_range_subtype(get_multirange_range(typid));
		default:
			return get_element_type(typid);
	}
}

/* Whether a type has a shape. */
bool
cpg_type_is_structured(Oid typid)
{
	char		typtype = get_typtype(typid);
	Oid			inner;

	if (typtype == TYPTYPE_COMPOSITE)
		return true;
	inner = cpg_type_inside(typid, typtype);
	return OidIsValid(inner) && cpg_type_is_structured(inner);
}

static uint64
composite_shape(Oid typid)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(typid, -1);
	uint64		shape = cpg_hash_mix(typid);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		shape = cpg_hash_combine(shape, ((uint64) att->atttypid << 32) | (uint32) att->atttypmod);
		shape = cpg_hash_combine(shape, att->attisdropped);
		shape = cpg_hash_combine(shape, hash_bytes_extended((unsigned char *) NameStr(att->attname),
															(int) strlen(NameStr(att->attname)), 0));
		if (!att->attisdropped)
			shape = cpg_hash_combine(shape, cpg_type_shape(att->atttypid));
	}
	ReleaseTupleDesc(desc);
	return shape;
}

/* The fingerprint of a type's shape, 0 if it contains no composite. */
uint64
cpg_type_shape(Oid typid)
{
	char		typtype = get_typtype(typid);
	Oid			inner;
	uint64		shape;

	check_stack_depth();
	if (typtype == TYPTYPE_COMPOSITE)
	{
		shape = composite_shape(typid);
		return shape == 0 ? 1 : shape;
	}
	inner = cpg_type_inside(typid, typtype);
	return OidIsValid(inner) ? cpg_type_shape(inner) : 0;
}
