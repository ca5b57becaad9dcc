// SPDX-License-Identifier: GPL-2.0
/*
 * The admin socket: accepts, reads one line, looks the command up, sends the
 * answer, closes. Answers are bounded, so are the line and the number of
 * clients at a time. Everything runs on the daemon's loop.
 *
 * An answer lives from the command until it is sent; when the asker goes away
 * first it loses its client and is freed by admin_finish().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "admin.h"

#define CLIENTS_MAX 64
#define ANSWER_MAX (4u << 20)
#define ARGS_MAX 16
#define CUT_TEXT "\n(cut)\n"

struct command {
	struct command *next;
	const char *name;
	const char *doc;
	admin_command run;
	void *owner;
};

struct set_entry {
	struct set_entry *next;
	const struct stats_set *set;
};

struct client {
	struct admin *admin;
	struct client *next, **link;	/* in admin->clients */
	struct io_stream *stream;
	struct admin_answer *answer;	/* once the line is complete */
	size_t line_bytes;
	char line[ADMIN_LINE_BYTES];
};

struct admin_answer {
	struct io *io;
	struct client *client;		/* NULL: gone */
	char *text;
	size_t bytes, room;
	bool cut;
	struct iovec iov;
	struct io_send send;
};

struct admin {
	struct io *io;
	struct io_listener *listener;
	struct command *commands;	/* ascending by name */
	struct set_entry *sets;
	struct client *clients;
	unsigned int client_count;
};

/* ---- answers -------------------------------------------------------------------------------- */

static bool answer_room(struct admin_answer *answer, size_t bytes)
{
	size_t room = answer->room ? answer->room : 1024;
	char *text;

	if (answer->bytes + bytes > ANSWER_MAX)
		return false;
	while (room < answer->bytes + bytes)
		room *= 2;
	if (room == answer->room)
		return true;
	text = realloc(answer->text, room);
	if (!text)
		return false;
	answer->text = text;
	answer->room = room;
	return true;
}

void admin_print(struct admin_answer *answer, const char *format, ...)
{
	va_list args;
	int length;

	if (answer->cut)
		return;
	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		return;
	if (!answer_room(answer, (size_t)length + sizeof(CUT_TEXT))) {
		answer->cut = true;
		if (answer->room - answer->bytes >= sizeof(CUT_TEXT)) {
			memcpy(answer->text + answer->bytes, CUT_TEXT, sizeof(CUT_TEXT) - 1);
			answer->bytes += sizeof(CUT_TEXT) - 1;
		}
		return;
	}
	va_start(args, format);
	vsnprintf(answer->text + answer->bytes, (size_t)length + 1, format, args);
	va_end(args);
	answer->bytes += (size_t)length;
}

static void answer_free(struct admin_answer *answer)
{
	free(answer->text);
	free(answer);
}

static void answer_sent(struct io_send *send, int result)
{
	struct admin_answer *answer = (struct admin_answer *)((char *)send -
				      offsetof(struct admin_answer, send));

	if (answer->client) {
		answer->client->answer = NULL;
		io_stream_close(answer->io, answer->client->stream);
	}
	answer_free(answer);
}

void admin_finish(struct admin_answer *answer)
{
	if (!answer->client) {
		answer_free(answer);
		return;
	}
	answer->iov.iov_base = answer->text;
	answer->iov.iov_len = answer->bytes;
	answer->send = (struct io_send){ .iov = &answer->iov, .iov_count = 1, .done = answer_sent };
	io_stream_send(answer->io, answer->client->stream, &answer->send);
}

/* ---- commands ------------------------------------------------------------------------------- */

static bool run_help(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct admin *admin = owner;

	for (struct command *c = admin->commands; c; c = c->next)
		admin_print(answer, "%-16s %s\n", c->name, c->doc);
	return true;
}

static void forget_longest(const struct stats_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (!strncmp(set->rows[i].name, "longest_", strlen("longest_")))
			set->values[i] = 0;
}

/* counters [forget]: maxima begin anew */
static bool run_counters(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct admin *admin = owner;

	if (argc > 1 && !strcmp(argv[1], "forget")) {
		for (struct set_entry *entry = admin->sets; entry; entry = entry->next)
			forget_longest(entry->set);
		return true;
	}
	for (struct set_entry *entry = admin->sets; entry; entry = entry->next) {
		if (entry->set->refresh)
			entry->set->refresh();
		for (size_t i = 0; i < entry->set->count; i++)
			admin_print(answer, "%s.%s %llu\n", entry->set->area,
				    entry->set->rows[i].name,
				    (unsigned long long)entry->set->values[i]);
	}
	return true;
}

static int split(char *line, char **argv)
{
	char *save = NULL;
	int argc = 0;

	for (char *word = strtok_r(line, " \t\r", &save); word && argc < ARGS_MAX;
	     word = strtok_r(NULL, " \t\r", &save))
		argv[argc++] = word;
	return argc;
}

