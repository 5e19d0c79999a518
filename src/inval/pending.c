/*-------------------------------------------------------------------------
 *
 * pending.c
 *	  The list of pending operations.  See inval_internal.h.
 *
 * Bounds.  Keys and values together take at most cachepg.max_pending_bytes;
 * a set beyond raises an error.  Invalidations never fail: beyond KILLS_MAX
 * keys whole namespaces are invalidated instead, beyond CELLS_MAX tables and
 * tags the whole database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "bus/bus.h"
#include "core/hash.h"
#include "guc.h"
#include "inval/inval_internal.h"
#include "inval/places.h"
#include "inval/usage.h"
#include "shmem.h"
#include "utils/memutils.h"

#define KILLS_MAX	16384
#define CELLS_MAX	16384

/* Where the operations of an open (sub)transaction begin. */
typedef struct Mark
{
	int			level;
	int			begin;
} Mark;

CpgPendingList cpg_pending = {.last_put = -1,.last_cell = -1};

static MemoryContext context = NULL;
static CpgPlaces subjects;		/* newest operation, -1: all were cut off */
static Mark *marks = NULL;
static int	nmarks = 0;
static int	marks_room = 0;

/*
 * Whether this transaction has anything to do at its commit, which its own reads
 * have to respect.  May run out of memory.
 */
bool		pg_attribute_hot
cpg_inval_pending(void)
{
	if (unlikely(cpg_usage_unnoted))
		cpg_usage_catch_up();
	return cpg_pending.count > 0;
}

/* How many changes this transaction has pending: more, once it has made others. */
int
cpg_inval_changes(void)
{
	return cpg_inval_pending() ? (int) cpg_pending.count : 0;
}

/*
 * Whether so many cells are to be bumped that whoever can name many things by
 * one cell should: soon the whole database goes.
 */
bool
cpg_inval_many_cells(void)
{
	return cpg_pending.cells >= CELLS_MAX / 2;
}

/* Memory that lasts until the end of the transaction. */
MemoryContext
cpg_pending_context(void)
{
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "cachepg pending", ALLOCSET_DEFAULT_SIZES);
	return context;
}

static uint64
key_subject(const CpgKey *key)
{
	return key->hash;
}

static uint64
cell_subject(CpgCell cell)
{
	return cpg_hash_mix(~(uint64) cell);
}

static uint64
soft_subject(CpgCell cell)
{
	return cpg_hash_mix(cell | UINT64CONST(1) << 40);
}

static int	pg_attribute_hot
head_of(uint64 id)
{
	const CpgPlace *subject = cpg_places_find(&subjects, id);

	return subject == NULL ? -1 : subject->at;
}

/* Index of the newest operation on a key, -1 if there is none. */
int
cpg_pending_head_of_key(const CpgKey *key)
{
	return head_of(key_subject(key));
}

/* Index of the newest operation on a cell, -1 if there is none. */
int			pg_attribute_hot
cpg_pending_head_of_cell(CpgCell cell)
{
	return head_of(cell_subject(cell));
}

static pg_noinline void
begin(void)
{
	cpg_commit_watch();
	marks = MemoryContextAlloc(cpg_pending_context(), 8 * sizeof(Mark));
	marks_room = 8;
	cpg_pending.op = MemoryContextAlloc(cpg_pending_context(), 16 * sizeof(CpgPending));
	cpg_pending.room = 16;
}

static pg_noinline void
grow(void)
{
	if (cpg_pending.op == NULL)
	{
		begin();
		return;
	}
	cpg_pending.op = repalloc_huge(cpg_pending.op, 2 * cpg_pending.room * sizeof(CpgPending));
	cpg_pending.room *= 2;
}

static pg_noinline void
add_mark(int level)
{
	if (nmarks == marks_room)
	{
		marks = repalloc(marks, 2 * marks_room * sizeof(Mark));
		marks_room *= 2;
	}
	marks[nmarks].level = level;
	marks[nmarks++].begin = cpg_pending.count;
}

/*
 * Room for one more operation, of which nothing but the kind is set, and a mark
 * for the current level.  It does not count before append.
 */
