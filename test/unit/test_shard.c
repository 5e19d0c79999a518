/*-------------------------------------------------------------------------
 *
 * test_shard.c
 *	  Tests of the choice of a server for a key.
 *
 * Golden vectors: slots were compared with CLUSTER KEYSLOT of Redis, choices of
 * ketama with libmemcached, those of rendezvous with the formula computed in
 * floating point.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "harness.h"
#include "shard/shard_internal.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(test_shard_vectors);
PG_FUNCTION_INFO_V1(test_shard_load);
PG_FUNCTION_INFO_V1(test_shard_moved);

static CpgShardMethod
method_of(text *name)
{
	char	   *s = text_to_cstring(name);

	if (strcmp(s, "rendezvous") == 0)
		return CPG_SHARD_RENDEZVOUS;
	if (strcmp(s, "ketama") == 0)
		return CPG_SHARD_KETAMA;
	elog(ERROR, "no method %s", s);
	return CPG_SHARD_RENDEZVOUS;
}

static CpgShardMap *
make_map(CpgShardMethod method, CpgShardNode *nodes, int nnodes)
{
	CpgShardMap *map = palloc(sizeof(CpgShardMap));
	int			npoints = cpg_shard_points(nodes, nnodes);
	CpgShardPoint *points = palloc(sizeof(CpgShardPoint) * npoints);

	cpg_shard_init(map, method, nodes, nnodes, points);
	if (method == CPG_SHARD_KETAMA && map->npoints != npoints)
		elog(ERROR, "%d points instead of %d", map->npoints, npoints);
	return map;
}

/* The nodes of key:0, key:1 and so on, among three, one digit each. */
static char *
choices(CpgShardMethod method, int second, int third, int keys)
{
	CpgShardNode nodes[] = {{"10.0.0.1:11212", 1}, {"10.0.0.2:11212", second}, {"10.0.0.3:11212", third}};
	CpgShardMap *map = make_map(method, nodes, lengthof(nodes));
	char	   *digits = palloc0(keys + 1);

	for (int i = 0; i < keys; i++)
	{
		char	   *key = psprintf("key:%d", i);

		digits[i] = (char) ('0' + cpg_shard_choose(map, key, strlen(key)));
	}
	return digits;
}

