/*-------------------------------------------------------------------------
 *
 * output.h
 *	  What is shown of the runs: table, CSV files, picture, report.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_STAMPEDE_OUTPUT_OUTPUT_H
#define CPG_STAMPEDE_OUTPUT_OUTPUT_H

#include <stdio.h>

#include "stampede.h"

/* What happened in 10 ms; latencies in milliseconds of what finished then. */
typedef struct Bin
{
	int			begun;
	int			finished;
	double		p50;
	double		p99;
	double		max;
	int64_t		running;		/* executions of the source, at its end */
	char		breaker;
} Bin;

typedef struct Timeline
{
	const Run  *run;
	int64_t		from;			/* the run's zero is the begin of a bin */
	int			nbins;
	Bin		   *bins;
} Timeline;

/* timeline.c */
extern void timeline_make(const Run *run, Timeline *timeline);
extern void timeline_free(Timeline *timeline);
extern double timeline_second(const Timeline *timeline, int bin);

/* table.c */
#define CELL_SIZE 40

typedef struct Column
{
	const char *head;
	const char *explanation;
	void		(*cell) (const Run *run, char *cell);
} Column;

extern const Column table_columns[];
extern const int table_ncolumns;

extern void table_print(const Run *runs, int nruns);

/* files.c */
extern void output_check_directory(void);
extern void output_write(const Run *runs, int nruns);

/* csv.c */
extern void csv_summary(FILE *file, const Run *runs, int nruns);
extern void csv_timeline(FILE *file, const Run *runs, int nruns);
extern void csv_requests(FILE *file, const Run *runs, int nruns);
extern void csv_checks(FILE *file, const Run *runs, int nruns);

/* svg.c */
extern void svg_picture(FILE *file, const Run *runs, int nruns);

/* panel.c */
extern void panel_draw(FILE *file, const Timeline *timeline, double top, double most_ms);

#define PICTURE_WIDTH	960
#define PANEL_HEIGHT	310

/* html.c */
extern void html_report(FILE *file, const Run *runs, int nruns);

#endif							/* CPG_STAMPEDE_OUTPUT_OUTPUT_H */
