/*-------------------------------------------------------------------------
 *
 * test_wire.c
 *	  Tests of replies and their limits, addresses, frames.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "harness.h"
#include "port/pg_crc32c.h"
#include "wire/frame.h"
#include "wire/resp.h"
#include "wire/url.h"

PG_FUNCTION_INFO_V1(test_resp);
PG_FUNCTION_INFO_V1(test_url);
PG_FUNCTION_INFO_V1(test_frame_sample);
PG_FUNCTION_INFO_V1(test_frame);
PG_FUNCTION_INFO_V1(test_frame_damage);

static CpgSpan
span(const char *text)
{
	return cpg_span(text, strlen(text));
}

/* ---------------------------------------------------------------------
 * Replies
 * ---------------------------------------------------------------------
 */

/*
 * What comes of an input, fed in pieces of so many bytes: whole replies and the
 * bytes that took them.  Small limits: bulk 10, reply 60, elements 3, total 6,
 * depth 2, line 20.
 */
static CpgRespFault
feed(const char *input, size_t piece, int *replies, size_t *bytes)
{
	CpgRespLimits limits = {10, 60, 3, 6, 2, 20};
	size_t		len = strlen(input);
	size_t		at = 0;
	CpgResp		resp;

	*replies = 0;
	*bytes = 0;
	cpg_resp_init(&resp, &limits);
	while (at < len)
	{
		size_t		consumed;
		CpgRespResult result = cpg_resp_feed(&resp, input + at, Min(piece, len - at), &consumed);

		at += consumed;
		if (result == CPG_RESP_VIOLATION)
		{
			EXPECT(cpg_resp_feed(&resp, "+\r\n", 3, &consumed) == CPG_RESP_VIOLATION && consumed == 0);
			break;
		}
		if (result == CPG_RESP_REPLY)
		{
			EXPECT(cpg_resp_is_idle(&resp));
			(*replies)++;
			*bytes = at;
		}
	}
	return resp.fault;
}

typedef struct RespCase
{
	const char *input;
	CpgRespFault fault;
	int			replies;
	int			bytes;			/* of the replies; -1: all */
} RespCase;

