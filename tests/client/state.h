/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the native client keeps, and what its files offer each other. The files
 * stand in the order of a call: call → namespace, attributes, data → caps →
 * requests, session. Nobody outside tests/client includes this.
 *
 * A call is a step function that is run again whenever something it may have
 * waited for has happened, until it ends the call. It keeps its place in
 * call->step and holds cap references (call->refs) only while object requests
 * are under way, never while it waits for the rank (CAP-3).
 */
#ifndef NACRE_CLIENT_STATE_H
#define NACRE_CLIENT_STATE_H

#include <sys/queue.h>
#include <errno.h>
#include <uthash.h>
#include "client.h"
#include "protocol/rules/cap_batch.h"
#include "protocol/rules/cap_client.h"
#include "protocol/rules/inline.h"
#include "protocol/rules/size_report.h"
#include "protocol/rules/record.h"
#include "protocol/rules/session.h"
#include "protocol/rules/size.h"
#include "server/base/member.h"
#include "server/base/msgr.h"
#include "server/base/osdc.h"

#define CLIENT_PAGE_BYTES 4096u
#define CLIENT_CAP_BITS 18		/* bits counted, see protocol/caps.h */
#define CLIENT_OSDS_MAX 64		/* open connections to OSDs that are remembered */

struct call_list {
	struct client_call *first;
};

/* A name in a directory, as last told; ino 0: known not to exist. */
struct dentry {
	UT_hash_handle hh;		/* inode->dentries, by name */
	uint64_t ino;
	uint32_t mode;
	uint64_t lease_until_ns;	/* without DIR_SHARED it holds until then */
	char name[];
};

/* A page of file data. */
struct page {
	UT_hash_handle hh;		/* inode->pages, by index */
	uint64_t index;
	bool uptodate;			/* all bytes are known, else only the dirty ones */
	uint64_t fill;			/* the read that fills it; 0 = none */
	bool writing;			/* a write-back is under way; dirty may grow anew meanwhile */
	uint32_t dirty_from, dirty_to;	/* empty: from == to */
	uint8_t bytes[CLIENT_PAGE_BYTES];
};

struct inode {
	UT_hash_handle hh;		/* client->inodes, by ino */
	struct client *client;
	uint64_t ino;
	uint64_t version;		/* newest seen; 0: nothing is known yet */
	uint32_t mode, uid, gid, nlink, rdev, flags;
	uint16_t pool;
	uint32_t object_bytes;
	uint64_t atime, mtime, ctime;
	struct nacre_size size;
	uint64_t max_size, max_size_asked;
	uint64_t max_size_refused;	/* a quota left no room for that … */
	uint32_t max_size_refusals;	/* … and how often that was said */
	uint64_t written, written_sent;	/* bytes of blocks for the next flush, and in unacknowledged ones */
	uint64_t keeps, keeps_known;	/* ROOM-1: room is to be taken up to here, since WRITE is held; the rank has journaled that */
	bool kept;			/* there may be room behind the end, the rank says */
	__u64 written_end;		/* block behind the last write that was counted */
	char *symlink;
	uint8_t *xattrs;		/* nacre_xattr sequence */
	uint32_t xattrs_bytes;
	bool xattrs_known;
	struct nacre_cap_client cap;
	uint32_t refs[CLIENT_CAP_BITS];
	uint32_t dirty_pages, writing_pages;
	uint32_t open_read, open_write;
	bool linkable;			/* TMPFILE made it, and it has had no name yet */
	uint32_t changing;		/* our requests under way that change it: its copy answers nothing */
	uint64_t changes;		/* such requests ever sent */
	uint32_t busy;			/* requests and flushes that point here */
	uint32_t ranges;		/* ALLOCATE under way: no write begins, nor goes on */
	struct dentry *dentries;
	bool complete;			/* dentries are the whole listing (under DIR_SHARED) */
	uint64_t dir_cuts;		/* how often names were dropped: a listing begun before does not make it complete */
	struct page *pages;
	struct nacre_inline_client inlined;
	uint64_t told_inline;		/* inline generation that the rank last spoke of */
	uint8_t *small;			/* the inline data: NACRE_INLINE_MAX bytes, or NULL */
	uint32_t small_bytes;		/* of them, up to the last that is not zero by definition */
	bool small_news;		/* the rank has not journaled them as they are now */
	uint64_t small_flush;		/* the first flush that has carried them so; 0 = none */
	int error;			/* of write-back or flush, told once by fsync */
	uint64_t dirty_since_ns;	/* 0: nothing dirty */
	bool flush_sync;		/* the flush being sent is waited for */
	bool write_all;			/* write-back goes on until nothing is dirty */
	struct call_list waiters;
};

