/*-------------------------------------------------------------------------
 *
 * reply.c
 *	  Replies in palloc'd memory, and what errors among them mean.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "redis/redis_internal.h"

static const struct
{
	const char *code;
	CpgRedisClass class;
}			codes[] =

{
	{"ASK", CPG_REDIS_CLASS_REDIRECT},
	{"BUSY", CPG_REDIS_CLASS_RETRY},
	{"CLUSTERDOWN", CPG_REDIS_CLASS_RETRY},
	{"LOADING", CPG_REDIS_CLASS_RETRY},
	{"MASTERDOWN", CPG_REDIS_CLASS_RETRY},
	{"MISCONF", CPG_REDIS_CLASS_REFUSED},
	{"MOVED", CPG_REDIS_CLASS_REDIRECT},
	{"NOAUTH", CPG_REDIS_CLASS_CONFIGURATION},
	{"NOPERM", CPG_REDIS_CLASS_CONFIGURATION},
	{"NOREPLICAS", CPG_REDIS_CLASS_REFUSED},
	{"NOSCRIPT", CPG_REDIS_CLASS_NO_SCRIPT},
	{"OOM", CPG_REDIS_CLASS_REFUSED},
	{"READONLY", CPG_REDIS_CLASS_REFUSED},
	{"TRYAGAIN", CPG_REDIS_CLASS_RETRY},
	{"WRONGPASS", CPG_REDIS_CLASS_CONFIGURATION}
};

/*
 * The first word of an error, which is all of it that may be shown: the rest
 * can contain keys and arguments.  Empty if that is not a word in capitals.
 */
void
cpg_reply_code(const CpgRedisReply *reply, char *code, size_t size)
{
	size_t		n = 0;

	while (n < reply->len && n < size - 1 && reply->data[n] >= 'A' && reply->data[n] <= 'Z')
	{
		code[n] = reply->data[n];
		n++;
	}
	/* a part of a word is none */
	if (n < reply->len && reply->data[n] != ' ')
		n = 0;
	code[n] = '\0';
}

static CpgRedisClass
classify(const CpgRedisReply *reply)
{
	char		code[CPG_REDIS_CODE_SIZE];

	cpg_reply_code(reply, code, sizeof(code));
	for (int i = 0; i < lengthof(codes); i++)
	{
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].class;
	}
	return CPG_REDIS_CLASS_OTHER;
}

static void
copy_string(const redisReply *raw, CpgRedisReply *reply, CpgRedisType type)
{
	reply->type = type;
	reply->len = raw->len;
	/* longer than palloc likes is for the limiter to prevent */
	reply->data = palloc(raw->len + 1);
	memcpy(reply->data, raw->str, raw->len);
	reply->data[raw->len] = '\0';
}

/* Copy a reply of hiredis, whose depth the limiter has bounded. */
void
cpg_reply_copy(const redisReply *raw, CpgRedisReply *reply)
{
	memset(reply, 0, sizeof(*reply));
	switch (raw->type)
	{
		case REDIS_REPLY_STRING:
			copy_string(raw, reply, CPG_REDIS_STRING);
			break;
		case REDIS_REPLY_STATUS:
			copy_string(raw, reply, CPG_REDIS_STATUS);
			break;
		case REDIS_REPLY_ERROR:
			copy_string(raw, reply, CPG_REDIS_ERROR);
			reply->class = classify(reply);
			break;
		case REDIS_REPLY_INTEGER:
			reply->type = CPG_REDIS_INTEGER;
			reply->integer = raw->integer;
			break;
		case REDIS_REPLY_ARRAY:
			reply->type = CPG_REDIS_ARRAY;
			reply->count = (int) raw->elements;
			reply->items = palloc0(sizeof(CpgRedisReply) * Max(reply->count, 1));
			for (int i = 0; i < reply->count; i++)
				cpg_reply_copy(raw->element[i], &reply->items[i]);
			break;
		default:
			reply->type = CPG_REDIS_NIL;
			break;
	}
}

/* What TIME answered, in ms; 0 if that is no time. */
int64
cpg_redis_reply_time(const CpgRedisReply *reply)
{
	if (reply->type != CPG_REDIS_ARRAY || reply->count != 2 ||
		reply->items[0].type != CPG_REDIS_STRING || reply->items[1].type != CPG_REDIS_STRING)
		return 0;
	return (int64) strtoll(reply->items[0].data, NULL, 10) * 1000 +
		(int64) strtoll(reply->items[1].data, NULL, 10) / 1000;
}
