/*-------------------------------------------------------------------------
 *
 * peer_memcached.c
 *	  memcached by its text protocol: get.
 *
 * Its client library has no way to leave the waiting to an event loop.  A hit
 * is "VALUE key flags length", the value and "END", each ended by CR LF.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"

#define BUFFER_SIZE 65536

typedef struct Connection
{
	int			fd;
	size_t		used;
	char		buffer[BUFFER_SIZE];
} Connection;

static void *
open_connection(const char *where, const char *what, int *fd)
{
	Connection *connection = calloc(1, sizeof(Connection));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void) what;
	if (connection == NULL || strlen(where) >= sizeof(address.sun_path))
		fail("could not connect to %s", where);
	memcpy(address.sun_path, where, strlen(where));
	connection->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connection->fd < 0 ||
		connect(connection->fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		fail("could not connect to %s: %s", where, strerror(errno));
	*fd = connection->fd;
	return connection;
}

static void
send_request(void *arg, const char *key, size_t key_len)
{
	Connection *connection = arg;
	char		request[KEY_SIZE + 8];
	int			len = snprintf(request, sizeof(request), "get %s\r\n", key);

	(void) key_len;
	if (send(connection->fd, request, (size_t) len, MSG_NOSIGNAL) != len)
		fail("could not send: %s", strerror(errno));
}

/* Length of the value as the answer's first line has it; 0 if it has none. */
static size_t
announced_length(const char *line)
{
	const char *last = strrchr(line, ' ');

	if (strncmp(line, "VALUE ", 6) != 0 || last == NULL)
		return 0;
	return strtoul(last + 1, NULL, 10);
}

static Reply
receive_reply(void *arg, size_t value_len)
{
	Connection *connection = arg;
	ssize_t		got = recv(connection->fd, connection->buffer + connection->used,
						   BUFFER_SIZE - 1 - connection->used, 0);
	char	   *line_end;
	size_t		length;

	if (got <= 0)
		fail("could not receive: %s", got == 0 ? "connection closed" : strerror(errno));
	connection->used += got;
	connection->buffer[connection->used] = '\0';
	if (connection->used < 5 ||
		memcmp(connection->buffer + connection->used - 5, "END\r\n", 5) != 0)
		return REPLY_INCOMPLETE;
	connection->used = 0;
	line_end = strstr(connection->buffer, "\r\n");
	*line_end = '\0';
	length = announced_length(connection->buffer);
	return length == value_len ? REPLY_HIT : REPLY_OTHER;
}

static void
close_connection(void *arg)
{
	close(((Connection *) arg)->fd);
	free(arg);
}

const Peer	memcached_peer = {"memcached", open_connection, send_request, receive_reply, close_connection};
