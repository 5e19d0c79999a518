/*-------------------------------------------------------------------------
 *
 * fuzz_resp.c
 *	  The limiter of replies, against itself and against hiredis.
 *
 * Input: a byte that chooses limits, a byte that chooses pieces, a stream.
 * Whatever comes: no limit is passed; the stream in pieces gives what it gives
 * at once; and hiredis reads every reply that is let through, as one reply that
 * ends at the same byte.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "fuzz.h"
#include "wire/resp.h"

#define MAX_REPLIES 64

typedef struct Outcome
{
	int			replies;
	size_t		ends[MAX_REPLIES];
	CpgRespFault fault;
	size_t		fault_at;
} Outcome;

static void
check_limits(const CpgResp *resp)
{
	HOLDS(resp->depth >= 0 && resp->depth <= resp->limits.depth);
	HOLDS(resp->state == CPG_RESP_BROKEN || resp->reply <= resp->limits.reply);
	HOLDS(resp->total >= 0 && resp->total <= resp->limits.total);
	HOLDS(resp->line <= resp->limits.line);
	HOLDS(resp->bulk >= 0 && resp->bulk <= resp->limits.bulk);
	for (int i = 0; i < resp->depth; i++)
		HOLDS(resp->left[i] >= 1 && resp->left[i] <= resp->limits.elements);
}

static void
run(const CpgRespLimits *limits, const char *stream, size_t len, size_t piece, Outcome *outcome)
{
	size_t		at = 0;
	CpgResp		resp;

	memset(outcome, 0, sizeof(*outcome));
	cpg_resp_init(&resp, limits);
	while (at < len && outcome->replies < MAX_REPLIES)
	{
		size_t		given = Min(piece, len - at);
		size_t		consumed;
		char	   *copy = exact_copy(stream + at, given);
		CpgRespResult result = cpg_resp_feed(&resp, copy, given, &consumed);

		free(copy);
		check_limits(&resp);
		HOLDS(consumed <= given);
		HOLDS(result != CPG_RESP_MORE || consumed == given);
		HOLDS((result == CPG_RESP_VIOLATION) == (resp.fault != CPG_RESP_FAULT_NONE));
		at += consumed;
		if (result == CPG_RESP_REPLY)
		{
			HOLDS(consumed > 0 && cpg_resp_is_idle(&resp));
			outcome->ends[outcome->replies++] = at;
		}
		if (result == CPG_RESP_VIOLATION)
		{
			outcome->fault = resp.fault;
			outcome->fault_at = at;
			break;
		}
	}
}

/* Does hiredis take these bytes as one reply, all of them? */
static void
check_with_hiredis(const char *data, size_t len)
{
	redisReader *reader = redisReaderCreate();
	void	   *reply = NULL;

	HOLDS(reader != NULL);
	HOLDS(redisReaderFeed(reader, data, len - 1) == REDIS_OK);
	HOLDS(redisReaderGetReply(reader, &reply) == REDIS_OK && reply == NULL);
	HOLDS(redisReaderFeed(reader, data + len - 1, 1) == REDIS_OK);
	HOLDS(redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL);
	HOLDS(reader->pos == reader->len);
	freeReplyObject(reply);
	redisReaderFree(reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CpgRespLimits limits;
	Outcome		whole;
	Outcome		pieces;
	const char *stream = (const char *) data + 2;

	if (size < 2)
		return 0;
	cpg_resp_default_limits(&limits);
	if (data[0] & 1)
	{
		limits.bulk = data[0] >> 3;
		limits.reply = 20 + data[0];
		limits.elements = 1 + (data[0] >> 5);
		limits.total = data[0] >> 4;
		limits.line = data[0] >> 2;
	}
	/* hiredis 0.14 itself follows no more levels */
	if (data[0] & 2)
		limits.depth = 7;
	run(&limits, stream, size - 2, size, &whole);
	run(&limits, stream, size - 2, 1 + data[1] % 16, &pieces);
	HOLDS(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	for (int i = 0; i < whole.replies; i++)
	{
		size_t		start = i == 0 ? 0 : whole.ends[i - 1];

		check_with_hiredis(stream + start, whole.ends[i] - start);
	}
	return 0;
}
