/*-------------------------------------------------------------------------
 *
 * deps.c
 *	  Collecting what a load depends on.  See deps.h.
 *
 * Beside tables a load sees the current role, who logged in, and settings.
 * What belongs to the identity of its result is allowed; if it sees more, the
 * result is for nobody else and must not be kept.  An input of an inner load is
 * one of all loads around it, up to a registered one, for which it is a
 * constant.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fault.h"
#include "inval/deps.h"
#include "miscadmin.h"
#include "shmem.h"

CpgLoad    *cpg_load = NULL;

static uint64 last_load = 0;	/* number of the load that began last */

/*
 * Begin to collect; "tracked" is false for a load that is kept by TTL alone.
 * What begins is ended, or dropped if the load fails.
 */
void
cpg_deps_begin(CpgLoad *load, bool tracked, const CpgReaders *readers)
{
	load->outer = cpg_load;
	load->number = ++last_load;
	load->readers = *readers;
	load->procedural = false;
	load->tracked = tracked;
	load->ncells = 0;
	load->too_many = false;
	load->nrelations = 0;
	load->untracked = tracked ? 0 : CPG_UNTRACKED_CONSISTENCY;
	load->unpublishable = CPG_NCOUNTERS;
	load->expiry = 0;
	cpg_load = load;
}

/* The number of the load that began last, over or not. */
uint64
cpg_deps_last_load(void)
{
	return last_load;
}

/* Leave a load without a result. */
void
cpg_deps_drop(CpgLoad *load)
{
	cpg_load = load->outer;
}

/* Whether a load is known to depend on a cell. */
bool
cpg_deps_has_cell(const CpgLoad *load, CpgCell cell)
{
	for (int i = 0; i < load->ncells; i++)
	{
		if (load->cells[i] == cell)
			return true;
	}
	return false;
}

static void
add_cell(CpgLoad *load, CpgCell cell)
{
	if (!load->tracked || cpg_deps_has_cell(load, cell))
		return;
	if (load->ncells == CPG_CELLS_MAX)
		load->too_many = true;
	else
		load->cells[load->ncells++] = cell;
}

static void
limit_life(CpgLoad *load, int64 expiry)
{
	if (expiry != 0 && (load->expiry == 0 || expiry < load->expiry))
		load->expiry = expiry;
}

/*
 * Note why the result of a load must not be kept.  That it is outdated gives
 * way to any other reason: such a result may still be of use to others.
 */
static void
forbid(CpgLoad *load, CpgCounter why)
{
	if (why != CPG_NCOUNTERS &&
		(load->unpublishable == CPG_NCOUNTERS || load->unpublishable == CPG_COUNT_OUTDATED))
		load->unpublishable = why;
}

/* Hand what an ended load depends on to the one around it. */
static void
hand_over(const CpgLoad *load, CpgLoad *outer)
{
	for (int i = 0; i < load->ncells; i++)
		add_cell(outer, load->cells[i]);
	for (int i = 0; i < load->nrelations && outer->nrelations < CPG_CELLS_MAX; i++)
		outer->relations[outer->nrelations++] = load->relations[i];
	outer->too_many |= load->too_many;
	outer->procedural |= load->procedural;
	outer->untracked |= load->untracked;
	forbid(outer, load->unpublishable);
	limit_life(outer, load->expiry);
}

/* End a load that has a result. */
void
cpg_deps_end(CpgLoad *load)
{
	cpg_load = load->outer;
	if (cpg_load != NULL && !CPG_SKIP("nested-inheritance"))
		hand_over(load, cpg_load);
}

/* The load depends on a cell. */
void
cpg_deps_cell(CpgCell cell)
{
	if (cpg_load != NULL)
		add_cell(cpg_load, cell);
}

/* The result of the load must not live longer than this, which is not 0. */
void
cpg_deps_limit_life(int64 expiry)
{
	if (cpg_load != NULL)
		limit_life(cpg_load, expiry);
}

/* The load uses something whose changes nobody notices. */
void
cpg_deps_untracked(CpgUntracked what)
{
	if (cpg_load != NULL)
		cpg_load->untracked |= what;
}

/* The result of the load must not be kept. */
void
cpg_deps_unpublishable(CpgCounter why)
{
	if (cpg_load != NULL)
		forbid(cpg_load, why);
}

/* The load reads what only its own transaction sees. */
void
cpg_deps_own_write(void)
{
	cpg_deps_unpublishable(CPG_COUNT_OWN_WRITES);
}

