/*-------------------------------------------------------------------------
 *
 * types.c
 *	  Types as several servers know them: by name.
 *
 * The name of a type that contains a composite ends in # and 16 hexadecimal
 * digits, a fingerprint of the names and types of all columns, so that a value
 * written before ALTER TYPE, or by a server whose type looks different, is not
 * taken for one of today's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "codec/codec_internal.h"
#include "common/hashfn.h"
#include "core/hash.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "value/value.h"

#define SHAPE_LEN 17

/* How a type is written. */
CpgCodecType
cpg_codec_type_of(Oid typid)
{
	CpgCodecType type = {.typid = typid,.base = typid,.class = CPG_CLASS_OTHER};

	if (typid >= FirstNormalObjectId)
		type.base = getBaseType(typid);
	switch (type.base)
	{
		case BOOLOID:
			type.class = CPG_CLASS_BOOLEAN;
			break;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			type.class = CPG_CLASS_INTEGER;
			break;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			type.class = CPG_CLASS_TEXT;
			break;
		case BYTEAOID:
			type.class = CPG_CLASS_BYTEA;
			break;
		case JSONBOID:
			type.class = CPG_CLASS_JSONB;
			break;
		case JSONOID:
			type.class = CPG_CLASS_JSON;
			break;
	}
	return type;
}

/* Whether values are OIDs of things that other servers number differently. */
static bool
is_reference(Oid typid)
{
	switch (typid)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
			return true;
	}
	return false;
}

static bool
has_binary_form(Oid typid)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	bool		has = false;

	if (HeapTupleIsValid(tuple))
	{
		has = OidIsValid(((Form_pg_type) GETSTRUCT(tuple))->typsend) &&
			OidIsValid(((Form_pg_type) GETSTRUCT(tuple))->typreceive);
		ReleaseSysCache(tuple);
	}
	return has;
}

/*
 * Whether the receive function of a built-in type takes no more memory than its
 * bytes are worth.  Others, as those of arrays, multiranges, varbit, path and
 * polygon, read a number of things and take memory for them, up to 1 GB, before
 * they see that they are not there.
 */
static bool
is_frugal(Oid typid)
{
	switch (typid)
	{
		case BYTEAOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
		case JSONBOID:
		case JSONPATHOID:
		case XMLOID:
		case NUMERICOID:
		case INETOID:
		case CIDROID:
			return true;
	}
	return get_typlen(typid) > 0 || get_typtype(typid) == TYPTYPE_RANGE;
}

/* Whether a type is built in, and of one piece. */
static bool
is_built_in(Oid typid)
{
	return typid < FirstNormalObjectId && !is_reference(typid) && has_binary_form(typid) &&
		get_typtype(typid) != TYPTYPE_PSEUDO && get_typtype(typid) != TYPTYPE_COMPOSITE &&
		is_frugal(typid);
}

/* The binary form of a composite names the types of its columns. */
static bool
has_built_in_columns(Oid typid)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(typid, -1);
	bool		all = true;

	for (int i = 0; i < desc->natts && all; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			all = is_built_in(TupleDescAttr(desc, i)->atttypid);
	}
	ReleaseTupleDesc(desc);
	return all;
}

/*
 * Whether the binary form of a type means the same on every server, with no OID
 * in it but built-in ones, and can be read from nobody's hands.  The type itself
 * may be anybody's domain, range or composite of such.  An array is one whose
 * elements are; binary.c looks at how many it says there are.
 */
bool
cpg_codec_is_portable(Oid typid)
{
	Oid			base = getBaseType(typid);
	Oid			element = get_element_type(base);

	if (OidIsValid(element))
		return is_built_in(element);
	if (is_built_in(base))
		return true;
	if (!has_binary_form(base))
		return false;
	switch (get_typtype(base))
	{
		case TYPTYPE_COMPOSITE:
			return base >= FirstNormalObjectId && has_built_in_columns(base);
		case TYPTYPE_RANGE:
			return is_built_in(get_range_subtype(base));
		default:
			return false;
	}
}

static uint64
mix_text(uint64 shape, const char *text)
{
	return cpg_hash_combine(shape, hash_bytes_extended((const unsigned char *) text, (int) strlen(text), 0));
}

static uint64 mix_type(uint64 shape, Oid typid);

static uint64
mix_columns(uint64 shape, Oid typid)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(typid, -1, true);

	for (int i = 0; desc != NULL && i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		shape = mix_text(shape, NameStr(att->attname));
		shape = cpg_hash_combine(shape, (uint32) att->atttypmod);
		shape = mix_type(shape, att->atttypid);
	}
	if (desc != NULL)
		ReleaseTupleDesc(desc);
	return shape;
}

