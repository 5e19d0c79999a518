/*-------------------------------------------------------------------------
 *
 * peer.h
 *	  What the client needs of a server it can drive.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_BENCH_PEER_H
#define CPG_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

#define KEY_SIZE 16

/* What came of reading from a connection. */
typedef enum Reply
{
	REPLY_INCOMPLETE,			/* more bytes are to come */
	REPLY_HIT,					/* a value of the expected length */
	REPLY_OTHER					/* anything else; the run is void */
} Reply;

/*
 * A kind of server.  All calls are made by one thread; send and receive must
 * not block once the connection is open.  A connection has at most one request
 * under way.
 */
typedef struct Peer
{
	const char *name;
	/* open a connection; where and what are the arguments of the program */
	void	   *(*connect) (const char *where, const char *what, int *fd);
	void		(*send) (void *connection, const char *key, size_t key_len);
	Reply		(*receive) (void *connection, size_t value_len);
	void		(*close) (void *connection);
} Peer;

extern const Peer memcached_peer;
extern const Peer postgres_peer;
extern const Peer redis_peer;

extern void fail(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));

#endif							/* CPG_BENCH_PEER_H */
