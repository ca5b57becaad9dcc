// SPDX-License-Identifier: GPL-2.0
/*
 * The descriptors of all wire structures, made from their field lists, and the
 * table of messages. Nothing here is written by hand.
 */
#include "structs.h"
#include "messages.h"

NACRE_STRUCTS(NACRE_STRUCT_DEFINE)

#define MESSAGE_ROW(NAME, number, body, sender, data_max, doc)		\
	{ number, sender, data_max, #NAME, body##_desc, doc },

static const struct nacre_message messages[] = {
	NACRE_MESSAGES(MESSAGE_ROW)
};

const struct nacre_message *nacre_message_find(__u16 type)
{
	unsigned int i;

	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type)
			return &messages[i];
	return NULL;
}

const struct nacre_message *nacre_message_table(unsigned int *count)
{
	*count = sizeof(messages) / sizeof(messages[0]);
	return messages;
}
