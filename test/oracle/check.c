/*-------------------------------------------------------------------------
 *
 * check.c
 *	  What is known to be visible, and what contradicts it.
 *
 * The floor of a key is the highest version that anybody knows to be visible:
 * a writer whose COMMIT returned, a reader that got it from the table, or a
 * reader that got it from the cache, which implies that some loader saw it.
 * A read that begins after the floor was raised must not return less, whoever
 * reads: so versions go backwards for nobody.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle.h"

#define SHOWN_MAX 20			/* violations shown one by one */

static const char *const violation_names[NVIOLATIONS] = {
	"stale", "poison", "torn", "vanished", "own write not seen", "final difference"
};

/* A version of a key is known to be visible. */
void
check_raise(Way *way, int key, int64_t version)
{
	int64_t		old = atomic_load(&way->floor[key]);

	while (old < version && !atomic_compare_exchange_weak(&way->floor[key], &old, version))
		;
}

/* Copy the floors of all keys of a way, to be compared with later reads. */
void
check_floors(const Way *way, int64_t *floors)
{
	for (int key = 1; key <= way->keys; key++)
		floors[key] = atomic_load(&way->floor[key]);
}

void
check_violation(Violation what, const Way *way, int key, const char *by,
				int64_t wanted, int64_t got)
{
	int64_t		before = atomic_fetch_add(&tally.violations[what], 1);

	if (before < SHOWN_MAX)
	{
		printf("violation: %s: %s %d by %s: wanted %" PRId64 ", got %" PRId64 "\n",
			   violation_names[what], way->name, key, by, wanted, got);
		fflush(stdout);
	}
	if (options.first && what == VIOLATION_STALE)
		atomic_store(&stopping, true);
}

/*
 * A read that began when the floor was "floor" returned a value; "excused" if
 * there may have been no row for a moment.
 */
void
check_value(Way *way, int key, const char *by, int64_t floor, int64_t value, bool excused)
{
	if (value == NO_VALUE)
	{
		if (way->may_be_absent)
			atomic_fetch_add(&tally.absent, 1);
		else if (excused)
			atomic_fetch_add(&tally.excused, 1);
		else
			check_violation(VIOLATION_VANISHED, way, key, by, floor, value);
		return;
	}
	atomic_fetch_add(&tally.reads, 1);
	if (value == TORN)
		check_violation(VIOLATION_TORN, way, key, by, floor, value);
	else if (value >= POISON)
		check_violation(VIOLATION_POISON, way, key, by, floor, value);
	else if (value < floor)
		check_violation(VIOLATION_STALE, way, key, by, floor, value);
	else
		check_raise(way, key, value);
}

/* A bigint of a binary result; NO_VALUE for NULL. */
int64_t
result_int8(const PGresult *result, int row, int column)
{
	uint32_t	word[2];

	if (PQgetisnull(result, row, column))
		return NO_VALUE;
	memcpy(word, PQgetvalue(result, row, column), sizeof(word));
	return (int64_t) ((uint64_t) ntohl(word[0]) << 32 | ntohl(word[1]));
}
