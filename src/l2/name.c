/*-------------------------------------------------------------------------
 *
 * name.c
 *	  What a value is called in Redis.  See docs/wire-formats.md.
 *
 * Identities inside of a server are hashes of OIDs with a secret seed.  In Redis
 * they have to mean the same to every server of a cluster and after a restart,
 * so names take the place of OIDs, and SHA-256 that of the hash: a fingerprint
 * is made of the query, the types and texts of its arguments, the schemas in
 * which it looks for names, the settings on which its result may depend, and who
 * logged in, if that counts; or of the registered loader's signature and body;
 * and of the consistency.  Each part comes with its length, so that no two lists of
 * parts are the same bytes.
 *
 * What was set has no fingerprint.  What has neither that nor a role lies under
 * the plain key, where applications find it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "commands/dbcommands.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "guc.h"
#include "l2/name.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#define SCHEMAS_MAX 64

static void
add_bytes(StringInfo parts, const char *data, Size len)
{
	uint32		n = (uint32) len;

	appendBinaryStringInfo(parts, (const char *) &n, sizeof(n));
	appendBinaryStringInfo(parts, data, (int) len);
}

static void
add_text(StringInfo parts, const char *text)
{
	add_bytes(parts, text, strlen(text));
}

/* The first half of the SHA-256 of some bytes. */
static void
digest(const char *data, Size len, uint8 *out)
{
	uint8		all[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

	if (ctx == NULL || pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (const uint8 *) data, len) < 0 ||
		pg_cryptohash_final(ctx, all, sizeof(all)) < 0)
		elog(ERROR, "could not compute a SHA-256");
	pg_cryptohash_free(ctx);
	memcpy(out, all, CPG_FRAME_ID_LEN);
}

/* The database's name is looked up once: nobody renames it under a session. */
static const char *
database_name(void)
{
	static NameData name;

	if (NameStr(name)[0] == '\0')
	{
		char	   *found = get_database_name(MyDatabaseId);

		if (found == NULL)
			elog(ERROR, "could not find the own database");
		strlcpy(NameStr(name), found, sizeof(name));
		pfree(found);
	}
	return NameStr(name);
}

static bool
is_plain(const CpgL2Name *name)
{
	static const uint8 zero[CPG_FRAME_ID_LEN] = {0};

	return name->role[0] == '\0' && memcmp(name->fingerprint, zero, sizeof(zero)) == 0;
}

/* The key in Redis: the plain one, or one with the digest of the identity. */
static void
make_key(CpgL2Name *name)
{
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "cachepg:%s:v:%s:", cpg_cluster, name->database);
	appendBinaryStringInfo(&key, name->user_key.data, (int) name->user_key.len);
	if (!is_plain(name))
	{
		StringInfoData parts;
		uint8		id[CPG_FRAME_ID_LEN];

		initStringInfo(&parts);
		add_text(&parts, name->role);
		add_text(&parts, name->settings);
		add_bytes(&parts, (const char *) name->fingerprint, CPG_FRAME_ID_LEN);
		digest(parts.data, parts.len, id);
		appendStringInfoChar(&key, '#');
		for (int i = 0; i < CPG_FRAME_ID_LEN; i++)
			appendStringInfo(&key, "%02x", id[i]);
	}
	name->key = key.data;
	name->key_len = key.len;
}

static void
begin_name(const CpgNamespace *ns, const CpgKey *key, CpgL2Name *name)
{
	memset(name, 0, sizeof(*name));
	name->user_key = cpg_span(key->data, key->len);
	name->namespace = pstrdup(ns->name);
	name->database = database_name();
	name->role = OidIsValid(key->role) ? GetUserNameFromId(key->role, false) : "";
	name->settings = "";
}

/* The name of what was set under a key. */
void
cpg_l2_name_of_key(const CpgNamespace *ns, const CpgKey *key, CpgL2Name *name)
{
	begin_name(ns, key, name);
	make_key(name);
}

static void
add_search_path(StringInfo parts)
{
	Oid			path[SCHEMAS_MAX];
	int			count = Min(fetch_search_path_array(path, SCHEMAS_MAX), SCHEMAS_MAX);

	for (int i = 0; i < count; i++)
	{
		char	   *schema = get_namespace_name(path[i]);

		add_text(parts, schema != NULL ? schema : "");
	}
}

