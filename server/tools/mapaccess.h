/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The map store from a tool, which has no loop of its own: each call sets up a
 * ring, asks the store, waits for the answer. All give 0, or -errno with a
 * sentence in `error` that names the store.
 */
#ifndef NACRE_TOOLS_MAPACCESS_H
#define NACRE_TOOLS_MAPACCESS_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/mapedit.h"
#include "server/base/member.h"

/* The newest map. -ENOENT: there is none, no file system was made here. */
int mapaccess_get(const char *url, struct cluster_map **ret_map, char *error, size_t error_bytes);

struct mapaccess_lease {
	struct mapstore_lease lease;
	bool alive;			/* held at this moment */
};

/* All leases ever held, malloc'ed. */
int mapaccess_leases(const char *url, struct mapaccess_lease **ret_leases, size_t *ret_count,
		     char *error, size_t error_bytes);

/* Put a map of this epoch (1: into an empty store) behind the one before it. -EAGAIN: somebody was faster. */
int mapaccess_put(const char *url, uint64_t epoch, const uint8_t *bytes, size_t length, char *error,
		  size_t error_bytes);

/*
 * Change the newest map: `edit` fills `next` from it, or refuses (-errno and a sentence in error); again when somebody was
 * faster. 0 and the new epoch in *ret_epoch.
 */
typedef int (*mapaccess_change)(void *owner, const struct cluster_map *now, struct mapedit *next, char *error,
				size_t error_bytes);
int mapaccess_edit(const char *url, mapaccess_change change, void *owner, uint64_t *ret_epoch, char *error,
		   size_t error_bytes);

/* Make the folder of a `dir:` store if it does not exist. */
int mapaccess_make_folder(const char *url, char *error, size_t error_bytes);

#endif
