/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The native client: what nacre.ko is to a machine, as a library in user space.
 * It speaks the same protocol by the same rules (protocol/rules) and keeps the
 * same promises about caching, flushing and re-sending. The simulator judges
 * the servers with it; nacre-load measures them.
 *
 * Everything is asynchronous and belongs to one thread: fill a struct
 * client_call, client_start() it, `done` comes from the top of the loop. Many
 * calls may be under way. Inodes are named by number; there are no paths here.
 * Memory that cannot be had ends the program: this is a test tool.
 */
#ifndef NACRE_CLIENT_H
#define NACRE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "protocol/filelocks.h"
#include "protocol/mds.h"
#include "server/base/io.h"
#include "server/base/stats.h"

struct client;
struct client_call;

#define CLIENT_COUNTERS(C)							\
	C(mds_messages, "messages sent to the rank, keepalives not counted")	\
	C(mds_requests, "requests sent to the rank")				\
	C(cap_updates, "cap answers, flushes and wishes sent")			\
	C(cap_releases, "cap releases sent")					\
	C(revokes, "revokes received")						\
	C(size_reports, "sizes reported for stats of others")			\
	C(sizes_reported, "stats answered by what writers reported")		\
	C(osd_requests, "object requests sent")					\
	C(local_hits, "calls answered without a message")			\
	C(resends, "requests sent again")					\
	C(reconnects, "times the session moved to a new incarnation")		\
	C(evictions, "times the session was killed")				\
	C(lost_changes, "unsafe changes that a new incarnation refused: never")
STATS_STRUCT(client_counters, CLIENT_COUNTERS);

struct client_config {
	struct io *io;
	const char *name;		/* in hellos */
	struct io_address mds;		/* where rank 0 listens, to begin with */
	unsigned int inodes_max;	/* cached beyond need, 0 = 10000 */
	unsigned int dirty_pages_max;	/* write-back begins above, 0 = 1024 */
	uint32_t dirty_ms;		/* write-back and flush begin at this age, 0 = 1000 */
	uint32_t inline_max;		/* files up to this size stay in the inode, if the file system has that; 0 = none */
	/* The session was killed: all calls have ended with -ESTALE; only destroy it now. May be NULL. */
	void (*killed)(void *owner, const char *reason);
	void *owner;
};

/* The calls. Fields named are read, or (in brackets) filled in. */
#define CLIENT_CALLS(C)									\
	C(MOUNT, "open the session [attr of the root]")					\
	C(UNMOUNT, "sync, give everything back, close the session")			\
	C(LOOKUP, "ino name [attr]")							\
	C(GETATTR, "ino [attr]")							\
	C(READDIR, "ino flags: CLIENT_WITH_DATA [entries entry_count]: the whole listing, without dots") \
	C(LIST, "ino offset [entries entry_count offset]: one answer's part of the listing, behind position `offset` (0: the start); offset 0 is the end") \
	C(STATFS, "[bytes: free]")							\
	C(QUOTA, "ino [quota]: that it counts in; dir 0: in none")			\
	C(CREATE, "ino name mode flags [attr created]: make or open a regular file, for writing") \
	C(TMPFILE, "ino mode [attr]: make a regular file without a name, and open it for writing") \
	C(MKDIR, "ino name mode [attr]")						\
	C(SYMLINK, "ino name value [attr]")						\
	C(LINK, "ino name ino2 [attr]: one more name for ino2")				\
	C(UNLINK, "ino name [attr of what was unlinked]")				\
	C(RMDIR, "ino name")								\
	C(RENAME, "ino name ino2 name2 flags: enum nacre_rename_flags")			\
	C(SETATTR, "ino set_mask mode uid gid length atime mtime flags (of the inode) [attr]; also truncates") \
	C(SETXATTR, "ino name value flags: enum nacre_xattr_flags")			\
	C(RMXATTR, "ino name")								\
	C(GETXATTR, "ino name [data bytes]: data has room for length")			\
	C(READLINK, "ino [data bytes]: data has room for length")			\
	C(OPEN, "ino flags: enum nacre_open_flags; CREATE has opened its file already")	\
	C(CLOSE, "ino flags")								\
	C(READ, "ino offset length [data bytes]")					\
	C(WRITE, "ino offset length data [bytes]")					\
	C(APPEND, "ino length data [offset bytes]: at the end, wherever that is then")	\
	C(ALLOCATE, "ino offset length flags: enum client_allocate_flags: room for a range, zeros or a hole") \
	C(SEEK, "ino offset flags: CLIENT_SEEK_HOLE [bytes: where the next data is, or hole]: ENXIO if there is none") \
	C(LOCK, "ino lock: take a file lock; if lock.waits, wait for it")		\
	C(UNLOCK, "ino lock: give up one that was taken, exactly that range")		\
	C(TESTLOCK, "ino lock [lock.holder: instance in the way, 0 = nobody]")		\
	C(FSYNC, "ino: all that happened to it before is safe")				\
	C(SYNC, "all that happened before is safe")