static CpgPending *pg_attribute_hot
reserve(CpgPendingKind kind)
{
	int			level = GetCurrentTransactionNestLevel();
	bool		is_of_key = kind != CPG_PENDING_CELL && kind != CPG_PENDING_SOFT;
	CpgPending *op;

	if (unlikely(cpg_pending.count == cpg_pending.room))
		grow();
	if (nmarks == 0 || marks[nmarks - 1].level < level)
		add_mark(level);
	op = &cpg_pending.op[cpg_pending.count];
	memset(op, 0, is_of_key ? sizeof(*op) : offsetof(CpgPending, mode));
	op->kind = kind;
	op->before_in_cell = op->fence = -1;
	return op;
}

/* Let an operation be the newest on a subject that has room; returns the one before. */
static int	pg_attribute_hot
take_head(uint64 id, int index)
{
	CpgPlace   *subject = cpg_places_find(&subjects, id);
	int			before = -1;

	/* what has become another kind since has none */
	if (subject != NULL)
	{
		before = subject->at;
		subject->at = index;
	}
	return before;
}

static CpgPlace *pg_attribute_hot
have_subject(uint64 id)
{
	bool		found;
	CpgPlace   *subject = cpg_places_add(&subjects, id, context, &found);

	if (!found)
		subject->at = -1;
	return subject;
}

static uint64
key_cell_subject(const CpgPending *op)
{
	return cell_subject(cpg_cell_key(cpg_guard, op->key.hash));
}

/* Let the operation for which there is room be the newest on a subject. */
static void pg_attribute_hot
append(CpgPending *op, uint64 id)
{
	int			index = cpg_pending.count;
	CpgPlace   *subject;

	if (index == 0)
		cpg_pending.assignments = cpg_namespace_assignments();
	/* nothing is changed before all memory is there */
	if (cpg_pending_is_of_key(op))
		have_subject(key_cell_subject(op));
	subject = have_subject(id);
	op->before = subject->at;
	subject->at = index;
	if (cpg_pending_is_of_key(op))
		op->before_in_cell = take_head(key_cell_subject(op), index);
	cpg_pending.count++;

	if (op->kind == CPG_PENDING_CELL)
	{
		cpg_pending.cells++;
		cpg_pending.last_cell = index;
	}
	cpg_pending.kills += op->kind == CPG_PENDING_KILL;
	if (op->kind == CPG_PENDING_PUT)
		cpg_pending.last_put = index;
	if (unlikely(cpg_commit_fenced()))
		cpg_commit_fence_late(op);
}

static void
check_bytes(Size more)
{
	if (cpg_pending.bytes + more > (Size) cpg_max_pending_bytes * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too much cached data waits for the commit of this transaction"),
				 errdetail("The limit is %d kB.", cpg_max_pending_bytes),
				 errhint("Commit more often, or raise \"cachepg.max_pending_bytes\".")));
}

/* Let an operation have a key of its own. */
static void
copy_key(CpgPending *op, const CpgKey *key)
{
	char	   *data = MemoryContextAlloc(cpg_pending_context(), key->len);

	memcpy(data, key->data, key->len);
	op->key = *key;
	op->key.data = data;
	cpg_pending.bytes += key->len;
}

/* A copy of an item with everything it points to, in one piece. */
static CpgItem *
copy_item(const CpgItem *item, Size *bytes)
{
	Size		cells = item->ncells * sizeof(CpgCell);
	CpgItem    *copy;
	char	   *at;

	*bytes = MAXALIGN(sizeof(CpgItem)) + MAXALIGN(cells) + MAXALIGN(item->notes_len) + item->len;
	check_bytes(*bytes);
	copy = MemoryContextAllocHuge(cpg_pending_context(), *bytes);
	*copy = *item;
	at = (char *) copy + MAXALIGN(sizeof(CpgItem));
	copy->cells = (CpgCell *) at;
	memcpy(at, item->cells, cells);
	at += MAXALIGN(cells);
	copy->notes = at;
	memcpy(at, item->notes, item->notes_len);
	at += MAXALIGN(item->notes_len);
	copy->data = at;
	memcpy(at, item->data, item->len);
	cpg_pending.bytes += *bytes;
	return copy;
}

/* The newest operation on the key if it is a set that may be overwritten here. */
static CpgPending *
own_put_of_level(const CpgKey *key)
{
	int			head = cpg_pending_head_of_key(key);
	int			level = GetCurrentTransactionNestLevel();
	CpgPending *op;

	if (head < 0 || cpg_commit_fenced())
		return NULL;
	op = &cpg_pending.op[head];
	if (op->kind != CPG_PENDING_PUT || op->key.role != key->role)
		return NULL;
	/* one of an outer level comes back if this one is rolled back */
	if (marks[nmarks - 1].level != level || head < marks[nmarks - 1].begin)
		return NULL;
	/* a cell invalidated in between must not seem to come after the new value */
	return head > cpg_pending.last_cell ? op : NULL;
}

