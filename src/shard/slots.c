/*-------------------------------------------------------------------------
 *
 * slots.c
 *	  Slots of Redis Cluster: CRC-16 of the key, or of its hash tag.
 *
 * The CRC is the one called XMODEM: polynomial 0x1021, from 0, not reflected.
 * The hash tag is what stands between the first { and the first } behind it, if
 * it is not empty.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shard/shard.h"

/* What four bits at the top do to the rest: i * 0x1021, without carries. */
static const uint16 nibbles[16] = {
	0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
	0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
};

static uint16
crc16(const char *data, size_t len)
{
	uint16		crc = 0;

	for (size_t i = 0; i < len; i++)
	{
		uint8		c = (uint8) data[i];

		crc = (uint16) (crc << 4) ^ nibbles[(crc >> 12) ^ (c >> 4)];
		crc = (uint16) (crc << 4) ^ nibbles[(crc >> 12) ^ (c & 0xf)];
	}
	return crc;
}

/* The slot of a key, 0 to CPG_SHARD_SLOTS - 1. */
int
cpg_shard_slot(const char *key, size_t len)
{
	const char *open = len > 0 ? memchr(key, '{', len) : NULL;

	if (open != NULL)
	{
		const char *tag = open + 1;
		const char *close = memchr(tag, '}', len - (size_t) (tag - key));

		if (close != NULL && close > tag)
			return crc16(tag, (size_t) (close - tag)) % CPG_SHARD_SLOTS;
	}
	return crc16(key, len) % CPG_SHARD_SLOTS;
}
