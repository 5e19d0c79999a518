/*-------------------------------------------------------------------------
 *
 * stampede.h
 *	  What the files of cachepg-stampede share.
 *
 * One thread, one event loop.  Instants are nanoseconds of CLOCK_MONOTONIC,
 * lengths of time nanoseconds too, unless a name ends in _ms.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STAMPEDE_STAMPEDE_H
#define CPG_STAMPEDE_STAMPEDE_H

#include <libpq-fe.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MS				INT64_C(1000000)
#define SECOND			(1000 * MS)
#define NEVER			INT64_MAX
#define STEP			(10 * MS)	/* of the timeline and of the meters */

#define SCHEMA			"cachepg_stampede"
#define SOURCE			SCHEMA ".source()"
#define NAMESPACE		"cachepg_stampede_"
#define METER			NAMESPACE "meter"

#define CLIENTS_DEFAULT 1000

#define EXIT_MISSED		1		/* an expectation was not met */
#define EXIT_UNUSABLE	2		/* usage, connection, server */

#define STEPS_MAX		3
#define MARKS_MAX		8
#define MODES_MAX		12

typedef struct Options
{
	const char *conninfo;
	int			clients;		/* 0: as many as the server allows, 1,000 at
								 * most */
	int64_t		source_ms;		/* how long the source takes */
	int64_t		ttl_ms;
	int			rate;			/* requests per second of steady traffic */
	const char *modes;			/* names, separated by commas */
	const char *output;			/* directory, or NULL */
	bool		death_by_error; /* else the dead source hangs */
	bool		expect;
	bool		quiet;
	bool		cleanup;		/* only remove what a killed run left */
} Options;

extern Options options;

/* What the mode breaker asks of its namespace, and how long its phases are. */
typedef struct BreakerPlan
{
	int64_t		ttl_ms;
	int64_t		stale_for_ms;
	int64_t		soft_timeout_ms;
	int64_t		load_timeout_ms;
	int64_t		retry_after_ms;
	int64_t		open_ms;
	int			window;
	int			min_calls;
	double		ratio;
	int64_t		normal_ms;
	int64_t		dead_ms;
	int64_t		after_ms;
} BreakerPlan;

extern BreakerPlan breaker_plan;

/* ---------------------------------------------------------------------
 * What was seen
 * ---------------------------------------------------------------------
 */

typedef enum Phase
{
	PHASE_WARM,					/* not measured */
	PHASE_FRESH,				/* bursts while the value is fresh */
	PHASE_TRAFFIC,				/* steady */
	PHASE_BURST,				/* the burst that the mode is about */
	NPHASES
} Phase;

typedef struct Request
{
	int64_t		due;			/* release of its burst, or its turn in the
								 * traffic */
	int64_t		sent;
	int64_t		finished;		/* 0: not yet */
	double		made_at;		/* when the source began to make the value,
								 * server's clock; 0 if unknown */
	int			client;
	Phase		phase;
	bool		failed;
} Request;

/* The meters at an instant; they only grow. */
typedef struct Sample
{
	int64_t		at;
	int64_t		started;
	int64_t		finished;
	int64_t		cancelled;
	char		breaker;		/* c(losed), o(pen), h(alf-open) */
} Sample;

typedef struct Mark
{
	int64_t		at;
	const char *label;
} Mark;

/* The figures of a run; latencies in milliseconds, -1: there is none. */
typedef struct Summary
{
	int64_t		executions;		/* of the source, from the load to the end of
								 * the burst */
	int64_t		peak;			/* at a time, as seen every 10 ms */
	int64_t		before_expiry;	/* of the executions, begun before release */
	int			requests;
	int			waited;			/* took more than half of the source's time */
	int			errors;
	double		p50;
	double		p99;
	double		max;
	double		steady_p99;
	/* mode breaker */
	int64_t		loads_until_open;
	int64_t		loads_while_open;
	int64_t		probes_allowed;
	double		opened_ms;		/* after the death; -1: never */
	double		worst_p99;		/* of any second */
	double		fresh_ms;		/* from recovery to the first fresh value */
} Summary;

struct Mode;

typedef struct Run
{
	const struct Mode *mode;
	int64_t		zero;			/* of the time axis: release, or death */
	int64_t		counted_from;	/* executions count between these two */
	int64_t		counted_to;
	int64_t		recovered;		/* mode breaker */
	Request    *requests;
	int			nrequests;
	int			requests_size;
	Sample	   *samples;
	int			nsamples;
	int			samples_size;
	Mark		marks[MARKS_MAX];
	int			nmarks;
	char		first_error[200];
	Summary		summary;
} Run;

/* ---------------------------------------------------------------------
 * Modes
 * ---------------------------------------------------------------------
 */

/*
 * What a request is made of: prepared statements, of which those after the
 * first run only if the first found nothing.
 */
typedef struct Step
{
	const char *statement;
	bool		parameter;		/* takes one: what the step before found, or
								 * the run's argument */
} Step;

