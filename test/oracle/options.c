/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Options of the command line, by a table.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <unistd.h>

#include "oracle.h"

static void
take(const Option *option)
{
	switch (option->kind)
	{
		case OPTION_TEXT:
			*(const char **) option->target = optarg;
			break;
		case OPTION_COUNT:
			*(int *) option->target = atoi(optarg);
			break;
		case OPTION_NUMBER:
			*(int64_t *) option->target = atoll(optarg);
			break;
		case OPTION_SECONDS:
			*(double *) option->target = atof(optarg);
			break;
		case OPTION_FLAG:
			*(bool *) option->target = true;
			break;
	}
}

/* Set what options name; ends the program (2) at one that is not known. */
void
options_read(int argc, char **argv, const Option *known)
{
	char		letters[2 * OPTIONS_MAX + 1];
	size_t		len = 0;
	int			c;

	for (const Option *option = known; option->letter != 0; option++)
	{
		if (len + 2 >= sizeof(letters))
			fail("too many options");
		letters[len++] = option->letter;
		if (option->kind != OPTION_FLAG)
			letters[len++] = ':';
	}
	letters[len] = '\0';
	while ((c = getopt(argc, argv, letters)) != -1)
	{
		const Option *option = known;

		while (option->letter != 0 && option->letter != c)
			option++;
		if (option->letter == 0)
			exit(2);
		take(option);
	}
}
