/*-------------------------------------------------------------------------
 *
 * check.c
 *	  Verification of a partition: arena, index, rings, queues and sums.
 *
 * Runs under the shared lock, which keeps writers out while readers go on.
 * Problems are constant texts with a number, so that nothing is allocated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store_internal.h"

typedef struct Check
{
	CpgSharedStore *store;
	CpgSharedPartition *part;
	CpgProblem *problems;
	int			max;
	int			count;
	/* sums over the index */
	uint64		entries;
	uint64		bytes;
	uint64		bounded_entries;
} Check;

static void
complain(Check *check, const char *text, int64 detail)
{
	if (check->count >= check->max)
		return;
	check->problems[check->count].partition = check->part->number;
	check->problems[check->count].text = text;

	check->problems[check->count].detail = detail;
	check->count++;
}

/* The members of an entry's ring must be of one key and one of them home. */
static void
check_ring(Check *check, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(check->store, check->part, ref);
	CpgRef		at = ref;
	int			members = 0;
	int			homes = 0;
	CpgKey		key;

	if (entry->ring == 0)
	{
		if (!entry->home)
			complain(check, "variant without ring", ref);
		return;
	}
	cpg_key_init(&key, check->store, cpg_entry_ns(entry),
				 (char *) entry + cpg_entry_prefix(entry), entry->key_len);
	do
	{
		CpgSharedEntry *member = cpg_entry(check->store, check->part, at);

		if (!cpg_entry_has_key(member, &key, member, SIZE_MAX))
			complain(check, "ring joins different keys", at);
		homes += member->home;
		at = member->ring;
	} while (at != ref && at != 0 && ++members <= CPG_VARIANTS_MAX);
	if (at != ref)
		complain(check, "ring is not closed", ref);
	if (homes != 1)
		complain(check, "ring has not exactly one home entry", ref);
}

/* An entry must be found by its own identity, at the slot it names. */
static void
check_entry(Check *check, CpgRef ref, uint32 slot)
{
	CpgSharedEntry *entry = cpg_entry(check->store, check->part, ref);
	CpgKey		key;

	if (entry->slot != slot)
		complain(check, "entry names another slot", slot);
	if (cpg_entry_ns(entry) >= check->store->config.max_namespaces)
	{
		complain(check, "entry of an impossible namespace", cpg_entry_ns(entry));
		return;
	}
	if (entry->key_len == 0 || entry->key_len > CPG_KEY_MAX)
	{
		complain(check, "entry with an impossible key length", entry->key_len);
		return;
	}
	cpg_key_init(&key, check->store, cpg_entry_ns(entry),
				 (char *) entry + cpg_entry_prefix(entry), entry->key_len);
	key.bounded = entry->queue == CPG_QUEUE_BOUNDED;
	key.role = entry->role;
	key.fingerprint = entry->fingerprint;
	key.any_fingerprint = false;
	if (cpg_partition_of(check->store, &key) != check->part)
		complain(check, "entry in the wrong partition", ref);
	if (cpg_index_find_locked(check->store, check->part, &key) != ref)
		complain(check, "entry is not found by its key", ref);
	check_ring(check, ref);

	check->entries++;
	check->bytes += cpg_entry_bytes_locked(check->store, check->part, ref);
	if (entry->queue == CPG_QUEUE_BOUNDED)
		check->bounded_entries++;
}

static void
check_index(Check *check)
{
	for (uint32 b = 0; b < check->store->nbuckets; b++)
	{
		CpgSharedBucket *bucket = cpg_bucket(check->store, check->part, b);

		if (bucket->version & 1)
			complain(check, "bucket left in writing", b);
		for (int i = 0; i < CPG_BUCKET_SLOTS; i++)
		{
			if (bucket->ref[i] == 0)
				continue;
			if ((Size) bucket->ref[i] * CPG_ARENA_UNIT >= check->part->arena.size)
				complain(check, "slot leads out of the arena", b * CPG_BUCKET_SLOTS + i);
			else
				check_entry(check, bucket->ref[i], b * CPG_BUCKET_SLOTS + i);
		}
	}
}

