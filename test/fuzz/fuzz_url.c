/*-------------------------------------------------------------------------
 *
 * fuzz_url.c
 *	  The parser of lists of addresses.
 *
 * Every address that is taken is within its limits, and parsed again from what
 * is printed of it the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fuzz.h"
#include "wire/url.h"

#define MAX_URLS 4

static void
check_text(const char *text, size_t size)
{
	size_t		len = strnlen(text, size);

	HOLDS(len < size);
	for (size_t i = 0; i < len; i++)
		HOLDS(text[i] >= ' ' && text[i] <= '~');
}

static void
check_url(const CpgUrl *url)
{
	char	   *text = malloc(CPG_URL_TEXT_SIZE);
	size_t		len;
	CpgUrl		again;

	HOLDS(text !=NULL);
	check_text(url->host, sizeof(url->host));
	check_text(url->user, sizeof(url->user));
	check_text(url->name, sizeof(url->name));
	HOLDS(url->host[0] != '\0' && url->name[0] != '\0');
	HOLDS(url->kind == CPG_URL_UNIX ? url->port == 0 : url->port >= 1 && url->port <= 65535);
	HOLDS(url->db >= 0 && url->db <= CPG_URL_DB_MAX);
	HOLDS(url->weight >= 1 && url->weight <= CPG_URL_WEIGHT_MAX);
	len = cpg_url_print(url, text);
	HOLDS(len == strlen(text) && len < CPG_URL_TEXT_SIZE);
	HOLDS(cpg_url_parse(text, len, &again) == CPG_URL_FAULT_NONE);
	HOLDS(memcmp(url, &again, sizeof(again)) == 0);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = exact_copy(data, size);
	CpgUrl		urls[MAX_URLS];
	int			count;
	CpgUrlFault fault = cpg_url_parse_list(copy, size, urls, MAX_URLS, &count);

	HOLDS(count >= 0 && count <= MAX_URLS);
	HOLDS(cpg_url_fault_text(fault) != NULL);
	for (int i = 0; i < count; i++)
		check_url(&urls[i]);
	free(copy);
	return 0;
}
