/*-------------------------------------------------------------------------
 *
 * usage.h
 *	  Writes in databases that nobody uses the cache in; see usage.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_INVAL_USAGE_H
#define CPG_INVAL_USAGE_H

typedef struct CpgSharedUsage CpgSharedUsage;

/* What this session knows to be in use stays so. */
extern bool cpg_usage_known;

/* Whether this transaction has written without a note. */
extern bool cpg_usage_unnoted;

extern Size cpg_usage_size(void);
extern void cpg_usage_init(CpgSharedUsage *usage);
extern bool cpg_usage_pass_write(void);
extern bool cpg_usage_settled(void);

/* Whether a write of a table need not be noted. */
static inline bool
cpg_usage_passes(void)
{
	return unlikely(!cpg_usage_known) && cpg_usage_pass_write();
}

#endif							/* CPG_INVAL_USAGE_H */
