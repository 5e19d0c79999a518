/*-------------------------------------------------------------------------
 *
 * many.c
 *	  Many keys at once, by registered loaders.
 *
 * What is not there is loaded, by one call of the loader for all keys of a
 * namespace if it takes an array, else one after the other; before that Redis is
 * asked for all of them.  In such a batch this process leads a flight for each key that nobody else leads; what others
 * are loading it waits for afterwards, when it holds nothing itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "clock.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "fetch/fetch_internal.h"
#include "policy/key.h"
#include "utils/builtins.h"

/* A key of a batch. */
typedef struct Member
{
	CpgCall		call;
	CpgFetch	fetch;
	CpgFlight	flight;
	struct Member *twin;		/* the same key, earlier in the list */
	bool		leads;
	bool		done;
} Member;

static bool
text_equals(const text *one, const text *other)
{
	return VARSIZE_ANY_EXHDR(one) == VARSIZE_ANY_EXHDR(other) &&
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) == 0;
}

/*
 * Look for a key.  If it is not there the namespace's policy is kept, since the
 * search for another key may read the catalog again.
 */
static void
begin(Member *member, text *key)
{
	memset(&member->fetch, 0, sizeof(member->fetch));
	member->fetch.key = key;
	member->twin = NULL;
	member->leads = false;
	cpg_call_begin(&member->call, &member->fetch);
	member->done = cpg_call_hit(&member->call);
	if (member->done)
		return;
	cpg_call_judge(&member->call);
	cpg_call_keep(&member->call);
}

/*
 * For one that was not loaded with others; the namespace may have been read again
 * meanwhile.
 */
static void
begin_again(Member *member)
{
	CpgCall    *call = &member->call;
	int64		asked = call->asked;
	bool		awaited = call->awaited;
	uint64		stamp = call->stamp;
	uint64		known = call->known;

	cpg_call_begin(call, &member->fetch);
	call->asked = asked;
	call->awaited = awaited;
	call->stamp = stamp;
	call->known = known;
}

/* Point later ones of the same key to the first. */
static void
find_twins(Member *members, int count)
{
	for (int i = 0; i < count; i++)
	{
		for (int j = 0; j < i && !members[i].done; j++)
		{
			if (!members[j].done && members[j].twin == NULL &&
				members[j].call.key.hash == members[i].call.key.hash &&
				members[j].call.key.fingerprint == members[i].call.key.fingerprint &&
				text_equals(members[j].fetch.key, members[i].fetch.key))
			{
				members[i].twin = &members[j];
				break;
			}
		}
	}
}

/* Whether a key can be loaded together with others. */
static bool
may_join(Member *member)
{
	CpgCall    *call = &member->call;
	int64		retry_at;
	CpgFlightView view;

	if (call->ns->number < 0 || call->reason != CPG_MAY_PUBLISH || cpg_flight_nested() ||
		cpg_breaker_refuses(call->ns, cpg_clock_now(), &retry_at))
		return false;
	cpg_flight_look(call->tag, cpg_clock_now(), &view);
	return view.state == CPG_FLIGHT_IDLE || view.state == CPG_FLIGHT_QUEUED;
}

/* The keys of a batch as an array. */
static ArrayType *
keys_of(Member **batch, int count)
{
	Datum	   *keys = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		keys[i] = PointerGetDatum(batch[i]->fetch.key);
	return construct_array(keys, count, TEXTOID, -1, false, TYPALIGN_INT);
}

/* The place of a key among the rows loaded, -1 if there is none. */
static int
find_row(const CpgManyLoaded *rows, const text *key, int guess)
{
	/* most loaders keep the order */
	for (int i = 0; i < rows->count; i++)
	{
		int			n = (guess + i) % rows->count;

		if (text_equals(rows->keys[n], key))
			return n;
	}
	return -1;
}

/* Give a member of a batch its value; a key without a row is absent: NULL. */
static void
deal(Member *member, const CpgCall *batch, const CpgManyLoaded *rows, int guess, int count)
{
	CpgCall    *call = &member->call;
	int			row = find_row(rows, member->fetch.key, guess);
	CpgOutcome	outcome;

	call->runs_as = batch->runs_as;
	call->context = batch->context;
	call->stamp = batch->stamp;
	call->behind = batch->behind;
	call->load = batch->load;
	call->loaded.type = JSONBOID;
	call->loaded.isnull = row < 0 || rows->nulls[row];
	call->loaded.value = call->loaded.isnull ? (Datum) 0 : rows->values[row];
	call->loaded.microseconds = rows->microseconds / count;
	call->value = call->loaded.value;
	call->isnull = call->loaded.isnull;
	memset(&outcome, 0, sizeof(outcome));
	cpg_call_loaded(call, &member->flight, &outcome);
	cpg_call_hand_on(call);
	member->done = true;
}

/* The load of a batch failed: each key gets an answer instead, or its error. */
static void
excuse(Member **batch, int count, const CpgOutcome *outcome)
{
	for (int i = 0; i < count; i++)
		cpg_call_failed(&batch[i]->call, &batch[i]->flight, outcome);
	if (!outcome->source_failed)
		ReThrowError(outcome->error);
	for (int i = 0; i < count; i++)
	{
		CpgExcuse  *e = &batch[i]->call.excuse;

		memset(e, 0, sizeof(*e));
		e->what = CPG_INSTEAD_OF_LOAD;
		e->error = outcome->error;
		e->timed_out = outcome->timed_out;
		cpg_serve_instead(&batch[i]->call);
		batch[i]->done = true;
	}
}

