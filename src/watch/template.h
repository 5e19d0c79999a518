/*-------------------------------------------------------------------------
 *
 * template.h
 *	  Templates of keys and tags: text with columns in braces.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WATCH_TEMPLATE_H
#define CPG_WATCH_TEMPLATE_H

typedef struct CpgTemplatePart
{
	char	   *text;			/* terminated */
	int			len;
	bool		is_column;		/* text is the name of a column */
} CpgTemplatePart;

/* Literals and columns alternate or follow each other; no literal is empty. */
typedef struct CpgTemplate
{
	int			nparts;
	CpgTemplatePart *parts;
} CpgTemplate;

extern const char *cpg_template_parse(const char *text, CpgTemplate *template);
extern bool cpg_template_constant(const CpgTemplate *template);
extern const char *cpg_template_head(const CpgTemplate *template, int *len);
extern bool cpg_template_named(const CpgTemplate *template);

#endif							/* CPG_WATCH_TEMPLATE_H */
