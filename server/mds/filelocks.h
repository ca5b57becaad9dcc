/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File locks of clients: the rank's table of who holds and who waits (rules/filelocks.h decides), by
 * inode number. They guard nothing of ours, so no inode need be in memory for them.
 *
 * filelocks.c has the table, filelocks_ask.c serves the request, filelocks_session.c claims, sessions that end, and the
 * list for people. Nothing is journaled: a session declares what it holds to a new incarnation, before
 * any request is served (FLOCK-2). A session's locks go with it, behind its fence (FLOCK-1).
 */
#ifndef MDS_FILELOCKS_H
#define MDS_FILELOCKS_H

#include <stdbool.h>
#include <uthash.h>
#include <bsd/sys/queue.h>
#include "protocol/rules/filelocks.h"

struct mds;
struct mds_session;
struct admin_answer;

struct mds_filelock_file {
	struct nacre_filelock_file rules;
	UT_hash_handle hh;		/* filelocks->files, by rules.ino */
};

/* An owner as clients number them: a number, in a session, of a kind. */
struct mds_filelock_key {
	uint64_t instance, id, kind;
};

struct mds_filelock_owner {
	struct nacre_filelock_owner rules;
	struct mds_filelock_key key;
	struct mds_session *session;
	uint32_t counted;		/* of its ranges, in the session's sum */
	TAILQ_ENTRY(mds_filelock_owner) session_link;
	UT_hash_handle hh;		/* filelocks->owners, by key */
};
TAILQ_HEAD(mds_filelock_owner_list, mds_filelock_owner);

struct mds_filelock_range {
	struct nacre_filelock_range rules;
	uint64_t since_ns;
};

struct mds_filelock_wait {
	struct nacre_filelock_waiter rules;
	uint64_t since_ns;
	bool *granted;			/* its request is being served: told there, and by no message; else NULL */
};

struct mds_filelocks {
	struct nacre_filelocks rules;
	struct mds_filelock_file *files;
	struct mds_filelock_owner *owners;
	struct nacre_link spares;	/* NACRE_FILELOCK_SPARES ranges */
};

void mds_filelocks_init(struct mds *mds);
/* All sessions are gone. */
void mds_filelocks_free(struct mds *mds);

/* ---- the table (filelocks.c) ---- */

struct mds_filelock_file *mds_filelock_file_find(struct mds *mds, uint64_t ino);
struct mds_filelock_file *mds_filelock_file_get(struct mds *mds, uint64_t ino);
struct mds_filelock_owner *mds_filelock_owner_find(struct mds *mds, const struct mds_session *session,
						   uint64_t id, uint8_t kind);
struct mds_filelock_owner *mds_filelock_owner_get(struct mds *mds, struct mds_session *session,
						  uint64_t id, uint8_t kind);
/* Free what nobody holds or waits in any more. */
void mds_filelock_tidy(struct mds *mds, struct mds_filelock_file *file,
		       struct mds_filelock_owner *owner);
struct mds_filelock_owner *mds_filelock_owner_of(const struct nacre_filelock_owner *rules);
struct mds_filelock_wait *mds_filelock_wait_of(const struct nacre_filelock_waiter *rules);

/* As the rules' functions of these names, with memory and counts. */
int mds_filelock_take(struct mds *mds, struct mds_filelock_file *file,
		      const struct nacre_filelock_want *want);
int mds_filelock_claim(struct mds *mds, struct mds_filelock_file *file,
		       const struct nacre_filelock_want *want);
/* After claims, which may have cut other owners' ranges. */
void mds_filelocks_recount(struct mds *mds);
struct mds_filelock_wait *mds_filelock_queue(struct mds *mds, struct mds_filelock_file *file,
					     const struct nacre_filelock_want *want, uint64_t id);
/* The wait is over with this result, which is not told. */
void mds_filelock_wait_end(struct mds *mds, struct mds_filelock_wait *wait);
/* Everybody who can go on goes on, and is told. */
void mds_filelocks_settle(struct mds *mds);
/* The owner was given something: his waits that can never end are told so. */
void mds_filelocks_end_deadlocks(struct mds *mds, struct nacre_filelock_owner *owner);

/* ---- sessions (filelocks_session.c) ---- */

void mds_filelocks_claims(struct mds *mds, struct mds_session *session,
			  const struct nacre_session_filelocks *part);
/* It is gone: others go on. */
void mds_filelocks_drop_session(struct mds *mds, struct mds_session *session);
/* Does anybody else wait for what it holds? */
bool mds_filelocks_hinders(struct mds *mds, const struct mds_session *session);
/* The admin command `filelocks [0xINO]`. */
bool mds_filelocks_show(void *owner, int argc, char **argv, struct admin_answer *answer);

#endif
