/*-------------------------------------------------------------------------
 *
 * relation.h
 *	  What a relation means for dependencies, remembered per session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_TRACK_RELATION_H
#define CPG_TRACK_RELATION_H

#include "guard/guard.h"

typedef enum CpgRelationKind
{
	CPG_RELATION_TRACKED,		/* its contents change through the executor */
	CPG_RELATION_IGNORED,		/* has no contents: view, index, composite
								 * type */
	CPG_RELATION_TEMPORARY,
	CPG_RELATION_CATALOG,
	CPG_RELATION_SEQUENCE,
	CPG_RELATION_FOREIGN
} CpgRelationKind;

typedef struct CpgRelation
{
	Oid			relid;
	CpgRelationKind kind;
	CpgCell		cell;			/* its own */
	bool		in_tree;		/* a partition, or has partitions */
	CpgCell		tree;			/* cell of its partition tree */
	Oid			root;			/* of its partition tree */
	int			nancestors;		/* partition ancestors, nearest first */
	Oid		   *ancestors;
	/* for other servers, where there are any; see cpg_relation_name */
	const char *name;			/* or NULL */
	uint16		name_len;
	CpgCell		name_cell;
	char		status;			/* of the hash table */
} CpgRelation;

extern const CpgRelation *cpg_relation(Oid relid);

#endif							/* CPG_TRACK_RELATION_H */