/* Links, count and bytes of one queue; returns its number of entries. */
static uint64
check_queue(Check *check, const CpgQueue *queue, CpgQueueId id, int ns)
{
	CpgRef		prev = 0;
	uint64		count = 0;
	uint64		bytes = 0;

	for (CpgRef ref = queue->head; ref != 0 && count <= queue->count;)
	{
		CpgSharedEntry *entry = cpg_entry(check->store, check->part, ref);

		if (entry->prev != prev)
			complain(check, "queue link is wrong", ref);
		if (entry->queue != id || (ns >= 0 && cpg_entry_ns(entry) != ns))
			complain(check, "entry in the wrong queue", ref);
		count++;
		bytes += cpg_entry_bytes_locked(check->store, check->part, ref);
		prev = ref;
		ref = entry->next;
	}
	if (queue->tail != prev)
		complain(check, "queue tail is wrong", id);
	if (count != queue->count)
		complain(check, "queue count is wrong", (int64) queue->count - (int64) count);
	if (bytes != queue->bytes)
		complain(check, "queue bytes are wrong", (int64) queue->bytes - (int64) bytes);
	return count;
}

static void
check_queues(Check *check)
{
	uint64		bounded = 0;
	uint64		bytes = 0;
	uint64		count;

	count = check_queue(check, &check->part->small, CPG_QUEUE_SMALL, -1);
	count += check_queue(check, &check->part->main, CPG_QUEUE_MAIN, -1);
	for (uint32 ns = 0; ns < check->store->config.max_namespaces; ns++)
	{
		if (cpg_bounded_partition(check->store, (uint16) ns) != check->part->number)
			continue;
		bounded += check_queue(check, cpg_bounded_queue(check->store, (uint16) ns),
							   CPG_QUEUE_BOUNDED, (int) ns);
		bytes += cpg_bounded_queue(check->store, (uint16) ns)->bytes;
	}
	if (bounded != check->bounded_entries)
		complain(check, "bounded lists and index disagree", (int64) bounded);
	if (bytes != check->part->bounded_bytes)
		complain(check, "sum of bounded lists is wrong", (int64) bytes);
	if (count + bounded != check->entries)
		complain(check, "queues and index disagree", (int64) (count + bounded));
}

static void
check_sums(Check *check)
{
	CpgArena   *arena = &check->part->arena;
	const char *problem = cpg_arena_check(arena, cpg_arena_base(check->store, check->part));
	uint64		entries = 0;
	uint64		bytes = 0;
	Size		used;

	if (problem != NULL)
		complain(check, problem, 0);
	for (uint32 ns = 0; ns < check->store->config.max_namespaces; ns++)
	{
		CpgPartitionUse *use = cpg_partition_use(check->store, check->part, (uint16) ns);

		entries += use->entries;
		bytes += use->bytes;
	}
	if (check->part->entries != check->entries)
		complain(check, "count of entries is wrong", check->part->entries);
	if (entries != check->entries || bytes != check->bytes)
		complain(check, "sums per namespace are wrong", (int64) entries);

	/* two units at the arena's ends belong to nobody */
	used = arena->size - 2 * CPG_ARENA_UNIT - arena->free_bytes;
	if (used != check->bytes)
		complain(check, "blocks that belong to no entry", (int64) used - (int64) check->bytes);
}

/*
 * Verify a partition; fills at most max problems and returns their number.
 * O(entries); takes the partition's lock in shared mode.
 */
int
cpg_store_check(CpgSharedStore *store, int partition, CpgProblem *problems, int max)
{
	Check		check = {.store = store,.part = cpg_partition(store, partition),
	.problems = problems,.max = max};

	LWLockAcquire(&check.part->lock.lock, LW_SHARED);
	check_index(&check);
	check_queues(&check);
	check_sums(&check);
	LWLockRelease(&check.part->lock.lock);
	return check.count;
}