static const RespCase resp_cases[] = {
	{"+OK\r\n", CPG_RESP_FAULT_NONE, 1, -1},
	{"+\r\n-ERR x\r\n:12\r\n+O", CPG_RESP_FAULT_NONE, 3, 16},
	{"$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n", CPG_RESP_FAULT_NONE, 3, -1},
	{"*3\r\n$1\r\na\r\n*2\r\n:1\r\n:-2\r\n*-1\r\n+x\r\n", CPG_RESP_FAULT_NONE, 2, -1},
	{"*0\r\n*1\r\n*0\r\n*2\r\n+a\r\n", CPG_RESP_FAULT_NONE, 2, 12},
	{":0\r\n:-1\r\n:9223372036854775807\r\n:-9223372036854775808\r\n", CPG_RESP_FAULT_NONE, 4, -1},
	{":9223372036854775808\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":-9223372036854775809\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":+1\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":01\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":-0\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":-\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{":1-\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{": 1\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{"$\r\n", CPG_RESP_FAULT_NUMBER, 0, 0},
	{"$-2\r\n", CPG_RESP_FAULT_LENGTH, 0, 0},
	{"*-2\r\n", CPG_RESP_FAULT_LENGTH, 0, 0},
	{"+a\nb\r\n", CPG_RESP_FAULT_LINE_END, 0, 0},
	{"+a\rb\r\n", CPG_RESP_FAULT_LINE_END, 0, 0},
	{"+a\r\r\n", CPG_RESP_FAULT_LINE_END, 0, 0},
	{"$1\r\nab\r\n", CPG_RESP_FAULT_BULK_END, 0, 0},
	{"$1\r\na\rb", CPG_RESP_FAULT_BULK_END, 0, 0},
	{"+OK\r\nx", CPG_RESP_FAULT_TYPE, 1, 5},
	{"\r\n", CPG_RESP_FAULT_TYPE, 0, 0},
	{"+12345678901234567890\r\n", CPG_RESP_FAULT_NONE, 1, -1},
	{"+123456789012345678901\r\n", CPG_RESP_FAULT_LINE_LIMIT, 0, 0},
	{"$10\r\n1234567890\r\n", CPG_RESP_FAULT_NONE, 1, -1},
	{"$11\r\n", CPG_RESP_FAULT_BULK_LIMIT, 0, 0},
	{"$9223372036854775807\r\n", CPG_RESP_FAULT_BULK_LIMIT, 0, 0},
	{"*3\r\n+\r\n+\r\n+\r\n", CPG_RESP_FAULT_NONE, 1, -1},
	{"*4\r\n", CPG_RESP_FAULT_ELEMENTS_LIMIT, 0, 0},
	{"*9223372036854775807\r\n", CPG_RESP_FAULT_ELEMENTS_LIMIT, 0, 0},
	{"*2\r\n*3\r\n+\r\n+\r\n+\r\n*1\r\n+\r\n", CPG_RESP_FAULT_NONE, 1, -1},
	{"*2\r\n*3\r\n+\r\n+\r\n+\r\n*2\r\n", CPG_RESP_FAULT_TOTAL_LIMIT, 0, 0},
	{"*1\r\n*1\r\n*0\r\n", CPG_RESP_FAULT_DEPTH_LIMIT, 0, 0},
	/* 60 bytes in all, then 61 */
	{"*3\r\n+1234567890123456\r\n+12345678901234567\r\n$10\r\n1234567890\r\n", CPG_RESP_FAULT_NONE, 1, -1},
	{"*3\r\n+1234567890123456\r\n+123456789012345678\r\n$10\r\n", CPG_RESP_FAULT_REPLY_LIMIT, 0, 0},
	{"*3\r\n+12345678901234567890\r\n+12345678901234567890\r\n+1234567890", CPG_RESP_FAULT_REPLY_LIMIT, 0, 0}
};

Datum
test_resp(PG_FUNCTION_ARGS)
{
	int			replies;
	size_t		bytes;

	for (int i = 0; i < lengthof(resp_cases); i++)
	{
		const RespCase *c = &resp_cases[i];

		/* however the input is cut */
		for (size_t piece = 1; piece <= strlen(c->input); piece++)
		{
			CpgRespFault fault = feed(c->input, piece, &replies, &bytes);

			if (fault != c->fault || replies != c->replies ||
				bytes != (c->bytes < 0 ? strlen(c->input) : (size_t) c->bytes))
				elog(ERROR, "case %d in pieces of %zu: %s, %d replies of %zu bytes",
					 i, piece, cpg_resp_fault_text(fault), replies, bytes);
		}
	}
	for (const char *c = "_#,(=%~>!|"; *c != '\0'; c++)
	{
		const char	input[] = {*c, '1', '\r', '\n', '\0'};

		EXPECT(feed(input, 4, &replies, &bytes) == CPG_RESP_FAULT_TYPE);
	}
	OK;
}

/* ---------------------------------------------------------------------
 * Addresses
 * ---------------------------------------------------------------------
 */

typedef struct UrlCase
{
	const char *text;
	CpgUrlFault fault;
	const char *printed;
} UrlCase;

static const UrlCase url_cases[] = {
	{"redis://localhost", 0, "redis://localhost:6379/0?name=localhost:6379&weight=1"},
	{"REDIS://Host.Example:6380/", 0, "redis://host.example:6380/0?name=host.example:6380&weight=1"},
	{"rediss://u@[::1]:7/3", 0, "rediss://u@[::1]:7/3?name=[::1]:7&weight=1"},
	{"redis://a%40b@h/1?weight=1000&name=x%20y", 0, "redis://a%40b@h:6379/1?name=x%20y&weight=1000"},
	{"unix:///run/redis.sock", 0, "unix:///run/redis.sock?db=0&name=/run/redis.sock&weight=1"},
	{"unix://me@/a%2cb?db=2&name=n", 0, "unix://me@/a%2cb?db=2&name=n&weight=1"},
	{"", CPG_URL_FAULT_SCHEME}, {"localhost", CPG_URL_FAULT_SCHEME}, {"http://h", CPG_URL_FAULT_SCHEME},
	{"redis:/h", CPG_URL_FAULT_SCHEME}, {"redis", CPG_URL_FAULT_SCHEME},
	{"redis://u:p@h", CPG_URL_FAULT_PASSWORD}, {"redis://:p@h", CPG_URL_FAULT_PASSWORD},
	{"redis://u:p@q@h", CPG_URL_FAULT_PASSWORD}, {"redis://u:p/q@h", CPG_URL_FAULT_PASSWORD},
	{"unix://u:p@/x", CPG_URL_FAULT_PASSWORD}, {"redis://h?password=p", CPG_URL_FAULT_PASSWORD},
	{"redis://@h", CPG_URL_FAULT_USER}, {"redis://a%0ab@h", CPG_URL_FAULT_USER}, {"redis://a%4@h", CPG_URL_FAULT_USER},
	{"redis://", CPG_URL_FAULT_HOST}, {"redis:///1", CPG_URL_FAULT_HOST}, {"redis://a b", CPG_URL_FAULT_HOST},
	{"redis://[::1", CPG_URL_FAULT_HOST}, {"redis://[1]", CPG_URL_FAULT_HOST}, {"redis://[::1]x", CPG_URL_FAULT_HOST},
	{"redis://[::g]", CPG_URL_FAULT_HOST}, {"redis://h#x", CPG_URL_FAULT_HOST},
	{"redis://h:", CPG_URL_FAULT_PORT}, {"redis://h:0", CPG_URL_FAULT_PORT}, {"redis://h:65536", CPG_URL_FAULT_PORT},
	{"redis://h:+1", CPG_URL_FAULT_PORT}, {"redis://::1", CPG_URL_FAULT_HOST}, {"redis://h:99999999999", CPG_URL_FAULT_PORT},
	{"redis://h/x", CPG_URL_FAULT_DB}, {"redis://h/1/2", CPG_URL_FAULT_DB}, {"unix:///x?db=-1", CPG_URL_FAULT_DB},
	{"unix://x/y", CPG_URL_FAULT_PATH}, {"unix://", CPG_URL_FAULT_PATH}, {"unix:///", CPG_URL_FAULT_PATH},
	{"redis://h?x=1", CPG_URL_FAULT_PARAMETER}, {"redis://h?db=1", CPG_URL_FAULT_PARAMETER},
	{"redis://h?weight=1&weight=1", CPG_URL_FAULT_PARAMETER},
	{"redis://h?name=", CPG_URL_FAULT_NAME}, {"redis://h?name=%c3%a9", CPG_URL_FAULT_NAME},
	{"redis://h?weight=0", CPG_URL_FAULT_WEIGHT}, {"redis://h?weight=1001", CPG_URL_FAULT_WEIGHT},
	{"redis://h?weight=1.5", CPG_URL_FAULT_WEIGHT}
};

Datum
test_url(PG_FUNCTION_ARGS)
{
	const char *list = " redis://a,redis://b:1\t,\n unix:///c ,";
	char text[	CPG_URL_TEXT_SIZE];
	CpgUrl		urls[3];
	CpgUrl		again;
	int			count;

	for (int i = 0; i < lengthof(url_cases); i++)
	{
		const UrlCase *c = &url_cases[i];
		CpgUrlFault fault = cpg_url_parse(c->text, strlen(c->text), &urls[0]);

		if (fault != c->fault)
			elog(ERROR, "%s: %s", c->text, cpg_url_fault_text(fault));
		if (fault != CPG_URL_FAULT_NONE)
			continue;
		EXPECT(cpg_url_print(&urls[0], text) == strlen(text));
		if (strcmp(text, c->printed) != 0)
			elog(ERROR, "%s is printed as %s", c->text, text);
		EXPECT(cpg_url_parse(text, strlen(text), &again) == CPG_URL_FAULT_NONE);
		EXPECT(memcmp(&again, &urls[0], sizeof(again)) == 0);
	}
	EXPECT(cpg_url_parse_list(list, strlen(list), urls, 3, &count) == CPG_URL_FAULT_NONE && count == 3);
	EXPECT(strcmp(urls[0].host, "a") == 0 && urls[1].port == 1 && strcmp(urls[2].host, "/c") == 0);
	EXPECT(cpg_url_parse_list(list, strlen(list), urls, 2, &count) == CPG_URL_FAULT_COUNT && count == 2);
	EXPECT(cpg_url_parse_list(" ,\n", 3, urls, 0, &count) == CPG_URL_FAULT_NONE && count == 0);
	list = "redis://a redis://x redis://A:6379";
	EXPECT(cpg_url_parse_list(list, strlen(list), urls, 3, &count) == CPG_URL_FAULT_DUPLICATE && count == 2);
	OK;
}

/* ---------------------------------------------------------------------
 * Frames
 * ---------------------------------------------------------------------
 */

static const uint8 sample_cells[] = {0, 0, 0, 7, 0xff, 0xff, 0xff, 0xfe};

static CpgFrame
sample_frame(void)
{
	CpgFrame	f;

	memset(&f, 0, sizeof(f));
	f.codec = CPG_FRAME_JSON;
	f.origin = span("alpha");
	for (int i = 0; i < CPG_FRAME_ID_LEN; i++)
	{
		f.epoch[i] = (uint8) i;
		f.fingerprint[i] = (uint8) (0xf0 + i);
	}
	f.stamp = UINT64CONST(0x0102030405060708);
	f.ncells = 2;
	f.cells = sample_cells;
	f.key = span("book:1");
	f.namespace = span("book");
	f.database = span("shop");
	f.settings = span("TimeZone=UTC");
	f.type_schema = span("pg_catalog");
	f.type_name = span("jsonb");
	f.encoding = span("UTF8");
	f.life = 60000;
	f.soft_life = 30000;
	f.load_time = 1500;
	f.payload = span("{\"price\": 40, \"title\": \"Handbook\"}");
	f.raw_len = (uint32) f.payload.len;
	return f;
}

/* Encode into memory of exactly the size; an HMAC is of bytes 0xab. */
static uint8 *
encode_frame(const CpgFrame *f, size_t *len)
{
	uint8	   *out;
	size_t		written;

	*len = cpg_frame_size(f);
	if (*len == 0)
		elog(ERROR, "the frame has no size");
	out = palloc(*len);
	memset(out, 0xab, *len);
	written = cpg_frame_encode(f, out, *len);
	if (written != *len - ((f->flags & CPG_FRAME_HMAC) ? CPG_FRAME_HMAC_LEN : 0))
		elog(ERROR, "%zu bytes written of %zu", written, *len);
	return out;
}

/* The sample as bytes, for readers in other languages. */
Datum
test_frame_sample(PG_FUNCTION_ARGS)
{
	CpgFrame	f = sample_frame();
	size_t		len;
	uint8	   *data = encode_frame(&f, &len);
	bytea	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), data, len);
	PG_RETURN_BYTEA_P(result);
}

