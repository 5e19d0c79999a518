/*-------------------------------------------------------------------------
 *
 * names.c
 *	  Names of this server and of what it uses in Redis.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus.h"
#include "guc.h"

/* The name under which other servers know this one. */
const char *
cpg_bus_origin(void)
{
	static char system[17];

	if (cpg_server_name[0] != '\0')
		return cpg_server_name;
	snprintf(system, sizeof(system), "%016llx", (unsigned long long) GetSystemIdentifier());
	return system;
}

/* The key of the stream of messages, and the name of the channel. */
const char *
cpg_bus_key(void)
{
	static char key[64];

	snprintf(key, sizeof(key), "cachepg:%s:bus", cpg_cluster);
	return key;
}
