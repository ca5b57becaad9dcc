// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-load --hold: files that have no name any more and are held open, for tests of what becomes of them. Makes them,
 * writes them, removes their names (--keep: leaves them), and holds them until SIGTERM; then it closes them and unmounts.
 * Killed, it does none of that.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"
#include "server/base/loop.h"
#include "state.h"

#define LOOK_NS 50000000ull		/* how often the signal is looked for */

struct hold {
	const struct load_options *options;
	struct client *client;
	uint64_t *inos;
	uint8_t *data;
	struct client_call call;
	struct io_timer look;
};

static volatile sig_atomic_t told;

static void tell(int signal)
{
	told = signal;
}

static void look(struct io_timer *timer)
{
	struct hold *hold = (struct hold *)((char *)timer - offsetof(struct hold, look));
	struct io *io = hold->options->io;

	if (told)
		loop_stop(io);
	else
		io_timer_arm(io, timer, io_now(io) + LOOK_NS);
}

/* One call on an inode; 0 or -errno after a line that says so. */
static int make(struct hold *hold, enum client_call_kind kind, uint64_t ino, const char *name)
{
	int err;

	hold->call.kind = kind;
	hold->call.ino = ino;
	hold->call.name = name;
	hold->call.mode = 0600;
	err = load_call(hold->options, hold->client, &hold->call);
	if (err)
		fprintf(stderr, "nacre-load: hold: %s: %s\n", client_call_name(kind), strerror(-err));
	return err;
}

static int make_file(struct hold *hold, unsigned int file)
{
	char name[48];
	int err;

	snprintf(name, sizeof(name), "held.%llx.%u",
		 (unsigned long long)client_instance(hold->client), file);
	hold->call = (struct client_call){ .flags = NACRE_RECORD_EXCL };
	err = make(hold, CLIENT_CREATE, NACRE_INO_ROOT, name);
	if (err)
		return err;
	hold->inos[file] = hold->call.attr.ino;
	hold->call = (struct client_call){ .data = hold->data, .length = hold->options->bytes };
	err = make(hold, CLIENT_WRITE, hold->inos[file], NULL);
	if (!err)
		err = make(hold, CLIENT_FSYNC, hold->inos[file], NULL);
	hold->call = (struct client_call){ 0 };
	return err || hold->options->keep ? err : make(hold, CLIENT_UNLINK, NACRE_INO_ROOT, name);
}

static int make_all(struct hold *hold)
{
	unsigned int file;
	int err = 0;

	for (file = 0; file < hold->options->files && !err; file++)
		err = make_file(hold, file);
	hold->call = (struct client_call){ 0 };
	return err ? err : make(hold, CLIENT_SYNC, 0, NULL);
}

static int close_all(struct hold *hold)
{
	unsigned int file;
	int err = 0;

	for (file = 0; file < hold->options->files && !err; file++) {
		hold->call = (struct client_call){ .flags = NACRE_OPEN_READ | NACRE_OPEN_WRITE };
		err = make(hold, CLIENT_CLOSE, hold->inos[file], NULL);
	}
	return err;
}

int hold_run(const struct load_options *options)
{
	struct hold hold = { .options = options, .look.fire = look };
	int err = 1;

	hold.client = load_mount(options, "holder");
	if (!hold.client)
		return 1;
	hold.inos = calloc(options->files, sizeof(*hold.inos));
	hold.data = client_alloc(options->bytes);
	memset(hold.data, 'h', options->bytes);
	signal(SIGTERM, tell);
	signal(SIGINT, tell);
	if (!make_all(&hold)) {
		printf("holding %u files\n", options->files);
		fflush(stdout);
		/* the first look is the loop's: a signal may have come before it runs */
		io_timer_arm(options->io, &hold.look, io_now(options->io) + LOOK_NS);
		loop_run(options->io);
		err = close_all(&hold);
	}
	if (load_unmount(options, hold.client))
		err = 1;
	free(hold.inos);
	free(hold.data);
	return err ? 1 : 0;
}
