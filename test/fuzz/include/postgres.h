/*-------------------------------------------------------------------------
 *
 * postgres.h
 *	  What the pure sources need of PostgreSQL's postgres.h, to compile them
 *	  without the server.
 *
 * Assertions are on: a fuzzer shall find what breaks them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef POSTGRES_H
#define POSTGRES_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int8_t int8;
typedef int16_t int16;
typedef int32_t int32;
typedef int64_t int64;
typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef uint64_t uint64;
typedef size_t Size;

#define INT64CONST(x)	INT64_C(x)
#define UINT64CONST(x)	UINT64_C(x)
#define INT64_FORMAT	"%" PRId64
#define UINT64_FORMAT	"%" PRIu64
#define PG_INT32_MAX	INT32_MAX
#define PG_INT64_MIN	INT64_MIN
#define PG_INT64_MAX	INT64_MAX
#define PG_UINT16_MAX	UINT16_MAX
#define PG_UINT32_MAX	UINT32_MAX
#define PG_UINT64_MAX	UINT64_MAX

#define Min(x, y)		((x) < (y) ? (x) : (y))
#define Max(x, y)		((x) > (y) ? (x) : (y))
#define lengthof(array)	(sizeof(array) / sizeof((array)[0]))

#define Assert(condition) ((condition) ? (void) 0 : abort())
#define StaticAssertDecl(condition, message) _Static_assert(condition, message)

#endif							/* POSTGRES_H */