#define CLIENT_WITH_DATA 1		/* READDIR: keep the data of small files that are listed */

enum client_allocate_flags {		/* none of them: room, without changing a byte; the file grows */
	CLIENT_ALLOCATE_ZERO = 1,	/* and zeros; the file grows */
	CLIENT_ALLOCATE_PUNCH = 2,	/* a hole; the file does not grow */
	CLIENT_ALLOCATE_KEEP = 4,	/* not PUNCH: the file does not grow, and room may be behind its end */
};

#define CLIENT_SEEK_HOLE 1

#define CLIENT_CALL_ENUM(NAME, doc) CLIENT_##NAME,
enum client_call_kind { CLIENT_CALLS(CLIENT_CALL_ENUM) CLIENT_CALL_KINDS };
const char *client_call_name(enum client_call_kind kind);

struct client_attr {
	uint64_t ino, version, size, atime, mtime, ctime, truncate_size;
	uint32_t mode, uid, gid, nlink, rdev, flags, truncate_seq;
	uint64_t inline_gen;		/* 0: its data is in the objects */
	bool kept;			/* there may be room behind its end */
};

struct client_entry {
	uint64_t ino;
	uint32_t mode;
	char *name;
};

struct client_lock {
	uint64_t owner;			/* the caller numbers them */
	uint64_t start, last;
	uint8_t kind, mode;		/* enum nacre_filelock_kind, _mode; UNLOCK is a call of its own */
	bool waits;
	uint64_t holder;
};

struct client_call {
	enum client_call_kind kind;
	/* what is asked; strings and data stay until done */
	uint64_t ino, ino2;
	const char *name, *name2, *value;
	size_t value_bytes;
	uint32_t flags, set_mask, mode, uid, gid;
	uint64_t offset, length, atime, mtime;
	struct client_lock lock;
	void *data;
	/* APPEND: `offset` is known now; data may still be filled, and `length` shortened. May be NULL. */
	void (*placed)(struct client_call *call);
	void (*done)(struct client_call *call);
	void *owner;
	/* what came of it */
	int result;			/* 0 or -errno */
	struct client_attr attr;
	struct nacre_quota quota;
	uint64_t bytes;
	struct client_entry *entries;	/* freed by client_call_clean() */
	size_t entry_count;
	bool created;
	bool local;			/* answered without the rank */
	uint64_t tid;			/* of the change at the rank, see client_is_safe(); 0 = none was sent */
	/* the client's, see state.h */
	struct client *client;
	struct client_call *next, **link;
	struct request *request;
	struct reading *reading;
	unsigned int step, pending;
	uint32_t refs;
	int error;
	uint64_t mark;
	bool asked_size;		/* for room to write: … */
	uint32_t refusals;		/* … and no quota had refused more than so often by then */
	uint64_t sent;			/* WRITE: bytes of it that object requests have been made for */
	uint64_t began_ns;
};

int client_create(const struct client_config *config, struct client **ret_client);
/* Whatever is under way ends without `done`. Unsynced changes are lost, as with umount -f. */
void client_destroy(struct client *client);
/* The last word of one that ends without having flushed: the rank fences it at once. It may not be used behind that. */
void client_cut(struct client *client);

void client_start(struct client *client, struct client_call *call);
/* Free what a finished call holds (entries). */
void client_call_clean(struct client_call *call);

/* LOCK that waits: wait no more. It ends with -EINTR, or with 0 if the lock had been given by then. */
void client_cancel(struct client_call *call);
/* Has it been told of nothing newer, and is its lease alive: does it hold what it was given? */
bool client_may_rely(const struct client *client);
/* Is the change with this tid journaled, as far as this client has heard? */
bool client_is_safe(const struct client *client, uint64_t tid);
/* Does this inode have data or attributes that are not acknowledged? */
bool client_is_dirty(const struct client *client, uint64_t ino);
bool client_is_mounted(const struct client *client);
uint64_t client_instance(const struct client *client);
/* For requests on objects beside its calls. */
struct osdc;
struct osdc *client_osdc(struct client *client);
/* Give back caps and forget inodes that nothing hangs on, at most `count`. */
void client_trim(struct client *client, unsigned int count);
const struct client_counters *client_counters(const struct client *client);
/* The rules that hold between calls; NULL, or what is broken. */
const char *client_invariant(const struct client *client);
/* Who waits for what: calls, requests, caps, object requests. */
void client_dump(const struct client *client, FILE *out);

#endif
