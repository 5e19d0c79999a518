/*-------------------------------------------------------------------------
 *
 * read.c
 *	  Reads of the cache, with respect to the own transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "bus/mirror.h"
#include "guard/guard.h"
#include "guc.h"
#include "inval/deps.h"
#include "inval/inval_internal.h"
#include "inval/twophase.h"
#include "shmem.h"

static inline CpgRead
miss(CpgCounter why)
{
	CpgRead		read = {false, why};

	return read;
}

/*
 * Whether shared values must not be read now: a transaction with one snapshot
 * could see values newer than it, a standby is told of no commits, and prepared
 * transactions of before a restart have no fences.
 */
static inline bool
must_bypass(const CpgNamespace *ns, CpgCounter *why)
{
	if (unlikely(IsolationUsesXactSnapshot() && !cpg_snapshot_reads))
	{
		*why = CPG_COUNT_SNAPSHOT;
		return true;
	}
	if (unlikely(pg_atomic_read_u32(&cpg_guard->standby_fills) != 0))
		cpg_inval_leave_recovery();
	if (ns->ttl_only)
		return false;
	/* there it keeps nothing but what came from a home that tells of commits */
	if (unlikely(RecoveryInProgress()) && !cpg_mirror_exists())
	{
		*why = CPG_COUNT_RECOVERY;
		return true;
	}
	if (unlikely(cpg_twophase_unsettled()))
	{
		*why = CPG_COUNT_COMMIT_PENDING;
		return true;
	}
	return false;
}

/* What the own transaction makes of a read; true if that is all there is. */
static bool
read_own(const CpgKey *key, int64 now, bool with_datum, CpgValue *value, CpgRead *read,
		 int64 *expiry)
{
	CpgOverlay	own = cpg_overlay_find(key);

	*expiry = own.expiry;
	/* also what the own transaction invalidated is absent for itself only */
	if (own.state != CPG_OVERLAY_NONE || own.expiry != 0)
		cpg_deps_own_write();
	switch (own.state)
	{
		case CPG_OVERLAY_NONE:
			return false;
		case CPG_OVERLAY_GONE:
			*read = miss(CPG_COUNT_OWN_WRITES);
			return true;
		case CPG_OVERLAY_VALUE:
			if (own.op->item->expiry <= now)
				*read = miss(CPG_COUNT_EXPIRED);
			else
			{
				cpg_overlay_value(own.op, with_datum, value);
				read->hit = true;
			}
			return true;
	}
	pg_unreachable();
}

/* What the own transaction did to a key; *value is what it set. */
CpgOwn
cpg_inval_own(const CpgKey *key, int64 now, CpgValue *value)
{
	CpgRead		read = {false, CPG_COUNT_ABSENT};
	int64		expiry;

	if (!cpg_inval_pending() || !read_own(key, now, true, value, &read, &expiry))
		return CPG_OWN_NONE;
	return read.hit ? CPG_OWN_VALUE : CPG_OWN_GONE;
}

static CpgRead pg_attribute_hot
read_shared(const CpgKey *key, int64 now, bool with_datum, CpgValue *value)
{
	CpgResult	result = with_datum ? cpg_store_get(cpg_store, key, now, value)
	: cpg_store_peek(cpg_store, key, now, value);
	CpgRead		read = {true, CPG_COUNT_HITS};

	if (likely(result == CPG_HIT))
		return read;
	/* perhaps of a prepared transaction that has ended meanwhile */
	if (result == CPG_MISS_COMMIT_PENDING)
		cpg_twophase_resolve();
	return miss(cpg_stats_miss(result));
}

/*
 * On a standby only values of a home are valid, which tells of its commits; what
 * was kept here before the recovery, or by TTL alone, is not.
 */
static CpgRead
read_in_recovery(const CpgKey *key, int64 now, bool with_datum, CpgValue *value)
{
	CpgCell		room[CPG_CELLS_MAX];
	CpgCell    *wanted = value->cells;
	CpgRead		read;

	value->cells = room;
	read = read_shared(key, now, with_datum, value);
	value->cells = wanted;
	if (read.hit && (value->ncells == 0 || room[0] != cpg_cell_home(cpg_guard)))
		return miss(CPG_COUNT_RECOVERY);
	if (wanted != NULL && read.hit)
		memcpy(wanted, room, value->ncells * sizeof(CpgCell));
	return read;
}

static inline CpgRead
read_others(const CpgNamespace *ns, const CpgKey *key, int64 now, bool with_datum, CpgValue *value)
{
	if (unlikely(!ns->ttl_only && RecoveryInProgress()))
		return read_in_recovery(key, now, with_datum, value);
	return read_shared(key, now, with_datum, value);
}

/* The uncommon ways to read: own changes pending, or a load is under way. */
static CpgRead
read_carefully(CpgNamespace *ns, const CpgKey *key, int64 now, bool with_datum, CpgValue *value)
{
	CpgCell		room[CPG_CELLS_MAX];
	CpgCell    *wanted = value->cells;
	int64		expiry = 0;
	CpgRead		read = {false, CPG_COUNT_ABSENT};

	value->cells = room;
	if (!cpg_inval_pending() || !read_own(key, now, with_datum, value, &read, &expiry))
	{
		CpgCounter	why;

		read = must_bypass(ns, &why) ? miss(why) : read_others(ns, key, now, with_datum, value);
		if (read.hit && cpg_overlay_hides(value->cells, value->ncells))
		{
			read = miss(CPG_COUNT_OWN_WRITES);
			cpg_deps_own_write();
		}
		if (read.hit && expiry != 0)
			value->expiry = expiry;
		cpg_deps_read(key, &read, value, now);
		cpg_deps_identity(ns, key);
	}
	if (wanted != NULL)
		memcpy(wanted, room, value->ncells * sizeof(CpgCell));
	value->cells = wanted;
	return read;
}

static inline CpgRead
read_key(CpgNamespace *ns, const CpgKey *key, int64 now, bool with_datum, CpgValue *value)
{
	CpgCounter	why;

	if (unlikely(cpg_inval_pending() || cpg_deps_active()))
		return read_carefully(ns, key, now, with_datum, value);
	if (unlikely(must_bypass(ns, &why)))
		return miss(why);
	return read_others(ns, key, now, with_datum, value);
}

/*
 * As cpg_store_get, for the current transaction: its own changes count, and
 * during a load what is read becomes a dependency of the load.
 */
CpgRead		pg_attribute_hot
cpg_inval_get(CpgNamespace *ns, const CpgKey *key, int64 now, CpgValue *value)
{
	return read_key(ns, key, now, true, value);
}

/* As cpg_inval_get, without the datum and without counting as a use. */
CpgRead
cpg_inval_peek(CpgNamespace *ns, const CpgKey *key, int64 now, CpgValue *value)
{
	return read_key(ns, key, now, false, value);
}
