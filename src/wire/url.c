/*-------------------------------------------------------------------------
 *
 * url.c
 *	  Parser and printer of addresses.  See url.h.
 *
 * The text is cut from left to right into Parts: scheme, authority (up to the
 * first slash or question mark), path, parameters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "wire/url.h"

/* A piece of the text. */
typedef struct Part
{
	const char *at;
	size_t		len;
} Part;

#define PARAMETER_DB		0x1
#define PARAMETER_NAME		0x2
#define PARAMETER_WEIGHT	0x4

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static Part
part_of(const char *at, size_t len)
{
	Part		part;

	part.at = at;
	part.len = len;
	return part;
}

static bool
part_is(Part part, const char *word)
{
	size_t		i = 0;

	while (i < part.len && word[i] != '\0' && lower(part.at[i]) == word[i])
		i++;
	return i == part.len && word[i] == '\0';
}

/* Where the first of some characters is, or the length. */
static size_t
find_any(Part part, const char *wanted)
{
	size_t		i = 0;

	while (i < part.len && (part.at[i] == '\0' || strchr(wanted, part.at[i]) == NULL))
		i++;
	return i;
}

/* Take so many characters off the front. */
static Part
take(Part *rest, size_t len)
{
	Part		part = part_of(rest->at, len);

	rest->at += len;
	rest->len -= len;
	return part;
}

/* As above, but one character behind them too, if there is one. */
static Part
take_until(Part *rest, const char *separators)
{
	Part		part = take(rest, find_any(*rest, separators));

	if (rest->len > 0)
		take(rest, 1);
	return part;
}

/* Undo %XX.  False if that is malformed, not printable ASCII or too long. */
static bool
decode(Part part, char *out, size_t size)
{
	size_t		used = 0;

	for (size_t i = 0; i < part.len; i++)
	{
		char		c = part.at[i];

		if (c == '%')
		{
			int			high = i + 2 < part.len ? hex_value(part.at[i + 1]) : -1;
			int			low = i + 2 < part.len ? hex_value(part.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char) (high * 16 + low);
			i += 2;
		}
		if (c < ' ' || c > '~' || used + 1 >= size)
			return false;
		out[used++] = c;
	}
	out[used] = '\0';
	return true;
}

/* Digits only, within limits. */
static bool
parse_number(Part part, int min, int max, int *number)
{
	int			value = 0;

	if (part.len == 0)
		return false;
	for (size_t i = 0; i < part.len; i++)
	{
		if (!is_digit(part.at[i]))
			return false;
		value = value * 10 + (part.at[i] - '0');
		if (value > max)
			return false;
	}
	*number = value;
	return value >= min;
}

static CpgUrlFault
parse_scheme(Part *rest, CpgUrl *url)
{
	Part		scheme = take(rest, find_any(*rest, ":"));

	if (part_is(scheme, "redis"))
		url->kind = CPG_URL_TCP;
	else if (part_is(scheme, "rediss"))
		url->kind = CPG_URL_TLS;
	else if (part_is(scheme, "unix"))
		url->kind = CPG_URL_UNIX;
	else
		return CPG_URL_FAULT_SCHEME;
	if (rest->len < 3 || memcmp(rest->at, "://", 3) != 0)
		return CPG_URL_FAULT_SCHEME;
	take(rest, 3);
	return CPG_URL_FAULT_NONE;
}

/* Cuts the user off the authority, if there is one. */
static CpgUrlFault
parse_user(Part *authority, CpgUrl *url)
{
	size_t		at = authority->len;
	Part		user;

	/* the last one, as people forget to encode those in their passwords */
	while (at > 0 && authority->at[at - 1] != '@')
		at--;
	if (at == 0)
		return CPG_URL_FAULT_NONE;
	user = take(authority, at);
	user.len--;
	if (find_any(user, ":") < user.len)
		return CPG_URL_FAULT_PASSWORD;
	if (user.len == 0 || !decode(user, url->user, sizeof(url->user)))
		return CPG_URL_FAULT_USER;
	return CPG_URL_FAULT_NONE;
}

/* Letters, digits and so on; whoever resolves the name has the last word. */
static bool
copy_host(Part host, const char *others, char *out, size_t size)
{
	if (host.len == 0 || host.len >= size)
		return false;
	for (size_t i = 0; i < host.len; i++)
	{
		char		c = lower(host.at[i]);

		if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr(others, c) == NULL))
			return false;
		out[i] = c;
	}
	out[host.len] = '\0';
	return true;
}

/* An address in brackets, which only IPv6 has: hexadecimal, with colons. */
static bool
copy_ipv6(Part host, char *out, size_t size)
{
	if (find_any(host, ":") == host.len || !copy_host(host, ":.", out, size))
		return false;
	for (size_t i = 0; i < host.len; i++)
	{
		if (is_letter(out[i]) && hex_value(out[i]) < 0)
			return false;
	}
	return true;
}

