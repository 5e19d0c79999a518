/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Writer and reader of messages.  See message.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "wire/message.h"

#define MAGIC "cachepg"

static const char *const kinds[] = {
	[CPG_MESSAGE_INVAL] = "inval",
	[CPG_MESSAGE_BEAT] = "beat"
};

static const char *const whats[] = {
	[CPG_MESSAGE_KEY] = "key",
	[CPG_MESSAGE_TAG] = "tag",
	[CPG_MESSAGE_TABLE] = "table",
	[CPG_MESSAGE_NAMESPACE] = "namespace",
	[CPG_MESSAGE_DATABASE] = "database",
	[CPG_MESSAGE_SCHEMA] = "schema",
	[CPG_MESSAGE_ROLE] = "role",
	[CPG_MESSAGE_CELL] = "cell",
	[CPG_MESSAGE_EXPIRE_KEY] = "expire-key",
	[CPG_MESSAGE_EXPIRE_TAG] = "expire-tag",
	[CPG_MESSAGE_EXPIRE_NAMESPACE] = "expire-namespace"
};

StaticAssertDecl(lengthof(whats) == CPG_MESSAGE_WHATS, "every kind of thing has its word");

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/* Where the text goes.  Once it is full it stays so. */
typedef struct Output
{
	char	   *at;
	char	   *end;
	bool		full;
} Output;

static void
put_bytes(Output *out, const char *data, size_t len)
{
	if (out->full || (size_t) (out->end - out->at) < len)
	{
		out->full = true;
		return;
	}
	if (len > 0)
		memcpy(out->at, data, len);
	out->at += len;
}

static void
put_text(Output *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

static void
put_number(Output *out, uint64 number)
{
	char		digits[20];
	int			at = lengthof(digits);

	do
	{
		digits[--at] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put_bytes(out, digits + at, lengthof(digits) - at);
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '.' || c == '-';
}

/* A string, or a part of one, in which the dot is special or not. */
static void
put_escaped(Output *out, CpgSpan string, bool dot_is_plain)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < string.len; i++)
	{
		uint8		c = (uint8) string.data[i];
		char		escaped[3] = {'%', digits[c >> 4], digits[c & 0xf]};

		if (is_plain(string.data[i]) && (dot_is_plain || c != '.'))
			put_bytes(out, &string.data[i], 1);
		else
			put_bytes(out, escaped, 3);
	}
}

static void
put_string(Output *out, CpgSpan string)
{
	if (string.len == 0)
		put_text(out, "-");
	else if (string.len == 1 && string.data[0] == '-')
		put_text(out, "%2D");
	else
		put_escaped(out, string, true);
}

static void
put_name(Output *out, const CpgMessageItem *item)
{
	if (item->what != CPG_MESSAGE_TABLE)
	{
		put_string(out, item->name);
		return;
	}
	put_escaped(out, item->schema, false);
	put_text(out, ".");
	put_escaped(out, item->name, false);
}

static void
put_header(Output *out, const CpgMessageHeader *header)
{
	char text[	32];

	put_text(out, MAGIC " ");
	put_number(out, CPG_MESSAGE_VERSION);
	put_text(out, " ");
	put_text(out, kinds[header->kind]);
	put_text(out, " ");
	put_string(out, cpg_span(header->origin, strlen(header->origin)));
	put_text(out, " ");
	for (int i = 0; i < CPG_MESSAGE_EPOCH_LEN; i++)
	{
		snprintf(text, sizeof(text), "%02x", header->epoch[i]);
		put_text(out, text);
	}
	put_text(out, " ");
	put_number(out, header->n);
	put_text(out, " ");
	put_number(out, header->seq);
	put_text(out, " ");
	put_number(out, header->system);
	put_text(out, " ");
	put_number(out, header->timeline);
	snprintf(text, sizeof(text), " %X/%X ", (uint32) (header->lsn >> 32), (uint32) header->lsn);
	put_text(out, text);
	put_string(out, cpg_span(header->database, strlen(header->database)));
}

/*
 * Begin a message in data, of which no more than size bytes are used.
 *
 * It is in writer->data, with writer->len bytes and no NUL, at any time from
 * here on.  Returns false if not even the header fits.
 */
bool
cpg_message_begin(CpgMessageWriter *writer, char *data, size_t size, const CpgMessageHeader *header)
{
	Output		out;

	writer->data = data;
	writer->size = Min(size, CPG_MESSAGE_SIZE_MAX);
	writer->len = 0;
	writer->lines = 0;
	out.at = data;
	out.end = data + writer->size;
	out.full = false;
	put_header(&out, header);
	if (!out.full)
		writer->len = (size_t) (out.at - data);
	return !out.full;
}

/*
 * Append a line.  Only a message of kind INVAL has lines; a table needs its
 * schema and name, and no string may contain NUL.
 *
 * Returns false, and leaves the message as it is, if there is no room.
 */
