/*-------------------------------------------------------------------------
 *
 * watch_internal.h
 *	  The catalog table cachepg_watch, and the triggers that refer to it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WATCH_INTERNAL_H
#define CPG_WATCH_INTERNAL_H

#include "catalog/pg_trigger.h"
#include "utils/relcache.h"
#include "utils/uuid.h"
#include "watch/template.h"
#include "watch/watch.h"

#define CPG_WATCH_FUNCTION	"cachepg_watch_row"
#define CPG_WATCH_COLUMNS	5	/* of cachepg_watch */

typedef struct CpgWatchRow
{
	pg_uuid_t	id;
	Oid			relation;
	char	   *key_template;	/* or NULL */
	char	   *tag_template;	/* or NULL */
	Oid			creator;
} CpgWatchRow;

/* catalog.c */
extern Oid	cpg_watch_table(void);
extern bool cpg_watch_find(const char *id, CpgWatchRow *row);
extern List *cpg_watch_list(Oid relid);
extern void cpg_watch_insert(const CpgWatchRow *row);
extern void cpg_watch_delete(const pg_uuid_t *id);
extern char *cpg_watch_id(const pg_uuid_t *id);

/* triggers.c */
typedef struct CpgWatchTrigger
{
	Oid			oid;
	Oid			relation;
	char	   *id;				/* of the row it claims to belong to */
} CpgWatchTrigger;

extern List *cpg_watch_triggers(Oid relid);
extern bool cpg_watch_trigger(Oid trigger, CpgWatchTrigger *found);
extern bool cpg_watch_covers(const CpgWatchRow *row, Oid relid);
extern AttrNumber cpg_watch_column(TupleDesc desc, const char *name);
extern void cpg_watch_clear(const CpgWatchRow *row);
extern void cpg_watch_clear_keys(const CpgTemplate *template);
extern void cpg_watch_clear_tags(const CpgTemplate *template);

#endif							/* CPG_WATCH_INTERNAL_H */