/* The MD5 of a prefix of the alphabet, repeated, in hexadecimal. */
static const char *
md5_hex(int len)
{
	char text[	200];
	uint8		digest[CPG_MD5_LEN];
	char	   *hex = palloc(2 * CPG_MD5_LEN + 1);

	for (int i = 0; i < len; i++)
		text[		i] = (char) ('a' + i % 26);

	cpg_md5(text, len, digest);
	for (int i = 0; i < CPG_MD5_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

static int
slot(const char *key)
{
	return cpg_shard_slot(key, strlen(key));
}

static void
check_logarithm(void)
{
	uint64		before = PG_UINT64_MAX;

	EXPECT(cpg_shard_log(UINT64CONST(1) << 63) == UINT64CONST(1) << 32);
	EXPECT(cpg_shard_log(1) == UINT64CONST(64) << 32);
	EXPECT(cpg_shard_log(0) == UINT64CONST(64) << 32);
	EXPECT(cpg_shard_log(PG_UINT64_MAX) == 2);
	EXPECT(cpg_shard_log(UINT64CONST(0x6666666666666666)) == UINT64CONST(0x15269e132));
	EXPECT(cpg_shard_log(UINT64CONST(3) << 62) == UINT64CONST(0x6a3fe5c7));
	/* never rises with the hash */
	for (uint64 hash = 1; hash < UINT64CONST(1) << 62; hash += hash / 1000 + 1)
	{
		uint64		log = cpg_shard_log(hash);

		EXPECT(log <= before);
		before = log;
	}
}

Datum
test_shard_vectors(PG_FUNCTION_ARGS)
{
	EXPECT(slot("") == 0 && slot("foo") == 12182 && slot("bar") == 5061 && slot("123456789") == 12739);
	EXPECT(slot("{user1000}.following") == 3443 && slot("user1000") == 3443);
	EXPECT(slot("foo{}{bar}") == 8363 && slot("foo{{bar}}zap") == 4015 && slot("{bar") == 4015);
	EXPECT(slot("{foo}") == slot("foo") && slot("{foo") != slot("foo"));

	EXPECT(strcmp(md5_hex(0), "d41d8cd98f00b204e9800998ecf8427e") == 0);
	EXPECT(strcmp(md5_hex(3), "900150983cd24fb0d6963f7d28e17f72") == 0);
	EXPECT(strcmp(md5_hex(55), "0d7ae056b2f015cd7dc67494efd658f1") == 0);
	EXPECT(strcmp(md5_hex(56), "31fcfb5165169eb55898e7e4cf34d19a") == 0);
	EXPECT(strcmp(md5_hex(64), "a2eaf6295c32adc403865fd96a2f182b") == 0);
	EXPECT(strcmp(md5_hex(200), "32cce8c4f2bf6f04dbb71b5cb9e37c30") == 0);

	EXPECT(cpg_shard_hash("", 0) == UINT64CONST(0xefd01f60ba992926));
	EXPECT(cpg_shard_hash("a", 1) == UINT64CONST(0x82a2a958a9bece5b));
	EXPECT(cpg_shard_hash("foobar", 6) == UINT64CONST(0x2c22194922d1672b));
	EXPECT(cpg_shard_hash("\xff", 1) != cpg_shard_hash("\x7f", 1));
	check_logarithm();

	EXPECT(strcmp(choices(CPG_SHARD_KETAMA, 1, 1, 16), "1111222101112221") == 0);
	EXPECT(strcmp(choices(CPG_SHARD_KETAMA, 2, 5, 16), "2111222111122221") == 0);
	EXPECT(strcmp(choices(CPG_SHARD_RENDEZVOUS, 1, 1, 32), "00001002200122002110120200102222") == 0);
	EXPECT(strcmp(choices(CPG_SHARD_RENDEZVOUS, 2, 5, 32), "22001222200122022112122222122222") == 0);
	OK;
}

/*
 * The largest ratio of a node's keys to its share by weight.
 *
 * Without weights all have the same.
 */
Datum
test_shard_load(PG_FUNCTION_ARGS)
{
	CpgShardMethod method = method_of(PG_GETARG_TEXT_PP(0));
	int			nnodes = PG_GETARG_INT32(1);
	ArrayType  *weights = PG_GETARG_ARRAYTYPE_P(2);
	int64		keys = PG_GETARG_INT64(3);
	int			given = ArrayGetNItems(ARR_NDIM(weights), ARR_DIMS(weights));
	CpgShardNode *nodes = palloc0(sizeof(CpgShardNode) * nnodes);
	int64	   *counts = palloc(sizeof(int64) * nnodes);
	double		total = 0;
	double		worst = 0;

	for (int i = 0; i < nnodes; i++)
	{
		nodes[i].name = psprintf("redis%d:6379", i + 1);
		nodes[i].weight = i < given ? ((int32 *) ARR_DATA_PTR(weights))[i] : 1;
		total += nodes[i].weight;
	}
	cpg_shard_shares(make_map(method, nodes, nnodes), keys, counts);
	for (int i = 0; i < nnodes; i++)
		worst = Max(worst, (double) counts[i] * total / ((double) keys * nodes[i].weight));
	PG_RETURN_FLOAT8(worst);
}

static CpgShardMap *
map_of_names(CpgShardMethod method, ArrayType *names)
{
	Datum	   *elements;
	int			count;
	CpgShardNode *nodes;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	nodes = palloc0(sizeof(CpgShardNode) * count);
	for (int i = 0; i < count; i++)
	{
		nodes[i].name = TextDatumGetCString(elements[i]);
		nodes[i].weight = 1;
	}
	return make_map(method, nodes, count);
}

Datum
test_shard_moved(PG_FUNCTION_ARGS)
{
	CpgShardMethod method = method_of(PG_GETARG_TEXT_PP(0));
	CpgShardMap *before = map_of_names(method, PG_GETARG_ARRAYTYPE_P(1));
	CpgShardMap *after = map_of_names(method, PG_GETARG_ARRAYTYPE_P(2));

	PG_RETURN_FLOAT8(cpg_shard_plan(before, after, PG_GETARG_INT64(3)));
}