typedef void (*request_replied)(struct request *request, const struct nacre_reply *reply);

/* A request to the rank, until it is safe. */
struct request {
	TAILQ_ENTRY(request) entry;	/* client->unanswered by tid, or client->unsafe by apply number */
	uint64_t tid, applied;
	uint16_t type;
	bool unsafe, sent;
	bool again;			/* unsafe, and being done again by a new incarnation: counted in `changing` */
	union message_host body;	/* tails point into `bytes` */
	uint8_t *bytes;
	struct inode *inodes[3];	/* that it names; busy, and changing while unanswered */
	uint64_t marks[3];		/* their `changes` when sent; UINT64_MAX: another was under way */
	bool changes;
	struct client_call *call;	/* NULL: nobody waits */
	request_replied replied;
	uint64_t sent_ns;
};
TAILQ_HEAD(request_list, request);

/* A flush of dirty attributes on its way. */
struct flush {
	TAILQ_ENTRY(flush) entry;	/* client->flushes, by id */
	uint64_t id;
	struct inode *inode;
	uint32_t groups;
	uint64_t keeps;			/* room that it tells of; 0 = none */
	/* inline data of then: what is sent again is what was sent */
	uint64_t inline_gen;
	bool left;
	uint8_t *data;			/* NULL: carries none */
	uint32_t data_bytes;
};
TAILQ_HEAD(flush_list, flush);

/* A file lock that the rank has given us. */
struct lock {
	TAILQ_ENTRY(lock) entry;	/* client->locks, oldest first */
	uint64_t ino;
	struct client_lock what;
};
TAILQ_HEAD(lock_list, lock);

struct client {
	struct io *io;
	struct client_config config;
	struct msgr *msgr;
	struct osdc *osdc;
	struct cluster_map *map;
	struct conn *mds;		/* the peer we keep to rank 0 */
	struct io_address mds_address;
	uint64_t mds_peer;		/* instance of the daemon the session was last good with */
	struct conn *osds[CLIENT_OSDS_MAX];	/* open, to ask for maps */
	/* session */
	uint8_t session;		/* enum nacre_session_client_state */
	bool io_stopped;
	uint64_t instance;
	uint64_t renew_seq, renew_sent_ns;
	uint64_t lease_until_ns;
	uint32_t lease_ms;
	struct io_timer lease_timer, renew_timer, retry_timer, map_timer;
	uint64_t ino_next, ino_end;	/* numbers delegated to us */
	/* requests */
	uint64_t next_tid, safe;
	struct io_timer again_timer;	/* requests that the rank could not take */
	struct request_list unanswered, unsafe;
	uint64_t *lost_tids;		/* that were in these lists when the session was killed */
	size_t lost_count;
	/* caps */
	struct inode *inodes;
	uint64_t next_flush;
	bool batching;			/* updates go to the batch, and are sent before anything else is */
	struct nacre_cap_batch batch;
	uint8_t batch_buffer[32768];
	struct flush_list flushes;
	/* file locks */
	struct lock_list locks;
	uint64_t last_waiter;
	struct io_timer age_timer;
	/* calls */
	struct call_list lock_waiters;	/* LOCK: queued at the rank */
	struct call_list calls_waiting;	/* for the session */
	struct call_list running;	/* steps to be run */
	struct call_list syncing;	/* for anything to become clean or safe */
	struct call_list asleep;	/* whatever for: only a completion or an inode wakes them */
	struct io_task run_task;
	uint32_t dirty_pages;
	uint64_t fills;			/* reads into pages ever begun */
	bool gone;			/* being destroyed: nothing begins any more */
	struct client_counters counters;
};

