/*-------------------------------------------------------------------------
 *
 * read.c
 *	  A value from Redis, if it is valid.
 *
 * What is found there may be of any age: Redis may have been away, have come
 * back with an old file, or have delayed a write.  So a frame says at which
 * number of its server's validity clock its value was made and on which cells it
 * depends, and is taken only if none of them has been invalidated since:
 *
 *	  of the own server		by the own guard, which knows of every commit
 *	  of the home			by the mirror of the home's, which lags a little, and
 *							not if it may lag by more than cachepg.bus_silence
 *
 * The own stamp is read before Redis is asked; see bus/mirror.c.
 *
 * The rest of its life is asked for before the value itself: a value that takes
 * its place in between then seems to live shorter, not longer.
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
#include "utils/memutils.h"
#include "value/value.h"


/* Two commands. */
typedef struct Asking
{
	const char *ttl[2];
	const char *get[2];
	size_t		ttl_lens[2];
	size_t		get_lens[2];
} Asking;

typedef struct Found
{
	CpgFrame	frame;
	CpgCell		cell[CPG_CELLS_MAX + CPG_L2_IMPLIED_CELLS];
	int64		life;			/* ms that it has left */
	uint64		stamp;			/* of the own clock, from before it was read */
} Found;

/* Whether values of a namespace may be in Redis, and be taken from there. */
bool
cpg_l2_readable(const CpgNamespace *ns)
{
	return cpg_bus_usable() && ns->l2 && ns->number >= 0 && cpg_redis_configured() &&
		(cpg_mirror_exists() ? cpg_mirror_current(cpg_clock_now()) : !RecoveryInProgress());
}

/* Whether what this server misses, for a reason, may be in Redis for it. */
bool
cpg_l2_worth_asking(CpgCounter why)
{
	switch (why)
	{
		case CPG_COUNT_ABSENT:
		case CPG_COUNT_EXPIRED:
		case CPG_COUNT_EVICTED:
		case CPG_COUNT_INVALIDATED_KEY:
		case CPG_COUNT_INVALIDATED_NAMESPACE:
		case CPG_COUNT_INVALIDATED_TAG:
		case CPG_COUNT_INVALIDATED_TABLE:
		case CPG_COUNT_INVALIDATED_SCHEMA:
		case CPG_COUNT_INVALIDATED_ROLE:
		case CPG_COUNT_INVALIDATED_HOME:
		case CPG_COUNT_LOADER_CHANGED:
		case CPG_COUNT_OTHER_ROLE:
			return true;
		default:
			return false;
	}
}

/* The commands that ask for the rest of a value's life, and for the value. */
static void
prepare(Asking *asking, const char *key, Size key_len, CpgRedisCommand *command)
{
	asking->ttl[0] = "PTTL";
	asking->get[0] = "GET";
	asking->ttl[1] = asking->get[1] = key;
	asking->ttl_lens[0] = 4;
	asking->get_lens[0] = 3;
	asking->ttl_lens[1] = asking->get_lens[1] = key_len;
	command[0] = (CpgRedisCommand)
	{
		2, asking->ttl, asking->ttl_lens
	};
	command[1] = (CpgRedisCommand)
	{
		2, asking->get, asking->get_lens
	};
}

/* Whether a usable answer came; counted if not. */
static bool
is_answer(const CpgNamespace *ns, CpgRedisStatus status, const CpgRedisReply *reply)
{
	if (status != CPG_REDIS_OK || reply[0].type != CPG_REDIS_INTEGER ||
		(reply[1].type != CPG_REDIS_STRING && reply[1].type != CPG_REDIS_NIL))
	{
		cpg_stats_add(ns->number, CPG_COUNT_L2_UNAVAILABLE, 1);
		return false;
	}
	if (reply[1].type == CPG_REDIS_NIL || reply[0].integer <= 0)
	{
		cpg_stats_add(ns->number, CPG_COUNT_L2_MISSES, 1);
		return false;
	}
	return true;
}

