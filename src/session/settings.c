/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Application-defined settings: their part in identities, and how they
 *	  are hidden from registered loaders.  See settings.h.
 *
 * Which ones there are is remembered and found out again when others may have
 * come.  One that a library defined stays for the life of the process; one
 * that was made up by SET may be replaced by a library that is loaded later, so
 * that it is never looked at before it has been seen to be still there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "core/hash.h"
#include "lib/stringinfo.h"
#include "session/settings.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct Setting
{
	struct config_generic *option;
	int			place;			/* among all options */
	bool		made_up;		/* by SET */
	char	   *name;
} Setting;

static MemoryContext context = NULL;
static Setting *settings = NULL;
static int	nsettings = 0;
static int	room = 0;

/* Whether sessions can differ in an option. */
static bool
may_differ(const struct config_generic *option)
{
	return option->context == PGC_USERSET || option->context == PGC_SUSET ||
		option->context == PGC_BACKEND || option->context == PGC_SU_BACKEND;
}

static void
forget(void)
{
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "cachepg settings",
										ALLOCSET_SMALL_SIZES);
	nsettings = 0;
	room = 0;
	settings = NULL;
	MemoryContextReset(context);
}

/* Remember an option if it is an application-defined one. */
static void
consider(struct config_generic *option, int place)
{
	Setting    *setting;

	if (strchr(option->name, '.') == NULL || !may_differ(option) ||
		pg_strncasecmp(option->name, "cachepg.", 8) == 0)
		return;
	if (settings == NULL)
	{
		room = 8;
		settings = MemoryContextAlloc(context, room * sizeof(Setting));
	}
	else if (nsettings == room)
	{
		settings = repalloc(settings, room * 2 * sizeof(Setting));
		room *= 2;
	}
	setting = &settings[nsettings];
	setting->option = option;
	setting->place = place;
	setting->made_up = (option->flags & GUC_CUSTOM_PLACEHOLDER) != 0;
	setting->name = MemoryContextStrdup(context, option->name);
	nsettings++;
}

#ifdef CPG_OPTIONS_SET_LIST

/*
 * Options that are set are in a ring, at the end of which one is put when it
 * gets its first value.  One that loses its value leaves, and may come back to
 * the end behind others that are new: that the end is the same says nothing.
 * Those that were set when the session began, or by a reload, only a reload can
 * take out.  So what is new is behind the last of them, and if all from that one on
 * is as it was there is nothing new.  Nodes are compared as addresses only: what
 * was at one of them may be gone.  The head of the ring is private to PostgreSQL;
 * it is the one node that is in no option.
 */
static dlist_node *head = NULL;
static dlist_node **nodes = NULL;	/* when they were listed, the last one
									 * first, to one that stays or the head */
static int	nnodes = 0;
static TimestampTz reloaded = 0;	/* when the last reload was then */

static bool
is_in_option(dlist_node *node, struct config_generic **options, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (node == &options[i]->nondef_link)
			return true;
	}
	return false;
}

static void
find_head(void)
{
	int			count;
	struct config_generic **options = CPG_OPTIONS(&count);
	dlist_node *node = NULL;

	for (int i = 0; i < count && node == NULL; i++)
	{
		if (options[i]->source != PGC_S_DEFAULT)
			node = &options[i]->nondef_link;
	}
	/* some are always set, for example by initdb */
	if (node == NULL)
		elog(ERROR, "no setting is set");
	while (is_in_option(node, options, count))
		node = node->next;
	head = node;
}

static inline bool
is_outdated(void)
{
	const dlist_node *node = head;

	if (node == NULL || nnodes == 0 || PgReloadTime != reloaded)
		return true;
	for (int i = 0; i < nnodes; i++)
	{
		node = node->prev;
		if (node != nodes[i])
			return true;
	}
	return false;
}

static struct config_generic *
option_of(dlist_node *node)
{
	return dlist_container(struct config_generic, nondef_link, node);
}

/* Whether only a reload takes the option of a node out. */
static bool
stays(dlist_node *node)
{
	return option_of(node)->reset_source != PGC_S_DEFAULT;
}

static int
compare_names(const void *one, const void *other)
{
	return strcmp(((const Setting *) one)->name, ((const Setting *) other)->name);
}

static int
count_nodes(void)
{
	int			count = 0;

	for (dlist_node *node = head->next; node != head; node = node->next)
		count++;
	return count;
}

