/*-------------------------------------------------------------------------
 *
 * deps.h
 *	  What a load in progress depends on.
 *
 * Loads nest: a loader may fetch.  What an inner load or a cache read depends
 * on, its marks and its remaining lifetime are handed to all loads around it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_DEPS_H
#define CPG_INVAL_DEPS_H

#include "inval/inval.h"
#include "lib/stringinfo.h"

/* Why the result of a load is kept by TTL only, beside what is tracked. */
typedef enum CpgUntracked
{
	CPG_UNTRACKED_CATALOG = 1,
	CPG_UNTRACKED_SEQUENCE = 2,
	CPG_UNTRACKED_FOREIGN = 4,
	CPG_UNTRACKED_FUNCTION = 8,
	CPG_UNTRACKED_TIME = 16,	/* clock or random numbers */
	CPG_UNTRACKED_CONSISTENCY = 32	/* the caller asked for it */
} CpgUntracked;

/* On what of a session the result of a load may depend. */
typedef struct CpgReaders
{
	bool		registered;		/* runs as the namespace's owner; sees only
								 * what vary names */
	bool		shared;			/* else whether it is for all roles */
	bool		login;			/* it may depend on who logged in */
	Oid			role;			/* for whom it is and who runs it, InvalidOid
								 * if these are not one role */
	CpgVary		vary;
} CpgReaders;

typedef struct CpgLoad
{
	struct CpgLoad *outer;
	uint64		number;			/* loads of this process are numbered */
	CpgReaders	readers;
	bool		procedural;		/* called functions of which not all is seen */
	bool		tracked;		/* collects cells; else TTL only */
	int			ncells;
	bool		too_many;		/* more cells than an entry can have */
	CpgCell		cells[CPG_CELLS_MAX];
	int			nrelations;
	Oid			relations[CPG_CELLS_MAX];	/* the first ones, for people */
	uint32		untracked;		/* set of CpgUntracked */
	CpgCounter	unpublishable;	/* why, or CPG_NCOUNTERS */
	int64		expiry;			/* of what was read from the cache, 0 for none */
} CpgLoad;

extern CpgLoad *cpg_load;		/* the innermost, NULL for none */

static inline bool
cpg_deps_active(void)
{
	return cpg_load != NULL;
}

/* deps.c */
extern void cpg_deps_begin(CpgLoad *load, bool tracked, const CpgReaders *readers);
extern uint64 cpg_deps_last_load(void);
extern void cpg_deps_end(CpgLoad *load);
extern void cpg_deps_drop(CpgLoad *load);
extern bool cpg_deps_has_cell(const CpgLoad *load, CpgCell cell);
extern void cpg_deps_cell(CpgCell cell);
extern void cpg_deps_relation(Oid relid);
extern void cpg_deps_limit_life(int64 expiry);
extern void cpg_deps_untracked(CpgUntracked what);
extern void cpg_deps_unpublishable(CpgCounter why);
extern void cpg_deps_own_write(void);
extern void cpg_deps_read(const CpgKey *key, const CpgRead *read, const CpgValue *value, int64 now);
extern void cpg_deps_input_role(void);
extern void cpg_deps_input_login(void);
extern void cpg_deps_input_setting(const char *name);
extern void cpg_deps_identity(const CpgNamespace *ns, const CpgKey *key);

/* notes.c: what the notes of an entry say */
typedef struct CpgNotes
{
	int			nrelations;
	Oid			relations[CPG_CELLS_MAX];
	uint32		untracked;
	int			ntags;
	const char *tags[CPG_CELLS_MAX];	/* not terminated */
	uint8		tag_len[CPG_CELLS_MAX];
	const char *hidden;			/* settings that the loader did not see */
	uint8		hidden_len;
} CpgNotes;

#define CPG_TAG_MAX		255		/* bytes of a tag */
#define CPG_TAGS_MAX	16		/* tags of an entry */

extern void cpg_notes_write_load(StringInfo to, const CpgLoad *load);
extern void cpg_notes_write_tag(StringInfo to, const char *tag, Size len);
extern void cpg_notes_write_hidden(StringInfo to, const char *names);
extern void cpg_notes_read(const char *data, Size len, CpgNotes *notes);
extern int	cpg_notes_cells(const CpgNotes *notes, uint16 database, CpgCell *cells);
extern const char *cpg_untracked_name(CpgUntracked what);

#endif							/* CPG_INVAL_DEPS_H */
