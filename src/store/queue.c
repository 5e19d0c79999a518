/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  Doubly linked queues of entries: small, main and one per bounded
 *	  namespace.
 *
 * All under the partition's exclusive lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store_internal.h"

/* The queue in which an entry is. */
CpgQueue *
cpg_queue_of(CpgSharedStore *store, CpgSharedPartition *part, const CpgSharedEntry *entry)
{
	switch ((CpgQueueId) entry->queue)
	{
		case CPG_QUEUE_SMALL:
			return &part->small;
		case CPG_QUEUE_MAIN:
			return &part->main;
		case CPG_QUEUE_BOUNDED:
			return cpg_bounded_queue(store, cpg_entry_ns(entry));
	}
	pg_unreachable();
}

static void
link_head(CpgSharedStore *store, CpgSharedPartition *part, CpgQueue *queue, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);

	entry->prev = 0;
	entry->next = queue->head;
	if (queue->head != 0)
		cpg_entry(store, part, queue->head)->prev = ref;
	else
		queue->tail = ref;
	queue->head = ref;
}

static void
unlink_entry(CpgSharedStore *store, CpgSharedPartition *part, CpgQueue *queue, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);

	if (entry->prev != 0)
		cpg_entry(store, part, entry->prev)->next = entry->next;
	else
		queue->head = entry->next;
	if (entry->next != 0)
		cpg_entry(store, part, entry->next)->prev = entry->prev;
	else
		queue->tail = entry->prev;
}

static void
link_tail(CpgSharedStore *store, CpgSharedPartition *part, CpgQueue *queue, CpgRef ref)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);

	entry->next = 0;
	entry->prev = queue->tail;
	if (queue->tail != 0)
		cpg_entry(store, part, queue->tail)->next = ref;
	else
		queue->head = ref;
	queue->tail = ref;
}

/* Let an entry of so many bytes belong to a queue. */
static CpgQueue *
enter(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, CpgQueueId id, Size bytes)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgQueue   *queue;

	entry->queue = id;
	queue = cpg_queue_of(store, part, entry);
	queue->count++;
	queue->bytes += bytes;
	if (id == CPG_QUEUE_BOUNDED)
		part->bounded_bytes += bytes;
	return queue;
}

/* Put an entry of so many bytes at the head of a queue. */
void
cpg_queue_push_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref,
					  CpgQueueId id, Size bytes)
{
	link_head(store, part, enter(store, part, ref, id, bytes), ref);
}

/* Put an entry of so many bytes at the end of a queue, as its oldest. */
void
cpg_queue_append_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref,
						CpgQueueId id, Size bytes)
{
	link_tail(store, part, enter(store, part, ref, id, bytes), ref);
}

/* Take an entry of so many bytes out of its queue. */
void
cpg_queue_remove_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref, Size bytes)
{
	CpgSharedEntry *entry = cpg_entry(store, part, ref);
	CpgQueue   *queue = cpg_queue_of(store, part, entry);

	unlink_entry(store, part, queue, ref);
	queue->count--;
	queue->bytes -= bytes;
	if (entry->queue == CPG_QUEUE_BOUNDED)
		part->bounded_bytes -= bytes;
}

/* Make an entry the newest of its queue. */
void
cpg_queue_to_head_locked(CpgSharedStore *store, CpgSharedPartition *part, CpgRef ref)
{
	CpgQueue   *queue = cpg_queue_of(store, part, cpg_entry(store, part, ref));

	if (queue->head == ref)
		return;
	unlink_entry(store, part, queue, ref);
	link_head(store, part, queue, ref);
}

/* Let a new entry take the place of an old one in its queue. */
void
cpg_queue_substitute_locked(CpgSharedStore *store, CpgSharedPartition *part,
							CpgRef old, Size old_bytes, CpgRef new, Size new_bytes)
{
	CpgSharedEntry *from = cpg_entry(store, part, old);
	CpgSharedEntry *to = cpg_entry(store, part, new);
	CpgQueue   *queue = cpg_queue_of(store, part, from);

	to->queue = from->queue;
	to->prev = from->prev;
	to->next = from->next;
	if (to->prev != 0)
		cpg_entry(store, part, to->prev)->next = new;
	else
		queue->head = new;
	if (to->next != 0)
		cpg_entry(store, part, to->next)->prev = new;
	else
		queue->tail = new;
	queue->bytes += new_bytes - old_bytes;
	if (to->queue == CPG_QUEUE_BOUNDED)
		part->bounded_bytes += new_bytes - old_bytes;
}
