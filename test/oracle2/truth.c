/*-------------------------------------------------------------------------
 *
 * truth.c
 *	  What may be read, and what must not.
 *
 * On a, where things are written, a read that begins when a version is known
 * returns that version or a newer one.  Known is what a commit acknowledged, and
 * what anybody read on a.
 *
 * On b a read may be behind, by setup.lag at most: it returns nothing older than
 * what had been acknowledged so long before it began.  And what b has proved to
 * have heard of (recovery.c) it must not forget.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "oracle2.h"

#define SHOWN_MAX 20			/* violations shown one by one */

static const char *const fault_names[NFAULTS] = {
	"stale on a", "late on b", "stale on b", "poison"
};

static _Atomic int64_t newest;

/* Versions of an earlier run are below "base". */
void
truth_init(int64_t base)
{
	atomic_store(&newest, base);
	for (int i = 0; i < nkinds; i++)
	{
		for (int n = 1; n <= kinds[i].count; n++)
		{
			pthread_mutex_init(&kinds[i].thing[n].writing, NULL);
			pthread_mutex_init(&kinds[i].thing[n].lock, NULL);
		}
	}
}

int64_t
truth_next(void)
{
	return atomic_fetch_add(&newest, 1) + 1;
}

static void
raise_to(_Atomic int64_t *at, int64_t version)
{
	int64_t		old = atomic_load(at);

	while (old < version && !atomic_compare_exchange_weak(at, &old, version))
		;
}

/* A commit has returned. */
void
truth_acknowledge(Thing *thing, int64_t version)
{
	Acknowledged acknowledged = {client_now(), version};

	raise_to(&thing->known, version);
	pthread_mutex_lock(&thing->lock);
	thing->history[thing->count++ % HISTORY] = acknowledged;
	pthread_mutex_unlock(&thing->lock);
}

/* The newest version acknowledged at a time. */
static int64_t
acknowledged_at(Thing *thing, double at)
{
	int64_t		version = 0;

	pthread_mutex_lock(&thing->lock);
	for (int i = thing->count - 1; i >= 0 && i > thing->count - 1 - HISTORY; i--)
	{
		if (thing->history[i % HISTORY].at <= at)
		{
			version = thing->history[i % HISTORY].version;
			break;
		}
	}
	pthread_mutex_unlock(&thing->lock);
	return version;
}

/* What a read that begins now must return at least. */
void
truth_expect(Kind *kind, Expected *expected)
{
	double		due = client_now() - setup.lag;

	for (int n = 1; n <= kind->count; n++)
	{
		expected->known[n] = atomic_load(&kind->thing[n].known);
		expected->recovered[n] = atomic_load(&kind->thing[n].recovered);
		expected->due[n] = acknowledged_at(&kind->thing[n], due);
	}
}

static void
note_fault(Fault fault, const Kind *kind, int number, int64_t wanted, int64_t got)
{
	if (atomic_fetch_add(&counts.faults[fault], 1) < SHOWN_MAX)
	{
		printf("violation: %s: %s %d: wanted %" PRId64 ", got %" PRId64 ", known %" PRId64 "\n",
			   fault_names[fault], kind->name, number, wanted, got,
			   atomic_load(&kind->thing[number].known));
		fflush(stdout);
	}
	if (setup.first)
		atomic_store(&stopping, true);
}

/* A read on a has returned. */
void
truth_check_a(Kind *kind, int number, const Expected *expected, int64_t got)
{
	if (got == NO_VALUE)
	{
		atomic_fetch_add(&counts.absent_a, 1);
		return;
	}
	atomic_fetch_add(&counts.reads_a, 1);
	if (got >= POISON)
		note_fault(FAULT_POISON, kind, number, expected->known[number], got);
	else if (got < expected->known[number])
		note_fault(FAULT_STALE_A, kind, number, expected->known[number], got);
	else
		raise_to(&kind->thing[number].known, got);
}

/* A read on b has returned. */
void
truth_check_b(Kind *kind, int number, const Expected *expected, int64_t got)
{
	if (got == NO_VALUE)
	{
		atomic_fetch_add(&counts.absent_b, 1);
		return;
	}
	atomic_fetch_add(&counts.reads_b, 1);
	if (got >= POISON)
		note_fault(FAULT_POISON, kind, number, expected->due[number], got);
	else if (got < expected->recovered[number])
		note_fault(FAULT_STALE_B, kind, number, expected->recovered[number], got);
	else if (got < expected->due[number])
		note_fault(FAULT_LATE_B, kind, number, expected->due[number], got);
}

/* Copy what is known of all things. */
void
truth_known(int64_t *all)
{
	for (int i = 0; i < nkinds; i++)
	{
		for (int n = 1; n <= kinds[i].count; n++)
			all[i * (THINGS_MAX + 1) + n] = atomic_load(&kinds[i].thing[n].known);
	}
}

/* b has heard of what was known. */
void
truth_recovered(const int64_t *all)
{
	for (int i = 0; i < nkinds; i++)
	{
		for (int n = 1; n <= kinds[i].count; n++)
			raise_to(&kinds[i].thing[n].recovered, all[i * (THINGS_MAX + 1) + n]);
	}
}

int64_t
truth_faults(void)
{
	int64_t		sum = 0;

	for (int i = 0; i < NFAULTS; i++)
		sum += atomic_load(&counts.faults[i]);
	return sum;
}
