/*-------------------------------------------------------------------------
 *
 * fuzz_message.c
 *	  The reader and the writer of messages.
 *
 * A message that can be read is written again, which never takes more room.
 * Read and written once more it is the same text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fuzz.h"
#include "wire/message.h"

/*
 * Read data and write what it says to out, of the same size.
 *
 * Returns whether it could be read; *out_len is then the length.
 */
static bool
rewrite(const char *data, size_t len, char *out, size_t *out_len)
{
	char	   *names = malloc(len + 1);
	CpgMessageHeader header;
	CpgMessageReader reader;
	CpgMessageWriter writer;
	CpgMessageItem item;

	HOLDS(names != NULL);
	if (cpg_message_open(&reader, data, len, &header) != CPG_MESSAGE_FAULT_NONE)
	{
		free(names);
		return false;
	}
	HOLDS(strlen(header.origin) < sizeof(header.origin) && strlen(header.database) < sizeof(header.database));
	HOLDS(cpg_message_begin(&writer, out, len, &header));
	while (cpg_message_next(&reader, &item, names, len))
	{
		HOLDS(header.kind == CPG_MESSAGE_INVAL);
		HOLDS(item.name.data >= names && item.name.data + item.name.len <= names + len);
		HOLDS(memchr(item.name.data, '\0', item.name.len) == NULL);
		HOLDS((item.what == CPG_MESSAGE_TABLE) == (item.schema.len > 0));
		HOLDS(cpg_message_append(&writer, &item));
	}
	HOLDS(reader.lines <= CPG_MESSAGE_LINES_MAX || reader.fault == CPG_MESSAGE_FAULT_SIZE);
	HOLDS(writer.len <= len);
	free(names);
	*out_len = writer.len;
	return reader.fault == CPG_MESSAGE_FAULT_NONE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = exact_copy(data, size);
	char	   *once = malloc(size + 1);
	size_t		once_len;

	HOLDS(once != NULL);
	if (rewrite(copy, size, once, &once_len))
	{
		char	   *exact = exact_copy(once, once_len);
		char	   *twice = malloc(once_len + 1);
		size_t		twice_len;

		HOLDS(twice != NULL);
		HOLDS(rewrite(exact, once_len, twice, &twice_len));
		HOLDS(twice_len == once_len && memcmp(twice, once, once_len) == 0);
		free(exact);
		free(twice);
	}
	free(copy);
	free(once);
	return 0;
}
