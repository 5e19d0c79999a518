/*-------------------------------------------------------------------------
 *
 * usage.c
 *	  Writes in databases that nobody uses the cache in.
 *
 * Where no namespace has been used since the server's start nothing depends on
 * a table, so which tables a transaction writes need not be noted, and its commit
 * has no fences.  It costs next to nothing there to have the library loaded.
 *
 * A database is in use from the first use of a namespace on.  Transactions that
 * wrote before that:
 *
 *	 still to commit		find out in PRE_COMMIT, before they become visible, and
 *							invalidate all that depends on tables of the database,
 *							by the cell for what names mean in it
 *	 about to commit		have passed PRE_COMMIT and are, or are not, visible yet
 *	 committed				are seen by every load
 *
 * Those in the middle say so in a place of their own in shared memory.  What is
 * loaded is kept only if it was loaded after all of those places had been empty
 * once, as it may not see them:
 *
 *	 writer                            loader
 *	 place = database                  database is in use
 *	 barrier                           barrier
 *	 in use? no: goes on               all places empty? no: keeps nothing
 *	 visible
 *	 place = none
 *	                                   all places empty? yes: settled; loads
 *	                                   from now on are kept
 *
 * Either the writer sees that the database is in use or the loader sees the place.
 *
 * What a dump of before a restart brings back depends on no table (warm/dump.c).
 * All writes are noted with two-phase commits, which pass PRE_COMMIT long before
 * they are visible, and with the bus, by which other servers learn of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "bus/bus.h"
#include "compat.h"
#include "fault.h"
#include "guard/guard.h"
#include "inval/inval_internal.h"
#include "inval/usage.h"
#include "miscadmin.h"
#include "policy/registry.h"
#include "shmem.h"
#include "storage/proc.h"

/* Of a process: the database in which it commits without a note, or InvalidOid. */
typedef union Place
{
	volatile Oid database;
	char		pad[PG_CACHE_LINE_SIZE];
} Place;

struct CpgSharedUsage
{
	Place		place[1];		/* MaxBackends of them */
};

bool		cpg_usage_known = false;
bool		cpg_usage_unnoted = false;

Size
cpg_usage_size(void)
{
	return MaxBackends * sizeof(Place);
}

void
cpg_usage_init(CpgSharedUsage *usage)
{
	memset(usage, 0, cpg_usage_size());
}

static Place *
my_place(void)
{
	return &cpg_usage->place[MyProc - ProcGlobal->allProcs];
}

/* Whether the database is not in use, as far as one can see now. */
static bool pg_attribute_hot
is_unused(void)
{
	static uint32 seen = 0;
	uint32		changes;

	if (cpg_usage_known)
		return false;
	if (cpg_bus_usable() || max_prepared_xacts > 0)
	{
		cpg_usage_known = true;
		return false;
	}
	changes = cpg_registry_changes();
	if (likely(changes == seen))
		return true;
	cpg_usage_known = cpg_registry_in_use();
	seen = changes;
	return !cpg_usage_known;
}

/*
 * Whether a write of a table need not be noted now.  After PRE_COMMIT it is,
 * since there is nothing more to come that would make good for it.
 */
bool		pg_attribute_hot
cpg_usage_pass_write(void)
{
	if (cpg_commit_fenced())
		return false;
	/* one such write is as good as many: the commit looks again */
	if (!cpg_usage_unnoted)
		cpg_usage_unnoted = is_unused();
	return cpg_usage_unnoted;
}

/*
 * This transaction wrote something that was not noted: if the database is in use
 * by now, all that depends on any of its tables is outdated.  May fail.
 */
void
cpg_usage_catch_up(void)
{
	int			number;
	CpgCell		cell;

	if (is_unused() || CPG_SKIP("usage-catch-up"))
		return;
	number = cpg_registry_database();
	if (number < 0)
		return;
	cell = cpg_cell_schema(cpg_guard, (uint16) number);
	if (cpg_pending_head_of_cell(cell) < 0)
		cpg_pending_cell(cell, NULL, 0);
}

/* Before fences go up: say that there are none for what was not noted, or see to it. */
void		pg_attribute_hot
cpg_usage_before_commit(void)
{
	my_place()->database = MyDatabaseId;
	pg_memory_barrier();
	cpg_usage_catch_up();
}

/* The transaction is visible, or aborted. */
void		pg_attribute_hot
cpg_usage_after_end(void)
{
	pg_write_barrier();
	my_place()->database = InvalidOid;
	cpg_usage_unnoted = false;
}

/* Whether somebody in this database may be about to commit without a note. */
static bool
somebody_commits(void)
{
	pg_memory_barrier();
	for (int i = 0; i < MaxBackends; i++)
	{
		if (cpg_usage->place[i].database == MyDatabaseId && !CPG_SKIP("usage-places"))
			return true;
	}
	return false;
}

/*
 * Whether what is loaded from now on sees all commits without a note.  Not before
 * the database is in use: there could always be more of them.
 */
bool
cpg_usage_settled(void)
{
	static bool settled = false;

	if (likely(settled))
		return true;
	if (!cpg_registry_in_use())
		return false;
	settled = cpg_registry_settled();
	if (!settled && !somebody_commits())
	{
		cpg_registry_settle();
		settled = true;
	}
	return settled;
}