/*
 * Set a key at commit.  Raises program_limit_exceeded beyond
 * cachepg.max_pending_bytes.
 */
CpgPending *
cpg_pending_put(const CpgKey *key, const CpgItem *item, CpgPutMode mode)
{
	CpgPending *old = own_put_of_level(key);
	CpgPending *op;

	if (old != NULL)
	{
		Size		bytes;
		CpgItem    *copy = copy_item(item, &bytes);

		cpg_pending.bytes -= old->item_bytes;
		pfree(old->item);
		old->item = copy;
		old->item_bytes = bytes;
		old->mode = mode;
		return old;
	}
	op = reserve(CPG_PENDING_PUT);
	op->mode = mode;
	op->item = copy_item(item, &op->item_bytes);
	copy_key(op, key);
	append(op, key_subject(key));
	return op;
}

/* Let a set have a frame for Redis, instead of the one it had; NULL: none. */
void
cpg_pending_frame(CpgPending *op, const CpgFrameJob *frame)
{
	Size		len = frame == NULL ? 0 : (Size) frame->key_len + frame->frame_len;
	char	   *bytes = NULL;

	if (len > 0)
	{
		bytes = MemoryContextAllocHuge(cpg_pending_context(), len);
		memcpy(bytes, frame->bytes, len);
	}
	if (op->frame.bytes != NULL)
		pfree(op->frame.bytes);
	if (len > 0)
		op->frame = *frame;
	op->frame.bytes = bytes;
}

/* Whether the namespace or database of a key was cleared after all else on it. */
static bool
is_cleared(const CpgKey *key)
{
	int			head = cpg_pending_head_of_key(key);
	int			clear = cpg_pending_head_of_cell(cpg_cell_namespace(key->ns));

	clear = Max(clear, cpg_pending_head_of_cell(cpg_cell_database(cpg_guard,
																  *cpg_guard_database(cpg_guard, key->ns))));
	return clear >= 0 && clear > head;
}

/* Kill, make stale or touch a key at commit. */
void
cpg_pending_key(CpgPendingKind kind, const CpgKey *key, int64 expiry)
{
	CpgPending *op;
	int			head = cpg_pending_head_of_key(key);

	if (is_cleared(key))
		return;
	if (head >= 0 && kind == CPG_PENDING_KILL && cpg_pending.op[head].kind == kind)
		return;
	if (cpg_pending.kills >= KILLS_MAX)
	{
		cpg_pending_cell(cpg_cell_namespace(key->ns), NULL, 0);
		return;
	}
	op = reserve(kind);
	op->expiry = expiry;
	copy_key(op, key);
	append(op, key_subject(key));
}

/* Let an operation carry a name to other servers, if there are any. */
static void
copy_name(CpgPending *op, const char *name, Size len)
{
	char	   *copy;

	if (name == NULL || !cpg_bus_active())
		return;
	copy = MemoryContextAlloc(cpg_pending_context(), len);
	memcpy(copy, name, len);
	op->name = copy;
	op->name_len = (uint16) len;
}

/* The generation of a namespace whose cell it is, else 0. */
static uint32
generation_of(CpgCell cell)
{
	if (cell >= cpg_guard->first[CPG_CELL_DATABASE])
		return 0;
	return cpg_registry->space[cell - cpg_cell_namespace(0)].generation;
}

/*
 * Whether other servers will hear of a cell, on which there are operations, by
 * this name: what shares a cell here need not share one there.  An operation
 * without a name stands for the whole database, and so do more operations than a
 * record holds.
 */
static bool
is_told(int newest, const char *name, Size len)
{
	if (cpg_pending.count > CPG_BUS_ITEMS_MAX)
		return true;
	for (int i = newest; i >= 0; i = cpg_pending.op[i].before)
	{
		const CpgPending *op = &cpg_pending.op[i];

		if (op->name == NULL || (name != NULL && op->name_len == len && memcmp(op->name, name, len) == 0))
			return true;
	}
	return false;
}

