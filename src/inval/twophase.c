/*-------------------------------------------------------------------------
 *
 * twophase.c
 *	  Fences of prepared transactions.
 *
 * PREPARE TRANSACTION hands the fences of a transaction to a slot in shared
 * memory that names its XID.  When that is in progress no more, whoever sees it
 * first lowers them: the utility hook after COMMIT or ROLLBACK PREPARED, the
 * janitor, or a reader that meets a fence.  No callback of PostgreSQL tells when
 * a prepared transaction ends.
 *
 * What the transaction did to keys is done when it is prepared: their entries
 * are marked dead then, and the fence lets nothing new in until it is lowered.
 * Its sets are not published.
 *
 * A restart forgets the slots.  Until all transactions that were prepared
 * before are gone, their database is not served; no database is while one of them
 * has changed roles, of which the cells are the whole server's.
 *
 * Concurrency: the lock covers slots and states of databases.  A slot is
 * reserved by the preparing process before anything can no longer fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xact.h"
#include "bus/bus.h"
#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "executor/spi.h"
#include "inval/inval_internal.h"
#include "inval/twophase.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/procarray.h"

#define CELLS_PER_SLOT		64
#define ROLES_PER_SLOT		16	/* beyond, it has all role cells */
#define LATE_CELLS			8	/* kept free for cpg_twophase_add */
#define RECHECK_INTERVAL	1000	/* ms */

typedef struct Slot
{
	TransactionId xid;			/* InvalidTransactionId: free */
	bool		prepared;		/* handed over; until then its maker's */
	bool		roles;			/* all role cells are raised, too */
	int			ncells;
	Oid			database;
	CpgCell		cell[CELLS_PER_SLOT];
} Slot;

struct CpgSharedTwophase
{
	LWLockPadded lock;
	int			nslots;
	pg_atomic_uint32 used;		/* slots handed over */
	Slot		slot[FLEXIBLE_ARRAY_MEMBER];
};

bool		cpg_twophase_settled = false;

static Slot *mine = NULL;		/* reserved by this process */

Size
cpg_twophase_size(void)
{
	return offsetof(CpgSharedTwophase, slot) + max_prepared_xacts * sizeof(Slot);
}

void
cpg_twophase_init(CpgSharedTwophase *shared, int tranche)
{
	memset(shared, 0, cpg_twophase_size());
	LWLockInitialize(&shared->lock.lock, tranche);
	pg_atomic_init_u32(&shared->used, 0);
	shared->nslots = max_prepared_xacts;
}

static Slot *
find_slot(TransactionId xid)
{
	for (int i = 0; i < cpg_twophase->nslots; i++)
	{
		if (cpg_twophase->slot[i].xid == xid)
			return &cpg_twophase->slot[i];
	}
	return NULL;
}

/* Reserve a slot for this transaction; raises an error if there is none. */
static Slot *
reserve(TransactionId xid)
{
	Slot	   *slot;

	cpg_twophase_resolve();
	LWLockAcquire(&cpg_twophase->lock.lock, LW_EXCLUSIVE);
	slot = find_slot(InvalidTransactionId);
	if (slot != NULL)
	{
		memset(slot, 0, sizeof(*slot));
		slot->xid = xid;
		slot->database = MyDatabaseId;
	}
	LWLockRelease(&cpg_twophase->lock.lock);
	if (slot == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("cache invalidations of too many prepared transactions are pending"),
				 errhint("Increase \"max_prepared_transactions\".")));
	return slot;
}

static bool
is_role_cell(CpgCell cell)
{
	return cell >= cpg_guard->first[CPG_CELL_ROLE] && cell < cpg_guard->first[CPG_CELL_ROLE + 1];
}

/* Whether so many role cells are among them that a slot rather has all. */
static bool
has_many_roles(const CpgCell *cells, int count)
{
	int			roles = 0;

	for (int i = 0; i < count; i++)
		roles += is_role_cell(cells[i]);
	return roles > ROLES_PER_SLOT;
}