static CpgFrameFault
round_trip(const CpgFrame *f)
{
	size_t		len;
	size_t		again_len;
	uint8	   *data = encode_frame(f, &len);
	uint8	   *again;
	CpgFrame	g;
	CpgFrameFault fault = cpg_frame_decode(data, len, &g);

	if (fault != CPG_FRAME_FAULT_NONE)
		return fault;
	again = encode_frame(&g, &again_len);
	if (again_len != len || memcmp(again, data, len) != 0)
		elog(ERROR, "a frame is not the same when encoded again");
	if (g.codec != f->codec || g.flags != f->flags || g.stamp != f->stamp || g.ncells != f->ncells ||
		g.life != f->life || g.soft_life != f->soft_life || g.load_time != f->load_time ||
		!cpg_span_equal(g.origin, f->origin) || !cpg_span_equal(g.key, f->key) ||
		!cpg_span_equal(g.namespace, f->namespace) ||
		!cpg_span_equal(g.database, f->database) || !cpg_span_equal(g.role, f->role) ||
		!cpg_span_equal(g.settings, f->settings) || !cpg_span_equal(g.type_schema, f->type_schema) ||
		!cpg_span_equal(g.type_name, f->type_name) || !cpg_span_equal(g.encoding, f->encoding) ||
		!cpg_span_equal(g.payload, f->payload) || memcmp(g.epoch, f->epoch, CPG_FRAME_ID_LEN) != 0 ||
		memcmp(g.fingerprint, f->fingerprint, CPG_FRAME_ID_LEN) != 0)
		elog(ERROR, "a frame is another when decoded");
	if (f->flags & CPG_FRAME_HMAC)
	{
		if (g.hmac != data + len - CPG_FRAME_HMAC_LEN || g.hmac_covers != len - CPG_FRAME_HMAC_LEN ||
			g.hmac[0] != 0xab)
			elog(ERROR, "the HMAC is not found");
	}
	else if (g.hmac != NULL)
		elog(ERROR, "there is an HMAC");
	return fault;
}

