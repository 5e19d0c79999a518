/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  Watches: row triggers that invalidate keys and tags made from the rows.
 *
 * A watch is a row of the catalog table cachepg_watch and a trigger whose only
 * argument is the id of that row.  The trigger does what the row says if the
 * row is about its table, or about a partitioned table above it; templates are
 * never taken from a trigger.  Ids and rows survive a dump and restore, OIDs of
 * triggers would not; only cache_watch, which checks privileges, makes rows.
 *
 * TRUNCATE, and what brings or takes whole partitions, is no change of rows:
 * hooks (src/track) report it, and everything that a template can name is
 * invalidated.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WATCH_WATCH_H
#define CPG_WATCH_WATCH_H

#include "catalog/objectaccess.h"
#include "commands/trigger.h"

/* create.c */
extern void cpg_watch_create(Oid relid, const char *key, const char *tag);
extern int64 cpg_watch_remove(Oid relid, const char *key, const char *tag);

/* row.c */
extern void cpg_watch_row_changed(TriggerData *trigger);

/* whole.c */
extern void cpg_watch_truncated(Oid relid);
extern void cpg_watch_attached(Oid child, Oid parent);
extern void cpg_watch_trigger_dropped(Oid trigger);

#endif							/* CPG_WATCH_WATCH_H */
