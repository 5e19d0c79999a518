/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  The HMAC by which a server knows a frame of its cluster.
 *
 * Whoever can write to Redis can make up values.  With cachepg.redis_hmac_key_file,
 * the same on all servers, frames carry an HMAC-SHA-256, and those without the
 * right one are refused.  The key is read again when a second has passed since
 * the last time, so that a new one is used soon.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "guc.h"
#include "l2/seal.h"
#include "redis/redis.h"
#include "redis/secret.h"
#include "utils/resowner.h"

#define KEY_MIN		16			/* bytes */
#define KEY_SIZE	1024
#define READ_AGAIN	1000		/* ms */

static char key[KEY_SIZE];
static bool usable = false;
static int64 read_at = 0;

/* Say once what is wrong with the file, and once that it is well again. */
static void
report(const char *problem)
{
	static bool reported = false;

	if (problem != NULL && !reported)
		ereport(LOG,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("cachepg cannot use the file of \"cachepg.redis_hmac_key_file\": %s", problem),
				 errdetail("Values are neither taken from Redis nor written to it.")));
	reported = problem != NULL;
}

static void
read_key(void)
{
	const char *problem = NULL;
	int64		now = cpg_clock_now();

	if (read_at != 0 && now - read_at < READ_AGAIN)
		return;
	read_at = now;
	usable = cpg_secret_read(cpg_redis_hmac_key_file, key, sizeof(key), &problem);
	if (usable && strlen(key) < KEY_MIN)
	{
		usable = false;
		problem = "the key is shorter than 16 bytes";
	}
	report(usable ? NULL : problem);
}

/* Whether frames are to carry an HMAC. */
bool
cpg_seal_wanted(void)
{
	return cpg_redis_hmac_key_file[0] != '\0';
}

static bool
compute(const uint8 *data, size_t len, uint8 *out)
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);
	bool		done;

	if (ctx == NULL)
		return false;
	done = pg_hmac_init(ctx, (const uint8 *) key, strlen(key)) >= 0 &&
		pg_hmac_update(ctx, data, len) >= 0 &&
		pg_hmac_final(ctx, out, PG_SHA256_DIGEST_LENGTH) >= 0;
	pg_hmac_free(ctx);
	return done;
}

/* Compute the HMAC of some bytes; false if there is no key. */
bool
cpg_seal_compute(const uint8 *data, size_t len, uint8 *out)
{
	static ResourceOwner own = NULL;
	ResourceOwner caller = CurrentResourceOwner;
	bool		done;

	read_key();
	if (!usable)
		return false;

	/*
	 * the HMAC's context wants one, and a worker has none between
	 * transactions
	 */
	if (caller == NULL && own == NULL)
		own = ResourceOwnerCreate(NULL, "cachepg seal");
	if (caller == NULL)
		CurrentResourceOwner = own;
	done = compute(data, len, out);
	CurrentResourceOwner = caller;
	return done;
}

/* In constant time. */
static bool
is_equal(const uint8 *a, const uint8 *b, size_t len)
{
	uint8		difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

/*
 * Whether a frame may be believed: it has the right HMAC, or none is asked for.
 * What a type's receive function is to read must come from this machine or have
 * one.
 */
bool
cpg_seal_holds(const CpgFrame *frame, const uint8 *data, int node)
{
	uint8		right[CPG_FRAME_HMAC_LEN];

	if (!cpg_seal_wanted())
		return frame->codec != CPG_FRAME_BINARY || cpg_redis_is_local(node);
	return frame->hmac != NULL && cpg_seal_compute(data, frame->hmac_covers, right) &&
		is_equal(frame->hmac, right, sizeof(right));
}
