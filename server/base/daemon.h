/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shape every daemon has: arguments (-c FILE -n NAME), configuration, log,
 * loop, map store, admin socket, signals. What differs between nacre-mds and
 * nacre-osd is a struct daemon_kind; their main() is one call of daemon_main().
 *
 * A daemon stays in the foreground. SIGTERM and SIGINT stop it cleanly, a second
 * one at once.
 */
#ifndef NACRE_DAEMON_H
#define NACRE_DAEMON_H

#include <stdbool.h>
#include "admin.h"
#include "config.h"
#include "io.h"
#include "log.h"
#include "mapstore.h"

/*
 * What the shape has made ready when a server starts. All of it outlives the server; store and
 * admin socket are new for each start, so that nothing need be unregistered.
 */
struct daemon {
	const struct daemon_kind *kind;
	const char *name;		/* "osd0" */
	uint16_t id;			/* the number in it */
	struct config *config;
	struct log *log;
	struct io *io;			/* the loop of the main thread */
	struct mapstore *store;
	struct admin *admin;
	struct io_address listen;	/* parsed from the configuration */
	void *server;			/* what start() returned */
	uint64_t started_ns;		/* io_now when start() was called */
};

/* What the process has used, by getrusage(2). */
#define PROCESS_COUNTERS(C)							\
	C(cpu_us, "microseconds of CPU used by all threads")			\
	C(system_us, "of them, in the kernel")					\
	C(switches, "context switches, voluntary or not")			\
	C(memory_max_kib, "most memory that was ever resident")

struct daemon_kind {
	const char *program;		/* "nacre-osd" */
	const char *prefix;		/* "osd": the name is this and a number */
	const char *doc;		/* one line for --help */
	/* Options that must be set, names as in config.h, NULL at the end; may be NULL. */
	const char *const *required;
	/*
	 * Make the server, register its admin commands, begin to join. 0, or
	 * -errno after a line in the log that names the fault (exit 1).
	 */
	int (*start)(struct daemon *daemon, void **ret_server);
	/* Stop serving and leave the cluster; call daemon_stopped() when that is done. */
	void (*stop)(void *server);
	/* Free everything; nothing of the server may be called back afterwards. */
	void (*destroy)(void *server);
	/*
	 * More lines for the admin command `status`, "key value" each, among them "state serving" once
	 * clients are served (scripts wait for it). NULL: the server registers a `status` of its own.
	 */
	void (*status)(void *server, struct admin_answer *answer);
};

/* The whole life of a daemon; returns the exit status. */
int daemon_main(const struct daemon_kind *kind, int argc, char **argv);

/* The server has stopped (the end of stop()): the loop ends, destroy() follows. Exit 0. */
void daemon_stopped(struct daemon *daemon);

/* The server cannot go on: one line in the log, the loop ends, destroy() follows. Exit 1. */
void daemon_fail(struct daemon *daemon, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The server was fenced: one line in the log, destroy() and a new start()
 * follow in the same process, under a new instance.
 */
void daemon_restart(struct daemon *daemon, const char *reason);

/*
 * The address that others reach us at: `advertise`, or what we listen on; the
 * listener's port where none is named. 0, or -EINVAL after a line in the log
 * (listening on the wildcard address without `advertise`).
 */
int daemon_advertised(struct daemon *daemon, uint16_t port, struct io_address *ret_address);

#endif