/* Beyond the limit of cells: the database's instead, if that does. */
static pg_noinline bool
stand_in(CpgCell *cell)
{
	int			database = cpg_registry_database();

	if (database < 0 || *cell < cpg_guard->first[CPG_CELL_TABLE])
		return false;
	*cell = cpg_cell_database(cpg_guard, (uint16) database);
	return true;
}

/* Bump a cell at commit; the name, which may be NULL, is that of a tag or table. */
void		pg_attribute_hot
cpg_pending_cell(CpgCell cell, const char *name, Size len)
{
	int			newest = cpg_pending_head_of_cell(cell);
	CpgPending *op;

	/* done already, and no own set since that it would have to reach */
	if (newest > cpg_pending.last_put && (!cpg_bus_active() || is_told(newest, name, len)))
		return;
	if (unlikely(cpg_pending.cells >= CELLS_MAX) && stand_in(&cell))
	{
		name = NULL;
		if (cpg_pending_head_of_cell(cell) > cpg_pending.last_put)
			return;
	}
	op = reserve(CPG_PENDING_CELL);
	op->cell = cell;
	op->generation = generation_of(cell);
	copy_name(op, name, len);
	append(op, cell_subject(cell));
}

/* Soften a cell at commit; the name, which may be NULL, is that of a tag. */
void
cpg_pending_soft_cell(CpgCell cell, const char *name, Size len)
{
	int			newest = head_of(soft_subject(cell));
	CpgPending *op;

	if (newest >= 0 && (!cpg_bus_active() || is_told(newest, name, len)))
		return;
	op = reserve(CPG_PENDING_SOFT);
	op->cell = cell;
	op->generation = generation_of(cell);
	copy_name(op, name, len);
	append(op, soft_subject(cell));
}

/* The subtransaction of this level committed: its operations are the parent's. */
void
cpg_pending_commit_sub(int level)
{
	if (nmarks == 0 || marks[nmarks - 1].level < level)
		return;
	if (nmarks > 1 && marks[nmarks - 2].level >= level - 1)
		nmarks--;
	else
		marks[nmarks - 1].level = level - 1;
}

static uint64
subject_of(const CpgPending *op)
{
	if (op->kind == CPG_PENDING_CELL)
		return cell_subject(op->cell);
	if (op->kind == CPG_PENDING_SOFT)
		return soft_subject(op->cell);
	return key_subject(&op->key);
}

/* Take the newest operation off. */
static void
cut_last(void)
{
	CpgPending *op = &cpg_pending.op[--cpg_pending.count];

	(void) take_head(subject_of(op), op->before);
	if (cpg_pending_is_of_key(op))
		(void) take_head(key_cell_subject(op), op->before_in_cell);
	cpg_pending.kills -= op->kind == CPG_PENDING_KILL;
	cpg_pending.cells -= op->kind == CPG_PENDING_CELL;
	if (op->kind == CPG_PENDING_CELL || op->kind == CPG_PENDING_SOFT)
		return;
	cpg_pending.bytes -= op->key.len;
	pfree((char *) op->key.data);
	if (op->kind == CPG_PENDING_PUT)
	{
		cpg_pending.bytes -= op->item_bytes;
		pfree(op->item);
		cpg_pending_frame(op, NULL);
	}
}

/* Index of the newest operation of a kind, at most "newest", or -1. */
static int
last_of(CpgPendingKind kind, int newest)
{
	int			i = Min(newest, cpg_pending.count - 1);

	while (i >= 0 && cpg_pending.op[i].kind != kind)
		i--;
	return i;
}

/* The subtransaction of this level aborted: as if its operations never were. */
void
cpg_pending_abort_sub(int level)
{
	if (nmarks == 0 || marks[nmarks - 1].level < level)
		return;
	while (cpg_pending.count > marks[nmarks - 1].begin)
		cut_last();
	nmarks--;

	cpg_pending.last_put = last_of(CPG_PENDING_PUT, cpg_pending.last_put);
	cpg_pending.last_cell = last_of(CPG_PENDING_CELL, cpg_pending.last_cell);
}

/* Forget everything: the transaction is over. */
void		pg_attribute_hot
cpg_pending_reset(void)
{
	if (context == NULL)
		return;
	cpg_places_reset(&subjects);
	marks = NULL;
	nmarks = marks_room = 0;
	memset(&cpg_pending, 0, sizeof(cpg_pending));
	cpg_pending.last_put = cpg_pending.last_cell = -1;
	MemoryContextReset(context);
}
