/*-------------------------------------------------------------------------
 *
 * error.h
 *	  Errors that several rooms raise, each with one wording.
 *
 * Keys and values never appear in a message: lengths and names of namespaces
 * only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_ERROR_H
#define CPG_ERROR_H

#define cpg_error_bad_argument(...) \
	ereport(ERROR, \
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg(__VA_ARGS__)))

#define cpg_error_null_argument(what) \
	ereport(ERROR, \
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), \
			 errmsg("%s must not be null", (what))))

#endif							/* CPG_ERROR_H */
