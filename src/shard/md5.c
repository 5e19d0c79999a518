/*-------------------------------------------------------------------------
 *
 * md5.c
 *	  MD5 (R. Rivest, RFC 1321, 1992), for rings of points only.
 *
 * PostgreSQL's own is OpenSSL's in most builds, which allocates for every call
 * and refuses MD5 in FIPS mode.  Nothing here is about security.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shard/shard_internal.h"

#define BLOCK 64

/* floor(2^32 * abs(sin(i + 1))) */
static const uint32 sines[BLOCK] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee,
	0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
	0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039,
	0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391
};

static const uint8 rotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32
rotate(uint32 x, int bits)
{
	return x << bits | x >> (32 - bits);
}

/* Step i of 64: the function of its round, and which word it takes. */
static uint32
mixed(int i, uint32 b, uint32 c, uint32 d, int *word)
{
	switch (i / 16)
	{
		case 0:
			*word = i;
			return (b & c) | (~b & d);
		case 1:
			*word = (5 * i + 1) % 16;
			return (d & b) | (~d & c);
		case 2:
			*word = (3 * i + 5) % 16;
			return b ^ c ^ d;
		default:
			*word = (7 * i) % 16;
			return c ^ (b | ~d);
	}
}

static void
add_block(uint32 *state, const uint8 *block)
{
	uint32		words[16];
	uint32		a = state[0];
	uint32		b = state[1];
	uint32		c = state[2];
	uint32		d = state[3];

	for (int i = 0; i < 16; i++)
		words[i] = (uint32) block[4 * i] | (uint32) block[4 * i + 1] << 8 |
			(uint32) block[4 * i + 2] << 16 | (uint32) block[4 * i + 3] << 24;
	for (int i = 0; i < BLOCK; i++)
	{
		int			word;
		uint32		f = mixed(i, b, c, d, &word) + a + sines[i] + words[word];

		a = d;
		d = c;
		c = b;
		b += rotate(f, rotations[i / 16][i % 4]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

/* The digest has CPG_MD5_LEN bytes. */
void
cpg_md5(const char *data, size_t len, uint8 *digest)
{
	uint32		state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	uint64		bits = (uint64) len * 8;
	uint8		tail[2 * BLOCK] = {0};
	size_t		rest = len % BLOCK;
	size_t		tail_len = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;

	for (size_t at = 0; at + BLOCK <= len; at += BLOCK)
		add_block(state, (const uint8 *) data + at);
	if (rest > 0)
		memcpy(tail, data + len - rest, rest);
	tail[rest] = 0x80;
	for (int i = 0; i < 8; i++)
		tail[tail_len - 8 + i] = (uint8) (bits >> (8 * i));
	for (size_t at = 0; at < tail_len; at += BLOCK)
		add_block(state, tail + at);
	for (int i = 0; i < CPG_MD5_LEN; i++)
		digest[i] = (uint8) (state[i / 4] >> (8 * (i % 4)));
}
