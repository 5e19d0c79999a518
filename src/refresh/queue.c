/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  The queue of refresh requests.
 *
 * A few dozen places, searched from end to end under one lock: a request is put
 * once for each load, not for each hit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flight/flight.h"
#include "miscadmin.h"
#include "refresh/refresh_internal.h"
#include "shmem.h"

#define MEGABYTE	((Size) 1024 * 1024)
#define PLACES_MIN	8
#define PLACES_MAX	128
#define DATABASE_SHARE 2		/* one database has at most one part in so
								 * many */

/* One place for two megabytes of the cache. */
static int
places(Size memory)
{
	return (int) Min(Max(memory / (2 * MEGABYTE), PLACES_MIN), PLACES_MAX);
}

Size
cpg_refresh_size(Size memory)
{
	return offsetof(CpgSharedRefresh, request) + places(memory) * sizeof(CpgSharedRequest);
}

void
cpg_refresh_init(CpgSharedRefresh *refresh, Size memory, int tranche)
{
	memset(refresh, 0, cpg_refresh_size(memory));
	LWLockInitialize(&refresh->lock.lock, tranche);
	pg_atomic_init_u32(&refresh->waiting, 0);
	refresh->size = places(memory);
}

/* A free place, unless this database has its share of them or the tag one. */
static CpgSharedRequest *
find_place_locked(uint64 tag)
{
	CpgSharedRequest *free = NULL;
	int			ours = 0;

	for (int i = 0; i < cpg_refresh->size; i++)
	{
		CpgSharedRequest *r = &cpg_refresh->request[i];

		if (!OidIsValid(r->database))
			free = r;
		else if (r->database == MyDatabaseId && r->tag == tag)
			return NULL;
		else if (r->database == MyDatabaseId)
			ours++;
	}
	return ours < cpg_refresh->size / DATABASE_SHARE ? free : NULL;
}

/*
 * Queue a request of this database, to be done before a time; false if it is
 * too long or there is no place.
 */
bool
cpg_queue_put(uint64 tag, Oid login, Oid role, int64 until, int popularity,
			  const char *data, uint32 len)
{
	CpgSharedRequest *place;

	if (len > CPG_REQUEST_MAX)
		return false;
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	place = find_place_locked(tag);
	if (place != NULL)
	{
		place->database = MyDatabaseId;
		place->login = login;
		place->role = role;
		place->until = until;
		place->popularity = popularity;
		place->order = cpg_refresh->arrivals++;
		place->tag = tag;
		place->len = len;
		memcpy(place->data, data, len);
		pg_atomic_fetch_add_u32(&cpg_refresh->waiting, 1);
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	if (place == NULL)
		return false;
	cpg_crew_call(MyDatabaseId);
	return true;
}

/* Whether this database has no more places. */
bool
cpg_queue_full(void)
{
	return pg_atomic_read_u32(&cpg_refresh->waiting) >= (uint32) cpg_refresh->size ||
		cpg_queue_length(MyDatabaseId) >= cpg_refresh->size / DATABASE_SHARE;
}

static bool
comes_first(const CpgSharedRequest *one, const CpgSharedRequest *other)
{
	if (one->popularity != other->popularity)
		return one->popularity > other->popularity;
	return one->order < other->order;
}

static void
remove_locked(CpgSharedRequest *request)
{
	request->database = InvalidOid;
	pg_atomic_fetch_sub_u32(&cpg_refresh->waiting, 1);
}

/*
 * The most popular request of a database that a worker of this login and role
 * may take; those that nobody expects any more are removed.
 */
static CpgSharedRequest *
find_request_locked(Oid database, Oid login, Oid role, int64 now, CpgTaken *taken)
{
	CpgSharedRequest *first = NULL;

	*taken = CPG_TAKEN_NONE;
	for (int i = 0; i < cpg_refresh->size; i++)
	{
		CpgSharedRequest *r = &cpg_refresh->request[i];

		if (r->database != database)
			continue;
		if (r->until <= now)
			remove_locked(r);
		else if (OidIsValid(role) && (r->login != login || r->role != role))
			*taken = CPG_TAKEN_OTHER_ROLE;
		else if (first == NULL || comes_first(r, first))
			first = r;
	}
	return first;
}

/*
 * Take the most popular request of a database, of the same login and role if
 * these are given.
 */
CpgTaken
cpg_queue_take(Oid database, Oid login, Oid role, int64 now, CpgRequest *request)
{
	CpgSharedRequest *first;
	CpgTaken	taken;

	if (pg_atomic_read_u32(&cpg_refresh->waiting) == 0)
		return CPG_TAKEN_NONE;
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	first = find_request_locked(database, login, role, now, &taken);
	if (first != NULL)
	{
		request->tag = first->tag;
		request->login = first->login;
		request->role = first->role;
		request->len = first->len;
		memcpy(request->data, first->data, first->len);
		remove_locked(first);
		taken = CPG_TAKEN;
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return taken;
}

/* Requests of a database that wait. */
int
cpg_queue_length(Oid database)
{
	int			n = 0;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	for (int i = 0; i < cpg_refresh->size; i++)
	{
		if (cpg_refresh->request[i].database == database)
			n++;
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return n;
}

/* The database with the next higher OID of which requests wait, or InvalidOid. */
Oid
cpg_queue_next_database(Oid after)
{
	Oid			next = InvalidOid;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_SHARED);
	for (int i = 0; i < cpg_refresh->size; i++)
	{
		Oid			database = cpg_refresh->request[i].database;

		if (database > after && (!OidIsValid(next) || database < next))
			next = database;
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return next;
}

/* Drop the requests of a database, and the claims that go with them. */
void
cpg_queue_forget(Oid database)
{
	uint64		tags[PLACES_MAX];
	int			n = 0;

	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < cpg_refresh->size; i++)
	{
		CpgSharedRequest *r = &cpg_refresh->request[i];

		if (r->database != database)
			continue;
		tags[n++] = r->tag;
		remove_locked(r);
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	for (int i = 0; i < n; i++)
		cpg_flight_unclaim(tags[i]);
}
