/*-------------------------------------------------------------------------
 *
 * tls.c
 *	  TLS between a connection's socket and what is read and written.
 *
 * OpenSSL works on the non-blocking socket.  When it cannot go on it says what
 * it waits for, which need not be what was asked of it, and the caller waits
 * as for any socket (CpgConnection.wants): so deadlines, cancels and shutdowns
 * end a handshake as they end everything else.
 *
 * What a process knows of certificates, its context, is made at the first
 * connection, and made anew at the next one after a setting or a file of it has
 * changed.  Connections keep the context that they began with.
 *
 * Memory is OpenSSL's own.  A connection's is given back by cpg_tls_end, which
 * cpg_connection_close calls.
 *
 * Without OpenSSL at build time there is no TLS: addresses that want it are
 * refused when the setting is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef CPG_HAVE_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#endif

#include "guc.h"
#include "redis/redis_internal.h"
#include "redis/secret.h"

#ifdef CPG_HAVE_TLS

/* By what a changed file is known; all zero if there is none. */
typedef struct CpgFileId
{
	uint64		device;
	uint64		inode;
	uint64		size;
	uint64		seconds;		/* of its last change */
	uint64		nanoseconds;
} CpgFileId;

/* What a context has been made of; compared as bytes. */
typedef struct CpgTlsSources
{
	uint64		generation;		/* of the settings */
	CpgFileId	ca;
	CpgFileId	cert;
	CpgFileId	key;
} CpgTlsSources;

static SSL_CTX *context = NULL;
static CpgTlsSources made_of;

/* ---------------------------------------------------------------------
 * What is known of certificates
 * ---------------------------------------------------------------------
 */

/* Why OpenSSL failed: texts of the library, without anything of ours. */
static const char *
reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "unknown reason";
}

static void
identify(const char *path, CpgFileId *id)
{
	struct stat st;

	if (path[0] == '\0' || stat(path, &st) != 0)
		return;
	id->device = (uint64) st.st_dev;
	id->inode = (uint64) st.st_ino;
	id->size = (uint64) st.st_size;
	id->seconds = (uint64) st.st_ctim.tv_sec;
	id->nanoseconds = (uint64) st.st_ctim.tv_nsec;
}

static void
find_sources(CpgTlsSources *sources)
{
	memset(sources, 0, sizeof(*sources));
	sources->generation = cpg_redis_generation;
	identify(cpg_redis_ca_file, &sources->ca);
	identify(cpg_redis_cert_file, &sources->cert);
	identify(cpg_redis_key_file, &sources->key);
}

/* Whose certificates of servers are believed. */
static bool
load_authorities(SSL_CTX *new)
{
	if (cpg_redis_tls_verify == CPG_REDIS_VERIFY_NONE)
		return true;
	SSL_CTX_set_verify(new, SSL_VERIFY_PEER, NULL);
	if (cpg_redis_ca_file[0] == '\0')
		return SSL_CTX_set_default_verify_paths(new) == 1;
	if (SSL_CTX_load_verify_locations(new, cpg_redis_ca_file, NULL) == 1)
		return true;
	cpg_node_report_problem("could not use the CA file: %s", reason());
	return false;
}

/* OpenSSL would ask for it at a terminal. */
static int
no_passphrase(char *buffer, int size, int writing, void *arg)
{
	return 0;
}

static bool
load_key(SSL_CTX *new)
{
	const char *problem;
	int			fd = cpg_secret_open(cpg_redis_key_file, &problem);
	EVP_PKEY   *key = NULL;
	BIO		   *bio;
	bool		done;

	if (fd < 0)
	{
		cpg_node_report_problem("the key file cannot be used: %s", problem);
		return false;
	}
	bio = BIO_new_fd(fd, BIO_NOCLOSE);
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	done = key != NULL && SSL_CTX_use_PrivateKey(new, key) == 1;
	if (!done)
		cpg_node_report_problem("could not use the key file: %s", reason());
	EVP_PKEY_free(key);
	BIO_free(bio);
	close(fd);
	return done;
}

/* The certificate that cachepg shows to servers that want one. */
static bool
load_certificate(SSL_CTX *new)
{
	if (cpg_redis_cert_file[0] == '\0')
		return true;
	if (SSL_CTX_use_certificate_chain_file(new, cpg_redis_cert_file) == 1)
		return load_key(new);
	cpg_node_report_problem("could not use the certificate file: %s", reason());
	return false;
}

