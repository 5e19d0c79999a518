/*-------------------------------------------------------------------------
 *
 * client.c
 *	  A client of one thread and one event loop that reads random keys.
 *
 *	  client -p postgres|redis|memcached -w WHERE [-q QUERY]
 *			 [-c CONNECTIONS] [-t SECONDS] [-k KEYS] [-l VALUE_LENGTH]
 *
 * Each connection has one request under way at a time; a reply is answered by
 * the next request at once.  Every reply must hold a value of the expected
 * length, else the run is void.  Keys are the decimal numbers 1 to KEYS, drawn
 * uniformly.  Prints requests per second, and median and 99th percentile of the
 * latency in microseconds, separated by blanks.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

#define CONNECTIONS_MAX 64
#define LATENCY_STEP_NS 500
#define LATENCY_STEPS	20000	/* up to 10 ms; slower ones count as that */

typedef struct Options
{
	const Peer *peer;
	const char *where;
	const char *what;
	int			connections;
	double		seconds;
	uint32_t	keys;
	size_t		value_len;
} Options;

typedef struct Client
{
	void	   *connection;
	uint64_t	sent_at;
} Client;

typedef struct Tally
{
	uint64_t	replies;
	uint64_t	latency[LATENCY_STEPS];
} Tally;

static uint64_t random_state = 88172645463325252U;

void
fail(const char *format,...)
{
	va_list		args;

	fputs("client: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000000U + (uint64_t) now.tv_nsec;
}

/* G. Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Write a number in decimal; returns its length. */
static size_t
key_text(uint32_t number, char *key)
{
	char		reversed[KEY_SIZE];
	size_t		len = 0;

	do
	{
		reversed[len++] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	for (size_t i = 0; i < len; i++)
		key[i] = reversed[len - 1 - i];
	key[len] = '\0';
	return len;
}

static void
request(const Options *options, Client *client)
{
	char		key[KEY_SIZE];
	size_t		len = key_text(1 + (uint32_t) (next_random() % options->keys), key);

	client->sent_at = now_ns();
	options->peer->send(client->connection, key, len);
}

static void
count_reply(Tally *tally, uint64_t latency)
{
	uint64_t	step = latency / LATENCY_STEP_NS;

	tally->latency[step < LATENCY_STEPS ? step : LATENCY_STEPS - 1]++;
	tally->replies++;
}

static double
percentile(const Tally *tally, double share)
{
	uint64_t	below = 0;

	for (int i = 0; i < LATENCY_STEPS; i++)
	{
		below += tally->latency[i];
		if ((double) below >= share * (double) tally->replies)
			return (i + 0.5) * LATENCY_STEP_NS / 1000.0;
	}
	return 0;
}

static void
open_clients(const Options *options, int poll, Client *clients)
{
	for (int i = 0; i < options->connections; i++)
	{
		struct epoll_event event = {.events = EPOLLIN};
		int			fd;

		clients[i].connection = options->peer->connect(options->where, options->what, &fd);
		event.data.ptr = &clients[i];
		if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
			fail("could not watch a connection: %s", strerror(errno));
	}
}

/* Take the replies that are there; returns how many requests ended for good. */
static int
handle_events(const Options *options, int poll, uint64_t deadline, Tally *tally)
{
	struct epoll_event events[CONNECTIONS_MAX];
	int			ended = 0;
	int			n = epoll_wait(poll, events, CONNECTIONS_MAX, 10000);

	if (n == 0 || (n < 0 && errno != EINTR))
		fail("no answer");
	for (int i = 0; i < n; i++)
	{
		Client	   *client = events[i].data.ptr;
		Reply		reply = options->peer->receive(client->connection, options->value_len);
		uint64_t	now;

		if (reply == REPLY_INCOMPLETE)
			continue;
		if (reply != REPLY_HIT)
			fail("%s gave no value of %zu bytes", options->peer->name, options->value_len);
		now = now_ns();
		count_reply(tally, now - client->sent_at);
		if (now < deadline)
			request(options, client);
		else
			ended++;
	}
	return ended;
}

static void
run(const Options *options)
{
	static Client clients[CONNECTIONS_MAX];
	static Tally tally;
	int			poll = epoll_create1(EPOLL_CLOEXEC);
	int			busy = options->connections;
	uint64_t	start;
	uint64_t	end;

	if (poll < 0)
		fail("could not create an event queue: %s", strerror(errno));
	open_clients(options, poll, clients);
	start = now_ns();
	for (int i = 0; i < options->connections; i++)
		request(options, &clients[i]);
	while (busy > 0)
		busy -= handle_events(options, poll, start + (uint64_t) (options->seconds * 1e9), &tally);
	end = now_ns();
	for (int i = 0; i < options->connections; i++)
		options->peer->close(clients[i].connection);
	close(poll);
	printf("%.0f %.1f %.1f\n", (double) tally.replies / ((double) (end - start) / 1e9),
		   percentile(&tally, 0.5), percentile(&tally, 0.99));
}

static const Peer *
find_peer(const char *name)
{
	const Peer *peers[] = {&postgres_peer, &redis_peer, &memcached_peer};

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
	{
		if (strcmp(peers[i]->name, name) == 0)
			return peers[i];
	}
	fail("there is no peer \"%s\"", name);
}

static uint32_t
parse_number(const char *text, uint32_t max)
{
	char	   *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*end != '\0' || number == 0 || number > max)
		fail("\"%s\" is not a number from 1 to %u", text, max);
	return (uint32_t) number;
}

int
main(int argc, char **argv)
{
	Options		options = {.connections = 8,.seconds = 3,.keys = 100000,.value_len = 100};
	int			option;

	while ((option = getopt(argc, argv, "p:w:q:c:t:k:l:")) != -1)
	{
		switch (option)
		{
			case 'p':
				options.peer = find_peer(optarg);
				break;
			case 'w':
				options.where = optarg;
				break;
			case 'q':
				options.what = optarg;
				break;
			case 'c':
				options.connections = (int) parse_number(optarg, CONNECTIONS_MAX);
				break;
			case 't':
				options.seconds = strtod(optarg, NULL);
				break;
			case 'k':
				options.keys = parse_number(optarg, 1000000000);
				break;
			case 'l':
				options.value_len = parse_number(optarg, 60000);
				break;
			default:
				return 2;
		}
	}
	if (options.peer == NULL || options.where == NULL)
		fail("give a peer (-p) and where it is (-w)");
	run(&options);
	return 0;
}
