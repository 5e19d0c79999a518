/*-------------------------------------------------------------------------
 *
 * mirror.h
 *	  What is known here of another server's validity clock.  See bus.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_BUS_MIRROR_H
#define CPG_BUS_MIRROR_H

#include "bus/bus.h"

/* Of the home, under the bus's lock. */
typedef struct CpgMirrorState
{
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];
	bool		known;			/* the epoch is set */
	bool		fenced;			/* an invalidation is pending on the home's
								 * cell */
} CpgMirrorState;

extern void cpg_mirror_init(CpgSharedBus *bus);
extern bool cpg_mirror_exists(void);

/* what the subscriber says */
extern void cpg_mirror_bump(CpgCell cell, uint64 number);
extern void cpg_mirror_bump_all(uint64 number);
extern void cpg_mirror_begin(const uint8 *epoch, uint64 floor);
extern void cpg_mirror_heard(int64 time);
extern void cpg_mirror_resume(void);
extern void cpg_mirror_suspend(void);

extern void cpg_mirror_note_change(uint64 number);
extern void cpg_mirror_reach(uint64 number);

/* what readers ask */
extern uint64 cpg_mirror_position(void);
extern uint64 cpg_mirror_changed(void);
extern void cpg_mirror_epoch(uint8 *epoch);
extern bool cpg_mirror_current(int64 now);
extern bool cpg_mirror_admits(const uint8 *epoch, uint64 stamp, const CpgCell *cells, int ncells);
extern int	cpg_mirror_cells(const CpgCell *cells, int ncells, CpgCell *local);

#endif							/* CPG_BUS_MIRROR_H */
