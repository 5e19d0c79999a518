/*-------------------------------------------------------------------------
 *
 * span.h
 *	  Some bytes in memory that belongs to somebody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WIRE_SPAN_H
#define CPG_WIRE_SPAN_H

/* Not terminated; data may be NULL if len is 0. */
typedef struct CpgSpan
{
	const char *data;
	size_t		len;
} CpgSpan;

static inline CpgSpan
cpg_span(const char *data, size_t len)
{
	CpgSpan		span;

	span.data = data;
	span.len = len;
	return span;
}

static inline bool
cpg_span_equal(CpgSpan a, CpgSpan b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif							/* CPG_WIRE_SPAN_H */
