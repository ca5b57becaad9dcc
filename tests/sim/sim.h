/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One simulated history as a whole: a cluster of real daemons (cluster.c), native
 * clients that work at random (workload.c), faults (faults.c), what clients did
 * and saw (history.h), and the judgement at the end (verdict.c).
 */
#ifndef NACRE_SIM_SIM_H
#define NACRE_SIM_SIM_H

#include "history.h"
#include "locking.h"
#include "server/base/log.h"
#include "server/mds/mds.h"
#include "server/osd/kv_mem.h"
#include "server/osd/osd.h"
#include "sim_disk.h"
#include "sim_mapstore.h"
#include "sim_world.h"

#define SIM_OSDS 3
#define SIM_CLIENTS_MAX 4
#define SIM_WORKERS 2			/* calls at a time, of one client */
#define SIM_INLINE_BYTES 4096u		/* in some histories: files up to this size stay in the inode */
#define SIM_CALL_LIMIT_NS (120 * SIM_NS_PER_S)	/* a call that takes longer is stuck */

struct sim;

/* A daemon and its machine. */
struct sim_daemon {
	struct sim *sim;
	struct sim_host *host;
	struct log *log;
	unsigned int id;
	struct mds *mds;		/* an MDS that runs */
	struct osd *osd;		/* an OSD that runs */
	struct kv_mem_disk *kv;		/* an OSD's, outlives it */
	bool serving;
	bool scrubs;			/* an OSD's store is to be read before it starts */
	bool stops;			/* was told to; it serves nobody any more */
	bool cut_off;			/* fenced: to be destroyed and made anew */
	bool disk_failed;		/* of an OSD, at any time: it may end with EIO */
	bool loses_store;		/* an OSD that is down: it comes back with an empty one, if nobody's data is lost */
	struct kv *formatting;		/* an OSD's, while its store is made */
	struct sim_event event;		/* restart */
	struct sim_event crash_event;	/* loss of power, in the middle of a flush */
	unsigned int power_waits;	/* for a moment at which something is overwritten in place, so many flushes at most */
};

struct sim_client;
struct applied;
struct looked;

/* One call at a time, after another. */
struct sim_worker {
	struct sim_client *client;
	struct client_call call;
	bool busy;
	uint32_t number;		/* in the history */
	const char *name, *name2;
	uint64_t words[CELLS_MAX * CELL_BYTES / 8];
	uint64_t value;			/* of an xattr */
	uint8_t locked[LOCKING_FILES][LOCKING_SLOTS];	/* mode of what it believes to hold, see locking.h */
	unsigned int lock_slot;		/* its call is about */
	struct sim_event event;		/* thinks; loses patience */
};

#define SIM_PGS 4				/* of each pool */
#define SIM_FILES 6
#define SIM_DIRS 4

struct sim_open_file {
	uint64_t ino;
	uint32_t flags;
	unsigned int using;		/* calls under way */
};

struct sim_client {
	struct sim *sim;
	struct sim_host *host;
	unsigned int id;
	struct client *client;		/* NULL: none runs */
	uint32_t life;
	bool mounted, killed;
	uint32_t inline_max;		/* of its mounts */
	struct client_call mount_call;
	struct sim_worker workers[SIM_WORKERS];
	uint64_t dirs[SIM_DIRS];	/* known by number, [0] the root */
	uint64_t known[SIM_FILES];
	struct sim_open_file open[SIM_FILES];
	struct sim_event event;		/* starts, or cleans up after an eviction */
};

struct sim_options {
	uint64_t seed;
	uint64_t ops;			/* calls of clients in the whole history */
	unsigned int clients;		/* 0: by the seed */
	uint32_t faults;		/* enum sim_fault_class bits; by the seed when faults_by_seed */
	bool faults_by_seed;
	bool inlines, inlines_by_seed;	/* small files in the inode */
	uint8_t journal;		/* the OSDs' journal mode */
	bool journals_by_seed;
	uint8_t replicas;		/* 2 or 3; 0: by the seed */
	bool trace, verbose;
	struct sim_points *points;	/* counts of this history and others */
};

enum sim_fault_class {
	SIM_FAULT_LOSS = 1,		/* sends lost, duplicated, overtaken, damaged; resets */
	SIM_FAULT_SLOW = 2,		/* network and disks are slow at times */
	SIM_FAULT_PARTITION = 4,
	SIM_FAULT_OSD_CRASH = 8,
	SIM_FAULT_MDS_CRASH = 16,
	SIM_FAULT_CLIENT_CRASH = 32,
	SIM_FAULT_PAUSE = 64,
	SIM_FAULT_ALL = 127,
};

