/*-------------------------------------------------------------------------
 *
 * track.h
 *	  What statements read and write, found by hooks.
 *
 * What a transaction writes becomes a pending invalidation of it; what is read
 * while a load is under way becomes a dependency of the load.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_TRACK_TRACK_H
#define CPG_TRACK_TRACK_H

/* Chain all hooks; called once, by _PG_init in the postmaster. */
extern void cpg_track_install(void);

/* tables.c */
extern void cpg_track_read(Oid relid);
extern void cpg_track_write(Oid relid);
extern void cpg_track_change(Oid relid);

/* executor.c, utility.c, ddl.c, replication.c */
extern void cpg_track_executor_install(void);
extern void cpg_track_utility_install(void);
extern void cpg_track_ddl_install(void);
extern void cpg_track_replication_install(void);
extern void cpg_track_collect_written(bool on);
extern void cpg_track_loads_over(void);
extern void cpg_track_schema(void);

extern bool cpg_track_parallel;

/* functions.c */
extern void cpg_track_functions_install(void);
extern void cpg_track_function(Oid function);
extern void cpg_track_load_ends(void);

/* plan.c */
struct PlannedStmt;
extern void cpg_track_plan(const struct PlannedStmt *statement);

/* temporary.c */
extern void cpg_track_temporary(Oid relid);
extern void cpg_track_temporary_type(Oid type);
extern bool cpg_track_hidden_names(void);

#endif							/* CPG_TRACK_TRACK_H */