/* Mix in the name of a type, of what is inside it, and of its columns. */
static uint64
mix_type(uint64 shape, Oid typid)
{
	HeapTuple	tuple;
	Oid			inner;

	check_stack_depth();
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	if (!HeapTupleIsValid(tuple))
		return shape;
	shape = mix_text(shape, NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname));
	inner = cpg_type_inside(typid, ((Form_pg_type) GETSTRUCT(tuple))->typtype);
	if (((Form_pg_type) GETSTRUCT(tuple))->typtype == TYPTYPE_COMPOSITE)
		shape = mix_columns(shape, typid);
	ReleaseSysCache(tuple);
	return OidIsValid(inner) ? mix_type(shape, inner) : shape;
}

/* Whether a name means the same in other encodings too. */
static bool
is_common(const char *name, size_t len)
{
	if (GetDatabaseEncoding() == PG_UTF8)
		return cpg_utf8_is_text(cpg_span(name, len));
	for (size_t i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(name[i]))
			return false;
	}
	return true;
}

/* The name under which servers know a type, its fingerprint included. */
static char *
shared_name(Oid typid, const char *name)
{
	uint64		shape;

	if (!cpg_type_is_structured(typid))
		return pstrdup(name);
	shape = mix_type(0, typid);
	return psprintf("%s#%08x%08x", name, (uint32) (shape >> 32), (uint32) shape);
}

/*
 * The schema and name of a type (palloc'd); false if it is none that servers
 * can share: temporary, a pseudo-type, or with a name that is not ASCII in a
 * database whose encoding is not UTF-8.
 */
bool
cpg_codec_name(Oid typid, CpgSpan *schema, CpgSpan *name)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	Form_pg_type form;
	char	   *schema_name;
	char	   *type_name;
	bool		shared;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_type) GETSTRUCT(tuple);
	schema_name = get_namespace_name(form->typnamespace);
	type_name = pstrdup(NameStr(form->typname));
	shared = form->typtype != TYPTYPE_PSEUDO && !isAnyTempNamespace(form->typnamespace);
	ReleaseSysCache(tuple);
	if (!shared || schema_name == NULL || !is_common(schema_name, strlen(schema_name)) ||
		!is_common(type_name, strlen(type_name)))
		return false;
	type_name = shared_name(typid, type_name);
	*schema = cpg_span(schema_name, strlen(schema_name));
	*name = cpg_span(type_name, strlen(type_name));
	return true;
}

static Oid
find(const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);
	Oid			typid;

	if (!OidIsValid(namespace) || isAnyTempNamespace(namespace))
		return InvalidOid;
	typid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name), ObjectIdGetDatum(namespace));
	if (!OidIsValid(typid) || !get_typisdefined(typid) || get_typtype(typid) == TYPTYPE_PSEUDO)
		return InvalidOid;
	return typid;
}

/* Whether a name may be one of a schema or type, with so many bytes at most. */
static bool
is_name(CpgSpan name, size_t max)
{
	return name.len > 0 && name.len <= max && memchr(name.data, '\0', name.len) == NULL &&
		is_common(name.data, name.len);
}

/* A type with columns, by its name with the fingerprint. */
static Oid
find_structured(const char *schema, const char *shared)
{
	size_t		len = strlen(shared);
	char	   *name;
	Oid			typid;

	if (len <= SHAPE_LEN || len - SHAPE_LEN >= NAMEDATALEN || shared[len - SHAPE_LEN] != '#')
		return InvalidOid;
	name = pnstrdup(shared, len - SHAPE_LEN);
	typid = find(schema, name);
	if (!OidIsValid(typid) || !cpg_type_is_structured(typid) ||
		strcmp(shared_name(typid, name), shared) != 0)
		return InvalidOid;
	return typid;
}

/*
 * The type that cpg_codec_name has named, if it is here and has the same
 * columns; else InvalidOid.  Needs no privilege on the schema.
 */
Oid
cpg_codec_type(CpgSpan schema, CpgSpan name)
{
	char	   *schema_name;
	char	   *type_name;
	Oid			typid;

	if (!is_name(schema, NAMEDATALEN - 1) || !is_name(name, NAMEDATALEN - 1 + SHAPE_LEN))
		return InvalidOid;
	schema_name = pnstrdup(schema.data, schema.len);
	type_name = pnstrdup(name.data, name.len);
	typid = find_structured(schema_name, type_name);
	if (OidIsValid(typid) || name.len >= NAMEDATALEN)
		return typid;
	typid = find(schema_name, type_name);
	return OidIsValid(typid) && !cpg_type_is_structured(typid) ? typid : InvalidOid;
}