static void
add_args(StringInfo parts, const CpgFetch *fetch)
{
	CpgArgs		args;

	cpg_args_read(fetch, &args);
	for (int i = 0; i < args.count; i++)
	{
		Oid			output;
		bool		varlena;

		if (!OidIsValid(args.types[i]))
		{
			/* a C string, which takes its type from the query */
			add_text(parts, "");
			add_text(parts, args.nulls[i] ? "" : DatumGetCString(args.values[i]));
			add_text(parts, args.nulls[i] ? "null" : "");
			continue;
		}
		getTypeOutputInfo(args.types[i], &output, &varlena);
		add_text(parts, format_type_be_qualified(args.types[i]));
		add_text(parts, args.nulls[i] ? "" : OidOutputFunctionCall(output, args.values[i]));
		add_text(parts, args.nulls[i] ? "null" : "");
	}
}

static void
add_query(StringInfo parts, const CpgFetch *fetch, const CpgNamespace *ns)
{
	StringInfoData settings;

	add_text(parts, "query");
	add_bytes(parts, VARDATA_ANY(fetch->query), VARSIZE_ANY_EXHDR(fetch->query));
	add_args(parts, fetch);
	add_text(parts, "path");
	add_search_path(parts);
	add_text(parts, "settings");
	initStringInfo(&settings);
	cpg_settings_record(&ns->vary, &settings);
	add_bytes(parts, settings.data, settings.len);
	add_text(parts, cpg_identity_has_login(ns) ?
			 GetUserNameFromId(GetSessionUserId(), false) : "");
	add_text(parts, OidIsValid(fetch->rowtype) ? format_type_be_qualified(fetch->rowtype) : "");
}

/* The registered loader: what it is called and does, whatever its OID. */
static void
add_loader(StringInfo parts, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	Datum		source;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	add_text(parts, "loader");
	add_text(parts, format_procedure_qualified(function));
	add_text(parts, isnull ? "" : TextDatumGetCString(source));
	ReleaseSysCache(tuple);
}

/* Settings named in vary_by, a line each. */
static const char *
vary_text(const CpgNamespace *ns)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; !ns->vary.all && i < ns->vary.count; i++)
	{
		const char *value = GetConfigOption(ns->vary.names[i], true, false);

		appendStringInfo(&text, "%s=%s\n", ns->vary.names[i], value != NULL ? value : "");
	}
	return text.data;
}

/*
 * The name of what a fetch loads, by its query or a registered function, by its
 * lifetime alone or not; its key has the role.
 */
void
cpg_l2_name_of_fetch(const CpgFetch *fetch, const CpgNamespace *ns, Oid function,
					 bool ttl_only, const CpgKey *key, CpgL2Name *name)
{
	StringInfoData parts;

	begin_name(ns, key, name);
	name->settings = vary_text(ns);
	initStringInfo(&parts);
	if (fetch->query != NULL)
		add_query(&parts, fetch, ns);
	else
		add_loader(&parts, function);
	add_text(&parts, ttl_only ? "ttl" : "commit");
	digest(parts.data, parts.len, name->fingerprint);
	make_key(name);
}

/* Fill the fields of a frame that say whose it is. */
void
cpg_l2_name_into(const CpgL2Name *name, CpgFrame *frame)
{
	frame->key = name->user_key;
	frame->namespace = cpg_span(name->namespace, strlen(name->namespace));
	frame->database = cpg_span(name->database, strlen(name->database));
	frame->role = cpg_span(name->role, strlen(name->role));
	frame->settings = cpg_span(name->settings, strlen(name->settings));
	memcpy(frame->fingerprint, name->fingerprint, sizeof(frame->fingerprint));
}

static bool
is_text(CpgSpan span, const char *text)
{
	return cpg_span_equal(span, cpg_span(text, strlen(text)));
}

/*
 * Whether a frame is of what was asked for, and not of a key with the same hash,
 * or with the same text in a namespace that there was before, or in none.
 */
bool
cpg_l2_name_matches(const CpgL2Name *name, const CpgFrame *frame)
{
	return cpg_span_equal(frame->key, name->user_key) &&
		is_text(frame->namespace, name->namespace) && is_text(frame->database, name->database) &&
		is_text(frame->role, name->role) && is_text(frame->settings, name->settings) &&
		memcmp(frame->fingerprint, name->fingerprint, sizeof(frame->fingerprint)) == 0;
}

/*
 * Of some things that are with nodes, the next few that one node has: their
 * indexes in chunk[], which has CPG_L2_CHUNK places, their number, and *node.  0
 * when there are no more.  A negative node has nothing.  Those given are taken
 * out of nodes[].
 */
int
cpg_l2_next_chunk(int *nodes, int count, int *chunk, int *node)
{
	int			n = 0;

	*node = -1;
	for (int i = 0; i < count && n < CPG_L2_CHUNK; i++)
	{
		if (nodes[i] < 0 || (n > 0 && nodes[i] != *node))
			continue;
		*node = nodes[i];
		nodes[i] = -1;
		chunk[n++] = i;
	}
	return n;
}
