/*-------------------------------------------------------------------------
 *
 * resolver.c
 *	  The worker that asks name servers for the addresses of Redis servers.
 *
 * One for the server, connected to no database; only if cachepg.redis_servers is
 * not empty at the start.  It looks up the names at its start, after a reload,
 * once a minute, and every few seconds while one is not known.  What it found
 * stays when a later lookup fails.
 *
 * getaddrinfo cannot be interrupted, so it runs in a child of the worker, which
 * does nothing else, touches no shared memory, and is killed when its time is
 * over, the server stops, or the worker dies.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "compat.h"
#include "guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/fork_process.h"
#include "postmaster/interrupt.h"
#include "redis/redis.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
#include "worker/register.h"
#include "worker/worker.h"

#define RESTART_SECONDS 5
#define LOOKUP_TIMEOUT	5000	/* ms */
#define ROUND			60000	/* ms */
#define RETRY			3000	/* ms, while a name is not known */

static uint32 wait_event;
static bool unknown[CPG_REDIS_NODES_MAX];
static pid_t child = 0;

/* Register the resolver; called once, by _PG_init in the postmaster. */
void
cpg_resolver_register(void)
{
	if (cpg_redis_servers == NULL || cpg_redis_servers[0] == '\0')
		return;
	cpg_worker_add("resolver", BgWorkerStart_ConsistentState, RESTART_SECONDS);
}

/* In the child: look up a name, write the result, end. */
static void
look_up_and_exit(const char *host, int fd, pid_t parent)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	CpgRedisNumbers numbers;

	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	memset(&numbers, 0, sizeof(numbers));
	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		_exit(1);
	for (struct addrinfo *a = list; a != NULL && numbers.count < CPG_REDIS_ADDRESSES_MAX; a = a->ai_next)
	{
		if (a->ai_family == AF_INET)
			numbers.number[numbers.count++].ip.v4 = ((struct sockaddr_in *) a->ai_addr)->sin_addr;
		else if (a->ai_family == AF_INET6)
		{
			numbers.number[numbers.count].v6 = true;
			numbers.number[numbers.count++].ip.v6 = ((struct sockaddr_in6 *) a->ai_addr)->sin6_addr;
		}
	}
	/* less than what a pipe takes at once */
	_exit(write(fd, &numbers, sizeof(numbers)) == sizeof(numbers) ? 0 : 1);
}

static void
end_child(void)
{
	if (child > 0)
	{
		kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child = 0;
}

static void
end_child_at_exit(int code, Datum arg)
{
	end_child();
}

/* Wait for what the child writes; false after too long or at a shutdown. */
static bool
read_result(int fd, CpgRedisNumbers *numbers)
{
	int64		deadline = cpg_clock_now() + LOOKUP_TIMEOUT;

	while (!ShutdownRequestPending)
	{
		int64		left = deadline - cpg_clock_now();
		int			events;

		if (left <= 0)
			return false;
		events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
								   fd, (long) left, wait_event);
		if (events & WL_SOCKET_READABLE)
			return read(fd, numbers, sizeof(*numbers)) == sizeof(*numbers) && numbers->count > 0;
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

static bool
look_up(const char *host, CpgRedisNumbers *numbers)
{
	pid_t		parent = getpid();
	int			ends[2];
	bool		found = false;

	if (pipe(ends) != 0)
		return false;
	child = fork_process();
	if (child == 0)
		look_up_and_exit(host, ends[1], parent);
	close(ends[1]);
	if (child > 0)
		found = read_result(ends[0], numbers);
	close(ends[0]);
	end_child();
	return found;
}

/* Look up all names; false if one of them has no address so far. */
static bool
look_up_all(void)
{
	bool		complete = true;

	for (int i = 0; i < cpg_redis_count() && !ShutdownRequestPending; i++)
	{
		CpgRedisNumbers numbers;
		bool		found;

		if (!cpg_redis_needs_lookup(i))
			continue;
		found = look_up(cpg_redis_url(i)->host, &numbers);
		if (found)
			cpg_redis_set_numbers(i, &numbers);
		else if (!unknown[i] && !ShutdownRequestPending)
			ereport(LOG,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("cachepg could not resolve the host name of Redis server \"%s\"", cpg_redis_url(i)->name)));
		unknown[i] = !found;
		complete &= found;
	}
	return complete;
}

/* Main loop.  SIGUSR1 keeps its standard handler, so barriers are answered. */
void
cachepg_resolver_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wait_event = CPG_WAIT_EVENT_NEW("CachePgResolver");
	before_shmem_exit(end_child_at_exit, (Datum) 0);

	while (!ShutdownRequestPending)
	{
		int64		until = cpg_clock_now() + (look_up_all() ? ROUND : RETRY);

		while (!ShutdownRequestPending && !ConfigReloadPending && cpg_clock_now() < until)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 (long) Max(until - cpg_clock_now(), 1), wait_event);
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			memset(unknown, 0, sizeof(unknown));
		}
	}

	/* 0 would mean that it is never started again */
	proc_exit(1);
}