typedef struct Mode
{
	const char *name;
	const char *title;
	const char *about;
	bool		by_default;
	bool		guards;			/* needs a cache_fetch with stampede guards */
	bool		traffic;		/* steady traffic around the burst */
	bool		cached;			/* has a namespace and a key */
	int64_t		margin;			/* from the expiry to the release */
	Step		steps[STEPS_MAX];
	void		(*play) (Run *run);
} Mode;

extern const Mode modes[];
extern const int nmodes;

/* modes.c */
extern const Mode *mode_find(const char *name, size_t len);
extern void mode_key(const Mode *mode, char *key, size_t size);
extern void mode_namespace_sql(const Mode *mode, char *sql, size_t size);
extern void mode_prepare_sql(const Mode *mode, char *sql, size_t size);

/* play.c, breaker.c */
extern void play_burst(Run *run);
extern void play_expiry(Run *run);
extern void play_breaker(Run *run);
extern int64_t play_load_key(Run *run);

/* options.c */
extern void options_read(int argc, char **argv);

/* main.c */
extern volatile sig_atomic_t interrupted;
extern void fail(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));
extern void progress(const char *format,...) __attribute__((format(printf, 1, 2)));
extern int64_t now_ns(void);

/* server.c: the connection for statements that are waited for */
typedef struct Server
{
	char		version[64];
	char		extension[32];
	bool		guards;			/* cache_fetch has soft_ttl and beta */
	int			max_connections;
	int			free_connections;
	double		clock_offset;	/* its clock in seconds minus ours */
} Server;

extern Server server;

extern void server_connect(void);
extern void server_run(const char *sql);
extern void server_prepare_source(void);
extern void server_create_namespace(const Mode *mode);
extern void server_remove_all(void);
extern PGconn *server_start_connection(void);
extern PGconn *server_connect_now(void);
extern double server_time(int64_t instant);

/* clients.c */
typedef enum ClientState
{
	CLIENT_CONNECTING,
	CLIENT_PREPARING,
	CLIENT_IDLE,
	CLIENT_BUSY,
	CLIENT_LOST
} ClientState;

typedef struct Client
{
	PGconn	   *conn;
	ClientState state;
	int			request;		/* under way */
	int			step;			/* of it */
	PGresult   *found;			/* what the step before gave */
	int64_t		waiting_due;	/* of a burst that came while it was busy, or
								 * 0 */
	Phase		waiting_phase;
} Client;

extern Client *clients;
extern int	nclients;

extern void clients_open(int count, const Mode *const *wanted, int nwanted);
extern void clients_close(void);

/* loop.c */
extern int	poll_fd;

extern void loop_open(void);
extern void loop_watch(int fd, uint32_t events, void *owner);
extern void loop_check_signals(void);
extern void loop_begin(Run *run);
extern void loop_end(void);
extern void loop_traffic(bool on);
extern int64_t loop_burst(Phase phase);
extern void loop_one(Phase phase);
extern void loop_until(int64_t instant);
extern void loop_drain(void);
extern void loop_drain_bursts(void);
extern void loop_argument(double value);

/* monitor.c */
extern Client monitor;

extern void monitor_open(bool with_breaker);
extern void monitor_close(void);
extern void monitor_begin(Run *run);
extern int64_t monitor_next(void);
extern void monitor_turn(int64_t now);
extern void monitor_receive(void);
extern int64_t monitor_command(const char *sql);

/* run.c */
extern int	run_clients;		/* in all runs */

extern void run_begin(Run *run, const Mode *mode);
extern int	run_add_request(Run *run, const Request *request);
extern void run_add_sample(Run *run, const Sample *sample);
extern void run_mark(Run *run, int64_t at, const char *label);
extern void run_summarize(Run *run);
extern int64_t sample_running(const Sample *sample);
extern const Sample *run_sample_at(const Run *run, int64_t at);
extern double run_percentile(const Run *run, unsigned phases, int64_t from, int64_t to,
							 double share);

#define PHASE_BIT(phase) (1U << (phase))
#define PHASES_MEASURED (PHASE_BIT(PHASE_FRESH) | PHASE_BIT(PHASE_TRAFFIC) | PHASE_BIT(PHASE_BURST))

/* checks.c */
typedef struct Check
{
	char		what[120];
	const char *operator;		/* >=, <=, = */
	double		bar;
	double		measured;		/* -1: there is no such figure */
	const char *unit;			/* "" or " ms" */
	bool		met;
} Check;

#define CHECKS_MAX 40
#define FIGURE_SIZE 40

extern Check checks[CHECKS_MAX];
extern int	nchecks;

extern void checks_make(const Run *runs, int nruns);
extern bool checks_print(void);
extern void check_figure(const Check *check, double value, char *figure);
extern void check_text(const Check *check, char *text, size_t size);

#endif							/* CPG_STAMPEDE_STAMPEDE_H */
