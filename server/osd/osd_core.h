/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the object server share: the server itself, its peers, the
 * clients it knows. Groups are in pg.h, requests in request.h. Single-threaded.
 */
#ifndef NACRE_SERVER_OSD_CORE_H
#define NACRE_SERVER_OSD_CORE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <uthash.h>
#include "osd.h"
#include "server/base/member.h"
#include "server/base/msgr.h"
#include "object_queue.h"
#include "store.h"

#define OSD_COUNTERS(C)								\
	C(requests, "object requests received")					\
	C(requests_executed, "object requests executed")			\
	C(requests_refused, "object requests refused before execution: map, lease, group")	\
	C(requests_busy, "object requests refused because too many were queued")	\
	C(conditions_met, "changes carried out because an attribute was not there (a file's data that leaves its inode)") \
	C(requests_known, "re-sent requests answered as before")		\
	C(requests_discarded, "requests of an older connection generation, never executed") \
	C(replies_kept_back, "answers not sent because the lease had run out")	\
	C(replicated, "transactions sent to members")				\
	C(applied, "transactions applied for a primary")			\
	C(intervals, "new intervals of groups")					\
	C(reconciled, "groups reconciled")					\
	C(stabilized, "ranges torn by a crash and made the same on all members (mode ordered)") \
	C(transactions_fetched, "transactions a new primary was missing")	\
	C(members_caught_up, "members brought back in sync")			\
	C(objects_pushed, "objects sent to a member that was away")		\
	C(objects_pulled, "objects received from a primary")			\
	C(members_full, "times a member that was away could not be caught up because it is full") \
	C(wrong_interval, "replica messages of another interval refused")	\
	C(strays_removed, "objects removed of groups that are elsewhere now")	\
	C(members_dropped, "members taken out of sync because they could not apply") \
	C(scrubs, "groups scrubbed")						\
	C(scrub_objects, "objects scrubbed as their primary")			\
	C(scrub_bytes, "bytes read from the device for scrubs")		\
	C(scrub_findings, "what scrubs found wrong, repaired or not")		\
	C(scrub_repaired, "blocks of this OSD or of others repaired, counted where it was ordered and where it was done") \
	C(scrub_unrepaired, "what scrubs found wrong and could not repair")	\
	C(scrub_unstable, "objects that changed too often to be scrubbed")	\
	C(reads_repaired, "requests that met a bad checksum and waited for its repair")

STATS_STRUCT(osd_stats, OSD_COUNTERS);

struct pg;
struct request;
struct sync_edit;
struct osd_scrub;

/* Changes of the map that groups wait for: sync_edit.c. */
struct osd_edits {
	TAILQ_HEAD(, sync_edit) gathered, under_way;
	struct io_timer window;
	bool busy;			/* `under_way` is on its way to the map */
	bool urgent;			/* `gathered` does not wait for more */
};

/* Looking for what is stored of groups that are elsewhere now: stray.c. */
struct osd_strays {
	bool due;			/* there may be some */
	bool looking;			/* a list or a removal is under way */
	bool inside;			/* `pool`, `pg` is such a group, and its objects are removed */
	unsigned int kind;		/* of keys, in the order of removal; behind the last: idle */
	uint32_t pool, pg;
	struct osd_key next;		/* where to go on */
};

/* Another OSD, as a member of groups whose primary is here. Dialled when first needed. */
struct osd_peer {
	struct osd *osd;
	uint16_t id;
	uint64_t instance;		/* of the map, when it was dialled; 0 = not dialled */
	struct conn *conn;
	uint64_t bytes_free;		/* space left for data there, as it last said */
	bool full;			/* a request was refused because of that: ask it again */
};

TAILQ_HEAD(request_list, request);

/* An instance that sends requests. */
struct osd_client {
	uint64_t instance;
	uint32_t conn_gen;		/* newest seen */
	uint64_t oldest_tid;		/* everything below it is finished there */
	struct request_list requests;	/* queued, executing, committing */
	UT_hash_handle hh;
};

/* A transaction of a group that is not known to be committed: REC-1. Counted. */
struct pg_kept {
	TAILQ_ENTRY(pg_kept) link;
	uint32_t references;
	uint32_t pool, pg;
	uint64_t number;
	bool spilled;			/* stands under its T key */
	const uint8_t *request, *entry, *data;
	uint32_t request_bytes, entry_bytes, data_bytes;
	struct mem_bytes own[3];	/* hold them, or `message` does */
	struct message *message;
	struct iovec iov;		/* of the data, for sending */
};

TAILQ_HEAD(pg_kept_list, pg_kept);

/* Why it ends. What is more final wins. */
enum osd_ending {
	OSD_RUNS,
	OSD_STOPS,
	OSD_FENCED,
	OSD_FAILED,
};

