/*-------------------------------------------------------------------------
 *
 * peer_redis.c
 *	  Redis through hiredis: GET.
 *
 *-------------------------------------------------------------------------
 */
#include <hiredis/hiredis.h>
#include <string.h>

#include "peer.h"

static void *
open_connection(const char *where, const char *what, int *fd)
{
	redisContext *context = redisConnectUnix(where);

	(void) what;
	if (context == NULL || context->err)
		fail("could not connect: %s", context == NULL ? "out of memory" : context->errstr);
	*fd = context->fd;
	return context;
}

static void
send_request(void *connection, const char *key, size_t key_len)
{
	const char *words[2] = {"GET", key};
	size_t		lengths[2] = {3, key_len};
	int			done = 0;

	if (redisAppendCommandArgv(connection, 2, words, lengths) != REDIS_OK)
		fail("could not send");
	while (!done)
	{
		if (redisBufferWrite(connection, &done) != REDIS_OK)
			fail("could not send: %s", ((redisContext *) connection)->errstr);
	}
}

static Reply
receive_reply(void *connection, size_t value_len)
{
	redisReply *answer = NULL;
	Reply		reply = REPLY_OTHER;

	if (redisBufferRead(connection) != REDIS_OK ||
		redisGetReplyFromReader(connection, (void **) &answer) != REDIS_OK)
		fail("could not receive: %s", ((redisContext *) connection)->errstr);
	if (answer == NULL)
		return REPLY_INCOMPLETE;
	if (answer->type == REDIS_REPLY_STRING && answer->len == value_len)
		reply = REPLY_HIT;
	freeReplyObject(answer);
	return reply;
}

static void
close_connection(void *connection)
{
	redisFree(connection);
}

const Peer	redis_peer = {"redis", open_connection, send_request, receive_reply, close_connection};
