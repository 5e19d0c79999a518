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

#include "miscadmin.h"
#include "refresh/refresh_internal.h"
#include "shmem.h"

#define MEGABYTE	((Size) 1024 * 1024)
#define PLACES_MIN	8
#define PLACES_MAX	128

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

/* Queue a request of this database; false if it is too long or there is no place. */
bool
cpg_queue_put(uint64 tag, int popularity, const char *data, uint32 len)
{
	CpgSharedRequest *free = NULL;

	if (len > CPG_REQUEST_MAX)
		return false;
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < cpg_refresh->size && free == NULL; i++)
	{
		if (!OidIsValid(cpg_refresh->request[i].database))
			free = &cpg_refresh->request[i];
	}
	if (free != NULL)
	{
		free->database = MyDatabaseId;
		free->popularity = popularity;
		free->order = cpg_refresh->arrivals++;
		free->tag = tag;
		free->len = len;
		memcpy(free->data, data, len);
		pg_atomic_fetch_add_u32(&cpg_refresh->waiting, 1);
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	if (free == NULL)
		return false;
	cpg_crew_call(MyDatabaseId);
	return true;
}

/* Whether no more requests fit in. */
bool
cpg_queue_full(void)
{
	return pg_atomic_read_u32(&cpg_refresh->waiting) >= (uint32) cpg_refresh->size;
}

static bool
comes_first(const CpgSharedRequest *one, const CpgSharedRequest *other)
{
	if (one->popularity != other->popularity)
		return one->popularity > other->popularity;
	return one->order < other->order;
}

/* Take the most popular request of a database; false if there is none. */
bool
cpg_queue_take(Oid database, CpgRequest *request)
{
	CpgSharedRequest *first = NULL;

	if (pg_atomic_read_u32(&cpg_refresh->waiting) == 0)
		return false;
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < cpg_refresh->size; i++)
	{
		CpgSharedRequest *r = &cpg_refresh->request[i];

		if (r->database == database && (first == NULL || comes_first(r, first)))
			first = r;
	}
	if (first != NULL)
	{
		request->tag = first->tag;
		request->len = first->len;
		memcpy(request->data, first->data, first->len);
		first->database = InvalidOid;
		pg_atomic_fetch_sub_u32(&cpg_refresh->waiting, 1);
	}
	LWLockRelease(&cpg_refresh->lock.lock);
	return first != NULL;
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

/* Drop the requests of a database. */
void
cpg_queue_forget(Oid database)
{
	LWLockAcquire(&cpg_refresh->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < cpg_refresh->size; i++)
	{
		if (cpg_refresh->request[i].database == database)
		{
			cpg_refresh->request[i].database = InvalidOid;
			pg_atomic_fetch_sub_u32(&cpg_refresh->waiting, 1);
		}
	}
	LWLockRelease(&cpg_refresh->lock.lock);
}
