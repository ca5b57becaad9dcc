/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The admin socket: a UNIX stream socket on which a daemon answers one command
 * a line with text and closes. Commands are registered by whoever knows the
 * answer; `help` and `counters` are built in. `nacre -c FILE -n NAME CMD` speaks to it.
 */
#ifndef NACRE_ADMIN_H
#define NACRE_ADMIN_H

#include <stdbool.h>
#include "io.h"
#include "stats.h"

struct admin;

/* The longest command line, its newline included. */
#define ADMIN_LINE_BYTES 4096

/* Where an answer is collected; bounded, says "(cut)" at the end when it overflows. */
struct admin_answer;
void admin_print(struct admin_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A command that cannot answer at once keeps `answer` and calls this later. */
void admin_finish(struct admin_answer *answer);

/* Returns true when the answer is complete, false when admin_finish() will follow. */
typedef bool (*admin_command)(void *owner, int argc, char **argv, struct admin_answer *answer);

int admin_create(struct io *io, const char *path, struct admin **ret_admin);
/* Answers not finished yet may still be finished afterwards; nobody reads them. */
void admin_destroy(struct admin *admin);
/* `name` and `doc` are not copied. A name registered again is replaced. 0 or -ENOMEM. */
int admin_register(struct admin *admin, const char *name, const char *doc, admin_command command,
		   void *owner);
/* Forget every command and set of this owner, or the set itself. */
void admin_unregister(struct admin *admin, const void *owner_or_set);
/* Printed by `counters` as "AREA.NAME VALUE"; the set must stay until it is unregistered. */
int admin_register_stats(struct admin *admin, const struct stats_set *set);

#endif
