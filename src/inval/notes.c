/*-------------------------------------------------------------------------
 *
 * notes.c
 *	  What an entry keeps for cache_entry to show: names of its tags, OIDs of
 *	  the relations it was computed from, and what of it is not tracked.
 *
 * A sequence of items: a letter, then for 't' a length byte and the tag, for
 * 'h' likewise names of settings, for 'r' an OID, for 'u' a set of CpgUntracked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "inval/deps.h"
#include "mb/pg_wchar.h"
#include "shmem.h"

static const struct
{
	CpgUntracked what;
	const char *name;
}			names[] = {
	{CPG_UNTRACKED_CATALOG, "system catalogs"},
	{CPG_UNTRACKED_SEQUENCE, "sequences"},
	{CPG_UNTRACKED_FOREIGN, "foreign tables"},
	{CPG_UNTRACKED_FUNCTION, "functions that cannot be looked into"},
	{CPG_UNTRACKED_TIME, "time or random numbers"},
	{CPG_UNTRACKED_CONSISTENCY, "tables (consistency is ttl)"},
};

/* What a CpgUntracked stands for, in words. */
const char *
cpg_untracked_name(CpgUntracked what)
{
	for (int i = 0; i < lengthof(names); i++)
	{
		if (names[i].what == what)
			return names[i].name;
	}
	return "?";
}

/* Append a tag (at most CPG_TAG_MAX bytes). */
void
cpg_notes_write_tag(StringInfo to, const char *tag, Size len)
{
	appendStringInfoCharMacro(to, 't');
	appendStringInfoCharMacro(to, (char) len);
	appendBinaryStringInfo(to, tag, (int) len);
}

/* Append the names of settings that a loader did not see. */
void
cpg_notes_write_hidden(StringInfo to, const char *names)
{
	int			len = pg_mbcliplen(names, (int) strlen(names), CPG_TAG_MAX);

	appendStringInfoCharMacro(to, 'h');
	appendStringInfoCharMacro(to, (char) len);
	appendBinaryStringInfo(to, names, len);
}

/* Append what a load used. */
void
cpg_notes_write_load(StringInfo to, const CpgLoad *load)
{
	for (int i = 0; i < load->nrelations; i++)
	{
		appendStringInfoCharMacro(to, 'r');
		appendBinaryStringInfo(to, (const char *) &load->relations[i], sizeof(Oid));
	}
	if (load->untracked != 0)
	{
		appendStringInfoCharMacro(to, 'u');
		appendBinaryStringInfo(to, (const char *) &load->untracked, sizeof(uint32));
	}
}

/* Read an item with a length byte at *data; false if it is cut off. */
static bool
read_text(const char **data, const char *end, const char **text, uint8 *len)
{
	*len = (uint8) *(*data)++;
	if (end - *data < *len)
		return false;
	*text = *data;
	*data += *len;
	return true;
}

/* Read notes, which stay where they are; a cut-off end is ignored. */
void
cpg_notes_read(const char *data, Size len, CpgNotes *notes)
{
	const char *end = data + len;

	memset(notes, 0, sizeof(*notes));
	while (end - data >= 2)
	{
		char		kind = *data++;

		if (kind == 't')
		{
			if (notes->ntags == CPG_CELLS_MAX ||
				!read_text(&data, end, &notes->tags[notes->ntags], &notes->tag_len[notes->ntags]))
				return;
			notes->ntags++;
			continue;
		}
		if (kind == 'h')
		{
			if (!read_text(&data, end, &notes->hidden, &notes->hidden_len))
			{
				notes->hidden = NULL;
				return;
			}
			continue;
		}
		if (end - data < (ptrdiff_t) sizeof(uint32))
			return;
		if (kind == 'r' && notes->nrelations < CPG_CELLS_MAX)
			memcpy(&notes->relations[notes->nrelations++], data, sizeof(Oid));
		else if (kind == 'u')
			memcpy(&notes->untracked, data, sizeof(uint32));
		data += sizeof(uint32);
	}
}

/*
 * The cells of the tags, and of their groups, that notes name, in the database
 * with this number; returns how many of the CPG_CELLS_MAX places are filled.
 */
int
cpg_notes_cells(const CpgNotes *notes, uint16 database, CpgCell *cells)
{
	int			count = 0;

	for (int i = 0; i < Min(notes->ntags, CPG_TAGS_MAX); i++)
	{
		const char *tag = notes->tags[i];

		cells[count++] = cpg_cell_tag(cpg_guard, database, tag, notes->tag_len[i]);
		if (memchr(tag, ':', notes->tag_len[i]) != NULL)
			cells[count++] = cpg_cell_tag_group(cpg_guard, database, tag, notes->tag_len[i]);
	}
	return count;
}
