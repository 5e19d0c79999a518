/*-------------------------------------------------------------------------
 *
 * recorded.c
 *	  The settings on which a value may depend, taken from one session to be
 *	  applied in another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "session/settings.h"
#include "utils/guc.h"

static StringInfo into;

static void
record(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	if (value == NULL)
		return;
	appendBinaryStringInfo(into, name, (int) strlen(name) + 1);
	appendBinaryStringInfo(into, value, (int) strlen(value) + 1);
}

/* Append names and values: of the listed settings, and those that vary names. */
void
cpg_settings_record(const CpgVary *vary, StringInfo to)
{
	into = to;
	for (const CpgListedSetting *listed = cpg_listed_settings; listed->name != NULL; listed++)
		record(listed->name);
	cpg_settings_each(vary, record);
}

/*
 * Apply what was recorded, until the caller's nest level of settings ends.
 * Raises what setting one of them raises.
 */
void
cpg_settings_apply(const char *recorded, Size len)
{
	const char *end = recorded + len;

	while (recorded < end)
	{
		const char *name = recorded;
		const char *value = name + strlen(name) + 1;

		(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		recorded = value + strlen(value) + 1;
	}
}
