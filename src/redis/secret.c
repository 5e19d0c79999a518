/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  Secrets in files: passwords and keys.
 *
 * Never in settings, which others can see and which get into logs.  A file must
 * be a regular one that belongs to the user of the server and that nobody else
 * may read.  The secret is its first line.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redis/secret.h"

static const char *
check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return "could not read the file";
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file";
	if (st.st_uid != geteuid())
		return "it does not belong to the user of the server";
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return "it can be read by others, its mode must be 0600";
	return NULL;
}

/*
 * Open a file with a secret.  Negative if it cannot be used, and why.  The caller
 * closes it.
 */
int
cpg_secret_open(const char *path, const char **problem)
{
	/* not through fd.c: it would raise an error if there are too many */
	int			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
	{
		*problem = errno == ENOENT ? "it does not exist" : "it could not be opened";
		return -1;
	}
	*problem = check_file(fd);
	if (*problem == NULL)
		return fd;
	close(fd);
	return -1;
}

static const char *
read_line(int fd, char *secret, size_t size)
{
	size_t		len = 0;
	ssize_t		n;

	while (len < size && (n = read(fd, secret + len, size - len)) != 0)
	{
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return "could not read the file";
		len += (size_t) n;
	}
	for (size_t i = 0; i < len; i++)
	{
		if (secret[i] == '\n' || secret[i] == '\r')
			len = i;
	}
	if (len == 0)
		return "it is empty";
	if (len >= size)
		return "it is too long";
	secret[len] = '\0';
	return memchr(secret, '\0', len) != NULL ? "it contains a zero byte" : NULL;
}

/*
 * Read a secret of less than so many bytes.  False if it cannot be used, and
 * why.  The caller wipes it.
 */
bool
cpg_secret_read(const char *path, char *secret, size_t size, const char **problem)
{
	int			fd = cpg_secret_open(path, problem);

	if (fd < 0)
		return false;
	*problem = read_line(fd, secret, size);
	close(fd);
	return *problem == NULL;
}
