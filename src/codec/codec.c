/*-------------------------------------------------------------------------
 *
 * codec.c
 *	  From a value to bytes and back, by one of the codecs.
 *
 * What can fail runs in a subtransaction, whose errors mean that the value
 * cannot be encoded or the bytes are not usable.  Plain values need none: those
 * of types that cachepg writes and reads itself, or has checked so far that
 * PostgreSQL's function takes them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "codec/codec_internal.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#define PLAIN_VALUE_MAX (16 * 1024 * 1024)

/* A value to be encoded or decoded, as it goes through the subtransaction. */
typedef struct Job
{
	CpgCodecType type;
	CpgFrameCodec codec;
	CpgSpan		bytes;
	Datum		datum;
} Job;

/* Whether this library was built with what a codec needs to write. */
bool
cpg_codec_available(CpgFrameCodec codec)
{
#ifdef CPG_HAVE_MSGPACK
	return true;
#else
	return codec != CPG_FRAME_MSGPACK;
#endif
}

/* Errors that are not about the value: lack of memory, cancellation, shutdown. */
static bool
is_passed_on(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

static bool
with_snapshot(bool (*function) (void *), void *argument)
{
	bool		done;

	if (ActiveSnapshotSet())
		return function(argument);
	/* functions that check a value may look at tables */
	PushActiveSnapshot(GetTransactionSnapshot());
	done = function(argument);
	PopActiveSnapshot();
	return done;
}

/*
 * Call a function in a subtransaction; false if it gives that or an error, or if
 * there can be none.  Raises nothing but cancellations and lack of memory.
 */
bool
cpg_codec_guarded(bool (*function) (void *), void *argument)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	if (!IsTransactionState() || IsInParallelMode())
		return false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		done = with_snapshot(function, argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		done = false;
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (is_passed_on(error->sqlerrcode))
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return done;
}

/* Whether cachepg reads and writes values of a type itself, without errors. */
static bool
is_plain(const CpgCodecType *type)
{
	return type->base == type->typid && type->class != CPG_CLASS_OTHER && type->class != CPG_CLASS_JSON &&
		GetDatabaseEncoding() == PG_UTF8;
}

/* Whether a value is written without errors; one as long as that may be too long. */
static bool
is_plain_value(const CpgCodecType *type, Datum datum)
{
	return is_plain(type) && (type->class == CPG_CLASS_BOOLEAN || type->class == CPG_CLASS_INTEGER ||
							  toast_raw_datum_size(datum) <= PLAIN_VALUE_MAX);
}

/* As cpg_codec_is_portable, known at once of the types that have a class. */
static bool
is_portable(const CpgCodecType *type)
{
	return type->class != CPG_CLASS_OTHER || cpg_codec_is_portable(type->typid);
}

static bool
encode(void *argument)
{
	Job		   *job = argument;
	const CpgCodecType *type = &job->type;

	if (job->codec == CPG_FRAME_MSGPACK && cpg_msgpack_encode(type, job->datum, &job->bytes))
		return true;
	if (job->codec == CPG_FRAME_BINARY && is_portable(type) &&
		cpg_binary_encode(type, job->datum, &job->bytes))
		return true;
	job->codec = CPG_FRAME_JSON;
	return cpg_json_encode(type, job->datum, &job->bytes);
}

/*
 * Encode a value in the current memory context, by the codec wanted or, where
 * that cannot be, by json; compressed if it is longer than compress_above (0:
 * never) and gets shorter.  The bytes may lie in the datum.  False if the value
 * cannot be encoded.
 */
bool
cpg_codec_encode(CpgFrameCodec wanted, Oid typid, Datum value, bool isnull, int compress_above,
				 CpgEncoded *encoded)
{
	Job			job = {.codec = wanted,.datum = value};
	CpgSpan		compressed;

	memset(encoded, 0, sizeof(*encoded));
	encoded->codec = wanted;
	if (isnull)
	{
		encoded->flags = CPG_FRAME_NULL;
		return true;
	}
	job.type = cpg_codec_type_of(typid);
	if (!(is_plain_value(&job.type, value) ? encode(&job) : cpg_codec_guarded(encode, &job)))
		return false;
	if (job.bytes.len > CPG_FRAME_RAW_MAX)
		return false;
	encoded->codec = job.codec;
	encoded->raw_len = (uint32) job.bytes.len;
	encoded->data = job.bytes.data;
	encoded->len = job.bytes.len;
	if (compress_above > 0 && job.bytes.len > (size_t) compress_above && cpg_compress(job.bytes, &compressed))
	{
		encoded->flags |= CPG_FRAME_LZ4;
		encoded->data = compressed.data;
		encoded->len = compressed.len;
	}
	return true;
}

static bool
decode(void *argument)
{
	Job		   *job = argument;
	const CpgCodecType *type = &job->type;

	switch (job->codec)
	{
		case CPG_FRAME_JSON:
			return cpg_json_decode(type, job->bytes, &job->datum);
		case CPG_FRAME_MSGPACK:
			return cpg_msgpack_decode(type, job->bytes, &job->datum);
		case CPG_FRAME_BINARY:
			return is_portable(type) && cpg_binary_decode(type, job->bytes, &job->datum);
	}
	return false;
}

/* Whether bytes will be decoded, or found unusable, without an error. */
static bool
is_plain_input(const Job *job)
{
	if (!is_plain(&job->type) || job->bytes.len > CPG_CODEC_PLAIN_MAX)
		return false;
	if (job->type.class != CPG_CLASS_JSONB || job->codec == CPG_FRAME_MSGPACK)
		return true;
	if (job->codec == CPG_FRAME_JSON)
		return cpg_json_check(job->bytes) == CPG_JSON_VALID;
	return job->bytes.len > 0 &&
		cpg_json_check(cpg_span(job->bytes.data + 1, job->bytes.len - 1)) == CPG_JSON_VALID;
}

static bool
check_null(void *typid)
{
	Oid			function;
	Oid			parameter;

	getTypeInputInfo(*(Oid *) typid, &function, &parameter);
	(void) OidInputFunctionCall(function, NULL, parameter, -1);
	return true;
}

/* Whether NULL can be a value of a type: a domain may refuse it. */
static bool
may_be_null(Oid typid)
{
	return typid < FirstNormalObjectId || get_typtype(typid) != TYPTYPE_DOMAIN ||
		cpg_codec_guarded(check_null, &typid);
}

/*
 * Decode what a frame holds as a value of a type, in the current memory context;
 * of a NULL, of which the frame's flags tell, value is 0.  False if that cannot
 * be used, be it longer than max, damaged or of another type.  Raises nothing but
 * cancellations and lack of memory.
 */
bool
cpg_codec_decode(const CpgFrame *frame, Oid typid, Size max, Datum *value)
{
	Job			job = {.codec = frame->codec,.bytes = frame->payload};

	*value = (Datum) 0;
	if (frame->flags & CPG_FRAME_NULL)
		return frame->payload.len == 0 && may_be_null(typid);
	if (frame->raw_len > max || frame->payload.len > max || frame->raw_len >= MaxAllocSize / 2)
		return false;
	if (frame->flags & CPG_FRAME_LZ4)
	{
		if (!cpg_decompress(frame->payload, frame->raw_len, &job.bytes))
			return false;
	}
	else if (frame->payload.len != frame->raw_len)
		return false;
	job.type = cpg_codec_type_of(typid);
	if (!(is_plain_input(&job) ? decode(&job) : cpg_codec_guarded(decode, &job)))
		return false;
	*value = job.datum;
	return true;
}
