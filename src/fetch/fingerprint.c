/*-------------------------------------------------------------------------
 *
 * fingerprint.c
 *	  What a fetched value was computed by and from.
 *
 * A fetch takes only an entry with its own fingerprint: query text, arguments,
 * the schemas in which names are looked up, and the settings that change how
 * values are written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "compat.h"
#include "core/hash.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/bytea.h"
#include "utils/float.h"

/* Longer paths cost an allocation. */
#define SOME_SCHEMAS 16

static uint64
hash_string(const char *string, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) string, (int) strlen(string), seed);
}

static uint64
hash_search_path(uint64 hash)
{
	Oid			some[SOME_SCHEMAS];
	Oid		   *path = some;
	int			count = fetch_search_path_array(path, SOME_SCHEMAS);

	if (count > SOME_SCHEMAS)
	{
		path = palloc(count * sizeof(Oid));
		count = Min(fetch_search_path_array(path, count), count);
	}
	for (int i = 0; i < count; i++)
		hash = cpg_hash_combine(hash, path[i]);
	if (path != some)
		pfree(path);
	return hash;
}

static uint64
hash_format_settings(uint64 hash)
{
	hash = cpg_hash_combine(hash, (uint64) DateStyle << 32 | (uint32) DateOrder);
	hash = cpg_hash_combine(hash, (uint64) IntervalStyle << 32 | (uint32) bytea_output);
	hash = cpg_hash_combine(hash, (uint64) (int64) extra_float_digits);
	return hash_string(pg_get_timezone_name(session_timezone), hash);
}

/* The fingerprint of a fetch, never 0. */
uint64
cpg_fetch_fingerprint(const CpgFetch *fetch)
{
	uint64		hash;

	hash = hash_bytes_extended((unsigned char *) VARDATA_ANY(fetch->query),
							   (int) VARSIZE_ANY_EXHDR(fetch->query), 0);
	hash = cpg_args_hash(&fetch->args, hash);
	hash = hash_search_path(hash);
	hash = hash_format_settings(hash);
	return hash == 0 ? 1 : hash;
}
