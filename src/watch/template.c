/*-------------------------------------------------------------------------
 *
 * template.c
 *	  Parsing of templates.
 *
 * {column} stands for the text of a column; the name is taken as it is, case
 * and spaces included.  {{ and }} outside of a name are single braces; a column
 * with braces in its name cannot be named.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "watch/template.h"

static void
add_part(CpgTemplate *template, const char *text, int len, bool is_column)
{
	CpgTemplatePart *part;

	if (template->parts == NULL)
		template->parts = palloc(sizeof(CpgTemplatePart));
	else
		template->parts = repalloc(template->parts, (template->nparts + 1) * sizeof(CpgTemplatePart));
	part = &template->parts[template->nparts++];
	part->text = pnstrdup(text, len);
	part->len = len;
	part->is_column = is_column;
}

/* The literal collected so far becomes a part. */
static void
end_literal(CpgTemplate *template, StringInfo literal)
{
	if (literal->len > 0)
		add_part(template, literal->data, literal->len, false);
	resetStringInfo(literal);
}

/* A column's name begins at *at; moves it behind the closing brace. */
static const char *
parse_column(CpgTemplate *template, const char **at)
{
	const char *begin = *at;
	size_t		len = strcspn(begin, "{}");

	if (begin[len] != '}')
		return "A brace is opened and not closed.";
	if (len == 0)
		return "A pair of braces names no column.";
	add_part(template, begin, (int) len, true);
	*at = begin + len + 1;
	return NULL;
}

/*
 * Take a template apart, in the current memory context.  Returns NULL, or a
 * sentence that says what is wrong with it.
 */
const char *
cpg_template_parse(const char *text, CpgTemplate *template)
{
	StringInfoData literal;
	const char *at = text;

	template->nparts = 0;
	template->parts = NULL;
	initStringInfo(&literal);
	while (*at != '\0')
	{
		if ((*at == '{' || *at == '}') && at[1] == *at)
		{
			appendStringInfoChar(&literal, *at);
			at += 2;
		}
		else if (*at == '{')
		{
			const char *problem;

			end_literal(template, &literal);
			at++;
			problem = parse_column(template, &at);
			if (problem != NULL)
				return problem;
		}
		else if (*at == '}')
			return "A brace is closed that was not opened.";
		else
			appendStringInfoChar(&literal, *at++);
	}
	end_literal(template, &literal);
	return template->nparts == 0 ? "It is empty." : NULL;
}

/* Whether it names no column. */
bool
cpg_template_constant(const CpgTemplate *template)
{
	return template->nparts == 1 && !template->parts[0].is_column;
}

/* The literal before the first column, perhaps empty. */
const char *
cpg_template_head(const CpgTemplate *template, int *len)
{
	if (template->parts[0].is_column)
	{
		*len = 0;
		return "";
	}
	*len = template->parts[0].len;
	return template->parts[0].text;
}

/* Whether the literal before the first column has a colon, so names a namespace. */
bool
cpg_template_named(const CpgTemplate *template)
{
	int			len;
	const char *head = cpg_template_head(template, &len);

	return memchr(head, ':', len) != NULL;
}
