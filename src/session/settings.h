/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  Settings of the session on which a loaded value may depend.
 *
 * Application-defined ones are those with a dot in their names, whether made up
 * by SET (app.tenant) or defined by a library, but not cachepg's own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_SESSION_SETTINGS_H
#define CPG_SESSION_SETTINGS_H

/* The application-defined settings by which values vary; others too if named. */
typedef struct CpgVary
{
	bool		all;			/* by every one that has a value */
	int			count;			/* else by these */
	char	  **names;
} CpgVary;

/* A setting of PostgreSQL that changes results, and what loaders see. */
typedef struct CpgListedSetting
{
	const char *name;
	const char *pinned;
} CpgListedSetting;

extern const CpgListedSetting cpg_listed_settings[];	/* ends with NULL */

/* settings.c */
extern uint64 cpg_settings_hash(const CpgVary *vary, uint64 seed, bool *any);
extern void cpg_settings_each(const CpgVary *vary, void (*call) (const char *name));
extern bool cpg_setting_may_differ(const char *name);
extern void cpg_settings_hide(const CpgVary *vary);
extern char *cpg_settings_hidden(const CpgVary *vary);
extern bool cpg_setting_is_hideable(const char *name);
extern void cpg_settings_clear(char *const *names, int count);
extern bool cpg_setting_is_listed(const char *name);
extern bool cpg_setting_in(const char *name, char *const *names, int count);

/* listed.c */
extern uint64 cpg_settings_listed_hash(uint64 seed);

/* recorded.c */
struct StringInfoData;
extern void cpg_settings_record(const CpgVary *vary, struct StringInfoData *to);
extern void cpg_settings_apply(const char *recorded, Size len);

#endif							/* CPG_SESSION_SETTINGS_H */
