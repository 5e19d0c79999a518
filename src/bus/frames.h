/*-------------------------------------------------------------------------
 *
 * frames.h
 *	  Values on their way to Redis.
 *
 * Sessions put them into a ring, from which the broadcaster takes them: no
 * session waits for Redis because it keeps a value.  What finds no room is
 * dropped, and counted: the value is in this server's cache all the same.
 *
 * A value gets the stamp of its commit when it is put there; its frame leaves
 * the stamp open.  Locks that were held for a load go the same way, so that
 * they are given up after the value has been written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_BUS_FRAMES_H
#define CPG_BUS_FRAMES_H

typedef struct CpgSharedFrames CpgSharedFrames;

typedef enum CpgFrameJobKind
{
	CPG_FRAME_JOB_SET,			/* a value, its frame */
	CPG_FRAME_JOB_UNLOCK		/* the key of a lock, its token */
} CpgFrameJobKind;

/* A value, with the key that it gets in Redis before its frame. */
typedef struct CpgFrameJob
{
	CpgFrameJobKind kind;
	uint64		stamp;
	int64		expiry;			/* on the cache's clock, ms */
	uint32		key_len;
	uint32		frame_len;
	char	   *bytes;			/* key and frame */
} CpgFrameJob;

extern Size cpg_frames_size(Size memory, bool wanted);
extern void cpg_frames_init(CpgSharedFrames *frames, Size memory, bool wanted, int tranche);
extern Size cpg_frames_max(void);
extern bool cpg_frames_put(const CpgFrameJob *job);
extern bool cpg_frames_take(CpgFrameJob *job, Size room);
extern void cpg_frames_counts(uint64 *put, uint64 *dropped);

#endif							/* CPG_BUS_FRAMES_H */
