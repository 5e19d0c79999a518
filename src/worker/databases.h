/*-------------------------------------------------------------------------
 *
 * databases.h
 *	  Names of databases, for workers that are connected to none.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WORKER_DATABASES_H
#define CPG_WORKER_DATABASES_H

extern Oid	cpg_database_of_name(const char *name);
extern const char *cpg_database_name(Oid database);

#endif							/* CPG_WORKER_DATABASES_H */