Datum
test_frame(PG_FUNCTION_ARGS)
{
	CpgFrame	f = sample_frame();
	char	   *large = palloc(70000);

	memset(large, 'x', 70000);
	EXPECT(cpg_frame_cell(&f, 0) == 7 && cpg_frame_cell(&f, 1) == 0xfffffffe);
	EXPECT(round_trip(&f) == CPG_FRAME_FAULT_NONE);
	f.flags = CPG_FRAME_HMAC;
	EXPECT(round_trip(&f) == CPG_FRAME_FAULT_NONE);
	f.flags = CPG_FRAME_LZ4 | CPG_FRAME_HMAC;
	f.raw_len = (uint32) f.payload.len * CPG_FRAME_LZ4_RATIO;
	EXPECT(round_trip(&f) == CPG_FRAME_FAULT_NONE);
	f.raw_len++;
	EXPECT(cpg_frame_size(&f) == 0);
	f.flags = 0;
	EXPECT(cpg_frame_size(&f) == 0);
	f.flags = CPG_FRAME_NULL;
	f.raw_len = 0;
	EXPECT(cpg_frame_size(&f) == 0);
	f.payload.len = 0;
	EXPECT(round_trip(&f) == CPG_FRAME_FAULT_NONE);
	/* the longest fields, and one byte more */
	f.key = cpg_span(large, 65535);
	f.origin = cpg_span(large, 255);
	f.ncells = 0;
	EXPECT(round_trip(&f) == CPG_FRAME_FAULT_NONE);
	f.origin.len++;
	EXPECT(cpg_frame_size(&f) == 0);
	f.origin.len = 0;
	f.key.len++;
	EXPECT(cpg_frame_size(&f) == 0);
	f.key = cpg_span("a\0b", 3);
	EXPECT(round_trip(&f) == CPG_FRAME_FAULT_FIELD);
	OK;
}