/* Whether the own server's clock says that a frame of its own is valid. */
static bool
is_valid_here(const Found *found, uint64 hash)
{
	const CpgFrame *frame = &found->frame;
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];

	cpg_bus_epoch(epoch);
	if (!cpg_span_equal(frame->origin, cpg_span(cpg_bus_origin(), strlen(cpg_bus_origin()))) ||
		memcmp(frame->epoch, epoch, sizeof(epoch)) != 0)
		return false;
	/* nothing would make it invalid */
	if (frame->stamp > cpg_guard_stamp(cpg_guard))
		return false;
	for (int i = 0; i < frame->ncells; i++)
	{
		if (found->cell[i] >= cpg_guard->first[CPG_CELL_MIRROR])
			return false;
		if (!cpg_guard_valid(cpg_guard, found->cell[i], frame->stamp) && !CPG_SKIP("l2-cells"))
			return false;
		if ((cpg_cell_kind(cpg_guard, found->cell[i]) == CPG_CELL_NAMESPACE ||
			 cpg_cell_kind(cpg_guard, found->cell[i]) == CPG_CELL_TAG) &&
			cpg_guard_stale(cpg_guard, found->cell[i], frame->stamp))
			return false;
	}
	return !cpg_guard_key_stale(cpg_guard, hash, frame->stamp);
}

/* Whether the mirror of the home's clock says so of one of the home's. */
static bool
is_valid_there(const Found *found)
{
	const CpgFrame *frame = &found->frame;

	return cpg_span_equal(frame->origin, cpg_span(cpg_l2_home, strlen(cpg_l2_home))) &&
		cpg_mirror_admits(frame->epoch, frame->stamp, found->cell, frame->ncells) &&
		cpg_mirror_current(cpg_clock_now());
}

/* The value in a frame; false if it cannot be read as one of that type. */
static bool
decode(const CpgFrame *frame, Oid type, Datum *datum, bool *isnull)
{
	*isnull = (frame->flags & CPG_FRAME_NULL) != 0;
	return OidIsValid(type) &&
		cpg_codec_decode(frame, type, cpg_store_value_max(cpg_store), datum);
}

/* Whether a frame is sound, is what was asked for, and valid. */
static bool
is_acceptable(const CpgL2Name *name, const CpgKey *key, const CpgRedisReply *reply, Found *found)
{
	CpgFrame   *frame = &found->frame;

	if (cpg_frame_decode((const uint8 *) reply->data, reply->len, frame) != CPG_FRAME_FAULT_NONE ||
		frame->ncells < CPG_L2_IMPLIED_CELLS || frame->ncells > lengthof(found->cell) ||
		!cpg_l2_name_matches(name, frame) ||
		!cpg_seal_holds(frame, (const uint8 *) reply->data,
						cpg_redis_node_for(name->key, name->key_len)))
		return false;
	for (int i = 0; i < frame->ncells; i++)
		found->cell[i] = cpg_frame_cell(frame, i);
	return cpg_mirror_exists() ? is_valid_there(found) : is_valid_here(found, key->hash);
}

/* The item under which a value is kept here; false if it cannot be. */
static bool
fill_item(const CpgNamespace *ns, const Found *found, int64 now, CpgCell *cells, CpgItem *item)
{
	const CpgFrame *frame = &found->frame;

	item->created = now - Max((int64) frame->life - found->life, 0);
	item->expiry = now + Min(found->life, frame->life);
	item->soft_ttl = frame->soft_life;
	item->load_time = frame->load_time;
	item->max_entries = ns->max_entries;
	item->max_bytes = ns->max_bytes;
	item->cells = cells;
	if (!cpg_mirror_exists())
	{
		item->stamp = frame->stamp;
		item->ncells = frame->ncells - CPG_L2_IMPLIED_CELLS;
		memcpy(cells, found->cell + CPG_L2_IMPLIED_CELLS, item->ncells * sizeof(CpgCell));
		return true;
	}
	if (frame->ncells + 1 > CPG_CELLS_MAX)
		return false;
	item->stamp = CPG_SKIP("l2-stamp-order") ? cpg_guard_stamp(cpg_guard) : found->stamp;
	item->ncells = cpg_mirror_cells(found->cell, frame->ncells, cells);
	return true;
}

