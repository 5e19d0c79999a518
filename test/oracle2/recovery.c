/*-------------------------------------------------------------------------
 *
 * recovery.c
 *	  When b has heard of everything.
 *
 * A mark is set on a until b has it, in its own memory.  b serves that until it
 * hears that the mark has changed, and messages come in order: so, when b serves
 * the mark's next value, it has heard of all that was known before that was set.
 * Twice, because b may have had to forget the mark for another reason.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle2.h"

#define PATIENCE	90.0		/* seconds */
#define ROUND_TIME	3.0			/* after which a mark is set anew: values for
								 * Redis may be dropped */
#define KINDS_MAX	8
#define MARKS		3

/* The value of a query; false after an error. */
static bool
ask(Client *client, const char *sql, int64_t *value)
{
	PGresult   *result = client_query(client, sql);

	if (result == NULL)
	{
		client_recover(client);
		return false;
	}
	*value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return true;
}

/* Until b serves the mark's value and keeps it. */
static bool
arrives(Client *b, int64_t mark, double end)
{
	int64_t		value;

	while (client_now() < end && !atomic_load(&stopping))
	{
		if (ask(b, "SELECT cache_get('m:mark', -1::bigint)", &value) && value == mark &&
			ask(b, "SELECT (state = 'fresh')::int FROM cache_entry('m:mark')", &value) && value == 1)
			return true;
		client_pause(0.005);
	}
	return false;
}

static bool
is_current(Client *b)
{
	int64_t		value;

	return ask(b, "SELECT coalesce(bool_and(current), false)::int FROM cache_bus", &value) && value == 1;
}

static bool
pass_marks(Client *a, Client *b)
{
	int64_t		known[KINDS_MAX * (THINGS_MAX + 1)];
	double		end = client_now() + ROUND_TIME;

	for (int i = 0; i < MARKS; i++)
	{
		int64_t		mark = truth_next();
		char		sql[80];

		if (i == 1)
			truth_known(known);
		snprintf(sql, sizeof(sql), "SELECT cache_set('m:mark', %" PRId64 "::bigint)", mark);
		if (!client_run(a, sql))
		{
			client_recover(a);
			return false;
		}
		if (!arrives(b, mark, end))
			return false;
	}
	truth_recovered(known);
	return true;
}

/* Wait until b has heard of everything; false if it does not. */
bool
recovery_check(Client *a, Client *b, double *seconds)
{
	double		began = client_now();

	while (client_now() - began < PATIENCE && !atomic_load(&stopping))
	{
		if (is_current(b) && pass_marks(a, b))
		{
			*seconds = client_now() - began;
			return true;
		}
		client_pause(0.02);
	}
	return false;
}
