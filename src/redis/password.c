/*-------------------------------------------------------------------------
 *
 * password.c
 *	  The password of cachepg.redis_password_file.
 *
 * The file is read for every connection that is made, so a new one is used
 * from then on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "guc.h"
#include "redis/redis_internal.h"
#include "redis/secret.h"

/*
 * Read the password.  False if it cannot be used, and why.  The caller wipes
 * it.
 */
bool
cpg_redis_password(char *password, size_t size, const char **problem)
{
	return cpg_secret_read(cpg_redis_password_file, password, size, problem);
}
