/*-------------------------------------------------------------------------
 *
 * listed.c
 *	  Settings of PostgreSQL that change what a query returns.
 *
 * They are C variables, so that a fetch reads them at no cost; their hash is
 * remembered and computed again when one of them differs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/gin.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "compat.h"
#include "core/hash.h"
#include "miscadmin.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "pgtime.h"
#include "session/settings.h"
#include "tsearch/ts_cache.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/xml.h"

/* As in utils/pg_locale.h, which needs the headers of ICU. */
extern PGDLLIMPORT char *locale_monetary;
extern PGDLLIMPORT char *locale_numeric;
extern PGDLLIMPORT char *locale_time;

/*
 * What registered loaders get.  Ad-hoc loaders see the caller's; search_path,
 * as the schemas it stands for, is hashed by loader/fingerprint.c.
 */
const CpgListedSetting cpg_listed_settings[] = {
	{"array_nulls", "on"},
	{"backslash_quote", "safe_encoding"},
	{"bytea_output", "hex"},
	{"DateStyle", "ISO, MDY"},
	{"default_text_search_config", "pg_catalog.simple"},
	{"extra_float_digits", "1"},
	{"gin_fuzzy_search_limit", "0"},
	{"IntervalStyle", "postgres"},
	{"lc_monetary", "C"},
	{"lc_numeric", "C"},
	{"lc_time", "C"},
	{"quote_all_identifiers", "off"},
	{"row_security", "on"},
	{"search_path", "pg_catalog, pg_temp"},
	{"standard_conforming_strings", "on"},
	{"TimeZone", "UTC"},
	{"timezone_abbreviations", "Default"},
	{"transform_null_equals", "off"},
	{"xmlbinary", "base64"},
	{"xmloption", "content"},
	{NULL, NULL}
};

#define NSTRINGS 5

/* Bytes are compared: filled with zeros first. */
typedef struct Listed
{
	const pg_tz *timezone;		/* lives as long as the process */
	int			numbers[14];
} Listed;

static void
read_listed(Listed *listed)
{
	memset(listed, 0, sizeof(*listed));
	listed->timezone = session_timezone;
	listed->numbers[0] = DateStyle;
	listed->numbers[1] = DateOrder;
	listed->numbers[2] = IntervalStyle;
	listed->numbers[3] = bytea_output;
	listed->numbers[4] = extra_float_digits;
	listed->numbers[5] = xmlbinary;
	listed->numbers[6] = xmloption;
	listed->numbers[7] = Transform_null_equals;
	listed->numbers[8] = Array_nulls;
	listed->numbers[9] = backslash_quote;
	listed->numbers[10] = standard_conforming_strings;
	listed->numbers[11] = row_security;
	listed->numbers[12] = GinFuzzySearchLimit;
	listed->numbers[13] = quote_all_identifiers;
}

static uint64
hash_string(const char *string, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) string, (int) strlen(string), seed);
}

/* The set of abbreviations, of which the variable is private to PostgreSQL. */
static inline const char *
timezone_abbreviations(void)
{
	static char **variable = NULL;

	if (unlikely(variable == NULL))
	{
		int			count;
		struct config_generic **options = CPG_OPTIONS(&count);

		for (int i = 0; i < count && variable == NULL; i++)
		{
			if (strcmp(options[i]->name, "timezone_abbreviations") == 0)
				variable = ((struct config_string *) options[i])->variable;
		}
		if (variable == NULL)
			elog(ERROR, "there is no setting \"timezone_abbreviations\"");
	}
	return *variable == NULL ? "" : *variable;
}

/* A hash of the listed settings but search_path. */
uint64
cpg_settings_listed_hash(uint64 seed)
{
	static Listed last;
	static char *last_string[NSTRINGS];
	static uint64 hash;
	const char *string[NSTRINGS] = {locale_monetary, locale_numeric, locale_time, TSCurrentConfig,
	timezone_abbreviations()};
	Listed		listed;
	bool		same;

	read_listed(&listed);
	same = memcmp(&listed, &last, sizeof(listed)) == 0;
	for (int i = 0; i < NSTRINGS && same; i++)
		same = last_string[i] != NULL && strcmp(last_string[i], string[i]) == 0;
	if (likely(same))
		return cpg_hash_combine(seed, hash);

	hash = hash_bytes_extended((unsigned char *) listed.numbers, sizeof(listed.numbers), 0);
	hash = hash_string(pg_get_timezone_name(session_timezone), hash);
	for (int i = 0; i < NSTRINGS; i++)
	{
		char	   *copy = MemoryContextStrdup(TopMemoryContext, string[i]);

		if (last_string[i] != NULL)
			pfree(last_string[i]);
		last_string[i] = copy;
		hash = hash_string(copy, hash);
	}
	memcpy(&last, &listed, sizeof(last));
	return cpg_hash_combine(seed, hash);
}
