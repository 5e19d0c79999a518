/*-------------------------------------------------------------------------
 *
 * record.c
 *	  What one transaction invalidates, as bytes.
 *
 * Items one after the other: what (1 byte), cell (4), length of the name (2),
 * name.  Local to the server: what goes over the wire is wire/message.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "utils/memutils.h"

/*
 * Add an item.  A record that gets too long for a message stands for everything
 * in its database, or, if it is global, in all of them.  May run out of memory.
 */
void
cpg_bus_record_add(CpgBusRecord *record, MemoryContext context, const CpgBusItem *item)
{
	Size		bytes = CPG_BUS_ITEM_SIZE + item->len;
	uint16		len = (uint16) item->len;
	char	   *at;

	if (record->too_long || record->len + bytes > CPG_BUS_RECORD_MAX ||
		record->nitems == CPG_BUS_ITEMS_MAX)
	{
		record->too_long = true;
		return;
	}
	if (record->data == NULL)
	{
		record->room = Max(256, bytes);
		record->data = MemoryContextAlloc(context, record->room);
	}
	else if (record->len + bytes > record->room)
	{
		record->data = repalloc(record->data, 2 * record->room + bytes);
		record->room = 2 * record->room + bytes;
	}
	at = record->data + record->len;
	at[0] = (char) item->what;
	memcpy(at + 1, &item->cell, sizeof(uint32));
	memcpy(at + 5, &len, sizeof(uint16));
	if (len > 0)
		memcpy(at + CPG_BUS_ITEM_SIZE, item->name, len);
	record->len += bytes;
	record->nitems++;
}

/* The item at *at, which moves on; false behind the last. */
bool
cpg_bus_next_item(const CpgBusTaken *taken, Size *at, CpgBusItem *item)
{
	const char *from = taken->items + *at;
	uint16		len;

	if (*at >= taken->len)
		return false;
	item->what = (CpgMessageWhat) from[0];
	memcpy(&item->cell, from + 1, sizeof(uint32));
	memcpy(&len, from + 5, sizeof(uint16));
	item->name = from + CPG_BUS_ITEM_SIZE;
	item->len = len;
	*at += CPG_BUS_ITEM_SIZE + len;
	return true;
}
