/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nacre-osd as a part: one object server that lives on an io, a map store, a
 * device and a key-value store. No global variables, so that a simulator runs many in one
 * process.
 *
 * osd_create() gets the map, opens the store, listens and begins to join; `serving`
 * says that it is in the map. A crash in a simulator is to call nothing any more:
 * all memory is forgotten, nothing is flushed.
 */
#ifndef NACRE_SERVER_OSD_OSD_H
#define NACRE_SERVER_OSD_OSD_H

#include <stdint.h>
#include "kv.h"
#include "server/base/admin.h"
#include "server/base/io.h"
#include "server/base/log.h"
#include "server/base/mapstore.h"

struct osd;

struct osd_events {
	/* In the map, with a lease. */
	void (*serving)(void *owner);
	/*
	 * The lease or the place in the map was lost. It serves nobody any more, and its
	 * store is closed: destroy it; a new one may be created.
	 */
	void (*fenced)(void *owner, const char *reason);
	/* It cannot go on: the store failed or was refused, or it cannot join. */
	void (*failed)(void *owner, int result, const char *reason);
};

/* Zero takes the default. Times before scaling. */
struct osd_config {
	struct io *io;
	struct mapstore *mapstore;
	struct log *log;
	struct io_file *file;		/* the device; osd_create() takes it over */
	struct kv *kv;			/* osd_create() takes it over */
	struct io_address listen;
	struct io_address advertise;	/* as others reach it; port 0: the listener's */
	const char *name;		/* "osd0" */
	uint16_t id;
	uint32_t time_scale_percent;
	uint32_t lease_ms;		/* on the map */
	uint32_t out_after_ms;		/* see member.h */
	uint64_t backlog_bytes;		/* see store.h */
	uint64_t cache_bytes;		/* see store.h */
	uint32_t writeback_ms;		/* see store.h */
	uint32_t direct_bytes;		/* see store.h */
	uint32_t journal_unit;		/* see store.h */
	uint64_t pipeline_bytes;	/* see store.h */
	uint64_t trim_bytes;		/* see store.h */
	bool lone_intents;		/* see store.h */
	bool discard;			/* see store.h */
	uint32_t discard_bytes, discard_ms;	/* see store.h */
	uint32_t log_keep;		/* entries of each group's log kept for catching up, default 1024 */
	uint32_t nearfull_percent;	/* from here on it is said in log and status; default 85 */
	uint64_t scrub_bytes_per_s;	/* of one replica's device; default 32 MiB */
	uint32_t scrub_light_s, scrub_deep_s;	/* each group once in so long, of the wall clock, not scaled; 0 = never by itself */
	const struct osd_events *events;
	void *owner;
};

/* 0, or -errno after a line in the log; file and kv are then still the caller's. */
int osd_create(const struct osd_config *config, struct osd **ret_osd);
/* Stop serving, write everything back, leave the cluster, then `stopped`. */
void osd_stop(struct osd *osd, void (*stopped)(void *owner), void *owner);
/* Free it, as it is; nothing is written. The map store must be destroyed in the same turn. */
void osd_destroy(struct osd *osd);

uint16_t osd_port(const struct osd *osd);
/* config->owner. */
void *osd_owner(const struct osd *osd);
/* Commands: pgs objects requests scrub trim. Counters: osd, store, and the messenger's. */
int osd_admin_register(struct osd *osd, struct admin *admin);
/* Lines "key value" for `status`. */
void osd_status(struct osd *osd, struct admin_answer *answer);

#endif