/* The line is complete: run its command. */
static void client_run(struct client *client)
{
	struct admin_answer *answer = calloc(1, sizeof(*answer));
	struct command *command;
	char *argv[ARGS_MAX];
	int argc;

	if (!answer) {
		io_stream_close(client->admin->io, client->stream);
		return;
	}
	answer->io = client->admin->io;
	answer->client = client;
	client->answer = answer;
	argc = split(client->line, argv);
	for (command = client->admin->commands; command && argc; command = command->next)
		if (!strcmp(command->name, argv[0]))
			break;
	if (!argc || !command)
		admin_print(answer, "error: unknown command \"%s\", try help\n", argc ? argv[0] : "");
	if (!argc || !command || command->run(command->owner, argc, argv, answer))
		admin_finish(answer);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void client_received(void *owner, const uint8_t *bytes, size_t length)
{
	struct client *client = owner;
	const uint8_t *end = memchr(bytes, '\n', length);

	if (client->answer)
		return;			/* one command a connection */
	if (end)
		length = (size_t)(end - bytes);
	if (client->line_bytes + length >= sizeof(client->line)) {
		io_stream_close(client->admin->io, client->stream);
		return;
	}
	memcpy(client->line + client->line_bytes, bytes, length);
	client->line_bytes += length;
	if (!end)
		return;
	client->line[client->line_bytes] = 0;
	client_run(client);
}

static void client_unlink(struct client *client)
{
	if (!client->admin)
		return;
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	client->admin->client_count--;
	client->admin = NULL;
}

static void client_closed(void *owner, int reason)
{
	struct client *client = owner;

	if (client->answer)
		client->answer->client = NULL;
	client_unlink(client);
	free(client);
}

static const struct io_stream_events client_events = {
	.received = client_received,
	.closed = client_closed,
};

static void admin_accepted(void *owner, struct io_stream *stream, const struct io_address *peer)
{
	struct admin *admin = owner;
	struct client *client;

	client = admin->client_count < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		io_stream_close(admin->io, stream);
		return;
	}
	client->admin = admin;
	client->stream = stream;
	client->next = admin->clients;
	client->link = &admin->clients;
	if (client->next)
		client->next->link = &client->next;
	admin->clients = client;
	admin->client_count++;
	io_stream_attach(admin->io, stream, &client_events, client);
}

/* ---- life ----------------------------------------------------------------------------------- */

int admin_create(struct io *io, const char *path, struct admin **ret_admin)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int err;

	if (!admin)
		return -ENOMEM;
	admin->io = io;
	err = io_listen_path(io, path, admin_accepted, admin, &admin->listener);
	if (!err)
		err = admin_register(admin, "help", "this list", run_help, admin);
	if (!err)
		err = admin_register(admin, "counters", "all counters, a line each; forget: the longest_ ones begin anew", run_counters, admin);
	if (err) {
		admin_destroy(admin);
		return err;
	}
	*ret_admin = admin;
	return 0;
}

void admin_destroy(struct admin *admin)
{
	struct command *command;
	struct set_entry *entry;
	struct client *client;

	if (!admin)
		return;
	if (admin->listener)
		io_listener_close(admin->io, admin->listener);
	while ((client = admin->clients)) {
		if (client->answer)
			client->answer->client = NULL;
		client->answer = NULL;
		io_stream_close(admin->io, client->stream);
		client_unlink(client);
	}
	while ((command = admin->commands)) {
		admin->commands = command->next;
		free(command);
	}
	while ((entry = admin->sets)) {
		admin->sets = entry->next;
		free(entry);
	}
	free(admin);
}

int admin_register(struct admin *admin, const char *name, const char *doc, admin_command run,
		   void *owner)
{
	struct command **at = &admin->commands, *command;

	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	command = *at && !strcmp((*at)->name, name) ? *at : NULL;
	if (!command) {
		command = calloc(1, sizeof(*command));
		if (!command)
			return -ENOMEM;
		command->next = *at;
		*at = command;
	}
	command->name = name;
	command->doc = doc;
	command->run = run;
	command->owner = owner;
	return 0;
}

int admin_register_stats(struct admin *admin, const struct stats_set *set)
{
	struct set_entry **at = &admin->sets;
	struct set_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	while (*at)
		at = &(*at)->next;
	entry->set = set;
	*at = entry;
	return 0;
}

void admin_unregister(struct admin *admin, const void *owner_or_set)
{
	struct command **command = &admin->commands, *gone_command;
	struct set_entry **set = &admin->sets, *gone_set;

	while ((gone_command = *command)) {
		if (gone_command->owner != owner_or_set) {
			command = &gone_command->next;
			continue;
		}
		*command = gone_command->next;
		free(gone_command);
	}
	while ((gone_set = *set)) {
		if (gone_set->set != owner_or_set) {
			set = &gone_set->next;
			continue;
		}
		*set = gone_set->next;
		free(gone_set);
	}
}
