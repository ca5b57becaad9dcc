/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nacre-mds as a part: one metadata rank that lives on an io, a map store and
 * nothing else. No global variables, so a simulator runs several in one process
 * and crashes one by mds_destroy(): what was not on the OSDs is then gone.
 *
 * mds_create() begins to join; `active` says that clients are served. After `fenced`
 * or `failed` the rank serves nobody and only waits for mds_destroy().
 */
#ifndef MDS_MDS_H
#define MDS_MDS_H

#include <stdint.h>
#include "server/base/admin.h"
#include "server/base/io.h"
#include "server/base/log.h"
#include "server/base/mapstore.h"

struct mds;

struct mds_events {
	/* Recovered, and serving. */
	void (*active)(void *owner);
	/* The lease or the rank is lost to somebody else: destroy it; a new one may be created. */
	void (*fenced)(void *owner, const char *reason);
	/* It cannot go on. */
	void (*failed)(void *owner, int result, const char *reason);
};

/* Zero takes the default of server/base/config.h. Times before scaling. */
struct mds_config {
	struct io *io;
	struct mapstore *store;
	struct log *log;
	struct io_address listen;
	struct io_address advertise;	/* as others reach it; port 0: the listener's */
	const char *name;		/* "mds0" */
	uint16_t rank;
	uint32_t time_scale_percent;
	uint32_t lease_ms;		/* on the map */
	uint32_t out_after_ms;		/* see member.h; zero: never */
	uint32_t session_lease_ms;
	uint32_t reconnect_ms;
	uint32_t revoke_warn_ms;
	uint32_t revoke_evict_ms;
	uint32_t size_report_ms;	/* a stat waits for the reports of writers */
	uint32_t commit_ms;		/* longest wait of a change for the journal, default 5 */
	uint64_t cache_inodes;
	uint64_t dir_split;		/* entries of a directory's fragment before it is split */
	uint32_t ino_range;		/* numbers that a session is given at a time (INO-1) */
	uint64_t journal_bytes;
	const struct mds_events *events;
	void *owner;
};

/* 0, or -errno after a line in the log. */
int mds_create(const struct mds_config *config, struct mds **ret_mds);
/* Stop serving, journal what is unsafe, leave the cluster, then `stopped`. */
void mds_stop(struct mds *mds, void (*stopped)(void *owner), void *owner);
/* At once, from any state; nothing is written. */
void mds_destroy(struct mds *mds);

/* As in the config. */
void *mds_owner(const struct mds *mds);
uint16_t mds_port(const struct mds *mds);
/* Commands: status sessions caps requests filelocks journal evict. Counters: mds, mds.received, mds.sent. */
int mds_admin_register(struct mds *mds, struct admin *admin);
void mds_status(struct mds *mds, struct admin_answer *answer);

/*
 * Hold the journal: changes are applied and answered unsafe, but nothing is written until release. With a crash
 * after it this is the replay barrier.
 */
void mds_journal_hold(struct mds *mds, bool hold);

#endif
