/*-------------------------------------------------------------------------
 *
 * l2.h
 *	  The second level: values in Redis, and what other servers invalidate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_L2_L2_H
#define CPG_L2_L2_H

#include "bus/frames.h"
#include "inval/inval.h"
#include "l2/name.h"
#include "wire/message.h"

/* Those of a frame before the ones of its entry: of namespace, database, key, role. */
#define CPG_L2_IMPLIED_CELLS 4

/* A value to be written, beside its name. */
typedef struct CpgL2Value
{
	Oid			type;
	Datum		value;
	bool		isnull;
	const CpgItem *item;		/* life and cells; its data are not looked at */
} CpgL2Value;

/* apply.c */
typedef struct CpgApply
{
	Oid			database;		/* here, of the message's name; InvalidOid:
								 * there is none */
	bool		from_home;
	bool		retell;			/* this server is the home of others: they are
								 * to hear of it from here */
	uint64		number;			/* the origin's */
} CpgApply;

extern void cpg_apply_item(const CpgApply *apply, const CpgMessageItem *item);
extern void cpg_apply_everything(const CpgApply *apply);

/* read.c */
extern bool cpg_l2_readable(const CpgNamespace *ns);
extern bool cpg_l2_worth_asking(CpgCounter why);

/* As what a value is wanted; what cannot be that is not taken. */
typedef enum CpgL2As
{
	CPG_L2_AS_IT_IS,
	CPG_L2_AS_TYPE,				/* of a type, exactly */
	CPG_L2_AS_CONVERTED,		/* as cpg_value_convert makes it one of a type */
	CPG_L2_AS_JSONB				/* as cpg_value_to_jsonb makes it jsonb */
} CpgL2As;

/* What is looked for in Redis, and whether it was there. */
typedef struct CpgL2Request
{
	CpgNamespace ns;			/* a copy: whoever resolves another key may
								 * read all namespaces anew */
	CpgKey		key;
	CpgL2Name	name;
	CpgL2As		as;
	Oid			wanted;			/* type */
	CpgValue   *value;			/* filled if found */
	bool		found;
} CpgL2Request;

/* wanted.c */
extern bool cpg_l2_wants_type(const CpgL2Request *request, Oid typid, bool isnull);
extern bool cpg_l2_wants(const CpgL2Request *request, Oid typid, Datum datum);

/* read.c */
extern void cpg_l2_fill_many(CpgL2Request *requests, int count);
extern bool cpg_l2_fill(CpgNamespace *ns, const CpgKey *key, const CpgL2Name *name, Oid wanted,
						CpgValue *value);

#define CPG_L2_HANDED_LIFE 10000	/* ms in Redis */

/* What other servers may have handed over, and whether they did. */
typedef struct CpgL2Handed
{
	const CpgL2Name *name;
	Oid			wanted;			/* type */
	int64		asked;			/* ms, when it was asked for */
	uint64		known;			/* of the home's clock, then */
	Datum		value;
	bool		isnull;
	uint32		load_time;		/* microseconds */
	bool		found;
} CpgL2Handed;

extern void cpg_l2_take_over(CpgL2Handed *handed, int count);

/* write.c */
extern bool cpg_l2_writable(const CpgNamespace *ns);
extern bool cpg_l2_make(const CpgNamespace *ns, const CpgKey *key, const CpgL2Name *name,
						const CpgL2Value *value, CpgFrameJob *job);
extern void cpg_l2_send(const CpgKey *key, const CpgFrameJob *job);
extern void cpg_l2_hand_over(const CpgNamespace *ns, const CpgKey *key, const CpgL2Name *name,
							 const CpgL2Value *value, uint64 position);

#endif							/* CPG_L2_L2_H */