bool
cpg_message_append(CpgMessageWriter *writer, const CpgMessageItem *item)
{
	Output		out;

	Assert(item->what != CPG_MESSAGE_TABLE || (item->schema.len > 0 && item->name.len > 0));
	if (writer->lines >= CPG_MESSAGE_LINES_MAX)
		return false;
	out.at = writer->data + writer->len;
	out.end = writer->data + writer->size;
	out.full = false;
	put_text(&out, "\n");
	put_text(&out, whats[item->what]);
	put_text(&out, " ");
	put_number(&out, item->cell);
	put_text(&out, " ");
	put_name(&out, item);
	if (out.full)
		return false;
	writer->len = (size_t) (out.at - writer->data);
	writer->lines++;
	return true;
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* Cut off what comes before a separator, and the separator. */
static CpgSpan
cut(CpgSpan *rest, char separator)
{
	const char *found = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
	CpgSpan		field = *rest;

	if (found == NULL)
		*rest = cpg_span(NULL, 0);
	else
	{
		field.len = (size_t) (found - rest->data);
		*rest = cpg_span(found + 1, rest->len - field.len - 1);
	}
	return field;
}

static bool
is_word(CpgSpan field, const char *word)
{
	return cpg_span_equal(field, cpg_span(word, strlen(word)));
}

/* Which of some words is it?  -1 if none. */
static int
find_word(CpgSpan field, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (is_word(field, words[i]))
			return i;
	}
	return -1;
}