struct sim {
	struct sim_options options;
	struct sim_world *world;
	struct sim_store *store;
	struct sim_random random;	/* of workload and faults, apart from the world's */
	struct sim_daemon osds[SIM_OSDS];
	struct sim_daemon mds;
	struct sim_client clients[SIM_CLIENTS_MAX];
	unsigned int client_count;
	uint8_t replicas, min_size;	/* of the pools */
	uint8_t journal_modes[2];	/* of the pools, by id */
	uint32_t direct_bytes;		/* see server/osd/store.h */
	uint64_t trim_bytes;		/* likewise */
	uint64_t pipeline_bytes, backlog_bytes;	/* likewise */
	uint64_t osd_journal_bytes, mds_journal_bytes;
	uint8_t lone_intents;		/* likewise, a bit for each OSD: what one overwrites in place another may not */
	bool discard;			/* likewise */
	uint32_t discard_ms;		/* likewise */
	bool trims;			/* an OSD that begins to serve discards all that is free */
	bool inlines;			/* the file system keeps small files in the inode, and files are small */
	struct clones *clones;		/* clones.c; NULL: nobody clones objects */
	uint64_t cloned;
	bool quotas;			/* directories have quotas */
	uint64_t quotas_set, quotas_judged;
	struct history *history;
	struct applied *applied;
	struct looked *looked;		/* groups.c: hash */
	uint64_t ops_begun;
	uint64_t faults_done, evictions;
	bool crash_together;		/* at this moment, one OSD after the other */
	uint64_t inline_files;		/* at the end */
	bool faults_on;
	bool draining;			/* no new calls, no new clients */
	struct sim_event fault_event;
	struct sim_event weight_event;
	struct sim_random weight_random;	/* apart from all others */
	uint64_t weights_changed;
	struct sim_event fill_event;
	struct sim_random fill_random;	/* apart from all others */
	uint64_t fills_changed;
	bool pools_change;		/* pools.c: journal modes do not stay as they are */
	struct sim_event pool_event;
	struct sim_random pool_random;	/* apart from all others */
	uint64_t pools_changed;
	struct sim_event audit_event;
	struct sim_random audit_random;	/* apart from all others */
	struct sim_random lock_random;	/* apart from all others, too */
	bool locks_on;
	uint64_t audits;		/* ended */
	bool audit_ended;
	/* rot.c */
	bool rots;			/* blocks rot */
	enum {
		SIM_ROT_NONE,		/* or what there was is repaired */
		SIM_ROT_UNSEEN,
		SIM_ROT_SCRUBBED,	/* until nothing is found any more */
	} rot_state;
	uint64_t rotted;		/* blocks, in the whole history */
	uint64_t rot_found;		/* by scrubs, when the newest one was asked for */
	uint64_t rot_instances[SIM_OSDS];	/* that were asked */
	uint64_t troubled_until_ns;	/* so long partitions and pauses last */
	struct sim_event rot_event;
	struct sim_random rot_random;	/* apart from all others */
	bool failed;
	char why[512];
};

/* The history has failed; the first reason stays. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Run until `done` says so or virtual time is over; false when it is over or failed. */
bool sim_until(struct sim *sim, bool (*done)(struct sim *sim), uint64_t limit_ns,
	       const char *what);
void sim_dump(struct sim *sim, FILE *out);

/* cluster.c */
void cluster_create(struct sim *sim);	/* format, first map, start; returns when it serves */
void cluster_crash(struct sim_daemon *daemon, enum sim_crash kind);
void cluster_stop(struct sim_daemon *daemon);	/* in order, if it serves; it starts again some time after it has ended */
void cluster_restart_at(struct sim_daemon *daemon, uint64_t at_ns);
bool cluster_serves(struct sim *sim);
/* Change the newest map at once, as a tool would; `change` says no: it stays. Was it changed? */
struct mapedit;
bool cluster_edit_map(struct sim *sim, bool (*change)(void *owner, struct mapedit *edit), void *owner);

/* workload.c */
void workload_start(struct sim *sim);
void workload_client_crash(struct sim_client *client, enum sim_crash kind);
void workload_client_start_at(struct sim_client *client, uint64_t at_ns);
/* All calls are done and all clients that run are mounted and idle. */
bool workload_is_idle(struct sim *sim);
bool workload_is_done(struct sim *sim);
/* NULL, or what is stuck. */
const char *workload_stuck(struct sim *sim);

/* faults.c */
void faults_begin(struct sim *sim);
void faults_end(struct sim *sim);

/* audits.c: the rank's own audit, at any time and at the end, when nothing may be left over. */
void audits_begin(struct sim *sim);
void audit_at_end(struct sim *sim);

/* verdict.c: the end of a history. */
void verdict(struct sim *sim);

/* One whole history; true when it is good. Prints why not. *ret_hash: of all that happened. */
bool sim_history(const struct sim_options *options, uint64_t *ret_hash);

#endif
