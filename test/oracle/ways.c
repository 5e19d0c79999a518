/*-------------------------------------------------------------------------
 *
 * ways.c
 *	  The ways in which the cache learns of a change, and how they are read.
 *
 * A read is an SQL expression in i, the number of the key.  What is promised of
 * it is the same for all: it is not older than any version that was visible
 * when it began.  Two keys written together are read apart in "pair", where no
 * more than that is promised of each, and by one query under one snapshot,
 * where they must be equal.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "oracle.h"

#define FETCH(key, query, more) \
	"(cache_fetch('" key "' || i, '" query "', ROW(i)" more "))::bigint"

Way			ways[] = {
	{
		.name = "plain",.keys = 8,.weight = 4,.table = "plain",
		.read = {FETCH("o:plain:", "SELECT version FROM plain WHERE id = $1", "")}
	},
	{
		.name = "viewed",.keys = 8,.weight = 3,.table = "viewed",
		.read = {
			FETCH("o:shown:", "SELECT version FROM shown WHERE id = $1", ""),
			FETCH("o:called:", "SELECT version_shown($1)", "")
		}
	},
	{
		.name = "parts",.keys = 8,.weight = 3,.table = "parts",
		.read = {
			FETCH("o:parts:", "SELECT version FROM parts WHERE id = $1", ""),
			"(cache_fetch('o:leaf:' || i, format('SELECT version FROM parts_%s WHERE id = $1', i % 2), ROW(i)))::bigint"
		}
	},
	{
		.name = "moving",.keys = 8,.weight = 2,.table = "moving",
		.read = {FETCH("o:moving:", "SELECT version FROM moving WHERE id = $1", "")}
	},
	{
		.name = "pair",.keys = 8,.weight = 3,.table = "pair_a",
		.read = {
			FETCH("o:pair:",
				  "SELECT CASE WHEN a.version = b.version THEN a.version ELSE -2 END "
				  "FROM pair_a a JOIN pair_b b USING (id) WHERE id = $1", ""),
			FETCH("o:half_a:", "SELECT version FROM pair_a WHERE id = $1", ""),
			FETCH("o:half_b:", "SELECT version FROM pair_b WHERE id = $1", "")
		}
	},
	{
		.name = "deep",.keys = 8,.weight = 3,.table = "deep",
		.read = {
			FETCH("o:outer:",
				  "SELECT cache_fetch(''o:inner:'' || $1, ''SELECT version FROM deep WHERE id = $1'', ROW($1))", ""),
			FETCH("o:inner:", "SELECT version FROM deep WHERE id = $1", "")
		}
	},
	{
		.name = "spaced",.keys = 8,.weight = 2,.table = "spaced",
		.read = {FETCH("x:spaced:", "SELECT version FROM spaced WHERE id = $1", "")}
	},
	{
		.name = "stamped",.keys = 16,.weight = 10,.table = "stamped",.may_be_absent = true,
		.read = {
			"cache_get('o:stamped:' || i, NULL::bigint)",
			"(cache_get('o:stamped:' || i))::bigint",
			FETCH("o:around:", "SELECT cache_get(''o:stamped:'' || $1, NULL::bigint)", "")
		}
	},
	{
		.name = "keyed",.keys = 16,.weight = 10,.table = "keyed",
		.read = {FETCH("o:keyed:", "SELECT version FROM keyed WHERE id = $1", ", consistency => 'ttl'")}
	},
	{
		.name = "tagged",.keys = 16,.weight = 10,.table = "tagged",
		.read = {
			FETCH("o:tagged:", "SELECT version FROM tagged WHERE id = $1",
				  ", tags => ARRAY['o:tagged' || i % 4], consistency => 'ttl'")
		}
	},
	{
		/* no table: what functions mean is not under a snapshot */
		.name = "replaced",.keys = 2,.weight = 0,
		.read = {"(cache_fetch('o:replaced:' || i, format('SELECT replaced_%s()', i)))::bigint"}
	}
};

const int	nways = sizeof(ways) / sizeof(ways[0]);

Way *
way_named(const char *name)
{
	for (int i = 0; i < nways; i++)
	{
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	}
	fail("there is no way named %s", name);
}