/* Keep a value here, and give it to the caller. */
static bool
keep(CpgNamespace *ns, const CpgKey *key, const Found *found, Oid type, Datum datum, bool isnull,
	 CpgValue *value)
{
	CpgCell		cells[CPG_CELLS_MAX];
	CpgTypeInfo info;
	CpgWrite	record;

	memset(&record, 0, sizeof(record));
	record.op = CPG_WRITE_PUT;
	record.mode = CPG_PUT_FILL;
	record.immediate = true;
	record.ns = ns;
	record.key = *key;
	record.key.any_fingerprint = false;
	record.now = cpg_clock_now();
	cpg_type_info(type, &info);
	cpg_value_encode(&info, datum, isnull, &record.item);
	if (fill_item(ns, found, record.now, cells, &record.item) &&
		!cpg_inval_hides(key, record.item.cells, record.item.ncells))
		(void) cpg_inval_write(&record);
	else
		return false;
	value->datum = datum;
	value->isnull = isnull;
	value->typid = type;
	value->len = record.item.len;
	value->kind = info.kind;
	value->shape = record.item.shape;
	value->stamp = record.item.stamp;
	value->created = record.item.created;
	value->expiry = record.item.expiry;
	value->soft_ttl = record.item.soft_ttl;
	value->load_time = record.item.load_time;
	value->stale = false;
	return true;
}

/* Keep and give what came for a request, if it is valid and of the type wanted. */
static bool
take(CpgL2Request *request, const CpgRedisReply *reply, Found *found)
{
	Oid			type;
	Datum		datum = (Datum) 0;
	bool		isnull;
	bool		good;
	CpgTypeOwner before;

	if (!is_acceptable(&request->name, &request->key, reply, found))
		return false;
	CPG_FAULT("l2-accepted");
	type = cpg_codec_type(found->frame.type_schema, found->frame.type_name);
	if (!OidIsValid(type) ||
		!cpg_l2_wants_type(request, type, (found->frame.flags & CPG_FRAME_NULL) != 0))
		return false;
	cpg_type_owner_enter(type, &before);
	good = decode(&found->frame, type, &datum, &isnull) &&
		(isnull || cpg_l2_wants(request, type, datum));
	cpg_type_owner_leave(&before);
	return good &&
		keep(&request->ns, &request->key, found, type, datum, isnull, request->value);
}

/* Ask a node for a few values in one round trip. */
static void
fill_some(CpgL2Request **requests, int count, int node)
{
	Asking		asking[CPG_L2_CHUNK];
	CpgRedisCommand command[2 * CPG_L2_CHUNK];
	CpgRedisReply reply[2 * CPG_L2_CHUNK];
	CpgRedisStatus status;
	uint64		stamp = cpg_guard_stamp(cpg_guard);

	CPG_FAULT("l2-stamped");
	for (int i = 0; i < count; i++)
		prepare(&asking[i], requests[i]->name.key, requests[i]->name.key_len, &command[2 * i]);
	status = cpg_redis_pipeline(node, command, 2 * count, CPG_REDIS_IDEMPOTENT, cpg_redis_timeout,
								reply);
	CPG_FAULT("l2-answered");
	for (int i = 0; i < count; i++)
	{
		CpgL2Request *request = requests[i];
		Found		found = {.stamp = stamp};

		if (!is_answer(&request->ns, status, &reply[2 * i]))
			continue;
		found.life = reply[2 * i].integer;
		request->found = take(request, &reply[2 * i + 1], &found);
		cpg_stats_add(request->ns.number, request->found ? CPG_COUNT_L2_HITS : CPG_COUNT_L2_REFUSED, 1);
	}
}

/*
 * Look for values in Redis; those that are there, valid and of the type wanted
 * are kept here and given to the caller.  Takes cachepg.redis_timeout at most for
 * each CPG_L2_CHUNK values of a node.  Raises no errors but those of a cancellation and
 * of memory.
 */
void
cpg_l2_fill_many(CpgL2Request *requests, int count)
{
	int		   *nodes = palloc(count * sizeof(int));
	int			chunk[CPG_L2_CHUNK];
	int			node;
	int			n;

	for (int i = 0; i < count; i++)
	{
		nodes[i] = cpg_redis_node_for(requests[i].name.key, requests[i].name.key_len);
		requests[i].found = false;
	}
	while ((n = cpg_l2_next_chunk(nodes, count, chunk, &node)) > 0)
	{
		CpgL2Request *some[CPG_L2_CHUNK];

		for (int i = 0; i < n; i++)
			some[i] = &requests[chunk[i]];
		fill_some(some, n, node);
	}
	pfree(nodes);
}