static void
find_settings(void)
{
	nnodes = 0;
	forget();
	if (head == NULL)
		find_head();
	nodes = MemoryContextAlloc(context, (count_nodes() + 1) * sizeof(dlist_node *));
	for (dlist_node *node = head->next; node != head; node = node->next)
		consider(option_of(node), 0);
	reloaded = PgReloadTime;
	for (dlist_node *node = head->prev;; node = node->prev)
	{
		nodes[nnodes++] = node;
		if (node == head || stays(node))
			break;
	}
	/* to whom they belong does not depend on the order in which they came */
	if (nsettings > 1)
		qsort(settings, nsettings, sizeof(Setting), compare_names);
}

#else

static int	noptions = 0;		/* when they were listed */

static inline bool
is_outdated(void)
{
	return GetNumConfigOptions() != noptions;
}

static void
find_settings(void)
{
	int			count;
	struct config_generic **options = CPG_OPTIONS(&count);

	forget();
	noptions = 0;
	for (int i = 0; i < count; i++)
		consider(options[i], i);
	noptions = count;
}

#endif

/* The text of an option of kind string, "" for none. */
static const char *
string_of(const struct config_generic *option)
{
	const char *value = *((const struct config_string *) option)->variable;

	return value == NULL ? "" : value;
}

static bool
is_default(const struct config_generic *option)
{
	if (option->flags & GUC_CUSTOM_PLACEHOLDER)
		return string_of(option)[0] == '\0';
	return option->source == PGC_S_DEFAULT;
}

/*
 * The next setting with a value of its own, from *at on; NULL at the end.  If
 * the settings turn out to have changed meanwhile it begins again: *restarted.
 */
static Setting *
next_set(int *at, bool *restarted)
{
	*restarted = false;
	while (*at < nsettings)
	{
		Setting    *setting = &settings[(*at)++];

		if (setting->made_up &&
			!CPG_OPTION_STILL(setting->option, setting->name, setting->place))
		{
			find_settings();
			*at = 0;
			*restarted = true;
			continue;
		}
		if (unlikely(!is_default(setting->option)))
			return setting;
	}
	return NULL;
}

static inline void
ensure_listed(void)
{
	if (unlikely(is_outdated()))
		find_settings();
}

static uint64
hash_string(const char *string, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) string, (int) strlen(string), seed);
}

/* A hash of the value of an option. */
static uint64
hash_value(const struct config_generic *option, uint64 seed)
{
	uint64		bits = 0;

	switch (option->vartype)
	{
		case PGC_STRING:
			return hash_string(string_of(option), seed);
		case PGC_REAL:
			memcpy(&bits, ((const struct config_real *) option)->variable, sizeof(double));
			break;
		case PGC_BOOL:
			bits = *((const struct config_bool *) option)->variable;
			break;
		case PGC_INT:
			bits = (uint64) *((const struct config_int *) option)->variable;
			break;
		case PGC_ENUM:
			bits = (uint64) *((const struct config_enum *) option)->variable;
			break;
	}
	return cpg_hash_combine(seed, bits);
}

/* A hash of the settings named in vary_by; those without a value do not count. */
static uint64
hash_named(const CpgVary *vary, uint64 hash, bool *any)
{
	for (int i = 0; i < vary->count; i++)
	{
		const char *value = GetConfigOption(vary->names[i], true, false);

		if (value == NULL || value[0] == '\0')
			continue;
		hash = hash_string(value, hash_string(vary->names[i], hash));
		*any = true;
	}
	return hash;
}

/*
 * A hash of the settings by which values vary; *any becomes true
 * if one of them has a value.
 */
uint64
cpg_settings_hash(const CpgVary *vary, uint64 seed, bool *any)
{
	uint64		hash = seed;
	int			at = 0;
	Setting    *setting;
	bool		restarted;

	if (!vary->all)
		return hash_named(vary, hash, any);
	ensure_listed();
	while ((setting = next_set(&at, &restarted)) != NULL)
	{
		if (restarted)
			hash = seed;
		hash = hash_value(setting->option, hash_string(setting->name, hash));
		*any = true;
	}
	return hash;
}

/* Names of the settings that have values (palloc'd). */
static List *
list_set(void)
{
	List	   *names = NIL;
	int			at = 0;
	Setting    *setting;
	bool		restarted;

	ensure_listed();
	while ((setting = next_set(&at, &restarted)) != NULL)
	{
		if (restarted)
			names = NIL;
		names = lappend(names, pstrdup(setting->name));
	}
	return names;
}

/* Call back with the name of each setting by which values vary now. */
void
cpg_settings_each(const CpgVary *vary, void (*call) (const char *name))
{
	ListCell   *lc;

	if (vary->all)
	{
		foreach(lc, list_set())
			call(lfirst(lc));
	}
	for (int i = 0; i < vary->count; i++)
		call(vary->names[i]);
}

