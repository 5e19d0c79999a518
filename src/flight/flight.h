/*-------------------------------------------------------------------------
 *
 * flight.h
 *	  Who may load now: request coalescing, limits and breakers.
 *
 * A flight is one load of one value.  Its tag is a hash of database, key,
 * identity and fingerprint.  The leader of a flight holds a heavyweight lock of
 * the advisory kind in a class of cachepg's own, taken with dontWait only: the
 * lock is what elects, is shown by pg_locks, and goes with its process.  What
 * followers want to know beside it (is somebody at it, did the last one fail)
 * is in a slot of one of 1,024 stripes, each with a condition variable on which
 * they sleep.  Slots are advice: one that is displaced costs a load, never a
 * wrong answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_FLIGHT_FLIGHT_H
#define CPG_FLIGHT_FLIGHT_H

#include "core/breaker.h"
#include "datatype/timestamp.h"
#include "policy/namespace.h"
#include "store/store.h"

/* Of the advisory locks; those of SQL functions are in the classes 1 and 2. */
#define CPG_FLIGHT_LOCK_CLASS	0xCAC

typedef struct CpgSharedFlights CpgSharedFlights;

typedef enum CpgFlightState
{
	CPG_FLIGHT_IDLE,
	CPG_FLIGHT_LOADING,
	CPG_FLIGHT_QUEUED,			/* a worker is to load it */
	CPG_FLIGHT_FAILED,			/* the source did: not to be tried again for a
								 * while */
	CPG_FLIGHT_ERROR,			/* the load failed in another way */
	CPG_FLIGHT_UNCACHEABLE		/* there is nothing to wait for */
} CpgFlightState;

/* What a slot says; marks that have expired read as idle. */
typedef struct CpgFlightView
{
	CpgFlightState state;
	uint32		number;			/* of the last flight begun */
	uint32		handed;			/* the last one that left its result to its
								 * followers */
	uint16		failures;		/* of flights, so far; wraps around */
	uint8		in_a_row;		/* of them, since one had a value */
	int			sqlerrcode;		/* of one that failed */
	int64		until;			/* a mark's end */
	bool		foreground;		/* workers cannot load it */
	bool		private;		/* who has own changes cannot keep it */
	bool		resting;		/* its renewal failed: not again for a while */
	bool		forsaken;		/* it was queued and no worker took it */
} CpgFlightView;

/* A load in progress in this process; they nest. */
typedef struct CpgFlight
{
	struct CpgFlight *outer;
	uint64		tag;
	uint32		number;			/* meaningful if leading */
	bool		leading;
	bool		loaded;			/* it had a value */
	int			permit;			/* namespace whose permit is held, -1: none */
	int			breaker;		/* namespace that waits for a report, or -1 */
	uint32		ticket;
	uint32		generation;		/* of that namespace */
} CpgFlight;

typedef struct CpgFollower
{
	uint64		tag;
	uint32		joined;			/* number of the flight at the beginning */
	uint16		failures;		/* that there had been */
	bool		counted;		/* among the waiters of the slot */
	int64		idle_since;		/* that nobody leads, yet the lock is taken */
	int64		search_at;		/* when to look whether the load waits for a
								 * lock of this process */
	int			naps;
} CpgFollower;

/* slots.c */
extern Size cpg_flights_size(uint32 max_namespaces);
extern void cpg_flights_init(CpgSharedFlights *flights, uint32 max_namespaces);
extern uint64 cpg_flight_tag(const CpgKey *key);
extern void cpg_flight_look(uint64 tag, int64 now, CpgFlightView *view);
extern void cpg_flight_rest(uint64 tag, int64 until);
extern void cpg_flight_foreground(uint64 tag, int64 until);
extern void cpg_flight_private(uint64 tag, int64 until);
extern bool cpg_flight_claim(uint64 tag, int64 now, int64 until);
extern void cpg_flight_unclaim(uint64 tag);
extern bool cpg_flight_awaited(const CpgFlight *flight);

/* leader.c */
extern CpgFlight *cpg_flight;	/* the innermost, NULL for none */

extern void cpg_flight_begin(CpgFlight *flight, uint64 tag);
extern bool cpg_flight_lead(CpgFlight *flight, uint64 tag, int number);
extern void cpg_flight_land(CpgFlight *flight, CpgFlightState state, int sqlerrcode, int64 until,
							bool handed);
extern void cpg_flight_end(CpgFlight *flight);
extern bool cpg_flight_nested(void);
extern bool cpg_flight_in_progress(const CpgFlight *flight);

/* follower.c */
extern void cpg_follow_begin(CpgFollower *follower, uint64 tag);
extern void cpg_follow_nap(CpgFollower *follower, int64 longest);
extern void cpg_follow_end(CpgFollower *follower);
extern bool cpg_follow_deadlocks(CpgFollower *follower);

/* permits.c */
extern bool cpg_permit_take(CpgFlight *flight, int number, int max_loads, int64 wait);

/* deadline.c */
typedef struct CpgDeadline
{
	struct CpgDeadline *outer;
	TimestampTz at;
	volatile bool passed;		/* and the load was told to stop */
} CpgDeadline;

extern void cpg_deadline_begin(CpgDeadline *deadline, int64 milliseconds);
extern void cpg_deadline_end(CpgDeadline *deadline);

/* breakers.c */
extern Size cpg_breakers_size(uint32 max_namespaces);
extern bool cpg_breaker_refuses(const CpgNamespace *ns, int64 now, int64 *retry_at);
extern bool cpg_breaker_ask(CpgFlight *flight, const CpgNamespace *ns, int64 now, int64 *retry_at);
extern void cpg_breaker_tell(CpgFlight *flight, const CpgNamespace *ns, int64 now, bool failed);
extern void cpg_breaker_show(const CpgNamespace *ns, CpgBreaker *copy);
extern void cpg_breaker_close(const CpgNamespace *ns);

#endif							/* CPG_FLIGHT_FLIGHT_H */