/* Note for people that the load reads a relation. */
void
cpg_deps_relation(Oid relid)
{
	CpgLoad    *load = cpg_load;

	if (load == NULL)
		return;
	for (int i = 0; i < load->nrelations; i++)
	{
		if (load->relations[i] == relid)
			return;
	}
	if (load->nrelations < CPG_CELLS_MAX)
		load->relations[load->nrelations++] = relid;
}

/*
 * The load read a key of the cache, or would have if it were there.  *value is
 * what it got on a hit.
 */
void
cpg_deps_read(const CpgKey *key, const CpgRead *read, const CpgValue *value, int64 now)
{
	CpgLoad    *load = cpg_load;

	if (load == NULL || CPG_SKIP("nested-inheritance"))
		return;
	add_cell(load, cpg_cell_key(cpg_guard, key->hash));
	add_cell(load, cpg_cell_namespace(key->ns));
	/* what is expired counts if it is served: see cpg_serve_stale */
	if (!read->hit || value->expiry <= now)
		return;
	for (int i = 0; i < value->ncells; i++)
		add_cell(load, value->cells[i]);
	limit_life(load, value->expiry);
	if (value->stale)
		cpg_deps_unpublishable(CPG_COUNT_OUTDATED);
}

static void
refuse(CpgLoad *load)
{
	forbid(load, CPG_COUNT_SESSION_INPUT);
}

/* The load saw the current role, or privileges or row security of it. */
void
cpg_deps_input_role(void)
{
	for (CpgLoad *load = cpg_load; load != NULL; load = load->outer)
	{
		/* it is the owner's */
		if (load->readers.registered)
			return;
		if (load->readers.shared)
			refuse(load);
	}
}

/* The load saw who logged in. */
void
cpg_deps_input_login(void)
{
	for (CpgLoad *load = cpg_load; load != NULL; load = load->outer)
	{
		if (!load->readers.login)
			refuse(load);
	}
}

static bool
is_application_defined(const char *name)
{
	return strchr(name, '.') != NULL;
}

static bool
stands_for_role(const char *name)
{
	return pg_strcasecmp(name, "role") == 0 || pg_strcasecmp(name, "session_authorization") == 0 ||
		pg_strcasecmp(name, "is_superuser") == 0;
}

/*
 * The load saw the role that the session has set.  In a function of somebody else
 * that is still its caller, while what is loaded there is for its owner.
 */
static void
input_set_role(const char *name)
{
	for (CpgLoad *load = cpg_load; load != NULL; load = load->outer)
	{
		const CpgReaders *readers = &load->readers;

		if (readers->role != GetOuterUserId() &&
			!cpg_setting_in(name, readers->vary.names, readers->vary.count))
			refuse(load);
	}
}

/* The load saw the value of a setting. */
void
cpg_deps_input_setting(const char *name)
{
	if (cpg_load == NULL)
		return;
	if (stands_for_role(name))
	{
		cpg_deps_input_role();
		cpg_deps_input_login();
		if (pg_strcasecmp(name, "session_authorization") != 0)
			input_set_role(name);
		return;
	}
	if (!is_application_defined(name) && !cpg_setting_may_differ(name))
		return;
	for (CpgLoad *load = cpg_load; load != NULL; load = load->outer)
	{
		const CpgReaders *readers = &load->readers;

		if (cpg_setting_in(name, readers->vary.names, readers->vary.count))
			continue;
		if (is_application_defined(name) || cpg_setting_is_listed(name))
		{
			/* hidden, or pinned: a constant */
			if (readers->registered && cpg_setting_is_hideable(name))
				return;
			if (readers->vary.all || cpg_setting_is_listed(name))
				continue;
		}
		refuse(load);
	}
}

/*
 * The load read, or would have read, a key of the cache.  What it got, or gets
 * as soon as somebody loads it, depends on what the identity of the key says.
 */
void
cpg_deps_identity(const CpgNamespace *ns, const CpgKey *key)
{
	bool		by_role = OidIsValid(key->role);

	if (cpg_load == NULL)
		return;
	if (by_role)
		cpg_deps_input_role();
	if (!key->any_fingerprint &&
		cpg_fingerprint_settings(key->fingerprint) <= CPG_SETTINGS_ANY)
		return;
	if (by_role && cpg_identity_has_login(ns))
		cpg_deps_input_login();
	cpg_settings_each(&ns->vary, cpg_deps_input_setting);
}