/* Put the right CRC under a frame without HMAC. */
static void
seal(uint8 *data, size_t len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, len - 4);
	FIN_CRC32C(crc);
	for (int i = 0; i < 4; i++)
		data[len - 1 - i] = (uint8) (crc >> (8 * i));
}

/* Every changed bit and every cut is seen, by the CRC and also without it. */
Datum
test_frame_damage(PG_FUNCTION_ARGS)
{
	CpgFrame	f = sample_frame();
	CpgFrame	g;
	size_t		len;
	uint8	   *data = encode_frame(&f, &len);

	for (size_t i = 0; i < len; i++)
	{
		EXPECT(cpg_frame_decode(data, i, &g) != CPG_FRAME_FAULT_NONE);
		for (int bit = 0; bit < 8; bit++)
		{
			data[i] ^= 1 << bit;
			EXPECT(cpg_frame_decode(data, len, &g) != CPG_FRAME_FAULT_NONE);
			data[i] ^= 1 << bit;
		}
	}
	for (size_t cut = len - 1; cut > 12; cut--)
	{
		uint8	   *copy = palloc(cut);

		memcpy(copy, data, cut);
		for (int i = 0; i < 4; i++)
			copy[11 - i] = (uint8) (cut >> (8 * i));
		seal(copy, cut);
		EXPECT(cpg_frame_decode(copy, cut, &g) != CPG_FRAME_FAULT_NONE);
		pfree(copy);
	}
	data[4] = 2;
	EXPECT(cpg_frame_decode(data, len, &g) == CPG_FRAME_FAULT_VERSION);
	data[4] = 1;
	data[7] = 1;
	EXPECT(cpg_frame_decode(data, len, &g) == CPG_FRAME_FAULT_HEADER);
	data[7] = 0;
	data[12] = 0xff;			/* the length of the origin */
	EXPECT(cpg_frame_decode(data, len, &g) == CPG_FRAME_FAULT_CRC);
	seal(data, len);
	EXPECT(cpg_frame_decode(data, len, &g) == CPG_FRAME_FAULT_FIELD);
	OK;
}
