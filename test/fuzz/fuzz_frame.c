/*-------------------------------------------------------------------------
 *
 * fuzz_frame.c
 *	  The decoder of frames.
 *
 * Input: a byte, and a frame.  If the byte is odd, length and CRC are set right
 * before it is decoded, as nothing else would get past them.  What is decoded
 * lies within the input and is, encoded again, the same bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fuzz.h"
#include "port/pg_crc32c.h"
#include "wire/frame.h"

static void
put_number(uint8 *at, uint32 number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8) (number >> (24 - 8 * i));
}

static void
make_right(uint8 *frame, size_t len)
{
	size_t		crc_at;
	pg_crc32c	crc;

	if (len < 16 + CPG_FRAME_HMAC_LEN)
		return;
	crc_at = len - 4 - ((frame[6] & CPG_FRAME_HMAC) ? CPG_FRAME_HMAC_LEN : 0);
	put_number(frame + 8, (uint32) len);
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, frame, crc_at);
	FIN_CRC32C(crc);
	put_number(frame + crc_at, crc);
}

static void
check_span(CpgSpan span, const uint8 *data, size_t len)
{
	const uint8 *at = (const uint8 *) span.data;

	HOLDS(at >= data && span.len <= len && at + span.len <= data + len);
}

static void
check_frame(const CpgFrame *frame, const uint8 *data, size_t len)
{
	size_t		size = cpg_frame_size(frame);
	uint8	   *again;
	size_t		written;
	uint64		sum = 0;

	check_span(frame->origin, data, len);
	check_span(frame->key, data, len);
	check_span(frame->namespace, data, len);
	check_span(frame->database, data, len);
	check_span(frame->role, data, len);
	check_span(frame->settings, data, len);
	check_span(frame->type_schema, data, len);
	check_span(frame->type_name, data, len);
	check_span(frame->encoding, data, len);
	check_span(frame->payload, data, len);
	for (int i = 0; i < frame->ncells; i++)
		sum += cpg_frame_cell(frame, i);
	HOLDS(sum <= (uint64) frame->ncells * PG_UINT32_MAX);

	HOLDS(size == len && frame->len == len);
	again = malloc(size);
	HOLDS(again != NULL);
	written = cpg_frame_encode(frame, again, size);
	HOLDS(memcmp(again, data, written) == 0);
	if (frame->flags & CPG_FRAME_HMAC)
		HOLDS(frame->hmac == data + written && frame->hmac_covers == written && written + CPG_FRAME_HMAC_LEN == len);
	else
		HOLDS(frame->hmac == NULL && written == len);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8	   *copy;
	CpgFrame	frame;

	if (size < 1)
		return 0;
	copy = exact_copy(data + 1, size - 1);
	if (data[0] & 1)
		make_right(copy, size - 1);
	if (cpg_frame_decode(copy, size - 1, &frame) == CPG_FRAME_FAULT_NONE)
		check_frame(&frame, copy, size - 1);
	free(copy);
	return 0;
}
