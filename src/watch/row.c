/*-------------------------------------------------------------------------
 *
 * row.c
 *	  What the trigger of a watch does.
 *
 * The watch behind a trigger, with its templates taken apart for the columns of
 * the table, is remembered in the session until any relation changes.
 *
 * The cache must not make a write fail: keys and tags that are too long, which
 * nobody can have used, are skipped, and a template whose column is gone
 * invalidates everything it could name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "inval/deps.h"
#include "lib/stringinfo.h"
#include "session/relations.h"
#include "shmem.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "watch/text.h"
#include "watch/watch_internal.h"

/* A piece of a template: a literal, or a column of the table. */
typedef struct Piece
{
	const char *text;
	int			len;
	AttrNumber	column;			/* 0: a literal */
	CpgTextOf	text_of;
} Piece;

typedef struct Rule
{
	bool		given;
	bool		broken;			/* a column is gone */
	bool		named;			/* names its namespace */
	CpgTemplate template;
	Piece	   *pieces;
} Rule;

typedef struct Watch
{
	Oid			trigger;
	char		status;
	Rule		key;
	Rule		tag;
} Watch;

#define SH_PREFIX watches
#define SH_ELEMENT_TYPE Watch
#define SH_KEY_TYPE Oid
#define SH_KEY trigger
#define SH_HASH_KEY(table, key) murmurhash32(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

static MemoryContext context = NULL;
static watches_hash *known = NULL;
static uint64 known_at;			/* cpg_relation_changes */

/* Triggers that were warned of in this session. */
static List *warned = NIL;

static void
forget(void)
{
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "cachepg watches", ALLOCSET_SMALL_SIZES);
	known = NULL;
	MemoryContextReset(context);
	known = watches_create(context, 16, NULL);
	known_at = cpg_relation_changes();
}

/* Whether a trigger has not been warned of before. */
static bool
is_first_time(Oid trigger)
{
	MemoryContext old;

	if (list_member_oid(warned, trigger))
		return false;
	old = MemoryContextSwitchTo(TopMemoryContext);
	warned = lappend_oid(warned, trigger);
	MemoryContextSwitchTo(old);
	return true;
}

static void
warn_of_stranger(const TriggerData *trigger)
{
	if (is_first_time(trigger->tg_trigger->tgoid))
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of relation \"%s\" does nothing: it was not made by cache_watch",
						trigger->tg_trigger->tgname, RelationGetRelationName(trigger->tg_relation)),
				 errhint("Drop it, and call cache_watch.")));
}

static void
warn_of_column(const TriggerData *trigger, const char *column)
{
	if (is_first_time(trigger->tg_trigger->tgoid))
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("cache watch of relation \"%s\" names column \"%s\", which is not there",
						RelationGetRelationName(trigger->tg_relation), column),
				 errdetail("Every change of a row invalidates all that its template can name."),
				 errhint("Replace the watch with cache_unwatch and cache_watch.")));
}

/* Prepare a template for the columns of a table. */
static void
prepare_rule(const TriggerData *trigger, const char *text, Rule *rule)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	memset(rule, 0, sizeof(*rule));
	/* only a row written by hand could have a template that does not parse */
	if (text == NULL || cpg_template_parse(text, &rule->template) != NULL)
		return;
	rule->given = true;
	rule->named = cpg_template_named(&rule->template);
	rule->pieces = palloc0(rule->template.nparts * sizeof(Piece));
	for (int i = 0; i < rule->template.nparts; i++)
	{
		CpgTemplatePart *part = &rule->template.parts[i];
		Piece	   *piece = &rule->pieces[i];

		piece->text = part->text;
		piece->len = part->len;
		if (!part->is_column)
			continue;
		piece->column = cpg_watch_column(desc, part->text);
		if (piece->column > 0)
			cpg_text_prepare(TupleDescAttr(desc, piece->column - 1)->atttypid, &piece->text_of, context);
		else
		{
			rule->broken = true;
			warn_of_column(trigger, part->text);
		}
	}
}

