/*-------------------------------------------------------------------------
 *
 * url.h
 *	  Addresses of Redis servers as URLs.
 *
 *	  redis://[user@]host[:port][/db][?name=...&weight=...]
 *	  rediss://...							the same over TLS
 *	  unix://[user@]/path[?db=...&name=...&weight=...]
 *
 * The port is 6379 and the database 0 if not given.  An IPv6 address stands in
 * brackets.  User, path and name are printable ASCII and may contain %XX.
 * Host names are made lower case.
 *
 * The name is what a server is called in views and what keys are distributed
 * by; without one it is host:port, or the path of the socket.  A server that
 * keeps its name keeps its keys when its address changes.  The weight, 1 to
 * 1000 and 1 if not given, is its share of keys relative to others.
 *
 * There is no place for a password: one in a URL is refused with a fault of its
 * own, so that the message can name the file where it belongs.  Faults say what
 * is wrong and never show the text.
 *
 * In a list, URLs are separated by commas, blanks, tabs and line ends, any
 * number of them; these characters are written %XX within a URL.
 *
 * Pure: fixed-size structs, no memory of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WIRE_URL_H
#define CPG_WIRE_URL_H

#define CPG_URL_PORT_DEFAULT	6379
#define CPG_URL_DB_MAX			65535
#define CPG_URL_WEIGHT_DEFAULT	1
#define CPG_URL_WEIGHT_MAX		1000
#define CPG_URL_HOST_SIZE		256 /* 253 is the longest name there can be */
#define CPG_URL_SOCKET_SIZE		104 /* of sun_path, where it is shortest */
#define CPG_URL_USER_SIZE		128
#define CPG_URL_NAME_SIZE		264 /* fits [host]:port */

/* What cpg_url_print needs at most. */
#define CPG_URL_TEXT_SIZE \
	(3 * (CPG_URL_HOST_SIZE + CPG_URL_USER_SIZE + CPG_URL_NAME_SIZE) + 64)

typedef enum CpgUrlKind
{
	CPG_URL_TCP,
	CPG_URL_TLS,
	CPG_URL_UNIX
} CpgUrlKind;

typedef enum CpgUrlFault
{
	CPG_URL_FAULT_NONE,
	CPG_URL_FAULT_SCHEME,
	CPG_URL_FAULT_PASSWORD,
	CPG_URL_FAULT_USER,
	CPG_URL_FAULT_HOST,
	CPG_URL_FAULT_PORT,
	CPG_URL_FAULT_DB,
	CPG_URL_FAULT_PATH,
	CPG_URL_FAULT_PARAMETER,	/* unknown, or given twice */
	CPG_URL_FAULT_NAME,
	CPG_URL_FAULT_WEIGHT,
	CPG_URL_FAULT_DUPLICATE,	/* two of a list have the same name */
	CPG_URL_FAULT_COUNT			/* more URLs than there is room for */
} CpgUrlFault;

/* All strings end in NUL and are printable ASCII. */
typedef struct CpgUrl
{
	CpgUrlKind	kind;
	char		host[CPG_URL_HOST_SIZE];	/* name or address without
											 * brackets; UNIX: path of the
											 * socket */
	int			port;			/* UNIX: 0 */
	int			db;
	int			weight;
	char		user[CPG_URL_USER_SIZE];	/* empty: none */
	char		name[CPG_URL_NAME_SIZE];	/* never empty */
} CpgUrl;

extern CpgUrlFault cpg_url_parse(const char *text, size_t len, CpgUrl *url);
extern CpgUrlFault cpg_url_parse_list(const char *text, size_t len, CpgUrl *urls, int max, int *count);
extern size_t cpg_url_print(const CpgUrl *url, char *text);
extern const char *cpg_url_fault_text(CpgUrlFault fault);

#endif							/* CPG_WIRE_URL_H */
