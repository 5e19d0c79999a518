/*-------------------------------------------------------------------------
 *
 * table.c
 *	  The table of the modes.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <string.h>

#include "output/output.h"

static void
ms_cell(double value, char *cell)
{
	if (value < 0)
		snprintf(cell, CELL_SIZE, "-");
	else
		snprintf(cell, CELL_SIZE, "%.1f", value);
}

static void
mode_cell(const Run *run, char *cell)
{
	snprintf(cell, CELL_SIZE, "%s", run->mode->name);
}

static void
executions_cell(const Run *run, char *cell)
{
	snprintf(cell, CELL_SIZE, "%" PRId64, run->summary.executions);
}

static void
peak_cell(const Run *run, char *cell)
{
	snprintf(cell, CELL_SIZE, "%" PRId64, run->summary.peak);
}

static void
waited_cell(const Run *run, char *cell)
{
	snprintf(cell, CELL_SIZE, "%d", run->summary.waited);
}

static void
p50_cell(const Run *run, char *cell)
{
	ms_cell(run->summary.p50, cell);
}

static void
p99_cell(const Run *run, char *cell)
{
	ms_cell(run->summary.p99, cell);
}

static void
max_cell(const Run *run, char *cell)
{
	ms_cell(run->summary.max, cell);
}

static void
steady_cell(const Run *run, char *cell)
{
	ms_cell(run->summary.steady_p99, cell);
}

static void
errors_cell(const Run *run, char *cell)
{
	snprintf(cell, CELL_SIZE, "%d", run->summary.errors);
}

const Column table_columns[] = {
	{"mode", "see below", mode_cell},
	{"executions", "of the source, from the time the value was loaded until after the burst (breaker: in "
	"the whole run)", executions_cell},
	{"at a time", "the most executions of the source at one time, read every 10 ms", peak_cell},
	{"waited", "requests that took more than half of the source's time, from their own sending",
	waited_cell},
	{"p50 ms", "median latency of the burst at the expiry, from the common release (breaker: of all "
	"requests, from their turn)", p50_cell},
	{"p99 ms", "99th percentile of the same", p99_cell},
	{"max ms", "largest of the same", max_cell},
	{"steady p99", "99th percentile of equal bursts on a fresh value (breaker: of the traffic "
	"before the source dies), ms", steady_cell},
	{"errors", "requests that failed", errors_cell}
};
const int	table_ncolumns = sizeof(table_columns) / sizeof(table_columns[0]);

/* The first column is flush left, the others flush right. */
static void
print_cell(int column, int width, const char *cell)
{
	if (column == 0)
		printf("%-*s", width, cell);
	else
		printf("  %*s", width, cell);
}

void
table_print(const Run *runs, int nruns)
{
	const int	widths[] = {11, 10, 9, 7, 8, 8, 8, 10, 6};

	for (int i = 0; i < table_ncolumns; i++)
		print_cell(i, widths[i], table_columns[i].head);
	putchar('\n');
	for (int i = 0; i < nruns; i++)
	{
		for (int j = 0; j < table_ncolumns; j++)
		{
			char		cell[CELL_SIZE];

			table_columns[j].cell(&runs[i], cell);
			print_cell(j, widths[j], cell);
		}
		putchar('\n');
	}
}
