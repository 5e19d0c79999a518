/*-------------------------------------------------------------------------
 *
 * request.c
 *	  A call of cache_fetch as bytes, for a worker.
 *
 * A header, then key, query, arguments, cells and notes of the tags, settings.
 * A request does not outlive the server, nor leave it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "fetch/fetch_internal.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

typedef struct Header
{
	uint64		fingerprint;
	uint64		identity;
	int64		created;
	int64		ttl;
	int64		soft_ttl;
	Oid			login;
	Oid			role;
	Oid			rowtype;
	CpgArgsForm form;
	bool		registered;
	bool		has_consistency;
	bool		ttl_only;
	uint32		key_len;
	uint32		query_len;
	uint32		args_len;
	uint32		ntags;
	uint32		notes_len;
	uint32		settings_len;
	uint32		set_role_len;	/* of the setting "role", with its NUL */
} Header;

static uint32
write_text(const text *t, StringInfo to)
{
	appendBinaryStringInfo(to, VARDATA_ANY(t), (int) VARSIZE_ANY_EXHDR(t));
	return (uint32) VARSIZE_ANY_EXHDR(t);
}

/* One argument: its type, its length (-1 for NULL), its bytes. */
static void
write_value(Oid type, Datum value, bool isnull, StringInfo to)
{
	int16		typlen;
	bool		byval;
	int32		len = -1;
	const char *data = (const char *) &value;

	get_typlenbyval(OidIsValid(type) ? type : UNKNOWNOID, &typlen, &byval);
	if (!isnull && byval)
		len = sizeof(Datum);
	else if (!isnull)
	{
		data = DatumGetPointer(value);
		len = typlen == -1 ? (int32) VARSIZE_ANY(data) :
			typlen == -2 ? (int32) strlen(data) + 1 : typlen;
	}
	appendBinaryStringInfo(to, (const char *) &type, sizeof(type));
	appendBinaryStringInfo(to, (const char *) &len, sizeof(len));
	if (len > 0)
		appendBinaryStringInfo(to, data, len);
}

static void
write_args(const CpgFetch *fetch, Header *header, StringInfo to)
{
	int			begin = to->len;
	CpgArgs		args;

	header->form = fetch->form;
	if (fetch->form == CPG_ARGS_ARRAY)
	{
		ArrayType  *array = DatumGetArrayTypeP(fetch->args);

		appendBinaryStringInfo(to, (const char *) array, (int) VARSIZE(array));
	}
	else if (fetch->form != CPG_ARGS_NONE)
	{
		header->form = CPG_ARGS_LIST;
		cpg_args_read(fetch, &args);
		for (int i = 0; i < args.count; i++)
			write_value(args.types[i], args.values[i], args.nulls[i], to);
	}
	header->args_len = (uint32) (to->len - begin);
}

/* Append a call to an initialized string. */
void
cpg_request_write(const CpgCall *call, StringInfo to)
{
	const CpgFetch *fetch = call->fetch;
	Header		header;
	int			begin;

	memset(&header, 0, sizeof(header));
	header.fingerprint = call->key.fingerprint;
	header.identity = call->identity;
	header.created = call->has_old ? call->old.created : 0;
	header.ttl = fetch->ttl;
	header.soft_ttl = fetch->soft_ttl;
	header.login = GetSessionUserId();
	header.role = GetUserId();
	header.rowtype = fetch->rowtype;
	header.registered = fetch->query == NULL;
	header.has_consistency = fetch->has_consistency;
	header.ttl_only = fetch->ttl_only;
	header.ntags = (uint32) fetch->ntags;
	header.notes_len = fetch->notes_len;
	appendBinaryStringInfo(to, (const char *) &header, sizeof(header));
	header.key_len = write_text(fetch->key, to);
	if (fetch->query != NULL)
		header.query_len = write_text(fetch->query, to);
	write_args(fetch, &header, to);
	appendBinaryStringInfo(to, (const char *) fetch->tags, (int) (fetch->ntags * sizeof(CpgCell)));
	appendBinaryStringInfo(to, fetch->notes_len > 0 ? fetch->notes : "", (int) fetch->notes_len);
	begin = to->len;
	cpg_settings_record(&call->ns->vary, to);
	header.settings_len = (uint32) (to->len - begin);
	begin = to->len;
	appendBinaryStringInfo(to, GetConfigOption("role", false, false),
						   (int) strlen(GetConfigOption("role", false, false)) + 1);
	header.set_role_len = (uint32) (to->len - begin);
	memcpy(to->data, &header, sizeof(header));
}