/* Load the keys of a batch, whose flights this process leads. */
static void
load_batch(Member **batch, int count)
{
	CpgCall		all = batch[0]->call;
	CpgManyLoaded rows = {0};
	CpgOutcome	outcome;

	/* who may not load now leaves each key to the usual way */
	if (!cpg_call_may_load(&all, &batch[0]->flight))
		return;
	all.many = &rows;
	all.many_keys = keys_of(batch, count);
	cpg_context_prepare(&all.context, all.ns, true);
	cpg_load_run(&all, &outcome);
	if (!outcome.loaded)
	{
		excuse(batch, count, &outcome);
		return;
	}
	for (int i = 0; i < count; i++)
		deal(batch[i], &all, &rows, i, count);
}

/*
 * Leave out of a batch what another server has just loaded, and what one is about
 * to load: that is waited for afterwards.  Returns how many are left.
 */
static int
leave_to_others(Member **batch, int count)
{
	CpgCall   **calls = palloc(count * sizeof(CpgCall *));
	bool	   *there = palloc(count * sizeof(bool));
	int			n = 0;

	for (int i = 0; i < count; i++)
		calls[i] = &batch[i]->call;
	cpg_calls_elsewhere(calls, count, there);
	for (int i = 0; i < count; i++)
	{
		Member	   *m = batch[i];

		m->done = there[i];
		if (there[i])
			cpg_l2_unlock(&m->call.lock);
		if (there[i] || m->call.awaited)
			cpg_flight_land(&m->flight, CPG_FLIGHT_IDLE, 0, 0, false);
		else
			batch[n++] = m;
	}
	return n;
}

/* Lead the flights of all keys like the first one's, and load them. */
static void
lead_batch(Member *members, int count, int first, Member **batch)
{
	Oid			function = members[first].call.function;
	uint16		ns = members[first].call.key.ns;
	bool		ttl_only = members[first].call.ttl_only;
	CpgFlight  *outermost;
	int			n = 0;

	for (int i = first; i < count; i++)
	{
		Member	   *m = &members[i];

		if (m->done || m->twin != NULL || m->call.function != function || m->call.key.ns != ns ||
			m->call.ttl_only != ttl_only || !m->leads)
			continue;
		m->leads = false;
		/* the load of another batch may have changed what can be kept */
		cpg_call_judge(&m->call);
		if (m->call.reason != CPG_MAY_PUBLISH || !cpg_call_lead(&m->call, &m->flight))
			continue;
		if (cpg_call_look_again(&m->call))
		{
			cpg_flight_end(&m->flight);
			m->done = true;
		}
		else
			batch[n++] = m;
	}
	if (n == 0)
		return;
	outermost = &batch[0]->flight;
	PG_TRY();
	{
		int			left = leave_to_others(batch, n);

		if (left > 0)
			load_batch(batch, left);
	}
	PG_FINALLY();
	{
		for (int i = first; i < count; i++)
			cpg_l2_unlock(&members[i].call.lock);
		if (cpg_flight_in_progress(outermost))
			cpg_flight_end(outermost);
	}
	PG_END_TRY();
}

/* Look in Redis for what could be loaded together. */
static void
ask_together(Member *members, int count)
{
	CpgCall   **calls = palloc(count * sizeof(CpgCall *));
	Member	  **asked = palloc(count * sizeof(Member *));
	bool	   *found = palloc(count * sizeof(bool));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		if (members[i].leads)
		{
			asked[n] = &members[i];
			calls[n++] = &members[i].call;
		}
	}
	cpg_calls_from_l2(calls, n, found);
	for (int i = 0; i < n; i++)
	{
		asked[i]->done = found[i];
		asked[i]->leads = !found[i];
	}
}

/* Load what is missing and can be loaded together. */
static void
load_together(Member *members, int count)
{
	Member	  **batch = palloc(count * sizeof(Member *));

	for (int i = 0; i < count; i++)
	{
		Member	   *m = &members[i];

		m->leads = !m->done && m->twin == NULL &&
			cpg_registered_takes_array(m->call.function) && may_join(m);
	}
	ask_together(members, count);
	for (int i = 0; i < count; i++)
	{
		if (members[i].leads)
			lead_batch(members, count, i, batch);
	}
}

/*
 * The values of keys by the loaders of their namespaces, in the current memory
 * context.  Needs read on each namespace.
 */
void
cpg_fetch_many(text **keys, int count, Datum *values, bool *nulls)
{
	Member	   *members = MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * sizeof(Member));

	for (int i = 0; i < count; i++)
		begin(&members[i], keys[i]);
	find_twins(members, count);
	load_together(members, count);
	for (int i = 0; i < count; i++)
	{
		Member	   *m = &members[i];

		if (m->twin == NULL && !m->done)
		{
			begin_again(m);
			if (!cpg_call_hit(&m->call))
				cpg_call_miss(&m->call);
		}
		values[i] = m->twin == NULL ? m->call.value : m->twin->call.value;
		nulls[i] = m->twin == NULL ? m->call.isnull : m->twin->call.isnull;
	}
	pfree(members);
}
