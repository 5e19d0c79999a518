/*-------------------------------------------------------------------------
 *
 * value.h
 *	  SQL values of any type as bytes, and back.
 *
 * A value is kept flat (never toasted, compressed as a whole, or expanded) with
 * its type.  Types that contain a composite carry a fingerprint of their shape,
 * by which a value written before ALTER TYPE is recognized.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_VALUE_VALUE_H
#define CPG_VALUE_VALUE_H

#include "store/store.h"

/* How a type is stored; remembered per call site. */
typedef struct CpgTypeInfo
{
	Oid			typid;
	int16		typlen;
	bool		typbyval;
	bool		structured;		/* may contain a composite: has a shape */
	CpgKind		kind;
	Datum		scratch;		/* of a by-value item being stored */
} CpgTypeInfo;

/* encode.c */
extern void cpg_type_info(Oid typid, CpgTypeInfo *info);
extern void cpg_value_encode(CpgTypeInfo *info, Datum datum, bool isnull, CpgItem *item);

/* decode.c */
typedef struct CpgDomainState
{
	Oid			domain;
	void	   *extra;			/* of domain_check */
	MemoryContext context;
} CpgDomainState;

extern bool cpg_value_current(const CpgValue *value);
extern bool cpg_value_convertible(Oid typid, Oid asked);
extern bool cpg_value_in_range(Oid typid, Datum datum, Oid asked);
extern void cpg_value_convert(CpgValue *value, Oid asked, CpgDomainState *state);

/* shape.c */
extern Oid	cpg_type_inside(Oid typid, char typtype);
extern bool cpg_type_is_structured(Oid typid);
extern uint64 cpg_type_shape(Oid typid);

/* json.c */
extern bool cpg_value_is_simple(Oid typid);
extern Datum cpg_value_to_jsonb(Oid typid, Datum datum);

/* owner.c */
typedef struct CpgTypeOwner
{
	bool		changed;
	Oid			user;			/* as it was before */
	int			security;
	int			nest_level;
} CpgTypeOwner;

extern void cpg_type_owner_enter(Oid typid, CpgTypeOwner *before);
extern void cpg_type_owner_leave(const CpgTypeOwner *before);
extern Datum cpg_value_show(Oid typid, Datum datum);

#endif							/* CPG_VALUE_VALUE_H */