/* Read the watch of a trigger; with no rule given it is none. */
static void
load(const TriggerData *trigger, Watch *watch)
{
	const Trigger *def = trigger->tg_trigger;
	CpgWatchRow row;
	MemoryContext old;

	memset(watch, 0, sizeof(*watch));
	if (def->tgnargs != 1 || !cpg_watch_find(def->tgargs[0], &row) ||
		!cpg_watch_covers(&row, RelationGetRelid(trigger->tg_relation)))
	{
		warn_of_stranger(trigger);
		return;
	}
	old = MemoryContextSwitchTo(context);
	prepare_rule(trigger, row.key_template, &watch->key);
	prepare_rule(trigger, row.tag_template, &watch->tag);
	MemoryContextSwitchTo(old);
}

/* The watch of a trigger; holds until the next call. */
static Watch *
find_watch(const TriggerData *trigger)
{
	Oid			oid = trigger->tg_trigger->tgoid;
	Watch	   *watch;
	Watch		loaded;
	bool		present;

	if (known == NULL || known_at != cpg_relation_changes())
		forget();
	watch = watches_lookup(known, oid);
	if (likely(watch != NULL))
		return watch;
	load(trigger, &loaded);
	watch = watches_insert(known, oid, &present);
	loaded.trigger = oid;
	loaded.status = watch->status;
	*watch = loaded;
	return watch;
}

/* The text that a rule makes of a row; false if a column in it is NULL. */
static bool
compose(const Rule *rule, TupleTableSlot *row, StringInfo to)
{
	resetStringInfo(to);
	for (int i = 0; i < rule->template.nparts; i++)
	{
		Piece	   *piece = &rule->pieces[i];
		bool		isnull;
		Datum		value;

		if (piece->column == 0)
		{
			appendBinaryStringInfo(to, piece->text, piece->len);
			continue;
		}
		value = slot_getattr(row, piece->column, &isnull);
		if (isnull)
			return false;
		cpg_text_append(&piece->text_of, value, to);
	}
	return true;
}

/*
 * Whether a text belongs to the namespace for which privileges were checked:
 * with columns before the first colon, only the default one.
 */
static bool
is_in_reach(const Rule *rule, const CpgNamespace *ns)
{
	return rule->named || strcmp(ns->name, CPG_DEFAULT_NAMESPACE) == 0;
}

static void
invalidate_key(const Rule *rule, const char *data, int len)
{
	CpgNamespace *ns;
	CpgKey		key;

	if (len == 0 || len > CPG_KEY_MAX)
		return;
	ns = cpg_namespace_resolve(data, len);
	if (!is_in_reach(rule, ns) || !cpg_namespace_attach(ns))
		return;
	cpg_key_of(ns, data, len, &key);
	cpg_inval_key(&key);
}

static void
invalidate_tag(const Rule *rule, const char *data, int len)
{
	int			database = cpg_registry_database();

	if (len == 0 || len > CPG_TAG_MAX || database < 0)
		return;
	if (rule->named && cpg_inval_many_cells())
		cpg_inval_cell(cpg_cell_tag_group(cpg_guard, (uint16) database, data, len));
	else if (is_in_reach(rule, cpg_namespace_resolve(data, len)))
		cpg_inval_named_cell(cpg_cell_tag(cpg_guard, (uint16) database, data, len), data, len);
}

/* One image of a row: the old or the new one. */
static void
invalidate_image(const Watch *watch, TupleTableSlot *row)
{
	static StringInfoData text = {NULL};

	if (text.data == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&text);
		MemoryContextSwitchTo(old);
	}
	if (watch->key.given && !watch->key.broken && compose(&watch->key, row, &text))
		invalidate_key(&watch->key, text.data, text.len);
	if (watch->tag.given && !watch->tag.broken && compose(&watch->tag, row, &text))
		invalidate_tag(&watch->tag, text.data, text.len);
}

/*
 * A row was inserted, updated or deleted: invalidate at commit what the watch
 * of the trigger makes of its old and its new image.
 */
void
cpg_watch_row_changed(TriggerData *trigger)
{
	Watch	   *watch;

	if (!cpg_shmem_ready())
		return;
	watch = find_watch(trigger);
	if (watch->key.broken)
		cpg_watch_clear_keys(&watch->key.template);
	if (watch->tag.broken)
		cpg_watch_clear_tags(&watch->tag.template);
	invalidate_image(watch, trigger->tg_trigslot);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		invalidate_image(watch, trigger->tg_newslot);
}
