/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A world with one rank, one object server in memory and scripted clients, on the simulator's clock and network.
 * A script calls, the world runs until the answer is there.
 *
 * A client here has no opinions: it sends what it is told and keeps what it
 * receives. It answers revokes by itself (giving back what it must, nothing dirty) unless told
 * not to, and renews its lease unless told not to.
 */
#ifndef MDST_H
#define MDST_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <bsd/sys/queue.h>
#include "mdst_osd.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/cap_bits.h"
#include "protocol/rules/validate.h"
#include "server/base/msgr.h"
#include "server/mds/mds.h"

#define MDST_LEASE_MS 3000		/* of sessions */
#define MDST_PATIENCE_NS (60 * SIM_NS_PER_S)

struct mdst {
	struct sim_world *world;
	struct sim_store *store;
	struct mdst_osd *osd;
	struct sim_host *host;		/* of the rank */
	struct mapstore *mapstore;	/* its own */
	struct mds *mds;
	struct log *log;
	bool active;
	bool ended;			/* fenced or failed */
	uint64_t cache_inodes, journal_bytes, dir_split;
};

/* Something received. */
struct mdst_news {
	TAILQ_ENTRY(mdst_news) link;
	struct message *message;
};
TAILQ_HEAD(mdst_news_list, mdst_news);

struct mdst_client {
	struct mdst *t;
	struct sim_host *host;
	struct msgr *msgr;
	struct conn *conn;
	struct io_timer renew;
	uint64_t instance, incarnation, tid, oldest_tid, renew_seq, safe;
	uint64_t ino_next, ino_left;	/* delegated numbers */
	bool open;			/* the session */
	bool connected;
	bool silent;			/* does not renew */
	bool stubborn;			/* does not answer revokes */
	bool killed;
	uint32_t answer_wanted;		/* what its answers to revokes say it wants */
	unsigned int revokes;
	unsigned int several;		/* CAP_REVOKES: messages with several of them */
	bool coming_back;		/* reconnects as soon as it is connected */
	const struct nacre_cap_claim *claims;
	unsigned int claim_count;
	void (*resend)(struct mdst_client *c);
	struct mdst_news_list news;	/* replies, grants, acks … in the order they came */
};

/* What a reply says, taken apart. */
struct mdst_reply {
	uint32_t result, flags;
	uint64_t applied, safe;
	bool has_target, has_parent, has_victim;
	struct nacre_inode_info target, parent, victim;
	uint32_t entry_count;
	struct nacre_dirent entries[256];
	uint8_t name_room[256][64];
	uint64_t entry_size[256];
	uint32_t entry_valid[256], entry_issued[256];
};

int mdst_setup(void **state);
int mdst_teardown(void **state);
/* Start the rank (with t->cache_inodes, t->journal_bytes) and wait until it serves, or only start. */
void mdst_start(struct mdst *t);
void mdst_start_only(struct mdst *t);
/* The process is gone. */
void mdst_crash(struct mdst *t);
/* Run until `is` says so; fails the test when it never does. */
void mdst_until(struct mdst *t, bool (*is)(void *owner), void *owner);
void mdst_run_ms(struct mdst *t, uint64_t ms);
/* Everything journaled is written back and the journal is trimmed. */
void mdst_writeback(struct mdst *t);
/* The same, without waiting. */
void mdst_force_writeback(struct mdst *t);
uint64_t mdst_counter(struct mdst *t, const char *name);

struct mdst_client *mdst_client_new(struct mdst *t, const char *name);
void mdst_client_open(struct mdst_client *c);
/* Both: a client whose session is open. */
struct mdst_client *mdst_client_begin(struct mdst *t, const char *name);
void mdst_client_destroy(struct mdst_client *c);
/* Break its connection; it comes again by itself. */
void mdst_client_reset(struct mdst_client *c);
/* After a restart of the rank: claims, then re-sends by `resend` (may be NULL), then done; waits for the answer. */
void mdst_client_reconnect(struct mdst_client *c, const struct nacre_cap_claim *claims,
			   unsigned int count, void (*resend)(struct mdst_client *c));

/* Crash and start, with OSDs that answer, and a client that comes back holding nothing. */
void mdst_restart(struct mdst *t, struct mdst_client *c);

/* A record request with the usual fields: mode by kind, tid counted up. */
struct nacre_record_req mdst_record(struct mdst_client *c, uint64_t parent, const char *name);
/* Send; wait for the reply with this tid. */
void mdst_send(struct mdst_client *c, uint16_t type, const void *body);
struct mdst_reply mdst_wait(struct mdst_client *c, uint64_t tid);
/* Has it come? */
bool mdst_has_reply(struct mdst_client *c, uint64_t tid);
struct mdst_reply mdst_call(struct mdst_client *c, uint16_t type, const void *body);

struct mdst_reply mdst_create(struct mdst_client *c, uint64_t parent, const char *name);
struct mdst_reply mdst_mkdir(struct mdst_client *c, uint64_t parent, const char *name);
struct mdst_reply mdst_lookup(struct mdst_client *c, uint64_t parent, const char *name);
/* An OPEN is sent. The tid to wait for. */
uint64_t mdst_open_send(struct mdst_client *c, uint64_t ino, uint32_t flags, uint32_t need, uint32_t wanted);
struct mdst_reply mdst_getattr(struct mdst_client *c, uint64_t ino);
struct mdst_reply mdst_unlink(struct mdst_client *c, uint64_t parent, const char *name);
struct mdst_reply mdst_rmdir(struct mdst_client *c, uint64_t parent, const char *name);
struct mdst_reply mdst_link(struct mdst_client *c, uint64_t ino, uint64_t parent, const char *name);
struct mdst_reply mdst_rename(struct mdst_client *c, uint64_t parent, const char *name,
			      uint64_t parent2, const char *name2, uint16_t flags);
struct mdst_reply mdst_readdir(struct mdst_client *c, uint64_t ino, uint64_t after, uint32_t max);
struct mdst_reply mdst_truncate(struct mdst_client *c, uint64_t ino, uint64_t size);
void mdst_sync(struct mdst_client *c);
/* Flush a size under a cap just issued; waits for the acknowledgement; its result. */
uint32_t mdst_flush_size(struct mdst_client *c, const struct nacre_inode_info *cap, uint64_t flush_id,
			 uint64_t size);
/* Give a cap back. */
void mdst_release(struct mdst_client *c, const struct nacre_inode_info *cap);
/* The next message of this type that was received (and not taken yet); waits for it. Put it when done. */
struct message *mdst_take(struct mdst_client *c, uint16_t type);
struct message *mdst_poll(struct mdst_client *c, uint16_t type);

#endif
