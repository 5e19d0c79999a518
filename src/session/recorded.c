/*-------------------------------------------------------------------------
 *
 * recorded.c
 *	  The settings on which a value may depend, taken from one session to be
 *	  applied in another.
 *
 * A value that cannot be set with the rights of the role that asked raises an
 * error: the other session may have got it from somebody with more.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "session/settings.h"
#include "utils/guc.h"

#define RECORDED_MAX 256

static StringInfo into;

static void
record(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	/* what is the same for all sessions is so in a worker */
	if (value == NULL || !cpg_setting_may_differ(name))
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

static void
apply(const char *name, const char *value)
{
	const char *present = GetConfigOption(name, true, false);

	if (present != NULL && strcmp(present, value) == 0)
		return;
	(void) set_config_option(name, value, superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Have what was recorded, and of the application-defined settings nothing else,
 * as the current role, until the caller's nest level of settings ends.
 */
void
cpg_settings_apply(const char *recorded, Size len)
{
	const char *end = recorded + len;
	char	   *names[RECORDED_MAX] = {NULL};
	const char *values[RECORDED_MAX];
	int			count = 0;

	while (recorded < end && count < RECORDED_MAX)
	{
		names[count] = unconstify(char *, recorded);
		values[count] = recorded + strlen(recorded) + 1;
		recorded = values[count] + strlen(values[count]) + 1;
		count++;
	}
	if (recorded < end)
		elog(ERROR, "too many settings are recorded");
	cpg_settings_clear(names, count);
	for (int i = 0; i < count; i++)
		apply(names[i], values[i]);
}
