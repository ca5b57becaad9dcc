/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the cluster map lives, behind one interface: get, swap, watch, hold a
 * liveness lease, elect. Stores: mapstore_dir.c (`dir:PATH`, one machine),
 * tests/sim (in memory). There is no consensus code in nacre.
 *
 * Maps are handed over as encoded bytes (struct nacre_map). All calls answer
 * through callbacks from the top of the loop.
 */
#ifndef NACRE_MAPSTORE_H
#define NACRE_MAPSTORE_H

#include "fill.h"
#include "io.h"

struct mapstore;

/* `bytes` is valid during the call only; result 0, or -ENOENT (no map yet), -errno. */
typedef void (*mapstore_got)(void *owner, int result, uint64_t epoch,
			     const uint8_t *bytes, size_t length);
/* 0: the map is now this one, durably. -EAGAIN: somebody else's epoch came first. */
typedef void (*mapstore_swapped)(void *owner, int result);

/* Another member's lease, as seen from here. */
struct mapstore_lease {
	char name[32];			/* "osd3", "mds0" */
	uint64_t instance;
	uint64_t expires_ns;		/* on io_now's clock */
	bool released;			/* given back on purpose */
	bool gone;			/* its process is known to have ended, though the term runs on */
	struct fill fill;		/* an OSD: as it said with the last renewal */
};

struct mapstore_ops {
	const char *name;
	void (*get)(struct mapstore *store, mapstore_got got, void *owner);
	void (*swap)(struct mapstore *store, uint64_t new_epoch, const uint8_t *bytes, size_t length,
		     mapstore_swapped swapped, void *owner);
	void (*watch)(struct mapstore *store, mapstore_got got, void *owner);
	int (*lease_hold)(struct mapstore *store, const char *name, uint64_t instance,
			  uint64_t term_ns, void (*lost)(void *owner), void *owner);
	bool (*lease_valid)(struct mapstore *store);
	void (*lease_tell)(struct mapstore *store, struct fill fill);
	void (*lease_release)(struct mapstore *store);
	void (*leases)(struct mapstore *store,
		       void (*listed)(void *owner, int result, const struct mapstore_lease *leases,
				      size_t count),
		       void *owner);
	void (*elect)(struct mapstore *store, const char *office, uint64_t term_ns,
		      void (*elected)(void *owner, bool holds), void *owner);
	void (*destroy)(struct mapstore *store);
};

struct mapstore {
	const struct mapstore_ops *ops;
	struct io *io;
	char fault[200];		/* of the last failed answer, in words; may be empty */
};

/* The newest map. */
static inline void mapstore_get(struct mapstore *store, mapstore_got got, void *owner)
{
	store->ops->get(store, got, owner);
}

/* Put map `new_epoch` in place if the store is at new_epoch - 1 (compare and swap). */
static inline void mapstore_swap(struct mapstore *store, uint64_t new_epoch, const uint8_t *bytes,
				 size_t length, mapstore_swapped swapped, void *owner)
{
	store->ops->swap(store, new_epoch, bytes, length, swapped, owner);
}

/* Call `got` for the newest map now and after every change; epochs may be skipped. One watcher. */
static inline void mapstore_watch(struct mapstore *store, mapstore_got got, void *owner)
{
	store->ops->watch(store, got, owner);
}

/*
 * Hold this member's liveness lease and keep renewing it; `lost` is called once
 * when it could not be renewed in time. 0 or -EBUSY (another live instance
 * holds the name).
 */
static inline int mapstore_lease_hold(struct mapstore *store, const char *name, uint64_t instance,
				      uint64_t term_ns, void (*lost)(void *owner), void *owner)
{
	return store->ops->lease_hold(store, name, instance, term_ns, lost, owner);
}

/* Checked before every send of anything that claims authority: cheap, no I/O. */
static inline bool mapstore_lease_valid(struct mapstore *store)
{
	return store->ops->lease_valid(store);
}

/* What others are to know of this member's room: goes with the lease when it is taken, and with each renewal. */
static inline void mapstore_lease_tell(struct mapstore *store, struct fill fill)
{
	store->ops->lease_tell(store, fill);
}

/* Give the lease back, so that others need not wait for its end. */
static inline void mapstore_lease_release(struct mapstore *store)
{
	store->ops->lease_release(store);
}

/* All leases ever held, live or run out. */
static inline void mapstore_leases(struct mapstore *store,
				   void (*listed)(void *owner, int result,
						  const struct mapstore_lease *leases, size_t count),
				   void *owner)
{
	store->ops->leases(store, listed, owner);
}

/* Stand for an office; `elected` is called at every change of whether this member holds it. */
static inline void mapstore_elect(struct mapstore *store, const char *office, uint64_t term_ns,
				  void (*elected)(void *owner, bool holds), void *owner)
{
	store->ops->elect(store, office, term_ns, elected, owner);
}

static inline void mapstore_destroy(struct mapstore *store) { store->ops->destroy(store); }

/* "dir:/path" and later "etcd:http://…". 0, -EINVAL with *ret_error naming the fault, -errno. */
int mapstore_open(struct io *io, const char *url, struct mapstore **ret_store,
		  const char **ret_error);

/*
 * Make the store empty: no map, no leases. For mkfs.nacre alone. 0; -ENOENT (nothing was
 * there); -EBUSY: a daemon runs, its name in `ret_busy`; -EINVAL, -errno.
 */
int mapstore_erase(const char *url, char *ret_busy, size_t busy_bytes);

#endif
