/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request from arrival to reply. A handler runs from the beginning each time: it asks for what it needs
 * (inodes in memory, locks, other sessions' changes journaled) through the req_ functions, which park the
 * request where something is missing; nothing is changed before all is there, and then all at once. So a
 * request holds nothing while it waits and cannot deadlock. What keeps it from waiting for
 * ever are its claims: a lock for which an older request waits is not taken by a younger one.
 *
 * Return values of handlers and req_ functions: 0, MDS_PARKED, or a positive result for the reply.
 */
#ifndef MDS_REQUEST_H
#define MDS_REQUEST_H

#include "hold.h"
#include "inode.h"
#include "slowest.h"
#include "protocol/messages.h"
#include "protocol/rules/size_report.h"

struct mds_session;
struct mds_dentry;
struct mds_dir;
struct message;

#define MDS_PARKED (-1)

/* The head that every request body begins with. */
struct mds_request_head {
	NACRE_REQUEST_HEAD(NACRE_HF)
};

/* "This request wants this lock": kept from its first wait until its end. */
struct mds_claim {
	TAILQ_ENTRY(mds_claim) link;	/* inode->claims, oldest request first */
	struct mds_request *request;
	struct mds_inode *inode;
	uint32_t groups;
};

#define MDS_CLAIMS_MAX 16
#define MDS_HOLDS_MAX 4		/* names that a request has to do with, or one range */
#define MDS_REQUEST_PINS_MAX 8

struct mds_request {
	TAILQ_ENTRY(mds_request) all_link;	/* mds->requests, oldest first */
	TAILQ_ENTRY(mds_request) session_link;
	TAILQ_ENTRY(mds_request) wait_link;	/* where it waits, or mds->ready */
	struct mds_waitlist *waiting_on;
	struct message *message;
	const struct mds_op *op;
	const struct mds_request_head *head;
	struct mds_session *session;
	uint32_t connection;		/* of the session: which it came by, or came again */
	uint64_t number;		/* counts arrivals: age */
	uint64_t since_ns;		/* of the present wait */
	uint64_t wait_ino;		/* what it is about, for people */
	enum mds_wait wait;
	struct mds_spent spent;
	struct mds_claim claims[MDS_CLAIMS_MAX];
	unsigned int claim_count;
	uint32_t load_result;		/* why a load that it waited for failed; the next run takes it */
	uint64_t applied;		/* its apply number, once it has one */
	uint64_t commit_seq;		/* batch to wait for before the reply; 0 = none */
	uint32_t result;		/* of the reply with traces: 0, or ENOENT of a lookup */
	uint16_t reply_flags;
	bool was_crowded;		/* it has waited for memory */
	bool changed;			/* its change is made; what follows is only the reply */
	bool resend_done;		/* applied before: answer only (LOG-2) */
	uint64_t ino;			/* inode made or changed */
	/* Inodes it has asked for: what was loaded for it stays until it ends. */
	struct mds_inode *pins[MDS_REQUEST_PINS_MAX];
	unsigned int pin_count;
	struct nacre_question question;	/* GETATTR: what its file's writers are asked (report.h) */
	/* OPEN that waits: what it wants, and on which inode (pinned above); counted in mds_cap.asked. */
	struct mds_inode *asked;
	uint32_t asked_caps;
	struct mds_hold holds[MDS_HOLDS_MAX];	/* what was loaded for it stays until it ends */
	unsigned int hold_count;
	/* READDIR: entries behind page_after up to page_end were loaded for it. */
	bool page_loaded;
	bool page_last;
	uint64_t page_after;
	uint64_t page_end;
	uint64_t list_after;		/* where the listing goes on, when pages gave nothing */
};

/* A row per message type that is a request. */
struct mds_op {
	uint16_t type;
	uint16_t kind;			/* enum nacre_record_kind, or 0: changes nothing */
	int (*handle)(struct mds *mds, struct mds_request *request);
};

/* Take a message in: answers it at once, queues it, or drops it. */
void mds_request_take(struct mds *mds, struct mds_session *session, struct message *message);
/* Answer with this result and end the request. */
void mds_request_fail(struct mds *mds, struct mds_request *request, uint32_t result);
void mds_request_end(struct mds *mds, struct mds_request *request);
/* Park it on a list; returns MDS_PARKED. */
int mds_request_park(struct mds *mds, struct mds_request *request, struct mds_waitlist *list,
		     enum mds_wait wait, uint64_t ino);
/* It runs again, from the top of the loop. */
void mds_request_ready(struct mds *mds, struct mds_request *request);
/* All that wait here run again, from the top of the loop. */
void mds_wake(struct mds *mds, struct mds_waitlist *list);
void mds_wake_result(struct mds *mds, struct mds_waitlist *list, uint32_t result);
/* Run a slice of what is ready. */
void mds_requests_run(struct mds *mds);
void mds_requests_drop_session(struct mds *mds, struct mds_session *session);
void mds_requests_free(struct mds *mds);

const struct mds_op *mds_op_find(uint16_t type);
struct mds_change;
/* Commit what the request has done; it has its apply number then. */
void mds_request_commit(struct mds_request *request, struct mds_change *change);
/* Answers a request that was applied before (op_resend.c). */
int mds_op_resend(struct mds *mds, struct mds_request *request);

/* Claims of requests older than `request` (NULL: of any) on these groups. */
bool mds_claimed(const struct mds_inode *inode, uint32_t groups,
		 const struct mds_request *request);
void mds_request_claim(struct mds_request *request, struct mds_inode *inode, uint32_t groups);
void mds_request_pin(struct mds_request *request, struct mds_inode *inode);
/* Entries with these cookies stay in memory until the request ends; those held from `first` on before are among them. */
void mds_request_hold(struct mds_request *request, struct mds_inode *dir, uint64_t first,
		      uint64_t last);
/* The same of one name in its message, there or not. */
void mds_request_hold_name(struct mds_request *request, struct mds_inode *dir, const uint8_t *name,
			   uint32_t name_bytes);
/* It does not want its locks any more: others go on. */
void mds_request_unclaim(struct mds *mds, struct mds_request *request);

/* ---- the reply (reply.c) ----------------------------------------------------------------------- */

/* One inode shown in a reply. */
struct mds_trace {
	uint8_t role;			/* enum nacre_trace_role */
	struct mds_inode *inode;	/* NULL: left out */
	uint32_t wanted;		/* cap bits worked for beside those that are free to have */
};

/* Answer and end the request; returns 0. */
int mds_reply(struct mds *mds, struct mds_request *request, const struct mds_trace *traces,
	      unsigned int count);
/* The same with a listing or counts. */
int mds_reply_extra(struct mds *mds, struct mds_request *request, const struct mds_trace *traces,
		    unsigned int count, const uint8_t *extra, uint32_t extra_bytes,
		    uint32_t flags);
/* How an inode looks to a session, without cap fields. */
void mds_info_fill(const struct mds_inode *inode, const struct mds_session *session, uint8_t role,
		   bool want_xattrs, struct nacre_inode_info *info);

/* ---- what handlers ask for (need.c) ----------------------------------------------------------- */

/* The inode in memory, with other sessions' changes to it journaled (SHARE-1). ESTALE. */
int req_inode(struct mds *mds, struct mds_request *request, uint64_t ino,
	      struct mds_inode **ret_inode);
/* The same, and it is a directory with names. ENOTDIR, ENOENT (removed). */
int req_dir(struct mds *mds, struct mds_request *request, uint64_t ino,
	    struct mds_inode **ret_dir);
/* What a name stands for: *ret_dentry is NULL or absent if nothing does. The lock on DIR is the caller's. */
int req_entry(struct mds *mds, struct mds_request *request, struct mds_inode *dir,
	      const uint8_t *name, uint32_t name_bytes, struct mds_dentry **ret_dentry);
/* The inode of an entry that is there. */
int req_entry_inode(struct mds *mds, struct mds_request *request, struct mds_dentry *dentry,
		    struct mds_inode **ret_inode);
/* Is there no entry in the directory? ENOTEMPTY. */
int req_empty(struct mds *mds, struct mds_request *request, struct mds_inode *dir);
int req_read(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
	     uint32_t groups);
/* The FILE lock is EXCL for this client, or at least SYNC, though others may want it elsewhere. */
int req_file(struct mds *mds, struct mds_request *request, struct mds_inode *inode, bool exclusive);
/* Nobody writes, the client neither, and what was written is told of. */
int req_no_writer(struct mds *mds, struct mds_request *request, struct mds_inode *inode);
int req_change(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
	       uint32_t groups);
/*
 * The inode has none of these flags (enum nacre_inode_flags), which would forbid it. EPERM. What was done before, and
 * what was answered before a crash, is not refused any more.
 */
int req_free_of(const struct mds_request *request, const struct mds_inode *inode, uint32_t flags);
/* Other sessions' changes of this inode are journaled (SHARE-1). */
int req_share(struct mds *mds, struct mds_request *request, struct mds_inode *inode);
/* The journal takes a change. */
int req_room(struct mds *mds, struct mds_request *request);
/* Batch `seq` is safe. */
int req_safe(struct mds *mds, struct mds_request *request, uint64_t seq, enum mds_wait wait);

#endif
