/*-------------------------------------------------------------------------
 *
 * sending.h
 *	  The commands that send one message to the stream and to the channel.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WORKER_SENDING_H
#define CPG_WORKER_SENDING_H

#include "lib/stringinfo.h"
#include "redis/redis.h"

/* Where the words of both commands are. */
typedef struct CpgSending
{
	const char *add[10];
	const char *publish[3];
	size_t		add_lens[10];
	size_t		publish_lens[3];
} CpgSending;

extern void cpg_sending_prepare(CpgSending *sending, CpgRedisCommand *command, StringInfo message,
								const char *length, const char *made);

#endif							/* CPG_WORKER_SENDING_H */
