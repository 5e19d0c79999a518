/*-------------------------------------------------------------------------
 *
 * play.c
 *	  What happens in the modes that are about a burst.
 *
 * A burst is played once before it counts: each session then knows the tables
 * of the catalog, has planned its statements and read the cache's policies.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "stampede.h"

#define REST			(200 * MS)	/* between what must not touch */
#define FRESH_BURSTS	3

static int64_t
source_time(void)
{
	return options.source_ms * MS;
}

static void
rest(void)
{
	loop_until(now_ns() + REST);
}

static int64_t
burst_to_its_end(Phase phase)
{
	int64_t		due;

	/* for who only waits: the instant that all wait for */
	loop_argument(server_time(now_ns() + source_time()));
	due = loop_burst(phase);
	loop_drain_bursts();
	return due;
}

/* All clients run the mode's statement at one instant. */
void
play_burst(Run *run)
{
	progress("%s: warming up", run->mode->name);
	burst_to_its_end(PHASE_WARM);
	rest();
	progress("%s: all %d clients at once", run->mode->name, nclients);
	run->counted_from = now_ns();
	run->zero = burst_to_its_end(PHASE_BURST);
	run_mark(run, run->zero, "release");
	rest();
	run->counted_to = now_ns();
}

/*
 * Have the mode's value loaded anew by one client, all sessions warmed up;
 * returns when it was there.
 */
int64_t
play_load_key(Run *run)
{
	char		key[100];
	char		sql[200];

	progress("%s: warming up", run->mode->name);
	loop_one(PHASE_WARM);
	burst_to_its_end(PHASE_WARM);
	mode_key(run->mode, key, sizeof(key));
	snprintf(sql, sizeof(sql), "SELECT cache_invalidate('%s')", key);
	server_run(sql);
	rest();
	loop_one(PHASE_WARM);
	return now_ns();
}

/* Bursts of the same size while the value is fresh, for comparison. */
static void
play_fresh(int64_t loaded)
{
	for (int i = 1; i <= FRESH_BURSTS; i++)
	{
		loop_until(loaded + i * options.ttl_ms * MS / 16);
		burst_to_its_end(PHASE_FRESH);
	}
}

/* All clients come when the value expires. */
void
play_expiry(Run *run)
{
	int64_t		loaded = play_load_key(run);
	int64_t		expiry = loaded + options.ttl_ms * MS;

	run->counted_from = loaded;
	run_mark(run, loaded, "loaded");
	loop_traffic(run->mode->traffic);
	progress("%s: waiting for the expiry", run->mode->name);
	play_fresh(loaded);
	loop_until(expiry + run->mode->margin);
	progress("%s: all %d clients at once", run->mode->name, nclients);
	run->zero = burst_to_its_end(PHASE_BURST);
	run_mark(run, expiry, "expiry");
	/* what the burst has caused may begin a little later */
	loop_until(now_ns() + source_time() / 2);
	run->counted_to = now_ns();
	loop_traffic(false);
	loop_until(now_ns() + source_time());
}
