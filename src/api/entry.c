/*-------------------------------------------------------------------------
 *
 * entry.c
 *	  cache_entry.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/api.h"
#include "cachepg.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "core/frequency.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(cachepg_cache_entry);

#define NOTES_SIZE 8192

/* Columns of cache_entry. */
enum
{
	ENTRY_STATE, ENTRY_TYPE, ENTRY_BYTES, ENTRY_AGE, ENTRY_TTL_LEFT, ENTRY_SOFT_LEFT,
	ENTRY_DELTA, ENTRY_HITS, ENTRY_TAGS, ENTRY_DEPENDS_ON, ENTRY_WHY, ENTRY_COLUMNS
};

typedef struct Row
{
	Datum		value[ENTRY_COLUMNS];
	bool		null[ENTRY_COLUMNS];
} Row;

static void
set(Row *row, int column, Datum value)
{
	row->value[column] = value;
	row->null[column] = false;
}

static void
describe_value(const CpgValue *value, int64 now, Row *row)
{
	set(row, ENTRY_TYPE, ObjectIdGetDatum(value->typid));
	set(row, ENTRY_BYTES, Int64GetDatum((int64) value->len));
	set(row, ENTRY_AGE, IntervalPGetDatum(cpg_ttl_to_interval(Max(now - value->created, 0))));
	set(row, ENTRY_TTL_LEFT, IntervalPGetDatum(cpg_ttl_to_interval(Max(value->expiry - now, 0))));
	set(row, ENTRY_HITS, Int64GetDatum(cpg_frequency_hits(value->frequency)));
	if (value->load_time > 0)
	{
		Interval   *delta = palloc0(sizeof(Interval));

		delta->time = value->load_time;
		set(row, ENTRY_DELTA, IntervalPGetDatum(delta));
	}
	if (value->soft_ttl > 0)
	{
		int64		left = value->created + value->soft_ttl - now;

		set(row, ENTRY_SOFT_LEFT, IntervalPGetDatum(cpg_ttl_to_interval(Max(left, 0))));
	}
}

static Datum
text_array(Datum *elements, int count)
{
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Name of a relation for people; its OID if it is gone. */
static char *
relation_name(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		return psprintf("%u", relid);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

/* Tags, and what the value depends on: relations, then what is not tracked. */
static void
describe_notes(const CpgValue *value, Row *row)
{
	Datum		texts[CPG_CELLS_MAX + 32];
	CpgNotes	notes;
	int			n = 0;

	cpg_notes_read(value->notes, value->notes_len, &notes);
	for (int i = 0; i < notes.ntags; i++)
		texts[n++] = PointerGetDatum(cstring_to_text_with_len(notes.tags[i], notes.tag_len[i]));
	if (n > 0)
		set(row, ENTRY_TAGS, text_array(texts, n));

	n = 0;
	for (int i = 0; i < notes.nrelations; i++)
		texts[n++] = CStringGetTextDatum(relation_name(notes.relations[i]));
	for (int bit = 0; bit < 32; bit++)
	{
		if (notes.untracked & (1u << bit))
			texts[n++] = CStringGetTextDatum(psprintf("not tracked: %s",
													  cpg_untracked_name((CpgUntracked) (1u << bit))));
	}
	if (n > 0)
		set(row, ENTRY_DEPENDS_ON, text_array(texts, n));
	if (notes.hidden != NULL)
		set(row, ENTRY_WHY,
			CStringGetTextDatum(psprintf("null; the loader does not see the setting %.*s: add it to vary_by",
										 notes.hidden_len, notes.hidden)));
}

/* Name of the state of an entry that is there, or "absent". */
static const char *
state_name(const CpgRead *read, const CpgValue *value)
{
	if (read->hit)
		return value->stale ? "stale" : "fresh";
	if (value->expiry == 0)
		return "absent";
	return read->why == CPG_COUNT_EXPIRED ? "expired" : "invalidated";
}

Datum
cachepg_cache_entry(PG_FUNCTION_ARGS)
{
	char		notes[NOTES_SIZE];
	CpgValue	value = {.notes = notes,.notes_size = NOTES_SIZE};
	int64		now = cpg_clock_now();
	TupleDesc	desc;
	CpgRead		read;
	Row			row;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	cpg_require_preload();
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	read = cpg_peek_key(PG_GETARG_TEXT_PP(0), now, &value);
	memset(row.null, true, sizeof(row.null));
	set(&row, ENTRY_STATE, CStringGetTextDatum(state_name(&read, &value)));
	if (value.expiry != 0)
	{
		describe_value(&value, now, &row);
		describe_notes(&value, &row);
	}
	if (!read.hit)
		set(&row, ENTRY_WHY, CStringGetTextDatum(cpg_stats_reason(read.why)));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row.value, row.null)));
}
