/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A map store in the simulated world: the same promises as `dir:` and `etcd:`,
 * with answers that take time, races of swaps, watches that lag and skip
 * epochs, leases and offices that run out on the virtual clock. It keeps what
 * it was given through every crash. A host can be cut off from it like from
 * any other host (sim_partition with sim_store_host()).
 */
#ifndef NACRE_SIM_MAPSTORE_H
#define NACRE_SIM_MAPSTORE_H

#include "server/base/mapstore.h"
#include "sim_world.h"

struct sim_store;

struct sim_store *sim_store_create(struct sim_world *world);
void sim_store_destroy(struct sim_store *store);
struct sim_host *sim_store_host(struct sim_store *store);

/* What a daemon on a host opens; dies with the host, or by mapstore_destroy(). */
struct mapstore *sim_store_open(struct sim_store *store, struct io *io);

/* Synchronous access for tools and checks. Bytes live until the next change; NULL: no map yet. */
const uint8_t *sim_store_map(const struct sim_store *store, uint64_t *ret_epoch, size_t *ret_length);
/* How full an OSD is, as others read it; and as what it is to be read from now on, whatever it says, if it `pretends`. */
struct fill sim_store_fill(struct sim_store *store, const char *name);
void sim_store_pretend_fill(struct sim_store *store, const char *name, bool pretends, enum fill_state state);
void sim_store_set_map(struct sim_store *store, uint64_t epoch, const uint8_t *bytes, size_t length);

#endif
