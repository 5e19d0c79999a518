/*-------------------------------------------------------------------------
 *
 * flight_internal.h
 *	  Shared memory of flights, for the files of this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_FLIGHT_INTERNAL_H
#define CPG_FLIGHT_INTERNAL_H

#include "flight/flight.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"

#define CPG_FLIGHT_STRIPES	1024
#define CPG_FLIGHT_SLOTS	3

/* All fields are read and written under the stripe's spinlock. */
typedef struct CpgFlightSlot
{
	uint64		tag;			/* 0: free */
	int64		until;			/* of a mark */
	int64		foreground;		/* until when workers cannot load it */
	int64		private;		/* until when who has own changes loads alone */
	int64		resting;		/* until when a value that is there is not
								 * renewed */
	uint32		number;			/* of the last flight begun */
	uint32		handed;
	int32		sqlerrcode;
	int32		leader;			/* number of its process */
	uint16		failures;		/* of flights, so far; wraps around */
	uint16		waiters;		/* who keep the slot from being displaced */
	uint8		state;			/* CpgFlightState */
	uint8		in_a_row;		/* failures since a flight had a value, at
								 * most 255 */
	uint16		space;			/* number of the namespace of the last flight */
} CpgFlightSlot;

typedef struct CpgFlightStripe
{
	slock_t		lock;
	uint32		flights;		/* begun so far: their numbers */
	ConditionVariable changed;
	CpgFlightSlot slot[CPG_FLIGHT_SLOTS];
} CpgFlightStripe;

/* What belongs to a namespace's number. */
typedef struct CpgSharedLane
{
	pg_atomic_uint32 loads;		/* in progress */
	pg_atomic_uint32 waiters;	/* for one to end */
	slock_t		lock;			/* of what follows */
	uint32		generation;		/* of the namespace whose breaker this is */
	CpgBreaker	breaker;
} CpgSharedLane;

#define CPG_WAITS_FOR_PERMIT PG_UINT64_MAX

struct CpgSharedFlights
{
	uint32		nprocs;
	Size		lanes_offset;	/* CpgSharedLane for each namespace */
	Size		waiting_offset; /* pg_atomic_uint64 for each process: the tag
								 * whose load it waits for, or
								 * CPG_WAITS_FOR_PERMIT, else 0 */
	CpgFlightStripe stripe[CPG_FLIGHT_STRIPES];
};

extern CpgFlightStripe *cpg_flight_stripe(uint64 tag);
extern CpgFlightSlot *cpg_flight_slot_locked(CpgFlightStripe *stripe, uint64 tag);
extern CpgFlightSlot *cpg_flight_slot_for_locked(CpgFlightStripe *stripe, uint64 tag);
extern CpgSharedLane *cpg_flight_lane(int number);
extern pg_atomic_uint64 *cpg_flight_waiting(int proc);

/* cycle.c */
extern bool cpg_cycle_of_flights(uint64 tag);
extern bool cpg_cycle_through_locks(uint64 tag);
extern bool cpg_cycle_of_permits(int number, uint32 max_loads);

/* permits.c */
extern void cpg_permit_give_back(CpgFlight *flight);

/* breakers.c */
extern void cpg_breaker_forget(CpgFlight *flight);

#endif							/* CPG_FLIGHT_INTERNAL_H */
