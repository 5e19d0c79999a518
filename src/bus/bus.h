/*-------------------------------------------------------------------------
 *
 * bus.h
 *	  What commits invalidate, on its way to other servers; and what another
 *	  server's commits invalidated, as far as it is known here.
 *
 * Going out.  A transaction describes what it will invalidate in a record,
 * before its commit.  At its commit it draws its number of the validity clock
 * and puts the record into a ring, under one lock, so that records lie in the
 * order of their numbers.  The broadcaster (worker/broadcaster.c) sends what is
 * there and takes it off when Redis has it.  A record that finds no room is not
 * lost: what it is about grows to its whole database, or to everything, which
 * takes no room.
 *
 * Coming in.  One server is the home of what is in Redis: the others check
 * what they find there against a mirror of its clock, which the subscriber
 * (worker/subscriber.c) keeps.
 *
 *	 mirror[cell]	the home's last number for cells of that hash
 *	 floor			what is older than that is not known to be valid
 *	 current		nothing is known to be missing
 *
 * What was taken from Redis and kept here depends on cells of the own guard,
 * which the subscriber bumps: one for each of the mirror, and one for the home
 * as a whole, on which an invalidation is pending while the mirror is not
 * current.  So a hit costs what it always costs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_BUS_BUS_H
#define CPG_BUS_BUS_H

#include "access/xlogdefs.h"
#include "guard/guard.h"
#include "wire/message.h"

typedef struct CpgSharedBus CpgSharedBus;

/* What one transaction invalidates. */
typedef struct CpgBusRecord
{
	char	   *data;			/* in the memory context of the first item */
	Size		len;
	Size		room;
	uint32		nitems;
	bool		too_long;		/* more than a message can hold */
	bool global;				/* something in it concerns other databases */
} CpgBusRecord;

/* One thing of a record, as it is read. */
typedef struct CpgBusItem
{
	CpgMessageWhat what;
	CpgCell		cell;
	const char *name;
	Size		len;
} CpgBusItem;

#define CPG_BUS_BATCH_BYTES ((Size) 128 * 1024)
#define CPG_BUS_RECORD_MAX	((Size) 60 * 1024)
#define CPG_BUS_ITEMS_MAX	1000
#define CPG_BUS_ITEM_SIZE	7	/* bytes, without its name */
#define CPG_BUS_LOST_MAX	32

/* A record that found no room: everything in its database. */
typedef struct CpgBusLost
{
	Oid			database;		/* InvalidOid: in all of them */
	uint64		number;
	XLogRecPtr	lsn;
} CpgBusLost;

/* A record that was taken from the ring. */
typedef struct CpgBusTaken
{
	Oid			database;		/* InvalidOid: all */
	uint64		number;
	XLogRecPtr	lsn;
	uint32		nitems;			/* 0: everything in the database */
	const char *items;
	Size		len;
} CpgBusTaken;

/* What the broadcaster finds to do. */
typedef struct CpgBusBatch
{
	char	   *data;			/* CPG_BUS_BATCH_BYTES of the caller's */
	Size		len;			/* of records in it */
	uint64		position;		/* of the ring behind them */
	CpgBusLost	lost[CPG_BUS_LOST_MAX]; /* these before them */
	int			nlost;
	uint64		bumped;			/* of the guard, if it is among the lost */
	bool		drained;		/* there is nothing else: */
	uint64		settled;		/* all up to this number is in here, or sent */
} CpgBusBatch;

/* How the bus is doing. */
typedef struct CpgBusView
{
	bool		active;
	uint64		messages;		/* that Redis has */
	uint64		unsent;			/* bytes of records */
	int			lost;			/* databases of which everything is to be told */
	uint64		values;			/* given to the broadcaster */
	uint64		dropped;		/* values it had no room for */
	bool		follows;		/* another server is the home */
	bool		current;
	int64		heard;			/* of the home, ms of the cache's clock; 0:
								 * never */
} CpgBusView;

/* names.c */
extern const char *cpg_bus_origin(void);
extern const char *cpg_bus_key(void);

/* ring.c */
extern Size cpg_bus_size(Size memory, bool wanted, uint32 mirrors);
extern void cpg_bus_init(CpgSharedBus *bus, Size memory, bool wanted, uint32 mirrors, int tranche);
extern bool cpg_bus_usable(void);
extern bool cpg_bus_active(void);
extern bool cpg_bus_sending(int64 now);
extern void cpg_bus_note_sending(int64 now);
extern void cpg_bus_activate(bool active);
extern void cpg_bus_wake(void);
extern void cpg_bus_epoch(uint8 *epoch);
extern void cpg_bus_record_add(CpgBusRecord *record, MemoryContext context,
							   const CpgBusItem *item);
extern uint64 cpg_bus_draw(const CpgBusRecord *record, Oid database, XLogRecPtr lsn);
extern uint64 cpg_bus_last_number(void);
extern void cpg_bus_note_number(uint64 number);
extern void cpg_bus_collect(CpgBusBatch *batch);
extern bool cpg_bus_next(const CpgBusBatch *batch, Size *at, CpgBusTaken *taken);
extern bool cpg_bus_next_item(const CpgBusTaken *taken, Size *at, CpgBusItem *item);
extern void cpg_bus_acknowledge(const CpgBusBatch *batch, uint64 last_message);
extern void cpg_bus_view(CpgBusView *view);
extern void cpg_bus_note_lsn(XLogRecPtr lsn);
extern XLogRecPtr cpg_bus_lsn(void);

#endif							/* CPG_BUS_BUS_H */
