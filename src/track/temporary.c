/*-------------------------------------------------------------------------
 *
 * temporary.c
 *	  Whether the session's temporary relations hide permanent ones.
 *
 * They come first in the search path.  A session in which one has the name of
 * a permanent relation or type would compute something else than the others by
 * the same query: it must neither take their values nor give them its own.
 *
 * The relations are noted when they are made.  Since that and their dropping
 * may be rolled back, one that is missing is forgotten in a later transaction.
 * The answer is remembered until relations or types change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "storage/proc.h"
#include "track/track.h"
#include "utils/catcache.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

typedef struct Temporary
{
	Oid			oid;
	bool		is_type;		/* a type that belongs to no relation */
	LocalTransactionId missing; /* in which it was first found missing */
} Temporary;

static Temporary *temporaries = NULL;
static int	ntemporaries = 0;
static int	room = 0;
static bool changed = false;
static bool hides = false;

static void
names_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	changed = true;
}

static void
prepare(void)
{
	if (temporaries == NULL)
	{
		room = 16;
		temporaries = MemoryContextAlloc(TopMemoryContext, room * sizeof(Temporary));
		CacheRegisterSyscacheCallback(RELNAMENSP, names_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(TYPENAMENSP, names_changed, (Datum) 0);
	}
	if (ntemporaries == room)
	{
		temporaries = repalloc(temporaries, room * 2 * sizeof(Temporary));
		room *= 2;
	}
}

static void
note(Oid oid, bool is_type)
{
	changed = true;
	for (int i = ntemporaries - 1; i >= 0; i--)
	{
		if (temporaries[i].oid == oid && temporaries[i].is_type == is_type)
			return;
	}
	prepare();
	temporaries[ntemporaries].oid = oid;
	temporaries[ntemporaries].is_type = is_type;
	temporaries[ntemporaries++].missing = InvalidLocalTransactionId;
}

/* A temporary relation was made or altered. */
void
cpg_track_temporary(Oid relid)
{
	note(relid, false);
}

/* A temporary type that belongs to no relation was made or altered. */
void
cpg_track_temporary_type(Oid type)
{
	note(type, true);
}

static Oid
schema_of(int cache, HeapTuple tuple)
{
	return cache == RELNAMENSP ? ((Form_pg_class) GETSTRUCT(tuple))->relnamespace
		: ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
}

/* Whether something permanent has a name. */
static bool
is_taken(int cache, const char *name)
{
	CatCList   *list = SearchSysCacheList1(cache, CStringGetDatum(name));
	bool		taken = false;

	for (int i = 0; i < list->n_members && !taken; i++)
		taken = !isAnyTempNamespace(schema_of(cache, &list->members[i]->tuple));
	ReleaseSysCacheList(list);
	return taken;
}

/* Whether a temporary object hides something; *missing: there is none. */
static bool
hides_something(const Temporary *temporary, bool *missing)
{
	HeapTuple	tuple = SearchSysCache1(temporary->is_type ? TYPEOID : RELOID,
										ObjectIdGetDatum(temporary->oid));
	NameData	name;

	*missing = !HeapTupleIsValid(tuple);
	if (*missing)
		return false;
	name = temporary->is_type ? ((Form_pg_type) GETSTRUCT(tuple))->typname
		: ((Form_pg_class) GETSTRUCT(tuple))->relname;
	ReleaseSysCache(tuple);
	return is_taken(RELNAMENSP, NameStr(name)) || is_taken(TYPENAMENSP, NameStr(name));
}

static void
look_again(void)
{
	int			kept = 0;

	do
	{
		changed = false;
		hides = false;
		kept = 0;
		for (int i = 0; i < ntemporaries; i++)
		{
			Temporary	temporary = temporaries[i];
			bool		missing;

			hides |= hides_something(&temporary, &missing);
			if (missing && temporary.missing != InvalidLocalTransactionId &&
				temporary.missing != CPG_MY_LXID)
				continue;
			if (!missing)
				temporary.missing = InvalidLocalTransactionId;
			else if (temporary.missing == InvalidLocalTransactionId)
				temporary.missing = CPG_MY_LXID;
			temporaries[kept++] = temporary;
		}
		ntemporaries = kept;
	} while (changed);
}

/* Whether a name may mean something else in this session than in others. */
bool
cpg_track_hidden_names(void)
{
	if (likely(ntemporaries == 0))
		return false;
	if (unlikely(changed))
		look_again();
	return hides;
}