/* Note the cells of raised fences; false if they are too many for a slot. */
static bool
fill_slot(Slot *slot, const CpgCell *cells, int count)
{
	slot->roles = has_many_roles(cells, count);
	for (int i = 0; i < count; i++)
	{
		if (is_role_cell(cells[i]) && slot->roles)
			continue;
		if (slot->ncells == CELLS_PER_SLOT - LATE_CELLS)
			return false;
		slot->cell[slot->ncells++] = cells[i];
	}
	return true;
}

/*
 * PRE_PREPARE: raise the fences, with few enough cells for a slot.  Beyond, the
 * whole database is fenced, which covers all but roles.
 */
void
cpg_twophase_prepare(void)
{
	const CpgCell *cells;
	int			count;
	int			database;

	mine = reserve(GetTopTransactionId());
	CPG_FAULT("preprepare-reserved");
	cells = cpg_commit_cells(&count);
	if (!fill_slot(mine, cells, count))
	{
		mine->ncells = 0;
		for (int i = 0; i < count; i++)
			mine->roles |= is_role_cell(cells[i]);
		database = cpg_registry_database();
		if (database >= 0)
			mine->cell[mine->ncells++] = cpg_cell_database(cpg_guard, (uint16) database);
	}
	cpg_commit_raise_cells(mine->cell, mine->ncells, mine->roles);
}

static bool
has_cell(const Slot *slot, CpgCell cell)
{
	for (int i = 0; i < slot->ncells; i++)
	{
		if (slot->cell[i] == cell)
			return true;
	}
	return false;
}

/*
 * After PRE_PREPARE: one more cell for the slot.  True if its fence has to be
 * raised, false if it is covered already; raises an error if the slot is full.
 */
