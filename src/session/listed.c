/*-------------------------------------------------------------------------
 *
 * listed.c
 *	  Settings of PostgreSQL that change what a query returns.
 *
 * They are C variables, so that a fetch reads them at no cost; their hash is
 * remembered and computed again when one of them differs.  Of texts the pointer
 * does where it is that to which RESET goes back, whose memory stays what it is
 * until the configuration is read again; others are compared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/gin.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "compat.h"
#include "core/hash.h"
#include "fault.h"
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

/* A setting that is a text. */
typedef struct Text
{
	const char *name;
	struct config_string *option;
	const char *settled;		/* the pointer that means what the copy says,
								 * or NULL */
	char	   *copy;			/* of what was hashed */
} Text;

static Text texts[] = {
	{"lc_monetary"}, {"lc_numeric"}, {"lc_time"}, {"default_text_search_config"},
	{"timezone_abbreviations"}
};

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

static pg_noinline void
find_texts(void)
{
	int			count;
	struct config_generic **options = CPG_OPTIONS(&count);

	for (int t = 0; t < lengthof(texts); t++)
	{
		for (int i = 0; i < count && texts[t].option == NULL; i++)
		{
			if (strcmp(options[i]->name, texts[t].name) == 0)
				texts[t].option = (struct config_string *) options[i];
		}
		if (texts[t].option == NULL)
			elog(ERROR, "there is no setting \"%s\"", texts[t].name);
	}
}

static inline const char *
value_of(const Text *one)
{
	return *one->option->variable == NULL ? "" : *one->option->variable;
}

/* Let the pointer alone tell that a text, which is that of its copy, is the same. */
static void
settle(Text *one)
{
	const char *value = *one->option->variable;

	one->settled = value == one->option->reset_val || CPG_SKIP("reset-pointer") ? value : NULL;
}

/* Whether the texts are those of the copies, by looking at them. */
static pg_noinline bool
compare_texts(void)
{
	if (texts[0].option == NULL)
		find_texts();
	for (int i = 0; i < lengthof(texts); i++)
	{
		if (texts[i].copy == NULL || strcmp(texts[i].copy, value_of(&texts[i])) != 0)
			return false;
		settle(&texts[i]);
	}
	return true;
}

/* Whether the texts are those of the copies. */
static inline bool
same_texts(void)
{
	static TimestampTz loaded = 0;

	for (int i = 0; i < lengthof(texts); i++)
	{
		if (texts[i].settled == NULL || *texts[i].option->variable != texts[i].settled ||
			loaded != PgReloadTime)
		{
			loaded = PgReloadTime;
			return compare_texts();
		}
	}
	return true;
}

/* A hash of the listed settings but search_path. */
uint64
cpg_settings_listed_hash(uint64 seed)
{
	static Listed last;
	static uint64 hash;
	Listed		listed;

	read_listed(&listed);
	if (likely(same_texts() && memcmp(&listed, &last, sizeof(listed)) == 0))
		return cpg_hash_combine(seed, hash);

	hash = hash_bytes_extended((unsigned char *) listed.numbers, sizeof(listed.numbers), 0);
	hash = hash_string(pg_get_timezone_name(session_timezone), hash);
	for (int i = 0; i < lengthof(texts); i++)
	{
		char	   *copy = MemoryContextStrdup(TopMemoryContext, value_of(&texts[i]));

		if (texts[i].copy != NULL)
			pfree(texts[i].copy);
		texts[i].copy = copy;
		settle(&texts[i]);
		hash = hash_string(copy, hash);
	}
	memcpy(&last, &listed, sizeof(last));
	return cpg_hash_combine(seed, hash);
}