/* The same for one value of a type; true if it was found. */
bool
cpg_l2_fill(CpgNamespace *ns, const CpgKey *key, const CpgL2Name *name, Oid wanted,
			CpgValue *value)
{
	CpgL2Request request = {.ns = *ns,.key = *key,.name = *name,.as = CPG_L2_AS_TYPE,.wanted = wanted,
	.value = value};
	CpgL2Request *some = &request;

	fill_some(&some, 1, cpg_redis_node_for(name->key, name->key_len));
	return request.found;
}

/*
 * Whether what has this life left was handed over since it was asked for, if Redis
 * was asked at "now" or later.
 */
static bool
is_new(const CpgL2Handed *handed, const CpgRedisReply *life, int64 now)
{
	return life->type == CPG_REDIS_INTEGER && life->integer > 0 &&
		(CPG_L2_HANDED_LIFE - life->integer <= now - handed->asked ||
		 CPG_SKIP("l2-handed-age"));
}

/* Whether a reply of Redis is a value handed over that may be taken. */
static bool
is_handed(CpgL2Handed *handed, const CpgRedisReply *reply, int node)
{
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];
	CpgFrame	frame;

	if (reply->type != CPG_REDIS_STRING)
		return false;
	cpg_mirror_epoch(epoch);
	if (cpg_frame_decode((const uint8 *) reply->data, reply->len, &frame) != CPG_FRAME_FAULT_NONE ||
		!cpg_l2_name_matches(handed->name, &frame) ||
		!cpg_seal_holds(&frame, (const uint8 *) reply->data, node) ||
		memcmp(frame.epoch, epoch, sizeof(epoch)) != 0 ||
		frame.stamp < handed->known ||
		cpg_codec_type(frame.type_schema, frame.type_name) != handed->wanted ||
		!decode(&frame, handed->wanted, &handed->value, &handed->isnull))
		return false;
	handed->load_time = frame.load_time;
	return true;
}

/* Ask a node for a few values handed over. */
static void
take_over_some(CpgL2Handed **some, int count, int node)
{
	Asking		asking[CPG_L2_CHUNK];
	CpgRedisCommand command[2 * CPG_L2_CHUNK] = {0};
	CpgRedisReply reply[2 * CPG_L2_CHUNK];
	int64		now = cpg_clock_now();

	for (int i = 0; i < count; i++)
		prepare(&asking[i], cpg_l2_sibling_key(some[i]->name, 'h'), some[i]->name->key_len,
				&command[2 * i]);
	if (cpg_redis_pipeline(node, command, 2 * count, CPG_REDIS_IDEMPOTENT, cpg_redis_timeout,
						   reply) != CPG_REDIS_OK)
		return;
	for (int i = 0; i < count; i++)
		some[i]->found = is_new(some[i], &reply[2 * i], now) &&
			is_handed(some[i], &reply[2 * i + 1], node);
}

/*
 * Take what other servers, which are not the home either, left for those who
 * wait; see cpg_l2_hand_over.  Those who asked before it was left, that is: its
 * life begins anew where it is taken.  They must have known of everything that
 * the home had invalidated, as far as it was known here when it was asked.
 */
void
cpg_l2_take_over(CpgL2Handed *handed, int count)
{
	int		   *nodes = palloc(count * sizeof(int));
	int			chunk[CPG_L2_CHUNK];
	int			node;
	int			n;

	for (int i = 0; i < count; i++)
	{
		char	   *key = cpg_l2_sibling_key(handed[i].name, 'h');

		nodes[i] = cpg_redis_node_for(key, handed[i].name->key_len);
		handed[i].found = false;
		pfree(key);
	}
	while ((n = cpg_l2_next_chunk(nodes, count, chunk, &node)) > 0)
	{
		CpgL2Handed *some[CPG_L2_CHUNK];

		for (int i = 0; i < n; i++)
			some[i] = &handed[chunk[i]];
		take_over_some(some, n, node);
	}
	pfree(nodes);
}
