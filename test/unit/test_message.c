/*-------------------------------------------------------------------------
 *
 * test_message.c
 *	  Tests of messages of the bus.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "harness.h"
#include "wire/message.h"

PG_FUNCTION_INFO_V1(test_message_sample);
PG_FUNCTION_INFO_V1(test_message);

static CpgSpan
span(const char *text)
{
	return cpg_span(text, strlen(text));
}

static CpgMessageHeader
sample_header(void)
{
	CpgMessageHeader header;

	memset(&header, 0, sizeof(header));
	header.kind = CPG_MESSAGE_INVAL;
	strlcpy(header.origin, "alpha one", sizeof(header.origin));
	for (int i = 0; i < CPG_MESSAGE_EPOCH_LEN; i++)
		header.epoch[i] = (uint8) (0xa0 + i);
	header.n = 12;
	header.seq = 3400;
	header.system = PG_UINT64_MAX;
	header.timeline = 1;
	header.lsn = UINT64CONST(0x16B374D48);
	strlcpy(header.database, "shop", sizeof(header.database));
	return header;
}

static const CpgMessageItem *
sample_items(int *count)
{
	static CpgMessageItem items[6];

	items[0] = (CpgMessageItem)
	{
		CPG_MESSAGE_KEY, 7,
		{
			NULL, 0
		}, span("book:1/\xc3\xa9 %")
	};
	items[1] = (CpgMessageItem)
	{
		CPG_MESSAGE_TABLE, 4294967295U, span("-"), span("a.b c")
	};
	items[2] = (CpgMessageItem)
	{
		CPG_MESSAGE_CELL, 0,
		{
			NULL, 0
		},
		{
			NULL, 0
		}
	};
	items[3] = (CpgMessageItem)
	{
		CPG_MESSAGE_TAG, 1,
		{
			NULL, 0
		}, span("-")
	};
	items[4] = (CpgMessageItem)
	{
		CPG_MESSAGE_EXPIRE_NAMESPACE, 2,
		{
			NULL, 0
		}, span("a\nb")
	};
	items[5] = (CpgMessageItem)
	{
		CPG_MESSAGE_NAMESPACE, 3,
		{
			NULL, 0
		}, span("--.")
	};
	*count = lengthof(items);
	return items;
}

static CpgMessageWriter
sample_message(char *buffer, size_t size)
{
	CpgMessageHeader header = sample_header();
	CpgMessageWriter writer;
	int			count;
	const CpgMessageItem *items = sample_items(&count);

	if (!cpg_message_begin(&writer, buffer, size, &header))
		return writer;
	for (int i = 0; i < count; i++)
	{
		if (!cpg_message_append(&writer, &items[i]))
			break;
	}
	return writer;
}

static bool
same_header(const CpgMessageHeader *a, const CpgMessageHeader *b)
{
	return a->kind == b->kind && strcmp(a->origin, b->origin) == 0 &&
		memcmp(a->epoch, b->epoch, sizeof(a->epoch)) == 0 && a->n == b->n && a->seq == b->seq &&
		a->system == b->system && a->timeline == b->timeline && a->lsn == b->lsn &&
		strcmp(a->database, b->database) == 0;
}

/* The sample as text, for readers in other languages. */
Datum
test_message_sample(PG_FUNCTION_ARGS)
{
	char		buffer[1000];
	CpgMessageWriter writer = sample_message(buffer, sizeof(buffer));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(writer.data, (int) writer.len));
}

/* The fault of a text, read to its end, and how many lines came before it. */
static CpgMessageFault
read_message(const char *text, size_t len, int *lines)
{
	CpgMessageHeader header;
	CpgMessageReader reader;
	CpgMessageItem item;
	char	   *buffer = palloc(len + 1);
	CpgMessageFault fault = cpg_message_open(&reader, text, len, &header);

	*lines = 0;
	if (fault != CPG_MESSAGE_FAULT_NONE)
		return fault;
	while (cpg_message_next(&reader, &item, buffer, len))
		(*lines)++;
	pfree(buffer);
	return reader.fault;
}

static void
expect_fault(const char *line, const char *rest, CpgMessageFault expected)
{
	char	   *text = psprintf("%s%s", line, rest);
	int			lines;
	CpgMessageFault fault = read_message(text, strlen(text), &lines);

	if (fault != expected)
		elog(ERROR, "%s: %s", text, cpg_message_fault_text(fault));
}

