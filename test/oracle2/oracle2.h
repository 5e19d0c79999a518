/*-------------------------------------------------------------------------
 *
 * oracle2.h
 *	  What the parts of the oracle for two servers share.  See main.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_TEST_ORACLE2_ORACLE2_H
#define CPG_TEST_ORACLE2_ORACLE2_H

#include "oracle.h"

#define THINGS_MAX	16			/* things of a kind */
#define HISTORY		512			/* acknowledgements kept of a thing */

/* A version, and when its commit had returned. */
typedef struct Acknowledged
{
	double		at;
	int64_t		version;
} Acknowledged;

/* What has versions. */
typedef struct Thing
{
	pthread_mutex_t writing;	/* by one at a time, so that versions go up */
	double		rests_until;	/* under "writing" */
	_Atomic int64_t known;		/* acknowledged, or seen on a */
	_Atomic int64_t recovered;	/* b has heard of everything up to it */
	pthread_mutex_t lock;		/* of: */
	Acknowledged history[HISTORY];
	int			count;
} Thing;

/* Things that are written and read in the same way. */
typedef struct Kind
{
	const char *name;
	int			count;
	const char *write;			/* SQL; %1$d the number, %2$lld the version */
	const char *read;			/* SQL: number and version of each */
	Thing		thing[THINGS_MAX + 1];
} Kind;

typedef enum Fault
{
	FAULT_STALE_A,				/* older than what was known on a */
	FAULT_LATE_B,				/* older than b may be at any time */
	FAULT_STALE_B,				/* older than what b had heard of */
	FAULT_POISON,				/* rolled back */
	NFAULTS
} Fault;

typedef struct Counts
{
	_Atomic int64_t reads_a;	/* values that were checked */
	_Atomic int64_t reads_b;
	_Atomic int64_t absent_a;
	_Atomic int64_t absent_b;
	_Atomic int64_t commits;
	_Atomic int64_t rollbacks;
	_Atomic int64_t faults[NFAULTS];
} Counts;

typedef struct Setup
{
	const char *a;				/* connection strings */
	const char *b;
	double		lag;			/* how old what b serves may be, in seconds */
	bool		first;			/* end at the first violation */
} Setup;

extern Setup setup;
extern Counts counts;
extern Kind kinds[];
extern const int nkinds;

/* truth.c */
typedef struct Expected
{
	int64_t		known[THINGS_MAX + 1];
	int64_t		due[THINGS_MAX + 1];
	int64_t		recovered[THINGS_MAX + 1];
} Expected;

extern void truth_init(int64_t base);
extern int64_t truth_next(void);
extern void truth_acknowledge(Thing *thing, int64_t version);
extern void truth_expect(Kind *kind, Expected *expected);
extern void truth_check_a(Kind *kind, int number, const Expected *expected, int64_t got);
extern void truth_check_b(Kind *kind, int number, const Expected *expected, int64_t got);
extern void truth_known(int64_t *all);
extern void truth_recovered(const int64_t *all);
extern int64_t truth_faults(void);

/* traffic.c */
extern void *writer2_main(void *client);
extern void *reader_a_main(void *client);
extern void *reader_b_main(void *client);

/* recovery.c */
extern bool recovery_check(Client *a, Client *b, double *seconds);

#endif							/* CPG_TEST_ORACLE2_ORACLE2_H */
