/*-------------------------------------------------------------------------
 *
 * fingerprint.c
 *	  What a fetched value was computed by and from.
 *
 * A fetch takes only an entry with its own fingerprint: query text, arguments,
 * the schemas in which names are looked up, the settings that change results,
 * who logged in; or the registered loader's function in its present version; and
 * the consistency asked for, since what is kept by its lifetime alone is not what
 * commits invalidate.
 * The upper half stands for the application's settings alone, by which
 * cache_get chooses (see store/store.h); the lower half is mixed with all.
 *
 * Hashes begin with the server's secret seed: nobody can construct a query
 * whose fingerprint is that of another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "compat.h"
#include "core/hash.h"
#include "loader/loader.h"
#include "policy/key.h"
#include "shmem.h"

/* Longer paths cost an allocation. */
#define SOME_SCHEMAS 16

/* Longer queries are hashed anew each time. */
#define MEMO_MAX 8192

/* The hash of a path, remembered: it is the same from one call to the next. */
static uint64
hash_of_path(const Oid *path, int count)
{
	static Oid	last[SOME_SCHEMAS];
	static int	last_count = -1;
	static uint64 hash;

	if (likely(count == last_count && memcmp(path, last, count * sizeof(Oid)) == 0))
		return hash;
	hash = 0;
	for (int i = 0; i < count; i++)
		hash = cpg_hash_combine(hash, path[i]);
	last_count = count <= SOME_SCHEMAS ? count : -1;
	memcpy(last, path, Min(count, SOME_SCHEMAS) * sizeof(Oid));
	return hash;
}

/* A hash of the schemas that search_path stands for. */
uint64
cpg_hash_search_path(uint64 seed)
{
	Oid			some[SOME_SCHEMAS];
	Oid		   *path = some;
	int			count = fetch_search_path_array(path, SOME_SCHEMAS);
	uint64		hash;

	if (count > SOME_SCHEMAS)
	{
		path = palloc(count * sizeof(Oid));
		count = Min(fetch_search_path_array(path, count), count);
	}
	hash = hash_of_path(path, count);
	if (path != some)
		pfree(path);
	return cpg_hash_combine(seed, hash);
}

/* The hash of the query text, from the call site if it had the same before. */
static uint64
hash_query(const CpgFetch *fetch)
{
	const char *query = VARDATA_ANY(fetch->query);
	Size		len = VARSIZE_ANY_EXHDR(fetch->query);
	CpgQueryMemo *memo = *fetch->memo;
	uint64		hash;

	if (likely(memo != NULL && memo->len == len && memcmp(memo->query, query, len) == 0))
		return memo->hash;
	hash = hash_bytes_extended((const unsigned char *) query, (int) len,
							   cpg_guard->config.seed);
	if (len > MEMO_MAX)
		return hash;
	if (memo == NULL || memo->len < len)
	{
		if (memo != NULL)
			pfree(memo);
		*fetch->memo = NULL;
		*fetch->memo = memo = MemoryContextAlloc(fetch->memo_context,
												 offsetof(CpgQueryMemo, query) + len);
	}
	memo->len = len;
	memo->hash = hash;
	memcpy(memo->query, query, len);
	return hash;
}

static uint64
fingerprint(uint64 identity, uint64 loader)
{
	static uint64 last = 0;
	static uint64 half = 0;

	if (unlikely(identity != last || half == 0))
	{
		half = (uint64) cpg_identity_half(identity) << 32;
		last = identity;
	}
	return half | (uint32) cpg_hash_combine(loader, identity);
}

/*
 * The fingerprint of a query and its arguments, in this session, for an identity,
 * kept by its lifetime alone or not.
 */
uint64
cpg_fingerprint_of_query(const CpgFetch *fetch, bool ttl_only, uint64 identity)
{
	uint64		hash = cpg_args_hash(fetch, ttl_only ? ~hash_query(fetch) : hash_query(fetch));

	hash = cpg_hash_search_path(hash);
	hash = cpg_settings_listed_hash(hash);
	if (OidIsValid(fetch->rowtype))
		hash = cpg_hash_combine(hash, fetch->rowtype);
	return fingerprint(identity, hash);
}

/* The same of a namespace's registered loader. */
uint64
cpg_fingerprint_of_loader(Oid function, uint64 version, bool ttl_only, uint64 identity)
{
	uint64		hash = cpg_hash_combine(~cpg_guard->config.seed, function);

	hash = cpg_hash_combine(hash, ttl_only ? ~version : version);
	return fingerprint(identity, hash);
}
