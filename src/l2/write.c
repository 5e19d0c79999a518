/*-------------------------------------------------------------------------
 *
 * write.c
 *	  A value on its way to Redis.
 *
 * Only the home writes, and only what it may keep itself.  The frame is made by
 * the session that has the value, where an error may still occur, and gets its
 * stamp when it is handed to the broadcaster: of a load, the one it began with;
 * of a set, the number of its commit.
 *
 * A frame lists the cells of namespace, database and key before the others,
 * which an entry of the store has implicitly.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "bus/bus.h"
#include "bus/mirror.h"
#include "clock.h"
#include "codec/codec.h"
#include "fault.h"
#include "guc.h"
#include "l2/l2.h"
#include "l2/lock.h"
#include "l2/seal.h"
#include "mb/pg_wchar.h"
#include "redis/redis.h"
#include "shmem.h"

/* Whether this server writes values of a namespace to Redis. */
bool
cpg_l2_writable(const CpgNamespace *ns)
{
	return cpg_bus_active() && ns->l2 && ns->number >= 0 &&
		(!cpg_mirror_exists() || CPG_SKIP("l2-home-only")) &&
		cpg_redis_configured() && !RecoveryInProgress();
}

/*
 * All cells of a value; returns their number.  That of the role is there because
 * in Redis a role is its name, which another one may get; what is for all roles
 * has the key's once more.
 */
static int
write_cells(const CpgKey *key, const CpgItem *item, uint8 *cells)
{
	int			n = 0;

	cpg_frame_set_cell(cells, n++, cpg_cell_namespace(key->ns));
	cpg_frame_set_cell(cells, n++, cpg_cell_database(cpg_guard,
													 *cpg_guard_database(cpg_guard, key->ns)));
	cpg_frame_set_cell(cells, n++, cpg_cell_key(cpg_guard, key->hash));
	cpg_frame_set_cell(cells, n++, OidIsValid(key->role) ? cpg_cell_role(cpg_guard, key->role)
					   : cpg_cell_key(cpg_guard, key->hash));
	for (int i = 0; i < item->ncells; i++)
		cpg_frame_set_cell(cells, n++, item->cells[i]);
	return n;
}

static int64
life_in_redis(const CpgNamespace *ns, const CpgItem *item, int64 now)
{
	int64		life = item->expiry - now;

	if (ns->l2_ttl > 0)
		life = Min(life, ns->l2_ttl);
	return Min(life, PG_UINT32_MAX);
}

/* Whose clock a frame's stamp is of, and the cells it depends on. */
static void
set_origin(CpgFrame *frame, const CpgKey *key, const CpgItem *item, uint8 *cells)
{
	frame->origin = cpg_span(cpg_bus_origin(), strlen(cpg_bus_origin()));
	cpg_bus_epoch(frame->epoch);
	frame->ncells = (uint16) write_cells(key, item, cells);
	frame->cells = cells;
}

/*
 * For the control of test/faults/520: what it would take for others to believe
 * in a value that is not of the home.
 */
static void
pretend_to_be_home(CpgFrame *frame, CpgFrameJob *job)
{
	frame->origin = cpg_span(cpg_l2_home, strlen(cpg_l2_home));
	cpg_mirror_epoch(frame->epoch);
	job->stamp = cpg_mirror_position();
}

/* The rest of a frame; false if the value cannot be written. */
static bool
set_value(CpgFrame *frame, const CpgNamespace *ns, const CpgL2Name *name, const CpgL2Value *value,
		  int64 life)
{
	CpgEncoded	encoded;

	if (!cpg_codec_encode(cpg_namespace_codec(ns), value->type, value->value, value->isnull,
						  ns->compress_above, &encoded) ||
		!cpg_codec_name(value->type, &frame->type_schema, &frame->type_name))
		return false;
	cpg_l2_name_into(name, frame);
	frame->codec = encoded.codec;
	frame->flags = encoded.flags | (cpg_seal_wanted() ? CPG_FRAME_HMAC : 0);
	frame->raw_len = encoded.raw_len;
	frame->payload = cpg_span(encoded.data, encoded.len);
	frame->encoding = cpg_span("UTF8", 4);
	frame->life = (uint32) life;
	frame->soft_life = value->item->soft_ttl;
	frame->load_time = value->item->load_time;
	return true;
}

/* A frame and its key as a job (palloc'd); false if it is too large. */
static bool
make_job(const CpgFrame *frame, const char *key, Size key_len, CpgFrameJob *job)
{
	Size		size = cpg_frame_size(frame);

	if (size == 0 || key_len + size > cpg_frames_max())
		return false;
	job->kind = CPG_FRAME_JOB_SET;
	job->expiry = cpg_clock_now() + frame->life;
	job->key_len = (uint32) key_len;
	job->frame_len = (uint32) size;
	job->bytes = palloc(key_len + size);
	memcpy(job->bytes, key, key_len);
	(void) cpg_frame_encode(frame, (uint8 *) job->bytes + key_len, size);
	return true;
}

/*
 * Make the frame of a value and the key under which it is to lie in Redis
 * (palloc'd); false if it is not to be written.
 */
bool
cpg_l2_make(const CpgNamespace *ns, const CpgKey *key, const CpgL2Name *name,
			const CpgL2Value *value, CpgFrameJob *job)
{
	uint8		cells[(CPG_CELLS_MAX + CPG_L2_IMPLIED_CELLS) * 4];
	int64		life = life_in_redis(ns, value->item, cpg_clock_now());
	CpgFrame	frame;

	memset(&frame, 0, sizeof(frame));
	set_origin(&frame, key, value->item, cells);
	if (CPG_SKIP("l2-home-only"))
		pretend_to_be_home(&frame, job);
	return life > 0 && set_value(&frame, ns, name, value, life) &&
		make_job(&frame, name->key, name->key_len, job);
}

/* Have a value written that was stored here with job->stamp. */
void
cpg_l2_send(const CpgKey *key, const CpgFrameJob *job)
{
	bool		sent = cpg_frames_put(job);

	cpg_stats_add(key->ns, sent ? CPG_COUNT_L2_WRITES : CPG_COUNT_L2_DROPPED, 1);
}

/*
 * Leave a value that this server, which is not the home, loaded under the lock
 * for those on other servers who wait for it.  It was loaded when the home's
 * clock was known up to "position"; they take it only if they know no more.
 */
void
cpg_l2_hand_over(const CpgNamespace *ns, const CpgKey *key, const CpgL2Name *name,
				 const CpgL2Value *value, uint64 position)
{
	CpgFrameJob job = {.stamp = position};
	CpgFrame	frame;

	memset(&frame, 0, sizeof(frame));
	frame.origin = cpg_span(cpg_bus_origin(), strlen(cpg_bus_origin()));
	cpg_mirror_epoch(frame.epoch);
	if (set_value(&frame, ns, name, value, CPG_L2_HANDED_LIFE) &&
		make_job(&frame, cpg_l2_sibling_key(name, 'h'), name->key_len, &job))
		cpg_l2_send(key, &job);
}
