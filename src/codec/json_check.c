/*-------------------------------------------------------------------------
 *
 * json_check.c
 *	  JSON of unknown origin, looked at before PostgreSQL's parser, whose
 *	  errors cost a subtransaction.
 *
 * Pure, and without recursion: what is open is kept as a bit per level.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/codec_internal.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

/* Digits and exponents that numeric takes for certain. */
#define NUMBER_MAX 1000

typedef struct Scanner
{
	const char *at;
	const char *end;
	bool		unsure;
	int			depth;
	bool		in_object[CPG_CODEC_DEPTH_MAX];
} Scanner;

static inline bool
sees(const Scanner *s, char c)
{
	return s->at < s->end && *s->at == c;
}

static inline bool
takes(Scanner *s, char c)
{
	if (!sees(s, c))
		return false;
	s->at++;
	return true;
}

static void
skip_blanks(Scanner *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

/* The value of four hexadecimal digits, -1 if there are none. */
static int
take_hex(Scanner *s)
{
	int			value = 0;

	if (s->end - s->at < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		char		c = *s->at++;

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

/* A character after \u; 0, which no text can hold, if there is none. */
static pg_wchar
take_unicode(Scanner *s)
{
	int			unit = take_hex(s);
	int			low;

	if (unit <= 0)
		return 0;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	if (unit > 0xdbff || !takes(s, '\\') || !takes(s, 'u'))
		return 0;
	low = take_hex(s);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* What follows a backslash, 0 if nothing that may. */
static pg_wchar
take_escape(Scanner *s)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	const char *name;
	char		c;

	if (s->at == s->end)
		return 0;
	c = *s->at++;
	if (c == 'u')
		return take_unicode(s);
	name = c == '\0' ? NULL : strchr(names, c);
	return name == NULL ? 0 : (pg_wchar) meant[name - names];
}

/* Where the first byte is that a JSON string cannot hold as it is. */
const char *
cpg_json_ordinary(const char *at, const char *end)
{
	while (at < end && (unsigned char) *at >= ' ' && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* A string from its opening quote on; appended to out, if there is one. */
static bool
take_string(Scanner *s, StringInfo out)
{
	if (!takes(s, '"'))
		return false;
	for (;;)
	{
		const char *start = s->at;

		s->at = cpg_json_ordinary(start, s->end);
		if (out != NULL)
			appendBinaryStringInfo(out, start, (int) (s->at - start));
		if (takes(s, '"'))
			return true;
		if (takes(s, '\\'))
		{
			pg_wchar	c = take_escape(s);
			unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

			if (c == 0)
				return false;
			if (out == NULL)
				continue;
			unicode_to_utf8(c, utf8);
			appendBinaryStringInfo(out, (char *) utf8, pg_utf_mblen(utf8));
		}
		else
			return false;
	}
}

/* How many digits there are. */
static int
take_digits(Scanner *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at - start > NUMBER_MAX ? NUMBER_MAX + 1 : (int) (s->at - start);
}

static bool
take_number(Scanner *s)
{
	int			digits;

	(void) takes(s, '-');
	if (takes(s, '0'))
		digits = 1;
	else
		digits = take_digits(s);
	if (digits == 0)
		return false;
	s->unsure |= digits > NUMBER_MAX;
	if (takes(s, '.'))
	{
		digits = take_digits(s);
		if (digits == 0)
			return false;
		s->unsure |= digits > NUMBER_MAX;
	}
	if (takes(s, 'e') || takes(s, 'E'))
	{
		(void) (takes(s, '+') || takes(s, '-'));
		digits = take_digits(s);
		if (digits == 0)
			return false;
		s->unsure |= digits > 3;
	}
	return true;
}

static bool
take_word(Scanner *s, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return false;
	s->at += len;
	return true;
}

static bool
take_scalar(Scanner *s)
{
	if (sees(s, '"'))
		return take_string(s, NULL);
	return take_word(s, "true") || take_word(s, "false") || take_word(s, "null") || take_number(s);
}

/* The name of a member and its colon. */
static bool
take_name(Scanner *s)
{
	skip_blanks(s);
	if (!take_string(s, NULL))
		return false;
	skip_blanks(s);
	return takes(s, ':');
}

/*
 * A value up to where it opens an array or object that is not empty, or ends.
 * Sets whether a value is still to come.
 */
static bool
take_value(Scanner *s, bool *more)
{
	bool		object;

	skip_blanks(s);
	*more = false;
	object = sees(s, '{');
	if (!object && !sees(s, '['))
		return take_scalar(s);
	s->at++;
	skip_blanks(s);
	if (takes(s, object ? '}' : ']'))
		return true;
	if (s->depth == CPG_CODEC_DEPTH_MAX)
	{
		s->unsure = true;
		return false;
	}
	s->in_object[s->depth++] = object;
	*more = true;
	return !object || take_name(s);
}

/* After a value: close what ends there, until another value follows or all is closed. */
static bool
take_end(Scanner *s)
{
	while (s->depth > 0)
	{
		bool		object = s->in_object[s->depth - 1];

		skip_blanks(s);
		if (takes(s, ','))
			return !object || take_name(s);
		if (!takes(s, object ? '}' : ']'))
			return false;
		s->depth--;
	}
	return true;
}

/*
 * Whether bytes are JSON that jsonb_in takes without an error, in a database
 * whose encoding is UTF-8.
 */
CpgJsonState
cpg_json_check(CpgSpan json)
{
	Scanner		s = {.at = json.data,.end = json.data + json.len};
	bool		more;

	if (json.len == 0 || !cpg_utf8_is_text(json))
		return CPG_JSON_INVALID;
	if (json.len > CPG_CODEC_PLAIN_MAX)
		return CPG_JSON_UNSURE;
	do
	{
		if (!take_value(&s, &more) || (!more && !take_end(&s)))
			return s.unsure ? CPG_JSON_UNSURE : CPG_JSON_INVALID;
	} while (s.depth > 0);
	skip_blanks(&s);
	if (s.at != s.end)
		return CPG_JSON_INVALID;
	return s.unsure ? CPG_JSON_UNSURE : CPG_JSON_VALID;
}

/* The text of a JSON string and nothing else, in UTF-8; false if it is none. */
bool
cpg_json_unescape(CpgSpan json, CpgSpan *text)
{
	Scanner		s = {.at = json.data,.end = json.data + json.len};
	StringInfoData out;

	if (json.len >= MaxAllocSize / 2 || !cpg_utf8_is_text(json))
		return false;
	initStringInfo(&out);
	enlargeStringInfo(&out, (int) json.len);
	if (!take_string(&s, &out) || s.at != s.end)
		return false;
	*text = cpg_span(out.data, out.len);
	return true;
}
