/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nacre-load: native clients on a real ring against real servers. load.c measures
 * them, verify.c checks them, hold.c holds files that are removed; main.c reads the options.
 */
#ifndef NACRE_CLIENT_LOAD_H
#define NACRE_CLIENT_LOAD_H

#include "client.h"

#define LOAD_CLIENTS_MAX 256
#define LOAD_DEPTH_MAX 256

struct load_options {
	struct io *io;
	struct io_address mds;
	unsigned int clients;
	unsigned int depth;		/* calls at a time, of one client */
	unsigned int files;		/* of one client */
	uint64_t bytes;			/* of one file */
	unsigned int inodes;		/* that a client keeps in memory; 0: as many as it does by itself */
	const char *hook;		/* verify: run between its stages, e.g. to restart servers */
	bool fsync;			/* write: sync every file */
	bool keep;			/* do not remove what was made; hold: not even the names */
	const char *dir;		/* of the clients' directories, which may be there; NULL: new ones */
};

/* Kinds of load, each on the files that `create` made, or finds by their names. */
#define LOAD_KINDS(K)								\
	K(create, "make files, each client in a directory of its own")		\
	K(stat, "look up and ask for attributes, by name")			\
	K(readdir, "list the directory")					\
	K(list, "the same in parts, an answer each; as many entries as files must come") \
	K(write, "write each file")						\
	K(read, "read each file")						\
	K(mixed, "a bit of everything, in random order")			\
	K(remove, "remove the files")

enum load_kind {
#define LOAD_ENUM(name, doc) LOAD_##name,
	LOAD_KINDS(LOAD_ENUM)
	LOAD_KIND_COUNT
};
extern const char *const load_kind_names[LOAD_KIND_COUNT];

/* Run the kinds in order, print a line for each. 0, or 1 after a line that says what failed. */
int load_run(const struct load_options *options, const enum load_kind *kinds, unsigned int count);
/* The correctness smoke. 0, or 1 after a line that says what is wrong. */
int verify_run(const struct load_options *options);

/* Hold files, without names as a rule, until a signal comes. 0, or 1 after a line that says what is wrong. */
int hold_run(const struct load_options *options);

/* Make one call and run the ring until it is done; its result. */
int load_call(const struct load_options *options, struct client *client, struct client_call *call);
/* A mounted client. NULL after a line that says why not. */
struct client *load_mount(const struct load_options *options, const char *name);
int load_unmount(const struct load_options *options, struct client *client);

#endif
