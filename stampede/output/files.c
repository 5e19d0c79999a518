/*-------------------------------------------------------------------------
 *
 * files.c
 *	  The files of the output directory.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/output.h"

/* Better now than after the run. */
void
output_check_directory(void)
{
	if (mkdir(options.output, 0777) != 0 && errno != EEXIST)
		fail("could not create directory \"%s\": %s", options.output, strerror(errno));
	if (access(options.output, W_OK | X_OK) != 0)
		fail("cannot write to directory \"%s\": %s", options.output, strerror(errno));
}

static void
write_file(const char *name, void (*content) (FILE *file, const Run *runs, int nruns),
		   const Run *runs, int nruns)
{
	char		path[PATH_MAX];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", options.output, name);
	file = fopen(path, "w");
	if (file == NULL)
		fail("could not create file \"%s\": %s", path, strerror(errno));
	content(file, runs, nruns);
	if (ferror(file) || fclose(file) != 0)
		fail("could not write file \"%s\": %s", path, strerror(errno));
}

void
output_write(const Run *runs, int nruns)
{
	write_file("summary.csv", csv_summary, runs, nruns);
	write_file("timeline.csv", csv_timeline, runs, nruns);
	write_file("requests.csv", csv_requests, runs, nruns);
	if (options.expect)
		write_file("checks.csv", csv_checks, runs, nruns);
	write_file("stampede.svg", svg_picture, runs, nruns);
	write_file("report.html", html_report, runs, nruns);
	progress("the report is %s/report.html", options.output);
}