static void
check_faults(void)
{
	const char *good = "cachepg 1 inval a 000102030405060708090a0b0c0d0e0f 1 2 3 4 0/5 -";
	const char *beat = "cachepg 1 beat a 000102030405060708090a0b0c0d0e0f 1 2 3 4 0/5 d";
	const char *bad[] = {"key 1 a b", "key 1 ", "key 1", "key", "KEY 1 a", "key 01 a", "key -1 a", "key 4294967296 a",
		"key 1 a%", "key 1 a%4", "key 1 %00", "key 1 %zz", "key 1 \xc3\xa9", "key 1 a\r", "table 1 a", "table 1 a.",
	"table 1 .a", "table 1 a.b.c", "table 1 -", "nothing 1 a", "", "key 1 a\n", "key 1 a\n\nkey 1 a"};

	expect_fault(good, "", CPG_MESSAGE_FAULT_NONE);
	expect_fault(beat, "", CPG_MESSAGE_FAULT_NONE);
	expect_fault(good, "\nkey 4294967295 %2d", CPG_MESSAGE_FAULT_NONE);
	for (int i = 0; i < lengthof(bad); i++)
		expect_fault(good, psprintf("\n%s", bad[i]), CPG_MESSAGE_FAULT_LINE);
	expect_fault(beat, "\nkey 1 a", CPG_MESSAGE_FAULT_LINE);
	expect_fault(good, " x", CPG_MESSAGE_FAULT_HEADER);
	expect_fault("", "", CPG_MESSAGE_FAULT_MAGIC);
	expect_fault("cachepg", "", CPG_MESSAGE_FAULT_MAGIC);
	expect_fault("cachepg 2 whatever", "", CPG_MESSAGE_FAULT_VERSION);
	expect_fault("cachepg 1 inval a 00 1 2 3 4 0/5 -", "", CPG_MESSAGE_FAULT_HEADER);
	expect_fault("cachepg 1 inval a 000102030405060708090a0b0c0d0e0f 1 2 3 4 05 -", "", CPG_MESSAGE_FAULT_HEADER);
	expect_fault("cachepg 1 inval a 000102030405060708090a0b0c0d0e0f 18446744073709551616 2 3 4 0/5 -", "",
				 CPG_MESSAGE_FAULT_HEADER);
}

/* As many lines as there may be, then as many bytes; what does not fit changes nothing. */
static void
check_limits(void)
{
	char	   *buffer = palloc0(CPG_MESSAGE_SIZE_MAX + 100);
	char	   *name = palloc(200);
	CpgMessageHeader header = sample_header();
	CpgMessageItem item = {CPG_MESSAGE_KEY, 1, {NULL, 0}, {"k", 1}};
	CpgMessageWriter writer;
	int			lines;

	EXPECT(cpg_message_begin(&writer, buffer, CPG_MESSAGE_SIZE_MAX + 100, &header));
	while (cpg_message_append(&writer, &item))
		;
	EXPECT(writer.lines == CPG_MESSAGE_LINES_MAX);
	EXPECT(read_message(writer.data, writer.len, &lines) == CPG_MESSAGE_FAULT_NONE && lines == writer.lines);
	memcpy(writer.data + writer.len, "\nkey 1 k", 8);
	EXPECT(read_message(writer.data, writer.len + 8, &lines) == CPG_MESSAGE_FAULT_SIZE);
	memset(name, ' ', 200);
	item.name = cpg_span(name, 200);
	EXPECT(cpg_message_begin(&writer, buffer, CPG_MESSAGE_SIZE_MAX + 100, &header));
	while (cpg_message_append(&writer, &item))
		;
	EXPECT(writer.lines < 120 && writer.len <= CPG_MESSAGE_SIZE_MAX && writer.len > CPG_MESSAGE_SIZE_MAX - 700);
	EXPECT(read_message(writer.data, writer.len, &lines) == CPG_MESSAGE_FAULT_NONE && lines == writer.lines);
	memset(buffer, 'x', CPG_MESSAGE_SIZE_MAX + 1);
	EXPECT(read_message(buffer, CPG_MESSAGE_SIZE_MAX + 1, &lines) == CPG_MESSAGE_FAULT_SIZE);
}

Datum
test_message(PG_FUNCTION_ARGS)
{
	char		buffer[1000];
	char		names[1000];
	CpgMessageWriter writer = sample_message(buffer, sizeof(buffer));
	CpgMessageHeader expected = sample_header();
	CpgMessageHeader header;
	CpgMessageReader reader;
	CpgMessageItem item;
	int			count;
	const CpgMessageItem *items = sample_items(&count);
	size_t		whole = writer.len;

	EXPECT(writer.lines == count);
	EXPECT(cpg_message_open(&reader, writer.data, writer.len, &header) == CPG_MESSAGE_FAULT_NONE);
	EXPECT(same_header(&header, &expected));
	for (int i = 0; i < count; i++)
	{
		EXPECT(cpg_message_next(&reader, &item, names, sizeof(names)));
		EXPECT(item.what == items[i].what && item.cell == items[i].cell);
		EXPECT(cpg_span_equal(item.name, items[i].name) && cpg_span_equal(item.schema, items[i].schema));
	}
	EXPECT(!cpg_message_next(&reader, &item, names, sizeof(names)) && reader.fault == CPG_MESSAGE_FAULT_NONE);
	/* a name larger than the caller's memory */
	EXPECT(cpg_message_open(&reader, writer.data, writer.len, &header) == CPG_MESSAGE_FAULT_NONE);
	EXPECT(!cpg_message_next(&reader, &item, names, items[0].name.len - 1) && reader.fault == CPG_MESSAGE_FAULT_LINE);
	/* with less room the same message ends earlier, at the end of a line */
	for (size_t size = 0; size < whole; size++)
	{
		int			lines;

		writer = sample_message(buffer, size);
		EXPECT(writer.len <= size && writer.lines < count);
		EXPECT(writer.len == 0 || (read_message(buffer, writer.len, &lines) == CPG_MESSAGE_FAULT_NONE &&
								   lines == writer.lines));
	}
	check_faults();
	check_limits();
	OK;
}
