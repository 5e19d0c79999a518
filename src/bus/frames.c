/*-------------------------------------------------------------------------
 *
 * frames.c
 *	  Values on their way to Redis.  See frames.h.
 *
 * Under the lock: copies only.  cpg_frames_put cannot fail, as it runs where a
 * transaction is committed already.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "bus/frames.h"
#include "shmem.h"
#include "storage/lwlock.h"

#define RING_SHARE	32			/* of the memory */
#define RING_MIN	((Size) 256 * 1024)
#define RING_MAX	((Size) 16 * 1024 * 1024)

struct CpgSharedFrames
{
	LWLockPadded lock;
	Size		ring_size;		/* constant */
	/* under the lock; positions as in bus_internal.h */
	uint64		head;
	uint64		sent;
	uint64		put;
	uint64		dropped;
	char		ring[FLEXIBLE_ARRAY_MEMBER];
};

static Size
ring_size(Size memory, bool wanted)
{
	return wanted ? MAXALIGN(Min(Max(memory / RING_SHARE, RING_MIN), RING_MAX)) : 0;
}

Size
cpg_frames_size(Size memory, bool wanted)
{
	return offsetof(CpgSharedFrames, ring) + ring_size(memory, wanted);
}

void
cpg_frames_init(CpgSharedFrames *frames, Size memory, bool wanted, int tranche)
{
	memset(frames, 0, offsetof(CpgSharedFrames, ring));
	LWLockInitialize(&frames->lock.lock, tranche);
	frames->ring_size = ring_size(memory, wanted);
}

/* The longest job that can be put there. */
Size
cpg_frames_max(void)
{
	return cpg_frames->ring_size / 4;
}

static void
copy_in(uint64 position, const void *data, Size len)
{
	Size		at = position % cpg_frames->ring_size;
	Size		first = Min(len, cpg_frames->ring_size - at);

	memcpy(cpg_frames->ring + at, data, first);
	memcpy(cpg_frames->ring, (const char *) data + first, len - first);
}

static void
copy_out(uint64 position, void *data, Size len)
{
	Size		at = position % cpg_frames->ring_size;
	Size		first = Min(len, cpg_frames->ring_size - at);

	memcpy(data, cpg_frames->ring + at, first);
	memcpy((char *) data + first, cpg_frames->ring, len - first);
}

/* Send a value, unless there is too much to be sent already.  Never fails. */
bool
cpg_frames_put(const CpgFrameJob *job)
{
	Size		len = (Size) job->key_len + job->frame_len;
	Size		bytes = MAXALIGN(sizeof(*job) + len);
	bool		wake = false;
	bool		put;

	LWLockAcquire(&cpg_frames->lock.lock, LW_EXCLUSIVE);
	put = bytes <= cpg_frames->ring_size - (cpg_frames->head - cpg_frames->sent);
	if (put)
	{
		/* whoever has fallen asleep over an empty ring is to be woken */
		wake = cpg_frames->head == cpg_frames->sent;
		copy_in(cpg_frames->head, job, sizeof(*job));
		copy_in(cpg_frames->head + sizeof(*job), job->bytes, len);
		cpg_frames->head += bytes;
		cpg_frames->put++;
	}
	else
		cpg_frames->dropped++;
	LWLockRelease(&cpg_frames->lock.lock);
	if (wake)
		cpg_bus_wake();
	return put;
}

/* Take the oldest value off; job->bytes is the caller's, with so much room. */
bool
cpg_frames_take(CpgFrameJob *job, Size room)
{
	char	   *bytes = job->bytes;
	bool		found = false;

	LWLockAcquire(&cpg_frames->lock.lock, LW_EXCLUSIVE);
	if (cpg_frames->sent < cpg_frames->head)
	{
		Size		len;

		copy_out(cpg_frames->sent, job, sizeof(*job));
		len = (Size) job->key_len + job->frame_len;
		found = len <= room;
		if (found)
			copy_out(cpg_frames->sent + sizeof(*job), bytes, len);
		cpg_frames->sent += MAXALIGN(sizeof(*job) + len);
	}
	LWLockRelease(&cpg_frames->lock.lock);
	job->bytes = bytes;
	return found;
}

/* How many values were put there and dropped since the start. */
void
cpg_frames_counts(uint64 *put, uint64 *dropped)
{
	LWLockAcquire(&cpg_frames->lock.lock, LW_SHARED);
	*put = cpg_frames->put;
	*dropped = cpg_frames->dropped;
	LWLockRelease(&cpg_frames->lock.lock);
}