static bool
fill_context(SSL_CTX *new)
{
	if (SSL_CTX_set_min_proto_version(new, TLS1_2_VERSION) != 1)
		return false;
	SSL_CTX_set_options(new, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
	/* an end is an end: lengths tell whether a reply is complete */
	SSL_CTX_set_options(new, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
	/* a command may move in memory while it is sent */
	SSL_CTX_set_mode(new, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(new, SSL_SESS_CACHE_OFF);
	return load_authorities(new) && load_certificate(new);
}

/* See to it that the context is that of the settings and files of now. */
static bool
refresh_context(void)
{
	CpgTlsSources sources;
	SSL_CTX    *new;

	/* before they are read: a change while that goes on is found next time */
	find_sources(&sources);
	if (context != NULL && memcmp(&sources, &made_of, sizeof(sources)) == 0)
		return true;
	ERR_clear_error();
	new = SSL_CTX_new(TLS_client_method());
	if (new == NULL || !fill_context(new))
	{
		SSL_CTX_free(new);
		ERR_clear_error();
		return false;
	}
	SSL_CTX_free(context);
	context = new;
	made_of = sources;
	return true;
}

/* ---------------------------------------------------------------------
 * Connections
 * ---------------------------------------------------------------------
 */

static bool
is_number(const char *host)
{
	unsigned char ip[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

/* Say who the server has to be, to it and to the check of its certificate. */
static bool
name_server(SSL *tls, const char *host)
{
	bool		number = is_number(host);

	if (!number && SSL_set_tlsext_host_name(tls, host) != 1)
		return false;
	if (cpg_redis_tls_verify != CPG_REDIS_VERIFY_FULL)
		return true;
	if (number)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
	SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(tls, host) == 1;
}

/*
 * What the result of an operation means: as recv(2) and send(2) do, 0 for the
 * end and -1 with errno otherwise.
 */
static ssize_t
translate(CpgConnection *conn, int result)
{
	int			saved = errno;

	switch (SSL_get_error(conn->tls, result))
	{
		case SSL_ERROR_WANT_READ:
			conn->wants = WL_SOCKET_READABLE;
			errno = EAGAIN;
			return -1;
		case SSL_ERROR_WANT_WRITE:
			conn->wants = WL_SOCKET_WRITEABLE;
			errno = EAGAIN;
			return -1;
		case SSL_ERROR_ZERO_RETURN:
			return 0;
		case SSL_ERROR_SYSCALL:
			errno = saved == 0 || saved == EAGAIN || saved == EINTR ? ECONNRESET : saved;
			return -1;
		default:
			errno = EPROTO;
			return -1;
	}
}

/* As translate, for a failure that somebody will hear of. */
static ssize_t
translate_and_report(CpgConnection *conn, int result)
{
	ssize_t		meaning = translate(conn, result);

	if (meaning < 0 && errno == EPROTO)
		cpg_node_report_problem("TLS: %s", reason());
	return meaning;
}

/* The handshake has failed. */
static CpgRedisStatus
judge_failure(CpgConnection *conn, ssize_t result)
{
	long		verdict = SSL_get_verify_result(conn->tls);

	if (cpg_redis_tls_verify != CPG_REDIS_VERIFY_NONE && verdict != X509_V_OK)
	{
		cpg_node_report_problem("its certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
		return CPG_REDIS_CONFIGURATION;
	}
	return result < 0 && errno == EPROTO ? CPG_REDIS_CONFIGURATION : CPG_REDIS_UNAVAILABLE;
}

bool
cpg_redis_has_tls(void)
{
	return true;
}

/* Make a connection that has just been opened one of TLS. */
CpgRedisStatus
cpg_tls_begin(CpgConnection *conn, const char *host, int64 deadline)
{
	if (!refresh_context())
		return CPG_REDIS_CONFIGURATION;
	ERR_clear_error();
	conn->tls = SSL_new(context);
	if (conn->tls == NULL || SSL_set_fd(conn->tls, conn->fd) != 1 || !name_server(conn->tls, host))
		return CPG_REDIS_CONFIGURATION;
	for (;;)
	{
		int			result;
		ssize_t		failed;

		ERR_clear_error();
		errno = 0;
		result = SSL_connect(conn->tls);
		if (result == 1)
			return CPG_REDIS_OK;
		failed = translate_and_report(conn, result);
		if (failed == 0 || errno != EAGAIN)
			return judge_failure(conn, failed);
		if (cpg_redis_wait(conn, conn->wants, deadline, true, false) == CPG_WAIT_TIMEOUT)
			return CPG_REDIS_TIMEOUT;
	}
}

/* As recv(2); at EAGAIN wait for what conn->wants says. */
ssize_t
cpg_tls_receive(CpgConnection *conn, char *data, size_t size)
{
	int			result;

	ERR_clear_error();
	errno = 0;
	result = SSL_read(conn->tls, data, (int) Min(size, INT_MAX));
	return result > 0 ? result : translate_and_report(conn, result);
}

/* As send(2); at EAGAIN wait for what conn->wants says, and send the same again. */
ssize_t
cpg_tls_send(CpgConnection *conn, const char *data, size_t size)
{
	int			result;

	ERR_clear_error();
	errno = 0;
	result = SSL_write(conn->tls, data, (int) Min(size, INT_MAX));
	return result > 0 ? result : translate_and_report(conn, result);
}

/*
 * Whether nothing has come but what TLS itself sends at any time, such as
 * tickets.
 */
bool
cpg_tls_is_quiet(CpgConnection *conn)
{
	char		byte;
	int			result;

	ERR_clear_error();
	errno = 0;
	result = SSL_peek(conn->tls, &byte, 1);
	return result <= 0 && translate(conn, result) < 0 && errno == EAGAIN;
}

/* The connection ends without a word: lengths tell where replies end. */
void
cpg_tls_end(CpgConnection *conn)
{
	SSL_free(conn->tls);
	conn->tls = NULL;
}

#else							/* !CPG_HAVE_TLS */

bool
cpg_redis_has_tls(void)
{
	return false;
}

CpgRedisStatus
cpg_tls_begin(CpgConnection *conn, const char *host, int64 deadline)
{
	return CPG_REDIS_CONFIGURATION;
}

ssize_t
cpg_tls_receive(CpgConnection *conn, char *data, size_t size)
{
	pg_unreachable();
}

ssize_t
cpg_tls_send(CpgConnection *conn, const char *data, size_t size)
{
	pg_unreachable();
}

bool
cpg_tls_is_quiet(CpgConnection *conn)
{
	pg_unreachable();
}

void
cpg_tls_end(CpgConnection *conn)
{
}

#endif							/* CPG_HAVE_TLS */
