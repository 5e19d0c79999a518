/*-------------------------------------------------------------------------
 *
 * relations.h
 *	  When to forget what a session remembers of relations.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_SESSION_RELATIONS_H
#define CPG_SESSION_RELATIONS_H

extern uint64 cpg_relation_changes(void);

#endif							/* CPG_SESSION_RELATIONS_H */
