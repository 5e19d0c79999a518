/*-------------------------------------------------------------------------
 *
 * tags.c
 *	  Tags: what sets give entries, and cache_invalidate_tag, cache_expire_tag.
 *
 * A tag belongs to the database.  Whoever may write an entry may give it any
 * tag; to invalidate a tag needs the privilege on the namespace that its text
 * names before the first colon, as with keys.
 *
 * Tags with the same text before the first colon form a group with a cell of
 * its own, for the TRUNCATE of a table whose watch names them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"
#include "cachepg.h"
#include "compat.h"
#include "error.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(cachepg_cache_invalidate_tag);
PG_FUNCTION_INFO_V1(cachepg_cache_expire_tag);

static void
check_tag(Size len)
{
	if (len == 0)
		cpg_error_bad_argument("cache tag must not be empty");
	if (len > CPG_TAG_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cache tag is too long"),
				 errdetail("It has %zu bytes; the limit is %d.", len, CPG_TAG_MAX)));
}

static CpgCell
cell_of(const text *tag)
{
	int			database = cpg_registry_database();

	/* without a number nothing of this database is cached */
	return cpg_cell_tag(cpg_guard, (uint16) Max(database, 0), VARDATA_ANY(tag),
						VARSIZE_ANY_EXHDR(tag));
}

/* The group of a tag, once. */
static void
add_group(CpgTags *tags, const text *tag)
{
	int			database = cpg_registry_database();
	CpgCell		cell;

	if (memchr(VARDATA_ANY(tag), ':', VARSIZE_ANY_EXHDR(tag)) == NULL)
		return;
	cell = cpg_cell_tag_group(cpg_guard, (uint16) Max(database, 0), VARDATA_ANY(tag),
							  VARSIZE_ANY_EXHDR(tag));
	for (int i = 0; i < tags->count; i++)
	{
		if (tags->cells[i] == cell)
			return;
	}
	tags->cells[tags->count++] = cell;
}

/* Fill *tags from an array argument, which may be NULL. */
void
cpg_tags_argument(FunctionCallInfo fcinfo, int argument, CpgTags *tags)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	tags->count = 0;
	tags->notes.len = 0;
	tags->notes.data = NULL;
	if (PG_ARGISNULL(argument))
		return;
	count = cpg_array_elements(PG_GETARG_ARRAYTYPE_P(argument), "tags", &elements, &nulls);
	if (count > CPG_TAGS_MAX)
		cpg_error_bad_argument("too many tags: %d, the limit is %d", count, CPG_TAGS_MAX);
	initStringInfo(&tags->notes);
	for (int i = 0; i < count; i++)
	{
		text	   *tag;

		if (nulls[i])
			cpg_error_null_argument("cache tag");
		tag = DatumGetTextPP(elements[i]);
		check_tag(VARSIZE_ANY_EXHDR(tag));
		tags->cells[tags->count++] = cell_of(tag);
		add_group(tags, tag);
		cpg_notes_write_tag(&tags->notes, VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag));
	}
}

/* Check argument 0, a tag to be invalidated by the current role. */
static text *
tag_to_invalidate(FunctionCallInfo fcinfo)
{
	text	   *tag;

	cpg_require_preload();
	if (PG_ARGISNULL(0))
		cpg_error_null_argument("cache tag");
	tag = PG_GETARG_TEXT_PP(0);
	check_tag(VARSIZE_ANY_EXHDR(tag));
	cpg_namespace_require(cpg_namespace_resolve(VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag)),
						  CPG_PRIVILEGE_INVALIDATE);
	cpg_inval_refuse_in_recovery();
	return tag;
}

Datum
cachepg_cache_invalidate_tag(PG_FUNCTION_ARGS)
{
	text	   *tag = tag_to_invalidate(fcinfo);

	cpg_inval_named_cell(cell_of(tag), VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag));
	PG_RETURN_VOID();
}

Datum
cachepg_cache_expire_tag(PG_FUNCTION_ARGS)
{
	text	   *tag = tag_to_invalidate(fcinfo);

	cpg_inval_soft_cell(cell_of(tag), VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag));
	PG_RETURN_VOID();
}
