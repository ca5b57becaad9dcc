/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File locks as the rank keeps them: who holds which bytes of a file, who waits, who is next, who would
 * wait for himself. Ranges, owners and waiters belong to the caller, who hangs them in here; nothing is
 * allocated, and nothing is sent: a caller takes, queues or gives up, then asks
 * nacre_filelocks_grantable() until nobody is left that can go on.
 *
 * POSIX and OFD locks exclude each other; flock locks stand apart. Among those of one owner the last word
 * counts: a new lock replaces what the owner had of that range, and splits or
 * merges it. A flock that changes its mode is given up first, as Linux does it.
 *
 * Who waits is *blocked* by what others hold; and, so that a stream of readers does not starve a writer, an owner
 * that holds nothing at all is also blocked by those who wait before him. As nobody waits for one that holds
 * nothing, this politeness never closes a circle, and deadlocks are searched among holders only.
 */
#ifndef NACRE_RULES_FILELOCKS_H
#define NACRE_RULES_FILELOCKS_H

#include <linux/types.h>
#include "../filelocks.h"

/* A ring of what is hung in; an empty one points to itself. */
struct nacre_link {
	struct nacre_link *next, *prev;
};

/* All files and owners that can wait for each other. */
struct nacre_filelocks {
	struct nacre_link unsettled;	/* files where somebody may be able to go on */
	__u64 searches;			/* numbers the searches for deadlocks */
};

struct nacre_filelock_file {
	struct nacre_filelocks *all;
	__u64 ino;
	struct nacre_link held;		/* ranges, oldest first */
	struct nacre_link waiting;	/* waiters, oldest first */
	struct nacre_link unsettled;	/* in all->unsettled, or alone */
};

struct nacre_filelock_owner {
	__u64 instance;			/* of its client */
	__u64 id;
	__u8 kind;			/* enum nacre_filelock_kind: an owner has locks of one kind */
	struct nacre_link held;
	__u32 held_count;
	struct nacre_link waiting;
	__u64 searched;			/* last search that came by, and */
	struct nacre_filelock_owner *search_next;	/* whom it looks at next */
};

struct nacre_filelock_range {
	struct nacre_link in_file, in_owner;
	struct nacre_filelock_file *file;
	struct nacre_filelock_owner *owner;
	__u64 start, last;
	__u32 pid;
	__u8 mode;
};

struct nacre_filelock_waiter {
	struct nacre_link in_file, in_owner;
	struct nacre_filelock_file *file;
	struct nacre_filelock_owner *owner;
	__u64 start, last;
	__u64 id;			/* the client's number of the wait */
	__u32 pid;
	__u8 mode;
};

/* What is asked for, by whom. */
struct nacre_filelock_want {
	struct nacre_filelock_owner *owner;
	__u64 start, last;
	__u32 pid;
	__u8 mode;			/* enum nacre_filelock_mode */
};

void nacre_link_init(struct nacre_link *ring);
int nacre_link_is_empty(const struct nacre_link *ring);
void nacre_link_add_tail(struct nacre_link *ring, struct nacre_link *link);
void nacre_link_remove(struct nacre_link *link);

#define nacre_link_entry(link, type, member) \
	((type *)((char *)(link) - __builtin_offsetof(type, member)))

/* NULL, or why these values are no lock of this kind. */
const char *nacre_filelock_check(__u8 kind, __u8 mode, __u64 start, __u64 last);

void nacre_filelocks_init(struct nacre_filelocks *all);
void nacre_filelock_file_init(struct nacre_filelock_file *file, struct nacre_filelocks *all,
			      __u64 ino);
void nacre_filelock_owner_init(struct nacre_filelock_owner *owner, __u64 instance, __u64 id,
			       __u8 kind);
/* Nobody holds or waits here: it may be freed. A file leaves the list of unsettled ones with that. */
int nacre_filelock_file_ends(struct nacre_filelock_file *file);
int nacre_filelock_owner_ends(const struct nacre_filelock_owner *owner);

/* A range of somebody else that is in the way, or NULL. */
struct nacre_filelock_range *nacre_filelock_conflict(const struct nacre_filelock_file *file,
						     const struct nacre_filelock_want *want);
/* Has the owner all these bytes, in exactly this mode? */
int nacre_filelock_holds(const struct nacre_filelock_file *file,
			 const struct nacre_filelock_want *want);

/*
 * Take the range, or give it up. 0, or -EAGAIN if somebody is in the way; a flock of another mode is gone
 * even then. `spares` has ranges for what is made, NACRE_FILELOCK_SPARES are enough; what
 * is not needed any more is hung there as well, by in_file.
 */
#define NACRE_FILELOCK_SPARES 2
int nacre_filelock_take(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
			struct nacre_link *spares);
/* A flock of another mode goes, nothing else does: before a wait is queued. */
void nacre_filelock_give_up(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
			    struct nacre_link *spares);
/*
 * Declared after a restart. Who was turning a write lock into a read lock may still declare the old one, beside
 * another's read lock: it counts as the new one there. 0: done; 1: a part of it is, call
 * again with more spares, `want` has what is left; -EAGAIN: two writers, and this is the second.
 */
int nacre_filelock_claim(struct nacre_filelock_file *file, struct nacre_filelock_want *want,
			 struct nacre_link *spares);

/* Queue; it is nowhere else. The caller has asked _deadlocks() first. */
void nacre_filelock_queue(struct nacre_filelock_file *file, struct nacre_filelock_waiter *waiter,
			  const struct nacre_filelock_want *want, __u64 id);
void nacre_filelock_unqueue(struct nacre_filelock_waiter *waiter);
void nacre_filelock_waiter_wants(const struct nacre_filelock_waiter *waiter,
				 struct nacre_filelock_want *want);

/* May this wait go on? Politeness included. */
int nacre_filelock_is_blocked(const struct nacre_filelock_waiter *waiter);
/* Somebody may be able to go on in this file. */
void nacre_filelock_unsettle(struct nacre_filelock_file *file);
/* The next one that can go on: take for it, unqueue it, ask again. NULL: all that wait must wait. */
struct nacre_filelock_waiter *nacre_filelocks_grantable(struct nacre_filelocks *all);

/* Would this owner wait for himself? POSIX locks only. */
int nacre_filelock_deadlocks(struct nacre_filelock_file *file,
			     const struct nacre_filelock_want *want);
/* After the owner has been given something: a wait of his own that can never end now, or NULL. */
struct nacre_filelock_waiter *nacre_filelock_deadlocked(struct nacre_filelock_owner *owner);

/* NULL, or what is broken in this file. */
const char *nacre_filelock_invariant(const struct nacre_filelock_file *file);

#endif