static CpgUrlFault
parse_host(Part authority, CpgUrl *url)
{
	Part		host;

	if (authority.len > 0 && authority.at[0] == '[')
	{
		take(&authority, 1);
		host = take(&authority, find_any(authority, "]"));
		if (authority.len == 0 || !copy_ipv6(host, url->host, sizeof(url->host)))
			return CPG_URL_FAULT_HOST;
		take(&authority, 1);
	}
	else
	{
		host = take(&authority, find_any(authority, ":"));
		if (!copy_host(host, "-._", url->host, sizeof(url->host)))
			return CPG_URL_FAULT_HOST;
	}
	url->port = CPG_URL_PORT_DEFAULT;
	if (authority.len == 0)
		return CPG_URL_FAULT_NONE;
	if (authority.at[0] != ':')
		return CPG_URL_FAULT_HOST;
	take(&authority, 1);
	if (!parse_number(authority, 1, 65535, &url->port))
		return CPG_URL_FAULT_PORT;
	return CPG_URL_FAULT_NONE;
}

/* The path: a database, or where the socket is. */
static CpgUrlFault
parse_path(Part path, CpgUrl *url)
{
	if (url->kind == CPG_URL_UNIX)
	{
		if (path.len < 2 || !decode(path, url->host, CPG_URL_SOCKET_SIZE))
			return CPG_URL_FAULT_PATH;
		return CPG_URL_FAULT_NONE;
	}
	if (path.len > 1)
	{
		take(&path, 1);
		if (!parse_number(path, 0, CPG_URL_DB_MAX, &url->db))
			return CPG_URL_FAULT_DB;
	}
	return CPG_URL_FAULT_NONE;
}

/* *seen collects PARAMETER flags. */
static CpgUrlFault
parse_parameter(Part key, Part value, CpgUrl *url, int *seen)
{
	int			before = *seen;

	if (part_is(key, "password") || part_is(key, "auth"))
		return CPG_URL_FAULT_PASSWORD;
	if (part_is(key, "name"))
	{
		*seen |= PARAMETER_NAME;
		if (value.len == 0 || !decode(value, url->name, sizeof(url->name)))
			return CPG_URL_FAULT_NAME;
	}
	else if (part_is(key, "weight"))
	{
		*seen |= PARAMETER_WEIGHT;
		if (!parse_number(value, 1, CPG_URL_WEIGHT_MAX, &url->weight))
			return CPG_URL_FAULT_WEIGHT;
	}
	else if (part_is(key, "db") && url->kind == CPG_URL_UNIX)
	{
		*seen |= PARAMETER_DB;
		if (!parse_number(value, 0, CPG_URL_DB_MAX, &url->db))
			return CPG_URL_FAULT_DB;
	}
	return *seen == before ? CPG_URL_FAULT_PARAMETER : CPG_URL_FAULT_NONE;
}

static CpgUrlFault
parse_parameters(Part rest, CpgUrl *url)
{
	int			seen = 0;

	while (rest.len > 0)
	{
		Part		value = take_until(&rest, "&");
		Part		key = take_until(&value, "=");
		CpgUrlFault fault = parse_parameter(key, value, url, &seen);

		if (fault != CPG_URL_FAULT_NONE)
			return fault;
	}
	return CPG_URL_FAULT_NONE;
}

/* host:port, [host]:port or the path of the socket. */
static void
default_name(CpgUrl *url)
{
	if (url->kind == CPG_URL_UNIX)
		snprintf(url->name, sizeof(url->name), "%s", url->host);
	else if (strchr(url->host, ':') != NULL)
		snprintf(url->name, sizeof(url->name), "[%s]:%d", url->host, url->port);
	else
		snprintf(url->name, sizeof(url->name), "%s:%d", url->host, url->port);
}

/* Parse one URL.  If there is a fault the struct is of no use. */
CpgUrlFault
cpg_url_parse(const char *text, size_t len, CpgUrl *url)
{
	Part		rest = part_of(text, len);
	Part		authority;
	Part		path;
	CpgUrlFault fault;

	memset(url, 0, sizeof(*url));
	url->weight = CPG_URL_WEIGHT_DEFAULT;
	if ((fault = parse_scheme(&rest, url)) != CPG_URL_FAULT_NONE)
		return fault;
	authority = take(&rest, find_any(rest, "/?"));
	if ((fault = parse_user(&authority, url)) != CPG_URL_FAULT_NONE)
		return fault;
	if (url->kind != CPG_URL_UNIX)
		fault = parse_host(authority, url);
	else if (authority.len > 0)
		fault = CPG_URL_FAULT_PATH;
	/* a password with a slash in it ends the authority early */
	if (fault == CPG_URL_FAULT_PORT && find_any(rest, "@") < rest.len)
		fault = CPG_URL_FAULT_PASSWORD;
	if (fault != CPG_URL_FAULT_NONE)
		return fault;
	path = take_until(&rest, "?");
	if ((fault = parse_path(path, url)) != CPG_URL_FAULT_NONE)
		return fault;
	if ((fault = parse_parameters(rest, url)) != CPG_URL_FAULT_NONE)
		return fault;
	if (url->name[0] == '\0')
		default_name(url);
	return CPG_URL_FAULT_NONE;
}

