/*-------------------------------------------------------------------------
 *
 * values.h
 *	  What the broadcaster sends beside messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CPG_WORKER_VALUES_H
#define CPG_WORKER_VALUES_H

#define CPG_SEND_TIMEOUT 1000	/* ms for an answer of Redis */

extern void cpg_values_prepare(void);
extern bool cpg_values_send(void);

#endif							/* CPG_WORKER_VALUES_H */