/* ---- call.c: calls and their waiting ---- */

void *client_alloc(size_t bytes);
/* Put a call where it waits; it is somewhere at all times until it ends. */
void call_wait(struct call_list *list, struct client_call *call);
/* Its step is to run again. */
void call_wake(struct client_call *call);
void call_wake_all(struct call_list *list);
void call_end(struct client_call *call, int result);
/* Session is open and its lease alive; else the call waits for that. */
bool call_may_go(struct client_call *call);
/* All calls that are under way, whatever they wait for, end with this. */
void calls_init(struct client *client);
void calls_fail(struct client *client, int result);

/* ---- session.c ---- */

void session_event(struct client *client, uint8_t event);
void session_state(struct client *client, const struct nacre_session_state *state);
void session_killed(struct client *client, uint32_t result, const char *reason);
void session_connected(struct client *client);
void session_init(struct client *client);
uint64_t session_take_ino(struct client *client);
/* Nothing of the other side's words is taken as fatal except these. */
bool session_is_fatal(uint32_t result);

/* ---- requests.c ---- */

/* A request whose body is copied; names up to three inodes (NULL allowed). */
struct request *request_new(struct client *client, uint16_t type, const void *body,
			    struct client_call *call, request_replied replied);
void request_names(struct request *request, struct inode *inode);
/* Did no other change of ours to the inode overlap with it? */
bool request_was_alone(const struct request *request, const struct inode *inode);
void request_submit(struct request *request);
void requests_reply(struct client *client, const struct nacre_reply *reply);
void requests_safe(struct client *client, uint64_t safe);
void requests_init(struct client *client);
void requests_send_new(struct client *client);
void requests_resend(struct client *client);
void requests_resend_to_new(struct client *client);
void requests_drop(struct client *client);
uint64_t requests_oldest_tid(const struct client *client);
/* Send one message to the rank; lost when there is no connection. */
void rank_send(struct client *client, uint16_t type, const void *body);

/* ---- inodes.c: what is known of inodes ---- */

struct inode *inode_find(struct client *client, uint64_t ino);
struct inode *inode_get(struct client *client, uint64_t ino);	/* made when unknown */
void inode_forget(struct inode *inode);
/* Take in what a reply or a grant says, cap included; and why it says so. */
enum told {
	TOLD,
	TOLD_CHANGED,		/* the answer to a change of ours: nothing of ours is newer */
	TOLD_CHANGED_AGAIN,	/* done again by a new incarnation: newer is only what is not flushed */
};
struct inode *inode_learn(struct client *client, const struct nacre_inode_info *info, enum told why);
void inode_attr(const struct inode *inode, struct client_attr *attr);
/* Does our copy of these groups (nacre_cap_group) answer? */
bool inode_is_current(const struct inode *inode, uint32_t groups);
void inode_wake(struct inode *inode);

/* ---- dentries.c ---- */

struct dentry *dentry_find(struct inode *dir, const char *name);
/* May the directory's copy answer for this name? With *ret_ino = 0 for "does not exist". */
bool dentry_answers(struct inode *dir, const char *name, uint64_t *ret_ino);
void dentry_set(struct inode *dir, const char *name, uint64_t ino, uint32_t mode,
		uint32_t lease_ms);
void dentry_drop(struct inode *dir, const char *name);
void dentries_drop(struct inode *dir);
/*
 * A reply says what `name` now is (ino 0: nothing). Keep it if caps allow and
 * the reply is the newest word; else forget what was known.
 */
