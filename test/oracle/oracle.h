/*-------------------------------------------------------------------------
 *
 * oracle.h
 *	  What the parts of the oracle share.  See main.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_TEST_ORACLE_ORACLE_H
#define CPG_TEST_ORACLE_ORACLE_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Versions of transactions that roll back begin here. */
#define POISON		INT64_C(1000000000)
#define NO_VALUE	INT64_C(-1)
#define TORN		INT64_C(-2)

#define KEYS_MAX	16			/* keys of a way */
#define READS_MAX	3			/* kinds of reads of a way */

/* A way in which the cache learns of a change. */
typedef struct Way
{
	const char *name;			/* write_NAME(i, step) writes */
	int			keys;			/* 1 to so many */
	int			weight;			/* of its writes */
	const char *table;			/* whose column version is the truth */
	bool		may_be_absent;	/* a read may find nothing */
	/* SQL expressions in i: NULL for nothing, TORN for unequal halves */
	const char *read[READS_MAX];
	/* writes in which the table is empty for a moment, begun and ended */
	_Atomic int64_t begun;
	_Atomic int64_t ended;
	/* versions known to be visible: acknowledged, or seen by anybody */
	_Atomic int64_t floor[KEYS_MAX + 1];
} Way;

extern Way	ways[];
extern const int nways;

extern Way *way_named(const char *name);

typedef enum Violation
{
	VIOLATION_STALE,			/* older than a version known to be visible */
	VIOLATION_POISON,			/* of a transaction that rolled back */
	VIOLATION_TORN,				/* halves written together differ */
	VIOLATION_VANISHED,			/* no row where there always is one */
	VIOLATION_OWN,				/* a session did not see its own write */
	VIOLATION_FINAL,			/* cache and table differ at rest */
	NVIOLATIONS
} Violation;

typedef struct Tally
{
	_Atomic int64_t reads;		/* values that were checked */
	_Atomic int64_t absent;
	_Atomic int64_t excused;	/* no row while the table was being reloaded */
	_Atomic int64_t commits;
	_Atomic int64_t rollbacks;
	_Atomic int64_t savepoints;
	_Atomic int64_t prepared;
	_Atomic int64_t disturbances;
	_Atomic int64_t violations[NVIOLATIONS];
} Tally;

extern Tally tally;

typedef struct Options
{
	const char *where;			/* connection string */
	double		seconds;
	int			readers;
	int			writers;
	int			rate;			/* commits per second, all writers together */
	int			interval;		/* seconds between lines of output */
	bool		delays;			/* at fault points */
	const char *skip;			/* mechanism that is switched off, or NULL */
	bool		calm;			/* no cancels, terminations, DDL, clearing */
	bool		first;			/* end at the first stale read */
	uint64_t	seed;
} Options;

extern Options options;
extern _Atomic bool stopping;

/* options.c */
#define OPTIONS_MAX 16

typedef enum OptionKind
{
	OPTION_TEXT,				/* const char * */
	OPTION_COUNT,				/* int */
	OPTION_NUMBER,				/* int64_t or uint64_t */
	OPTION_SECONDS,				/* double */
	OPTION_FLAG					/* bool; has no argument */
} OptionKind;

typedef struct Option
{
	char		letter;			/* 0: end of the table */
	OptionKind	kind;
	void	   *target;
} Option;

extern void options_read(int argc, char **argv, const Option *known);

/* client.c: a thread with its connection */
typedef struct Client
{
	PGconn	   *conn;
	const char *where;			/* connection string; NULL: that of all */
	uint64_t	random;
	bool		exempt;			/* is neither cancelled nor terminated */
	pthread_mutex_t lock;		/* of what others use: */
	PGcancel   *cancel;
	int			pid;
} Client;

extern void fail(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));
extern void client_init(Client *client, uint64_t number);
extern void client_connect(Client *client);
extern void client_close(Client *client);
extern bool client_run(Client *client, const char *sql);
extern PGresult *client_query(Client *client, const char *sql);
extern bool client_is_good(PGresult *result);
extern void client_recover(Client *client);
extern uint64_t client_random(Client *client, uint64_t below);
extern void client_pause(double seconds);
extern double client_now(void);
extern void errors_print(void);
extern int64_t errors_total(void);
extern int64_t errors_unexpected(void);

/* check.c */
extern void check_raise(Way *way, int key, int64_t version);
extern void check_violation(Violation what, const Way *way, int key, const char *by,
							int64_t wanted, int64_t got);
extern void check_floors(const Way *way, int64_t *floors);
extern void check_value(Way *way, int key, const char *by, int64_t floor, int64_t value,
						bool excused);
extern int64_t result_int8(const PGresult *result, int row, int column);

/* the threads */
extern void *writer_main(void *client);
extern void *reader_main(void *client);
extern void *disturber_main(void *client);
extern void *filler_main(void *client);
extern void writer_finish_prepared(Client *client);
extern int	reader_final(Client *client);
extern void disturber_set_victims(Client *clients, int count);

#endif							/* CPG_TEST_ORACLE_ORACLE_H */
