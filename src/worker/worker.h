/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background workers of cachepg.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WORKER_WORKER_H
#define CPG_WORKER_WORKER_H

extern void cpg_worker_register(void);
extern void cpg_launcher_register(void);
extern PGDLLEXPORT void cachepg_janitor_main(Datum arg);
extern PGDLLEXPORT void cachepg_launcher_main(Datum arg);
extern PGDLLEXPORT void cachepg_refresher_main(Datum arg);

/* resolver.c */
extern void cpg_resolver_register(void);
extern PGDLLEXPORT void cachepg_resolver_main(Datum arg);

/* dumper.c */
extern void cpg_dumper_register(void);
extern PGDLLEXPORT void cachepg_dumper_main(Datum arg);

/* broadcaster.c */
extern void cpg_broadcaster_register(void);
extern PGDLLEXPORT void cachepg_broadcaster_main(Datum arg);

/* subscriber.c */
extern void cpg_subscriber_register(void);
extern PGDLLEXPORT void cachepg_subscriber_main(Datum arg);

#endif							/* CPG_WORKER_WORKER_H */