void dentry_learn(struct inode *dir, const struct request *request,
		  const struct nacre_reply *reply, uint8_t role, const char *name, uint64_t ino,
		  uint32_t mode);
/* Is this reply's info about an inode (by trace role) the newest word on its cap? */
bool reply_is_newest(const struct inode *inode, const struct nacre_reply *reply, uint8_t role);

/* ---- caps.c ---- */

void caps_event(struct inode *inode, struct nacre_cap_event event);
uint32_t caps_used(const struct inode *inode);
bool caps_can(const struct inode *inode, uint32_t caps);
void caps_take(struct inode *inode, uint32_t caps);
void caps_give(struct inode *inode, uint32_t caps);
/* The used mask changed by other means (pages). */
void caps_used_changed(struct inode *inode);
void caps_dirty(struct inode *inode, uint32_t groups);
/* Tell the rank what open files, and this call, want. */
void caps_want(struct inode *inode, uint32_t extra);
void caps_want_size(struct inode *inode, uint64_t end);
/* A call that needs the room waits for it, or ends with -EDQUOT if it was refused since it came here first. */
void caps_wait_size(struct client_call *call, struct inode *inode, uint64_t end);
void caps_grant(struct client *client, const struct nacre_cap_grant *grant);
void caps_revoke(struct client *client, const struct nacre_cap_revoke *revoke);
void caps_revokes(struct client *client, const struct nacre_cap_revokes *several);
void caps_size_ask(struct client *client, const struct nacre_size_ask *ask);
void caps_event_all(struct client *client, uint8_t kind);
bool caps_try_drop(struct inode *inode);
void caps_claims_send(struct client *client);

/* ---- flush.c ---- */

/* A CAP_UPDATE from the cap's present fields, with the values of `groups` under a new flush. */
void caps_update_send(struct inode *inode, bool answer, uint32_t groups, bool sync);
void caps_flush(struct inode *inode, bool sync);
/* Between these, updates of many inodes share messages. */
void updates_batch(struct client *client);
void updates_end(struct client *client);
void updates_send(struct client *client);
void caps_flush_ack(struct client *client, const struct nacre_cap_flush_ack *ack);
/* Nothing of it is still to reach the OSDs or the rank. */
bool caps_are_clean(const struct inode *inode);
void flushes_resend(struct inode *inode);
void flushes_resend_all(struct client *client);
void flushes_drop(struct inode *inode);
/* ROOM-1: WRITE is gone, and with it what was told of room that is not taken yet. */
void flushes_forget_room(struct inode *inode);
uint64_t flushes_oldest(const struct client *client);

/* ---- pages.c ---- */

struct page *page_find(struct inode *inode, uint64_t index);
struct page *page_get(struct inode *inode, uint64_t index);
bool page_is_dirty(const struct page *page);
void pages_drop_clean(struct inode *inode);
void pages_drop_all(struct inode *inode);
void pages_cut(struct inode *inode, uint64_t size);
void pages_write_back(struct inode *inode);
/* Put bytes into a page's cache; false: its dirty range would have a gap, write it back first. */
bool page_write(struct inode *inode, struct page *page, uint32_t from, const uint8_t *bytes,
		uint32_t length);
/* These bytes have gone straight to the OSDs: pages that came into the cache meanwhile have them, too. */
void pages_overlay(struct inode *inode, uint64_t offset, const uint8_t *bytes, uint64_t length);
void pages_age(struct client *client);

/* These pages have other bytes now; none is dirty. */
void pages_drop_range(struct inode *inode, uint64_t offset, uint64_t length);

/* ---- write.c ---- */

/* [start, end) was written, now, under FILE_WRITE: the file reaches as far at least. */
void write_grow(struct client_call *call, struct inode *inode, uint64_t start, uint64_t end);
/*
 * Requests on the pieces of the call's range from call->sent on, each with the operation that `add` gives it. While data is
 * inline only object 0's piece, or the guard alone; the rest follows when the call asks again (INLINE-2).
 */
