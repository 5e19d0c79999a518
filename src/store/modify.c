/*-------------------------------------------------------------------------
 *
 * modify.c
 *	  Deleting, touching and counting.
 *
 * Changes of a present entry are made in place, with the bucket's version odd.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "core/life.h"
#include "store/store_internal.h"

static bool
is_valid(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, int64 now)
{
	return ref != 0 &&
		cpg_entry_state(store, part, ref, cpg_entry(store, part, ref), now) == CPG_HIT;
}

/*
 * Whether a key names a valid entry, even if the key's cell is being
 * invalidated: for the one who does that.
 */
bool
cpg_store_holds(CpgSharedStore *store, const CpgKey *key, int64 now)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	bool		valid;

	LWLockAcquire(&part->lock.lock, LW_SHARED);
	valid = is_valid(store, part, cpg_index_find_locked(store, part, key), now);
	LWLockRelease(&part->lock.lock);
	return valid;
}

/* Mark an entry while optimistic readers look on. */
static void
mark_entry(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, CpgMark mark)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgSharedBucket *bucket = cpg_bucket(store, part, entry->slot / CPG_BUCKET_SLOTS);

	cpg_bucket_begin_write(bucket);
	if (mark == CPG_MARK_DEAD)
		entry->flags |= CPG_ENTRY_DEAD;
	else
		entry->stale = 1;
	cpg_bucket_end_write(bucket);
}

/* Whether an entry of a key is meant by an operation on those of its role, or on all. */
static bool
is_meant(const CpgSharedEntry *entry, const CpgKey *key, bool all)
{
	return all || entry->role == key->role;
}

static CpgRef
first_meant(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key, bool all)
{
	CpgRef		home = cpg_index_home_locked(store, part, key);
	CpgRef		ref = home;

	while (ref != 0 && !is_meant(cpg_entry(store, part, ref), key, all))
	{
		ref = cpg_entry(store, part, ref)->ring;
		if (ref == home)
			return 0;
	}
	return ref;
}

/* In a list of exact recency a dead entry would take the place of a live one. */
static void
remove_meant(CpgSharedStore *store, CpgSharedPartition *part, const CpgKey *key, bool all)
{
	CpgRef		ref;

	while ((ref = first_meant(store, part, key, all)) != 0)
		cpg_remove_locked(store, part, ref, CPG_REMOVE_DELETED);
}

/*
 * Mark the variants of a key that belong to its role or, with "all", to anybody,
 * whatever computed them.  True if there was one.  Allocates and throws nothing:
 * this is part of committing.
 */
bool
cpg_store_mark(CpgSharedStore *store, const CpgKey *key, CpgMark mark, bool all)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	CpgRef		first;
	CpgRef		ref;

	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	first = ref = first_meant(store, part, key, all);
	if (key->bounded && mark == CPG_MARK_DEAD)
	{
		remove_meant(store, part, key, all);
		ref = 0;
	}
	while (ref != 0)
	{
		CpgSharedEntry *entry = cpg_entry(store, part, ref);

		if (is_meant(entry, key, all))
			mark_entry(store, part, ref, mark);
		ref = entry->ring;
		if (ref == first)
			break;
	}
	LWLockRelease(&part->lock.lock);
	return first != 0;
}

/* Give the entry a key names a new expiry; true if there was a valid one. */
bool
cpg_store_touch(CpgSharedStore *store, const CpgKey *key, int64 expiry, int64 now)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	CpgRef		ref;
	bool		found;

	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	ref = cpg_index_find_locked(store, part, key);
	found = is_valid(store, part, ref, now);
	if (found)
	{
		CpgSharedEntry *entry = cpg_entry(store, part, ref);
		CpgSharedBucket *bucket = cpg_bucket(store, part, entry->slot / CPG_BUCKET_SLOTS);

		cpg_bucket_begin_write(bucket);
		entry->life = cpg_life_pack(cpg_life_created(entry->life), expiry);
		cpg_bucket_end_write(bucket);
		if (cpg_is_recency_list(store, entry))
			cpg_queue_to_head_locked(store, part, ref);
	}
	LWLockRelease(&part->lock.lock);
	return found;
}

static bool
in_range(Oid typid, int64 value)
{
	if (typid == INT2OID)
		return value >= PG_INT16_MIN && value <= PG_INT16_MAX;
	if (typid == INT4OID)
		return value >= PG_INT32_MIN && value <= PG_INT32_MAX;
	return true;
}

static Datum
integer_datum(Oid typid, int64 value)
{
	if (typid == INT2OID)
		return Int16GetDatum((int16) value);
	if (typid == INT4OID)
		return Int32GetDatum((int32) value);
	return Int64GetDatum(value);
}

static int64
integer_value(Oid typid, Datum datum)
{
	if (typid == INT2OID)
		return DatumGetInt16(datum);
	if (typid == INT4OID)
		return DatumGetInt32(datum);
	return DatumGetInt64(datum);
}

/* Add to a datum of type int2, int4 or int8; *sum is the result. */
CpgAddResult
cpg_integer_add(Oid typid, Datum *datum, int64 delta, int64 *sum)
{
	if (typid != INT2OID && typid != INT4OID && typid != INT8OID)
		return CPG_ADD_NOT_INTEGER;
	if (pg_add_s64_overflow(integer_value(typid, *datum), delta, sum) || !in_range(typid, *sum))
		return CPG_ADD_OVERFLOW;
	*datum = integer_datum(typid, *sum);
	return CPG_ADD_DONE;
}

/* Add to the integer of an entry in place. */
static CpgAddResult
add_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, int64 delta, int64 *sum)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgSharedBucket *bucket = cpg_bucket(store, part, entry->slot / CPG_BUCKET_SLOTS);
	char	   *at = (char *) entry + cpg_entry_prefix(entry) + entry->key_len +
	cpg_entry_notes_len(entry, (char *) entry);
	CpgAddResult result;
	Datum		datum;

	if ((entry->flags & CPG_ENTRY_NULL) || entry->value_len != sizeof(datum))
		return CPG_ADD_NOT_INTEGER;

	/* so short a value is never split into extents */
	memcpy(&datum, at, sizeof(datum));
	result = cpg_integer_add(entry->typid, &datum, delta, sum);
	if (result != CPG_ADD_DONE)
		return result;
	cpg_bucket_begin_write(bucket);
	memcpy(at, &datum, sizeof(datum));
	cpg_bucket_end_write(bucket);
	if (cpg_is_recency_list(store, entry))
		cpg_queue_to_head_locked(store, part, ref);
	return CPG_ADD_DONE;
}

/*
 * Add delta to the int2, int4 or int8 under a key and return the sum; its
 * remaining life stays.  NULL and other types are not integers.
 */
CpgAddResult
cpg_store_add_integer(CpgSharedStore *store, const CpgKey *key, int64 delta, int64 now,
					  int64 *sum)
{
	CpgSharedPartition *part = cpg_partition_of(store, key);
	CpgAddResult result = CPG_ADD_ABSENT;
	CpgRef		ref;

	LWLockAcquire(&part->lock.lock, LW_EXCLUSIVE);
	ref = cpg_index_find_locked(store, part, key);
	if (is_valid(store, part, ref, now) &&
		!cpg_guard_pending(store->guard, cpg_cell_key(store->guard, key->hash)))
		result = add_locked(store, part, ref, delta, sum);
	LWLockRelease(&part->lock.lock);
	return result;
}
