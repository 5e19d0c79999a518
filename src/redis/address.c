/*-------------------------------------------------------------------------
 *
 * address.c
 *	  Where a node is: sockets, literal addresses, and names as the resolver
 *	  found them.
 *
 * No session asks a name server: getaddrinfo blocks for as long as that one
 * likes and cannot be cancelled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "redis/redis_internal.h"

#define LOCALHOST	"localhost"

static void
set_v4(CpgRedisAddress *address, const struct in_addr *ip, int port)
{
	struct sockaddr_in *in = (struct sockaddr_in *) &address->address;

	memset(address, 0, sizeof(*address));
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16) port);
	in->sin_addr = *ip;
	address->len = sizeof(*in);
}

static void
set_v6(CpgRedisAddress *address, const struct in6_addr *ip, int port)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *) &address->address;

	memset(address, 0, sizeof(*address));
	in->sin6_family = AF_INET6;
	in->sin6_port = htons((uint16) port);
	in->sin6_addr = *ip;
	address->len = sizeof(*in);
}

static bool
set_unix(CpgRedisAddress *address, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *) &address->address;

	memset(address, 0, sizeof(*address));
	un->sun_family = AF_UNIX;
	if (strlcpy(un->sun_path, path, sizeof(un->sun_path)) >= sizeof(un->sun_path))
		return false;
	address->len = sizeof(*un);
	return true;
}

/* The address that a URL names by itself; false if that is a name to look up. */
static bool
set_literal(const CpgUrl *url, CpgRedisAddress *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (url->kind == CPG_URL_UNIX)
		return set_unix(address, url->host);
	if (inet_pton(AF_INET, url->host, &v4) == 1)
		set_v4(address, &v4, url->port);
	else if (inet_pton(AF_INET6, url->host, &v6) == 1)
		set_v6(address, &v6, url->port);
	else
		return false;
	return true;
}

/* Whether a node has a name that the resolver has to look up. */
bool
cpg_redis_needs_lookup(int node)
{
	const CpgUrl *url = cpg_redis_url(node);
	CpgRedisAddress address;

	return !set_literal(url, &address) && url->kind != CPG_URL_UNIX && strcmp(url->host, LOCALHOST) != 0;
}

/* The addresses of a node, in the order to try them; how many they are. */
int
cpg_redis_addresses(int node, const CpgUrl *url, CpgRedisAddress *addresses)
{
	CpgRedisNumbers numbers;
	int			n = 0;

	if (set_literal(url, &addresses[0]))
		return 1;
	/* a path too long for a socket */
	if (url->kind == CPG_URL_UNIX)
		return 0;
	if (strcmp(url->host, LOCALHOST) == 0)
	{
		struct in_addr loopback = {htonl(INADDR_LOOPBACK)};

		set_v4(&addresses[n++], &loopback, url->port);
		set_v6(&addresses[n++], &in6addr_loopback, url->port);
		return n;
	}
	cpg_node_numbers(node, &numbers);
	for (int i = 0; i < numbers.count; i++)
	{
		if (numbers.number[i].v6)
			set_v6(&addresses[n++], &numbers.number[i].ip.v6, url->port);
		else
			set_v4(&addresses[n++], &numbers.number[i].ip.v4, url->port);
	}
	if (n == 0)
		cpg_node_report_problem("%s", "the host name has not been resolved");
	return n;
}