struct nacre_piece;
typedef void (*piece_op)(struct client_call *call, struct osdc_request *osd_request,
			 const struct nacre_piece *piece);
void pieces_submit(struct client_call *call, struct inode *inode, piece_op add);

/* ---- locks.c: file locks ---- */

void locks_init(struct client *client);
void locks_free(struct client *client);
void locks_claims_send(struct client *client);
void locks_granted(struct client *client, const struct nacre_filelock_granted *granted);
/* What the rank said may be lost: who waits asks again. */
void locks_flow(struct client *client);

/* ---- inline.c: small files in the inode ---- */

/* Files up to this size stay there, bytes; 0: none do. */
uint32_t inline_limit(const struct client *client);
void inline_told(struct inode *inode, const struct nacre_inode_info *info);
/* The cap has made a step. */
void inline_caps_changed(struct inode *inode);
void inline_cut(struct inode *inode, uint64_t size);
void inline_lost(struct inode *inode);
/* The generation that a user of the file should see: 0 as soon as the data is known to have left. */
uint64_t inline_gen_seen(const struct inode *inode);
/* Is the data here? Then pages are filled from it. */
bool inline_is_in(const struct inode *inode);
/* May the alone holder write up to `end` without making the data leave? */
bool inline_stays(const struct inode *inode, uint64_t end);
void inline_write(struct inode *inode, uint64_t offset, const uint8_t *bytes, uint64_t length);
void inline_read(const struct inode *inode, uint64_t offset, uint8_t *to, uint64_t length);
void inline_fill(const struct inode *inode, struct page *page);
/* A flush begins; it is put into a message; it is journaled. */
void inline_flush(struct inode *inode, struct flush *flush);
void inline_put_flush(const struct flush *flush, struct nacre_cap_update *update);
void inline_flushed(struct inode *inode, uint64_t flush_id);
/* Must a write to object 0 begin with the guard, and one to another object wait? */
bool inline_needs_guard(const struct inode *inode);
void inline_guard(struct inode *inode, struct osdc_request *osd_request);
void inline_guard_answered(struct inode *inode, bool good);
/* A read of object 0 that looks for the mark first; true when it reads `length` bytes, too. */
bool inline_look(struct osdc_request *osd_request, uint64_t offset, uint32_t length);
/* It was answered: was there a mark? */
bool inline_looked(struct inode *inode, const struct osdc_request *osd_request,
		   struct osdc_result *ret_read);

/* ---- the steps, one per kind of call ---- */

typedef void (*call_step)(struct client_call *call);
#define CLIENT_STEP(NAME, doc) void step_##NAME(struct client_call *call);
CLIENT_CALLS(CLIENT_STEP)

/* ---- shared by steps ---- */

void attr_from_info(struct client_attr *attr, const struct nacre_inode_info *info);
/* errno (negative) of a reply's result. */
int reply_error(const struct nacre_reply *reply);
/* Learn all traces of a reply in order; `request` may be NULL, then nobody knows of what. */
void reply_learn(struct client *client, const struct nacre_reply *reply,
		 const struct request *request);
/* The usual end of a call: with the reply's error, or 0. */
void reply_ends_call(struct request *request, const struct nacre_reply *reply);
/*
 * Send a request for this call; it names up to three inodes (NULL allowed).
 * Their dirty attributes go ahead of a change (LOG-1).
 */
void call_submit(struct client_call *call, uint16_t type, const void *body,
		 request_replied replied, struct inode *a, struct inode *b, struct inode *c);
/* GETATTR for these groups, current in the inode then; the call's step is run again when it is answered. */
void call_getattr(struct client_call *call, struct inode *inode, uint32_t groups);
/* OPEN: the call's step is run again when the rank has granted `need`, perhaps. */
void call_acquire(struct client_call *call, struct inode *inode, uint32_t need);
/* Submit SYNC for all that is unsafe, if anything is. */
void call_sync_rank(struct client_call *call);

#endif
