/*-------------------------------------------------------------------------
 *
 * password.c
 *	  The password of cachepg.redis_password_file.
 *
 * The file is read for every connection that is made, so a new one is used
 * from then on.  It must be a regular file that belongs to the user of the
 * server and that nobody else may read.  The password is its first line.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guc.h"
#include "redis/redis_internal.h"

static const char *
check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return "could not read the password file";
	if (!S_ISREG(st.st_mode))
		return "the password file is not a regular file";
	if (st.st_uid != geteuid())
		return "the password file does not belong to the user of the server";
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return "the password file can be read by others, its mode must be 0600";
	return NULL;
}

static const char *
read_line(int fd, char *password, size_t size)
{
	size_t		len = 0;
	ssize_t		n;

	while (len < size && (n = read(fd, password + len, size - len)) != 0)
	{
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return "could not read the password file";
		len += n;
	}
	for (size_t i = 0; i < len; i++)
	{
		if (password[i] == '\n' || password[i] == '\r')
			len = i;
	}
	if (len == 0)
		return "the password file is empty";
	if (len >= size)
		return "the password file is too long";
	password[len] = '\0';
	return memchr(password, '\0', len) ? "the password contains a zero byte" : NULL;
}

/*
 * Read the password.  False if it cannot be used, and why.  The caller wipes
 * it.
 */
bool
cpg_redis_password(char *password, size_t size, const char **problem)
{
	/* not through fd.c: it would raise an error if there are too many */
	int			fd = open(cpg_redis_password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
	{
		*problem = errno == ENOENT ? "the password file does not exist" : "could not open the password file";
		return false;
	}
	*problem = check_file(fd);
	if (*problem == NULL)
		*problem = read_line(fd, password, size);
	close(fd);
	return *problem == NULL;
}
