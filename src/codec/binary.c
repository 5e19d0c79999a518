/*-------------------------------------------------------------------------
 *
 * binary.c
 *	  Codec binary: what the send function of a type makes.
 *
 * Text in it is in the encoding of the client; for this while that is UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/codec_internal.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

typedef struct Call
{
	const CpgCodecType *type;
	CpgSpan		bytes;
	Datum		datum;
} Call;

/* Run a function with UTF-8 as the encoding of the client; false if that cannot be. */
static bool
as_utf8(bool (*function) (Call *call), Call *call)
{
	int			encoding = pg_get_client_encoding();
	volatile bool done = false;

	if (encoding == PG_UTF8)
		return function(call);
	if (PrepareClientEncoding(PG_UTF8) < 0 || SetClientEncoding(PG_UTF8) < 0)
		return false;
	PG_TRY();
	{
		done = function(call);
	}
	PG_FINALLY();
	{
		(void) SetClientEncoding(encoding);
	}
	PG_END_TRY();
	return done;
}

static bool
send(Call *call)
{
	Oid			function;
	bool		varlena;
	bytea	   *bytes;

	getTypeBinaryOutputInfo(call->type->typid, &function, &varlena);
	bytes = OidSendFunctionCall(function, call->datum);
	call->bytes = cpg_span(VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ);
	return true;
}

/* The next four bytes as a number; 0 if there are none. */
static uint32
take_number(CpgSpan *from)
{
	uint32		number;

	if (from->len < sizeof(number))
		return 0;
	memcpy(&number, from->data, sizeof(number));
	from->data += sizeof(number);
	from->len -= sizeof(number);
	return pg_ntoh32(number);
}

/*
 * Whether an array can have the elements that it says it has: each has a length
 * before it.  Its receive function takes memory for them first.
 */
static bool
has_its_elements(CpgSpan bytes)
{
	uint32		dimensions = take_number(&bytes);
	uint64		elements = 1;

	/* flags and the type of the elements */
	(void) take_number(&bytes);
	(void) take_number(&bytes);
	if (dimensions > MAXDIM || bytes.len < dimensions * 8)
		return false;
	for (uint32 i = 0; i < dimensions; i++)
	{
		elements *= take_number(&bytes);
		(void) take_number(&bytes);
		if (elements > bytes.len / 4)
			return false;
	}
	return true;
}

static bool
receive(Call *call)
{
	StringInfoData buffer;
	Oid			function;
	Oid			parameter;

	if (OidIsValid(get_element_type(call->type->base)) && !has_its_elements(call->bytes))
		return false;
	/* a copy, since these functions may write a NUL behind what they read */
	initStringInfo(&buffer);
	if (call->bytes.len > 0)
		appendBinaryStringInfo(&buffer, call->bytes.data, (int) call->bytes.len);
	getTypeBinaryInputInfo(call->type->typid, &function, &parameter);
	call->datum = OidReceiveFunctionCall(function, &buffer, parameter, -1);
	return buffer.cursor == buffer.len;
}

static int
length_of(Oid integer)
{
	return integer == INT2OID ? 2 : integer == INT4OID ? 4 : 8;
}

static CpgSpan
encode_integer(const CpgCodecType *type, Datum datum)
{
	uint64		bytes = pg_hton64((uint64) cpg_integer_of(type->base, datum));
	int			len = length_of(type->base);

	return cpg_span(memcpy(palloc(len), (char *) &bytes + sizeof(bytes) - len, len), len);
}

bool
cpg_binary_encode(const CpgCodecType *type, Datum datum, CpgSpan *bytes)
{
	Call		call = {.type = type,.datum = datum};
	struct varlena *flat;

	switch (type->class)
	{
		case CPG_CLASS_BOOLEAN:
			*bytes = cpg_span(DatumGetBool(datum) ? "\001" : "\0", 1);
			return true;
		case CPG_CLASS_INTEGER:
			*bytes = encode_integer(type, datum);
			return true;
		case CPG_CLASS_BYTEA:
			flat = PG_DETOAST_DATUM_PACKED(datum);
			*bytes = cpg_span(VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
			return true;
		case CPG_CLASS_TEXT:
		case CPG_CLASS_JSON:
			flat = PG_DETOAST_DATUM_PACKED(datum);
			*bytes = cpg_codec_to_utf8(VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
			return true;
		case CPG_CLASS_JSONB:
		case CPG_CLASS_OTHER:
			break;
	}
	if (!as_utf8(send, &call))
		return false;
	*bytes = call.bytes;
	return true;
}

static bool
decode_integer(Oid base, CpgSpan bytes, Datum *datum)
{
	uint64		number = bytes.len > 0 && IS_HIGHBIT_SET(bytes.data[0]) ? PG_UINT64_MAX : 0;

	if (bytes.len != (size_t) length_of(base))
		return false;
	for (size_t i = 0; i < bytes.len; i++)
		number = number << 8 | (unsigned char) bytes.data[i];
	return cpg_integer_datum(base, (int64) number, datum);
}

/* A text or what jsonb_send makes of a jsonb: 1 and a text. */
static bool
decode_jsonb(const CpgCodecType *type, CpgSpan bytes, Datum *datum)
{
	if (bytes.len < 1 || bytes.data[0] != 1)
		return false;
	return cpg_codec_from_text(type, cpg_span(bytes.data + 1, bytes.len - 1), datum);
}

static bool
decode_base(const CpgCodecType *type, CpgSpan bytes, Datum *datum)
{
	Call		call = {.type = type,.bytes = bytes};

	switch (type->class)
	{
		case CPG_CLASS_BOOLEAN:
			*datum = BoolGetDatum(bytes.len > 0 && bytes.data[0] == 1);
			return bytes.len == 1 && (unsigned char) bytes.data[0] <= 1;
		case CPG_CLASS_INTEGER:
			return decode_integer(type->base, bytes, datum);
		case CPG_CLASS_BYTEA:
			return cpg_bytea_datum(bytes, datum);
		case CPG_CLASS_TEXT:
			return cpg_text_datum(bytes, datum);
		case CPG_CLASS_JSONB:
			return decode_jsonb(type, bytes, datum);
		case CPG_CLASS_JSON:
		case CPG_CLASS_OTHER:
			break;
	}
	if (!as_utf8(receive, &call))
		return false;
	*datum = call.datum;
	return true;
}

bool
cpg_binary_decode(const CpgCodecType *type, CpgSpan bytes, Datum *datum)
{
	Call		call = {.type = type,.bytes = bytes};

	if (type->base == type->typid)
		return decode_base(type, bytes, datum);
	/* the receive function of a domain checks it */
	if (!as_utf8(receive, &call))
		return false;
	*datum = call.datum;
	return true;
}
