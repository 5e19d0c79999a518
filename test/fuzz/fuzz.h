/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share.
 *
 * Each target is a program of its own: one file fuzz_NAME.c, the source under
 * test, libFuzzer.  See scripts/fuzz.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_TEST_FUZZ_H
#define CPG_TEST_FUZZ_H

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the input, this holds. */
#define HOLDS(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* A copy that ends where its memory does, so that reads beyond it are seen. */
static inline void *
exact_copy(const void *data, size_t size)
{
	void	   *copy = malloc(size > 0 ? size : 1);

	HOLDS(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

#endif							/* CPG_TEST_FUZZ_H */
