/*-------------------------------------------------------------------------
 *
 * resp.h
 *	  A limiter of what a Redis server may answer.
 *
 * hiredis' parser allocates what a header announces and knows no limit.  So
 * every byte received passes through this machine first, and goes on to the
 * parser only if nothing in it breaks a limit or the protocol:
 *
 *	  cpg_resp_init(&resp, &limits);
 *	  while bytes arrive:
 *		  result = cpg_resp_feed(&resp, data, len, &consumed);
 *		  CPG_RESP_VIOLATION: close the connection, feed nothing to the parser
 *		  CPG_RESP_REPLY: the first consumed bytes end a reply; what follows
 *						  belongs to the next one, call again with it
 *		  CPG_RESP_MORE: all bytes were consumed, the reply is not complete
 *
 * Headers are judged at their end, before any of the bytes that they announce.
 *
 * Only RESP2: simple strings, errors, integers, bulk strings, arrays.  The
 * types of RESP3, which no server sends that was not asked to with HELLO 3, are
 * violations.  Lines end in CR LF and contain neither; numbers are written as
 * Redis writes them: no plus, no leading zero, no minus zero, within 64 bits.
 * Of lengths only -1 may be negative.  This is at least as strict as hiredis,
 * so that the two never disagree about where a reply ends.
 *
 * Pure: no memory but the struct.  Any cut of the input into pieces gives the
 * same results.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WIRE_RESP_H
#define CPG_WIRE_RESP_H

#define CPG_RESP_DEPTH_MAX			8	/* hiredis 0.14 follows 7 levels */
#define CPG_RESP_BULK_DEFAULT		INT64CONST(67108864)
#define CPG_RESP_REPLY_DEFAULT		INT64CONST(134217728)
#define CPG_RESP_ELEMENTS_DEFAULT	1024
#define CPG_RESP_TOTAL_DEFAULT		65536
#define CPG_RESP_DEPTH_DEFAULT		4
#define CPG_RESP_LINE_DEFAULT		4096

/* Limits are inclusive. */
typedef struct CpgRespLimits
{
	int64		bulk;			/* bytes of a bulk string */
	int64		reply;			/* bytes of a reply, with all headers */
	int32		elements;		/* of one array */
	int32		total;			/* elements of all arrays of a reply */
	int32		depth;			/* arrays in arrays, up to CPG_RESP_DEPTH_MAX */
	int32		line;			/* bytes between type and line end */
} CpgRespLimits;

typedef enum CpgRespResult
{
	CPG_RESP_MORE,
	CPG_RESP_REPLY,
	CPG_RESP_VIOLATION
} CpgRespResult;

typedef enum CpgRespFault
{
	CPG_RESP_FAULT_NONE,
	CPG_RESP_FAULT_TYPE,		/* no type of RESP2 */
	CPG_RESP_FAULT_NUMBER,		/* not a number, or not written like one */
	CPG_RESP_FAULT_LENGTH,		/* a negative length other than -1 */
	CPG_RESP_FAULT_LINE_END,	/* CR or LF alone in a line */
	CPG_RESP_FAULT_BULK_END,	/* no CR LF after a bulk string */
	CPG_RESP_FAULT_LINE_LIMIT,
	CPG_RESP_FAULT_BULK_LIMIT,
	CPG_RESP_FAULT_REPLY_LIMIT,
	CPG_RESP_FAULT_ELEMENTS_LIMIT,
	CPG_RESP_FAULT_TOTAL_LIMIT,
	CPG_RESP_FAULT_DEPTH_LIMIT
} CpgRespFault;

typedef enum CpgRespState
{
	CPG_RESP_AT_TYPE,
	CPG_RESP_IN_LINE,
	CPG_RESP_AT_LINE_LF,
	CPG_RESP_IN_BULK,
	CPG_RESP_AT_BULK_CR,
	CPG_RESP_AT_BULK_LF,
	CPG_RESP_BROKEN
} CpgRespState;

/*
 * left[i] counts the elements that the open array i still lacks, at least 1,
 * the one under way included.
 */
typedef struct CpgResp
{
	CpgRespLimits limits;
	CpgRespState state;
	CpgRespFault fault;			/* why the state is BROKEN */
	int64		reply;			/* bytes of the reply so far */
	int32		total;			/* elements that its arrays announced */
	int32		depth;			/* arrays that are open */
	int32		left[CPG_RESP_DEPTH_MAX];
	/* the line or bulk string under way */
	char		type;
	bool		negative;
	int32		line;			/* bytes of the line so far */
	uint64		number;			/* its digits so far */
	int64		bulk;			/* bytes that the bulk string still lacks */
} CpgResp;

extern void cpg_resp_default_limits(CpgRespLimits *limits);
extern void cpg_resp_init(CpgResp *resp, const CpgRespLimits *limits);
extern CpgRespResult cpg_resp_feed(CpgResp *resp, const char *data, size_t len, size_t *consumed);
extern const char *cpg_resp_fault_text(CpgRespFault fault);

/* Is it between two replies, with no byte of the next one seen? */
static inline bool
cpg_resp_is_idle(const CpgResp *resp)
{
	return resp->state == CPG_RESP_AT_TYPE && resp->reply == 0;
}

#endif							/* CPG_WIRE_RESP_H */
