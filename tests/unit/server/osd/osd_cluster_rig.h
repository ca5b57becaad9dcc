/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several object servers in one simulated world, with a map store, and a client
 * that speaks raw object requests or goes through the object client (osdc.h).
 */
#ifndef NACRE_TESTS_OSD_CLUSTER_RIG_H
#define NACRE_TESTS_OSD_CLUSTER_RIG_H

#include "server/base/mapedit.h"
#include "server/base/osdc.h"
#include "server/osd/pg.h"
#include "server/osd/kv_mem.h"
#include "server/osd/osd.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_mapstore.h"
#include "tests/sim/sim_world.h"

#define CLUSTER_OSDS_MAX 4
#define CLUSTER_PGS 4			/* of each pool */

struct cluster;

struct cluster_osd {
	struct cluster *cluster;
	struct sim_host *host;
	struct log *log;
	struct kv_mem_disk *keys;
	struct mapstore *mapstore;
	struct osd *osd;		/* NULL: it does not run */
	uint16_t id;
	bool serving, fenced, failed;
	struct sim_event restart;
	bool crash_power;
};

/* The client's end of one connection, and the answers that came. */
struct cluster_reply {
	bool came;
	uint64_t tid;
	uint32_t result, failed_op;
	uint64_t version;
	uint32_t result_count;
};

struct cluster {
	struct sim_world *world;
	struct sim_store *store;
	unsigned int osd_count, replicas, min_size;
	uint32_t log_keep;
	uint8_t journal_mode;		/* of both pools; but for data every write goes directly. Set it before cluster_start() */
	struct cluster_osd osds[CLUSTER_OSDS_MAX];
	struct sim_host *client;
	struct log *client_log;
	struct msgr *msgr;
	struct osdc *osdc;
	struct cluster_map *map;	/* the client's */
	uint64_t instance;
	struct conn *raw[CLUSTER_OSDS_MAX];
	uint16_t target;		/* the one being waited for */
	struct cluster_reply reply;	/* the newest raw one */
	uint64_t tid;
	bool no_restart;		/* of those that were fenced or failed */
	bool done;
	uint32_t result;
};

void cluster_start(struct cluster *c, uint64_t seed, unsigned int osds, unsigned int replicas,
		   unsigned int min_size);
void cluster_end(struct cluster *c);
void cluster_osd_start(struct cluster_osd *o);
void cluster_osd_kill(struct cluster_osd *o, enum sim_crash kind);
/* Its restart by itself, later. */
void cluster_osd_start_later(struct cluster_osd *o, uint64_t ms);

/* Run until it holds, at most so many simulated seconds; fails the test otherwise. */
void cluster_until(struct cluster *c, bool (*holds)(struct cluster *c), unsigned int seconds,
		   const char *what);
void cluster_pass(struct cluster *c, uint64_t ms);
/* The client takes the newest map. */
void cluster_refresh(struct cluster *c);
bool cluster_all_serve(struct cluster *c);
/* All groups have all replicas in sync and their primaries are active. */
bool cluster_all_clean(struct cluster *c);
/* Change the map as a coordinator would. */
void cluster_edit(struct cluster *c, int (*edit)(struct cluster *c, struct mapedit *next));

/* Through osdc, awaited. Results. The caller frees the request. */
uint32_t cluster_run(struct cluster *c, struct osdc_request *request);
uint32_t cluster_write(struct cluster *c, uint64_t ino, uint64_t offset, const void *bytes,
		       size_t length);
uint32_t cluster_read(struct cluster *c, uint64_t ino, void *bytes, size_t length, size_t *ret_got);

/* A raw request of one operation; fields of `head` that are 0 are filled in. */
uint32_t cluster_pg(struct cluster *c, uint64_t ino);
uint16_t cluster_primary(struct cluster *c, uint64_t ino);
void cluster_raw_send(struct cluster *c, uint16_t osd, struct nacre_osd_request *head,
		      enum nacre_osd_op_code code, const void *name, size_t name_bytes,
		      const void *data, size_t length);
/* The same, and the answer's result is awaited. */
uint32_t cluster_raw(struct cluster *c, uint16_t osd, struct nacre_osd_request *head,
		     enum nacre_osd_op_code code, const void *name, size_t name_bytes,
		     const void *data, size_t length);

/* All in-sync replicas of all groups hold the same objects, bytes, attributes, keys (OSD-3). */
void cluster_compare_replicas(struct cluster *c);

#endif
