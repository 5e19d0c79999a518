/*-------------------------------------------------------------------------
 *
 * sending.c
 *	  The commands that send one message to the stream and to the channel.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bus/bus.h"
#include "worker/sending.h"

/*
 * Make the two commands that send a message, made at a time (ms, as text), to the
 * stream, which keeps about so many (as text), and to the channel.
 */
void
cpg_sending_prepare(CpgSending *sending, CpgRedisCommand *command, StringInfo message,
					const char *length, const char *made)
{
	const char *stream = cpg_bus_key();
	const char *add[] = {"XADD", stream, "MAXLEN", "~", length, "*", "m", message->data, "t", made};
	const char *publish[] = {"PUBLISH", stream, message->data};

	memcpy(sending->add, add, sizeof(add));
	memcpy(sending->publish, publish, sizeof(publish));
	for (int i = 0; i < lengthof(add); i++)
		sending->add_lens[i] = strlen(add[i]);
	for (int i = 0; i < lengthof(publish); i++)
		sending->publish_lens[i] = strlen(publish[i]);
	sending->add_lens[7] = sending->publish_lens[2] = (size_t) message->len;
	command[0].argc = lengthof(add);
	command[0].argv = sending->add;
	command[0].lens = sending->add_lens;
	command[1].argc = lengthof(publish);
	command[1].argv = sending->publish;
	command[1].lens = sending->publish_lens;
}