/* So many bytes, aligned (palloc'd); the position moves behind them. */
static void *
take(const char **at, Size len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, *at, len);
	copy[len] = '\0';
	*at += len;
	return copy;
}

static void
read_value(const char **at, CpgArgs *args, int n)
{
	int16		typlen;
	bool		byval;
	int32		len;
	void	   *data;

	memcpy(&args->types[n], take(at, sizeof(Oid)), sizeof(Oid));
	memcpy(&len, take(at, sizeof(len)), sizeof(len));
	get_typlenbyval(OidIsValid(args->types[n]) ? args->types[n] : UNKNOWNOID, &typlen, &byval);
	args->nulls[n] = len < 0;
	args->values[n] = (Datum) 0;
	if (len < 0)
		return;
	data = take(at, (Size) len);
	if (byval)
		memcpy(&args->values[n], data, sizeof(Datum));
	else
		args->values[n] = PointerGetDatum(data);
}

static CpgArgs *
read_args(const char *at, Size len)
{
	const char *end = at + len;
	CpgArgs    *args = palloc0(sizeof(CpgArgs));

	args->types = palloc0((CPG_FETCH_ARGS_MAX + 1) * sizeof(Oid));
	args->values = palloc0((CPG_FETCH_ARGS_MAX + 1) * sizeof(Datum));
	args->nulls = palloc0((CPG_FETCH_ARGS_MAX + 1) * sizeof(bool));
	while (at < end && args->count < CPG_FETCH_ARGS_MAX)
		read_value(&at, args, args->count++);
	return args;
}

/* The call in a request; all of it is in the current memory context. */
void
cpg_request_read(const char *data, Size len, CpgRefreshRequest *request)
{
	CpgFetch   *fetch = &request->fetch;
	const char *at = data + sizeof(Header);
	Header		header;

	memset(request, 0, sizeof(*request));
	memcpy(&header, data, sizeof(header));
	request->fingerprint = header.fingerprint;
	request->identity = header.identity;
	request->created = header.created;
	request->login = header.login;
	request->role = header.role;
	fetch->key = cstring_to_text_with_len(at, (int) header.key_len);
	at += header.key_len;
	if (!header.registered)
		fetch->query = cstring_to_text_with_len(at, (int) header.query_len);
	at += header.query_len;
	fetch->form = header.form;
	if (header.form == CPG_ARGS_ARRAY)
		fetch->args = PointerGetDatum(take(&at, header.args_len));
	else
	{
		if (header.form == CPG_ARGS_LIST)
			fetch->list = read_args(at, header.args_len);
		at += header.args_len;
	}
	fetch->memo = &request->memo;
	fetch->memo_context = CurrentMemoryContext;
	fetch->ttl = header.ttl;
	fetch->soft_ttl = header.soft_ttl;
	fetch->rowtype = header.rowtype;
	fetch->has_consistency = header.has_consistency;
	fetch->ttl_only = header.ttl_only;
	fetch->ntags = (int) header.ntags;
	fetch->tags = take(&at, header.ntags * sizeof(CpgCell));
	fetch->notes_len = header.notes_len;
	fetch->notes = take(&at, header.notes_len);
	request->settings_len = header.settings_len;
	request->settings = take(&at, header.settings_len);
	request->set_role = take(&at, header.set_role_len);
	Assert(at == data + len);
}
