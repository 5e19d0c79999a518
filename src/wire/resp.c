/*-------------------------------------------------------------------------
 *
 * resp.c
 *	  State machine of the limiter of replies.  See resp.h.
 *
 * Two loops do the work: over the bytes of lines one by one, over bulk strings
 * in one step per piece.  take_line() decides about a line, finish_value()
 * about what its end ends: a value may be the last of several arrays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "wire/resp.h"

#define SMALLEST_VALUE 3		/* "+\r\n" */

void
cpg_resp_default_limits(CpgRespLimits *limits)
{
	limits->bulk = CPG_RESP_BULK_DEFAULT;
	limits->reply = CPG_RESP_REPLY_DEFAULT;
	limits->elements = CPG_RESP_ELEMENTS_DEFAULT;
	limits->total = CPG_RESP_TOTAL_DEFAULT;
	limits->depth = CPG_RESP_DEPTH_DEFAULT;
	limits->line = CPG_RESP_LINE_DEFAULT;
}

/* A limiter between replies.  The limits are copied; none may be negative. */
void
cpg_resp_init(CpgResp *resp, const CpgRespLimits *limits)
{
	Assert(limits->depth >= 0 && limits->depth <= CPG_RESP_DEPTH_MAX);
	Assert(limits->bulk >= 0 && limits->reply >= 0 && limits->line >= 0);
	Assert(limits->elements >= 0 && limits->total >= 0);
	memset(resp, 0, sizeof(*resp));
	resp->limits = *limits;
	resp->state = CPG_RESP_AT_TYPE;
}

/* Nothing gets it out of this state. */
static bool
violate(CpgResp *resp, CpgRespFault fault)
{
	resp->state = CPG_RESP_BROKEN;
	resp->fault = fault;
	return false;
}

/* May the reply grow by so many bytes more, now or later? */
static bool
has_room(const CpgResp *resp, int64 bytes)
{
	return bytes <= resp->limits.reply - resp->reply;
}

/* A value is complete: is the reply? */
static void
finish_value(CpgResp *resp)
{
	resp->state = CPG_RESP_AT_TYPE;
	while (resp->depth > 0 && --resp->left[resp->depth - 1] == 0)
		resp->depth--;
	if (resp->depth == 0)
	{
		resp->reply = 0;
		resp->total = 0;
	}
}

static bool
take_type(CpgResp *resp, char c)
{
	if (c != '+' && c != '-' && c != ':' && c != '$' && c != '*')
		return violate(resp, CPG_RESP_FAULT_TYPE);
	if (c == '*' && resp->depth >= resp->limits.depth)
		return violate(resp, CPG_RESP_FAULT_DEPTH_LIMIT);
	resp->type = c;
	resp->negative = false;
	resp->line = 0;
	resp->number = 0;
	resp->state = CPG_RESP_IN_LINE;
	return true;
}

/* One more character of a number.  resp->line counts those before it. */
static bool
take_digit(CpgResp *resp, char c)
{
	int			digits = resp->line - (resp->negative ? 1 : 0);
	uint64		max = (uint64) PG_INT64_MAX + (resp->negative ? 1 : 0);
	uint64		digit = (uint64) (c - '0');

	if (c == '-' && resp->line == 0)
	{
		resp->negative = true;
		return true;
	}
	if (c < '0' || c > '9')
		return violate(resp, CPG_RESP_FAULT_NUMBER);
	if (digits > 0 && resp->number == 0)	/* leading zero */
		return violate(resp, CPG_RESP_FAULT_NUMBER);
	if (resp->negative && digits == 0 && digit == 0)
		return violate(resp, CPG_RESP_FAULT_NUMBER);
	if (resp->number > (max - digit) / 10)
		return violate(resp, CPG_RESP_FAULT_NUMBER);
	resp->number = resp->number * 10 + digit;
	return true;
}

static bool
take_line_byte(CpgResp *resp, char c)
{
	if (c == '\r')
	{
		resp->state = CPG_RESP_AT_LINE_LF;
		return true;
	}
	if (c == '\n')
		return violate(resp, CPG_RESP_FAULT_LINE_END);
	if (resp->line >= resp->limits.line)
		return violate(resp, CPG_RESP_FAULT_LINE_LIMIT);
	if (resp->type != '+' && resp->type != '-' && !take_digit(resp, c))
		return false;
	resp->line++;
	return true;
}

static bool
begin_bulk(CpgResp *resp)
{
	if (resp->number > (uint64) resp->limits.bulk)
		return violate(resp, CPG_RESP_FAULT_BULK_LIMIT);
	resp->bulk = (int64) resp->number;
	/* with its CR LF, which added to the length could be out of range */
	if (resp->bulk > resp->limits.reply - resp->reply - 2)
		return violate(resp, CPG_RESP_FAULT_REPLY_LIMIT);
	resp->state = resp->bulk > 0 ? CPG_RESP_IN_BULK : CPG_RESP_AT_BULK_CR;
	return true;
}

