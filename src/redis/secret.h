/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  Secrets in files: passwords and keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_REDIS_SECRET_H
#define CPG_REDIS_SECRET_H

extern int	cpg_secret_open(const char *path, const char **problem);
extern bool cpg_secret_read(const char *path, char *secret, size_t size, const char **problem);

#endif							/* CPG_REDIS_SECRET_H */
