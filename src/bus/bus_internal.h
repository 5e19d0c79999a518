/*-------------------------------------------------------------------------
 *
 * bus_internal.h
 *	  The bus's shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_BUS_INTERNAL_H
#define CPG_BUS_INTERNAL_H

#include "bus/bus.h"
#include "bus/mirror.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

/*
 * Positions count bytes since the start; the ring's bytes are those from "sent"
 * up to "head", each at its position modulo the size.
 */
struct CpgSharedBus
{
	LWLockPadded lock;
	/* set at start, constant */
	Size		ring_size;		/* 0: there is no bus */
	Size		ring_offset;
	uint32		mirrors;		/* 0: this server is the home; else a power of
								 * two */
	Size		mirror_offset;
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];
	/* under the lock */
	uint64		head;
	uint64		sent;
	CpgBusLost	lost[CPG_BUS_LOST_MAX];
	int			nlost;
	uint64		bumped_told;	/* of the guard */
	uint64		last_message;	/* number of the last one that Redis has */
	uint64		last_number;	/* of the last one that was made: Redis may
								 * have it */
	XLogRecPtr	newest;			/* the largest position of a record */
	Latch	   *broadcaster;	/* to be set when there is something to send,
								 * or NULL */
	CpgMirrorState home;
	/* read without it */
	pg_atomic_uint32 active;	/* commits put records here */
	pg_atomic_uint64 told;		/* when Redis last took a message, ms */
	pg_atomic_uint32 current;	/* of the mirror: see mirror.c */
	pg_atomic_uint64 floor;
	pg_atomic_uint64 lsn;		/* of the newest commit of the primary that
								 * was heard of, on a standby */
	pg_atomic_uint64 position;	/* of the home's clock: all up to it was heard
								 * of */
	pg_atomic_uint64 changed;	/* the same, of its last invalidation */
	pg_atomic_uint64 heard;		/* when the home was last heard of, ms */
};

static inline char *
cpg_bus_ring(CpgSharedBus *bus)
{
	return (char *) bus + bus->ring_offset;
}

static inline pg_atomic_uint64 *
cpg_bus_mirror(CpgSharedBus *bus)
{
	return (pg_atomic_uint64 *) ((char *) bus + bus->mirror_offset);
}

#endif							/* CPG_BUS_INTERNAL_H */