/*
 * Parse a list, which may be empty.
 *
 * *count is how many URLs were parsed; if there is a fault, it is about the
 * next one.  urls has room for max of them.
 */
CpgUrlFault
cpg_url_parse_list(const char *text, size_t len, CpgUrl *urls, int max, int *count)
{
	Part		rest = part_of(text, len);

	*count = 0;
	while (rest.len > 0)
	{
		Part		part = take_until(&rest, ", \t\r\n");
		CpgUrlFault fault;

		if (part.len == 0)
			continue;
		if (*count >= max)
			return CPG_URL_FAULT_COUNT;
		fault = cpg_url_parse(part.at, part.len, &urls[*count]);
		if (fault != CPG_URL_FAULT_NONE)
			return fault;
		for (int i = 0; i < *count; i++)
		{
			if (strcmp(urls[i].name, urls[*count].name) == 0)
				return CPG_URL_FAULT_DUPLICATE;
		}
		(*count)++;
	}
	return CPG_URL_FAULT_NONE;
}

/* Append a string with %XX for all but the plainest characters and others. */
static char *
encode(char *out, const char *text, const char *others)
{
	static const char digits[] = "0123456789abcdef";

	for (; *text !='\0'; text ++)
	{
		unsigned char c = (unsigned char) *text;

		if (is_letter(*text) || is_digit(*text) || strchr(others, *text) != NULL)
			*out++ = *text;
		else
		{
			*out++ = '%';
			*out++ = digits[c >> 4];
			*out++ = digits[c & 0xf];
		}
	}
	*out = '\0';
	return out;
}

/*
 * The URL in full: parsed again it gives the same struct.
 *
 * text has CPG_URL_TEXT_SIZE bytes.  Returns the length.
 */
size_t
cpg_url_print(const CpgUrl *url, char *text)
{
	static const char *const schemes[] = {"redis://", "rediss://", "unix://"};
	char	   *end = text +CPG_URL_TEXT_SIZE;
	char	   *out = text;

	out += snprintf(out, (size_t) (end - out), "%s", schemes[url->kind]);
	if (url->user[0] != '\0')
	{
		out = encode(out, url->user, "-._");
		*out++ = '@';
	}
	if (url->kind == CPG_URL_UNIX)
	{
		out = encode(out, url->host, "-._/");
		out += snprintf(out, (size_t) (end - out), "?db=%d&", url->db);
	}
	else
		out += snprintf(out, (size_t) (end - out),
						strchr(url->host, ':') != NULL ? "[%s]:%d/%d?" : "%s:%d/%d?",
						url->host, url->port, url->db);
	out += snprintf(out, (size_t) (end - out), "name=");
	out = encode(out, url->name, "-._:/[]");
	out += snprintf(out, (size_t) (end - out), "&weight=%d", url->weight);
	return (size_t) (out - text);
}

/* For the detail of an error; not translated, no full stop. */
const char *
cpg_url_fault_text(CpgUrlFault fault)
{
	static const char *const texts[] = {
		[CPG_URL_FAULT_NONE] = "nothing wrong",
		[CPG_URL_FAULT_SCHEME] = "a URL begins with redis://, rediss:// or unix://",
		[CPG_URL_FAULT_PASSWORD] = "a URL must not contain a password",
		[CPG_URL_FAULT_USER] = "the user of a URL is empty, too long or not encoded",
		[CPG_URL_FAULT_HOST] = "the host of a URL is not a name or address",
		[CPG_URL_FAULT_PORT] = "the port of a URL is not a number from 1 to 65535",
		[CPG_URL_FAULT_DB] = "the database of a URL is not a number from 0 to 65535",
		[CPG_URL_FAULT_PATH] = "the socket of a URL is not an absolute path, or too long",
		[CPG_URL_FAULT_PARAMETER] = "a URL has an unknown parameter, or one twice",
		[CPG_URL_FAULT_NAME] = "the name in a URL is empty, too long or not encoded",
		[CPG_URL_FAULT_WEIGHT] = "the weight in a URL is not a number from 1 to 1000",
		[CPG_URL_FAULT_DUPLICATE] = "two URLs have the same name",
		[CPG_URL_FAULT_COUNT] = "there are too many URLs"
	};

	return texts[fault];
}
