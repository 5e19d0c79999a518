/*-------------------------------------------------------------------------
 *
 * places.h
 *	  From a number to the place of something in a list.
 *
 * Most transactions change a few tables: while there are few numbers they are
 * searched one by one, which needs no memory but the struct's; beyond, a hash
 * table has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_PLACES_H
#define CPG_INVAL_PLACES_H

#define CPG_PLACES_FEW 8

typedef struct CpgPlace
{
	uint64		id;
	int			at;
	char		status;
} CpgPlace;

typedef struct CpgPlaces
{
	int			count;			/* of few[], if there is no table */
	struct places_hash *many;	/* else NULL */
	CpgPlace	few[CPG_PLACES_FEW];
} CpgPlaces;

/* places.c */
extern CpgPlace *cpg_places_find(const CpgPlaces *places, uint64 id);
extern CpgPlace *cpg_places_add(CpgPlaces *places, uint64 id, MemoryContext context, bool *found);

/* Forget them; the memory of the table is the context's. */
static inline void
cpg_places_reset(CpgPlaces *places)
{
	places->count = 0;
	places->many = NULL;
}

#endif							/* CPG_INVAL_PLACES_H */