static bool
get_number(CpgSpan field, uint64 max, uint64 *number)
{
	*number = 0;
	if (field.len == 0 || (field.len > 1 && field.data[0] == '0'))
		return false;
	for (size_t i = 0; i < field.len; i++)
	{
		uint64		digit = (uint64) (field.data[i] - '0');

		if (field.data[i] < '0' || field.data[i] > '9')
			return false;
		if (digit > max || *number > (max - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return true;
}

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
get_hex(CpgSpan field, uint32 *number)
{
	*number = 0;
	if (field.len == 0 || field.len > 8)
		return false;
	for (size_t i = 0; i < field.len; i++)
	{
		int			value = hex_value(field.data[i]);

		if (value < 0)
			return false;
		*number = *number << 4 | (uint32) value;
	}
	return true;
}

static bool
get_lsn(CpgSpan field, uint64 *lsn)
{
	CpgSpan		high = cut(&field, '/');
	uint32		words[2];

	if (!get_hex(high, &words[0]) || !get_hex(field, &words[1]))
		return false;
	*lsn = (uint64) words[0] << 32 | words[1];
	return true;
}

static bool
get_epoch(CpgSpan field, uint8 *epoch)
{
	if (field.len != 2 * CPG_MESSAGE_EPOCH_LEN)
		return false;
	for (int i = 0; i < CPG_MESSAGE_EPOCH_LEN; i++)
	{
		uint32		byte;

		if (!get_hex(cpg_span(field.data + 2 * i, 2), &byte))
			return false;
		epoch[i] = (uint8) byte;
	}
	return true;
}

/* Undo %XX into *buffer, of which what is used is cut off.  Never longer. */
static bool
unescape(CpgSpan field, CpgSpan *string, char **buffer, size_t *size)
{
	char	   *out = *buffer;
	size_t		used = 0;

	for (size_t i = 0; i < field.len; i++)
	{
		char		c = field.data[i];

		if (c == '%')
		{
			uint32		byte;

			if (field.len - i < 3 || !get_hex(cpg_span(field.data + i + 1, 2), &byte) || byte == 0)
				return false;
			c = (char) byte;
			i += 2;
		}
		else if (!is_plain(c))
			return false;
		if (used >= *size)
			return false;
		out[used++] = c;
	}
	*string = cpg_span(out, used);
	*buffer += used;
	*size -= used;
	return true;
}

/* A whole string; "-" is the empty one. */
static bool
get_string(CpgSpan field, CpgSpan *string, char *buffer, size_t size)
{
	if (field.len == 0)
		return false;
	if (is_word(field, "-"))
	{
		*string = cpg_span(buffer, 0);
		return true;
	}
	return unescape(field, string, &buffer, &size);
}

/* The same into memory of the header, with NUL. */
static bool
get_header_string(CpgSpan field, char *out)
{
	CpgSpan		string;

	if (!get_string(field, &string, out, CPG_MESSAGE_NAME_SIZE - 1))
		return false;
	out[string.len] = '\0';
	return true;
}

static bool
get_table(CpgSpan field, CpgMessageItem *item, char *buffer, size_t size)
{
	CpgSpan		schema = cut(&field, '.');

	if (schema.len == 0 || field.len == 0 || memchr(field.data, '.', field.len) != NULL)
		return false;
	return unescape(schema, &item->schema, &buffer, &size) &&
		unescape(field, &item->name, &buffer, &size);
}

/* The fields behind the version. */
static bool
get_header(CpgSpan rest, CpgMessageHeader *header)
{
	int			kind = find_word(cut(&rest, ' '), kinds, lengthof(kinds));
	uint64		timeline;

	if (kind < 0)
		return false;
	header->kind = (CpgMessageKind) kind;
	if (!get_header_string(cut(&rest, ' '), header->origin) ||
		!get_epoch(cut(&rest, ' '), header->epoch) ||
		!get_number(cut(&rest, ' '), PG_UINT64_MAX, &header->n) ||
		!get_number(cut(&rest, ' '), PG_UINT64_MAX, &header->seq) ||
		!get_number(cut(&rest, ' '), PG_UINT64_MAX, &header->system) ||
		!get_number(cut(&rest, ' '), PG_UINT32_MAX, &timeline) ||
		!get_lsn(cut(&rest, ' '), &header->lsn))
		return false;
	header->timeline = (uint32) timeline;
	/* what is left is one field: a blank in it is no plain character */
	return get_header_string(rest, header->database);
}

/*
 * Begin to read a message.
 *
 * data has to stay as long as reader is used.  If there is a fault, both
 * reader and header are of no use.
 */
CpgMessageFault
cpg_message_open(CpgMessageReader *reader, const char *data, size_t len, CpgMessageHeader *header)
{
	CpgSpan		rest = cpg_span(data, len);
	CpgSpan		line;
	CpgSpan		version;
	uint64		number;

	memset(header, 0, sizeof(*header));
	memset(reader, 0, sizeof(*reader));
	if (len > CPG_MESSAGE_SIZE_MAX)
		return CPG_MESSAGE_FAULT_SIZE;
	line = cut(&rest, '\n');
	/* a separator with nothing behind it would be an empty line */
	if (rest.data != NULL && rest.len == 0)
		return CPG_MESSAGE_FAULT_LINE;
	if (!is_word(cut(&line, ' '), MAGIC))
		return CPG_MESSAGE_FAULT_MAGIC;
	version = cut(&line, ' ');
	if (!get_number(version, PG_UINT32_MAX, &number))
		return CPG_MESSAGE_FAULT_MAGIC;
	if (number != CPG_MESSAGE_VERSION)
		return CPG_MESSAGE_FAULT_VERSION;
	if (!get_header(line, header))
		return CPG_MESSAGE_FAULT_HEADER;
	if (header->kind == CPG_MESSAGE_BEAT && rest.len > 0)
		return CPG_MESSAGE_FAULT_LINE;
	reader->at = rest.data;
	reader->end = rest.len > 0 ? rest.data + rest.len : rest.data;
	return CPG_MESSAGE_FAULT_NONE;
}

static bool
get_item(CpgSpan line, CpgMessageItem *item, char *buffer, size_t size)
{
	int			what = find_word(cut(&line, ' '), whats, lengthof(whats));
	uint64		cell;

	if (what < 0 || !get_number(cut(&line, ' '), PG_UINT32_MAX, &cell))
		return false;
	item->what = (CpgMessageWhat) what;
	item->cell = (uint32) cell;
	item->schema = cpg_span(NULL, 0);
	if (item->what == CPG_MESSAGE_TABLE)
		return get_table(line, item, buffer, size);
	return get_string(line, &item->name, buffer, size);
}

/*
 * Read the next line into *item, whose strings lie in buffer.
 *
 * A buffer of the message's length is always large enough; a smaller one makes
 * a name that does not fit a fault.  Returns false at the end of the message,
 * and when there is a fault, which is in reader->fault and stays.
 */
bool
cpg_message_next(CpgMessageReader *reader, CpgMessageItem *item, char *buffer, size_t size)
{
	CpgSpan		rest;
	CpgSpan		line;

	if (reader->fault != CPG_MESSAGE_FAULT_NONE || reader->at == reader->end)
		return false;
	rest = cpg_span(reader->at, (size_t) (reader->end - reader->at));
	line = cut(&rest, '\n');
	if (++reader->lines > CPG_MESSAGE_LINES_MAX)
		reader->fault = CPG_MESSAGE_FAULT_SIZE;
	else if ((rest.data != NULL && rest.len == 0) || !get_item(line, item, buffer, size))
		reader->fault = CPG_MESSAGE_FAULT_LINE;
	if (reader->fault != CPG_MESSAGE_FAULT_NONE)
		return false;
	reader->at = rest.data != NULL ? rest.data : reader->end;
	return true;
}

/* The word for a kind of thing. */
const char *
cpg_message_what_text(CpgMessageWhat what)
{
	return whats[what];
}

/* For the detail of an error; not translated, no full stop. */
const char *
cpg_message_fault_text(CpgMessageFault fault)
{
	static const char *const texts[] = {
		[CPG_MESSAGE_FAULT_NONE] = "nothing wrong",
		[CPG_MESSAGE_FAULT_MAGIC] = "not a message of cachepg",
		[CPG_MESSAGE_FAULT_VERSION] = "a message of an unknown version",
		[CPG_MESSAGE_FAULT_SIZE] = "a message with too many bytes or lines",
		[CPG_MESSAGE_FAULT_HEADER] = "a message with a malformed first line",
		[CPG_MESSAGE_FAULT_LINE] = "a message with a malformed line"
	};

	return texts[fault];
}