/* Whether sessions can differ in a setting; those that do not exist count. */
bool
cpg_setting_may_differ(const char *name)
{
	int			count;
	struct config_generic **options = CPG_OPTIONS(&count);

	for (int i = 0; i < count; i++)
	{
		if (pg_strcasecmp(options[i]->name, name) == 0)
			return may_differ(options[i]);
	}
	return true;
}

/* Whether a list names a setting; case does not matter, as in SET. */
bool
cpg_setting_in(const char *name, char *const *names, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (pg_strcasecmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Whether a setting is one of cpg_listed_settings. */
bool
cpg_setting_is_listed(const char *name)
{
	for (const CpgListedSetting *listed = cpg_listed_settings; listed->name != NULL; listed++)
	{
		if (pg_strcasecmp(listed->name, name) == 0)
			return true;
	}
	return false;
}

/* What a setting is if nobody sets it, as text. */
static const char *
boot_value(struct config_generic *option)
{
	if (option->flags & GUC_CUSTOM_PLACEHOLDER)
		return "";
	switch (option->vartype)
	{
		case PGC_STRING:
			{
				const char *value = ((struct config_string *) option)->boot_val;

				return value == NULL ? "" : value;
			}
		case PGC_REAL:
			return psprintf("%.17g", ((struct config_real *) option)->boot_val);
		case PGC_BOOL:
			return ((struct config_bool *) option)->boot_val ? "on" : "off";
		case PGC_INT:
			return psprintf("%d", ((struct config_int *) option)->boot_val);
		case PGC_ENUM:
			return config_enum_lookup_by_value((struct config_enum *) option,
											   ((struct config_enum *) option)->boot_val);
	}
	return "";
}

/*
 * Whether a setting is hidden from registered loaders: those of administrators
 * are not, since audits and the like hang on them; neither is what is fixed for
 * the life of a session.
 */
bool
cpg_setting_is_hideable(const char *name)
{
	int			count;
	struct config_generic **options = CPG_OPTIONS(&count);

	for (int i = 0; i < count; i++)
	{
		if (pg_strcasecmp(options[i]->name, name) == 0)
			return options[i]->context == PGC_USERSET;
	}
	return true;
}

/* Names of the settings to hide: that have values and are not in vary_by. */
static List *
list_hidden(const CpgVary *vary)
{
	List	   *names = list_set();
	ListCell   *lc;

	foreach(lc, names)
	{
		if (cpg_setting_in(lfirst(lc), vary->names, vary->count) ||
			!cpg_setting_is_hideable(lfirst(lc)))
			names = foreach_delete_current(names, lc);
	}
	return names;
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* To set one is not always cheap: some read a file. */
static bool
has_value(const char *name, const char *value)
{
	const char *present = GetConfigOption(name, true, false);

	return present != NULL && strcmp(present, value) == 0;
}

static struct config_generic *
find_setting(const char *name)
{
	for (int i = 0; i < nsettings; i++)
	{
		if (strcmp(settings[i].name, name) == 0)
			return settings[i].option;
	}
	return NULL;
}

/*
 * Take all application-defined settings away that a list does not name, until
 * the nest level ends: in a worker they come from ALTER ROLE and ALTER DATABASE.
 */
void
cpg_settings_clear(char *const *names, int count)
{
	ListCell   *lc;

	foreach(lc, list_set())
	{
		struct config_generic *option = find_setting(lfirst(lc));

		if (option != NULL && option->source != PGC_S_FILE &&
			!cpg_setting_in(lfirst(lc), names, count) &&
			(option->context == PGC_USERSET || option->context == PGC_SUSET))
			set_local(lfirst(lc), boot_value(option));
	}
}

/*
 * Give the listed settings their pinned values and take those that are not in
 * vary_by away, until the caller's nest level of settings ends.
 */
void
cpg_settings_hide(const CpgVary *vary)
{
	ListCell   *lc;

	for (const CpgListedSetting *listed = cpg_listed_settings; listed->name != NULL; listed++)
	{
		if (!cpg_setting_in(listed->name, vary->names, vary->count) &&
			!has_value(listed->name, listed->pinned))
			set_local(listed->name, listed->pinned);
	}
	foreach(lc, list_hidden(vary))
	{
		struct config_generic *option = find_setting(lfirst(lc));

		if (option != NULL)
			set_local(lfirst(lc), boot_value(option));
	}
}

/* The names of what cpg_settings_hide would take away, NULL if nothing (palloc'd). */
char *
cpg_settings_hidden(const CpgVary *vary)
{
	StringInfoData names;
	ListCell   *lc;
	List	   *hidden = list_hidden(vary);

	if (hidden == NIL)
		return NULL;
	initStringInfo(&names);
	foreach(lc, hidden)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", (char *) lfirst(lc));
	return names.data;
}
