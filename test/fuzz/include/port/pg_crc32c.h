/*-------------------------------------------------------------------------
 *
 * pg_crc32c.h
 *	  CRC-32C bit by bit, with the interface of PostgreSQL's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_CRC32C_H
#define PG_CRC32C_H

typedef uint32 pg_crc32c;

#define INIT_CRC32C(crc) ((crc) = 0xFFFFFFFF)
#define COMP_CRC32C(crc, data, len) ((crc) = fuzz_crc32c((crc), (data), (len)))
#define FIN_CRC32C(crc) ((crc) ^= 0xFFFFFFFF)

static inline pg_crc32c
fuzz_crc32c(pg_crc32c crc, const void *data, size_t len)
{
	const uint8 *at = data;

	while (len-- > 0)
	{
		crc ^= *at++;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78 : 0);
	}
	return crc;
}

#endif							/* PG_CRC32C_H */
