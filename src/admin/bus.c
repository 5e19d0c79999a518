/*-------------------------------------------------------------------------
 *
 * bus.c
 *	  How this server's part of the bus is doing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/row.h"
#include "bus/bus.h"
#include "clock.h"
#include "guc.h"

PG_FUNCTION_INFO_V1(cachepg_bus);

Datum
cachepg_bus(PG_FUNCTION_ARGS)
{
	uint8		epoch[CPG_MESSAGE_EPOCH_LEN];
	char		hex[2 * CPG_MESSAGE_EPOCH_LEN + 1];
	CpgBusView	view;
	CpgRow		row = {0};

	cpg_require_preload();
	cpg_row_begin_set(fcinfo);
	if (!cpg_bus_usable())
		return (Datum) 0;
	cpg_bus_view(&view);
	cpg_bus_epoch(epoch);
	(void) hex_encode((const char *) epoch, sizeof(epoch), hex);
	hex[2 * CPG_MESSAGE_EPOCH_LEN] = '\0';
	cpg_row_add_text(&row, cpg_bus_origin());
	cpg_row_add_text(&row, view.follows ? cpg_l2_home : cpg_bus_origin());
	cpg_row_add_text(&row, hex);
	cpg_row_add(&row, BoolGetDatum(view.active));
	cpg_row_add_int(&row, view.messages);
	cpg_row_add_int(&row, view.unsent);
	cpg_row_add_int(&row, (uint64) view.lost);
	cpg_row_add_int(&row, view.values);
	cpg_row_add_int(&row, view.dropped);
	if (view.follows)
		cpg_row_add(&row, BoolGetDatum(view.current));
	else
		cpg_row_add_null(&row);
	if (view.follows && view.heard != 0)
		cpg_row_add_interval(&row, cpg_clock_now() - view.heard);
	else
		cpg_row_add_null(&row);
	cpg_row_emit(fcinfo, &row);
	return (Datum) 0;
}
