#include "postgres.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "codec/temporary.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "catalog/namespace.h"

bool
cpg_codec_encode(CpgFrameCodec wanted, Oid type, Datum value, bool isnull, int above, CpgEncoded *out)
{
	Oid			f;
	bool		v;

	memset(out, 0, sizeof(*out));
	out->codec = CPG_FRAME_JSON;
	if (isnull)
	{
		out->flags = CPG_FRAME_NULL;
		return true;
	}
	getTypeOutputInfo(type, &f, &v);
	out->data = OidOutputFunctionCall(f, value);
	out->len = out->raw_len = strlen(out->data);
	return true;
}

bool
cpg_codec_decode(const CpgFrame *frame, Oid type, Size max, Datum *value)
{
	Oid			f,
				p;

	if (frame->flags & CPG_FRAME_NULL)
		return true;
	getTypeInputInfo(type, &f, &p);
	*value = OidInputFunctionCall(f, pnstrdup(frame->payload.data, frame->payload.len), p, -1);
	return true;
}

Oid
cpg_codec_type(CpgSpan schema, CpgSpan name)
{
	Oid			ns = get_namespace_oid(pnstrdup(schema.data, schema.len), true);

	return OidIsValid(ns) ? GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(pnstrdup(name.data, name.len)), ObjectIdGetDatum(ns)) : InvalidOid;
}

bool
cpg_codec_name(Oid type, CpgSpan *schema, CpgSpan *name)
{
	HeapTuple	t = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type f = (Form_pg_type) GETSTRUCT(t);
	char	   *s = get_namespace_name(f->typnamespace);
	char	   *n = pstrdup(NameStr(f->typname));

	ReleaseSysCache(t);
	*schema = cpg_span(s, strlen(s));
	*name = cpg_span(n, strlen(n));
	return true;
}