static bool
begin_array(CpgResp *resp)
{
	if (resp->number > (uint64) resp->limits.elements)
		return violate(resp, CPG_RESP_FAULT_ELEMENTS_LIMIT);
	if (resp->number > (uint64) (resp->limits.total - resp->total))
		return violate(resp, CPG_RESP_FAULT_TOTAL_LIMIT);
	if (!has_room(resp, (int64) resp->number * SMALLEST_VALUE))
		return violate(resp, CPG_RESP_FAULT_REPLY_LIMIT);
	if (resp->number == 0)
	{
		finish_value(resp);
		return true;
	}
	resp->total += (int32) resp->number;
	resp->left[resp->depth++] = (int32) resp->number;
	resp->state = CPG_RESP_AT_TYPE;
	return true;
}

/* The line is complete. */
static bool
take_line(CpgResp *resp)
{
	if (resp->type == '+' || resp->type == '-')
	{
		finish_value(resp);
		return true;
	}
	if (resp->line == (resp->negative ? 1 : 0))
		return violate(resp, CPG_RESP_FAULT_NUMBER);
	if (resp->type == ':')
	{
		finish_value(resp);
		return true;
	}
	if (resp->negative)
	{
		if (resp->number != 1)
			return violate(resp, CPG_RESP_FAULT_LENGTH);
		finish_value(resp);
		return true;
	}
	return resp->type == '$' ? begin_bulk(resp) : begin_array(resp);
}

/* Any byte but those within a bulk string. */
static bool
take_byte(CpgResp *resp, char c)
{
	switch (resp->state)
	{
		case CPG_RESP_AT_TYPE:
			return take_type(resp, c);
		case CPG_RESP_IN_LINE:
			return take_line_byte(resp, c);
		case CPG_RESP_AT_LINE_LF:
			return c == '\n' ? take_line(resp) : violate(resp, CPG_RESP_FAULT_LINE_END);
		case CPG_RESP_AT_BULK_CR:
			if (c != '\r')
				return violate(resp, CPG_RESP_FAULT_BULK_END);
			resp->state = CPG_RESP_AT_BULK_LF;
			return true;
		case CPG_RESP_AT_BULK_LF:
			if (c != '\n')
				return violate(resp, CPG_RESP_FAULT_BULK_END);
			finish_value(resp);
			return true;
		case CPG_RESP_IN_BULK:
		case CPG_RESP_BROKEN:
			break;
	}
	return false;
}

/*
 * Judge the next bytes received.
 *
 * *consumed is how many of them were looked at: with REPLY those up to the end
 * of the reply, with MORE all, with VIOLATION those before the offending one.
 * A violation stays: later calls return it and consume nothing.
 */
CpgRespResult
cpg_resp_feed(CpgResp *resp, const char *data, size_t len, size_t *consumed)
{
	size_t		at = 0;

	*consumed = 0;
	while (resp->state != CPG_RESP_BROKEN && at < len)
	{
		if (resp->state == CPG_RESP_IN_BULK)
		{
			int64		piece = Min(resp->bulk, (int64) Min(len - at, (size_t) PG_INT32_MAX));

			at += (size_t) piece;
			resp->reply += piece;
			resp->bulk -= piece;
			if (resp->bulk == 0)
				resp->state = CPG_RESP_AT_BULK_CR;
			continue;
		}
		if (!has_room(resp, 1))
			violate(resp, CPG_RESP_FAULT_REPLY_LIMIT);
		else
		{
			resp->reply++;
			if (take_byte(resp, data[at]))
				at++;
		}
		if (cpg_resp_is_idle(resp))
		{
			*consumed = at;
			return CPG_RESP_REPLY;
		}
	}
	*consumed = at;
	return resp->state == CPG_RESP_BROKEN ? CPG_RESP_VIOLATION : CPG_RESP_MORE;
}

/* For the detail of an error; not translated, no full stop. */
const char *
cpg_resp_fault_text(CpgRespFault fault)
{
	switch (fault)
	{
		case CPG_RESP_FAULT_NONE:
			break;
		case CPG_RESP_FAULT_TYPE:
			return "a value of no type of RESP2";
		case CPG_RESP_FAULT_NUMBER:
			return "an invalid number";
		case CPG_RESP_FAULT_LENGTH:
			return "a negative length";
		case CPG_RESP_FAULT_LINE_END:
			return "an invalid end of a line";
		case CPG_RESP_FAULT_BULK_END:
			return "an invalid end of a bulk string";
		case CPG_RESP_FAULT_LINE_LIMIT:
			return "a line that is too long";
		case CPG_RESP_FAULT_BULK_LIMIT:
			return "a bulk string that is too long";
		case CPG_RESP_FAULT_REPLY_LIMIT:
			return "a reply that is too long";
		case CPG_RESP_FAULT_ELEMENTS_LIMIT:
			return "an array with too many elements";
		case CPG_RESP_FAULT_TOTAL_LIMIT:
			return "too many elements in one reply";
		case CPG_RESP_FAULT_DEPTH_LIMIT:
			return "arrays nested too deeply";
	}
	return "nothing wrong";
}
