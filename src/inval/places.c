/*-------------------------------------------------------------------------
 *
 * places.c
 *	  From a number to the place of something in a list.  See places.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/hash.h"
#include "inval/places.h"

#define SH_PREFIX places
#define SH_ELEMENT_TYPE CpgPlace
#define SH_KEY_TYPE uint64
#define SH_KEY id
#define SH_HASH_KEY(table, key) ((uint32) cpg_hash_mix(key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

static pg_noinline CpgPlace *
find_in_table(const CpgPlaces *places, uint64 id)
{
	return places_lookup(places->many, id);
}

/* The place of a number, NULL if it has none; holds until the next addition. */
CpgPlace   *pg_attribute_hot
cpg_places_find(const CpgPlaces *places, uint64 id)
{
	if (unlikely(places->many != NULL))
		return find_in_table(places, id);
	for (int i = 0; i < places->count; i++)
	{
		if (places->few[i].id == id)
			return unconstify(CpgPlace *, &places->few[i]);
	}
	return NULL;
}

static pg_noinline void
make_table(CpgPlaces *places, MemoryContext context)
{
	places_hash *table = places_create(context, 4 * CPG_PLACES_FEW, NULL);
	bool		found;

	for (int i = 0; i < places->count; i++)
		places_insert(table, places->few[i].id, &found)->at = places->few[i].at;
	places->many = table;
}

static pg_noinline CpgPlace *
add_to_table(CpgPlaces *places, uint64 id, MemoryContext context, bool *found)
{
	if (places->many == NULL)
		make_table(places, context);
	return places_insert(places->many, id, found);
}

/*
 * The place of a number, a new one for the caller to fill if it had none.  May
 * run out of memory, and changes nothing then.
 */
CpgPlace   *pg_attribute_hot
cpg_places_add(CpgPlaces *places, uint64 id, MemoryContext context, bool *found)
{
	CpgPlace   *place = cpg_places_find(places, id);

	*found = place != NULL;
	if (*found)
		return place;
	if (unlikely(places->many != NULL || places->count == CPG_PLACES_FEW))
		return add_to_table(places, id, context, found);
	place = &places->few[places->count++];
	place->id = id;
	return place;
}