struct osd {
	struct osd_config config;
	char name[32];
	struct io *io;
	struct log *log;
	uint16_t id;
	struct osd_store *store;
	bool store_open;
	struct msgr *msgr;
	struct member *member;
	struct cluster_map *map;	/* referenced; NULL before the first */
	uint64_t instance;		/* 0 before it has joined */
	bool serving;			/* joined, not fenced, not stopping */
	bool failed;			/* takes no messages any more: it is ending, for whatever reason */
	struct pg *pgs;			/* hash by (pool, pg) */
	struct osd_peer *peers;		/* by OSD id */
	uint32_t peer_count;
	struct osd_client *clients;	/* hash by instance */
	struct subscriber *subscribers;	/* subscribers.c */
	struct object_queues queues;
	uint32_t request_count;		/* queued and executing */
	unsigned int recoveries;	/* members being caught up, without those that wait for the map */
	struct osd_edits edits;
	struct osd_strays strays;
	struct osd_scrub *scrub;	/* scrub.h */
	struct pg_kept_list replayed;	/* from the journal, until their group is loaded */
	enum fill_state fill;		/* as last told */
	struct io_timer tick;
	enum osd_ending ending;
	struct io_timer end_timer;
	int fail_result;
	char reason[640];		/* of a failure or a fence */
	void (*stopped)(void *owner);	/* osd_stop()'s */
	void *stop_owner;
	struct osd_stats stats;
	struct osd_store_stats store_stats;
	struct stats_set stats_set, store_stats_set;
};

/* Milliseconds under the time scale, in ns. */
static inline uint64_t osd_scaled_ns(const struct osd *osd, uint64_t ms)
{
	return ms * 1000000u * osd->config.time_scale_percent / 100;
}

/* May anything be claimed at this moment? */
bool osd_may_serve(struct osd *osd);
/* It cannot go on. */
void osd_fail(struct osd *osd, int result, const char *why);

/* ---- fill.c ----------------------------------------------------------------------------- */

/* Look how full the store is, tell the other members, and say so in the log when that has changed. */
void osd_fill_tick(struct osd *osd);
struct fill osd_fill(const struct osd *osd);

/* ---- peers.c -------------------------------------------------------------------------- */

/* Peers that the new map says have another instance or address are dialled anew. */
void osd_peers_update(struct osd *osd);
void osd_peers_close(struct osd *osd);
/* The open connection to another OSD, dialled if need be. NULL: not now; `pg_peer_opened` will come. */
struct conn *osd_peer_conn(struct osd *osd, uint16_t id);
/* Send there. False: not now, likewise. */
bool osd_peer_send(struct osd *osd, uint16_t id, uint16_t type, const void *body,
		   const struct payload *payload);
/* It says how much space it has left. */
void osd_peer_space(struct osd *osd, uint16_t id, uint64_t bytes_free);
/* Is this connection that of the OSD's present instance? */
bool osd_peer_is(struct osd *osd, struct conn *conn, uint16_t id);

/* ---- sync_edit.c ------------------------------------------------------------------------ */

void osd_edits_init(struct osd *osd);
void osd_edits_end(struct osd *osd);
/* Fewer are being caught up: need what was gathered wait any longer? */
void osd_edits_kick(struct osd *osd);

/* ---- stray.c ----------------------------------------------------------------------------- */

void osd_strays_init(struct osd *osd);
void osd_strays_tick(struct osd *osd);

/* ---- clients.c -------------------------------------------------------------------------- */

struct osd_client *osd_client_get(struct osd *osd, uint64_t instance);
struct osd_client *osd_client_find(struct osd *osd, uint64_t instance);
/* A newer map: dead instances without requests are forgotten. */
void osd_clients_prune(struct osd *osd);
void osd_clients_free(struct osd *osd);

/* ---- dispatch.c --------------------------------------------------------------------------- */

extern const struct msgr_handler osd_msgr_handler;
/* FENCE-1, and the lease. 0 or why not. */
uint32_t osd_judge(struct osd *osd, const struct nacre_osd_request *request);

/* ---- kept.c ---------------------------------------------------------------------------------- */

struct pg_kept *pg_kept_get(struct pg_kept *kept);
void pg_kept_put(struct pg_kept *kept);
/* Takes the bytes over. */
struct pg_kept *pg_kept_take(uint32_t pool, uint32_t pg, uint64_t number, struct mem_bytes *request,
			     struct mem_bytes *entry, struct mem_bytes *data);
/* Of a REP_APPLY or REP_TRANSACTION; counts the message. */
struct pg_kept *pg_kept_message(struct message *message);
/* From a T value. NULL: it cannot be understood. */
struct pg_kept *pg_kept_decode(uint32_t pool, uint32_t pg, uint64_t number, const uint8_t *value,
			       uint32_t length);
void pg_kept_encode(const struct pg_kept *kept, struct mem_bytes *ret_value);
/* The store's hooks, see store.h. */
void osd_kept_replayed(void *owner, const struct osd_txn *txn);
void osd_kept_filled(void *owner, const struct osd_txn *txn);
bool osd_kept_settled(void *owner, const struct osd_txn *txn);
bool osd_kept_keep(void *owner, const struct osd_txn *txn, struct mem_bytes *value);

#endif