bool
cpg_twophase_add(CpgCell cell)
{
	int			database = cpg_registry_database();

	if (is_role_cell(cell) ? mine->roles
		: database >= 0 && has_cell(mine, cpg_cell_database(cpg_guard, (uint16) database)))
		return false;
	if (has_cell(mine, cell))
		return false;
	if (mine->ncells == CELLS_PER_SLOT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many cache invalidations while a transaction is being prepared")));
	mine->cell[mine->ncells++] = cell;
	return true;
}

/* The transaction aborts instead of being prepared. */
void
cpg_twophase_release(void)
{
	if (mine == NULL)
		return;
	LWLockAcquire(&cpg_twophase->lock.lock, LW_EXCLUSIVE);
	mine->xid = InvalidTransactionId;
	LWLockRelease(&cpg_twophase->lock.lock);
	mine = NULL;
}

/* PREPARE: from now on the slot answers for the fences.  Cannot fail. */
void
cpg_twophase_hand_over(void)
{
	LWLockAcquire(&cpg_twophase->lock.lock, LW_EXCLUSIVE);
	mine->prepared = true;
	pg_atomic_fetch_add_u32(&cpg_twophase->used, 1);
	LWLockRelease(&cpg_twophase->lock.lock);
	mine = NULL;
}

/* The database for everything in which a slot stands; InvalidOid: all. */
static Oid
database_of(const Slot *slot)
{
	bool global = slot->roles;

	for (int i = 0; i < slot->ncells; i++)
		global = global ||cpg_broadcast_is_global(slot->cell[i], slot->database);
	return global ? InvalidOid : slot->database;
}

static void
lower_slot(const Slot *slot, Oid database)
{
	uint64		number = cpg_bus_draw(NULL, database, GetXLogInsertRecPtr());

	for (int i = 0; i < slot->ncells; i++)
		(void) cpg_guard_lower(cpg_guard, slot->cell[i], number);
	for (CpgCell i = 0; slot->roles && i < CPG_ROLE_CELLS; i++)
		(void) cpg_guard_lower(cpg_guard, cpg_guard->first[CPG_CELL_ROLE] + i, number);
}

/*
 * Whether everybody was told of a transaction that has ended.  What other
 * processes learn by invalidation messages is sent after the transaction has
 * become visible and before its locks are released.
 */
static bool
is_told(TransactionId xid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_TRANSACTION(tag, xid);
	if (CPG_LOCK_TRY(&tag, ShareLock) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	LockRelease(&tag, ShareLock, true);
	return true;
}

/* Whether the transaction of a slot is over for all that its cells stand for. */
static bool
has_ended(const Slot *slot, TransactionId xid)
{
	bool		of_catalog = slot->roles;

	if (TransactionIdIsInProgress(xid))
		return false;
	for (int i = 0; i < slot->ncells; i++)
		of_catalog |= cpg_cell_is_of_catalog(cpg_guard, slot->cell[i]);
	return !of_catalog || is_told(xid);
}

/*
 * Lower the fences of prepared transactions that have ended.  Looks at the
 * process array and the table of locks, so not for use while a lock is held.
 */
void
cpg_twophase_resolve(void)
{
	if (cpg_twophase == NULL || pg_atomic_read_u32(&cpg_twophase->used) == 0)
		return;
	for (int i = 0; i < cpg_twophase->nslots; i++)
	{
		Slot	   *slot = &cpg_twophase->slot[i];
		TransactionId xid = slot->xid;
		Oid			database;

		if (xid == InvalidTransactionId || !slot->prepared || !has_ended(slot, xid))
			continue;
		CPG_FAULT("resolve-found");
		database = database_of(slot);
		LWLockAcquire(&cpg_twophase->lock.lock, LW_EXCLUSIVE);
		if (slot->xid == xid && slot->prepared)
		{
			lower_slot(slot, database);
			slot->xid = InvalidTransactionId;
			pg_atomic_fetch_sub_u32(&cpg_twophase->used, 1);
		}
		LWLockRelease(&cpg_twophase->lock.lock);
	}
}

/* Whether a transaction that is prepared has a slot. */
static bool
has_slot(TransactionId xid)
{
	bool		found;

	LWLockAcquire(&cpg_twophase->lock.lock, LW_SHARED);
	found = find_slot(xid) != NULL;
	LWLockRelease(&cpg_twophase->lock.lock);
	return found;
}

/*
 * Whether there is a prepared transaction without a slot that concerns this
 * database: it is of this one, or has changed a catalog that all share, such as
 * that of memberships, and so keeps a lock on it.
 */
static bool
has_unfenced(void)
{
	static const char query[] = "SELECT transaction FROM pg_catalog.pg_prepared_xacts "
	"WHERE database OPERATOR(pg_catalog.=) pg_catalog.current_database() OR EXISTS ("
	"SELECT FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'relation' "
	"AND l.database OPERATOR(pg_catalog.=) 0 AND l.mode OPERATOR(pg_catalog.<>) 'AccessShareLock' "
	"AND l.virtualtransaction OPERATOR(pg_catalog.=) "
	"pg_catalog.concat('-1/', transaction::pg_catalog.text))";
	bool		unfenced = false;

	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read prepared transactions");
	for (uint64 i = 0; i < SPI_processed && !unfenced; i++)
	{
		bool		isnull;
		TransactionId xid = DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[i],
																SPI_tuptable->tupdesc, 1, &isnull));

		/* it may have ended since, and its slot be free */
		unfenced = !has_slot(xid) && (TransactionIdIsInProgress(xid) || !is_told(xid));
	}
	SPI_finish();
	return unfenced;
}

/*
 * Find out, once in a while, whether prepared transactions of before still concern
 * this database; remembers when none does, as there will be no more.
 */
bool
cpg_twophase_find_out(void)
{
	static int64 checked = 0;
	int64		now = cpg_clock_now();

	/*
	 * until a promotion nobody sees what is prepared, and nothing of it ends
	 * unheard
	 */
	if (RecoveryInProgress())
		return false;
	if (checked != 0 && now - checked < RECHECK_INTERVAL)
		return true;
	checked = now;
	cpg_twophase_settled = !has_unfenced();
	return !cpg_twophase_settled;
}
